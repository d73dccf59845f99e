"""What the API answers, as the core's records: times are counted again, documents are text again."""

from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from buttonhook import times
from buttonhook.ids import LogLevel

R = TypeVar("R", bound=msgspec.Struct)
TIMES: Final = frozenset(
    {"time", "recorded_at", "created_at", "started_at", "ended_at", "due_at", "updated_at", "edited_at", "expires_at"}
)
DOCUMENTS: Final = frozenset({"prechange", "postchange", "result", "document"})
NULL: Final = b"null"


@cache
def wire(record: type[Any], *untold: str) -> type[Any]:
    """The struct of a record as it comes over the wire. What the API does not tell has the record's default.

    `untold`: fields that it does not tell and that have none.
    """
    fields: list[Any] = []
    for field in msgspec.structs.fields(record):
        kind: Any = field.type
        default: Any = msgspec.UNSET
        if field.name in TIMES:
            kind = str | None
        elif field.name in DOCUMENTS:
            kind = msgspec.Raw
        elif kind is LogLevel:
            kind = str
        if not field.required or field.name in untold:
            kind = kind if kind is msgspec.Raw else kind | msgspec.UnsetType
            default = msgspec.Raw(b"") if kind is msgspec.Raw else msgspec.UNSET
            fields.append((field.encode_name, kind, default))
        else:
            fields.append((field.encode_name, kind))
    return msgspec.defstruct(f"Wire{record.__name__}", fields, kw_only=True)


def record_of(record: type[R], came: Any, **known: Any) -> R:
    """A record from what came; `known` are fields that the API does not tell."""
    values: dict[str, Any] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(came, field.encode_name)
        if value is msgspec.UNSET:
            continue
        if isinstance(value, msgspec.Raw):
            text = bytes(value)
            if not text:
                continue
            value = None if text == NULL else text.decode()
        elif field.name in TIMES and value is not None:
            value = times.from_text(value)
        elif field.type is LogLevel:
            value = LogLevel[value.upper()]
        values[field.name] = value
    return record(**{**values, **known})
