"""The dispatcher: turns pending job results into running jobs, within limits, each lane strictly in order.

Results arrive as news from the bus or are loaded from the store; a bounded window of them is held in memory, the rest
stays in the store. A lane's next result is claimed only after the outcome of the one before it was committed.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

import anyio

from buttonhook.bus.base import Bus
from buttonhook.capture import NOTE_LOGGER, JobCapture
from buttonhook.ids import JobResultStatus, LogLevel, now
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, Job, JobLogEntry, JobResult, Outcome, PendingResult
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader
from buttonhook.work import Claim, Finish, LogEntries, Piece

WINDOW: Final = 20_000
LOAD_SIZE: Final = 2_000
LANE_SIZE: Final = 64
FLUSH_SECONDS: Final = 0.5
LATE_SEQ: Final = 1_000_000_000
"""Where the note about a late outcome stands: behind every line its attempt can have."""

_log = logging.getLogger("buttonhook.dispatcher")


class Journal(Protocol):
    """Where claims, outcomes and log lines are posted."""

    def post(self, piece: Piece) -> None: ...


class Runs(Protocol):
    """What runs one attempt."""

    async def run(self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture) -> Outcome: ...


class Limits(Protocol):
    """The caps in force."""

    @property
    def max_running(self) -> int: ...

    @property
    def log_lines(self) -> int: ...

    @property
    def log_bytes(self) -> int: ...


class Lanes:
    """What waits in memory: results that may be claimed now, and behind them those of their lanes.

    A lane keeps at most `LANE_SIZE` followers; of a longer one only the number behind which to load is kept.
    """

    def __init__(self) -> None:
        self.ready: deque[PendingResult] = deque()
        self.held = 0
        self._followers: dict[str, deque[PendingResult]] = {}
        self._left_out: dict[str, tuple[int, int]] = {}
        """Lane: (load above this number, highest number left out)."""

    def accept(self, pending: PendingResult) -> None:
        """Take one result; numbers come in order within a lane."""
        lane = pending.lane
        if lane is None:
            self._make_ready(pending)
        elif lane not in self._followers:
            self._followers[lane] = deque()
            self._make_ready(pending)
        elif lane in self._left_out:
            after, highest = self._left_out[lane]
            self._left_out[lane] = (after, max(highest, pending.number))
        elif len(self._followers[lane]) >= LANE_SIZE:
            self._left_out[lane] = (self._followers[lane][-1].number, pending.number)
        else:
            self._followers[lane].append(pending)
            self.held += 1

    def occupy(self, lane: str | None) -> bool:
        """Make a free lane busy without anything waiting in it; False when it is busy already."""
        if lane is None:
            return True
        if lane in self._followers:
            return False
        self._followers[lane] = deque()
        return True

    def take(self) -> PendingResult:
        """The next result to claim; its lane is busy until `release`."""
        self.held -= 1
        return self.ready.popleft()

    def release(self, lane: str | None) -> tuple[str, int] | None:
        """Let a lane go on. Returns (lane, number) when its followers must be loaded from above that number."""
        if lane is None:
            return None
        followers = self._followers[lane]
        if followers:
            self.ready.append(followers.popleft())
            return None
        if lane in self._left_out:
            return lane, self._left_out[lane][0]
        del self._followers[lane]
        return None

    def loaded(self, lane: str, rows: Sequence[PendingResult]) -> tuple[str, int] | None:
        """Take the loaded followers of a lane that waits for them; as `release`."""
        _, highest = self._left_out.pop(lane)
        followers = self._followers[lane]
        followers.extend(rows)
        self.held += len(rows)
        last = rows[-1].number if rows else highest
        if last < highest:
            self._left_out[lane] = (last, highest)
        return self.release(lane)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits; lanes whose head runs may still be busy."""
        return not self.held and not self._left_out

    def _make_ready(self, pending: PendingResult) -> None:
        self.ready.append(pending)
        self.held += 1


