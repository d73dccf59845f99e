"""The runner: runs exactly one attempt of one job result and says how it ended.

It never raises but for its own cancellation: whatever a receiver does, `sys.exit()` and a cancellation it raised itself
included, is that receiver's outcome.
"""

import asyncio
import random
import traceback
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import anyio
import anyio.to_thread
import msgspec

from buttonhook import documents
from buttonhook.capture import JobCapture, current_capture
from buttonhook.documents import clean
from buttonhook.errors import ButtonhookError, GiveUp, InvalidDocument, RetryLater, SoftTimeLimitExceeded
from buttonhook.ids import JobResultStatus, LogLevel, Microseconds, ObjectChangeAction, now
from buttonhook.life_cycle import LifeCycle
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.keys import subject
from buttonhook.objects.session import current_session
from buttonhook.objects.tracked import AnyObject, build
from buttonhook.objects.types import ObjectType
from buttonhook.permissions import user_of
from buttonhook.receivers.base import Enqueue, Receiver, RunContext
from buttonhook.receivers.logger import JobLogger
from buttonhook.receivers.meta import JobMeta
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, JobResult, Origin, Outcome
from buttonhook.redaction import Redactor, shown
from buttonhook.registry import Registry
from buttonhook.sessions import StoreSession
from buttonhook.steering import RunControl, RunStopped, steered

MAX_RESULT: Final = 64_000
MAX_ERROR: Final = 2_000
MAX_TRACEBACK: Final = 64_000
RETRIES_ON_REQUEST: Final = 10
"""How often `RetryLater` is followed where the job sets no `retries`."""
MAX_BACKOFF_SECONDS: Final = 3600.0
_OUTCOME: Final = {"grouping": "outcome"}

OpenSession = Callable[[Origin, tuple[int, int]], StoreSession]


class Enqueuer(Protocol):
    """Makes the `enqueue` of one run."""

    def for_run(self, result: JobResult) -> Enqueue: ...


class Runner:
    """Runs attempts. `threads` limits how many plain `def` receivers run at once."""

    def __init__(self, registry: Registry, open_session: OpenSession, enqueuer: Enqueuer, threads: int) -> None:
        self._registry = registry
        self._open_session = open_session
        self._enqueuer = enqueuer
        self._threads = anyio.CapacityLimiter(threads)
        self._unlimited = anyio.CapacityLimiter(float("inf"))

    async def run(
        self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture, control: RunControl
    ) -> Outcome:
        """Run one attempt; its lines go to `capture`, and it ends when `control` says so."""
        result = claimed.result
        session = self._open_session(origin_of(result, receiver), (result.number, result.attempt))
        user = user_of(self._registry, result.user_name)
        logger = JobLogger(receiver.id, capture)
        context = RunContext(logger, user, result, session, self._enqueuer.for_run(result))
        context.settings = self._registry.plugin_settings.get(receiver.plugin)
        capture_token, session_token = current_capture.set(capture), current_session.set(session)
        options = self._registry.options(receiver.id)
        attempt = _Attempt(options, context, control, session, self._call_in_thread, self._registry.redactor)
        try:
            return await attempt.run(claimed, receiver, lambda: self._arguments(claimed, receiver, session))
        finally:
            current_capture.reset(capture_token)
            current_session.reset(session_token)

    async def _call_in_thread(self, call: Callable[[], Any], control: RunControl) -> Any:
        """Call in a worker thread; its place is free when the thread ends, even if nobody waits for it any more."""
        loop = asyncio.get_running_loop()
        place = object()
        await self._threads.acquire_on_behalf_of(place)

        def guarded() -> tuple[bool, Any]:
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

        went_well, answer = await anyio.to_thread.run_sync(guarded, limiter=self._unlimited, abandon_on_cancel=True)
        if not went_well:
            raise answer
        return answer

    def _arguments(self, claimed: ClaimedResult, receiver: ReceiverType, session: StoreSession) -> dict[str, Any]:
        result = claimed.result
        type_ = self._registry.find_type(result.object_type) or ObjectType(result.object_type)
        current = None if claimed.stored is None else build(type_, claimed.stored, session)
        if current is not None and current.invalid and not receiver.meta.free_documents:
            raise _outdated(type_, current)
        if result.kind == "hook":
            if not claimed.changes:
                raise _Gone(f"the change {result.change_ids} that fired this run is no longer recorded")
            change = ObjectChange(claimed.changes[-1], type_)
            return {"change": change, "action": ObjectChangeAction(change.action), "changed_object": current}
        if current is None:
            raise _Gone(f"{result.object_type} {result.object_pk!r} does not exist any more")
        return {"obj": current}


InThread = Callable[[Callable[[], Any], RunControl], Coroutine[Any, Any, Any]]


