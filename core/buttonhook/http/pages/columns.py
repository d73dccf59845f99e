"""The fields of an object type, as pages show and ask for them: each with its kind, read from the type's struct."""

import typing
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from buttonhook import documents
from buttonhook.objects.types import ObjectType

Kind = Literal["line", "text", "number", "yesno", "select", "lines", "choices", "reference", "json"]
NAMES: Final = ("display", "name", "model")
"""Where an object's name stands; the first that is there."""
LONG: Final = frozenset({"comments", "comment", "description", "notes", "note", "text", "body"})
PLAIN: Final = frozenset({"line", "number", "yesno", "select", "reference"})
MOST_COLUMNS: Final = 6
_TEXTS: Final = (
    inspect.StrType,
    inspect.DateTimeType,
    inspect.DateType,
    inspect.TimeType,
    inspect.UUIDType,
)


class TypeField(Struct, frozen=True, kw_only=True):
    """One field. `wanted` is its annotation, by which a value is judged; `options` are those of a closed choice."""

    key: str
    kind: Kind
    wanted: Any = Any
    options: tuple[Any, ...] = ()
    target: str = ""
    is_required: bool = False
    takes_unset: bool = True
    takes_null: bool = True
    default: Any
    """NODEFAULT where there is none, which msgspec would not take for the default of this."""


def fields_of(type_: ObjectType) -> tuple[TypeField, ...]:
    """The fields of a type, in the order of its struct; none where documents are free."""
    if type_.struct is None:
        return ()
    targets = {key: reference.target for key, reference in type_.references.items()}
    return tuple(
        msgspec.structs.replace(each, kind="reference", target=targets[each.key]) if each.key in targets else each
        for each in _fields_of(type_.struct)
    )


def columns_of(type_: ObjectType, shown: list[dict[str, Any]]) -> list[TypeField]:
    """What a list shows beside the name: fields with single values, those first that are used in these documents."""
    known = [each for each in fields_of(type_) if each.kind in PLAIN and each.key not in NAMES]
    if not known:
        known = [TypeField(key=key, kind="line", default=NODEFAULT) for key in _plain_keys(shown)]
    used = [each for each in known if any(document.get(each.key) not in (None, "") for document in shown)]
    return (used or known)[:MOST_COLUMNS]


def name_key(type_: ObjectType) -> str:
    """The field by which people name objects of a type."""
    keys = [each.key for each in fields_of(type_)]
    if len(type_.natural_key) == 1:
        return type_.natural_key[0]
    return next((each for each in NAMES if each in keys), "name")


def _plain_keys(shown: list[dict[str, Any]]) -> list[str]:
    keys = dict.fromkeys(key for document in shown for key in document if key not in NAMES)
    return [key for key in keys if not any(isinstance(document.get(key), dict | list) for document in shown)]


@lru_cache(maxsize=500)
def _fields_of(struct: type[Struct]) -> tuple[TypeField, ...]:
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)  # noqa: S101 - so msgspec describes a struct
    hints = _hints(struct)
    return tuple(_field(each, hints.get(each.name, Any)) for each in info.fields)


def _hints(struct: type[Struct]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(struct, include_extras=True)
    except Exception:  # noqa: BLE001 - names that only msgspec resolves; then the struct as a whole judges
        return {}


def _field(field: inspect.Field, wanted: Any) -> TypeField:
    inner, takes_null = _without_null(field.type)
    has_default = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
    kind, options = _kind(inner, field.encode_name)
    return TypeField(
        key=field.encode_name,
        kind=kind,
        wanted=wanted,
        options=options,
        is_required=field.required,
        takes_unset=not field.required and not has_default,
        takes_null=takes_null,
        default=_default(field),
    )


def _default(field: inspect.Field) -> Any:
    default = field.default
    if default is NODEFAULT and field.default_factory is not NODEFAULT:
        default = field.default_factory()
    return default if default is NODEFAULT else msgspec.to_builtins(default)


def _without_null(type_: inspect.Type) -> tuple[inspect.Type, bool]:
    if not isinstance(type_, inspect.UnionType):
        return type_, isinstance(type_, inspect.NoneType)
    rest = tuple(each for each in type_.types if not isinstance(each, inspect.NoneType))
    return (rest[0] if len(rest) == 1 else inspect.UnionType(rest)), len(rest) < len(type_.types)


def _kind(type_: inspect.Type, key: str) -> tuple[Kind, tuple[Any, ...]]:
    if isinstance(type_, inspect.LiteralType | inspect.EnumType):
        return "select", _options(type_)
    if isinstance(type_, inspect.ListType) and isinstance(type_.item_type, inspect.LiteralType | inspect.EnumType):
        return "choices", _options(type_.item_type)
    return _open_kind(type_, key), ()


def _open_kind(type_: inspect.Type, key: str) -> Kind:
    """The kind of a field whose values are not listed; what no plain field can hold is asked for as JSON."""
    members = type_.types if isinstance(type_, inspect.UnionType) else (type_,)
    if all(isinstance(each, inspect.IntType | inspect.FloatType) for each in members):
        return "number"
    if isinstance(type_, inspect.BoolType):
        return "yesno"
    if isinstance(type_, _TEXTS):
        return "text" if key in LONG else "line"
    is_lines = isinstance(type_, inspect.ListType) and isinstance(type_.item_type, inspect.StrType)
    return "lines" if is_lines else "json"


def _options(type_: inspect.LiteralType | inspect.EnumType) -> tuple[Any, ...]:
    if isinstance(type_, inspect.EnumType):
        return tuple(each.value for each in type_.cls)
    return tuple(type_.values)


def text_of(value: Any) -> str:
    """A plain value as text: what a cell shows, and what a field of a form holds."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else documents.encode(value)
