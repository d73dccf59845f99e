"""One transaction, judged by what is so before and after it.

Writes are applied in order to the rows as they are now; at most one change an object comes of it, except for an object
that was created and deleted in between, which leaves both. Uniqueness and references are judged on the net effect.
"""

from collections.abc import Generator, Iterable, Sequence
from typing import Any

import msgspec

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import Fault, InvalidDocument, ObjectExists, ObjectNotFound, StaleObject, UniqueViolation
from buttonhook.ids import ObjectKey
from buttonhook.objects.keys import check_pk, join_fields, subject
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.recorder.effects import Document, Effect, Overlay
from buttonhook.recorder.references import Cascade, judge_targets, named_targets
from buttonhook.registry import Registry
from buttonhook.stores.base import Found, Needs, ReferrersAfter, Rows, UniqueKey


class Needed:
    """What can be told beforehand that judging requests will look at; each key once, in order."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.objects: dict[ObjectKey, None] = {}
        self.unique: dict[UniqueKey, None] = {}
        self.present: dict[ObjectKey, None] = {}
        self.referrers: dict[ObjectKey, None] = {}

    def add(self, request: TransactionRequest) -> None:
        for write in request.writes:
            key = (write.object_type, write.pk)
            self.objects[key] = None
            type_ = self._registry.find_type(write.object_type)
            if type_ is None:
                continue
            if write.document is not None:
                self.unique.update(dict.fromkeys(unique_keys(type_, write.document)))
            if type_.references:
                self.present.update(dict.fromkeys(named_targets(write, type_)))
            if write.kind == "delete" and write.object_type in self._registry.reference_targets:
                self.referrers[key] = None

    def needs(self, request_ids: Iterable[str], runs: Iterable[int]) -> Needs:
        """The question to begin with. What is asked for whole is not asked for again."""
        return Needs(
            objects=list(self.objects),
            unique=list(self.unique),
            present=[key for key in self.present if key not in self.objects],
            referrers=[ReferrersAfter(key) for key in self.referrers],
            request_ids=list(dict.fromkeys(request_ids)),
            runs=list(dict.fromkeys(runs)),
        )


def first_needs(requests: Sequence[TransactionRequest], registry: Registry, runs: Sequence[int] = ()) -> Needs:
    """What to ask before any of these requests is judged, and of these runs besides."""
    needed = Needed(registry)
    for request in requests:
        needed.add(request)
    return needed.needs(
        (each.seen_as for each in requests if each.once),
        (*runs, *(each.run[0] for each in requests if each.run is not None)),
    )


def unique_keys(type_: ObjectType, document: Document) -> dict[UniqueKey, tuple[Any, ...]]:
    """The unique keys a document holds, with their values."""
    if not type_.unique:
        return {}
    return {
        (type_.name, join_fields(fields), msgspec.json.encode(values, order="sorted").decode()): values
        for fields, values in type_.unique_values(document).items()
    }


def judge(
    request: TransactionRequest, overlay: Overlay, registry: Registry
) -> Generator[Needs, Found, tuple[list[Effect], Rows | None]]:
    """Apply the writes and what follows from them; return the effects and the rows of unique keys and references.

    None stands for no such rows.

    The overlay learns what is stored and nothing of this transaction.

    Raises:
        ObjectError: a rule is broken; the message names object and field.
    """
    effects: dict[ObjectKey, Effect] = {}
    goes = is_indexed = False
    for write in request.writes:
        key = (write.object_type, write.pk)
        effect = effects.get(key)
        if effect is None:
            effect = effects[key] = _effect(write, registry, overlay)
        _apply(write, effect)
        goes = goes or (write.kind == "delete" and write.object_type in registry.reference_targets)
        is_indexed = is_indexed or effect.type.is_indexed
    if goes:
        effects = yield from Cascade(effects, overlay, registry).follow()
    changed = list(effects.values())
    if not goes and not is_indexed:
        return changed, None
    rows = yield from _judge_unique(changed, overlay)
    if any(effect.type.references for effect in changed):
        yield from judge_targets(changed, overlay, rows)
    return changed, rows


def _effect(write: Write, registry: Registry, overlay: Overlay) -> Effect:
    """The effect on an object that this is the first write of."""
    key = (write.object_type, write.pk)
    effect = Effect(key, registry.get_type(write.object_type), overlay.rows.get(key))
    if effect.before is None and write.before is not None:
        check_pk(write.pk)
        if not write.checked:
            documents.check(write.before, subject(*key))
        effect.assume(write.before, encode_checked(write.before, key))
    return effect


def _apply(write: Write, effect: Effect) -> None:
    """Bring one write into the effect on its object."""
    name = subject(*effect.key)
    if write.kind == "delete":
        if effect.after is None and not write.missing_ok:
            raise ObjectNotFound(write.object_type, repr(write.pk))
        _check_version(write, effect)
        effect.after = None
    elif write.kind == "update":
        effect.after = _merged(write, effect, name)
    else:
        if write.kind == "create" and effect.after is not None:
            raise ObjectExists(write.object_type, write.pk)
        _check_version(write, effect)
        document = write.document if write.document is not None else {}
        if not write.checked:
            documents.check(document, name)
        if write.accepted_by is not effect.type:
            document = effect.type.validate(document, name, write.fill)
        effect.after = document
        if effect.before is None:
            check_pk(write.pk)
            effect.made_between = effect.after
    effect.writes += 1


def _check_version(write: Write, effect: Effect) -> None:
    """`strict` writes hold only for the version they name."""
    if not write.strict or effect.writes:
        return
    stored = None if effect.before is None or effect.is_assumed else effect.before.stored
    current = None if stored is None else stored.version
    if current != write.version:
        there = "it does not exist" if stored is None else f"its version is {current} (changed by {stored.updated_by})"
        detail = f"version {write.version} was expected, but {there}"
        raise StaleObject(write.object_type, write.pk, detail, current)


def _merged(write: Write, effect: Effect, name: str) -> Document:
    """An update brought onto the row as it is now; refused where the same field was changed by somebody else."""
    current = effect.after
    if current is None:
        raise ObjectNotFound(write.object_type, repr(write.pk))
    before = effect.before
    changes = write.changes or {}
    if before is not None and not effect.writes and before.stored.version != write.version:
        if write.strict:
            _check_version(write, effect)
        for field, (loaded, wanted) in changes.items():
            there = current.get(field, ABSENT)
            if not documents.same(there, loaded) and not documents.same(there, wanted):
                detail = (
                    f"field {field!r} was {_show(loaded)} when it was loaded and is {_show(there)} now "
                    f"(changed by {before.stored.updated_by}), so {_show(wanted)} was not written"
                )
                raise StaleObject(write.object_type, write.pk, detail, before.stored.version)
    merged = {key: value for key, value in current.items() if changes.get(key, (None, value))[1] is not ABSENT}
    merged.update((key, wanted) for key, (_, wanted) in changes.items() if wanted is not ABSENT)
    if not write.checked:
        documents.check(merged, name)
    return effect.type.validate(merged, name, fill=False)


def _judge_unique(effects: list[Effect], overlay: Overlay) -> Generator[Needs, Found, Rows]:
    """Give up the keys that are no longer held, take the new ones, refuse those that others hold."""
    rows = Rows()
    freed: set[UniqueKey] = set()
    taken: list[tuple[UniqueKey, tuple[Any, ...], Effect]] = []
    for effect in effects:
        if not effect.type.unique:
            continue
        held = {} if effect.stored_before is None else unique_keys(effect.type, effect.stored_before)
        wanted = {} if effect.after is None else unique_keys(effect.type, effect.after)
        freed.update(key for key in held if key not in wanted)
        taken.extend((key, values, effect) for key, values in wanted.items() if key not in held)
    unknown = [key for key, _, _ in taken if key not in overlay.unique]
    if unknown:
        overlay.unique.update(dict.fromkeys(unknown))
        overlay.take((yield Needs(unique=unknown)))
    holders: dict[UniqueKey, str] = {}
    for key, values, effect in taken:
        holder = holders.get(key) or (None if key in freed else overlay.unique.get(key))
        if holder is not None:
            raise UniqueViolation(*effect.key, key[1].split(","), values, holder)
        holders[key] = effect.key[1]
    rows.unique_removed = list(freed)
    rows.unique_added = list(holders.items())
    return rows


def encode_checked(document: Document, key: ObjectKey) -> str:
    """The text to be stored.

    Raises:
        InvalidDocument: it is longer than a document may be.
    """
    text = documents.encode(document)
    if len(text) > documents.MAX_BYTES:
        fault = Fault("", f"{len(text):,} bytes are more than the {documents.MAX_BYTES:,} allowed")
        raise InvalidDocument(subject(*key), [fault])
    return text


def _show(value: Any) -> str:
    if value is ABSENT:
        return "unset"
    text = documents.encode(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
