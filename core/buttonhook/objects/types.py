"""Object types: a name, the struct that views its documents (or none, for free documents), its constraints.

A struct is a view on the stored document, never its replacement: validation reads the document through the
struct, fills in the defaults that are missing, and keeps every key the struct does not know.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from buttonhook.documents import ABSENT, fill_missing
from buttonhook.errors import BadObjectType, Fault, InvalidDocument
from buttonhook.objects.keys import check_object_type, join_fields

RESERVED_ATTRIBUTES: Final = frozenset(
    {"delete", "document", "invalid", "object_type", "objects", "pk", "refresh", "save", "version"}
)
UniqueFields = tuple[str, ...]
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]|\[\.\.\.\]")


class ObjectType:
    """One declared type. `unique` and `natural_key` hold document keys, not attribute names."""

    __slots__ = ("name", "natural_key", "plugin", "struct", "unique")

    def __init__(
        self,
        name: str,
        struct: type[msgspec.Struct] | None = None,
        unique: Iterable[UniqueFields] = (),
        natural_key: UniqueFields = (),
        plugin: str = "",
    ) -> None:
        self.name = check_object_type(name)
        self.struct = struct
        self.unique = tuple(unique)
        self.natural_key = natural_key
        self.plugin = plugin

    def __repr__(self) -> str:
        return f"ObjectType({self.name!r})"

    @property
    def is_free(self) -> bool:
        return self.struct is None

    def validate(self, document: dict[str, Any], subject: str, fill: bool = True) -> dict[str, Any]:
        """Return the document as it is to be stored, with the type's missing defaults when `fill` is set.

        Raises:
            InvalidDocument: with the path of the field the type refuses.
        """
        if self.struct is None:
            return document
        try:
            view = msgspec.convert(document, self.struct, str_keys=True)
        except (msgspec.ValidationError, RecursionError) as exc:
            raise InvalidDocument(subject, [to_fault(exc)]) from exc
        return fill_missing(document, shown(view)) if fill else document

    def faults(self, document: dict[str, Any]) -> tuple[Fault, ...]:
        """Why the type no longer accepts a stored document; empty when it does."""
        try:
            self.validate(document, self.name, fill=False)
        except InvalidDocument as exc:
            return exc.faults
        return ()

    def unique_values(self, document: Mapping[str, Any]) -> dict[UniqueFields, tuple[Any, ...]]:
        """The values that must be unique; constraints with an unset or null value are left out."""
        found = {}
        for fields in self.unique:
            values = tuple(document.get(field) for field in fields)
            if None not in values:
                found[fields] = values
        return found

    def unique_key(self, equal: Mapping[str, Any]) -> tuple[str, str] | None:
        """The unique key that these values of top-level fields make up, for an index; None where there is none.

        Only text values count: numbers are equal in ways that an index of stored values does not know.
        """
        for fields in self.unique:
            if set(fields) == set(equal) and all(isinstance(value, str) for value in equal.values()):
                values = tuple(equal[field] for field in fields)
                return join_fields(fields), msgspec.json.encode(values, order="sorted").decode()
        return None

    def natural_values(self, document: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The values of the natural key, or None where it has none or one is unset."""
        values = tuple(document.get(field) for field in self.natural_key)
        return values if values and None not in values else None

    def document_key(self, attribute: str) -> str:
        """The document's key behind a struct's attribute; other names stand for themselves."""
        if self.struct is not None:
            names = dict(zip(self.struct.__struct_fields__, self.struct.__struct_encode_fields__, strict=True))
            return names.get(attribute, attribute)
        return attribute


def shown(view: msgspec.Struct) -> dict[str, Any]:
    """A struct as JSON values, by its document keys; unset fields are left out."""
    return msgspec.to_builtins(view, builtin_types=None, str_keys=True)  # type: ignore[no-any-return]


def to_fault(exc: BaseException) -> Fault:
    """Turn msgspec's message and path into ours."""
    if isinstance(exc, RecursionError):
        return Fault("", "nested too deep")
    message, _, path = str(exc).rpartition(" - at `$")
    if not message:
        return Fault("", str(exc))
    steps = [step[0] or step[1] or "*" for step in _STEP.findall(path.rstrip("`"))]
    return Fault(".".join(steps), message[0].lower() + message[1:] if message.startswith("Expected") else message)


def resolve_fields(
    name: str, struct: type[msgspec.Struct], keyword: str, given: Iterable[str | Iterable[str]]
) -> tuple[UniqueFields, ...]:
    """Read `unique=("name", ("rack", "position"))` into document keys, refusing fields that do not exist."""
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    result = []
    for entry in (given,) if isinstance(given, str) else given:
        fields = (entry,) if isinstance(entry, str) else tuple(entry)
        for field in fields:
            if field not in names:
                raise BadObjectType(
                    name, f"says {keyword}={field!r}, which is no field", f"Fields: {', '.join(names)}."
                )
        result.append(tuple(names[field] for field in fields))
    return tuple(result)


def value_at(document: Mapping[str, Any], key: str) -> Any:
    """A top-level value, ABSENT where the key is not there."""
    return document.get(key, ABSENT)
