"""What a transaction is judged on: the rows as the batch has left them so far, and its net effect on each object."""

from collections.abc import Iterator
from typing import Any

from buttonhook import documents
from buttonhook.ids import Microseconds, ObjectChangeAction, ObjectKey
from buttonhook.objects.types import ObjectType
from buttonhook.records import StoredObject
from buttonhook.stores.base import Found, Needs, ReferenceKey, Referrer, UniqueKey

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
    """What the rows are, given what this batch has decided so far. `needs` is what was asked to begin with."""

    def __init__(self, needs: Needs, found: Found) -> None:
        self.rows: dict[ObjectKey, Row | None] = dict.fromkeys(needs.objects)
        """By key; None: it does not exist. One that was never asked for is missing."""
        self.present: dict[ObjectKey, bool] = dict.fromkeys(needs.present, False)
        self.unique: dict[UniqueKey, str | None] = dict.fromkeys(needs.unique)
        self.request_ids = set(found.request_ids)
        self.runs = found.runs
        self.receipts = dict(found.receipts)
        self.referrers: dict[ObjectKey, list[Referrer]] = {each.target: [] for each in needs.referrers}
        """As stored before this batch: the first page of each target that was asked for."""
        self.references: dict[ObjectKey, dict[Referrer, bool]] = {}
        """What this batch changed of them: by target, each referrer that came (true) or went."""
        self.take(found)

    def take(self, found: Found) -> None:
        """Know what was found."""
        self.rows.update((key, Row(stored)) for key, stored in found.objects.items())
        self.present.update(dict.fromkeys(found.present, True))
        self.unique.update(found.unique)
        self.referrers.update(found.referrers)

    def follow(self, before: "Overlay") -> None:
        """Know what the batch before leaves, of all that this one asked about; what was found may be older."""
        self.rows.update((key, before.rows[key]) for key in self.rows if key in before.rows)
        for key in self.present:
            exists = before.exists(key)
            if exists is not None:
                self.present[key] = exists
        self.unique.update((key, before.unique[key]) for key in self.unique if key in before.unique)

    def exists(self, key: ObjectKey) -> bool | None:
        """Whether an object exists; None where that has not been asked."""
        if key in self.rows:
            return self.rows[key] is not None
        return self.present.get(key)

    def refer(self, key: ReferenceKey, is_there: bool) -> None:
        """Keep in mind that a reference came or went."""
        self.references.setdefault(key[:2], {})[key[2:]] = is_there


class Effect:
    """The net effect of a transaction on one object."""

    __slots__ = ("after", "before", "is_assumed", "key", "made_between", "type", "writes")

    def __init__(self, key: ObjectKey, type_: ObjectType, before: Row | None) -> None:
        self.key = key
        self.type = type_
        self.before = before
        self.after: Document | None = None if before is None else before.document
        self.is_assumed = False
        """Whether `before` is what a write says, of an object that is not stored."""
        self.made_between: Document | None = None
        self.writes = 0

    def assume(self, document: Document, text: str) -> None:
        """Take an object that is not stored for one that was so before: it holds no unique keys and has no version."""
        self.before = Row(StoredObject(*self.key, text, 0, "", Microseconds(0)), document)
        self.after = document
        self.is_assumed = True

    @property
    def stored_before(self) -> Document | None:
        """The state before, of an object that is stored."""
        return None if self.before is None or self.is_assumed else self.before.document

    @property
    def is_delete(self) -> bool:
        """Whether an object that was there is there no more."""
        return self.before is not None and self.after is None

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

    def references(self, document: Document | None) -> Iterator[ReferenceKey]:
        """The references that a state of the object holds."""
        if document is not None:
            for reference, pk in self.type.targets(document):
                yield (reference.target, pk, *self.key, reference.field)
