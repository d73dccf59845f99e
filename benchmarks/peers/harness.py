"""The work that all peers do, and how it is measured alike.

A job does nothing but note its number and the moment in a file: that is how its start is known, whatever process runs
it. Each peer's worker is a process of its own, as its documentation has it. Buttonhook has none: there the producers
share one process with the jobs, and it counts as done only when all final statuses are committed.

    jobs_s          jobs a second, from the first call until the last job has started (Buttonhook: has ended)
    accepted_s      jobs a second, from the first call until the last one was acknowledged
    whole_p50_ms, whole_p99_ms   from the call that enqueues to the job's start

    python -m benchmarks.peers.NAME COUNT PRODUCERS RATE ADDRESS NOTES      (RATE 0: as fast as it takes them)
"""

import asyncio
import json
import math
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

NOTES = "BENCH_NOTES"
ADDRESS = "BENCH_ADDRESS"
RECORD = 30
WARM = 20
DEADLINE_SECONDS = 300.0
WARM_DEADLINE_SECONDS = 60.0
STOP_SECONDS = 10.0

_notes: list[int] = []


def note(number: int) -> None:
    """What a job does."""
    if not _notes:
        _notes.append(os.open(os.environ[NOTES], os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    os.write(_notes[0], b"%09d %019d\n" % (number, time.monotonic_ns()))


def address() -> str:
    """Where the server or the database is."""
    return os.environ[ADDRESS]


class Peer:
    """One job system. `worker` is the command of its worker, without one it runs jobs in this process."""

    worker: tuple[str, ...] = ()
    blocks = False
    """Whether `put` is used instead of `enqueue`: producers are threads then."""

    async def open(self) -> None:
        """Make ready to enqueue."""

    async def enqueue(self, number: int) -> None:
        """Enqueue one job; returns when it is acknowledged."""
        raise NotImplementedError

    def put(self, number: int) -> None:
        """The same, blocking."""
        raise NotImplementedError

    async def finish(self) -> None:
        """Wait for what must have been done besides the start of all jobs."""

    async def close(self) -> None:
        """Let go of connections."""


class Run:
    """One measurement of one peer."""

    def __init__(self, peer: Peer, notes: Path, count: int, producers: int) -> None:
        self._peer, self._notes = peer, notes
        self._count, self._producers = count // producers * producers, producers
        self._called: dict[int, float] = {}

    async def measure(self, rate: int) -> dict[str, float]:
        await self._warm()
        began = time.monotonic()
        await (self._pace(rate) if rate else self._flood())
        accepted = time.monotonic() - began
        await self._wait_for(WARM + self._count, DEADLINE_SECONDS)
        await self._peer.finish()
        started = dict(self._read())
        ended = time.monotonic() if not self._peer.worker else max(started.values())
        waits = [started[number] - called for number, called in self._called.items()]
        return {
            "jobs_s": round(self._count / (ended - began)),
            "accepted_s": round(self._count / accepted),
            "whole_p50_ms": round(quantile(waits, 0.5) * 1000, 2),
            "whole_p99_ms": round(quantile(waits, 0.99) * 1000, 2),
        }

    async def _warm(self) -> None:
        for number in range(WARM):
            await self._one(number)
        await self._wait_for(WARM, WARM_DEADLINE_SECONDS)
        await self._peer.finish()
        self._called.clear()

    async def _flood(self) -> None:
        shares = [range(WARM + first, WARM + self._count, self._producers) for first in range(self._producers)]
        if not self._peer.blocks:
            await asyncio.gather(*map(self._many, shares))
            return
        threads = [threading.Thread(target=self._many_blocking, args=(share,)) for share in shares]
        for thread in threads:
            thread.start()
        for thread in threads:
            await asyncio.to_thread(thread.join)

    async def _pace(self, rate: int) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for number in range(self._count):
                ahead = began + number / rate - time.monotonic()
                if ahead > 0:
                    await asyncio.sleep(ahead)
                tasks.create_task(self._one(WARM + number))

    async def _many(self, numbers: range) -> None:
        for number in numbers:
            await self._one(number)

    async def _one(self, number: int) -> None:
        self._called[number] = time.monotonic()
        if self._peer.blocks:
            await asyncio.to_thread(self._peer.put, number)
        else:
            await self._peer.enqueue(number)

    def _many_blocking(self, numbers: range) -> None:
        for number in numbers:
            self._called[number] = time.monotonic()
            self._peer.put(number)

    async def _wait_for(self, count: int, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (self._notes.stat().st_size if self._notes.exists() else 0) < count * RECORD:
            if time.monotonic() > until:
                raise SystemExit(f"{len(self._read()):,} of {count:,} jobs had started after {seconds:g} s")
            await asyncio.sleep(0.002)

    def _read(self) -> list[tuple[int, float]]:
        if not self._notes.exists():
            return []
        parts = [line.split() for line in self._notes.read_text(encoding="ascii").splitlines()]
        return [(int(number), int(moment) / 1e9) for number, moment in parts]


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def main(peer: Peer) -> None:
    """Measure a peer as the command line says; prints one line of JSON."""
    count, producers, rate = map(int, sys.argv[1:4])
    os.environ[ADDRESS], os.environ[NOTES] = sys.argv[4:6]
    worker = subprocess.Popen(peer.worker, stdout=subprocess.DEVNULL) if peer.worker else None  # noqa: S603 - a constant
    try:
        figures = asyncio.run(_measured(peer, Run(peer, Path(sys.argv[5]), count, producers), rate))
    finally:
        if worker is not None:
            _stop(worker)
    print(json.dumps(figures))


async def _measured(peer: Peer, run: Run, rate: int) -> dict[str, float]:
    await peer.open()
    try:
        return await run.measure(rate)
    finally:
        await peer.close()


def _stop(worker: subprocess.Popen[bytes]) -> None:
    worker.terminate()
    try:
        worker.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        worker.kill()
        worker.wait()
