"""The runner: runs exactly one attempt of one job result and says how it ended.

It never raises but for its own cancellation: whatever a receiver does, `sys.exit()` and a cancellation it raised itself
included, is that receiver's outcome.
"""

import asyncio
import random
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from buttonhook import documents
from buttonhook.capture import JobCapture, current_capture
from buttonhook.documents import clean
from buttonhook.errors import ButtonhookError, GiveUp, InvalidDocument, RetryLater, SoftTimeLimitExceeded
from buttonhook.ids import JobResultStatus, LogLevel, Microseconds, now
from buttonhook.life_cycle import LifeCycle, is_bare
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.keys import subject
from buttonhook.objects.session import current_session
from buttonhook.objects.tracked import AnyObject, build
from buttonhook.objects.types import ObjectType
from buttonhook.permissions import user_of
from buttonhook.receivers.base import Enqueuer, Receiver, RunContext
from buttonhook.receivers.logger import JobLogger
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, JobResult, Origin, Outcome
from buttonhook.redaction import shown
from buttonhook.registry import Registry
from buttonhook.sessions import StoreSession
from buttonhook.steering import RunControl, RunStopped

MAX_RESULT: Final = 64_000
MAX_ERROR: Final = 2_000
MAX_TRACEBACK: Final = 64_000
RETRIES_ON_REQUEST: Final = 10
"""How often `RetryLater` is followed where the job sets no `retries`."""
MAX_BACKOFF_SECONDS: Final = 3600.0
_OUTCOME: Final = {"grouping": "outcome"}

OpenSession = Callable[[Origin, tuple[int, int]], StoreSession]


