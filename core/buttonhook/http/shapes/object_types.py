"""Object types: what their documents look like, and what somebody may do with their objects."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from buttonhook.http.shapes.base import Input, Shape
from buttonhook.objects.keys import OBJECT_TYPE_PATTERN
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import Upgraded

Right = Literal["view", "add", "change", "delete"]


class ReferenceShape(Shape):
    """A field that holds the pk of another object."""

    field: str
    object_type: str
    on_delete: Literal["protect", "clear", "cascade"]
    """What becomes of the object when the other one is deleted: it is refused, clears the field, takes it along."""


class ObjectTypeShape(Shape, kw_only=True):
    object_type: str
    plugin: str | None
    """The package that brings it, null where it was declared in this database or nobody brings it any more."""
    is_installed: bool
    """Only then can its objects be written; else they can be read and deleted."""
    is_free: bool
    """Any JSON object is a document of it."""
    fields: list[str]
    unique: list[list[str]]
    """Each a list of fields that no two objects have the same values of."""
    natural_key: list[str]
    references: list[ReferenceShape]
    rights: list[Right]
    """What you may do with some of its objects at least."""
    count: int | UnsetType = UNSET
    """How many objects there are that you may see, up to 10,000; there where it was asked for."""
    is_capped: bool | UnsetType = UNSET

    @classmethod
    def of(cls, type_: ObjectType, rights: list[Right]) -> "ObjectTypeShape":
        return cls(**_told(type_, rights))


class UpgradeShape(Shape):
    """What came of a page of objects."""

    object_type: str
    objects: int
    """How many were looked at."""
    mendable: int
    saved: int
    refused: int
    errors: list[str]
    """Why some could not be saved; the first few."""
    changes: list[int]
    """The ids of the changes that were made."""
    next: str | None
    """Where to go on, null at the end."""

    @classmethod
    def of(cls, done: Upgraded, changes: list[int], following: str | None) -> "UpgradeShape":
        return cls(**msgspec.structs.asdict(done), changes=changes, next=following)


def _told(type_: ObjectType, rights: list[Right]) -> dict[str, Any]:
    return {
        "object_type": type_.name,
        "plugin": type_.plugin or None,
        "is_installed": type_.is_installed,
        "is_free": type_.is_free and type_.is_installed,
        "fields": list(type_.struct.__struct_encode_fields__) if type_.struct is not None else [],
        "unique": [list(fields) for fields in type_.unique],
        "natural_key": list(type_.natural_key),
        "references": [
            ReferenceShape(field=each.field, object_type=each.target, on_delete=each.on_delete)
            for each in type_.references.values()
        ],
        "rights": rights,
    }


class ObjectTypeDetail(ObjectTypeShape, kw_only=True):
    document_schema: dict[str, Any]
    """The JSON schema of its documents."""
    example: dict[str, Any] | None
    """A document with what is required, null where none can be made up."""

    @classmethod
    def whole(
        cls, type_: ObjectType, rights: list[Right], schema: dict[str, Any], example: dict[str, Any] | None
    ) -> "ObjectTypeDetail":
        return cls(**_told(type_, rights), document_schema=schema, example=example)


class ObjectTypeInput(Input):
    object_type: Annotated[
        str, Meta(max_length=200, examples=["acme.circuit"], extra_json_schema={"pattern": OBJECT_TYPE_PATTERN})
    ]
