"""The runner: runs exactly one attempt of one job result and says how it ended.

It never raises but for its own cancellation: whatever a receiver does, `sys.exit()` and a cancellation it raised itself
included, is that receiver's outcome.
"""

import asyncio
import traceback
from collections.abc import Callable
from typing import Any, Final

import anyio
import anyio.to_thread
import msgspec

from buttonhook import documents
from buttonhook.capture import JobCapture, clean, current_capture
from buttonhook.errors import ButtonhookError, InvalidDocument
from buttonhook.ids import JobResultStatus, LogLevel, ObjectChangeAction, new_uuid7, now
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.session import current_session
from buttonhook.objects.tracked import build
from buttonhook.objects.types import ObjectType
from buttonhook.permissions import user_of
from buttonhook.receivers.base import Receiver, RunContext
from buttonhook.receivers.logger import JobLogger
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ClaimedResult, JobResult, Origin, Outcome, UserRecord
from buttonhook.registry import Registry
from buttonhook.sessions import StoreSession

MAX_RESULT: Final = 64_000
MAX_ERROR: Final = 2_000
MAX_TRACEBACK: Final = 64_000

OpenSession = Callable[[Origin, tuple[int, int]], StoreSession]


class Runner:
    """Runs attempts. `threads` limits how many plain `def` receivers run at once."""

    def __init__(self, registry: Registry, open_session: OpenSession, threads: int) -> None:
        self._registry = registry
        self._open_session = open_session
        self._threads = anyio.CapacityLimiter(threads)

    async def run(self, claimed: ClaimedResult, receiver: ReceiverType, capture: JobCapture) -> Outcome:
        """Run one attempt; its lines go to `capture`."""
        result = claimed.result
        session = self._open_session(origin_of(result, receiver), (result.number, result.attempt))
        user = user_of(result.user_name, self._registry.find(UserRecord, result.user_name))
        context = RunContext(JobLogger(receiver.id, capture), user, result, session)
        capture_token, session_token = current_capture.set(capture), current_session.set(session)
        try:
            returned = await self._call(claimed, receiver, context, session)
            error = session.never_awaited()
            if error is not None:
                raise error
        except BaseException as exc:
            if isinstance(exc, asyncio.CancelledError) and _is_cancelled():
                raise
            return _failure(result, context, exc)
        finally:
            current_capture.reset(capture_token)
            current_session.reset(session_token)
        return _success(result, context, returned)

    async def _call(
        self, claimed: ClaimedResult, receiver: ReceiverType, context: RunContext, session: StoreSession
    ) -> Any:
        """Make the receiver and call its method on the loop or in a worker thread."""
        arguments = self._arguments(claimed, session)
        if receiver.is_async:
            instance = _instance(receiver, context)
            return await getattr(instance, instance.METHOD)(**arguments)

        def call() -> tuple[bool, Any]:
            try:
                instance = _instance(receiver, context)
                return True, getattr(instance, instance.METHOD)(**arguments)
            except BaseException as exc:  # noqa: BLE001 - carried over to the loop, where it is judged
                return False, exc

        went_well, answer = await anyio.to_thread.run_sync(call, limiter=self._threads)
        if not went_well:
            raise answer
        return await answer if asyncio.iscoroutine(answer) else answer

    def _arguments(self, claimed: ClaimedResult, session: StoreSession) -> dict[str, Any]:
        result = claimed.result
        type_ = self._registry.find_type(result.object_type) or ObjectType(result.object_type)
        current = None if claimed.stored is None else build(type_, claimed.stored, session)
        if result.kind == "hook":
            if not claimed.changes:
                raise _Gone(f"the change {result.change_ids} that fired this run is no longer recorded")
            change = ObjectChange(claimed.changes[-1], type_)
            return {"change": change, "action": ObjectChangeAction(change.action), "changed_object": current}
        if current is None:
            raise _Gone(f"{result.object_type} {result.object_pk!r} does not exist any more")
        return {"obj": current}


class _Gone(ButtonhookError):
    """What the run is about is not there any more."""


def origin_of(result: JobResult, receiver: ReceiverType) -> Origin:
    """Who writes what this run writes."""
    return Origin(
        user_name=result.user_name,
        context="job-hook" if receiver.kind == "hook" else "job",
        detail=receiver.id,
        request_id=new_uuid7(),
        cause=result.id,
        root=result.root or result.id,
        depth=result.depth + 1,
    )


def _instance(receiver: ReceiverType, context: RunContext) -> Receiver:
    instance = receiver.cls.__new__(receiver.cls)
    instance._run = context
    instance.__init__()  # type: ignore[misc] # so that __init__ may log already
    return instance


def _is_cancelled() -> bool:
    """Whether the cancellation under way is ours, and not one the receiver raised itself."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _success(result: JobResult, context: RunContext, returned: Any) -> Outcome:
    value = _kept(returned, context)
    status = JobResultStatus.SUCCESS if context.failed is None else JobResultStatus.FAILURE
    return Outcome(
        number=result.number,
        attempt=result.attempt,
        status=status,
        ended_at=now(),
        result=value,
        error=None if context.failed is None else clean(context.failed)[:MAX_ERROR],
    )


def _failure(result: JobResult, context: RunContext, exc: BaseException) -> Outcome:
    try:
        message = str(exc)
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        message = "(its message cannot be shown)"
    kind = "" if isinstance(exc, _Gone) else f"{type(exc).__name__}: " if message else type(exc).__name__
    error = clean(f"{kind}{message}")
    context.logger.log(LogLevel.FAILURE, "%s", error, extra={"grouping": "outcome"})
    return Outcome(
        number=result.number,
        attempt=result.attempt,
        status=JobResultStatus.FAILURE,
        ended_at=now(),
        error=error[:MAX_ERROR],
        traceback=None if isinstance(exc, ButtonhookError) and not exc.__traceback__ else _traceback(exc),
    )


def _traceback(exc: BaseException) -> str:
    """The traceback from the receiver's own code on; our frames above it tell its author nothing."""
    frame = exc.__traceback__
    while frame is not None and frame.tb_next is not None and _is_ours(frame.tb_frame.f_globals.get("__name__", "")):
        frame = frame.tb_next
    try:
        text = "".join(traceback.format_exception(type(exc), exc, frame))
    except Exception:  # noqa: BLE001 - an exception that cannot be shown
        text = f"{type(exc).__name__} (its traceback cannot be shown)"
    text = clean(text)
    return text if len(text) <= MAX_TRACEBACK else f"{text[: MAX_TRACEBACK // 2]}\n...\n{text[-MAX_TRACEBACK // 2 :]}"


def _is_ours(module: str) -> bool:
    return module.startswith(("buttonhook.", "anyio.", "asyncio."))


def _kept(returned: Any, context: RunContext) -> str | None:
    """The returned value as JSON text; what cannot be kept is told in the log."""
    if returned is None:
        return None
    try:
        value = msgspec.to_builtins(returned, str_keys=True)
        documents.check(value, "the returned value")
        text = documents.encode(value)
    except (TypeError, ValueError, RecursionError, InvalidDocument) as exc:
        context.logger.warning("The returned %s was not kept: %s", type(returned).__name__, exc, extra=_OUTCOME)
        return None
    if len(text) > MAX_RESULT:
        context.logger.warning(
            "The returned value was not kept: its %s bytes are more than %s", len(text), MAX_RESULT, extra=_OUTCOME
        )
        return None
    return text


_OUTCOME: Final = {"grouping": "outcome"}
