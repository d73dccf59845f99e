"""Reading a source record by record, each with its line.

JSON lines and CSV are read as a stream; JSON and YAML files are read whole, up to `MAX_WHOLE_BYTES`. A
record that cannot be used becomes a `BadLine` in its place and reading goes on; where nothing more
can be read (damaged compression, a broken JSON or YAML file), that is the last item and says so.
Every value is I-JSON: JSON is read by `documents.parse`, other values are checked by the same rules.
"""

import csv
import json
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, Final

import yaml
from msgspec import Struct

from buttonhook import documents
from buttonhook.errors import ImportFault, InvalidDocument, QueryError
from buttonhook.imports import cells, yaml_values
from buttonhook.imports.forms import FormName
from buttonhook.imports.sources import Source

MAX_LINE_BYTES: Final = 2 * documents.MAX_BYTES + 100_000
"""A line of a change stream holds an object's document twice."""
MAX_WHOLE_BYTES: Final = 200_000_000
_CHUNK_BYTES: Final = 1 << 16
_BLANKS: Final = b" \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_SPACE: Final = re.compile(r"[ \t\r\n]*")
_FIND_END: Final = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode


class Record(Struct, frozen=True):
    """One value and where it stands. `place` counts the records of formats whose lines are not records.

    `size` is the length of its text in bytes, 0 where that is not known.
    """

    line: int
    value: Any
    size: int = 0
    place: int = 0


class BadLine(Struct, frozen=True):
    """A line that is left out, and the request it says it is part of, where it can be told.

    `is_end`: what follows could not be read.
    """

    fault: ImportFault
    request_id: str | None = None
    is_end: bool = False


Item = Record | BadLine


def read_records(source: Source) -> Iterator[Item]:
    """Yield each record of `source`, or the fault in its place, in order."""
    line = 0
    try:
        for item in _READERS[source.form.name](source):
            line = item.line if isinstance(item, Record) else item.fault.line
            yield item
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as exc:
        # gzip's BadGzipFile is an OSError, as is a disk that fails.
        problem = f"cannot be read on: {str(exc).rstrip('.') or type(exc).__name__}."
        if source.form.compression:
            problem += f" Is it a whole .{source.form.compression} file?"
        yield _end(source.name, line + 1, problem)


def fault_of(source: str, record: Record, problem: str) -> ImportFault:
    """The fault of one record, by line, and by its place where a line may hold several."""
    return ImportFault(source, record.line, f"record {record.place}: {problem}" if record.place else problem)


def reasons(exc: InvalidDocument) -> str:
    """What is wrong, without the subject that a line number has named already."""
    return "; ".join(str(fault) for fault in exc.faults).replace("at line 1, column", "at column")


def _bad(source: str, line: int, problem: str) -> BadLine:
    return BadLine(ImportFault(source, line, problem))


def _end(source: str, line: int, problem: str) -> BadLine:
    return BadLine(ImportFault(source, line, f"{problem} The rest was not read."), is_end=True)


def _read_jsonl(source: Source) -> Iterator[Item]:
    for number, line in _lines(source):
        if isinstance(line, BadLine):
            yield line
            continue
        text = line.strip(_BLANKS)
        if not text or text == _BYTE_ORDER_MARK:
            continue
        try:
            yield Record(number, documents.parse(text, "", MAX_LINE_BYTES), len(text))
        except InvalidDocument as exc:
            yield _bad(source.name, number, reasons(exc))


def _lines(source: Source) -> Iterator[tuple[int, bytes | BadLine]]:
    """Each line of the stream and its number; one that is too long is never held whole."""
    stream: BinaryIO = source.stream
    number = 0
    while line := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(line) <= MAX_LINE_BYTES:
            yield number, line
            continue
        size = len(line)
        while not line.endswith(b"\n") and (line := stream.readline(_CHUNK_BYTES)):
            size += len(line)
        problem = f"{size:,} bytes are more than the {MAX_LINE_BYTES:,} allowed in a line"
        yield number, _bad(source.name, number, problem)


def _read_text(source: Source) -> str | BadLine:
    data = source.stream.read(MAX_WHOLE_BYTES + 1)
    if len(data) > MAX_WHOLE_BYTES:
        problem = f"longer than {MAX_WHOLE_BYTES:,} bytes. Write it as .jsonl, which has no limit."
        return _end(source.name, 0, problem)
    try:
        return data.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as exc:
        line = data.count(b"\n", 0, exc.start) + 1
        return _end(source.name, line, f"byte {exc.start + 1} is not UTF-8.")


def _read_json(source: Source) -> Iterator[Item]:
    text = _read_text(source)
    if isinstance(text, BadLine):
        yield text
    elif text.startswith("[", start := _skip_space(text, 0)):
        yield from _JsonList(source.name, text, start + 1).members()
    else:
        try:
            yield Record(1, documents.parse(text, "", MAX_LINE_BYTES), len(text))
        except InvalidDocument as exc:
            hint = " (is it .jsonl?)" if "Extra data" in str(exc) else ""
            yield _bad(source.name, 1, reasons(exc) + hint)


