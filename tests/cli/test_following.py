"""Commands that follow a daemon or wait for it: what they show, and how they end. All are real processes."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from buttonhook.credentials import public_part
from tests.api.served import Started
from tests.cli.conftest import LAB_SETTINGS, Command
from tests.command_line import CommandLine, clean_env

LAB = """
import asyncio
import pathlib

from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs


async def until(name):
    while not pathlib.Path(name).exists():
        await asyncio.sleep(0.01)


class Gate(JobHookReceiver):
    class Meta:
        object_types = ["lab.gated"]

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("waiting")
        await until("gate")
        self.logger.info("on")


class Press(JobButtonReceiver):
    async def receive_job_button(self, obj):
        self.logger.info("pressed")
        await until("gate")
        self.logger.success("through")


@hookimpl
def buttonhook_object_types():
    return ["lab.gated", "lab.free"]


register_jobs(Gate, Press)
"""
SET_UP = (
    "jobs enable Gate Press",
    "buttons add press --job Press --type lab.free",
    "objects put lab.free f --create --set n=1",
    "users add bob",
    "users grant bob lab.* jobs.view_jobresult jobs.view_objectchange",
)
ENDS = 20.0
"""Seconds in which what must happen has happened."""


class Lab:
    """A daemon in a folder, and commands beside it: those that are begun are processes of their own."""

    def __init__(self, cli: CommandLine, call: Command) -> None:
        self.cli, self.folder, self._call = cli, cli.folder, call
        self.start()

    def start(self, port: str = "0") -> None:
        self.daemon = Started(self.cli.start("serve", "--port", port, "--grace", "0", env=LAB_SETTINGS))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        self.daemon.process.send_signal(how)
        self.daemon.process.wait(ENDS)

    def run(self, line: str) -> str:
        return self._call(*line.split()).out

    def run_words(self, *words: str) -> str:
        """As `run`, for words that hold blanks."""
        return self._call(*words).out

    def begin(self, line: str, token: str = "") -> "subprocess.Popen[str]":
        if token:
            return self.cli.start("--server", self.daemon.url, *line.split(), env={"BUTTONHOOK_TOKEN": token})
        return self.cli.start(*line.split(), env=LAB_SETTINGS)

    def put_gated(self) -> None:
        """Have a run wait for the gate: result 1."""
        self.run("objects put lab.gated g --create --set n=1 --no-wait")

    def open_gate(self) -> None:
        (self.folder / "gate").touch()

    def status(self, number: int = 1) -> str:
        return str(json.loads(self.run(f"results show {number} --json"))["status"])


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all begin with; empty until the first of them has made it."""
    return tmp_path_factory.mktemp("following")


@pytest.fixture
def lab(cli: CommandLine, run: Command, beginning: Path) -> Lab:
    (cli.folder / "plugins" / "lab_tools.py").write_text(LAB)
    if not any(beginning.iterdir()):
        for line in SET_UP:
            run(*line.split())
        for each in cli.folder.glob("buttonhook.db*"):
            shutil.copy(each, beginning)
    for each in beginning.iterdir():
        shutil.copy(each, cli.folder)
    return Lab(cli, run)


def line_of(process: "subprocess.Popen[str]", words: str) -> str:
    """The next line of standard output in which these words stand."""
    assert process.stdout is not None
    while line := process.stdout.readline():
        if words in line:
            return line
    raise AssertionError(f"It ended with {process.wait(ENDS)}: {process.stderr and process.stderr.read()}")


def end_of(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=ENDS)
    assert "Traceback" not in err
    return process.returncode, out, err


@contextmanager
def on_terminal(lab: Lab, line: str) -> Iterator[tuple["subprocess.Popen[bytes]", Any]]:
    """A command on a terminal; what it shows is read by calling with words to wait for."""
    outer, inner = pty.openpty()
    env = {**clean_env(LAB_SETTINGS), "TERM": "dumb", "COLUMNS": "120", "NO_COLOR": "1"}
    command = [str(lab.cli.script), *line.split()]
    process = subprocess.Popen(command, stdout=inner, stderr=inner, env=env, cwd=lab.folder)
    os.close(inner)
    shown = ""

    def read(words: str) -> str:
        nonlocal shown
        until = time.monotonic() + ENDS
        while words not in shown:
            assert select.select([outer], [], [], max(until - time.monotonic(), 0))[0], shown
            try:
                shown += os.read(outer, 4096).decode()
            except OSError as exc:
                raise AssertionError(f"{words!r} was never shown: {shown}") from exc
        return shown

    try:
        yield process, read
    finally:
        process.kill()
        process.wait()
        os.close(outer)


