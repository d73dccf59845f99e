"""Filters, orders and values as people write them, in a command or in a URL: one language for both.

A value is JSON where it reads as JSON, else text: `5` is a number, `true` is true, `ams01` is text, `"5"` is text. A
bare number or word in `=`, `ne` and `in` is meant both ways, so that fields of either kind are found by the same words.
"""

from collections.abc import Iterable
from typing import Any, Final

from msgspec import Struct

from buttonhook import documents
from buttonhook.errors import InvalidDocument, QueryError
from buttonhook.objects.query import QUERY_OPERATORS
from buttonhook.objects.types import ObjectType
from buttonhook.queries import FOREIGN_OPERATORS, FindType, condition
from buttonhook.records import Condition

MAX_MEMBERS: Final = 250
"""How many values `in` may name: each is a comparison of its own."""
MAX_FILTERS: Final = 50
MAX_ORDER: Final = 8
OPERATORS: Final = {"exact": "=", **{name: name for name in QUERY_OPERATORS}}
"""By the word that people write."""
_OF_TEXT: Final = frozenset({"contains", "icontains", "startswith", "istartswith", "endswith"})

Path = tuple[str, ...]
Order = tuple[tuple[Path, bool], ...]


class Typed(Struct, frozen=True):
    """A value as written, and what it reads as. `is_bare`: it is JSON that could be meant as text, like a number."""

    text: str
    value: Any
    is_bare: bool


def read_value(text: str, subject: str) -> Typed:
    """Read one value.

    Raises:
        QueryError: it begins like JSON's text, list or object and is none.
    """
    try:
        value = documents.parse(text, subject)
    except InvalidDocument as exc:
        if text.lstrip().startswith(("{", "[", '"')):
            problem = f"cannot be read: {str(exc).rstrip('.')}"
            raise QueryError(subject, problem, "Text that begins so is written in quotes.") from exc
        return Typed(text, text, is_bare=False)
    return Typed(text, value, is_bare=not isinstance(value, str | list | dict))


def read_name(name: str, type_: ObjectType) -> tuple[Path, str]:
    """`PATH__OP` as a path and an operator; the path is dotted, or written with `__` for the dots.

    Raises:
        QueryError: it names an operator that is none here, or a path with an empty step.
    """
    *steps, last = name.split("__")
    operator = "="
    if steps and last in OPERATORS:
        operator = OPERATORS[last]
    elif steps and last in FOREIGN_OPERATORS:
        known = f"Known: {', '.join(QUERY_OPERATORS)}."
        raise QueryError(name, f"asks for {last!r}, which is no operator here", known)
    else:
        steps.append(last)
    if not all(steps):
        raise QueryError(name, "has an empty step", "Write filters as PATH__OPERATOR.")
    if len(steps) == 1:
        return read_path(steps[0], type_), operator
    return (type_.document_key(steps[0]), *steps[1:]), operator


def read_path(text: str, type_: ObjectType) -> Path:
    """A dotted path; a struct's attribute stands for the key it has in documents.

    Raises:
        QueryError: it has an empty step.
    """
    first, *rest = documents.split_path(text)
    if not all((first, *rest)):
        raise QueryError(text, "has an empty step")
    return type_.document_key(first), *rest


def conditions(rows: Iterable[tuple[Path, str, str]], type_: ObjectType, find_type: FindType) -> tuple[Condition, ...]:
    """The conditions of filters: each a path, an operator and a value as written.

    Raises:
        QueryError: one cannot be.
    """
    found = [
        condition(path, operator, value, type_, find_type)
        for row_path, row_operator, text in rows
        for path, operator, value in _meant(row_path, row_operator, text)
    ]
    if len(found) > MAX_FILTERS:
        raise QueryError("filters", f"are {len(found)}, more than the {MAX_FILTERS} that there may be")
    return tuple(found)


def _meant(path: Path, operator: str, text: str) -> list[tuple[Path, str, Any]]:
    """What one filter means: a bare number is the number and the text."""
    subject = f"{documents.join_path(path)} {operator}"
    if operator == "in":
        return [(path, operator, _members(text, subject))]
    if operator in _OF_TEXT:
        quoted = text.startswith('"')
        return [(path, operator, read_value(text, subject).value if quoted else text)]
    typed = read_value(text, subject)
    if typed.is_bare and typed.value is not None:
        if operator == "=":
            return [(path, "in", [typed.value, typed.text])]
        if operator == "ne":
            return [(path, "ne", typed.value), (path, "ne", typed.text)]
    return [(path, operator, typed.value)]


def _members(text: str, subject: str) -> list[Any]:
    members: list[Any] = []
    if text.startswith("["):
        value = read_value(text, subject).value
        members = value if isinstance(value, list) else [value]
    else:
        for part in text.split(","):
            typed = read_value(part.strip(), subject)
            members += [typed.value, typed.text] if typed.is_bare else [typed.value]
    if len(members) > MAX_MEMBERS:
        raise QueryError(subject, f"names {len(members)} values, more than the {MAX_MEMBERS} that there may be")
    return members


def read_order(text: str, type_: ObjectType) -> Order:
    """`name,-u_height` as an order: paths, each with whether it descends.

    Raises:
        QueryError: a path has an empty step, or there are too many.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > MAX_ORDER:
        raise QueryError("order", f"names {len(parts)} fields, more than the {MAX_ORDER} that there may be")
    return tuple((read_path(part.removeprefix("-"), type_), part.startswith("-")) for part in parts)
