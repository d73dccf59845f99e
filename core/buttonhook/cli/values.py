"""Values, filters and paths as people type them.

A value is JSON where it reads as JSON, else text: `5` is a number, `true` is true, `ams01` is text, `"5"` is text.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

import click

from buttonhook import documents, filters
from buttonhook.errors import QueryError
from buttonhook.filters import Typed, read_order, read_path
from buttonhook.objects.types import ObjectType
from buttonhook.queries import FindType
from buttonhook.records import Condition

__all__ = [
    "Settings",
    "Typed",
    "applied",
    "as_text",
    "read_conditions",
    "read_order",
    "read_settings",
    "read_value",
    "without",
]

Settings = list[tuple[tuple[str, ...], Typed]]
"""Paths, each with the value it is to have."""

_SIGNS: Final = {"=": "=", "==": "=", "!=": "ne", ">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_WORDS: Final = {**_SIGNS, **filters.OPERATORS}
_SPACED: Final = re.compile(r"\s*(\S+)\s+(\S+)\s+(.*\S|)\s*\Z", re.DOTALL)
_KEYWORD: Final = re.compile(r"\s*([^\s=]+?)\s*=\s*(.*?)\s*\Z", re.DOTALL)
FILTER_FORMS: Final = "'status = active', 'u_height gt 1', 'name in a,b', or name__startswith=ams"


def read_value(text: str, subject: str) -> Typed:
    """Read one value.

    Raises:
        click.BadParameter: it begins like JSON's text, list or object and is none.
    """
    try:
        return filters.read_value(text, subject)
    except QueryError as exc:
        raise click.BadParameter(str(exc)) from exc


def read_conditions(given: Iterable[str], type_: ObjectType, find_type: FindType) -> tuple[Condition, ...]:
    """The rows of a filter: each `path operator value` or `field__operator=value`.

    Raises:
        click.BadParameter, QueryError: one cannot be read.
    """
    return filters.conditions((_split(text, type_) for text in given), type_, find_type)


def _split(text: str, type_: ObjectType) -> tuple[tuple[str, ...], str, str]:
    spaced = _SPACED.match(text)
    if spaced is not None and spaced[2] in _WORDS:
        return filters.read_path(spaced[1], type_), _WORDS[spaced[2]], spaced[3]
    keyword = _KEYWORD.match(text)
    if keyword is None:
        raise click.BadParameter(f"{text!r} is no filter. Write it as {FILTER_FORMS}.")
    return *filters.read_name(keyword[1], type_), keyword[2]


# --- changing fields of a document ----------------------------------------------------------------


def read_settings(given: Iterable[str], type_: ObjectType) -> Settings:
    """`path=value` options.

    Raises:
        click.BadParameter: one cannot be read.
    """
    settings: Settings = []
    for text in given:
        path, sign, value = text.partition("=")
        if not sign or not path.strip():
            raise click.BadParameter(f"{text!r} is no setting. Write it as path=value, as in serial=FOC2149X0AB.")
        settings.append((read_path(path.strip(), type_), read_value(value, path)))
    return settings


def applied(document: dict[str, Any], settings: Iterable[tuple[tuple[str, ...], Typed]]) -> dict[str, Any]:
    """A copy of the document with these values set."""
    changed = documents.decode(documents.encode(document))
    for path, typed in settings:
        _place(changed, path, make=True)[_key(_place(changed, path, make=True), path)] = typed.value
    return changed  # type: ignore[no-any-return]


def as_text(settings: Settings, refused: set[str]) -> Settings:
    """The settings with a bare number as text where the type refused it at one of these paths."""
    return [
        (path, Typed(typed.text, typed.text, is_bare=False))
        if typed.is_bare and documents.join_path(path) in refused
        else (path, typed)
        for path, typed in settings
    ]


def without(document: dict[str, Any], paths: Iterable[str], type_: ObjectType) -> dict[str, Any]:
    """A copy of the document without these fields; one that is not there is no fault."""
    changed: dict[str, Any] = documents.decode(documents.encode(document))
    for text in paths:
        path = read_path(text, type_)
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
