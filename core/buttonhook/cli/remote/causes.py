"""The runs that a command caused, in a daemon that also runs what others cause.

What the command changed is known by the answers to its writes. A result belongs to it when such a change fired it, when
it began by the command itself, or when it stands in a chain of causes that begins with one of those. Results are
numbered in the order in which they are made, so those that come behind the last one seen before the write suffice. The
daemon tells when the first of them has ended; beside that it is looked once a second how things stand.
"""

import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from buttonhook.cli.acting import Caused, Left
from buttonhook.cli.remote.connection import Connection
from buttonhook.cli.remote.recorded import RemoteRecord
from buttonhook.cli.remote.waiting import Awaited
from buttonhook.errors import DaemonError, RecordNotFound
from buttonhook.ids import JobResultStatus, now
from buttonhook.records import JobResult, ResultQuery

LOOK_SECONDS: Final = 1.0
RETRY_MICROSECONDS: Final = 60_000_000
"""A retry that is due later than this is not waited for."""
SPAN: Final = 1000
MOST_KEPT: Final = 10_000
UNFINISHED: Final = (JobResultStatus.STARTED, JobResultStatus.PENDING, JobResultStatus.RETRY)


class RemoteCaused(Caused):
    """Runs of a daemon that this command is about."""

    goes_on = True

    def __init__(
        self, connection: Connection, record: RemoteRecord, find_parked: Callable[[], Awaitable[set[str]]]
    ) -> None:
        self._connection, self._record, self._find_parked = connection, record, find_parked
        self._mark: int | None = None
        """The last result before the first write; None: nothing was begun."""
        self._scanned = 0
        self._changes: list[tuple[int, int]] = []
        """First and last id of the changes that belong here, in order."""
        self._roots: set[str] = set()
        self._open: dict[int, JobResult] = {}
        self._ended: dict[int, JobResult] = {}
        self._counts: Counter[JobResultStatus] = Counter()
        self._failed_roots: set[str] = set()
        self._awaited = Awaited(connection)
        self._next_look = 0.0
        """When to look again how things stand, though nothing was told."""
        self._is_slow = False
        self._parked: set[str] | None = None
        """Jobs that are not installed: their results wait until they are. Asked for when something takes long."""

    # --- what belongs to the command --------------------------------------------------------------

    async def begin(self) -> None:
        """Remember what was before, ahead of the first write."""
        if self._mark is None:
            last = await self._record.results(ResultQuery(limit=1))
            self._mark = self._scanned = last[0].number if last else 0

    def take_changes(self, ids: Iterable[int]) -> None:
        """These changes were made by the command."""
        for each in sorted(ids):
            self.take_range(each, each)

    def take_range(self, first: int, last: int) -> None:
        """As `take_changes`, for all from the first to the last."""
        self._changes.append((first, last))
        self._changes.sort()

    def take_results(self, results: Iterable[JobResult]) -> None:
        """These began by the command."""
        for each in results:
            self._roots.add(each.id)
            self._keep(each)

    async def take_unfinished(self) -> None:
        """All that waits or runs belongs to a command that is there to wait for it."""
        await self.begin()
        for status in UNFINISHED:
            query = ResultQuery(status=status, limit=MOST_KEPT)
            for each in await self._record.results(query):
                self._roots.add(each.root or each.id)
                self._keep(each)

    def _is_ours(self, result: JobResult) -> bool:
        if result.id in self._roots or result.root in self._roots or result.cause in self._roots:
            return True
        return any(self._has_change(each) for each in result.change_ids)

    def _has_change(self, id_: int) -> bool:
        place = bisect_right(self._changes, (id_, 1 << 63)) - 1
        return place >= 0 and self._changes[place][1] >= id_

    def _keep(self, result: JobResult) -> None:
        self._roots.add(result.id)
        if not result.status.is_final:
            self._open[result.number] = result
            return
        self._open.pop(result.number, None)
        if result.number in self._ended:
            return
        self._counts[result.status] += 1
        if result.status is JobResultStatus.FAILURE:
            self._failed_roots.add(result.root or result.id)
        if len(self._ended) < MOST_KEPT:
            self._ended[result.number] = result

    # --- waiting ----------------------------------------------------------------------------------

    async def wait(self, seconds: float) -> bool:
        if self._mark is None:
            return True
        deadline = time.monotonic() + seconds
        try:
            while not await self._look_in_time():
                left = min(deadline, self._next_look) - time.monotonic()
                if left <= 0 and time.monotonic() >= deadline:
                    return False
                await self._be_told(max(left, 0.0))
        except DaemonError as exc:
            if not self._connection.is_gone(exc):
                raise
            cure = "What was committed stays. Its jobs go on when it runs again."
            raise DaemonError(exc.daemon, "went away while its jobs were waited for", cure) from exc
        return True

    async def _look_in_time(self) -> bool:
        """Look, where something was told or it is time again; whether all that will end soon has ended."""
        if time.monotonic() < self._next_look:
            return False
        if self._is_slow and self._parked is None:
            self._parked = await self._find_parked()
        if await self._look():
            return True
        first = next((each for _, each in sorted(self._open.items()) if self._is_awaited(each)), None)
        self._next_look, self._is_slow = time.monotonic() + LOOK_SECONDS, True
        if first is not None:
            await self._awaited.begin(first)
        return False

    async def _be_told(self, seconds: float) -> None:
        try:
            told = await self._awaited.wait(seconds)
        except RecordNotFound:
            self._open.pop(self._awaited.number, None)
            told = None
        if told is not None:
            self._keep(told)
            self._next_look, self._is_slow = 0.0, False

    async def close(self) -> None:
        """Wait for nothing any more."""
        await self._awaited.end()

    async def _look(self) -> bool:
        """See how things stand; whether all that will end soon has ended."""
        await self._look_at_new()
        for number in sorted(self._open):
            await self._look_at(number)
            if self._is_awaited(self._open.get(number)):
                return False
        await self._look_at_new()  # what the last ones caused was committed before they ended
        return not any(map(self._is_awaited, self._open.values()))

    async def _look_at_new(self) -> None:
        while True:
            query = ResultQuery(after=self._scanned, ascending=True, limit=SPAN)
            page = await self._record.results(query)
            for each in page:
                self._scanned = each.number
                if self._is_ours(each):
                    self._keep(each)
            if len(page) < SPAN:
                return

    async def _look_at(self, number: int) -> None:
        """Bring those open from this number on up to date, a page of them."""
        for each in await self._record.results(ResultQuery(after=number - 1, ascending=True, limit=SPAN)):
            if each.number in self._open:
                self._keep(each)

    def _is_awaited(self, result: JobResult | None) -> bool:
        if result is None or result.job in (self._parked or ()):
            return False
        return result.due_at is None or result.due_at <= now() + RETRY_MICROSECONDS

    # --- telling ----------------------------------------------------------------------------------

    def figures(self) -> str:
        return f"{len(self._open):,} to go, {self.done:,} done"

    @property
    def done(self) -> int | None:
        return sum(self._counts.values())

    @property
    def has_failures(self) -> bool:
        return bool(self._counts[JobResultStatus.FAILURE])

    async def counts(self) -> Counter[JobResultStatus]:
        return self._counts

    async def ended(self) -> list[JobResult]:
        return [self._ended[number] for number in sorted(self._ended)]

    async def failures(self, told: set[int], most: int) -> tuple[list[JobResult], int]:
        failed = [each for each in await self.ended() if each.status is JobResultStatus.FAILURE]
        count = self._counts[JobResultStatus.FAILURE] - sum(each.number in told for each in failed)
        return [each for each in failed if each.number not in told][:most], count

    async def has_failed_below(self, roots: set[str]) -> bool:
        return not self._failed_roots.isdisjoint(roots)

    async def recovered(self) -> tuple[list[JobResult], list[JobResult]]:
        return [], []

    async def left(self) -> Left:
        if self._mark is not None:
            await self._look()
        gone = self._parked or set()
        waits = [each for each in self._open.values() if each.status is not JobResultStatus.STARTED]
        parked = Counter[str](each.job for each in waits if each.job in gone)
        retries = tuple(each.due_at for each in waits if each.due_at is not None and each.job not in gone)
        return Left(
            parked=parked,
            retries=retries,
            waiting=len(waits) - len(retries) - sum(parked.values()),
            running=len(self._open) - len(waits),
        )
