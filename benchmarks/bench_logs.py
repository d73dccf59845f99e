"""One job that logs very many lines beside normal ones: what it costs the others.

1,000 normal life cycles (one job hook, two lines each) are begun at a steady pace: alone; beside an async receiver
that logs 1,000,000 lines and lets others run after every 100; and beside a plain `def` receiver that logs as many in a
worker thread. A receiver that never lets others run is not a matter of logs, and is left out.

    beside          what else ran
    whole_p50_ms, whole_p99_ms   of the normal ones: from the call that creates the object to the receiver's first line
    ack_p50_ms, ack_p99_ms       of the normal ones: how long the producer waits for its commit
    start_p50_ms, start_p99_ms   of the normal ones: from the acknowledgement to the receiver's first line
    lines_s         lines a second that the loud job logged; lines_kept of them are in its log (the cap is 10,000)
    growth          whole_p99_ms / the same alone
    overlap         share of the normal ones that were begun while the loud job ran

    python -m benchmarks.bench_logs [-n 1000000] [--normal 1000] [--rate 200] [--json]
"""

import asyncio
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks import ceiling
from benchmarks.bench_dispatch import WARM, Producing
from benchmarks.command import give, parser, positive, progress, throw_away_folder
from benchmarks.measuring import Figures, paced
from benchmarks.receivers import BenchDevice, Noop, check_sound, settings, started
from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction, TrackedObject, open_app
from buttonhook.records import ResultQuery

LOUD_TYPE = "bench.loud"
TURN = 100


class BenchLoud(TrackedObject, object_type=LOUD_TYPE):
    """Its creation starts the loud job."""

    name: str


class Loudness:
    """How loud the loud job is, and when it was."""

    lines = 0
    began = 0.0
    ended = 0.0


class LoudAsync(JobHookReceiver):
    """Logs on the loop."""

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        Loudness.began = time.monotonic()
        for number in range(Loudness.lines):
            self.logger.info("loud line %d of %s", number, change.object_pk)
            if number % TURN == 0:
                await asyncio.sleep(0)
        Loudness.ended = time.monotonic()


class LoudThread(JobHookReceiver):
    """Logs in a worker thread."""

    def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        Loudness.began = time.monotonic()
        for number in range(Loudness.lines):
            self.logger.info("loud line %d of %s", number, change.object_pk)
        Loudness.ended = time.monotonic()


async def run(path: Path, loud: type[JobHookReceiver] | None, normal: int, rate: int) -> Figures:
    """Normal life cycles beside a loud job, or alone."""
    started.clear()
    receivers: list[type[JobHookReceiver]] = [Noop] if loud is None else [Noop, loud]
    async with open_app(
        settings=settings(path), receivers=receivers, object_types=[BenchDevice, BenchLoud], load_plugins=False
    ) as app:
        for receiver, object_type in zip(receivers, (ceiling.TYPE, LOUD_TYPE), strict=False):
            await app.configuration.enable_job(receiver.__name__)
            await app.configuration.add_hook(receiver.__name__.lower(), receiver.__name__, [object_type])
        producing = Producing(app)
        await producing.many(WARM)
        await app.drain()
        producing.forget()
        Loudness.began = Loudness.ended = 0.0
        if loud is not None:
            await app.objects(BenchLoud).create(pk="loud", name="loud")
        await paced(normal, rate, producing.numbered)
        await app.drain()
        await check_sound(app)
        figures: Figures = {"beside": "nothing" if loud is None else loud.__name__, **producing.figures()}
        if loud is not None:
            result = (await app.results(ResultQuery(object_type=LOUD_TYPE, limit=1)))[0]
            seconds = Loudness.ended - Loudness.began
            figures["lines_s"] = round(Loudness.lines / seconds)
            figures["lines_kept"] = len(await app.log_entries(result, limit=1_000_000))
            during = [at for at in producing.called.values() if Loudness.began <= at <= Loudness.ended]
            figures["overlap"] = round(len(during) / normal, 2)
    return figures


def main() -> None:
    made = parser(__doc__, 1_000_000, "lines of the loud job")
    made.add_argument("--normal", type=positive, default=1_000, help="normal jobs")
    made.add_argument("--rate", type=positive, default=200, help="normal jobs begun a second")
    options = made.parse_args()
    Loudness.lines = options.n
    rows: list[Figures] = []
    louds: tuple[type[JobHookReceiver] | None, ...] = (None, LoudAsync, LoudThread)
    with throw_away_folder() as folder, progress("logs", len(louds)) as bar:
        for number, loud in enumerate(louds):
            rows.append(uvloop.run(run(folder / f"logs-{number}.db", loud, options.normal, options.rate)))
            rows[-1]["growth"] = round(rows[-1]["whole_p99_ms"] / rows[0]["whole_p99_ms"], 2)
            bar.advance(bar.task_ids[0])
    give(rows, as_json=options.json)


if __name__ == "__main__":
    main()