class _JsonList:
    """Finds where each member of a list ends, then reads it strictly, so that a bad one costs only itself."""

    def __init__(self, name: str, text: str, position: int) -> None:
        self._name, self._text = name, text
        self._position = _skip_space(text, position)
        self._line = text.count("\n", 0, self._position) + 1
        self._place = 0

    def members(self) -> Iterator[Item]:
        mark = "]" if self._text.startswith("]", self._position) else ""
        if mark:
            self._move(self._position + 1)
        while mark != "]":
            self._place += 1
            begin, line = self._position, self._line
            if (bad := self._pass_member()) is not None:
                yield bad
                return
            yield self._member(self._text[begin : self._position].rstrip(), line)
            mark = self._text[self._position : self._position + 1]
            if mark not in ("]", ","):
                yield self._broken(self._line, "',' or ']' is missing after it.")
                return
            self._move(self._position + 1)
        if self._position < len(self._text):
            yield _end(self._name, self._line, "text follows the list's end.")

    def _pass_member(self) -> BadLine | None:
        try:
            self._move(_FIND_END(self._text, self._position)[1])
        except json.JSONDecodeError as exc:
            return self._broken(exc.lineno, f"not JSON at column {exc.colno}: {exc.msg}.")
        except RecursionError:
            return self._broken(self._line, f"nested deeper than {documents.MAX_DEPTH}.")
        return None

    def _member(self, text: str, line: int) -> Item:
        try:
            value = documents.parse(text, "", MAX_LINE_BYTES)
        except InvalidDocument as exc:
            return _bad(self._name, line, f"record {self._place}: {reasons(exc)}")
        return Record(line, value, len(text), self._place)

    def _broken(self, line: int, problem: str) -> BadLine:
        return _end(self._name, line, f"record {self._place}: {problem}")

    def _move(self, position: int) -> None:
        position = _skip_space(self._text, position)
        self._line += self._text.count("\n", self._position, position)
        self._position = position


def _skip_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position


def _read_yaml(source: Source) -> Iterator[Item]:
    text = _read_text(source)
    if isinstance(text, BadLine):
        yield text
        return
    place = 0
    try:
        for place, found in enumerate(yaml_values.read_records(text), 1):
            record = Record(found.line, found.value, 0, place)
            problem = found.problem or _unfit(found.value)
            yield BadLine(fault_of(source.name, record, problem)) if problem else record
    except yaml.YAMLError as exc:
        line, problem = yaml_values.describe(exc)
        yield _end(source.name, line, f"record {place + 1}: not YAML: {problem}.")


def _unfit(value: Any) -> str | None:
    try:
        documents.check(value, "")
    except InvalidDocument as exc:
        return reasons(exc)
    return None


def _read_csv(source: Source) -> Iterator[Item]:
    rows = _csv_rows(source)
    header = next(rows, None)
    if header is None:
        return
    line, names, problem = header
    columns: list[cells.Path | str] = []
    if not problem:
        try:
            columns = cells.read_header(names)
        except QueryError as exc:
            problem = f"header {exc.what!r} {exc.problem}. {exc.cure}"
    if problem:
        yield _end(source.name, line, problem)
        return
    for line, row, fault in rows:
        yield _csv_record(source.name, line, fault, columns, row)


def _csv_record(name: str, line: int, fault: str, columns: list[cells.Path | str], row: list[str]) -> Item:
    if fault:
        return _bad(name, line, fault)
    if len(row) != len(columns):
        return _bad(name, line, f"{len(row)} cells where the header has {len(columns)}")
    value = cells.nest(columns, row)
    unfit = _unfit(value)
    return _bad(name, line, unfit) if unfit else Record(line, value)


def _csv_rows(source: Source) -> Iterator[tuple[int, list[str], str]]:
    """Each row that is not empty: the line where it begins, its cells, and why it cannot be used."""
    text = _CsvText(source)
    rows = csv.reader(text, strict=True)
    while True:
        before = text.number
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as exc:
            yield before + 1, [], f"not CSV: {exc}"
        except _BadText as exc:
            yield exc.bad.fault.line, [], exc.bad.fault.problem
        else:
            if any(row):
                yield before + 1, row, ""


class _BadText(Exception):
    """A line of a table that cannot be read as text; the row it is part of is lost."""

    def __init__(self, bad: BadLine) -> None:
        self.bad = bad
        super().__init__(bad)


class _CsvText:
    """The lines of a table as text, counted."""

    def __init__(self, source: Source) -> None:
        self._name = source.name
        self._lines = _lines(source)
        self.number = 0

    def __iter__(self) -> "_CsvText":
        return self

    def __next__(self) -> str:
        self.number, line = next(self._lines)
        if isinstance(line, BadLine):
            raise _BadText(line)
        if self.number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
        try:
            return line.decode()
        except UnicodeDecodeError as exc:
            problem = f"byte {exc.start + 1} is not UTF-8"
            raise _BadText(_bad(self._name, self.number, problem)) from exc


_READERS: Final[dict[FormName, Callable[[Source], Iterator[Item]]]] = {
    "jsonl": _read_jsonl,
    "json": _read_json,
    "yaml": _read_yaml,
    "csv": _read_csv,
}
