"""The dispatcher: turns pending job results into running jobs, within limits, each lane strictly in order.

Results arrive as news from the bus or are loaded from the store; a bounded window of them is held in memory, the rest
stays in the store. A lane's next result is claimed only after the outcome of the one before it was committed; a result
that waits for its retry holds its lane.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from buttonhook.bus.base import Bus
from buttonhook.capture import note_of_refusal
from buttonhook.dispatcher.lanes import LANE_SIZE, Lanes
from buttonhook.dispatcher.running import Journal, Limits, Running, Runs
from buttonhook.errors import StorageLost
from buttonhook.ids import JobResultStatus, Microseconds, now
from buttonhook.records import ClaimedResult, Job, JobResult, Outcome, PendingResult
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader
from buttonhook.work import Claim, Finish

WINDOW: Final = 20_000
LOAD_SIZE: Final = 2_000
STOP_SECONDS: Final = 1.0
"""How long runs may take to end at the close after they had time to end by themselves."""
MAX_CLAIMS: Final = 512
"""Claims on their way: about two batches. More would stand before the outcomes of the runs that they begin, and all
these would gather in memory."""
CLAIM_AGAIN: Final = 1_000_000
"""Microseconds until a claim that was refused is tried again."""

_log = logging.getLogger("buttonhook.dispatcher")


class Dispatcher:
    """Runs what is pending. All methods belong to the loop's thread."""

    def __init__(
        self, registry: Registry, reader: Reader, journal: Journal, bus: Bus, runner: Runs, limits: Limits
    ) -> None:
        self._registry = registry
        self._reader = reader
        self._journal = journal
        self._limits = limits
        self._runs = Running(registry, journal, runner, limits, self._run_ended)
        self._lanes = Lanes()
        self._of_job: Counter[str] = Counter()
        """Claims and runs of each job, for `max_concurrency`."""
        self._crowded: dict[str, deque[PendingResult]] = {}
        self._busy = 0
        self._claiming = 0
        """Claims, and outcomes without a run, that are on their way."""
        self._cursor = 0
        self._announced = 0
        self._is_behind = True
        self._loading = 0
        self._wake_loader = asyncio.Event()
        self._wake_due = asyncio.Event()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self.parked: Counter[str] = Counter()
        """Results that wait because their job is not installed, by job."""
        bus.listen(self.announce)

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Dispatcher"]:
        """Run for as long as the block lasts. At its end nothing new is claimed and what runs is cancelled."""
        async with asyncio.TaskGroup() as tasks, self._runs.open():
            own = [
                tasks.create_task(self._load(), name="dispatcher loader"),
                tasks.create_task(self._wait_due(), name="dispatcher retries"),
            ]
            self._wake_loader.set()
            try:
                yield self
            finally:
                self._is_stopping = True
                for task in (*own, *self._tasks):
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
        return len(self._runs)

    @property
    def stuck(self) -> list[str]:
        """Runs that did not end when they were told to; their tasks or threads are still there."""
        return self._runs.stuck

    @property
    def retries(self) -> int:
        """How many results wait for a retry that is not due yet."""
        return self._lanes.retries

    async def wait_idle(self, retries_within_seconds: float = 60.0) -> None:
        """Return when nothing runs and nothing waits but retries due later than so, and what is behind them."""
        while not self.is_idle:
            due = self._lanes.next_due()
            is_still = not self._is_behind and not self._busy and not self._loading and not self._lanes.ready
            if is_still and due is not None and due > now() + retries_within_seconds * 1e6:
                return
            self._changed.clear()
            await self._changed.wait()

    def stop_claiming(self) -> None:
        """Begin nothing any more; what runs goes on, and has little time left when this closes."""
        self._is_stopping = True
        self._runs.close_seconds = STOP_SECONDS

    async def wait_runs(self) -> None:
        """Return when nothing runs. To be called after `stop_claiming`."""
        while self._busy:
            self._changed.clear()
            await self._changed.wait()

    def cancel(self, number: int, reason: str) -> bool:
        """Tell a run to stop; False when it does not run here."""
        return self._runs.cancel(number, reason)

    def note_ended(self, number: int) -> None:
        """A result that waited was ended by somebody else; if it was a retry, its lane is freed now."""
        self._lanes.hurry(number)
        self._wake_due.set()

    def _accept(self, pending: PendingResult) -> None:
        self._cursor = max(self._cursor, pending.number)
        if self._lanes.is_held_back(pending.number):
            return
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
        most = self._limits.max_running
        while self._lanes.ready and self._busy < most and self._claiming < MAX_CLAIMS and not self._is_stopping:
            pending = self._lanes.take()
            if self._is_crowded(pending):
                self._crowded.setdefault(pending.job, deque()).append(pending)
                continue
            self._busy += 1
            self._claiming += 1
            self._of_job[pending.job] += 1
            job = self._registry.find(Job, pending.job)
            if job is not None and job.enabled:
                self._journal.post(Claim(pending.number, partial(self._claimed, pending)))
            else:
                self._revoke(pending, f"the job {pending.job} was disabled before the run began")
        if self._is_behind and self._lanes.held < WINDOW // 2:
            self._wake_loader.set()
        self._changed.set()

    def _claimed(self, pending: PendingResult, claimed: ClaimedResult | BaseException | None) -> None:
        self._claiming -= 1
        if isinstance(claimed, ClaimedResult):
            self.start(claimed)
            self._pump()
        elif isinstance(claimed, StorageLost):
            self._end(pending)
        elif isinstance(claimed, BaseException):
            _log.error("Job result number %d could not be claimed and is tried again: %s", pending.number, claimed)
            self._wait_again(pending, Microseconds(now() + CLAIM_AGAIN))
        else:
            self._release(pending.job, pending.lane)

    def start(self, claimed: ClaimedResult) -> None:
        """See `work.Admission`."""
        self._runs.start(claimed)

    def reconsider(self) -> None:
        """See `work.Admission`."""
        for job in list(self._crowded):
            self._relieve(job)
        self._pump()

    def _run_ended(self, result: JobResult, outcome: Outcome | None) -> None:
        if outcome is not None and outcome.status is JobResultStatus.RETRY:
            self._wait_again(PendingResult(result.number, result.job, result.lane), outcome.due_at)
        else:
            self._release(result.job, result.lane)

    def _revoke(self, pending: PendingResult, reason: str) -> None:
        reason = self._registry.redactor.redact(reason)
        outcome = Outcome(
            number=pending.number, attempt=0, status=JobResultStatus.REVOKED, ended_at=now(), error=reason
        )
        self._journal.post(
            Finish(
                outcome,
                [note_of_refusal(pending.number, 0, reason)],
                partial(self._revoked, pending),
                was_started=False,
            )
        )

    def _revoked(self, pending: PendingResult, answer: Any) -> None:
        self._claiming -= 1
        if isinstance(answer, StorageLost):
            self._end(pending)
        else:
            self._release(pending.job, pending.lane)

    def _end(self, pending: PendingResult) -> None:
        """Nothing can be written any more, and the app ends: claim nothing, for each would be refused at once."""
        self._is_stopping = True
        self._release(pending.job, pending.lane)

    def _release(self, job: str, lane: str | None) -> None:
        """A claim or run is over: its place and its lane are free."""
        self._busy -= 1
        self._leave(job)
        wanted = self._lanes.release(lane)
        if wanted is not None:
            self._follow(*wanted)
        self._pump()

    def _wait_again(self, pending: PendingResult, due_at: Microseconds | None) -> None:
        """Try a result again when it is due; until then it holds its lane, but no place."""
        self._busy -= 1
        self._leave(pending.job)
        self._lanes.hold_back(PendingResult(pending.number, pending.job, pending.lane, due_at))
        self._wake_due.set()
        self._pump()

    def _leave(self, job: str) -> None:
        """One run of a job fewer: let what waited for that go on."""
        self._of_job[job] -= 1
        if job in self._crowded:
            self._relieve(job)

    def _relieve(self, job: str) -> None:
        """Let as many of a job go on as its limit has room for now; the limit may have been changed."""
        crowded = self._crowded[job]
        most = self._registry.options(crowded[0].job).max_concurrency
        room = min(len(crowded), max(0, most - self._of_job[job])) if most else len(crowded)
        for pending in reversed([crowded.popleft() for _ in range(room)]):
            self._lanes.put_back(pending)
        if not crowded:
            del self._crowded[job]

    def _follow(self, lane: str, after: int) -> None:
        """Load what follows in a lane."""
        if not self._is_stopping:
            self._loading += 1
            task = asyncio.create_task(self._load_lane(lane, after), name=f"dispatcher lane {lane}")
            self._tasks.add(task)
            task.add_done_callback(self._lane_loaded)

    def _lane_loaded(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.critical("%s failed", task.get_name(), exc_info=task.exception())
        self._loading -= 1
        self._pump()

    async def _load_lane(self, lane: str, after: int) -> None:
        asked = self._lanes.asked(lane)
        rows = await self._reader.pending(after, LANE_SIZE, lane)
        wanted = self._lanes.loaded(lane, rows, asked)
        if wanted is not None:
            self._follow(*wanted)

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
