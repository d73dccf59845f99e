"""The tasks that runs are carried out in: one takes run after run, for as long as none of them waits for anything.

A run that waits keeps its task to itself until it ends, and another task takes the next ones: a thousand short runs
cost one task, a thousand that sleep cost a thousand. Each run has a context of its own, so that what it sets in a
ContextVar ends with it; a task that a run had cancelled takes no further one.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from typing import Any, Final

from buttonhook.dispatcher.runs import Run
from buttonhook.records import Outcome
from buttonhook.steering import steered

TURN_SECONDS: Final = 0.01
"""How long a task takes one run after the other before the loop does what else there is to do."""

Begin = Callable[[Run], Coroutine[Any, Any, Outcome]]
End = Callable[[Run, Outcome | BaseException], None]
"""Called with the outcome of a run, or with what came out of it instead."""

_log = logging.getLogger("buttonhook.dispatcher")


class Carriers:
    """Carries out runs. All methods belong to the loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Begin, end: End) -> None:
        self._loop = loop
        self._begin = begin
        self._end = end
        self._waiting: deque[Run] = deque()
        self._free: asyncio.Task[None] | None = None
        """The task that takes the next run."""
        self.tasks: set[asyncio.Task[None]] = set()

    def add(self, run: Run) -> None:
        """Carry out a run as soon as this call is over."""
        self._waiting.append(run)
        if self._free is None:
            self._take_on()

    def give_back(self) -> list[Run]:
        """The runs that have not begun; they will not."""
        waiting = list(self._waiting)
        self._waiting.clear()
        return waiting

    def _take_on(self) -> None:
        self._free = task = self._loop.create_task(self._carry(), name="runs")
        self.tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        self._leave(task)
        if not task.cancelled() and task.exception() is not None:
            _log.critical("%s failed", task.get_name(), exc_info=task.exception())

    def _leave(self, task: asyncio.Task[None]) -> None:
        """This task takes no further run; another one does."""
        if self._free is task:
            self._free = None
            if self._waiting:
                self._take_on()

    async def _carry(self) -> None:
        task = self._free
        assert task is not None  # noqa: S101 - set before this begins
        until = time.monotonic() + TURN_SECONDS
        while self._waiting and self._free is task:
            run = self._waiting.popleft()
            run.task = task
            task.set_name(run.name)
            outcome: Outcome | BaseException
            try:
                coroutine, context = self._begin(run), copy_context()
                awaited = context.run(coroutine.send, None)
            except StopIteration as stop:
                outcome = stop.value
            except BaseException as exc:  # noqa: BLE001 - told to who owns the run
                outcome = exc
            else:
                self._leave(task)
                outcome = await _outcome(steered(coroutine, awaited, context, run))
            run.task = None
            self._end(run, outcome)
            if _is_marked(task):
                break
            if time.monotonic() > until:
                await asyncio.sleep(0)
                until = time.monotonic() + TURN_SECONDS
        self._leave(task)


async def _outcome(driven: Awaitable[Outcome]) -> Outcome | BaseException:
    try:
        return await driven
    except BaseException as exc:  # noqa: BLE001 - told to who owns the run
        return exc


def _is_marked(task: asyncio.Task[None]) -> bool:
    """Whether a run had its own task cancelled, and ended before it noticed: the next one would notice."""
    return task.cancelling() > 0 or getattr(task, "_must_cancel", False)