class Runner:
    """Runs attempts. `threads` limits how many plain `def` receivers run at once."""

    def __init__(self, registry: Registry, open_session: OpenSession, enqueuer: Enqueuer, threads: int) -> None:
        self.registry = registry
        self.open_session = open_session
        self.enqueuer = enqueuer
        self._threads = anyio.CapacityLimiter(threads)
        self._unlimited = anyio.CapacityLimiter(float("inf"))

    def run(
        self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture, control: RunControl
    ) -> Coroutine[Any, Any, Outcome]:
        """Run one attempt; its lines go to `capture`, and it ends when `control` says so.

        The coroutine is to be run in a context of its own.
        """
        return _Attempt(self, claimed, receiver, capture, control).run()

    async def call_in_thread(self, call: Callable[[], Any], control: RunControl) -> Any:
        """Call in a worker thread; its place is free when the thread ends, even if nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        place = object()
        await self._threads.acquire_on_behalf_of(place)
        unbegun = [place]
        """Emptied by whoever comes first: the thread that begins, or the cancellation that keeps it from beginning."""

        def guarded() -> tuple[bool, Any]:
            if not _taken_from(unbegun):
                return False, None
            control.enter_thread()
            try:
                return True, call()
            except BaseException as exc:  # noqa: BLE001 - carried over to the loop, where it is judged
                return False, exc
            finally:
                control.leave_thread()
                try:
                    loop.call_soon_threadsafe(self._threads.release_on_behalf_of, place)
                except RuntimeError:  # the loop has been closed: there are no places any more
                    return False, None

        try:
            went_well, answer = await anyio.to_thread.run_sync(guarded, limiter=self._unlimited, abandon_on_cancel=True)
        except BaseException:
            if _taken_from(unbegun):
                self._threads.release_on_behalf_of(place)
            raise
        if not went_well:
            raise answer
        return answer


class _Attempt:
    """One attempt: its life cycle from the first log line to the outcome."""

    __slots__ = ("_capture", "_claimed", "_context", "_control", "_receiver", "_runner", "_session")

    def __init__(
        self, runner: Runner, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture, control: RunControl
    ) -> None:
        self._runner = runner
        self._claimed = claimed
        self._receiver = receiver
        self._capture = capture
        self._control = control
        result, registry = claimed.result, runner.registry
        self._session = runner.open_session(origin_of(result, receiver), (result.number, result.attempt))
        self._context = RunContext(
            JobLogger(receiver.id, capture),
            user_of(registry, result.user_name),
            result,
            self._session,
            runner.enqueuer,
            registry.plugin_settings.get(receiver.plugin),
        )

    async def run(self) -> Outcome:
        receiver, context = self._receiver, self._context
        current_capture.set(self._capture)
        current_session.set(self._session)
        context.logger.frame(LogLevel.INFO, "Running job", "initialization")
        stages: LifeCycle | None = None
        try:
            self._control.begin()
            if receiver.is_async or receiver.cls.__init__ is object.__init__:
                instance = self._instance()
            else:  # a plain receiver's own `__init__` may block
                instance = await self._runner.call_in_thread(self._instance, self._control)
            method = getattr(instance, instance.METHOD)
            if receiver.is_async and is_bare(instance):
                returned = await method(**self._arguments())
            else:
                stages = LifeCycle(instance, self._call, context.job_result.id)
                returned = await stages.run(method, self._arguments())
            unawaited = self._session.never_awaited()
            if unawaited is not None:
                raise unawaited
            if stages is not None:
                await stages.succeed(returned)
        except BaseException as exc:
            if _is_foreign_cancel(exc, self._control):
                raise
            return await self._failed(context.job_result, stages, _meant(exc, self._control))
        return self._ended(returned) if stages is None else await self._ended_in_stages(returned, stages)

    def _ended(self, returned: Any) -> Outcome:
        """The outcome of an attempt out of which no exception came."""
        context, result = self._context, self._context.job_result
        value = None if returned is None else self._kept(returned)
        status, error = JobResultStatus.SUCCESS, None
        if context.failed is None:
            context.logger.frame(LogLevel.SUCCESS, "Job completed", "post_run")
        else:
            status, error = JobResultStatus.FAILURE, self._shown(context.failed)
        return Outcome(
            number=result.number, attempt=result.attempt, status=status, ended_at=now(), result=value, error=error
        )

    async def _ended_in_stages(self, returned: Any, stages: LifeCycle) -> Outcome:
        status = JobResultStatus.SUCCESS if self._context.failed is None else JobResultStatus.FAILURE
        try:
            await stages.end(status, returned)
        except BaseException as exc:
            if _is_foreign_cancel(exc, self._control):
                raise
            return self._failure(self._context.job_result, _meant(exc, self._control))
        return self._ended(returned)

    def _instance(self) -> Receiver:
        cls = self._receiver.cls
        instance = cls.__new__(cls)
        instance._run = self._context
        instance.__init__()  # type: ignore[misc] # so that __init__ may log already
        return instance

    def _arguments(self) -> dict[str, Any]:
        claimed, result, registry = self._claimed, self._claimed.result, self._runner.registry
        type_ = registry.find_type(result.object_type) or ObjectType(result.object_type)
        current = None if claimed.stored is None else build(type_, claimed.stored, self._session)
        if current is not None and current.invalid and not self._receiver.meta.free_documents:
            raise _outdated(type_, current)
        if result.kind == "hook":
            if not claimed.changes:
                raise _Gone(f"the change {result.change_ids} that fired this run is no longer recorded")
            change = ObjectChange(claimed.changes[-1], type_)
            return {"change": change, "action": change.action, "changed_object": current}
        if current is None:
            raise _Gone(f"{result.object_type} {result.object_pk!r} does not exist any more")
        return {"obj": current}

    async def _call(self, method: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call one method of the receiver: on the loop when it is async, else in a worker thread."""
        if asyncio.iscoroutinefunction(method):
            return await method(**arguments)
        answer = await self._runner.call_in_thread(lambda: method(**arguments), self._control)
        return await answer if asyncio.iscoroutine(answer) else answer

    @property
    def _options(self) -> JobMeta:
        return self._runner.registry.options(self._receiver.id)

    async def _failed(self, result: JobResult, stages: LifeCycle | None, exc: BaseException) -> Outcome:
        """The outcome of an exception: another attempt, or the end of the life cycle."""
        retry = self._retry(result, exc)
        if retry is not None:
            return retry
        outcome = self._failure(result, exc)
        if stages is not None and not isinstance(exc, RunStopped):
            try:
                await stages.fail(exc)
                await stages.end(outcome.status, exc)
            except BaseException as also:
                if _is_foreign_cancel(also, self._control):
                    raise
                self._context.logger.exception("after_return() itself failed", extra=_OUTCOME)
        return outcome

    def _retry(self, result: JobResult, exc: BaseException) -> Outcome | None:
        """A further attempt, where the job's options or the exception ask for one."""
        if isinstance(exc, GiveUp | RunStopped | _Gone):
            return None
        most = self._options.retries
        if isinstance(exc, RetryLater):
            most = most or RETRIES_ON_REQUEST
        failed = result.failures + 1
        if failed > most:
            return None
        delay = exc.delay if isinstance(exc, RetryLater) and exc.delay is not None else self._backoff(failed)
        self._context.logger.warning(
            "Attempt %d failed: %s. Trying again in %.3g s (%d of %d retries)",
            *(result.attempt, _describe(exc), delay, failed, most),
            extra=_OUTCOME,
        )
        return Outcome(
            number=result.number,
            attempt=result.attempt,
            status=JobResultStatus.RETRY,
            ended_at=None,
            due_at=Microseconds(now() + int(delay * 1e6)),
            error=self._shown(_describe(exc)),
            traceback=self._traceback(exc),
        )

    def _backoff(self, failed: int) -> float:
        """Exponential, with jitter of a quarter to either side, an hour at most."""
        seconds = self._options.retry_backoff * 2.0 ** min(failed - 1, 60)
        return min(MAX_BACKOFF_SECONDS, seconds) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter, no secret

    def _failure(self, result: JobResult, exc: BaseException) -> Outcome:
        error = _describe(exc)
        self._context.logger.log(LogLevel.FAILURE, "%s", error, extra=_OUTCOME)
        return Outcome(
            number=result.number,
            attempt=result.attempt,
            status=exc.status if isinstance(exc, RunStopped) else JobResultStatus.FAILURE,
            ended_at=now(),
            error=self._shown(error),
            traceback=None if isinstance(exc, _Gone | RunStopped) else self._traceback(exc),
        )

    def _shown(self, error: str) -> str:
        return self._capture.redactor.head(clean(error), MAX_ERROR)[:MAX_ERROR]

    def _traceback(self, exc: BaseException) -> str:
        """As `_traceback_text`, redacted; of a long one the beginning and the end."""
        text, half = clean(_traceback_text(exc)), MAX_TRACEBACK // 2
        if len(text) <= MAX_TRACEBACK:
            return self._capture.redactor.redact(text)[:MAX_TRACEBACK]
        return (
            f"{self._capture.redactor.head(text, half)[:half]}\n...\n{self._capture.redactor.tail(text, half)[-half:]}"
        )

    def _kept(self, returned: Any) -> str | None:
        """The returned value as JSON text; what cannot be kept is told in the log."""
        logger, kind = self._context.logger, type(returned).__name__
        if self._options.has_sensitive_variables:
            logger.info("The returned %s was not kept: Meta.has_sensitive_variables is set", kind, extra=_OUTCOME)
            return None
        try:
            value = _listed(msgspec.to_builtins(returned, str_keys=True, enc_hook=shown))
            documents.check(value, "the returned value")
            text = documents.encode(self._capture.redactor.redact_value(value))
        except (TypeError, ValueError, NotImplementedError, RecursionError, InvalidDocument) as exc:
            logger.warning("The returned %s was not kept: %s", kind, exc, extra=_OUTCOME)
            return None
        if len(text) > MAX_RESULT:
            logger.warning(
                "The returned value was not kept: its %s bytes are more than %s", len(text), MAX_RESULT, extra=_OUTCOME
            )
            return None
        return text


