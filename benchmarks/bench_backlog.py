"""A backlog after kill -9: how soon the first job runs again, how fast it drains, how much memory it takes.

The backlog is made through the store's own writes. A process of its own owns the database, begins to run, and is
killed with SIGKILL once `--killed-after` receivers have begun. Then, of the next process, a real one:

    first_s         from its exec to the first line of the first receiver
    RSS_first_mb    its memory then
    drain_s         job results a second, from that line until nothing waits
    RSS_peak_mb     the most memory it held at any time
    made_s          rows of the backlog a second as they were put in (a life cycle without its run)

Bar: first_s at most 1.5 s with 100,000 pending; RSS_peak_mb does not grow with the backlog.

    python -m benchmarks.bench_backlog [-n 100000] [--counts 100000,1000000] [--killed-after 500] [--json]
"""

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.command import give, numbers, parser, positive, throw_away_folder
from benchmarks.filling import Filling, fill
from benchmarks.measuring import Figures, resident_mb
from benchmarks.receivers import Noop, check_sound, hooked_app
from buttonhook import ObjectChange, ObjectChangeAction

ROOT = Path(__file__).resolve().parent.parent
BAR_SECONDS = 1.5
BAR_COUNT = 100_000


class Telling(Noop):
    """Counts the receivers that began; tells of the first, and of the one after which the process is to be killed."""

    __module__ = "benchmarks.bench_backlog"  # not __main__: the job's id must be the same in all processes
    begun = 0
    tells_at = 0

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        Telling.begun += 1
        if Telling.begun == 1:
            tell(first=time.monotonic(), rss=resident_mb())
        if Telling.begun == Telling.tells_at:
            tell(begun=Telling.begun)
        self.logger.info("line 1 of %s", change.object_pk)
        self.logger.info("line 2 of %s", changed_object)


def tell(**figures: float) -> None:
    """A line of JSON on stdout."""
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


async def own(path: Path, tells_at: int) -> None:
    """What the processes do that own the database: open it and drain it."""
    Telling.tells_at = tells_at
    async with hooked_app(path, [Telling]) as app:
        await app.drain()
        ended = time.monotonic()
        peak = resident_mb(peak=True)
        await check_sound(app)
    tell(ended=ended, peak=peak, run=Telling.begun)


async def make(path: Path, count: int) -> None:
    """A database with `count` pending job results."""
    async with hooked_app(path, [Telling]) as app:
        hook = app.configuration.get_hook("noop-0")
    await fill(path, Filling(count, hook))


def measure(folder: Path, count: int, killed_after: int) -> Figures:
    """One backlog, from nothing until it is drained."""
    path = folder / f"backlog-{count}.db"
    began = time.monotonic()
    uvloop.run(make(path, count))
    made = time.monotonic() - began
    kill_in_the_middle(path, min(killed_after, max(1, count // 2)))
    began = time.monotonic()
    with _process(path, 0) as process:
        first, last = told(process), told(process)
    return {
        "pending": count,
        "first_s": round(first["first"] - began, 3),
        "drain_s": round(last["run"] / (last["ended"] - first["first"])),
        "RSS_first_mb": first["rss"],
        "RSS_peak_mb": last["peak"],
        "made_s": round(count / made),
    }


def kill_in_the_middle(path: Path, after: int) -> None:
    """Let a process own the database, and kill it when so many receivers have begun."""
    with _process(path, after) as process:
        while "begun" not in told(process):
            pass
        process.send_signal(signal.SIGKILL)


def told(process: subprocess.Popen[str]) -> dict[str, float]:
    """The next line that a process tells.

    Raises:
        SystemExit: it ended instead.
    """
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"The process that owns the backlog ended with {process.wait()} and told nothing.")
    found: dict[str, float] = json.loads(line)
    return found


def _process(path: Path, tells_at: int) -> subprocess.Popen[str]:
    words = [sys.executable, "-m", "benchmarks.bench_backlog", "--own", str(path), "--tells-at", str(tells_at)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603 - this very file


def main() -> None:
    made = parser(__doc__, 100_000, "pending job results")
    made.add_argument("--counts", type=numbers, help="several backlogs, instead of -n")
    made.add_argument("--killed-after", type=positive, default=500, help="receivers that begin before the kill")
    made.add_argument("--own", type=Path, help=argparse.SUPPRESS)
    made.add_argument("--tells-at", type=int, default=0, help=argparse.SUPPRESS)
    options = made.parse_args()
    if options.own:
        uvloop.run(own(options.own, options.tells_at))
        return
    with throw_away_folder() as folder:
        rows = [measure(folder, count, options.killed_after) for count in options.counts or (options.n,)]
    notes = [
        f"Over the bar of {BAR_SECONDS} s: {row['first_s']} s to the first job with {row['pending']:,} pending."
        for row in rows
        if row["first_s"] > BAR_SECONDS and row["pending"] <= BAR_COUNT
    ]
    give(rows, as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
