"""SAQ on Redis: `Queue.enqueue`, a worker that runs 100 coroutines at once (its default is 10)."""

import asyncio
import sys
from typing import Any

from saq import Queue, Worker  # type: ignore[import-not-found, unused-ignore] # lives in an environment of its own

from benchmarks.peers.harness import Peer, address, main, note


async def noop(_: Any, *, number: int) -> None:
    note(number)


class Saq(Peer):
    """Producers that share one connection pool."""

    worker = (sys.executable, "-m", "benchmarks.peers.saq_peer", "work")

    async def open(self) -> None:
        self._queue = Queue.from_url(address())
        await self._queue.connect()

    async def enqueue(self, number: int) -> None:
        await self._queue.enqueue("noop", number=number)

    async def close(self) -> None:
        await self._queue.disconnect()


async def work() -> None:
    """Run the jobs until the process is told to end."""
    queue = Queue.from_url(address())
    await queue.connect()
    await Worker(queue, [noop], concurrency=100).start()


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        asyncio.run(work())
    else:
        main(Saq())
