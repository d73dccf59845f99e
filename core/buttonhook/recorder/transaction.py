"""One transaction, judged by what is so before and after it.

Writes are applied in order to the rows as they are now; at most one change an object comes of it, except for an object
that was created and deleted in between, which leaves both. Uniqueness is judged on the net effect.
"""

from collections.abc import Generator
from typing import Any

import msgspec

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import Fault, InvalidDocument, ObjectExists, ObjectNotFound, StaleObject, UniqueViolation
from buttonhook.ids import ObjectChangeAction, ObjectKey
from buttonhook.objects.keys import check_pk, join_fields, subject
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.records import StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import Found, Needs, Rows, UniqueKey

Document = dict[str, Any]


class Row:
    """One object while a batch is decided: the text as stored, and the document, decoded when needed."""

    __slots__ = ("_document", "stored")

    def __init__(self, stored: StoredObject, document: Document | None = None) -> None:
        self.stored = stored
        self._document = document

    @property
    def document(self) -> Document:
        if self._document is None:
            self._document = documents.decode(self.stored.document)
        return self._document


class Overlay:
    """What the rows are, given what this batch has decided so far."""

    def __init__(self, found: Found) -> None:
        self.rows: dict[ObjectKey, Row | None] = {key: Row(stored) for key, stored in found.objects.items()}
        self.unique: dict[UniqueKey, str | None] = dict(found.unique)
        self.asked: set[UniqueKey] = set()
        self.request_ids = set(found.request_ids)
        self.runs = found.runs


class Effect:
    """The net effect of a transaction on one object."""

    __slots__ = ("after", "before", "key", "made_between", "type", "writes")

    def __init__(self, key: ObjectKey, type_: ObjectType, before: Row | None) -> None:
        self.key = key
        self.type = type_
        self.before = before
        self.after: Document | None = None if before is None else before.document
        self.made_between: Document | None = None
        self.writes = 0

    def actions(self) -> list[tuple[ObjectChangeAction, Document | None, Document | None]]:
        """The changes to record: (action, state before, state after)."""
        before = None if self.before is None else self.before.document
        if before is None and self.after is None:
            if self.made_between is None:
                return []
            made = self.made_between
            return [(ObjectChangeAction.CREATE, None, made), (ObjectChangeAction.DELETE, made, None)]
        if before is None:
            return [(ObjectChangeAction.CREATE, None, self.after)]
        if self.after is None:
            return [(ObjectChangeAction.DELETE, before, None)]
        if documents.same(before, self.after):
            return []
        return [(ObjectChangeAction.UPDATE, before, self.after)]


def needed_keys(request: TransactionRequest, registry: Registry) -> tuple[list[ObjectKey], list[UniqueKey]]:
    """What can be told beforehand that judging a request will look at."""
    objects = [(write.object_type, write.pk) for write in request.writes]
    unique = [
        key
        for write in request.writes
        if write.document is not None and (type_ := registry.find_type(write.object_type)) is not None
        for key in unique_keys(type_, write.document)
    ]
    return objects, unique


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
) -> Generator[Needs, Found, tuple[list[Effect], Rows]]:
    """Apply the writes; return the effects and the rows of unique keys. The overlay is changed only on success.

    Raises:
        ObjectError: a rule is broken; the message names object and field.
    """
    effects: dict[ObjectKey, Effect] = {}
    for write in request.writes:
        key = (write.object_type, write.pk)
        effect = effects.get(key)
        if effect is None:
            effect = effects[key] = Effect(key, registry.get_type(write.object_type), overlay.rows.get(key))
        _apply(write, effect)
    changed = list(effects.values())
    rows = yield from _judge_unique(changed, overlay)
    return changed, rows


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
        effect.after = effect.type.validate(document, name, write.fill)
        if effect.before is None:
            check_pk(write.pk)
            effect.made_between = effect.after
    effect.writes += 1


def _check_version(write: Write, effect: Effect) -> None:
    """`strict` writes hold only for the version they name."""
    if not write.strict or effect.writes:
        return
    current = None if effect.before is None else effect.before.stored.version
    if current != write.version:
        there = "it does not exist" if current is None else f"its version is {current}"
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
        held = {} if effect.before is None else unique_keys(effect.type, effect.before.document)
        wanted = {} if effect.after is None else unique_keys(effect.type, effect.after)
        freed.update(key for key in held if key not in wanted)
        taken.extend((key, values, effect) for key, values in wanted.items() if key not in held)
    unknown = [key for key, _, _ in taken if key not in overlay.unique and key not in overlay.asked]
    if unknown:
        found = yield Needs(unique=unknown)
        overlay.asked.update(unknown)
        overlay.unique.update(found.unique)
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
