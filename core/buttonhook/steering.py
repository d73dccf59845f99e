"""Telling a run to stop: exceptions thrown into a coroutine where it waits, or into a thread where it computes.

A run that waits is driven by `steered`, which hands everything through to the loop; a cancellation that was ordered
here arrives inside as the ordered exception, so that a receiver can catch a soft time limit like any other exception.
"""

import asyncio
import ctypes
import threading
import types
from collections.abc import Coroutine, Generator
from contextvars import Context
from typing import Any, ClassVar, TypeVar

from buttonhook.errors import SoftTimeLimitExceeded
from buttonhook.ids import JobResultStatus

T = TypeVar("T")


class RunStopped(BaseException):
    """Raised inside a run that is to end now. Not an `Exception`: receivers do not catch it by accident."""

    def __init__(self, status: JobResultStatus = JobResultStatus.REVOKED, text: str = "the run was stopped") -> None:
        self.status, self.text = status, text
        super().__init__(text)


class RunControl:
    """The reins of one run. `interrupt` and `stop` belong to the loop's thread."""

    __slots__ = ("_ordered", "_thread", "is_closing", "soft", "stopped", "task")

    _lock: ClassVar = threading.Lock()
    """One for all: it is held for a moment, where a run enters or leaves a thread or is told something."""

    def __init__(self) -> None:
        self.stopped: RunStopped | None = None
        self.soft: SoftTimeLimitExceeded | None = None
        self.is_closing = False
        """Whether the dispatcher closes: a cancellation that nobody ordered here is then not the receiver's own."""
        self._ordered: BaseException | None = None
        self.task: asyncio.Task[Any] | None = None
        """Where the receiver runs; None before it begins and after its end."""
        self._thread: int | None = None

    @property
    def is_in_thread(self) -> bool:
        """Whether a worker thread is running the receiver now."""
        return self._thread is not None

    def begin(self) -> None:
        """A run that was stopped before does not begin."""
        if self.stopped is not None:
            raise self.stopped

    def enter_thread(self) -> None:
        """The current thread runs the receiver until `leave_thread`."""
        with self._lock:
            self._thread = threading.get_ident()

    def leave_thread(self) -> None:
        """The receiver's code in this thread is over: an exception ordered a moment ago must not come after it."""
        with self._lock:
            self._thread = None
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(threading.get_ident()), None)

    def interrupt(self, exc: SoftTimeLimitExceeded) -> None:
        """Raise `exc` inside the receiver, where it may be caught."""
        self.soft = exc
        self._throw(exc)

    def stop(self, reason: RunStopped) -> None:
        """End the run for `reason`."""
        self.stopped = reason
        self._throw(reason)

    def take(self) -> BaseException | None:
        """What a cancellation that arrives now was ordered for; None when it was not ordered here."""
        ordered, self._ordered = self._ordered, None
        return ordered

    def _throw(self, exc: BaseException) -> None:
        with self._lock:
            if self._thread is not None:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), ctypes.py_object(type(exc)))
                return
        if self.task is not None:
            self._ordered = exc
            self.task.cancel()


@types.coroutine
def steered(
    coroutine: Coroutine[Any, Any, T], awaited: Any, context: Context, control: RunControl
) -> Generator[Any, Any, T]:
    """Go on in the current task with a coroutine that waits for `awaited`, each step in `context`.

    Cancellations ordered by `control` arrive inside as what was ordered.
    """
    while True:
        step, given = coroutine.send, None
        try:
            given = yield awaited
        except GeneratorExit:
            coroutine.close()
            raise
        except asyncio.CancelledError as exc:
            step, given = coroutine.throw, _ordered_or(exc, control)
        except BaseException as exc:  # noqa: BLE001 - handed to the coroutine as the loop raised it
            step, given = coroutine.throw, exc
        try:
            awaited = context.run(step, given)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]


def _ordered_or(exc: asyncio.CancelledError, control: RunControl) -> BaseException:
    """The exception a cancellation was ordered for, the task then no longer counting as cancelled."""
    ordered = control.take()
    if ordered is None:
        return exc
    if control.task is not None:
        control.task.uncancel()
    return ordered
