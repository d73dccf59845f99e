"""Procrastinate on PostgreSQL: `defer_async`, a worker that runs 100 coroutines at once (its default is 1)."""

import asyncio
import os
import sys

from procrastinate import App, PsycopgConnector  # type: ignore[import-not-found, unused-ignore] # in an own environment

from benchmarks.peers.harness import ADDRESS, Peer, main, note

url = os.environ.get(ADDRESS, sys.argv[4] if len(sys.argv) > 4 else "")
app = App(connector=PsycopgConnector(conninfo=url, min_size=1, max_size=10))


async def run(number: int) -> None:
    """The job."""
    note(number)


noop = app.task(run, name="noop")


class Procrastinate(Peer):
    """Producers that share a pool of 10 connections."""

    worker = (sys.executable, "-m", "benchmarks.peers.procrastinate_peer", "work")

    async def open(self) -> None:
        await app.open_async()

    async def enqueue(self, number: int) -> None:
        await noop.defer_async(number=number)

    async def close(self) -> None:
        await app.close_async()


async def work() -> None:
    """Run the jobs until the process is told to end."""
    async with app.open_async():
        await app.run_worker_async(concurrency=100, install_signal_handlers=False)


async def prepare() -> None:
    """Make the tables, before worker and producers come."""
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        asyncio.run(work())
    else:
        asyncio.run(prepare())
        main(Procrastinate())
