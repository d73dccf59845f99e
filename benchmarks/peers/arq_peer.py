"""arq on Redis: `enqueue_job`, a worker that runs 100 coroutines at once and looks every 10 ms (10, 500 ms)."""

import asyncio
import sys
from typing import Any

from arq import create_pool, func  # type: ignore[import-not-found, unused-ignore] # lives in an environment of its own
from arq.connections import RedisSettings  # type: ignore[import-not-found, unused-ignore]
from arq.worker import Worker  # type: ignore[import-not-found, unused-ignore]

from benchmarks.peers.harness import Peer, address, main, note


async def noop(_: Any, number: int) -> None:
    note(number)


class Arq(Peer):
    """Producers that share one connection pool."""

    worker = (sys.executable, "-m", "benchmarks.peers.arq_peer", "work")

    async def open(self) -> None:
        self._pool = await create_pool(RedisSettings.from_dsn(address()))

    async def enqueue(self, number: int) -> None:
        await self._pool.enqueue_job("noop", number)

    async def close(self) -> None:
        await self._pool.aclose()


async def work() -> None:
    """Run the jobs until the process is told to end."""
    worker = Worker(
        [func(noop, name="noop")],
        redis_settings=RedisSettings.from_dsn(address()),
        max_jobs=100,
        poll_delay=0.01,
    )
    await worker.async_run()


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        asyncio.run(work())
    else:
        main(Arq())
