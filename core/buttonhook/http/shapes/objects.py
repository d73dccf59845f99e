"""Objects and what came of writing them. A document is answered as it is stored, or as a plugin mends it on reading."""

from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from buttonhook import documents, times
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.ids import ObjectChangeAction
from buttonhook.objects.keys import object_repr
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeRecord, StoredObject

Action = Literal["create", "update", "delete", "unchanged"]


class ObjectShape(Shape):
    object_type: str
    pk: str
    object_repr: str
    """The name people see."""
    version: int
    """The id of its last change; also its `ETag`."""
    updated_by: str
    updated_at: str
    document: dict[str, Any]
    invalid: list["FaultShape"] | UnsetType = UNSET
    """Why its type does not accept it any more; missing where it does."""

    @classmethod
    def of(cls, stored: StoredObject, type_: ObjectType) -> "ObjectShape":
        """What was stored at some time, and may not fit its type any more."""
        reading = type_.read(documents.decode(stored.document))
        return cls(
            object_type=stored.object_type,
            pk=stored.pk,
            object_repr=object_repr(reading.document, stored.object_type, stored.pk),
            version=stored.version,
            updated_by=stored.updated_by,
            updated_at=times.to_text(stored.updated_at),
            document=reading.document if reading.is_mended else _raw(stored.document),
            invalid=[FaultShape(path=each.path, message=each.message) for each in reading.faults] or UNSET,
        )

    @classmethod
    def written(cls, stored: StoredObject, name: str) -> "ObjectShape":
        """What has just been written, so fits its type."""
        return cls(
            object_type=stored.object_type,
            pk=stored.pk,
            object_repr=name,
            version=stored.version,
            updated_by=stored.updated_by,
            updated_at=times.to_text(stored.updated_at),
            document=_raw(stored.document),
        )


class FaultShape(Shape):
    """One fault of a document: where, and what is wrong there."""

    path: str
    message: str


class ObjectPage(Struct):
    """Some objects. `count` is there where it was asked for; with `is_capped` there are more than that."""

    items: list[ObjectShape]
    next: str | None
    count: int | UnsetType = UNSET
    is_capped: bool | UnsetType = UNSET


class MadeChange(Shape):
    """One change that a write made."""

    id: int
    action: ObjectChangeAction
    object_type: str
    object_pk: str
    object_repr: str

    @classmethod
    def of(cls, change: ChangeRecord) -> "MadeChange":
        return cls(
            id=change.id,
            action=change.action,
            object_type=change.object_type,
            object_pk=change.object_pk,
            object_repr=change.object_repr,
        )


class WriteShape(Shape):
    """What came of a write."""

    action: Action
    change: int | None
    """The change's id, null where nothing changed."""
    object: ObjectShape | None
    """As it is now; null where it is gone, or not for you to see."""
    changes: list[MadeChange]
    """All that changed, with what went along with it, of what you may see."""


class ReferrerShape(Shape):
    """An object that refers to another one."""

    object_type: str
    pk: str
    field: str
    """By which field of its document."""


class LineInput(Input):
    """One line of a bulk write."""

    op: Literal["put", "create", "patch", "delete"] = "put"
    object_type: str | None = None
    pk: str | None = None
    data: dict[str, Any] | None = None
    unset: list[str] = []
    """Fields that a patch takes away."""
    version: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    """Only if the object's version is this one."""


class LineShape(Shape):
    """What came of one line of a bulk write. Lines about one object are one change."""

    line: int
    object_type: str
    pk: str
    action: Action
    change: int | None
    version: int | None
    """The object's version now, null where it is gone."""


class BulkShape(Shape):
    """What came of a bulk write, line by line."""

    lines: list[LineShape]
    changes: int
    """How many changes were made, with what went along."""
    made: list[MadeChange] | UnsetType = UNSET
    """Where it was asked for: all that changed, of what you may see."""


def _raw(text: str) -> dict[str, Any]:
    """A document's text as it is, to stand for the document in an answer."""
    return cast(dict[str, Any], msgspec.Raw(text.encode()))
