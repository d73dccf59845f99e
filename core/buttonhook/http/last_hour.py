"""The last hour in figures, minute by minute: changes by action, runs by how they ended, how long they waited and ran.

The figures are counted as things happen, so that showing them costs the same however many rows there are. What happened
before the daemon began is counted once, newest first, up to `MOST_READ` rows of each kind. All is kept by object type,
for a user is shown the figures of those types of which they may see everything.
"""

import logging
import math
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Final

import anyio
from msgspec import Struct

from buttonhook.errors import ButtonhookError
from buttonhook.ids import JobResultStatus, Microseconds, ObjectChangeAction, now
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, Outcome, ResultQuery
from buttonhook.stores.base import Reader, Rows

MINUTES: Final = 60
MINUTE: Final = 60_000_000
MOST_READ: Final = 20_000
PAGE: Final = 200
PAUSE_SECONDS: Final = 0.02
"""Between two pages of what was before: requests and runs come first."""
MOST_UNKNOWN: Final = 500
RATIO: Final = 1.15
"""Durations are counted in classes of this width."""
_LOG: Final = math.log(RATIO)

_log = logging.getLogger("buttonhook.daemon")


class Minute:
    """What happened in one minute. The first part of each key is the object type."""

    __slots__ = ("changes", "ended", "ran", "waited")

    def __init__(self) -> None:
        self.changes: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.waited: Counter[tuple[str, int]] = Counter()
        self.ran: Counter[tuple[str, int]] = Counter()


class Quantiles(Struct, frozen=True):
    """Half and all but a twentieth took no longer, in seconds, by minute; None where there was nothing."""

    half: list[float | None]
    most: list[float | None]


class Figures(Struct, frozen=True, kw_only=True):
    """Sixty columns, the oldest first; the last is the minute that goes on."""

    changes: dict[str, list[int]]
    ended: dict[str, list[int]]
    waited: Quantiles
    ran: Quantiles


