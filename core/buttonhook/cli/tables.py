"""Tables for a terminal: aligned columns, nothing drawn around them.

Where the terminal is too narrow, columns that may be cut are cut, from the right, and the last column may wrap beneath
itself. The others keep their width, so that ids and names can be copied whole.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct
from rich.console import Console
from rich.text import Text

GAP: Final = 2
LEAST_CUT: Final = 12
LEAST_WRAP: Final = 30


class Column(Struct, frozen=True):
    """One column. `is_cut`: it is shortened where room is short; `wraps`: it goes on beneath itself (the last one)."""

    title: str = ""
    is_cut: bool = False
    is_right: bool = False
    wraps: bool = False


def lines(console: Console, columns: Sequence[Column], rows: Sequence[Sequence[Text]], indent: int) -> Iterator[Text]:
    """The lines of a table; its head is left out where no column has a title."""
    titles = [Text(column.title.upper(), style="dim") for column in columns]
    has_head = any(column.title for column in columns)
    shown = [titles, *rows] if has_head else list(rows)
    widths = _widths(columns, shown, console.width - indent)
    for row in shown:
        yield from _row_lines(console, columns, row, widths, indent)


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Text]], room: int) -> list[int]:
    """Each column's width: that of its longest cell, less where columns may be cut or wrap."""
    widths = [max(row[place].cell_len for row in rows) for place in range(len(columns))]
    excess = sum(widths) + GAP * (len(widths) - 1) - room
    for place in reversed(range(len(columns))):
        least = LEAST_WRAP if columns[place].wraps else LEAST_CUT
        if excess > 0 and (columns[place].is_cut or columns[place].wraps) and widths[place] > least:
            less = min(excess, widths[place] - least)
            widths[place] -= less
            excess -= less
    return widths


def _row_lines(
    console: Console, columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int], indent: int
) -> Iterator[Text]:
    line = Text(" " * indent)
    below: list[Text] = []
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        shown = cell.copy()
        if column.wraps and shown.cell_len > widths[place]:
            first, *rest = shown.wrap(console, widths[place])
            margin = Text(" " * (indent + sum(widths[:place]) + GAP * place))
            shown, below = first, [margin + each for each in rest]
        elif column.is_cut:
            shown.truncate(widths[place], overflow="ellipsis")
        blank = " " * (widths[place] - shown.cell_len)
        is_last = place == len(row) - 1
        line.append_text(Text(blank) + shown if column.is_right else shown + ("" if is_last else blank))
        if not is_last:
            line.append(" " * GAP)
    line.rstrip()
    yield line
    yield from below
