"""Child tasks of a run end only themselves.

asyncio lets SystemExit and KeyboardInterrupt out of any task and out of the loop: one `sys.exit()` in a task that a
receiver started would end the process. Tasks made inside a run are wrapped so that such an exit is the task's own
exception, which reaches whoever awaits it.
"""

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from buttonhook.capture import current_capture

T = TypeVar("T")


class ChildExit(RuntimeError):
    """A task that a receiver started called `sys.exit()` or raised KeyboardInterrupt."""


@contextmanager
def contained_children(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Wrap the tasks that runs start on `loop`, for as long as the block lasts; all other tasks are left alone."""
    before = loop.get_task_factory()

    def make(
        loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T] | Generator[Any, None, T], **options: Any
    ) -> Any:
        if current_capture.get() is not None and asyncio.iscoroutine(coroutine):
            coroutine = _contained(coroutine)
        if before is not None:
            return before(loop, coroutine, **options)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(make)
    try:
        yield
    finally:
        if loop.get_task_factory() is make:
            loop.set_task_factory(before)


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    try:
        return await coroutine
    except (SystemExit, KeyboardInterrupt) as exc:
        raise ChildExit(f"{type(exc).__name__}: {exc}".rstrip(": ")) from exc
