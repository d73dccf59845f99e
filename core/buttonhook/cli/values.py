"""Values, filters and paths as people type them.

A value is JSON where it reads as JSON, else text: `5` is a number, `true` is true, `ams01` is text, `"5"` is text.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from msgspec import Struct

from buttonhook import documents
from buttonhook.errors import InvalidDocument
from buttonhook.objects.query import QUERY_OPERATORS
from buttonhook.objects.types import ObjectType
from buttonhook.queries import FindType, condition
from buttonhook.records import Condition

_SIGNS: Final = {"=": "=", "==": "=", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte", "exact": "="}
_WORDS: Final = {**_SIGNS, **{name: name for name in QUERY_OPERATORS}}
_SPACED: Final = re.compile(r"\s*(\S+)\s+(\S+)\s+(.*\S|)\s*\Z", re.DOTALL)
_KEYWORD: Final = re.compile(r"\s*([^\s=]+?)\s*=\s*(.*?)\s*\Z", re.DOTALL)
_OF_TEXT: Final = frozenset({"contains", "icontains", "startswith", "istartswith", "endswith"})
FILTER_FORMS: Final = "'status = active', 'u_height gt 1', 'name in a,b', or name__startswith=ams"


class Typed(Struct, frozen=True):
    """A value as typed, and what it reads as. `is_bare`: it is JSON that could be meant as text, like a number."""

    text: str
    value: Any
    is_bare: bool


def read_value(text: str, subject: str) -> Typed:
    """Read one value.

    Raises:
        click.BadParameter: it begins like JSON's text, list or object and is none.
    """
    try:
        value = documents.parse(text, subject)
    except InvalidDocument as exc:
        if text.lstrip().startswith(("{", "[", '"')):
            raise click.BadParameter(f"{str(exc).rstrip('.')}. Text that begins so is written in quotes.") from exc
        return Typed(text, text, is_bare=False)
    return Typed(text, value, is_bare=not isinstance(value, str | list | dict))


def read_conditions(given: Iterable[str], type_: ObjectType, find_type: FindType) -> tuple[Condition, ...]:
    """The rows of a filter: each `path operator value` or `field__operator=value`.

    Raises:
        click.BadParameter, QueryError: one cannot be read.
    """
    return tuple(condition(*row, type_, find_type) for text in given for row in _rows(*_split(text, type_), text))


def _rows(path: tuple[str, ...], operator: str, value: str, text: str) -> list[tuple[tuple[str, ...], str, Any]]:
    if operator == "in":
        return [(path, operator, _members(value))]
    if operator in _OF_TEXT:
        quoted = value.startswith('"')
        return [(path, operator, read_value(value, text).value if quoted else value)]
    typed = read_value(value, text)
    if typed.is_bare and typed.value is not None:
        # `serial = 123` means the number and the text: fields of either kind are filtered by the same words.
        if operator == "=":
            return [(path, "in", [typed.value, typed.text])]
        if operator == "ne":
            return [(path, "ne", typed.value), (path, "ne", typed.text)]
    return [(path, operator, typed.value)]


def _split(text: str, type_: ObjectType) -> tuple[tuple[str, ...], str, str]:
    spaced = _SPACED.match(text)
    if spaced is not None and spaced[2] in _WORDS:
        return _path(spaced[1], type_), _WORDS[spaced[2]], spaced[3]
    keyword = _KEYWORD.match(text)
    if keyword is None:
        raise click.BadParameter(f"{text!r} is no filter. Write it as {FILTER_FORMS}.")
    *steps, last = keyword[1].split("__")
    operator = "="
    if steps and last in _WORDS:
        operator = _WORDS[last]
    else:
        steps.append(last)
    if len(steps) == 1:
        return _path(steps[0], type_), operator, keyword[2]
    return (type_.document_key(steps[0]), *steps[1:]), operator, keyword[2]


def _path(text: str, type_: ObjectType) -> tuple[str, ...]:
    first, *rest = documents.split_path(text)
    return type_.document_key(first), *rest


def _members(text: str) -> list[Any]:
    if text.startswith("["):
        value = read_value(text, "the list").value
        return value if isinstance(value, list) else [value]
    members: list[Any] = []
    for part in text.split(","):
        typed = read_value(part.strip(), "the list")
        members += [typed.value, typed.text] if typed.is_bare else [typed.value]
    return members


def read_order(text: str, type_: ObjectType) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """`name,-u_height` as an order: paths, each with whether it descends."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    return tuple((_path(part.removeprefix("-"), type_), part.startswith("-")) for part in parts)


