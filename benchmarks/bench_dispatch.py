"""Full life cycles a second, beside the raw ceiling of the same run, and how long after a commit receivers start.

A life cycle is: an object is created and committed, its change and job results with it, an async job hook receiver a
job hook gets the change with `changed_object` loaded, logs two lines, and its final status and log are committed.

For each number of producers (tasks that each create one object after the other, awaiting each commit: 1, 8, 64, 512)
with one job hook, and for 0 and 10 job hooks with 64 producers; the ceiling is measured before and after each run:

    cycles_s        life cycles a second, from the first create to the last final status; median of `--rounds`
    accepted_s      commits a second, from the first create to the last acknowledgement
    cpu_us          processor time of all threads a life cycle: above 1,000,000 / cycles_s more than one core was busy
    ack_p50_ms, ack_p99_ms       how long a producer waits for its commit
    start_p50_ms, start_p99_ms   from the acknowledged commit to the receiver's first line (0: it had begun already)
    whole_p50_ms, whole_p99_ms   from the call that creates the object to the receiver's first line
    ceiling_s, ratio             the same rows by bare sqlite3, 512 life cycles a commit; cycles_s / ceiling_s
    alike_s, alike_ratio         the same with as many life cycles a commit as there are producers

and for each steady pace (`--rates`; changes_s a second, so many changes in all): ack, start and whole as above.

    python -m benchmarks.bench_dispatch [-n 20000] [--producers 1,8,64,512] [--hooks 0,1,10] [--rates 100,1000]
        [--rounds 3] [--json]
"""

import asyncio
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from benchmarks import ceiling
from benchmarks.command import give, numbers, parser, positive, progress, throw_away_folder
from benchmarks.measuring import Figures, alternating, latencies, mean, paced, with_spread
from benchmarks.receivers import BenchDevice, check_sound, hooked_app, noops, started
from buttonhook import App

WARM = 200
USUAL_PRODUCERS = 64
PACED_SECONDS = 10


class Producing:
    """Creates devices and notes when each was acknowledged."""

    def __init__(self, app: App) -> None:
        self._objects = app.objects(BenchDevice)
        self._next = 0
        self.called: dict[str, float] = {}
        self.acknowledged: dict[str, float] = {}
        self.waits: list[float] = []

    def start_at(self, number: int) -> None:
        """Create devices that nobody created before in a database that has some."""
        self._next = number

    async def one(self) -> None:
        self._next += 1
        pk = ceiling.device_pk(self._next)
        began = self.called[pk] = time.monotonic()
        await self._objects.create(pk=pk, name=pk)
        ended = self.acknowledged[pk] = time.monotonic()
        self.waits.append(ended - began)

    async def many(self, count: int) -> None:
        for _ in range(count):
            await self.one()

    async def numbered(self, _: int) -> None:
        await self.one()

    def forget(self) -> None:
        self.called.clear()
        self.acknowledged.clear()
        self.waits.clear()

    def figures(self) -> Figures:
        delays = [max(0.0, started[pk] - moment) for pk, moment in self.acknowledged.items() if pk in started]
        wholes = [started[pk] - moment for pk, moment in self.called.items() if pk in started]
        return latencies("ack", self.waits) | latencies("start", delays) | latencies("whole", wholes)


async def flood(path: Path, count: int, producers: int, hooks: int) -> Figures:
    """One warm run: `count` objects by `producers` tasks with `hooks` job hooks on them."""
    started.clear()
    async with hooked_app(path, noops(hooks)) as app:
        producing = Producing(app)
        workers = min(producers, 50)
        await asyncio.gather(*(producing.many(WARM // workers) for _ in range(workers)))
        await app.drain()
        producing.forget()
        share = max(1, count // producers)
        began, cpu_before = time.monotonic(), time.process_time()
        await asyncio.gather(*(producing.many(share) for _ in range(producers)))
        accepted = time.monotonic() - began
        await app.drain()
        seconds, cpu = time.monotonic() - began, time.process_time() - cpu_before
        await check_sound(app)
    total = share * producers
    return {
        "producers": producers,
        "hooks": hooks,
        "cycles_s": round(total / seconds),
        "accepted_s": round(total / accepted),
        "cpu_us": round(cpu / total * 1e6),
        **producing.figures(),
    }


async def pace(path: Path, rate: int, count: int) -> Figures:
    """Changes at a steady pace, one job hook on them."""
    started.clear()
    async with hooked_app(path, noops(1)) as app:
        producing = Producing(app)
        await producing.many(WARM)
        await app.drain()
        producing.forget()
        await paced(count, rate, producing.numbered)
        await app.drain()
        await check_sound(app)
    return {"changes_s": rate, "changes": count, **producing.figures()}


def beside_ceiling(folder: Path, count: int, producers: int, hooks: int) -> Figures:
    """One run between two measurements of each ceiling."""
    count = min(count, 200 * producers + 2_000) // max(1, hooks)
    batch = min(producers, ceiling.BATCH)
    with TemporaryDirectory(dir=folder) as place:
        raw = [ceiling.life_cycles_a_second(Path(place, "a.db"), count, hooks=hooks)]
        alike = [ceiling.life_cycles_a_second(Path(place, "b.db"), count, batch, hooks)]
        figures = uvloop.run(flood(Path(place, "run.db"), count, producers, hooks))
        alike.append(ceiling.life_cycles_a_second(Path(place, "c.db"), count, batch, hooks))
        raw.append(ceiling.life_cycles_a_second(Path(place, "d.db"), count, hooks=hooks))
    return {
        **figures,
        "ceiling_s": round(mean(raw)),
        "ratio": round(figures["cycles_s"] / mean(raw), 3),
        "alike_s": round(mean(alike)),
        "alike_ratio": round(figures["cycles_s"] / mean(alike), 3),
    }


def steady(folder: Path, count: int, rate: int) -> Figures:
    with TemporaryDirectory(dir=folder) as place:
        return uvloop.run(pace(Path(place, "run.db"), rate, min(count, PACED_SECONDS * rate)))


def main() -> None:
    made = parser(__doc__, 20_000, "life cycles a run, at most; fewer with few producers or many hooks")
    made.add_argument("--producers", type=numbers, default=(1, 8, 64, 512))
    made.add_argument("--hooks", type=numbers, default=(0, 1, 10))
    made.add_argument("--rates", type=numbers, default=(100, 1000), help="changes a second of the steady runs")
    made.add_argument("--rounds", type=positive, default=3)
    options = made.parse_args()
    with throw_away_folder() as folder:
        pairs = [(producers, 1) for producers in options.producers if 1 in options.hooks]
        pairs += [(USUAL_PRODUCERS, hooks) for hooks in options.hooks if hooks != 1]
        floods = {
            f"{producers} {hooks}": partial(beside_ceiling, folder, options.n, producers, hooks)
            for producers, hooks in pairs
        }
        paces = {str(rate): partial(steady, folder, options.n, rate) for rate in options.rates}
        with progress("dispatch"):
            cycles = alternating(options.rounds, floods)
            steadies = alternating(options.rounds, paces)
    rows = [with_spread(each, "cycles_s") for each in cycles.values()]
    rows += [with_spread(each, "start_p99_ms") for each in steadies.values()]
    give(rows, as_json=options.json)


if __name__ == "__main__":
    main()
