"""Log entries as lines, the same wherever they are shown."""

from collections.abc import AsyncIterator
from typing import Final

from buttonhook import times
from buttonhook.cli import text
from buttonhook.cli.output import LEVEL_STYLES, Output
from buttonhook.cli.words import object_name
from buttonhook.records import JobLogEntry

_LEVEL_WIDTH: Final = 8


async def print_log(out: Output, entries: AsyncIterator[JobLogEntry], *, indent: int = 2) -> int:
    """Print entries as they come; returns how many. Piped: time, level, grouping, message, object, with tabs."""
    count = 0
    attempt = 0
    async for entry in entries:
        count += 1
        if out.is_terminal and entry.attempt > 1 and entry.attempt != attempt:
            out.line(f"{' ' * indent}attempt {entry.attempt}", "dim")
        attempt = entry.attempt
        if out.is_terminal:
            _print_line(out, entry, indent)
        else:
            out.row(times.to_text(entry.time), entry.level.word, entry.grouping, entry.message, about(entry))
    return count


def about(entry: JobLogEntry) -> str:
    """What an entry is about: its name, and the object it is when it is one."""
    if not entry.object_pk:
        return entry.object_repr
    return object_name(entry.object_type, entry.object_pk, entry.object_repr, with_pk=True)


def _print_line(out: Output, entry: JobLogEntry, indent: int) -> None:
    first, _, rest = entry.message.partition("\n")
    clock = text.human_time(entry.time, exact=True).partition(" ")[2]
    style = LEVEL_STYLES[entry.level.word]
    grouping = f"{entry.grouping}  " if entry.grouping else ""
    named = f"  [{about(entry)}]" if about(entry) else ""
    out.styled(
        (f"{' ' * indent}{clock}  ", "dim"),
        (f"{entry.level.word:<{_LEVEL_WIDTH}}  ", style),
        (grouping, "dim"),
        (first, style if entry.level.word not in ("info", "debug") else ""),
        (named, "dim"),
    )
    margin = " " * (indent + len(clock) + _LEVEL_WIDTH + 4)
    for line in rest.split("\n") if rest else ():
        out.line(f"{margin}{line}")
