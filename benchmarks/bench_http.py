"""One change over HTTP: PUTs that each create an object and fire a job hook, to a real `buttonhook serve`.

Some connections (`--connections`) each send one PUT after the other, by wrk where it is installed, else by a client of
this process, which takes more of the machine. A user with two permissions asks, with a token; the receiver gets the
object loaded and logs two lines. Beside it a bare Litestar route that only sends the body back, on the same server
settings, with the same client. The database is checked at the end of each run.

    cycles_s        PUTs a second, hook run included: from the first request to the last job result's end
    puts_s          PUTs answered a second, each after its commit
    put_p50_ms, put_p99_ms   how long one waits for its answer
    cpu_us          processor time of the daemon a PUT with its run, all threads
    RSS_mb          memory of the daemon at the end
    echo_s          the bare route's answers a second
    echo_cpu_us     its processor time an answer
    ratio           cycles_s / echo_s

Bar: 3,000 cycles_s with 32 connections, where the bare route has 9,900.

    python -m benchmarks.bench_http [-n 5000] [--connections 32] [--rounds 3] [--client wrk|asyncio] [--json]
"""

import asyncio
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.request import Request, urlopen

from benchmarks.command import give, numbers, parser, positive, progress, throw_away_folder
from benchmarks.measuring import Figures, alternating, resident_mb, with_spread
from benchmarks.putting import Put, Target, has_wrk, put_many
from benchmarks.receivers import check_sound
from benchmarks.servers import free_port, process_on
from buttonhook import open_app
from buttonhook.settings import Settings

PLUGINS = Path(__file__).resolve().parent / "served"
OWNER, USER = "bench", "writer"
WARM_SECONDS = 1
TYPE = "bench.device"
MOST_SECONDS = 60


class Daemon:
    """A `buttonhook serve` that runs, and who may ask it."""

    def __init__(self, port: int, token: str, own_token: str, process_id: int) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self.target = Target(f"{self._url}/api/objects/{TYPE}/", token)
        self._own_token = own_token
        self.process_id = process_id

    def ended(self) -> int:
        """How many runs have ended since the daemon began."""
        request = Request(f"{self._url}/metrics", headers={"Authorization": f"Bearer {self._own_token}"})  # noqa: S310
        with urlopen(request) as answer:  # noqa: S310 - our own daemon
            text = answer.read().decode()
        return sum(int(float(each)) for each in re.findall(r"^buttonhook_job_results_total{.*} (\S+)$", text, re.M))


async def prepare(path: Path) -> tuple[str, str]:
    """A database with the job hook, and the tokens of a user who may write and of the owner."""
    async with open_app(settings=settings(path)) as app:
        await app.configuration.enable_job("Noop")
        people = app.administration
        await people.add_user(USER)
        await people.grant(["bench.add_device", "bench.change_device", "bench.view_device"], users=[USER])
        return (await people.add_token(USER))[1], (await people.add_token(OWNER))[1]


def settings(path: Path) -> Settings:
    return Settings(db=f"sqlite:///{path}", user=OWNER, plugins_dir=str(PLUGINS))


async def check(path: Path) -> None:
    async with open_app(settings=settings(path)) as app:
        await check_sound(app)


@contextmanager
def daemon(path: Path) -> Iterator[Daemon]:
    """A daemon on a new database."""
    token, own_token = asyncio.run(prepare(path))
    port = free_port()
    script = Path(sys.executable).with_name("buttonhook")
    words = [str(script), "--db", f"sqlite:///{path}", "--user", OWNER, "--plugins-dir", str(PLUGINS)]
    with process_on(port, [*words, "serve", "--port", str(port)]) as process_id:
        yield Daemon(port, token, own_token, process_id)
    asyncio.run(check(path))


def cpu_seconds(process_id: int) -> float:
    """Processor time of a process so far, all threads."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def put_to_daemon(folder: Path, count: int, connections: int, *, wrk: bool) -> Figures:
    """One run on a database of its own."""
    with TemporaryDirectory(dir=folder) as place, daemon(Path(place, "http.db")) as served:
        warm = put_many(served.target, "warm", connections, WARM_SECONDS, folder, wrk=wrk)
        _wait_for_runs(served, warm.puts)
        before, cpu_before = served.ended(), cpu_seconds(served.process_id)
        began = time.monotonic()
        put = put_many(served.target, "r", connections, count * warm.seconds / warm.puts, folder, wrk=wrk)
        told = time.monotonic()
        ended = _wait_for_runs(served, before + put.puts) - before
        more = time.monotonic() - told
        cpu = cpu_seconds(served.process_id) - cpu_before
        figures = {
            "connections": connections,
            "client": put.client,
            "cycles_s": round(ended / (put.seconds + more)),
            "puts_s": round(put.puts / put.seconds),
            "put_p50_ms": round(put.p50, 2),
            "put_p99_ms": round(put.p99, 2),
            "cpu_us": round(cpu / ended * 1e6),
            "RSS_mb": resident_mb(served.process_id),
        }
        _check(put, warm)
        assert told - began < MOST_SECONDS, "the run took too long to be one"
    return figures


def _wait_for_runs(served: Daemon, count: int) -> int:
    """Wait until so many runs have ended, and no more come; how many there are."""
    until, before = time.monotonic() + MOST_SECONDS, -1
    while time.monotonic() < until:
        ended = served.ended()
        if ended >= count and ended == before:
            return ended
        before = ended
        time.sleep(0.005)
    raise SystemExit(f"The figures do not count: of {count} runs {served.ended()} ended.")


def _check(*runs: Put) -> None:
    if any(each.bad for each in runs):
        raise SystemExit(f"The figures do not count, requests failed: {runs}")


def put_to_echo(folder: Path, count: int, connections: int, *, wrk: bool) -> Figures:
    """The same on the bare route."""
    port = free_port()
    with process_on(port, [sys.executable, "-m", "benchmarks.echo", str(port)]) as process_id:
        target = Target(f"http://127.0.0.1:{port}/api/objects/{TYPE}/", "none")
        warm = put_many(target, "warm", connections, WARM_SECONDS, folder, wrk=wrk)
        cpu_before = cpu_seconds(process_id)
        put = put_many(target, "r", connections, count * warm.seconds / warm.puts, folder, wrk=wrk)
        cpu = cpu_seconds(process_id) - cpu_before
    _check(put, warm)
    return {"echo_s": round(put.puts / put.seconds), "echo_cpu_us": round(cpu / put.puts * 1e6)}


def beside_echo(folder: Path, count: int, connections: int, *, wrk: bool) -> Figures:
    """One run, and the bare route in the same minute."""
    figures = put_to_daemon(folder, count, connections, wrk=wrk)
    echo = put_to_echo(folder, count, connections, wrk=wrk)
    return {**figures, **echo, "ratio": round(figures["cycles_s"] / echo["echo_s"], 3)}


def main() -> None:
    made = parser(__doc__, 5_000, "PUTs a run, about; with wrk for at least a second")
    made.add_argument("--connections", type=numbers, default=(32,), help="of the client, at once")
    made.add_argument("--rounds", type=positive, default=3)
    made.add_argument("--client", choices=("wrk", "asyncio"), default="wrk" if has_wrk() else "asyncio")
    options = made.parse_args()
    with throw_away_folder() as folder, progress("http"):
        runs = {
            str(connections): partial(beside_echo, folder, options.n, connections, wrk=options.client == "wrk")
            for connections in options.connections
        }
        found = alternating(options.rounds, runs)
    give([with_spread(each, "cycles_s") for each in found.values()], as_json=options.json)


if __name__ == "__main__":
    main()