class _Gone(ButtonhookError):
    """What the run is about is not there any more, or not in a form that the receiver takes."""


def _outdated(type_: ObjectType, current: AnyObject) -> _Gone:
    """Why a receiver that takes no free documents is not given this object, and what to do."""
    name = subject(current.object_type, current.pk)
    reasons = "; ".join(map(str, current.invalid))
    cure = "Install the package that declares the type"
    if type_.is_installed:
        cure = f"Mend it with: buttonhook objects put {current.object_type} {current.pk} --set FIELD=VALUE"
    return _Gone(f"{name} was not given to the receiver, for its type does not accept it: {reasons}. {cure}")


def origin_of(result: JobResult, receiver: ReceiverType) -> Origin:
    """Who writes what this run writes. A run that a job hook caused counts as the hook's, however far down."""
    return Origin(
        user_name=result.user_name,
        context="job-hook" if result.is_hooks else "job",
        detail=receiver.id,
        request_id="",
        cause=result.id,
        root=result.root or result.id,
        depth=result.depth + 1,
        is_hooks=result.is_hooks,
        chain=result.chain,
    )


def _taken_from(tickets: list[object]) -> bool:
    """Take the only ticket; False when it is gone. Safe between threads: `pop` is one step."""
    try:
        tickets.pop()
    except IndexError:
        return False
    return True


