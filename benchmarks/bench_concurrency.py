"""Very many receivers that sleep at once in one process.

    RSS_before_mb   memory of the process before the first object is created (interpreter, app, open database)
    RSS_mb          memory when all receivers sleep
    kb_each         the difference, for each receiver
    start_s         from the first create until the last receiver sleeps
    stop_s          from the order to stop until the process has let go of the database, all receivers cancelled

Bar: 10,000 under 300 MB.

    python -m benchmarks.bench_concurrency [-n 10000] [--json]
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks import ceiling
from benchmarks.command import give, parser, progress, throw_away_folder
from benchmarks.measuring import Figures, resident_mb
from benchmarks.receivers import BenchDevice, settings
from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction, open_app

PRODUCERS = 64
BAR_MB = 300
LONG_SECONDS = 86_400


class Sleeper(JobHookReceiver):
    """Sleeps until it is cancelled."""

    asleep = 0

    class Meta:
        soft_time_limit = 0
        time_limit = 0

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        Sleeper.asleep += 1
        await asyncio.sleep(LONG_SECONDS)


async def run(path: Path, count: int) -> Figures:
    """Start `count` receivers and stop them."""
    chosen = msgspec.structs.replace(settings(path), max_running=max(count, settings(path).max_running))
    figures: Figures = {"receivers": count}
    Sleeper.asleep = 0
    async with open_app(settings=chosen, receivers=[Sleeper], object_types=[BenchDevice], load_plugins=False) as app:
        await app.configuration.enable_job("Sleeper")
        await app.configuration.add_hook("sleeper", "Sleeper", [ceiling.TYPE])
        figures["RSS_before_mb"] = resident_mb()
        began = time.monotonic()
        objects = app.objects(BenchDevice)

        async def produce(worker: int) -> None:
            for number in range(worker, count, PRODUCERS):
                await objects.create(name=ceiling.device_pk(number))

        await asyncio.gather(*map(produce, range(PRODUCERS)))
        with progress("sleeping receivers", count) as bar:
            while Sleeper.asleep < count:
                await asyncio.sleep(0.001)
                bar.update(bar.task_ids[0], completed=Sleeper.asleep)
        figures["start_s"] = round(time.monotonic() - began, 2)
        figures["RSS_mb"] = resident_mb()
        figures["kb_each"] = round((figures["RSS_mb"] - figures["RSS_before_mb"]) * 1000 / count, 1)
        began = time.monotonic()
    figures["stop_s"] = round(time.monotonic() - began, 2)
    return figures


def main() -> None:
    options = parser(__doc__, 10_000, "receivers").parse_args()
    with throw_away_folder() as folder:
        figures = uvloop.run(run(folder / "sleep.db", options.n))
    over = figures["RSS_mb"] > BAR_MB and options.n <= 10_000
    notes = [f"Over the bar: {figures['RSS_mb']} MB; 10,000 receivers are to stay under {BAR_MB} MB."] if over else []
    give([figures], as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
