"""What must not grow: the cost of a change with the database and with the hooks, memory with the backlog.

law "rows"      us_each: microseconds a life cycle in a database with so many rows in each of the tables of objects,
                changes, job results and log entries; best of `--rounds`, 64 producers, one job hook
law "hooks"     us_each: the same in an empty database with so many job hooks, of which one covers the object's type
law "backlog"   RSS_peak_mb: most memory of the process that drains so many pending job results

beside_least    the figure / the least of its law: 1.2 is the bar for rows

python -m benchmarks.bench_scaling [-n 1000000] [--cycles 5000] [--hooks 10000] [--backlog 100000] [--json]
"""

import asyncio
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import uvloop

from benchmarks import bench_backlog
from benchmarks.bench_dispatch import USUAL_PRODUCERS, WARM, Producing
from benchmarks.command import give, parser, positive, progress, throw_away_folder
from benchmarks.filling import Filling, fill, put_config
from benchmarks.measuring import Figures, alternating
from benchmarks.receivers import Noop, check_sound, hooked_app
from buttonhook import App
from buttonhook.ids import new_uuid7
from buttonhook.records import ConfigRecord

BAR = 1.2
LEAST_ROWS = 1_000
KILLED_AFTER = 100


def sizes(most: int) -> list[int]:
    """1,000, 10,000 and so on, up to `most`."""
    found = [min(LEAST_ROWS, most)]
    while found[-1] * 10 <= most:
        found.append(found[-1] * 10)
    return found


async def prepared(path: Path, rows: int, hooks: int) -> None:
    """A database with rows in it, and with hooks on types that nothing is created of."""
    async with hooked_app(path, [Noop]) as app:
        hook = app.configuration.get_hook("noop-0")
    await fill(path, Filling(rows, kinds=1))
    others: list[ConfigRecord] = [
        msgspec.structs.replace(hook, id=new_uuid7(), name=f"other-{number}", object_types=(f"bench.other_{number}",))
        for number in range(1, hooks)
    ]
    if others:
        await put_config(path, others)


async def cost(app: App, cycles: int) -> float:
    """Microseconds a life cycle."""
    producing = Producing(app)
    producing.start_at(time.time_ns() % 10**9)
    await asyncio.gather(*(producing.many(WARM // 10) for _ in range(10)))
    await app.drain()
    share = max(1, cycles // USUAL_PRODUCERS)
    began = time.monotonic()
    await asyncio.gather(*(producing.many(share) for _ in range(USUAL_PRODUCERS)))
    await app.drain()
    return (time.monotonic() - began) / (share * USUAL_PRODUCERS) * 1e6


async def open_and_cost(path: Path, cycles: int) -> Figures:
    async with hooked_app(path, [Noop]) as app:
        figure = await cost(app, cycles)
        await check_sound(app)
    return {"us_each": round(figure, 1)}


def costs(folder: Path, law: str, counts: list[int], cycles: int, rounds: int) -> list[Figures]:
    """Databases of all sizes side by side, taking turns, so that no size has the better moment."""
    with TemporaryDirectory(dir=folder) as place:
        paths = {count: Path(place, f"{law}-{count}.db") for count in counts}
        for count, path in paths.items():
            uvloop.run(prepared(path, count if law == "rows" else 0, count if law == "hooks" else 1))
        runs = {
            str(count): partial(lambda path: uvloop.run(open_and_cost(path, cycles)), path)
            for count, path in paths.items()
        }
        found = alternating(rounds, runs)
    rows = [
        {"law": law, "size": int(count), "us_each": min(each["us_each"] for each in turns)}
        for count, turns in found.items()
    ]
    return beside_least(rows, "us_each")


def backlogs(folder: Path, counts: list[int]) -> list[Figures]:
    rows = []
    for count in counts:
        with TemporaryDirectory(dir=folder) as place:
            figures = bench_backlog.measure(Path(place), count, KILLED_AFTER)
        rows.append({"law": "backlog", "size": count, "RSS_peak_mb": figures["RSS_peak_mb"]})
    return beside_least(rows, "RSS_peak_mb")


def beside_least(rows: list[Figures], figure: str) -> list[Figures]:
    least = min(row[figure] for row in rows)
    return [{**row, "beside_least": round(row[figure] / least, 2)} for row in rows]


def main() -> None:
    made = parser(__doc__, 1_000_000, "rows in the largest database")
    made.add_argument("--cycles", type=positive, default=5_000, help="life cycles measured in each database")
    made.add_argument("--hooks", type=positive, default=10_000, help="job hooks in the largest set-up")
    made.add_argument("--backlog", type=positive, default=100_000, help="the largest backlog")
    made.add_argument("--rounds", type=positive, default=3)
    options = made.parse_args()
    with throw_away_folder() as folder, progress("scaling", 3) as bar:
        rows = costs(folder, "rows", sizes(options.n), options.cycles, options.rounds)
        bar.advance(bar.task_ids[0])
        rows += costs(folder, "hooks", [1, options.hooks], options.cycles, options.rounds)
        bar.advance(bar.task_ids[0])
        rows += backlogs(folder, sizes(options.backlog))
    notes = [
        f"Over the bar of {BAR}: with {row['size']:,} rows a change costs {row['beside_least']} times the least."
        for row in rows
        if row["law"] == "rows" and row["beside_least"] > BAR
    ]
    give(rows, as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
