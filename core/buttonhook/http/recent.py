"""What was committed lately, kept once for all feeds: they take from here, and from the store what is older.

So a change costs one read of nothing however many follow it, and who is slow or comes back later costs no memory.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from buttonhook.records import ChangeRecord, JobResult
from buttonhook.stores.base import Rows

RECENT_BYTES: Final = 8_000_000
RECENT_CHANGES: Final = 5000
WINDOW_CHANGES: Final = 500
WINDOW_RESULTS: Final = 200
WINDOWS: Final = 8


class RecentChange:
    """A change, and its form for those who may see all of it, once somebody has made it."""

    __slots__ = ("encoded", "record", "size")

    def __init__(self, record: ChangeRecord) -> None:
        self.record = record
        self.size = size_of(record)
        self.encoded: bytes | None = None


class RecentChanges:
    """All changes with a number above `floor`, up to `last`, in order."""

    def __init__(self) -> None:
        self.floor = self.last = 0
        self._kept: deque[RecentChange] = deque()
        self._bytes = 0
        self._last_of_type: dict[str, int] = {}
        self._began = 0

    def begin(self, last_change: int) -> None:
        """Forget all; what is committed from now on has higher numbers than `last_change`."""
        self.floor = self.last = self._began = last_change
        self._kept.clear()
        self._last_of_type.clear()
        self._bytes = 0

    def add(self, records: Iterable[ChangeRecord], last_change: int) -> None:
        """Keep what was committed; what does not fit any more is left to the store."""
        for record in records:
            change = RecentChange(record)
            self._kept.append(change)
            self._bytes += change.size
            self._last_of_type[record.object_type] = record.id
        self.last = max(self.last, last_change)
        while self._kept and (self._bytes > RECENT_BYTES or len(self._kept) > RECENT_CHANGES):
            gone = self._kept.popleft()
            self._bytes -= gone.size
            self.floor = gone.record.id

    def since(self, after: int) -> list[RecentChange] | None:
        """Those with a number above `after`, in order; None where some of them are in the store alone."""
        if after < self.floor:
            return None
        count = 0
        for change in reversed(self._kept):
            if change.record.id <= after:
                break
            count += 1
        return list(islice(self._kept, len(self._kept) - count, None))

    def has_none(self, object_type: str, after: int) -> bool:
        """Whether it is known that no object of a type changed above `after`."""
        return after >= self._began and self._last_of_type.get(object_type, 0) <= after


class Window:
    """What was committed within half a second. `is_full`: more than is listed."""

    __slots__ = ("changes", "is_full", "number", "read", "reading", "results")

    def __init__(self, number: int) -> None:
        self.number = number
        self.changes: list[ChangeRecord] = []
        self.results: dict[int, None] = {}
        """Numbers of the job results that are new, began, ended or are to be tried again."""
        self.is_full = False
        self.reading = asyncio.Lock()
        self.read: Sequence[JobResult] | None = None
        """The results themselves, once somebody read them."""

    def add(self, rows: Rows) -> None:
        if self.is_full:
            return
        self.changes.extend(rows.changes)
        self.results.update(dict.fromkeys(touched_results(rows)))
        if len(self.changes) > WINDOW_CHANGES or len(self.results) > WINDOW_RESULTS:
            self.is_full = True
            self.changes, self.results = [], {}

    @property
    def is_empty(self) -> bool:
        return not (self.changes or self.results or self.is_full)


class Windows:
    """The last windows that were closed, and the one that is open."""

    def __init__(self) -> None:
        self._closed: deque[Window] = deque(maxlen=WINDOWS)
        self.open = Window(1)

    def close(self) -> None:
        """Let the open one be read, and open the next."""
        self._closed.append(self.open)
        self.open = Window(self.open.number + 1)

    def since(self, number: int) -> list[Window] | None:
        """Closed windows behind one; None where some of them are not kept any more."""
        found = [each for each in self._closed if each.number > number]
        return found if len(found) == self.open.number - 1 - number else None


def touched_results(rows: Rows) -> Iterator[int]:
    """Numbers of job results whose status is another now."""
    for result in rows.results:
        yield result.number
    yield from rows.claims
    for outcome in (*rows.outcomes, *rows.revoked):
        yield outcome.number


def size_of(record: ChangeRecord) -> int:
    """About how much a change takes."""
    return 500 + len(record.prechange or "") + len(record.postchange or "")
