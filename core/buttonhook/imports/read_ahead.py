"""Reading in a thread of its own while the loop does other work.

The thread runs at most two batches ahead. It is a daemon: one that waits for input that never comes, as on
a terminal, holds up neither a cancelled import nor the end of the process.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")

BATCHES_AHEAD: Final = 2
BATCH_SECONDS: Final = 0.05
"""A batch is handed over when it is this old, so that a slow stream is not held back."""
_LEAVE_SECONDS: Final = 1.0


class ReadAhead(Generic[T]):
    """Hands the items of an iterator to the loop, batch by batch, in order.

    What the iterator raises is raised by `next_batch` after the items before it. Use it with `async with`.
    """

    def __init__(self, items: Iterator[T], batch_size: int, name: str) -> None:
        self._items = items
        self._batch_size = batch_size
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Queue[list[T] | Exception | None] = asyncio.Queue()
        self._room = threading.Semaphore(BATCHES_AHEAD)
        self._left = asyncio.Event()
        self._closed = False
        self._thread = threading.Thread(target=self._read, name=name, daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closed = True
        self._room.release()
        with contextlib.suppress(TimeoutError):  # one that waits for input is left to that
            await asyncio.wait_for(self._left.wait(), _LEAVE_SECONDS)

    def stop(self) -> None:
        """Read no more; `next_batch` gives what was read already, then the end. Call it on the loop."""
        self._closed = True
        self._ready.put_nowait(None)

    async def next_batch(self) -> list[T]:
        """The next items, an empty list at the end."""
        batch = await self._ready.get()
        if isinstance(batch, Exception):
            raise batch
        if batch is None:
            return []
        self._room.release()
        return batch

    def _read(self) -> None:
        end: Exception | None = None
        try:
            self._read_batches()
        except Exception as exc:  # noqa: BLE001 - it is raised on the loop
            end = exc
        self._post(self._ready.put_nowait, end)
        self._post(lambda _: self._left.set(), None)

    def _read_batches(self) -> None:
        batch: list[T] = []
        begun = 0.0
        for item in self._items:
            if self._closed:
                return
            if not batch:
                begun = time.monotonic()
            batch.append(item)
            if len(batch) >= self._batch_size or time.monotonic() - begun > BATCH_SECONDS:
                self._hand_over(batch)
                batch = []
        if batch:
            self._hand_over(batch)

    def _hand_over(self, batch: list[T]) -> None:
        self._room.acquire()
        if not self._closed:
            self._post(self._ready.put_nowait, batch)

    def _post(self, call: object, value: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, value)  # type: ignore[arg-type]
        except RuntimeError:
            self._closed = True  # the loop is gone, and with it whoever waited
