"""Runs as pages follow them: the state of each, of some the last log lines, and a feed that tells what became of them.

A page has one feed for all runs that it shows, a thousand of them if need be. A feed is told which results were written
of and reads those alone, a hundred at a time; it ends when all have ended.
"""

from collections.abc import Collection, Sequence
from typing import Final

import msgspec
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied
from buttonhook.http.feeds import Feed
from buttonhook.http.pages.result_rows import waiting_of
from buttonhook.http.pages.templating import render
from buttonhook.http.tails import Piece, Tail, event
from buttonhook.log_search import LogQuery
from buttonhook.records import JobLogEntry, JobResult, ResultQuery

MOST_RUNS: Final = 1000
"""How many are started and shown at once."""
MOST_FOLLOWED: Final = 2000
MOST_DETAILED: Final = 20
"""So many runs or fewer are shown with their last lines."""
LAST_LINES: Final = 6
PIECE: Final = 100


class Run(Struct, frozen=True):
    """A job result with its last log lines; `mark` changes when anything of it that is shown does."""

    result: JobResult
    lines: Sequence[JobLogEntry]
    waiting: str
    is_detailed: bool
    mark: str


async def runs_of(access: Access, results: Sequence[JobResult], detailed: Collection[int] | None = None) -> list[Run]:
    """Results as runs, the `detailed` ones with their last lines: all of them, unless they are many."""
    if detailed is None:
        detailed = [each.number for each in results] if len(results) <= MOST_DETAILED else ()
    waiting = await waiting_of(access, [each for each in results if each.number in detailed])
    return [await _run(access, each, waiting.get(each.number, ""), each.number in detailed) for each in results]


async def _run(access: Access, result: JobResult, waiting: str, is_detailed: bool) -> Run:
    lines = await _last_lines(access, result) if is_detailed else []
    last = lines[-1].id if lines else 0
    return Run(result, lines, waiting, is_detailed, f"{result.status.value}-{result.attempt}-{last}-{waiting}")


async def _last_lines(access: Access, result: JobResult) -> list[JobLogEntry]:
    """The end of the log of a run's attempt; nothing where it may not be seen."""
    asked = LogQuery(results=ResultQuery(id=result.id), limit=LAST_LINES)
    try:
        await access.history.log_entries(result, limit=1)  # whether it may be seen
        found = [entry for entry, _ in await access.history.find_log_entries(asked)]
    except PermissionDenied:
        return []
    return [each for each in reversed(found) if each.attempt == found[0].attempt]


def is_live(runs: Collection[Run]) -> bool:
    """Whether any of them goes on."""
    return any(not each.result.status.is_final for each in runs)


class RunsTail(Tail):
    """What becomes of some runs, as pieces of a page; at first, how each of them stands."""

    pause_seconds = 0.2

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._open = set(feed.results)
        self._waiting: set[int] = set()
        """The detailed ones that wait: what comes before them in their lanes is told, too."""
        feed.touched = set(feed.results)

    async def next(self, access: Access) -> Piece:
        touched = self._feed.touched
        if not touched and self._open:
            return Piece()
        wanted = sorted(touched)[:PIECE]
        touched.difference_update(wanted)
        numbers = tuple({*wanted, *self._waiting})
        found = await access.history.results(ResultQuery(numbers=numbers, ascending=True, limit=len(numbers) or 1))
        runs = await runs_of(access, found, self._feed.logs)
        ended = {each.number for each in found if each.status.is_final}
        self._open -= ended | (set(numbers) - {each.number for each in found})  # or gone, or not to be seen
        self._waiting = {each.result.number for each in runs if each.waiting}
        told = msgspec.json.encode(render("runs/runs.html", runs=runs))
        has_more = bool(touched)
        return Piece([event("runs", told)], has_more=has_more, is_last=not self._open and not has_more)
