"""Between documents and the cells of a table: dotted headers, text cells, and what a struct makes of them.

A header `location.name` nests; a dot within a key is written `\\.`. The headers `object_type` and `pk` name the
object; a document's own keys of these names are written `\\object_type` and `\\pk`, and a blank at the end of a key
`\\ `. A cell that a spreadsheet would run as a formula gets an apostrophe before it, which reading takes off again.
"""

import functools
import operator
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from buttonhook import documents
from buttonhook.documents import join_path, split_path
from buttonhook.errors import Fault, InvalidDocument, QueryError

KEY_COLUMNS: Final = ("object_type", "pk")
Path = tuple[str, ...]
_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_GUARDED: Final = re.compile(r"'+[=+\-@\t\r]")


def read_header(cells: Sequence[str]) -> list[Path | str]:
    """Read the header row: for each column its path, or the name of a key column.

    Raises:
        QueryError: a name is empty or stands twice, or one column is inside another.
    """
    columns: list[Path | str] = []
    seen: set[Path | str] = set()
    for text in cells:
        cell = _trim(unguard(text))
        column: Path | str = cell if cell in KEY_COLUMNS else split_path(cell)
        if column in seen:
            raise QueryError(cell, "heads two columns", "Give each column a name of its own.")
        seen.add(column)
        columns.append(column)
    for column in columns:
        for length in range(1, len(column) if isinstance(column, tuple) else 0):
            if column[:length] in seen:
                problem = f"is inside the column {join_path(column[:length])!r}"
                raise QueryError(join_path(column), problem, "Leave one of them out.")
    return columns


def header_text(path: Path) -> str:
    """The header of a column.

    Raises:
        QueryError: a key is empty, which no header can say.
    """
    if not all(path):
        raise QueryError(join_path(path), "holds an empty key", "Write these objects as .jsonl.")
    text = join_path(path)
    is_blank = text == " "
    if text in KEY_COLUMNS or text.startswith(" "):
        text = f"\\{text}"
    if text.endswith(" ") and not is_blank:
        text = f"{text[:-1]}\\ "
    return guard(text)


def _trim(cell: str) -> str:
    """Leave out blanks around a header, but not one that a backslash says is meant."""
    trimmed = cell.strip(" ")
    backslashes = len(trimmed) - len(trimmed.rstrip("\\"))
    return f"{trimmed} " if backslashes % 2 and cell.endswith(f"{trimmed} ") else trimmed


def nest(columns: Sequence[Path | str], cells: Sequence[str]) -> dict[str, Any]:
    """Make an object line of one row: `{"object_type"?, "pk"?, "data"}`. Empty cells are unset."""
    data: dict[str, Any] = {}
    line: dict[str, Any] = {"data": data}
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        if isinstance(column, str):
            line[column] = unguard(cell)
            continue
        place = data
        for step in column[:-1]:
            place = place.setdefault(step, {})
        place[column[-1]] = unguard(cell)
    return line


def guard(text: str) -> str:
    """Text as it stands in a cell: what a spreadsheet would run as a formula is made plain text."""
    return f"'{text}" if _FORMULA.match(text) else text


def unguard(cell: str) -> str:
    """The inverse of `guard`."""
    return cell[1:] if _GUARDED.match(cell) else cell


def cell_of(value: Any) -> str:
    """One value as a cell: text guarded, null and ABSENT empty, all else as JSON."""
    if isinstance(value, str):
        return guard(value)
    return "" if value is None or value is documents.ABSENT else documents.encode(value)


def convert(data: dict[str, Any], struct: type[msgspec.Struct], subject: str) -> dict[str, Any]:
    """Read text cells as the struct's fields say: numbers, true/false, JSON for lists and objects.

    The result holds exactly the keys given. Text stays text where the field takes text, and where the
    struct has no such field.

    Raises:
        InvalidDocument: a cell is not what its field takes.
    """
    faults: list[Fault] = []
    result = _convert_fields(data, struct, (), faults)
    if faults:
        raise InvalidDocument(subject, faults)
    return result


def _convert_fields(
    data: Mapping[str, Any], struct: type[msgspec.Struct], path: Path, faults: list[Fault]
) -> dict[str, Any]:
    fields = _field_types(struct)
    result = {}
    for key, value in data.items():
        if key not in fields:
            result[key] = value
            continue
        kind, nested = fields[key]
        here = (*path, key)
        if isinstance(value, dict):
            result[key] = (
                _convert_fields(value, nested, here, faults) if nested is not None else _convert_whole(value, kind)
            )
        else:
            result[key] = _convert_cell(value, kind, here, faults)
    return result


def _convert_cell(text: str, kind: Any, path: Path, faults: list[Fault]) -> Any:
    if _fits(text, kind):
        return text
    if text[:1] in ("[", "{"):
        try:
            value = documents.parse(text, "cell")
        except InvalidDocument as exc:
            faults.extend(Fault(join_path(path), str(fault)) for fault in exc.faults)
            return text
        if (problem := _misfit(value, kind)) is not None:
            faults.append(Fault(join_path(path), problem))
        return value
    try:
        converted = msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError as exc:
        faults.append(Fault(join_path(path), f"{exc}, in the cell {text[:40]!r}"))
        return text
    return _to_builtins(converted)


def _convert_whole(value: dict[str, Any], kind: Any) -> Any:
    try:
        return _to_builtins(msgspec.convert(value, kind, strict=False))
    except msgspec.ValidationError:
        return value  # the type itself then says what is wrong with it, and where


def _fits(value: Any, kind: Any) -> bool:
    return _misfit(value, kind) is None


def _misfit(value: Any, kind: Any) -> str | None:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as exc:
        return str(exc)
    return None


def _to_builtins(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True)


@functools.lru_cache(maxsize=512)
def _field_types(
    struct: type[msgspec.Struct],
) -> dict[str, tuple[Any, type[msgspec.Struct] | None]]:
    """For each document key the field's type without UNSET, and the struct it nests, if it does."""
    found = {}
    for field in msgspec.structs.fields(struct):
        members = [kind for kind in _members(field.type) if kind is not msgspec.UnsetType]
        structs = [kind for kind in members if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
        kind: Any = functools.reduce(operator.or_, members)
        found[field.encode_name] = (kind, structs[0] if len(structs) == 1 else None)
    return found


def _members(kind: Any) -> tuple[Any, ...]:
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)
