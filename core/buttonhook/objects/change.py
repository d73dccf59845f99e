"""The object change as a receiver holds it."""

from datetime import datetime
from functools import cached_property
from typing import Any

from buttonhook import diffs, documents
from buttonhook.ids import ObjectChangeAction
from buttonhook.objects.tracked import AnyObject, build
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeRecord, StoredObject
from buttonhook.times import to_datetime


class ObjectChange:
    """One create, update or delete, with the exact state before and after. Nothing in it can be changed.

    The states are decoded when they are first asked for; every call of `get_snapshots()` returns the same dicts.
    """

    def __init__(self, record: ChangeRecord, type_: ObjectType) -> None:
        self._type = type_
        self.record = record
        self.id = record.id
        self.action: ObjectChangeAction = record.action
        self.user_name = record.user_name
        self.request_id = record.request_id
        self.object_type = record.object_type
        self.object_pk = record.object_pk
        self.object_repr = record.object_repr
        self.change_context = record.change_context
        self.change_context_detail = record.change_context_detail

    @cached_property
    def time(self) -> datetime:
        """When it happened at its source, as an aware datetime in UTC."""
        return to_datetime(self.record.time)

    @cached_property
    def recorded_at(self) -> datetime:
        """When it was committed here, as an aware datetime in UTC."""
        return to_datetime(self.record.recorded_at)

    @cached_property
    def prechange(self) -> dict[str, Any] | None:
        """The document before, None for a create."""
        return None if self.record.prechange is None else documents.decode(self.record.prechange)

    @cached_property
    def postchange(self) -> dict[str, Any] | None:
        """The document after, None for a delete."""
        return None if self.record.postchange is None else documents.decode(self.record.postchange)

    @cached_property
    def _snapshots(self) -> dict[str, Any]:
        return diffs.snapshots(self.prechange, self.postchange)

    def get_snapshots(self) -> dict[str, Any]:
        """`{"prechange", "postchange", "differences": {"removed", "added"}}`, in Nautobot's shape.

        Create: `removed` is None. Delete: `added` is None. Update: the top-level keys that differ, the same
        keys on both sides, None where a key is absent.
        """
        return self._snapshots

    @property
    def object_data(self) -> dict[str, Any]:
        """The document after the change; for a delete the last one before it."""
        after = self.postchange
        return after if after is not None else self.prechange or {}

    object_data_v2 = object_data

    def object(self) -> AnyObject:
        """The object as of this change, never validated: what its type refuses comes as a free document."""
        record = self.record
        text = record.postchange if record.postchange is not None else record.prechange
        stored = StoredObject(
            record.object_type, record.object_pk, text or "{}", record.id, record.user_name, record.recorded_at
        )
        return build(self._type, stored, None, mends=False)

    def __str__(self) -> str:
        past = {"create": "created", "update": "updated", "delete": "deleted"}[self.action]
        return f"{self.object_type} {self.object_repr} {past} by {self.user_name}"

    def __repr__(self) -> str:
        return f"ObjectChange(id={self.id}, action={self.action.value!r}, {self.object_type} {self.object_pk!r})"
