"""Servers that peers need, started on free loopback ports and stopped by their own process ids; virtual environments.

What cannot be had raises `Missing`, with the reason and the cure: the benchmark says so and goes on.
"""

import hashlib
import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VENVS = Path(__file__).resolve().parent / ".venvs"
START_SECONDS = 30.0
STOP_SECONDS = 15.0
INSTALL_SECONDS = 600


class Missing(Exception):
    """Something that a peer needs is not there."""


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Redis with its default settings but for the port; gives its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise Missing("there is no redis-server; on Debian and Ubuntu: apt install redis-server")
    port = free_port()
    place = folder / f"redis-{port}"
    place.mkdir()
    with process_on(port, [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(place)]):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """A new PostgreSQL cluster with its default settings (synchronous commits among them); gives its URL."""
    programs = _postgresql_programs()
    port = free_port()
    place = folder / f"postgresql-{port}"
    place.mkdir()
    user = _other_user()
    if user is not None:  # the folders above are the superuser's; PostgreSQL must be able to pass through them
        folder.chmod(0o711)
        shutil.chown(place, user)
    made = subprocess.run(  # noqa: S603 - constants and our own paths
        [programs / "initdb", "-D", place, "-A", "trust", "-U", "bench", "--locale=C", "-E", "UTF8"],
        user=user,
        cwd=place,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise Missing(f"PostgreSQL's initdb failed: {made.stderr.strip().splitlines()[-1]}")
    words = [str(programs / "postgres"), "-D", str(place), "-p", str(port), "-h", "127.0.0.1", "-k", ""]
    with process_on(port, words, user=user, place=place):
        yield f"postgresql://bench@127.0.0.1:{port}/postgres"


def redis_version() -> str:
    """As in `Redis 7.0.15`."""
    return f"Redis {_said(shutil.which('redis-server'), '--version').partition('v=')[2].split()[0]}"


def postgresql_version() -> str:
    """As in `PostgreSQL 15.18`."""
    return f"PostgreSQL {_said(_postgresql_programs() / 'postgres', '--version').split()[2]}"


def _said(program: Path | str | None, word: str) -> str:
    if program is None:
        raise Missing("its server is not installed")
    return subprocess.run([program, word], capture_output=True, text=True, check=True).stdout  # noqa: S603 - our servers


def environment(name: str, packages: Sequence[str]) -> Path:
    """The interpreter of a virtual environment with these packages; made once, kept in the clone, ignored by git."""
    mark = hashlib.sha256("\n".join([sys.version, *packages]).encode()).hexdigest()[:8]
    place = VENVS / f"{name}-{mark}"
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        shutil.rmtree(place, ignore_errors=True)
        _install([sys.executable, "-m", "venv", str(place)])
        _install([str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check", *packages])
        done.touch()
    return python


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _install(words: Sequence[str]) -> None:
    try:
        ended = subprocess.run(  # noqa: S603 - constants and our own paths
            words, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired as exc:
        raise Missing(f"its packages were not installed within {INSTALL_SECONDS} s") from exc
    if ended.returncode:
        said = [line for line in ended.stderr.splitlines() if line.strip()] or [f"it ended with {ended.returncode}"]
        raise Missing(f"its packages cannot be installed: {said[-1]}")


@contextmanager
def process_on(port: int, words: Sequence[str], user: str | None = None, place: Path | None = None) -> Iterator[int]:
    """A server for as long as the block lasts, by its process id; it takes connections when the block begins."""
    with subprocess.Popen(  # noqa: S603 - constants and our own paths
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, cwd=place
    ) as process:
        try:
            _wait_for(process, port)
            yield process.pid
        finally:
            process.send_signal(2)  # all of them take SIGINT as: stop now, in order
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    name = Path(str(process.args[0])).name if isinstance(process.args, list) else "the server"
    until = time.monotonic() + START_SECONDS
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise Missing(f"{name} ended with {process.returncode} instead of starting")
        if time.monotonic() > until:
            raise Missing(f"{name} took no connection within {START_SECONDS:g} s")
        time.sleep(0.02)


def _postgresql_programs() -> Path:
    """The folder of initdb and postgres; Debian keeps it off the path."""
    found = shutil.which("postgres")
    places = [Path(found).resolve().parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    for place in reversed(places):
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise Missing("there is no PostgreSQL server; on Debian and Ubuntu: apt install postgresql")


def _other_user() -> str | None:
    """PostgreSQL refuses to run as the superuser: whom to run it as then."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    raise Missing("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
