"""Reading in a thread of its own while the loop does other work.

The thread runs at most two batches ahead. It is a daemon: one that waits for input that never comes, as on
a terminal, holds up neither a cancelled import nor the end of the process.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Generic, Self, TypeVar

T = TypeVar("T")

BATCHES_AHEAD: Final = 2
BATCH_SECONDS: Final = 0.05
"""Items are held back no longer than this, so that a slow stream is told of as it comes."""
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
        self._held: list[T] = []
        self._lock = threading.Lock()
        self._room = threading.Semaphore(BATCHES_AHEAD)
        self._timer: asyncio.TimerHandle | None = None
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
        if self._timer is not None:
            self._timer.cancel()
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

    # --- in the thread ----------------------------------------------------------------------------

    def _read(self) -> None:
        end: Exception | None = None
        try:
            for item in self._items:
                with self._lock:
                    self._held.append(item)
                    count = len(self._held)
                if count == 1:
                    self._post(self._set_timer)
                elif count >= self._batch_size:
                    self._hand_over()
                if self._closed:
                    break
        except Exception as exc:  # noqa: BLE001 - it is raised on the loop
            end = exc
        self._hand_over()
        self._post(self._ready.put_nowait, end)
        self._post(self._left.set)

    def _hand_over(self) -> None:
        self._room.acquire()
        self._give()

    def _give(self) -> None:
        """Pass on what is held. The lock keeps batches in order, whichever side passes them on."""
        with self._lock:
            batch, self._held = self._held, []
            if batch and not self._closed:
                self._post(self._ready.put_nowait, batch)
            else:
                self._room.release()

    def _post(self, call: Callable[..., object], *values: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *values)
        except RuntimeError:
            self._closed = True  # the loop is gone, and with it whoever waited

    # --- on the loop ------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = self._loop.call_later(BATCH_SECONDS, self._hand_over_held)

    def _hand_over_held(self) -> None:
        """Hand over what the thread holds while it waits for more, if there is room."""
        self._timer = None
        if not self._room.acquire(blocking=False):
            self._set_timer()
            return
        self._give()