class Dispatcher:
    """Runs what is pending. All methods belong to the loop's thread."""

    def __init__(
        self, registry: Registry, reader: Reader, journal: Journal, bus: Bus, runner: Runs, limits: Limits
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._journal = journal
        self._runner = runner
        self._limits = limits
        self._lanes = Lanes()
        self._running: dict[int, JobCapture] = {}
        self._busy = 0
        self._cursor = 0
        self._announced = 0
        self._is_behind = True
        self._loading = 0
        self._wake_loader = asyncio.Event()
        self._has_running = asyncio.Event()
        self._idle = asyncio.Event()
        self._tasks: asyncio.TaskGroup
        self._spawned: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.parked: dict[str, int] = {}
        """Results that wait because their job is not installed, by job."""
        bus.listen(self.announce)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Dispatcher"]:
        """Run for as long as the block lasts. At its end nothing new is claimed and what runs is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._tasks = tasks
            self._spawn(self._load(), "dispatcher loader")
            self._spawn(self._flush(), "dispatcher log flush")
            self._wake_loader.set()
            try:
                yield self
            finally:
                self._is_stopping = True
                for task in self._spawned:
                    task.cancel()

    def announce(self, pending: Sequence[PendingResult]) -> None:
        """Take news of committed results; what does not fit into the window is loaded later."""
        if pending:
            self._announced = max(self._announced, pending[-1].number)
        if not self._is_behind:
            for each in pending:
                if self._lanes.held >= WINDOW:
                    self._is_behind = True
                    break
                self._accept(each)
        self._pump()

    def admit(self, pending: PendingResult) -> bool:
        """See `work.Admission`."""
        if self._is_stopping or self._is_behind or self._lanes.ready or self._busy >= self._limits.max_running:
            return False
        if not self._lanes.occupy(pending.lane):
            return False
        self._busy += 1
        return True

    def withdraw(self, pending: PendingResult) -> None:
        """See `work.Admission`."""
        self._release(pending.lane)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits that could run, and nothing runs."""
        return not self._is_behind and not self._busy and not self._loading and self._lanes.is_empty

    @property
    def running(self) -> int:
        return len(self._running)

    async def wait_idle(self) -> None:
        """Return when `is_idle`."""
        while not self.is_idle:
            self._idle.clear()
            await self._idle.wait()

    def _accept(self, pending: PendingResult) -> None:
        self._cursor = max(self._cursor, pending.number)
        if pending.job not in self._registry.receivers:
            self.parked[pending.job] = self.parked.get(pending.job, 0) + 1
            return
        self._lanes.accept(pending)

    def _pump(self) -> None:
        """Claim what may run, as far as there is room."""
        while not self._is_stopping and self._lanes.ready and self._busy < self._limits.max_running:
            pending = self._lanes.take()
            self._busy += 1
            job = self._registry.find(Job, pending.job)
            if job is not None and job.enabled:
                self._journal.post(Claim(pending.number, self._claimed(pending)))
            else:
                self._revoke(pending, f"the job {pending.job} was disabled before the run began")
        if self._is_behind and self._lanes.held < WINDOW // 2:
            self._wake_loader.set()
        if self.is_idle:
            self._idle.set()

    def _claimed(self, pending: PendingResult) -> Callable[[ClaimedResult | BaseException | None], None]:
        def done(claimed: ClaimedResult | BaseException | None) -> None:
            if isinstance(claimed, ClaimedResult):
                self.start(claimed)
                return
            if isinstance(claimed, BaseException):
                _log.error("Job result number %d could not be claimed: %s", pending.number, claimed)
            self._release(pending.lane)

        return done

    def start(self, claimed: ClaimedResult) -> None:
        """See `work.Admission`. What is started while the dispatcher stops is taken up by the next start."""
        result = claimed.result
        if self._is_stopping:
            self._release(result.lane)
            return
        level = self._registry.receivers[result.job].meta.log_level
        capture = JobCapture(result.number, result.attempt, level, self._limits.log_lines, self._limits.log_bytes)
        self._running[result.number] = capture
        self._has_running.set()
        self._spawn(self._run(claimed, capture), f"job {result.number} {result.job}")

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> None:
        task = self._tasks.create_task(coroutine, name=name)
        self._spawned.add(task)
        task.add_done_callback(self._spawned.discard)

    async def _run(self, claimed: ClaimedResult, capture: JobCapture) -> None:
        result = claimed.result
        try:
            outcome = await self._runner.run(claimed, self._registry.receivers[result.job], capture)
        except BaseException:
            if self._is_stopping:
                self._running.pop(result.number, None)
                self._journal.post(LogEntries(capture.close(), _ignore))
                raise
            outcome = _cancelled_by_itself(result, capture)

        def done(applied: Any) -> None:
            self._running.pop(result.number, None)
            if applied is not True:
                self._note_late(claimed, outcome, len(entries))
            self._release(result.lane)

        entries = capture.close()
        self._journal.post(Finish(outcome, entries, done))

    def _note_late(self, claimed: ClaimedResult, outcome: Outcome, lines: int) -> None:
        """Keep the outcome of an attempt that was over already as a line of its log."""
        result = claimed.result
        _log.warning("The outcome of job result %s attempt %d came too late", result.id, result.attempt)
        entry = JobLogEntry(
            number=result.number,
            attempt=result.attempt,
            seq=LATE_SEQ + lines,
            time=now(),
            level=LogLevel.WARNING,
            grouping="outcome",
            message=f"This attempt ended as {outcome.status.value} when it was over already: that was not applied",
            logger=NOTE_LOGGER,
        )
        self._journal.post(LogEntries([entry], _ignore))

    def _revoke(self, pending: PendingResult, reason: str) -> None:
        outcome = Outcome(
            number=pending.number, attempt=0, status=JobResultStatus.REVOKED, ended_at=now(), error=reason
        )
        entry = JobLogEntry(
            number=pending.number,
            attempt=0,
            seq=1,
            time=now(),
            level=LogLevel.WARNING,
            grouping="outcome",
            message=f"Not run: {reason}",
        )
        self._journal.post(Finish(outcome, [entry], lambda _: self._release(pending.lane), was_started=False))

    def _release(self, lane: str | None) -> None:
        """A claim or run is over: its place and its lane are free."""
        self._busy -= 1
        self._follow(self._lanes.release(lane))
        self._pump()

    def _follow(self, wanted: tuple[str, int] | None) -> None:
        if wanted is not None and not self._is_stopping:
            self._loading += 1
            self._spawn(self._load_lane(*wanted), f"dispatcher lane {wanted[0]}")

    async def _load_lane(self, lane: str, after: int) -> None:
        rows = await self._reader.pending(after, LANE_SIZE, lane)
        self._loading -= 1
        self._follow(self._lanes.loaded(lane, rows))
        self._pump()

    async def _load(self) -> None:
        """Load what waits in the store, as room allows, until the news alone are enough."""
        while True:
            await self._wake_loader.wait()
            self._wake_loader.clear()
            while self._is_behind and self._lanes.held < WINDOW // 2:
                announced = self._announced
                rows = await self._reader.pending(self._cursor, LOAD_SIZE)
                for each in rows:
                    self._accept(each)
                if len(rows) < LOAD_SIZE and self._announced <= max(announced, self._cursor):
                    self._is_behind = False
                self._pump()

    async def _flush(self) -> None:
        """Store the lines of long runs while they go on."""
        while True:
            await self._has_running.wait()
            await anyio.sleep(FLUSH_SECONDS)
            if not self._running:
                self._has_running.clear()
            for capture in list(self._running.values()):
                if capture.has_ready:
                    self._journal.post(LogEntries(capture.take(), _ignore))


def _cancelled_by_itself(result: JobResult, capture: JobCapture) -> Outcome:
    """Nobody but a closing dispatcher cancels a run: the receiver cancelled the task it runs in."""
    error = "CancelledError: the receiver cancelled its own task"
    capture.add(LogLevel.FAILURE, error, "outcome", None, "")
    return Outcome(
        number=result.number,
        attempt=result.attempt,
        status=JobResultStatus.FAILURE,
        ended_at=now(),
        error=error,
    )


def _ignore(_: Any) -> None:
    """Nobody waits for this answer; the recorder logs what it refuses."""
