"""Where commands write: tables and colour on a terminal, plain lines elsewhere, JSON when asked for.

Standard output holds the answer, standard error all else: warnings, progress, hints. Piped output has one line a
row, its fields divided by tabs, never wrapped or cut. Everything from data goes through `text` and never
through rich's markup.
"""

import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, BinaryIO, Final, TextIO, TypeVar

import msgspec
from msgspec import Struct
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.text import Text

from buttonhook import times
from buttonhook.cli import tables, text
from buttonhook.cli.tables import Column
from buttonhook.redaction import Redactor

T = TypeVar("T")
PAGE_WIDTH: Final = 140
STATUS_STYLES: Final = {
    "success": ("\u2713", "green"),
    "failure": ("\u2717", "red"),
    "revoked": ("\u2298", "yellow"),
    "pending": ("\u00b7", "dim"),
    "retry": ("\u21bb", "yellow"),
    "started": ("\u25b8", "cyan"),
}
LEVEL_STYLES: Final = {
    "debug": "dim",
    "info": "",
    "success": "green",
    "warning": "yellow",
    "failure": "red",
    "error": "red",
    "critical": "bold red",
}
ACTION_STYLES: Final = {"create": "green", "update": "", "delete": "red"}
STATE_STYLES: Final = {"enabled": "green", "disabled": "dim", "not installed": "yellow", "ok": "green", "broken": "red"}


class Cell(Struct, frozen=True):
    """One field of a row: its text, and how it looks on a terminal."""

    text: str
    style: str = ""
    symbol: str = ""


Row = Sequence[str | Cell]


