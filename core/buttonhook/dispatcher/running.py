"""The runs of this process: started, held to their limits, their lines stored while they go on, ended, given up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol

from buttonhook.capture import NOTE_LOGGER, JobCapture
from buttonhook.dispatcher.carriers import Carriers
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

    def run(
        self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture, control: RunControl
    ) -> Coroutine[Any, Any, Outcome]: ...


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
        self._loop = asyncio.get_running_loop()
        self._carriers = Carriers(self._loop, self._begin, self._ended)
        self.close_seconds = CLOSE_SECONDS
        """How long runs may take to end when they are cancelled at the close."""
        self._has_runs = asyncio.Event()
        self._tick = FLUSH_SECONDS
        self._is_stopping = False
        self._watchdog = Watchdog(self._loop, self._blame)
        self._stuck: list[Run] = []

    @property
    def stuck(self) -> list[str]:
        """Runs that did not end when they were told to; their tasks or threads are still there."""
        return [run.name for run in self._stuck if run.is_there]

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
        options, limits = self._registry.options(result.job), self._limits
        level, redactor = options.log_level, self._registry.redactor
        capture = JobCapture(result.number, result.attempt, level, limits.log_lines, limits.log_bytes, redactor)
        run = Run(claimed, options, capture)
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
            self._finish(run, _outcome(result, JobResultStatus.REVOKED, refusal))
            return
        self._carriers.add(run)

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
        run.stop_once(RunStopped(JobResultStatus.REVOKED, reason), self._loop.time())
        return True

    def _begin(self, run: Run) -> Coroutine[Any, Any, Outcome]:
        run.began = self._loop.time()
        return self._runner.run(run.claimed, self._registry.receivers[run.claimed.result.job], run.capture, run)

    def _ended(self, run: Run, outcome: Outcome | BaseException) -> None:
        if isinstance(outcome, BaseException):
            if self._is_stopping and not run.is_over:
                self._put_back(run)
                return
            text = "CancelledError: the receiver cancelled its own task"
            outcome = _outcome(run.claimed.result, JobResultStatus.FAILURE, text)
            if not run.is_over:
                run.capture.add(LogLevel.FAILURE, text, "outcome", None, "")
        if run.is_over:
            self._note_late(run, outcome)
        else:
            self._finish(run, outcome)

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

    def _finish(self, run: Run, outcome: Outcome) -> None:
        """Post the outcome of a run with the rest of its log; its place and lane are free after the commit."""
        result = run.claimed.result
        run.is_over = True
        run.waits_again = outcome.status is JobResultStatus.RETRY
        done = partial(self._stored, run, outcome)
        self._journal.post(Finish(outcome, run.capture.close(), done, result=result))

    def _stored(self, run: Run, outcome: Outcome, applied: Any) -> None:
        """The outcome of a run is committed, or was not applied."""
        result = run.claimed.result
        self._runs.pop(result.number, None)
        if applied is not True:
            self._note_late(run, outcome)
        self._on_end(result, outcome if applied is True else None)

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
        for run in self._carriers.give_back():
            self._put_back(run, has_begun=False)
        runs = list(self._runs.values())
        for run in runs:
            run.is_closing = True
        for task in self._carriers.tasks:
            task.cancel()
        if self._carriers.tasks:
            await asyncio.wait(self._carriers.tasks, timeout=self.close_seconds)
        self._stuck.extend(run for run in runs if run not in self._stuck)
        for run in self._stuck:
            if run.is_there:
                where = ": its thread" if run.is_in_thread else " and"
                _log.error("%s did not end when it was cancelled%s is left behind", run.name, where)

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
            if not run.is_over and name == run.name:
                run.capture.add(LogLevel.WARNING, message, "watchdog", None, "")

    def _give_up(self, run: Run, stopped: RunStopped) -> None:
        """End a run that does not stop; its task is cancelled once more and left to itself."""
        where = "its thread cannot be ended and keeps its place" if run.is_in_thread else "it ignores cancelling"
        _log.error("%s was told to stop and did not: %s", run.name, where)
        text = f"{stopped.text}; the receiver was told to stop and did not: {where}"
        run.capture.add(LogLevel.FAILURE, text, "outcome", None, "")
        self._finish(run, _outcome(run.claimed.result, stopped.status, text))
        self._stuck = [each for each in self._stuck if each.is_there] + [run]
        if run.task is not None:
            run.task.cancel()


def _tell_failure(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s failed", task.get_name(), exc_info=task.exception())


def _outcome(result: JobResult, status: JobResultStatus, error: str) -> Outcome:
    return Outcome(number=result.number, attempt=result.attempt, status=status, ended_at=now(), error=error)


def _ignore(_: Any) -> None:
    """Nobody waits for this answer; the recorder logs what it refuses."""
