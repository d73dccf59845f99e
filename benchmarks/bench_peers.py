"""The same work on other job systems: SAQ, arq, Celery (Redis), huey (SQLite), Procrastinate (PostgreSQL), Buttonhook.

A no-op job for each call (async where the system has async jobs), all in one run, taking turns, median of `--rounds`.
Redis and PostgreSQL are started for the run, on free ports, with their default settings; each system lives in a virtual
environment of its own that the benchmark makes. What cannot be had is said to be missing. How each is set up stands at
the top of its file in benchmarks/peers/, how it is measured in benchmarks/peers/harness.py.

For each number of producers that enqueue one job after the other, awaiting each:

    jobs_s          jobs a second, from the first call until the last job has started (Buttonhook: has ended)
    accepted_s      jobs a second, from the first call until the last acknowledgement
    whole_p50_ms, whole_p99_ms   from the call that enqueues to the job's start; in a flood that is the queue's length

and at a steady pace of `--rate` jobs a second the same: there whole_ms is the latency.
Beside the figures stands what each system keeps of a job, and whether an acknowledged one survives a power cut.

    python -m benchmarks.bench_peers [-n 2000] [--producers 1,8,64,512] [--rate 100] [--only saq,arq]
        [--rounds 5] [--json]
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from benchmarks import servers
from benchmarks.command import give, numbers, parser, positive, progress, throw_away_folder
from benchmarks.measuring import Figures, alternating, median_row
from benchmarks.servers import Missing

ROOT = Path(__file__).resolve().parent.parent
RUN_SECONDS = 600
PACED_SECONDS = 5


@contextmanager
def file_of_its_own(folder: Path) -> Iterator[str]:
    """Where a system keeps its own database."""
    yield str(folder / "peer.db")


def sqlite_version() -> str:
    """All use the SQLite of the same Python."""
    return f"SQLite {sqlite3.sqlite_version}"


class Contender(Struct, frozen=True, kw_only=True):
    """One job system: what it needs, and what it does with a job besides running it."""

    name: str
    packages: tuple[str, ...] = ()
    """Nothing: it runs in this environment."""
    server: Callable[[Path], AbstractContextManager[str]] = file_of_its_own
    server_version: Callable[[], str] = sqlite_version
    keeps: str = "the job until it ran, then its result for a while"
    survives: str


_REDIS_LOSES = "no: snapshot now and then"
_SYNCED = "yes: synced to disk"
CONTENDERS = (
    Contender(
        name="buttonhook",
        keeps="object, change record, job result, log lines",
        survives=_SYNCED,
    ),
    Contender(
        name="saq",
        packages=("saq[redis]==0.26.4", "redis==7.4.1", "typing_extensions>=4.12"),
        server=servers.redis_server,
        server_version=servers.redis_version,
        survives=_REDIS_LOSES,
    ),
    Contender(
        name="arq",
        packages=("arq==0.28.0", "redis==5.3.1"),
        server=servers.redis_server,
        server_version=servers.redis_version,
        survives=_REDIS_LOSES,
    ),
    Contender(
        name="celery",
        packages=("celery[redis]==5.7.0",),
        server=servers.redis_server,
        server_version=servers.redis_version,
        survives=_REDIS_LOSES,
    ),
    Contender(
        name="huey",
        packages=("huey==3.5.4",),
        keeps="the job until it ran",
        survives=_SYNCED,
    ),
    Contender(
        name="procrastinate",
        packages=("procrastinate==3.10.0", "psycopg[binary]==3.3.9"),
        server=servers.postgresql_server,
        server_version=servers.postgresql_version,
        keeps="the job, its status and the times of its events",
        survives=_SYNCED,
    ),
)


def run(contender: Contender, python: Path, folder: Path, work: tuple[int, int, int]) -> Figures:
    """One measurement: a fresh server or database, a fresh process.

    Raises:
        Missing: it cannot be had, or it did not do its work.
    """
    count, producers, rate = work
    with TemporaryDirectory(dir=folder) as place, contender.server(Path(place)) as address:
        words = [str(python), "-m", f"benchmarks.peers.{contender.name}_peer", str(count), str(producers), str(rate)]
        try:
            ended = subprocess.run(  # noqa: S603 - constants and our own paths
                [*words, address, str(Path(place, "notes"))],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
                timeout=RUN_SECONDS,
            )
        except subprocess.TimeoutExpired as exc:
            raise Missing(f"it was not done within {RUN_SECONDS} s") from exc
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or [f"it ended with {ended.returncode}"]
        raise Missing(f"it failed: {said[-1]}")
    figures: Figures = json.loads(ended.stdout.strip().splitlines()[-1])
    return {"producers": producers, "rate": rate} | figures


def interpreter(contender: Contender) -> Path:
    """What runs it.

    Raises:
        Missing: its packages cannot be installed.
    """
    return servers.environment(contender.name, contender.packages) if contender.packages else Path(sys.executable)


def available(chosen: list[Contender], folder: Path) -> tuple[dict[str, Path], list[str]]:
    """The interpreters of those that can do the work, each having done a little of it, and why the others cannot."""
    found, notes = {}, []
    for contender in chosen:
        try:
            python = interpreter(contender)
            run(contender, python, folder, (10, 1, 0))
        except Missing as exc:
            notes.append(f"Missing: {contender.name}, because {exc}.")
        else:
            found[contender.name] = python
    return found, notes


def main() -> None:
    made = parser(__doc__, 2_000, "jobs a run")
    made.add_argument("--producers", type=numbers, default=(1, 8, 64, 512))
    made.add_argument("--rate", type=int, default=100, help="jobs a second of the steady runs; 0: none")
    made.add_argument("--only", help="names with commas between them")
    made.add_argument("--rounds", type=positive, default=5)
    options = made.parse_args()
    names = [each.name for each in CONTENDERS]
    wanted = options.only.split(",") if options.only else names
    if unknown := set(wanted) - set(names):
        made.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(names)}")
    chosen = [each for each in CONTENDERS if each.name in wanted]
    works = [(max(options.n, producers), producers, 0) for producers in options.producers]
    if options.rate:
        works.append((min(options.n, PACED_SECONDS * options.rate), 1, options.rate))
    rows: list[Figures] = []
    with throw_away_folder() as folder, progress("peers", len(works)) as bar:
        folder.chmod(0o711)  # PostgreSQL's own user must be able to pass
        pythons, notes = available(chosen, folder)
        for work in works:
            runs = {
                each.name: partial(run, each, pythons[each.name], folder, work)
                for each in chosen
                if each.name in pythons
            }
            for name, found in alternating(options.rounds, runs).items():
                rows.append(described(name, found))
            bar.advance(bar.task_ids[0])
    give([*rows, *facts(pythons)], as_json=options.json, notes=notes)


def described(name: str, found: list[Figures]) -> Figures:
    """The median of one system's rounds."""
    contender = next(each for each in CONTENDERS if each.name == name)
    return {
        "system": name,
        **median_row(found, "whole_p99_ms" if found[0]["rate"] else "jobs_s"),
        "rounds": len(found),
        "survives a power cut": contender.survives,
    }


def facts(pythons: dict[str, Path]) -> list[Figures]:
    """What each system does with a job besides running it."""
    return [
        {
            "system": each.name,
            "version": each.packages[0] if each.packages else "this one",
            "stands on": each.server_version(),
            "keeps": each.keeps,
            "survives a power cut": each.survives,
            "change records": "yes" if each.name == "buttonhook" else "no",
            "log of each job": "yes" if each.name == "buttonhook" else "no",
        }
        for each in CONTENDERS
        if each.name in pythons
    ]


if __name__ == "__main__":
    main()
