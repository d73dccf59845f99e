"""What the daemon knows of types, the set-up and people, as far as the user may see it, in a registry of the command's.

Only what a command is about is asked for. Reading then goes as with a database; writing goes to the daemon, and the
registry follows its answers.
"""

from typing import Any, Literal

from msgspec import Struct

from buttonhook.cli.remote.connection import Connection, Me
from buttonhook.objects.references import Reference
from buttonhook.objects.types import ObjectType
from buttonhook.people import Constraint
from buttonhook.receivers.user import User
from buttonhook.registry import Registry


class TypeShape(Struct, frozen=True):
    """An object type, as the API tells of it."""

    object_type: str
    plugin: str | None
    is_installed: bool
    is_free: bool
    fields: list[str]
    unique: list[list[str]]
    natural_key: list[str]
    references: list["ReferenceShape"] = []


class ReferenceShape(Struct, frozen=True):
    field: str
    object_type: str
    on_delete: Literal["protect", "clear", "cascade"]


class MirroredType(ObjectType):
    """A type whose struct is the daemon's: it alone judges documents."""

    __slots__ = ("_is_free", "_keys")

    def __init__(self, shape: TypeShape) -> None:
        references = {each.field: Reference(each.field, each.object_type, each.on_delete) for each in shape.references}
        unique = [tuple(fields) for fields in shape.unique]
        super().__init__(shape.object_type, None, unique, tuple(shape.natural_key), shape.plugin or "", references)
        self.is_installed = shape.is_installed
        self._is_free = shape.is_free
        self._keys = tuple(shape.fields)

    @property
    def is_free(self) -> bool:
        return self._is_free

    @property
    def field_names(self) -> tuple[str, ...]:
        return self._keys

    def document_key(self, attribute: str) -> str:
        """As a struct's attribute with `_` goes by a key with `-`; other renamed fields go by their keys alone."""
        dashed = attribute.replace("_", "-")
        return dashed if attribute not in self._keys and dashed in self._keys else attribute


def user_of(me: Me) -> User:
    """Who asks, as far as the command can tell; of a token that reaches less far than its user, what it may at most.

    Which objects it is for is known to the daemon alone: it answers what they may see.
    """
    held = me.permissions if me.scopes is None else me.scopes
    grants: dict[str, list[tuple[Constraint, ...]]] = {each: [()] for each in held}
    return User(me.name, known=True, is_owner=me.is_owner, grants=grants)


async def load_types(connection: Connection, registry: Registry) -> None:
    """Take over the types that the daemon knows."""
    async for shape in connection.pages("/api/object-types", TypeShape):
        registry.add_type(MirroredType(shape))


def given(**fields: Any) -> dict[str, Any]:
    """The fields that are said, for a body."""
    return {name: value for name, value in fields.items() if value is not None}