# --- a log ----------------------------------------------------------------------------------------


def test_a_log_is_followed_until_its_run_has_ended(lab: Lab):
    lab.put_gated()
    following = lab.begin("results logs 1 -f")
    assert line_of(following, "waiting")
    lab.open_gate()
    code, out, err = end_of(following)
    assert (code, err) == (0, "")
    assert [line.split("\t")[3] for line in out.splitlines()] == ["on", "Job completed"]
    assert lab.run("results logs 1 -f --json").count('"message"') == 4, "what has ended is shown as it is"


def test_ctrl_c_leaves_the_run_alone(lab: Lab):
    lab.put_gated()
    following = lab.begin("results logs 1 -f")
    line_of(following, "waiting")
    following.send_signal(signal.SIGINT)
    code, _, err = end_of(following)
    assert (code, err) == (130, "Stopped. What was committed stays; the daemon goes on with what waits\n")
    assert lab.status() == "started"
    lab.open_gate()
    lab.run("run")
    assert lab.status() == "success"


def test_a_log_goes_on_when_the_daemon_comes_back(lab: Lab):
    lab.put_gated()
    following = lab.begin("results logs 1 -f")
    line_of(following, "waiting")
    lab.stop(signal.SIGKILL)
    assert following.stderr is not None
    assert "is gone. It is waited for, 60 s at most" in following.stderr.readline()
    lab.start()
    line_of(following, "waiting")
    lab.open_gate()
    code, out, _ = end_of(following)
    assert code == 0
    assert "Job completed" in out


# --- changes --------------------------------------------------------------------------------------


def test_text_with_separators_of_lines_that_json_need_not_escape_is_followed(lab: Lab):
    text = "one\u2028two\u2029three\x85four"
    tail = lab.begin("changes tail -n 1 --type lab.free --json")
    line_of(tail, "{")
    lab.run_words("objects", "put", "lab.free", "f", "--set", f"note={text}")
    assert json.loads(line_of(tail, "note"))["postchange"]["note"] == text
    tail.send_signal(signal.SIGINT)
    assert end_of(tail)[0] == 130


def test_changes_are_told_once_each_while_daemons_come_and_go(lab: Lab):
    tail = lab.begin("changes tail -n 1 --type lab.free --json")
    seen = [json.loads(line_of(tail, "{"))["id"]]
    made = list(seen)
    for how in (signal.SIGTERM, signal.SIGKILL):
        for n in (2, 3):
            line = f"objects put lab.free f --set n={n}{how.value} --json"
            made.append(json.loads(lab.run(line))["change"])
        lab.stop(how)
        line = f"objects put lab.free f --set n=4{how.value} --json"  # while there is none
        made.append(json.loads(lab.run(line))["change"])
        lab.start(lab.daemon.url.rpartition(":")[2] if how is signal.SIGTERM else "0")
    made.append(json.loads(lab.run("objects put lab.free f --set n=5 --json"))["change"])
    while seen[-1] != made[-1]:
        seen.append(json.loads(line_of(tail, "{"))["id"])
    assert seen == made
    tail.send_signal(signal.SIGINT)
    code, out, err = end_of(tail)
    assert (code, out) == (130, "")
    *warnings, last = err.splitlines()
    assert last.startswith("Stopped.")
    assert 1 <= len(warnings) <= 2
    assert all(" is gone. It is waited for" in each for each in warnings)


@pytest.mark.parametrize("way", ["removed", "disabled"])
def test_a_feed_ends_with_the_token(lab: Lab, way: str):
    token = lab.run("users token bob").strip()
    tail = lab.begin("changes tail -n 1 --type lab.free --json", token)
    line_of(tail, "lab.free")
    lab.run(f"users tokens remove {public_part(token)}" if way == "removed" else "users disable bob")
    code, _, err = end_of(tail)
    assert code == 1
    assert err == "Error: The login or token ended. Log in, and come back with the last id.\n"


