"""The dispatcher: turns pending job results into running jobs, within limits, each lane strictly in order.

Results arrive as news from the bus or are loaded from the store; a bounded window of them is held in memory, the rest
stays in the store. A lane's next result is claimed only after the outcome of the one before it was committed; a result
that waits for its retry holds its lane.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from typing import Any, Final, Protocol

from buttonhook.bus.base import Bus
from buttonhook.capture import NOTE_LOGGER, JobCapture, note_of_refusal
from buttonhook.dispatcher.lanes import LANE_SIZE, Lanes
from buttonhook.dispatcher.runs import Run, tick_seconds
from buttonhook.ids import JobResultStatus, LogLevel, Microseconds, now
from buttonhook.permissions import user_of
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, Job, JobLogEntry, JobResult, Outcome, PendingResult, UserRecord
from buttonhook.registry import Registry
from buttonhook.steering import RunControl, RunStopped
from buttonhook.stores.base import Reader
from buttonhook.watchdog import Watchdog
from buttonhook.work import Claim, Finish, LogEntries, Piece

WINDOW: Final = 20_000
LOAD_SIZE: Final = 2_000
LATE_SEQ: Final = 1_000_000_000
"""Where the note about a late outcome stands: behind every line its attempt can have."""
FLUSH_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 5.0
"""How long runs may take to end when the dispatcher closes."""

CLAIM_AGAIN: Final = 1_000_000
"""Microseconds until a claim that was refused is tried again."""

_log = logging.getLogger("buttonhook.dispatcher")


class Journal(Protocol):
    """Where claims, outcomes and log lines are posted."""

    def post(self, piece: Piece) -> None: ...


class Runs(Protocol):
    """What runs one attempt."""

    async def run(
        self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture, control: RunControl
    ) -> Outcome: ...


class Limits(Protocol):
    """The caps in force."""

    @property
    def max_running(self) -> int: ...

    @property
    def log_lines(self) -> int: ...

    @property
    def log_bytes(self) -> int: ...


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
        self._running: dict[int, Run] = {}
        self._of_job: Counter[str] = Counter()
        """Claims and runs of each job, for `max_concurrency`."""
        self._crowded: dict[str, deque[PendingResult]] = {}
        self._busy = 0
        self._cursor = 0
        self._announced = 0
        self._is_behind = True
        self._loading = 0
        self._wake_loader = asyncio.Event()
        self._wake_due = asyncio.Event()
        self._has_running = asyncio.Event()
        self._changed = asyncio.Event()
        self._tick = FLUSH_SECONDS
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._watchdog = Watchdog(asyncio.get_running_loop(), self._blame)
        self.parked: Counter[str] = Counter()
        """Results that wait because their job is not installed, by job."""
        self.stuck: list[str] = []
        """Runs that did not end when they were told to; their tasks or threads are still there."""
        bus.listen(self.announce)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Dispatcher"]:
        """Run for as long as the block lasts. At its end nothing new is claimed and what runs is cancelled."""
        async with asyncio.TaskGroup() as tasks, _entered(self._watchdog.watching()):
            own = [
                tasks.create_task(self._load(), name="dispatcher loader"),
                tasks.create_task(self._wait_due(), name="dispatcher retries"),
                tasks.create_task(self._watch(), name="dispatcher watch"),
            ]
            self._wake_loader.set()
            try:
                yield self
            finally:
                self._is_stopping = True
                for task in own:
                    task.cancel()
                await self._close()

    async def _close(self) -> None:
        """Cancel everything and wait a while; what does not end is named and left behind."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
            for task in left:
                self.stuck.append(task.get_name())
                _log.error("%s did not end when it was cancelled and is left behind", task.get_name())

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
        if self._is_crowded(pending) or not self._lanes.occupy(pending.lane):
            return False
        self._busy += 1
        self._of_job[pending.job] += 1
        return True

    def withdraw(self, pending: PendingResult) -> None:
        """See `work.Admission`."""
        self._release(pending.job, pending.lane)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits that could run, and nothing runs; retries that are not due yet count as waiting."""
        return not self._is_behind and not self._busy and not self._loading and self._lanes.is_empty

    @property
    def running(self) -> int:
        return len(self._running)

    @property
    def retries(self) -> int:
        """How many results wait for a retry that is not due yet."""
        return self._lanes.retries

    async def wait_idle(self, retries_within_seconds: float = 60.0) -> None:
        """Return when nothing runs and nothing waits but retries that are due later than so."""
        while not self.is_idle:
            due = self._lanes.next_due()
            only_retries = self._lanes.held == self._lanes.retries and not self._busy and not self._loading
            if not self._is_behind and only_retries and due is not None and due > now() + retries_within_seconds * 1e6:
                return
            self._changed.clear()
            await self._changed.wait()

    def cancel(self, number: int, reason: str) -> bool:
        """Tell a run to stop; False when it does not run here. A retry is hurried, so that its lane is freed."""
        run = self._running.get(number)
        if run is None:
            self._lanes.hurry(number)
            self._wake_due.set()
            return False
        run.stop(RunStopped(JobResultStatus.REVOKED, reason), asyncio.get_running_loop().time())
        return True

    def _accept(self, pending: PendingResult) -> None:
        self._cursor = max(self._cursor, pending.number)
        if pending.job not in self._registry.receivers:
            self.parked[pending.job] += 1
            return
        self._lanes.accept(pending)
        if pending.due_at is not None:
            self._wake_due.set()

    def _is_crowded(self, pending: PendingResult) -> bool:
        if pending.job not in self._registry.receivers:
            return False
        most = self._registry.options(pending.job).max_concurrency
        return bool(most) and self._of_job[pending.job] >= most

    def _pump(self) -> None:
        """Claim what may run, as far as there is room."""
        while not self._is_stopping and self._lanes.ready and self._busy < self._limits.max_running:
            pending = self._lanes.take()
            if self._is_crowded(pending):
                self._crowded.setdefault(pending.job, deque()).append(pending)
                continue
            self._busy += 1
            self._of_job[pending.job] += 1
            job = self._registry.find(Job, pending.job)
            if job is not None and job.enabled:
                self._journal.post(Claim(pending.number, self._claimed(pending)))
            else:
                self._revoke(pending, f"the job {pending.job} was disabled before the run began")
        if self._is_behind and self._lanes.held < WINDOW // 2:
            self._wake_loader.set()
        self._changed.set()

    def _claimed(self, pending: PendingResult) -> Callable[[ClaimedResult | BaseException | None], None]:
        def done(claimed: ClaimedResult | BaseException | None) -> None:
            if isinstance(claimed, ClaimedResult):
                self.start(claimed)
                return
            if isinstance(claimed, BaseException):
                _log.error("Job result number %d could not be claimed and is tried again: %s", pending.number, claimed)
                self._wait_again(pending, Microseconds(now() + CLAIM_AGAIN))
                return
            self._release(pending.job, pending.lane)

        return done

    def start(self, claimed: ClaimedResult) -> None:
        """See `work.Admission`. What is started while the dispatcher stops is taken up by the next start."""
        result = claimed.result
        if self._is_stopping:
            self._release(result.job, result.lane)
            return
        options = self._registry.options(result.job)
        capture = JobCapture(
            result.number, result.attempt, options.log_level, self._limits.log_lines, self._limits.log_bytes
        )
        run = Run(claimed, options, capture, asyncio.get_running_loop().time())
        self._running[result.number] = run
        self._tick = min(self._tick, tick_seconds(options))
        if not self._has_running.is_set():
            self._has_running.set()
            self._watchdog.set_busy(True)
        refusal = self._refusal(result)
        if refusal is not None:
            capture.add(LogLevel.WARNING, f"Not run: {refusal}", "outcome", None, "")
            self._end(run, _outcome(result, JobResultStatus.REVOKED, refusal))
            return
        run.task = self._spawn(self._run(run), _task_name(result))

    def _refusal(self, result: JobResult) -> str | None:
        """Why a result may not run now, judged again when it starts."""
        if result.run_as == "author":
            user = user_of(result.user_name, self._registry.find(UserRecord, result.user_name))
            if not user.known:
                return f"its hook runs with its author's permission, and {user.username!r} is not a known user"
            if not user.has_perm("jobs.run_job"):
                return f"its hook runs with its author's permission, and {user.username!r} may not run jobs"
        return None

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.critical("%s failed", task.get_name(), exc_info=task.exception())

    async def _run(self, run: Run) -> None:
        claimed, result = run.claimed, run.claimed.result
        receiver = self._registry.receivers[result.job]
        try:
            outcome = await self._runner.run(claimed, receiver, run.capture, run.control)
        except BaseException:
            if self._is_stopping and not run.is_over:
                self._put_back(run)
                raise
            outcome = _outcome(result, JobResultStatus.FAILURE, "CancelledError: the receiver cancelled its own task")
            if not run.is_over:
                run.capture.add(LogLevel.FAILURE, outcome.error or "", "outcome", None, "")
        if run.is_over:
            self._note_late(claimed, outcome)
        else:
            self._end(run, outcome)

    def _put_back(self, run: Run) -> None:
        """A run that a closing dispatcher cut off waits again; that is nobody's failure and no crash."""
        run.is_over = True
        result = run.claimed.result
        run.capture.add(LogLevel.WARNING, "Stopped with the process; it is run again", "outcome", None, "")
        outcome = Outcome(number=result.number, attempt=result.attempt, status=JobResultStatus.PENDING, ended_at=None)
        self._running.pop(result.number, None)
        self._journal.post(Finish(outcome, run.capture.close(), _ignore))

    def _end(self, run: Run, outcome: Outcome) -> None:
        """Post the outcome of a run with the rest of its log; its place and lane are free after the commit."""
        result = run.claimed.result
        run.is_over = True

        def done(applied: Any) -> None:
            self._running.pop(result.number, None)
            if applied is not True:
                self._note_late(run.claimed, outcome)
            elif outcome.status is JobResultStatus.RETRY:
                self._wait_again(PendingResult(result.number, result.job, result.lane), outcome.due_at)
                return
            self._release(result.job, result.lane)

        self._journal.post(Finish(outcome, run.capture.close(), done))

    def _note_late(self, claimed: ClaimedResult, outcome: Outcome) -> None:
        """Keep the outcome of an attempt that was over already as a line of its log."""
        result = claimed.result
        _log.warning("The outcome of job result %s attempt %d came too late", result.id, result.attempt)
        entry = JobLogEntry(
            number=result.number,
            attempt=result.attempt,
            seq=LATE_SEQ,
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
        self._journal.post(
            Finish(
                outcome,
                [note_of_refusal(pending.number, 0, reason)],
                lambda _: self._release(pending.job, pending.lane),
                was_started=False,
            )
        )

    def _release(self, job: str, lane: str | None) -> None:
        """A claim or run is over: its place and its lane are free."""
        self._busy -= 1
        self._leave(job)
        self._follow(self._lanes.release(lane))
        self._pump()

    def _wait_again(self, pending: PendingResult, due_at: Microseconds | None) -> None:
        """Try a result again when it is due; until then it holds its lane, but no place."""
        self._busy -= 1
        self._leave(pending.job)
        self._lanes.hold_back(PendingResult(pending.number, pending.job, pending.lane, due_at))
        self._wake_due.set()
        self._pump()

    def _leave(self, job: str) -> None:
        """One run of a job fewer: let one that waited for that go on."""
        self._of_job[job] -= 1
        crowded = self._crowded.get(job)
        if crowded:
            self._lanes.put_back(crowded.popleft())
        elif crowded is not None:
            del self._crowded[job]

    def _follow(self, wanted: tuple[str, int] | None) -> None:
        if wanted is not None and not self._is_stopping:
            self._loading += 1
            task = self._spawn(self._load_lane(*wanted), f"dispatcher lane {wanted[0]}")
            task.add_done_callback(self._lane_loaded)

    def _lane_loaded(self, task: asyncio.Task[None]) -> None:
        self._loading -= 1
        self._pump()

    async def _load_lane(self, lane: str, after: int) -> None:
        rows = await self._reader.pending(after, LANE_SIZE, lane)
        self._follow(self._lanes.loaded(lane, rows))

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

    async def _wait_due(self) -> None:
        """Wake retries when they are due."""
        while True:
            due = self._lanes.next_due()
            seconds = None if due is None else max(0.0, (due - now()) / 1e6)
            try:
                async with asyncio.timeout(seconds):
                    await self._wake_due.wait()
            except TimeoutError:
                pass
            self._wake_due.clear()
            self._lanes.take_due(now())
            self._pump()

    async def _watch(self) -> None:
        """While anything runs: store the lines of long runs, hold runs to their limits, give up what does not stop."""
        loop = asyncio.get_running_loop()
        flushed = loop.time()
        while True:
            await self._has_running.wait()
            await asyncio.sleep(self._tick)
            if not self._running:
                self._has_running.clear()
                self._watchdog.set_busy(False)
                self._tick = FLUSH_SECONDS
            moment = loop.time()
            must_flush = moment - flushed >= FLUSH_SECONDS
            flushed = moment if must_flush else flushed
            for run in list(self._running.values()):
                if must_flush and run.capture.has_ready and not run.is_over:
                    self._journal.post(LogEntries(run.capture.take(), _ignore))
                given_up = None if run.is_over else run.check_limits(moment)
                if given_up is not None:
                    self._give_up(run, given_up)

    def _blame(self, name: str, message: str) -> None:
        """From the watchdog's thread: tell the run that blocks the loop, in its own log."""
        for run in list(self._running.values()):
            if not run.is_over and name == _task_name(run.claimed.result):
                run.capture.add(LogLevel.WARNING, message, "watchdog", None, "")

    def _give_up(self, run: Run, stopped: RunStopped) -> None:
        """End a run that does not stop; its task is cancelled once more and left to itself."""
        name = run.task.get_name()
        self.stuck.append(name)
        where = (
            "its thread cannot be ended and keeps its place" if run.control.is_in_thread else "it ignores cancelling"
        )
        _log.error("%s was told to stop and did not: %s", name, where)
        text = f"{stopped.text}; the receiver was told to stop and did not: {where}"
        run.capture.add(LogLevel.FAILURE, text, "outcome", None, "")
        self._end(run, _outcome(run.claimed.result, stopped.status, text))
        run.task.cancel()


@asynccontextmanager
async def _entered(context: AbstractContextManager[Any]) -> AsyncIterator[None]:
    """A plain context manager among async ones."""
    with context:
        yield


def _task_name(result: JobResult) -> str:
    return f"job {result.number} {result.job}"


def _outcome(result: JobResult, status: JobResultStatus, error: str) -> Outcome:
    return Outcome(number=result.number, attempt=result.attempt, status=status, ended_at=now(), error=error)


def _ignore(_: Any) -> None:
    """Nobody waits for this answer; the recorder logs what it refuses."""
