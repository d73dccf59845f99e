"""What every benchmark's command line has in common: `-n`, `--json`, a progress bar, a table, one form of result.

A result says what was run, when, where and with which versions, so that a figure never stands alone.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from benchmarks.machine import machine, versions
from benchmarks.measuring import Figures

MOST_COLUMNS = 7
MOST_STANDING = 4
WIDE = 220


class Result(Struct, frozen=True, kw_only=True):
    """One run of one benchmark."""

    benchmark: str
    command: str
    date: str
    machine: dict[str, str] = field(default_factory=machine)
    versions: dict[str, str] = field(default_factory=versions)
    rows: list[Figures]
    notes: list[str] = []
    """What was missing, what is over its bar."""


def parser(doc: str | None, count: int, what: str) -> argparse.ArgumentParser:
    """The options that all share; `doc` is the module's docstring, which lists the measures."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("-n", type=positive, default=count, help=f"{what} (default {count:,})")
    made.add_argument("--json", action="store_true", help="print the result as JSON")
    return made


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def numbers(text: str) -> tuple[int, ...]:
    """Whole numbers with commas between them."""
    return tuple(int(part) for part in text.split(","))


def give(rows: Sequence[Figures], *, as_json: bool, notes: Sequence[str] = ()) -> None:
    """Print the result of this process: JSON, or a table for people."""
    name = Path(sys.argv[0]).stem.removeprefix("bench_")
    result = Result(
        benchmark=name,
        command=" ".join(["python -m", f"benchmarks.bench_{name}", *_public(sys.argv[1:])]),
        date=datetime.now(UTC).strftime("%Y-%m-%d"),
        rows=list(rows),
        notes=list(notes),
    )
    if as_json:
        json.dump(msgspec.to_builtins(result), sys.stdout, indent=1)
        sys.stdout.write("\n")
        return
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    for group in alike(rows):
        console.print(table(group))
    for note in notes:
        console.print(f"- {note}", markup=False, highlight=False)


def alike(rows: Sequence[Figures]) -> list[list[Figures]]:
    """Rows in groups of those with the same figures: each makes one table."""
    groups: dict[tuple[str, ...], list[Figures]] = {}
    for row in rows:
        groups.setdefault(tuple(row), []).append(row)
    return list(groups.values())


def table(rows: Sequence[Figures]) -> Table:
    """Rows with the same figures, numbers to the right; many figures of few rows stand one below the other."""
    stands = len(rows[0]) > MOST_COLUMNS and len(rows) <= MOST_STANDING
    made = Table(show_header=not stands)
    if stands:
        made.add_column()
        for _ in rows:
            made.add_column(justify="right")
        for name in rows[0]:
            made.add_row(name, *(escape(shown(row[name])) for row in rows))
        return made
    for name, value in rows[0].items():
        made.add_column(name, justify="left" if isinstance(value, str) else "right")
    for row in rows:
        made.add_row(*(escape(shown(value)) for value in row.values()))
    return made


def shown(value: Any) -> str:
    """A figure for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return str(value)


@contextmanager
def progress(what: str, total: int | None = None) -> Iterator[Progress]:
    """A bar on stderr, on a terminal only; the first bar has the id 0."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        bar.add_task(what, total=total)
        yield bar


@contextmanager
def throw_away_folder() -> Iterator[Path]:
    """A folder on a disk that is gone at the end, whatever is in it."""
    folder = Path(tempfile.mkdtemp(prefix="buttonhook-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def _public(words: Sequence[str]) -> list[str]:
    """Arguments without the folders of this machine, and without how the result is printed."""
    return [Path(word).name if "/" in word else word for word in words if word != "--json"]
