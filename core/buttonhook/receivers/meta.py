"""`class Meta` of a receiver: its options, their types, their defaults. Read and checked once, at load.

Options are inherited along the receiver's base classes. A name that is no option is a warning that suggests
the right one; a value of a wrong type refuses the receiver.
"""

import difflib
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Struct

from buttonhook.errors import BadReceiver
from buttonhook.ids import LogLevel, ObjectChangeAction, Ordering
from buttonhook.objects.types import to_fault

Seconds = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]

_LEVEL_WORDS: Final = {level.word: level for level in LogLevel}


class JobMeta(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of a receiver. Durations are seconds; 0 means no limit."""

    name: str = ""
    description: str = ""
    grouping: str = ""
    hidden: bool = False
    has_sensitive_variables: bool = False
    soft_time_limit: Seconds = 300
    time_limit: Seconds = 600
    is_singleton: bool = False
    ordering: Ordering = "object"
    max_concurrency: Count = 0
    retries: Count = 0
    retry_backoff: Seconds = 5
    rerun_on_crash: bool = True
    log_level: LogLevel = LogLevel.INFO
    object_types: tuple[str, ...] = ()
    actions: tuple[ObjectChangeAction, ...] = tuple(dict.fromkeys(ObjectChangeAction))
    conditions: tuple[dict[str, Any], ...] = ()
    free_documents: bool = False


def read_meta(cls: type, base: type) -> tuple[JobMeta, list[str]]:
    """The options of a receiver class and the warnings about its Meta.

    Raises:
        BadReceiver: an option has a wrong type.
    """
    options: dict[str, Any] = {}
    for owner in reversed(cls.__mro__):
        if issubclass(owner, base) and "Meta" in vars(owner):
            for meta in reversed(vars(owner)["Meta"].__mro__[:-1]):
                options.update({key: value for key, value in vars(meta).items() if not key.startswith("__")})
    where = f"{cls.__module__}.{cls.__qualname__}"
    notes: list[str] = []
    known = JobMeta.__struct_fields__
    for key in [key for key in options if key not in known]:
        del options[key]
        if key == "approval_required":
            notes.append(f"{where}: Meta.approval_required is ignored: approval of receivers is not supported")
            continue
        near = difflib.get_close_matches(key, known, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
        notes.append(f"{where}: Meta.{key} is no option and is ignored; {hint}")
    _ease(options)
    try:
        meta = msgspec.convert(options, JobMeta)
    except msgspec.ValidationError as exc:
        fault = to_fault(exc)
        raise BadReceiver(
            where, f"has Meta.{fault.path} of a wrong kind: {fault.message}", "See the Meta reference."
        ) from exc
    return meta, notes


def _ease(options: dict[str, Any]) -> None:
    """Accept the spellings people use: level words, classes as object types, one name where a list is meant."""
    level = options.get("log_level")
    if isinstance(level, str):
        options["log_level"] = _LEVEL_WORDS.get(level.lower(), level)
    types = options.get("object_types")
    if types is not None:
        many = [types] if isinstance(types, str | type) else list(types)
        options["object_types"] = [getattr(each, "object_type", each) for each in many]
    actions = options.get("actions")
    if isinstance(actions, str):
        options["actions"] = [actions]
    elif isinstance(actions, Sequence):
        options["actions"] = list(actions)
    if isinstance(options.get("description"), str):
        options["description"] = " ".join(options["description"].split())