# --- waiting --------------------------------------------------------------------------------------


def test_a_write_waits_for_its_jobs_and_tells_them_as_soon_as_they_end(lab: Lab):
    put = lab.begin("objects put lab.gated g --create --set n=1")
    line_of(put, "Created lab.gated g")
    lab.open_gate()
    code, out, err = end_of(put)
    assert (code, err) == (0, "")
    assert out.startswith("success\t1\tGate\tlab.gated g\t")


def test_a_write_whose_daemon_goes_away_says_what_stays(lab: Lab):
    put = lab.begin("objects put lab.gated g --create --set n=1")
    line_of(put, "Created lab.gated g")
    lab.stop(signal.SIGKILL)
    code, out, err = end_of(put)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: Daemon '{lab.daemon.url}' went away while its jobs were waited for.")
    assert err.endswith("What was committed stays. Its jobs go on when it runs again.\n")
    lab.start()
    lab.open_gate()
    lab.run("run")
    assert lab.status() == "success"


def test_a_write_that_is_stopped_leaves_its_jobs_alone(lab: Lab):
    put = lab.begin("objects put lab.gated g --create --set n=1")
    line_of(put, "Created lab.gated g")
    put.send_signal(signal.SIGINT)
    code, _, err = end_of(put)
    assert (code, err) == (130, "Stopped. What was committed stays; the daemon goes on with what waits\n")
    assert lab.status() == "started"


def test_a_write_whose_token_ends_while_it_waits_is_told_so(lab: Lab):
    token = lab.run("users token bob").strip()
    put = lab.begin("objects put lab.gated g --create --set n=1", token)
    line_of(put, "Created lab.gated g")
    lab.run(f"users tokens remove {public_part(token)}")
    code, _, err = end_of(put)
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "logged out while you waited" in err or "The token is unknown or expired" in err


def test_a_press_on_a_terminal_shows_the_log_as_it_comes(lab: Lab):
    with on_terminal(lab, "buttons press press lab.free f") as (press, read):
        assert "through" not in read("pressed")
        lab.open_gate()
        assert "success in" in read("Press on lab.free f: success")
        assert press.wait(ENDS) == 0


def test_ctrl_c_on_a_press_leaves_its_run_alone(lab: Lab):
    with on_terminal(lab, "buttons press press lab.free f") as (press, read):
        read("pressed")
        press.send_signal(signal.SIGINT)
        read("the daemon goes on with what waits")
        assert press.wait(ENDS) == 130
    assert lab.status() == "started"


def test_a_write_whose_jobs_are_not_to_be_seen_does_not_wait_for_them_and_says_nothing(lab: Lab):
    lab.run("users add cy")
    lab.run("users grant cy lab.*")
    put = lab.begin("objects put lab.gated g --create --set n=1", lab.run("users token cy").strip())
    assert end_of(put) == (0, "Created lab.gated g, change 11\n", "")


def test_who_may_see_no_jobs_waits_for_runs_all_the_same(lab: Lab):
    line = "objects put lab.gated g --create --set n=1 --wait 1.5"
    code, _, err = end_of(lab.begin(line, lab.run("users token bob").strip()))
    assert (code, err) == (0, "Warning: 1 job runs still. The daemon goes on\n")


def test_waiting_asks_seldom(lab: Lab):
    put = lab.begin("objects put lab.gated g --create --set n=1 --wait 2")
    line_of(put, "Created lab.gated g")
    before = requests_of(lab)
    code, _, err = end_of(put)
    assert code == 0
    assert "1 job runs still. The daemon goes on" in err
    assert requests_of(lab) - before < 20


def requests_of(lab: Lab) -> int:
    """How many requests the daemon has answered, by its metrics."""
    told = json.loads((lab.folder / "buttonhook.db.instance").read_text())
    headers = {"Authorization": f"Bearer {told['token']}"}
    text = httpx.get(f"{told['url']}/metrics", headers=headers, trust_env=False).raise_for_status().text
    counts = [line for line in text.splitlines() if line.startswith("buttonhook_http_requests_total")]
    assert counts, text
    return sum(int(float(line.rpartition(" ")[2])) for line in counts)
