"""The runs of this process: started, held to their limits, their lines stored while they go on, ended, given up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from buttonhook.capture import NOTE_LOGGER, JobCapture
from buttonhook.dispatcher.runs import Run, tick_seconds
from buttonhook.ids import JobResultStatus, LogLevel, now
from buttonhook.permissions import may_start, user_of
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, Job, JobLogEntry, JobResult, Outcome
from buttonhook.registry import Registry
from buttonhook.steering import RunControl, RunStopped
from buttonhook.watchdog import Watchdog
from buttonhook.work import Finish, LogEntries, Piece

LATE_SEQ: Final = 1_000_000_000
"""Where the notes about late outcomes begin: behind every line their attempt can have."""
FLUSH_SECONDS: Final = 0.5
CLOSE_SECONDS: Final = 5.0
"""How long runs may take to end when the dispatcher closes."""

OnEnd = Callable[[JobResult, Outcome | None], None]
"""Called when a run's place is free: with its outcome once that is committed, with None where it was not applied."""

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


class Running:
    """All attempts that run now. Methods belong to the loop's thread but for the watchdog's own call."""

    def __init__(self, registry: Registry, journal: Journal, runner: Runs, limits: Limits, on_end: OnEnd) -> None:
        self._registry = registry
        self._journal = journal
        self._runner = runner
        self._limits = limits
        self._on_end = on_end
        self._runs: dict[int, Run] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.close_seconds = CLOSE_SECONDS
        """How long runs may take to end when they are cancelled at the close."""
        self._has_runs = asyncio.Event()
        self._tick = FLUSH_SECONDS
        self._is_stopping = False
        self._watchdog = Watchdog(asyncio.get_running_loop(), self._blame)
        self._stuck: dict[asyncio.Task[None], RunControl | None] = {}

    @property
    def stuck(self) -> list[str]:
        """Runs that did not end when they were told to; their tasks or threads are still there."""
        self._stuck = {
            task: control
            for task, control in self._stuck.items()
            if not task.done() or (control is not None and control.is_in_thread)
        }
        return [task.get_name() for task in self._stuck]

    def __len__(self) -> int:
        return len(self._runs)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Watch over the runs for as long as the block lasts; at its end what still runs is cancelled."""
        watch = asyncio.create_task(self._watch(), name="dispatcher watch")
        watch.add_done_callback(_tell_failure)
        try:
            with self._watchdog.watching():
                yield
        finally:
            self._is_stopping = True
            watch.cancel()
            await self._close()

    def start(self, claimed: ClaimedResult) -> None:
        """Run one attempt. What is started while this closes is put back, for the next start to take up."""
        result = claimed.result
        options = self._registry.options(result.job)
        capture = JobCapture(
            *(result.number, result.attempt, options.log_level, self._limits.log_lines, self._limits.log_bytes),
            redactor=self._registry.redactor,
        )
        run = Run(claimed, options, capture, asyncio.get_running_loop().time())
        if self._is_stopping:
            self._put_back(run, has_begun=False)
            self._on_end(result, None)
            return
        self._runs[result.number] = run
        self._tick = min(self._tick, tick_seconds(options))
        if not self._has_runs.is_set():
            self._has_runs.set()
            self._watchdog.set_busy(True)
        refusal = self._refusal(claimed)
        if refusal is not None:
            refusal = self._registry.redactor.redact(refusal)
            capture.add(LogLevel.WARNING, f"Not run: {refusal}", "outcome", None, "")
            self._end(run, _outcome(result, JobResultStatus.REVOKED, refusal))
            return
        run.task = asyncio.create_task(self._run(run), name=_task_name(result))
        self._tasks.add(run.task)
        run.task.add_done_callback(self._task_ended)

    def _refusal(self, claimed: ClaimedResult) -> str | None:
        """Why a result may not run now: what was asked when it was ordered is asked again when it starts."""
        result = claimed.result
        job = self._registry.find(Job, result.job)
        about = claimed.stored or result.object_type
        if job is not None and (job.kind == "hook") != (result.kind == "hook"):
            return f"job {job.name!r} is a job {job.kind} receiver now"
        if result.kind == "button":
            user = user_of(self._registry, result.user_name)
            reason = may_start(user, "press a job button", job, about)
            if reason is not None:
                return reason
        elif result.rerun_by is not None:
            reason = may_start(user_of(self._registry, result.rerun_by), "rerun a job result", result, job, about)
            if reason is not None:
                return reason
        if result.run_as == "author":
            reason = may_start(user_of(self._registry, result.user_name), "fire a job hook as its author", job)
            if reason is not None:
                return f"its hook runs with its author's permission, and {reason}"
        return None

    def cancel(self, number: int, reason: str) -> bool:
        """Tell a run to stop; False when it does not run here."""
        run = self._runs.get(number)
        if run is None or run.waits_again:
            return False
        run.stop(RunStopped(JobResultStatus.REVOKED, reason), asyncio.get_running_loop().time())
        return True

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        _tell_failure(task)

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
            self._note_late(run, outcome)
        else:
            self._end(run, outcome)

    def _put_back(self, run: Run, *, has_begun: bool = True) -> None:
        """A run that a closing dispatcher cut off waits again, no failure and no crash, unless its job forbids that."""
        run.is_over = True
        result = run.claimed.result
        if run.options.rerun_on_crash or not has_begun:
            text = "Stopped with the process; it is run again"
            outcome = Outcome(
                number=result.number, attempt=result.attempt, status=JobResultStatus.PENDING, ended_at=None
            )
        else:
            text = "interrupted: stopped with the process, and the job forbids that it is run again"
            outcome = _outcome(result, JobResultStatus.FAILURE, text)
        run.capture.add(LogLevel.WARNING, text, "outcome", None, "")
        self._runs.pop(result.number, None)
        self._journal.post(Finish(outcome, run.capture.close(), _ignore))

    def _end(self, run: Run, outcome: Outcome) -> None:
        """Post the outcome of a run with the rest of its log; its place and lane are free after the commit."""
        result = run.claimed.result
        run.is_over = True
        run.waits_again = outcome.status is JobResultStatus.RETRY

        def done(applied: Any) -> None:
            self._runs.pop(result.number, None)
            if applied is not True:
                self._note_late(run, outcome)
            self._on_end(result, outcome if applied is True else None)

        finish = Finish(outcome, run.capture.close(), done)
        finish.result = result
        self._journal.post(finish)

    def _note_late(self, run: Run, outcome: Outcome) -> None:
        """Keep the outcome of an attempt that was over already as a line of its log."""
        result = run.claimed.result
        _log.warning("The outcome of job result %s attempt %d came too late", result.id, result.attempt)
        entry = JobLogEntry(
            number=result.number,
            attempt=result.attempt,
            seq=LATE_SEQ + run.late_notes,
            time=now(),
            level=LogLevel.WARNING,
            grouping="outcome",
            message=f"This attempt ended as {outcome.status.value} when it was over already: that was not applied",
            logger=NOTE_LOGGER,
        )
        run.late_notes += 1
        self._journal.post(LogEntries([entry], _ignore))

    async def _close(self) -> None:
        """Cancel everything and wait a while; what does not end is named and left behind."""
        runs = list(self._runs.values())
        for run in runs:
            run.control.is_closing = True
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            _, left = await asyncio.wait(tasks, timeout=self.close_seconds)
            for task in left:
                self._stuck.setdefault(task, None)
                _log.error("%s did not end when it was cancelled and is left behind", task.get_name())
        for run in [each for each in runs if each.control.is_in_thread]:
            self._stuck[run.task] = run.control
            _log.error("%s did not end when it was cancelled: its thread is left behind", run.task.get_name())
        for run in [each for each in self._runs.values() if not each.is_over and each.task.done()]:
            self._put_back(run, has_begun=False)  # cancelled before its first step

    async def _watch(self) -> None:
        """While anything runs: store the lines of long runs, hold runs to their limits, give up what does not stop."""
        loop = asyncio.get_running_loop()
        flushed = loop.time()
        while True:
            await self._has_runs.wait()
            await asyncio.sleep(self._tick)
            if not self._runs:
                self._has_runs.clear()
                self._watchdog.set_busy(False)
                self._tick = FLUSH_SECONDS
            moment = loop.time()
            must_flush = moment - flushed >= FLUSH_SECONDS
            flushed = moment if must_flush else flushed
            for run in list(self._runs.values()):
                if must_flush and run.capture.has_ready and not run.is_over:
                    self._journal.post(LogEntries(run.capture.take(), _ignore))
                given_up = None if run.is_over else run.check_limits(moment)
                if given_up is not None:
                    self._give_up(run, given_up)

    def _blame(self, name: str, message: str) -> None:
        """From the watchdog's thread: tell the run that blocks the loop, in its own log."""
        for run in list(self._runs.values()):
            if not run.is_over and name == _task_name(run.claimed.result):
                run.capture.add(LogLevel.WARNING, message, "watchdog", None, "")

    def _give_up(self, run: Run, stopped: RunStopped) -> None:
        """End a run that does not stop; its task is cancelled once more and left to itself."""
        name = run.task.get_name()
        self._stuck[run.task] = run.control
        where = (
            "its thread cannot be ended and keeps its place" if run.control.is_in_thread else "it ignores cancelling"
        )
        _log.error("%s was told to stop and did not: %s", name, where)
        text = f"{stopped.text}; the receiver was told to stop and did not: {where}"
        run.capture.add(LogLevel.FAILURE, text, "outcome", None, "")
        self._end(run, _outcome(run.claimed.result, stopped.status, text))
        run.task.cancel()


def _tell_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed", task.get_name(), exc_info=task.exception())


def _task_name(result: JobResult) -> str:
    return f"job {result.number} {result.job}"


def _outcome(result: JobResult, status: JobResultStatus, error: str) -> Outcome:
    return Outcome(number=result.number, attempt=result.attempt, status=status, ended_at=now(), error=error)


def _ignore(_: Any) -> None:
    """Nobody waits for this answer; the recorder logs what it refuses."""