def _is_foreign_cancel(exc: BaseException, control: RunControl) -> bool:
    """Whether the dispatcher is closing: a cancellation that neither the receiver nor `control` ordered."""
    return isinstance(exc, asyncio.CancelledError) and control.stopped is None and control.is_closing


def _meant(exc: BaseException, control: RunControl) -> BaseException:
    """What was meant by an exception that came out of a run: threads raise stops and limits without their texts."""
    if control.stopped is not None and isinstance(exc, RunStopped | asyncio.CancelledError):
        return control.stopped
    if control.soft is not None and isinstance(exc, SoftTimeLimitExceeded):
        return control.soft.with_traceback(exc.__traceback__)
    task = asyncio.current_task()
    if isinstance(exc, asyncio.CancelledError) and task is not None and task.cancelling():
        while task.uncancel():  # the life cycle goes on: timeouts in it must not take the task for cancelled
            pass
        return asyncio.CancelledError("the receiver cancelled its own task").with_traceback(exc.__traceback__)
    return exc


def _describe(exc: BaseException) -> str:
    try:
        message = str(exc)
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        message = "(its message cannot be shown)"
    if isinstance(exc, _Gone | RunStopped | RetryLater | GiveUp):
        return message
    return f"{type(exc).__name__}: {message}" if message else type(exc).__name__


def _traceback_text(exc: BaseException) -> str:
    """The traceback from the receiver's own code on; our frames above it tell its author nothing."""
    frame = exc.__traceback__
    while frame is not None and frame.tb_next is not None and _is_ours(frame.tb_frame.f_globals.get("__name__", "")):
        frame = frame.tb_next
    try:
        text = "".join(traceback.format_exception(type(exc), exc, frame))
    except Exception:  # noqa: BLE001 - an exception that cannot be shown
        text = f"{type(exc).__name__} (its traceback cannot be shown)"
    return text


def _is_ours(module: str) -> bool:
    return module.startswith(("buttonhook.", "anyio.", "asyncio."))


def _listed(value: Any) -> Any:
    """A value with lists where it had tuples."""
    if isinstance(value, dict):
        return {key: _listed(member) for key, member in value.items()}
    return [_listed(member) for member in value] if isinstance(value, list | tuple) else value