class LastHour:
    """Counts. All methods belong to the loop's thread."""

    def __init__(self, clock: Callable[[], Microseconds] = now) -> None:
        self._clock = clock
        self._minutes: dict[int, Minute] = {}
        self._unknown: deque[int] = deque(maxlen=MOST_UNKNOWN)
        """Numbers of results that were revoked while they waited."""
        self.began_at = clock()
        self.whole_since = self.began_at
        """From here on everything is counted."""

    def hear(self, rows: Rows) -> None:
        """Count the changes of a commit."""
        if rows.changes:
            self._minute(rows.changes[0].recorded_at).changes.update(
                (each.object_type, each.action.value) for each in rows.changes
            )
        if rows.revoked:
            self._unknown.extend(each.number for each in rows.revoked)

    def note_end(self, result: JobResult, outcome: Outcome) -> None:
        """Count an attempt that ended in this process; `result` is as it was when the attempt began."""
        self._count(result, outcome.status, outcome.ended_at or self._clock())

    def _count(self, result: JobResult, status: JobResultStatus, ended_at: Microseconds) -> None:
        if status is JobResultStatus.PENDING:
            return  # put back when its process was stopped
        minute, type_ = self._minute(ended_at), result.object_type
        minute.ended[type_, status.value] += 1
        if result.started_at is not None:
            minute.ran[type_, _class_of(ended_at - result.started_at)] += 1
            if result.attempt == 1:
                minute.waited[type_, _class_of(result.started_at - result.created_at)] += 1

    def _minute(self, moment: int) -> Minute:
        number = moment // MINUTE
        found = self._minutes.get(number)
        if found is None:
            found = self._minutes[number] = Minute()
            first = self._clock() // MINUTE - MINUTES
            for old in [each for each in self._minutes if each < first]:
                del self._minutes[old]
        return found

    # --- what was before ----------------------------------------------------------------------------

    async def read_before(self, reader: Reader, last_change: int) -> None:
        """Count what the store has of the hour before this began; a store that cannot be read is told in the log."""
        since = Microseconds(self.began_at - MINUTES * MINUTE)
        try:
            changes = await self._read_changes(reader, since, last_change)
            self.whole_since = max(changes, await self._read_results(reader, since))
        except ButtonhookError as exc:
            _log.warning("The figures of the hour before the start are left out: %s", exc)

    async def _read_changes(self, reader: Reader, since: Microseconds, last_change: int) -> Microseconds:
        """Returns from when on they are all counted."""
        query = ChangeQuery(since=since, after=last_change + 1, limit=PAGE)
        for _ in range(MOST_READ // PAGE):
            page = await reader.changes(query)
            for change in page:
                self._count_change(change)
            if len(page) < PAGE:
                return since
            query = ChangeQuery(since=since, after=page[-1].id, limit=PAGE)
            await anyio.sleep(PAUSE_SECONDS)
        return page[-1].recorded_at

    def _count_change(self, change: ChangeRecord) -> None:
        self._minute(change.recorded_at).changes[change.object_type, change.action.value] += 1

    async def _read_results(self, reader: Reader, since: Microseconds) -> Microseconds:
        query = ResultQuery(since=since, limit=PAGE)
        for _ in range(MOST_READ // PAGE):
            page = await reader.results(query)
            for result in page:
                if result.ended_at is not None and result.ended_at < self.began_at:
                    self._count(result, result.status, result.ended_at)
            if len(page) < PAGE:
                return since
            query = ResultQuery(since=since, after=page[-1].number, limit=PAGE)
            await anyio.sleep(PAUSE_SECONDS)
        return page[-1].created_at

    async def look_up(self, reader: Reader) -> None:
        """Count the results that were revoked while they waited, of which only the numbers are known."""
        if self._unknown:
            numbers = tuple(self._unknown)
            self._unknown.clear()
            for result in await reader.results(ResultQuery(numbers=numbers, limit=len(numbers))):
                if result.ended_at is not None and result.status is JobResultStatus.REVOKED:
                    self._count(result, result.status, result.ended_at)

    # --- what is shown ------------------------------------------------------------------------------

    def object_types(self) -> set[str]:
        """The types of which something was counted."""
        kept = self._kept()
        return {type_ for each in kept for counter in (each.changes, each.ended) for type_, _ in counter}

    def figures(self, changes_of: Callable[[str], bool], runs_of: Callable[[str], bool]) -> Figures:
        """The figures of those object types whose changes, and whose runs, count."""
        changes = {each.value: [0] * MINUTES for each in ObjectChangeAction}
        ended = {each: [0] * MINUTES for each in ("success", "failure", "retry", "revoked")}
        waited, ran = Quantiles([], []), Quantiles([], [])
        sees_changes = {each: changes_of(each) for each in self.object_types()}
        sees_runs = {each: runs_of(each) for each in sees_changes}
        for at, minute in enumerate(self._kept()):
            for (type_, action), count in minute.changes.items():
                changes[action][at] += count if sees_changes[type_] else 0
            for (type_, status), count in minute.ended.items():
                ended[status][at] += count if sees_runs[type_] else 0
            for quantiles, counter in ((waited, minute.waited), (ran, minute.ran)):
                classes: Counter[int] = Counter()
                for (type_, size), count in counter.items():
                    classes[size] += count if sees_runs[type_] else 0
                quantiles.half.append(_quantile(classes, 0.5))
                quantiles.most.append(_quantile(classes, 0.95))
        return Figures(changes=changes, ended=ended, waited=waited, ran=ran)

    def _kept(self) -> list[Minute]:
        last = self._clock() // MINUTE
        return [self._minutes.get(last - MINUTES + 1 + at, _NOTHING) for at in range(MINUTES)]


_NOTHING: Final = Minute()


def _class_of(microseconds: int) -> int:
    return round(math.log(max(1, microseconds)) / _LOG)


def _quantile(classes: Counter[int], share: float) -> float | None:
    """The duration that a share of all does not exceed, in seconds; within 7 % of it."""
    left = share * classes.total()
    if left <= 0:
        return None
    for size, count in _ascending(classes):
        left -= count
        if left <= 0:
            return RATIO**size / 1e6
    return None


def _ascending(classes: Counter[int]) -> Iterator[tuple[int, int]]:
    for size in sorted(classes):
        yield size, classes[size]