# --- changing fields of a document ----------------------------------------------------------------


def read_settings(given: Iterable[str], type_: ObjectType) -> list[tuple[tuple[str, ...], Typed]]:
    """`path=value` options.

    Raises:
        click.BadParameter: one cannot be read.
    """
    settings = []
    for text in given:
        path, sign, value = text.partition("=")
        if not sign or not path.strip():
            raise click.BadParameter(f"{text!r} is no setting. Write it as path=value, as in serial=FOC2149X0AB.")
        settings.append((_path(path.strip(), type_), read_value(value, path)))
    return settings


def apply_settings(
    document: dict[str, Any], settings: Sequence[tuple[tuple[str, ...], Typed]], type_: ObjectType
) -> dict[str, Any]:
    """A copy of the document with these values set; a bare number that the type wants as text becomes text."""
    changed = _applied(document, settings)
    refused = {fault.path for fault in type_.faults(changed)}
    if not refused:
        return changed
    as_text = [
        (path, Typed(typed.text, typed.text, is_bare=False) if _is_refused(path, typed, refused) else typed)
        for path, typed in settings
    ]
    again = _applied(document, as_text)
    return again if len(type_.faults(again)) < len(refused) or not type_.faults(again) else changed


def _is_refused(path: tuple[str, ...], typed: Typed, refused: set[str]) -> bool:
    return typed.is_bare and documents.join_path(path) in refused


def _applied(document: dict[str, Any], settings: Iterable[tuple[tuple[str, ...], Typed]]) -> dict[str, Any]:
    changed = documents.decode(documents.encode(document))
    for path, typed in settings:
        _place(changed, path, make=True)[_key(_place(changed, path, make=True), path)] = typed.value
    return changed  # type: ignore[no-any-return]


def without(document: dict[str, Any], paths: Iterable[str], type_: ObjectType) -> dict[str, Any]:
    """A copy of the document without these fields; one that is not there is no fault."""
    changed: dict[str, Any] = documents.decode(documents.encode(document))
    for text in paths:
        path = _path(text, type_)
        if documents.read_path(changed, path) is not documents.ABSENT:
            holder = _place(changed, path, make=False)
            del holder[_key(holder, path)]
    return changed


def _place(document: Any, path: tuple[str, ...], *, make: bool) -> Any:
    """The object or list that holds the last step of a path; missing objects on the way are made."""
    holder = document
    for depth, step in enumerate(path[:-1]):
        if isinstance(holder, dict) and make:
            holder = holder.setdefault(step, {})
        elif isinstance(holder, dict):
            holder = holder[step]
        elif isinstance(holder, list) and step.isdecimal() and int(step) < len(holder):
            holder = holder[int(step)]
        else:
            raise _no_place(path[: depth + 1])
    if not isinstance(holder, dict | list):
        raise _no_place(path)
    return holder


def _key(holder: Any, path: tuple[str, ...]) -> Any:
    """The last step as a key of its holder."""
    if isinstance(holder, dict):
        return path[-1]
    if path[-1].isdecimal() and int(path[-1]) < len(holder):
        return int(path[-1])
    raise _no_place(path)


def _no_place(path: tuple[str, ...]) -> click.BadParameter:
    return click.BadParameter(f"There is no place {documents.join_path(path)!r} in the object to set.")
