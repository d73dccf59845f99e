"""What the tests of the command line share: the command in this process, a folder, a plugin of their own.

Most tests call the command in this process, which is quick; what only a process of its own can show (pipes, signals,
terminals, a second process) is in `test_process.py`.
"""

import io
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from buttonhook.cli.main import run_command
from tests.api.served import Started
from tests.command_line import CommandLine

LAB = '''
import asyncio
import pathlib

from msgspec import UNSET, UnsetType

from buttonhook import JobButtonReceiver, JobHookReceiver, TrackedObject, hookimpl, register_jobs


class Rack(TrackedObject, object_type="lab.rack", unique=("name",), natural_key="name", kw_only=True):
    name: str
    units: int = 42
    serial: str | UnsetType = UNSET
    front_label: str | UnsetType = UNSET


class Note(JobHookReceiver):
    """Logs each change."""

    class Meta:
        name = "Note"
        description = "Notes each change of a rack."
        object_types = ["lab.rack"]

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("noted %s", action, extra={"object": changed_object})
        if change.object_repr.startswith("bad"):
            raise ValueError("a bad name")
        return {"noted": change.object_repr}


class Gate(JobHookReceiver):
    """Waits until a file is there."""

    class Meta:
        object_types = ["lab.gated"]

    async def receive_job_hook(self, change, action, changed_object):
        while not pathlib.Path("gate").exists():
            await asyncio.sleep(0.01)


class Ping(JobButtonReceiver):
    async def receive_job_button(self, obj):
        self.logger.debug("looking at %s", obj)
        self.logger.success("pong", extra={"object": obj, "grouping": "ping"})


class Refuse(JobButtonReceiver):
    def receive_job_button(self, obj):
        self.fail("%s is not ready", obj)


class Rename(JobButtonReceiver):
    async def receive_job_button(self, obj):
        obj.name = "bad " + obj.name
        await obj.save()


@hookimpl
def buttonhook_object_types():
    return [Rack, "lab.free", "lab.gated"]


register_jobs(Note, Gate, Ping, Refuse, Rename)
'''


@dataclass(frozen=True)
class Done:
    """How one command ended."""

    args: tuple[str, ...]
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)

    def rows(self) -> list[list[str]]:
        """The lines of standard output, by their fields."""
        return [line.split("\t") for line in self.out.splitlines()]

    def log(self) -> list[list[str]]:
        """Printed log lines without their times, and without those that every run begins and ends with."""
        return [row[1:] for row in self.rows() if len(row) > 2 and row[2] not in ("initialization", "post_run")]

    def __str__(self) -> str:
        return f"buttonhook {' '.join(self.args)} -> {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


Command = Callable[..., Done]


@pytest.fixture
def lab_folder(tmp_path: Path) -> Path:
    """The working directory; its folder `plugins` holds the test's plugin."""
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "lab_tools.py").write_text(LAB, encoding="utf-8")
    return tmp_path


LAB_SETTINGS = {
    "BUTTONHOOK_ALLOWED_PLUGINS": "none",
    "BUTTONHOOK_PLUGINS_DIR": "plugins",
    "BUTTONHOOK_USER": "ann",
}
both_ways = pytest.mark.parametrize("way", ["embedded", "daemon"])
"""Runs the test twice: the commands have the database themselves, and they find a daemon that has it."""


@pytest.fixture
def way() -> str:
    """Who has the database: see `both_ways`."""
    return "embedded"


class Beside:
    """The daemon that commands find: started with the first of them, with what is installed then."""

    def __init__(self, cli: CommandLine) -> None:
        self._cli = cli
        self._started: Started | None = None

    @property
    def started(self) -> Started:
        if self._started is None:
            self._started = Started(self._cli.start("serve", "--port", "0", "--grace", "0", env=LAB_SETTINGS))
        return self._started

    def stop(self) -> None:
        self.started.process.terminate()
        assert self.started.process.wait(20) == 0


@pytest.fixture
def beside(way: str, lab_folder: Path, cli: CommandLine) -> Beside | None:
    """The daemon that the commands find, where there is to be one."""
    return Beside(cli) if way == "daemon" else None


@pytest.fixture
def run(
    lab_folder: Path, beside: Beside | None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Command:
    """Run a command in this process, in an empty folder, with the test's plugin alone: `run("jobs", "list")`.

    The command is expected to end with 0, unless `code` says otherwise.
    """
    monkeypatch.chdir(lab_folder)
    for name in [name for name in os.environ if name.startswith("BUTTONHOOK_")]:
        monkeypatch.delenv(name)
    for name, value in LAB_SETTINGS.items():
        monkeypatch.setenv(name, value)

    def call(*args: str, stdin: str = "", code: int | None = 0) -> Done:
        if beside is not None:
            assert beside.started
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), encoding="utf-8"))
        for name in [name for name in sys.modules if name.startswith("lab_")]:
            del sys.modules[name]  # each command is a process of its own otherwise
        capsys.readouterr()
        ended = run_command(args)
        captured = capsys.readouterr()
        done = Done(args, ended, captured.out, captured.err)
        assert "Traceback (most recent" not in done.err, done
        if code is not None:
            assert done.code == code, done
        return done

    return call


@pytest.fixture
def lab(run: Command) -> Command:
    """As `run`, with a database, the job Note enabled (it brings its job hook) and a rack r1.

    Change 1 enables the job, change 2 adds the job hook, change 3 makes the rack. The owner is ann.
    """
    run("jobs", "enable", "Note")
    run("objects", "put", "lab.rack", "r1", "--create", "--set", "name=first")
    return run
