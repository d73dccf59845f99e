"""Full life cycles a second, beside the raw ceiling of the same run.

A life cycle is: an object is created and committed, its change and job result with it, one async job hook receiver
gets the change with `changed_object` loaded, logs two lines, and its final status and log are committed.

Measures, for each number of producers (tasks that each create one object after the other, awaiting each commit):

    cycles_s        life cycles a second, from the first create to the last final status
    ack_ms          p50 / p99 of the time a producer waits for its commit
    start_ms        p50 / p99 from the acknowledged commit to the receiver's first line
    ceiling_s       the same rows by bare sqlite3.executemany
    ratio           cycles_s / ceiling_s

    python -m benchmarks.bench_dispatch [-n 20000] [--producers 1,8,64,512] [--hooks 1] [--json]
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import uvloop

from benchmarks import ceiling
from buttonhook import JobHookReceiver, TrackedObject, open_app

started: dict[str, float] = {}


class BenchDevice(TrackedObject, object_type="bench.device"):
    name: str
    serial: str = "FOC2149X0AB"
    status: str = "active"


class Noop(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):  # type: ignore[no-untyped-def]
        started[change.object_pk] = time.perf_counter()
        self.logger.info("line 1 of %s", change.object_pk)
        self.logger.info("line 2 of %s", changed_object)


async def run(path: Path, count: int, producers: int, hooks: int) -> dict[str, float]:
    """One warm run: `count` objects by `producers` tasks with `hooks` job hooks on them."""
    async with open_app(str(path), receivers=[Noop], object_types=[BenchDevice], load_plugins=False) as app:
        await app.configuration.enable_job("Noop")
        if hooks:
            await app.configuration.add_hook("noop", "Noop", ["bench.device"])
        acknowledged: dict[str, float] = {}
        waits: list[float] = []

        async def produce(worker: int, share: int, tag: str) -> None:
            objects = app.objects(BenchDevice)
            for number in range(share):
                pk = f"{tag}-{worker}-{number}"
                began = time.perf_counter()
                await objects.create(pk=pk, name=pk)
                acknowledged[pk] = ended = time.perf_counter()
                waits.append(ended - began)

        await asyncio.gather(*(produce(worker, 20, "warm") for worker in range(min(producers, 50))))
        await app.drain()
        acknowledged.clear()
        waits.clear()
        share = max(1, count // producers)
        began = time.perf_counter()
        await asyncio.gather(*(produce(worker, share, "run") for worker in range(producers)))
        accepted = time.perf_counter() - began
        await app.drain()
        seconds = time.perf_counter() - began
        report = await app.check()
        if report.problems or report.counts["waiting job results"]:
            raise SystemExit(f"the database is not sound: {report}")
        delays = [max(0.0, started[pk] - moment) for pk, moment in acknowledged.items() if pk in started]
    total = share * producers
    return {
        "producers": producers,
        "cycles_s": round(total / seconds),
        "accepted_s": round(total / accepted),
        "ack_p50_ms": round(_quantile(waits, 0.5) * 1000, 2),
        "ack_p99_ms": round(_quantile(waits, 0.99) * 1000, 2),
        "start_p50_ms": round(_quantile(delays, 0.5) * 1000, 2) if delays else 0.0,
        "start_p99_ms": round(_quantile(delays, 0.99) * 1000, 2) if delays else 0.0,
    }


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0] if __doc__ else "")
    parser.add_argument("-n", type=int, default=20_000, help="life cycles a run")
    parser.add_argument("--producers", default="1,8,64,512")
    parser.add_argument("--hooks", type=int, default=1, choices=(0, 1))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for producers in map(int, options.producers.split(",")):
            count = min(options.n, 200 * producers + 2000)
            started.clear()
            ceilings = [ceiling.life_cycles_a_second(Path(folder, f"ceiling-{producers}-a.db"), options.n)]
            figures = uvloop.run(run(Path(folder, f"run-{producers}.db"), count, producers, options.hooks))
            ceilings.append(ceiling.life_cycles_a_second(Path(folder, f"ceiling-{producers}-b.db"), options.n))
            figures["ceiling_s"] = round(statistics.mean(ceilings))
            figures["ratio"] = round(figures["cycles_s"] / figures["ceiling_s"], 3)
            found.append(figures)
            if not options.json:
                print("  ".join(f"{name} {value:,}" for name, value in figures.items()))
    if options.json:
        json.dump(found, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
