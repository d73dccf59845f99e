"""The batches that are being written: sent one behind the other, followed in order as they are committed."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

import anyio

from buttonhook.errors import StoreError
from buttonhook.recorder.batch import Batch
from buttonhook.stores.base import Decision, Store, Written

MAX_FLIGHTS: Final = 3
"""One is written, the next lies ready: the writing thread never waits for the loop's."""


class Flight(NamedTuple):
    """A batch on its way into the store."""

    batch: Batch
    writing: "asyncio.Task[Written]"

    @property
    def error(self) -> BaseException | None:
        """Why a batch whose writing is over was not written, None when it was."""
        return StoreError("A write was cut off.") if self.writing.cancelled() else self.writing.exception()


class Flights:
    """What is being written. `landed` is called for each batch that is committed, in order, once that is known."""

    def __init__(self, store: Store, landed: Callable[[Batch, Written], None]) -> None:
        self._store = store
        self._landed = landed
        self._flights: deque[Flight] = deque()
        self._sending = asyncio.Lock()

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def batches(self) -> list[Batch]:
        """What is being written, in order."""
        return [each.batch for each in self._flights]

    @property
    def is_one_over(self) -> bool:
        """Whether the writing of the first batch is over, well or not."""
        return bool(self._flights) and self._flights[0].writing.done()

    async def send(self, batch: Batch, decision: Decision, done: Callable[[], None]) -> None:
        """Have a batch written behind those that are being written; `done` is called when its writing is over."""
        async with self._sending:
            write = self._store.write(decision, is_behind=bool(self._flights))
            writing = asyncio.create_task(write, name="recorder batch")

        def follow(_: Any) -> None:
            self._follow()
            done()

        writing.add_done_callback(follow)
        self._flights.append(Flight(batch, writing))

    def _follow(self) -> None:
        """Tell of what is committed; what failed, and what stands behind that, is left to `land`."""
        while self._flights and self._flights[0].writing.done() and self._flights[0].error is None:
            flight = self._flights.popleft()
            self._landed(flight.batch, flight.writing.result())

    async def land(self, count: int) -> list[Flight]:
        """Wait for the first `count` batches. If one failed it is returned, with those behind it, which failed too."""
        waited = list(self._flights)[: max(0, count)]
        if waited:
            await asyncio.wait([each.writing for each in waited])
        self._follow()
        if not self.is_one_over:
            return []
        await asyncio.wait([each.writing for each in self._flights])
        failed = list(self._flights)
        self._flights.clear()
        return failed

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """Nothing is being written while the block lasts."""
        async with self._sending:
            if self._flights:
                await asyncio.wait([each.writing for each in self._flights])
            yield

    async def abandon(self) -> None:
        """The writing ends before its time: nothing goes on behind it."""
        for flight in self._flights:
            flight.writing.cancel()
        if self._flights:
            with anyio.CancelScope(shield=True):
                await asyncio.wait([each.writing for each in self._flights])