class Output:
    """The two standard streams of one command."""

    def __init__(self, stdout: TextIO | None = None, stderr: TextIO | None = None) -> None:
        self.stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.is_json = False
        self.redactor = Redactor()
        """What is told beside the answer goes through it; an app that is opened brings its own."""
        self.is_terminal = self.stdout.isatty()
        self.is_watched = self.stderr.isatty()
        """Whether somebody looks at what is told on the way."""
        self._console = Console(file=self.stdout, highlight=False, markup=False, emoji=False)
        self._told = Console(file=self.stderr, highlight=False, markup=False, emoji=False)
        self._has_symbols = _can_encode(self.stdout, "\u2713\u2298\u25b8")

    def lay_out(self) -> None:
        """Write for a person, wherever standard output goes: aligned, but without colour where it is no terminal."""
        if not self.is_terminal:
            self.is_terminal = True
            self._console = Console(file=self.stdout, width=PAGE_WIDTH, highlight=False, markup=False, emoji=False)

    # --- the answer -------------------------------------------------------------------------------

    def line(self, content: str = "", style: str = "") -> None:
        """One line of the answer."""
        self.styled((content, style))

    def styled(self, *parts: tuple[str, str]) -> None:
        """One line of the answer, made of (text, style) parts."""
        if self.is_terminal:
            self._console.print(_assemble(parts, text.one_line), soft_wrap=True)
        else:
            self.stdout.write("".join(text.one_line(content) for content, _ in parts) + "\n")

    def row(self, *fields: str) -> None:
        """One row without a table around it: fields with tabs between them."""
        self.stdout.write("\t".join(map(text.one_line, fields)) + "\n")

    def block(self, content: str, style: str = "") -> None:
        """Text of several lines."""
        if self.is_terminal:
            self._console.print(_assemble([(content, style)], text.block), soft_wrap=True)
        else:
            self.stdout.write(text.block(content).rstrip("\n") + "\n")

    def heading(self, content: str) -> None:
        """A line above a part of the answer; on a terminal alone it has a blank line before it."""
        if self.is_terminal:
            self.stdout.write("\n")
        self.line(content, "bold")

    def table(self, columns: Sequence[Column], rows: Iterable[Row], *, indent: int = 0) -> int:
        """A table on a terminal, else one line a row with tabs between the fields. Returns how many rows."""
        listed = [[_cell(each) for each in row] for row in rows]
        if not self.is_terminal:
            for row in listed:
                self.stdout.write("\t".join(text.one_line(cell.text) for cell in row) + "\n")
        elif listed:
            cells = [[self._rich_cell(cell) for cell in row] for row in listed]
            for line in tables.lines(self._console, columns, cells, indent):
                self._console.print(line, soft_wrap=True)
        return len(listed)

    def fields(self, pairs: Iterable[tuple[str, str | Cell]]) -> None:
        """Names and values below each other: aligned on a terminal, else `name`, tab, `value`."""
        self.table([Column(), Column(wraps=True)], [[Cell(name, "dim"), value] for name, value in pairs])

    def json(self, value: Any) -> None:
        """One JSON value, indented."""
        encoded = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        self.stdout.write(text.json_text(encoded) + "\n")

    def json_line(self, value: Any) -> None:
        """One JSON value on one line, flushed at once: what was printed is known to be so."""
        self.stdout.write(text.json_text(msgspec.json.encode(value).decode()) + "\n")
        self.stdout.flush()

    async def json_array(self, values: AsyncIterator[Any]) -> None:
        """A JSON array, written as its members come."""
        opening = "["
        async for value in values:
            encoded = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
            indented = encoded.replace("\n", "\n  ")
            self.stdout.write(f"{opening}\n  {text.json_text(indented)}")
            opening = ","
        self.stdout.write("[]\n" if opening == "[" else "\n]\n")

    async def at_once(self, values: AsyncIterator[T]) -> AsyncIterator[T]:
        """Values as they come; what was printed of each is written out before the next is waited for."""
        async for value in values:
            yield value
            self.flush()

    def flush(self) -> None:
        """Write out what is buffered, so that what follows on standard error comes after it."""
        self.stdout.flush()

    @property
    def width(self) -> int:
        """Characters in a line of the terminal."""
        return self._console.width

    @property
    def binary(self) -> BinaryIO:
        """Standard output for bytes."""
        return self.stdout.buffer

    # --- beside it --------------------------------------------------------------------------------

    def hint(self, content: str) -> None:
        """What a person at the terminal could do next; nobody else is told."""
        if self.is_watched and not self.is_json:
            self._tell("", content, "dim")

    def note(self, content: str) -> None:
        """Something worth knowing that is no fault."""
        self._tell("", content, "")

    def warn(self, content: str) -> None:
        self._tell("Warning: ", content, "yellow")

    def fail(self, content: str) -> None:
        self._tell("Error: ", content, "red")

    def failed_job(self, content: str) -> None:
        self._tell("Failed: ", content, "red")

    def progress(self, *columns: str | ProgressColumn) -> Progress:
        """A progress display on standard error; it shows nothing where nobody looks."""
        return Progress(*columns, console=self._told, transient=True, disable=not self.is_watched)

    def _tell(self, word: str, content: str, style: str) -> None:
        content = self.redactor.redact(content)
        parts = [(word, style), (content, "")] if word else [(content, style)]
        if self.is_watched:
            self._told.print(_assemble(parts, text.one_line), soft_wrap=True)
        else:
            self.stderr.write("".join(text.one_line(each) for each, _ in parts) + "\n")
            self.stderr.flush()

    # --- cells ------------------------------------------------------------------------------------

    def time(self, moment: int | None) -> str:
        """A moment: local time on a terminal, RFC 3339 in UTC elsewhere."""
        if moment is None:
            return ""
        return text.human_time(moment) if self.is_terminal else times.to_text(moment)

    def status(self, status: str) -> Cell:
        symbol, style = STATUS_STYLES.get(status, ("", ""))
        return Cell(status, style, symbol)

    def symbol(self, cell: Cell) -> str:
        """The cell's symbol and a blank, where the terminal can show it."""
        return f"{cell.symbol} " if cell.symbol and self.is_terminal and self._has_symbols else ""

    def _rich_cell(self, cell: Cell) -> Text:
        return Text(self.symbol(cell) + text.one_line(cell.text), style=cell.style)


def _cell(value: str | Cell) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _assemble(parts: Iterable[tuple[str, str]], shown: Any) -> Text:
    return Text.assemble(*((shown(content), style) for content, style in parts))


def _can_encode(stream: TextIO, characters: str) -> bool:
    try:
        characters.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