class _Attempt:
    """One attempt: its life cycle from the first log line to the outcome."""

    def __init__(
        self,
        options: JobMeta,
        context: RunContext,
        control: RunControl,
        session: StoreSession,
        in_thread: InThread,
        redactor: Redactor,
    ) -> None:
        self._options = options
        self._context = context
        self._control = control
        self._session = session
        self._in_thread = in_thread
        self._redactor = redactor

    async def run(
        self, claimed: ClaimedResult, receiver: ReceiverType, arguments: Callable[[], dict[str, Any]]
    ) -> Outcome:
        result, logger = claimed.result, self._context.logger
        logger.frame(LogLevel.INFO, "Running job", "initialization")
        cycle: LifeCycle | None = None
        returned: Any = None
        try:
            self._control.begin()
            instance = await self._make(receiver)
            cycle = LifeCycle(instance, self._call, result.id)
            method = getattr(instance, instance.METHOD)
            if cycle.is_bare and receiver.is_async:
                returned = await steered(method(**arguments()), self._control)
            else:
                returned = await steered(cycle.run(method, arguments()), self._control)
            unawaited = self._session.never_awaited()
            if unawaited is not None:
                raise unawaited
            if not cycle.is_bare:
                await steered(cycle.succeed(returned), self._control)
        except BaseException as exc:
            if _is_foreign_cancel(exc, self._control):
                raise
            return await self._failed(result, cycle, _meant(exc, self._control))
        status = JobResultStatus.SUCCESS if self._context.failed is None else JobResultStatus.FAILURE
        try:
            if not cycle.is_bare:
                await steered(cycle.end(status, returned), self._control)
        except BaseException as exc:
            if _is_foreign_cancel(exc, self._control):
                raise
            return self._failure(result, _meant(exc, self._control))
        value = self._kept(returned)
        if status is JobResultStatus.SUCCESS:
            logger.frame(LogLevel.SUCCESS, "Job completed", "post_run")
        error = None if self._context.failed is None else self._shown(self._context.failed)
        return Outcome(
            number=result.number, attempt=result.attempt, status=status, ended_at=now(), result=value, error=error
        )

    async def _make(self, receiver: ReceiverType) -> Receiver:
        """The instance of this attempt; a plain receiver's own `__init__` may block and is run in a thread."""
        if receiver.is_async or receiver.cls.__init__ is object.__init__:
            return _instance(receiver, self._context)
        made: Receiver = await steered(
            self._in_thread(lambda: _instance(receiver, self._context), self._control), self._control
        )
        return made

    async def _call(self, method: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
        """Call one method of the receiver: on the loop when it is async, else in a worker thread."""
        if asyncio.iscoroutinefunction(method):
            return await method(**arguments)
        answer = await self._in_thread(lambda: method(**arguments), self._control)
        return await answer if asyncio.iscoroutine(answer) else answer

    async def _failed(self, result: JobResult, cycle: LifeCycle | None, exc: BaseException) -> Outcome:
        """The outcome of an exception: another attempt, or the end of the life cycle."""
        retry = self._retry(result, exc)
        if retry is not None:
            return retry
        outcome = self._failure(result, exc)
        if cycle is not None and not isinstance(exc, RunStopped):
            try:
                await steered(cycle.fail(exc), self._control)
                await steered(cycle.end(outcome.status, exc), self._control)
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
        return self._redactor.head(clean(error), MAX_ERROR)[:MAX_ERROR]

    def _traceback(self, exc: BaseException) -> str:
        """As `_traceback_text`, redacted; of a long one the beginning and the end."""
        text, half = clean(_traceback_text(exc)), MAX_TRACEBACK // 2
        if len(text) <= MAX_TRACEBACK:
            return self._redactor.redact(text)[:MAX_TRACEBACK]
        return f"{self._redactor.head(text, half)[:half]}\n...\n{self._redactor.tail(text, half)[-half:]}"

    def _kept(self, returned: Any) -> str | None:
        """The returned value as JSON text; what cannot be kept is told in the log."""
        logger, kind = self._context.logger, type(returned).__name__
        if returned is None:
            return None
        if self._options.has_sensitive_variables:
            logger.info("The returned %s was not kept: Meta.has_sensitive_variables is set", kind, extra=_OUTCOME)
            return None
        try:
            value = _listed(msgspec.to_builtins(returned, str_keys=True, enc_hook=shown))
            documents.check(value, "the returned value")
            text = documents.encode(self._redactor.redact_value(value))
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


def _instance(receiver: ReceiverType, context: RunContext) -> Receiver:
    instance = receiver.cls.__new__(receiver.cls)
    instance._run = context
    instance.__init__()  # type: ignore[misc] # so that __init__ may log already
    return instance


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
