"""What only a process of its own can show: databases that cannot be used, pipes, signals, terminals, the demo."""

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.command_line import CommandLine, clean_env

PLUGIN = {"BUTTONHOOK_ALLOWED_PLUGINS": "none", "BUTTONHOOK_PLUGINS_DIR": "plugins", "BUTTONHOOK_LOCK_WAIT": "0.2"}

PROMPT = re.compile(rb"Password: |Repeat for confirmation: ")


@pytest.fixture
def shell(cli: CommandLine, lab_folder: Path) -> CommandLine:
    """The installed command, in the folder with the test's plugin."""
    assert cli.folder == lab_folder
    return cli


def test_databases_that_cannot_be_used_are_refused_with_the_cure(shell: CommandLine):
    missing = shell("hooks", "list", env=PLUGIN)
    assert (missing.returncode, missing.stdout) == (1, "")
    assert missing.stderr.startswith("Error: Database 'buttonhook.db' does not exist. Name yours with --db sqlite:///")
    assert not (shell.folder / "buttonhook.db").exists()

    (shell.folder / "empty.db").touch()
    (shell.folder / "text.db").write_text("no database\n" * 100)
    (shell.folder / "folder.db").mkdir()
    with sqlite3.connect(shell.folder / "other.db") as other:
        other.execute("CREATE TABLE things (name)")
    other.close()
    for name, words in (
        ("empty.db", "is an empty file. Remove it"),
        ("text.db", "is not a SQLite database. Name another file"),
        ("folder.db", "is not a file"),
        ("other.db", "belongs to another program. Name another file"),
        ("no/such.db", "Check that the folder"),
    ):
        done = shell("--db", f"sqlite:///{name}", "jobs", "enable", "Note", env=PLUGIN)
        assert done.returncode == 1, done
        assert words in done.stderr, done
        assert len(done.stderr.splitlines()) == 1, done
    with sqlite3.connect(shell.folder / "other.db") as other:
        assert other.execute("SELECT count(*) FROM sqlite_master").fetchone() == (1,), "nothing was made in it"
    other.close()


def test_a_second_process_is_told_who_has_the_database_and_a_stop_loses_nothing(shell: CommandLine):
    assert shell("jobs", "enable", "Gate", env=PLUGIN).returncode == 0
    first = shell.start("objects", "put", "lab.gated", "g1", "--create", "--set", "n=1", env=PLUGIN)
    assert first.stdout is not None
    assert first.stdout.readline() == "Created lab.gated g1, change 3\n"

    second = shell("changes", "list", env=PLUGIN)
    assert second.returncode == 1
    assert f"is in use by process {first.pid} (buttonhook objects put lab.gated g1 --create --set n=1)" in second.stderr
    assert "wait for it with --lock-wait SECONDS" in second.stderr

    first.send_signal(signal.SIGINT)
    _, told = first.communicate(timeout=20)
    assert first.returncode == 130
    assert told == "Stopped. What was committed stays; what waits goes on with: buttonhook run\n"

    (shell.folder / "gate").touch()
    again = shell("run", "--json", env=PLUGIN)
    assert again.json()["jobs"] == {"success": 1}
    assert shell("check", env=PLUGIN).returncode == 0


def test_a_reader_that_goes_away_is_no_error(shell: CommandLine):
    lines = "".join(f'{{"object_type": "lab.free", "pk": "{n}", "data": {{"n": {n}}}}}\n' for n in range(5000))
    assert shell("objects", "import", "-", stdin=lines, env=PLUGIN).returncode == 0
    for args in ("changes list --all", "objects list lab.free --all --json", "objects export lab.free"):
        process = shell.start(*args.split(), env=PLUGIN)
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == "", args
        assert process.wait(20) == 141, args


def test_standard_output_may_be_closed(shell: CommandLine):
    script = f"'{shell.script}' jobs list >&-; echo $?; '{shell.script}' jobs nothing >&- 2>&-; echo $?"
    done = subprocess.run(
        ["/bin/sh", "-c", script], capture_output=True, text=True, cwd=shell.folder, env=clean_env(PLUGIN)
    )
    assert done.stdout.split() == ["0", "2"]
    assert done.stderr == ""


def test_import_prints_each_request_as_soon_as_it_is_committed(shell: CommandLine):
    process = shell.start("objects", "import", "-", "--json", env=PLUGIN)
    assert process.stdin is not None
    assert process.stdout is not None
    line = {"request_id": "q1", "user_name": "x", "time": "2024-01-01T00:00:00Z", "action": "create"}
    line |= {"object_type": "lab.free", "object_id": "a", "after": {"n": 1}}
    for request in ("q1", "q2"):
        process.stdin.write(json.dumps(line | {"request_id": request, "object_id": request}) + "\n")
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["request_id"] == "q1"
    process.kill()
    process.wait()
    shown = shell("objects", "list", "lab.free", "--json", env=PLUGIN).json()
    assert "q1" in [each["pk"] for each in shown]
    assert shell("check", env=PLUGIN).returncode == 0


def on_terminal(shell: CommandLine, *args: str, answers: Sequence[str] = (), **environment: str) -> tuple[int, str]:
    """Run the command on a terminal of its own; each of the `answers` is typed once there is a prompt for it."""
    ours, theirs = pty.openpty()
    env = clean_env(PLUGIN | {"TERM": "xterm-256color", "COLUMNS": "120", **environment})
    process = subprocess.Popen(
        [str(shell.script), *args],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=shell.folder,
        env=env,
        start_new_session=True,
    )
    os.close(theirs)
    chunks = []
    for place, answer in enumerate(answers):
        while len(PROMPT.findall(b"".join(chunks))) <= place:
            chunks.append(os.read(ours, 65536))
        os.write(ours, f"{answer}\n".encode())
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not chunk:
            break
        chunks.append(chunk)
    os.close(ours)
    return process.wait(20), b"".join(chunks).decode()


def test_a_password_is_asked_for_twice_and_not_shown(shell: CommandLine):
    assert shell("users", "add", "bob", env=PLUGIN).returncode == 0
    good, other = "correct horse battery", "staple of another horse"
    code, shown = on_terminal(shell, "users", "passwd", "bob", answers=[good, other, "weak", "weak"])
    assert code == 1
    assert "do not match" in shown
    assert "cannot have a password of 4 characters" in shown
    assert "weak" not in shown
    code, shown = on_terminal(shell, "users", "passwd", "bob", answers=[good, good])
    assert code == 0, shown
    assert "Set the password of bob" in shown
    assert "horse" not in shown


def test_a_terminal_gets_tables_hints_and_colour(shell: CommandLine):
    code, shown = on_terminal(shell, "jobs", "enable", "Note", "Ping")
    assert code == 0
    assert "Nothing runs it yet. Add a button: buttonhook buttons add NAME --job lab_tools.Ping" in shown
    code, shown = on_terminal(shell, "jobs", "list")
    assert "JOB" in shown
    assert "\x1b[32menabled" in shown
    code, shown = on_terminal(shell, "jobs", "list", NO_COLOR="1")
    assert "\x1b[3" not in shown
    code, shown = on_terminal(shell, "objects", "put", "lab.rack", "r1", "--create", "--set", 'name="[red]x[/]"')
    assert "Created lab.rack r1 ([red]x[/]), change 4" in shown
    assert "\u2713 success" in shown
    code, shown = on_terminal(shell, "objects", "put", "lab.rack", "r1")
    assert code == 2
    assert "Give a file, - for standard input, or --set PATH=VALUE." in shown
    code, shown = on_terminal(shell, "changes", "show", "4")
    assert "Job results" in shown
    code, shown = on_terminal(shell, "results", "logs", "1")
    assert "[lab.rack r1 ([red]x[/])]" in shown
    (shell.folder / "one.jsonl").write_text('{"object_type": "lab.free", "data": {}}\n')
    code, shown = on_terminal(shell, "objects", "import", "one.jsonl")
    assert code == 0
    assert "1 change from 1 line" in shown


def test_the_demo_plays_its_story_and_leaves_nothing(shell: CommandLine):
    before = {path.name for path in shell.folder.iterdir()}
    (shell.folder / "tmp").mkdir()
    done = shell("demo", "--once", env={"TMPDIR": str(shell.folder / "tmp")})
    assert (done.returncode, done.stderr) == (0, ""), done
    for words in (
        "Created dcim.device ams01-edge-01, change ",
        "Serial 'FOC-oops' is not valid, put back 'FOC2149X0AB'",
        "slug is 'arista-7280', it should be 'arista-dcs-7280sr3-48yc8'",
        "Added ams01-edge-01-copy",
        "User 'bob' does not have the permission dcim.add_device.",
        "ams01-edge-01 is active. Set its status to 'offline' first.",
        "Deleted dcim.devicetype dcs-7280sr3-48yc8",
        "16 changes, 17 job results",
        "nothing is left running",
    ):
        assert words in done.stdout, words
    assert {path.name for path in shell.folder.iterdir()} == before | {"tmp"}
    assert list((shell.folder / "tmp").iterdir()) == []


def test_the_demo_says_which_plugins_are_missing(shell: CommandLine):
    # A database of entry points that hides the shipped plugins: their metadata is not found from an empty path.
    hide = "import importlib.metadata as m; m.entry_points = lambda **_: []\n"
    run = "from buttonhook.cli.main import run_command; import sys; sys.exit(run_command(['demo', '--once']))"
    python = shell.script.parent / "python"
    done = subprocess.run(
        [str(python), "-c", f"{hide}import buttonhook.plugins as p; p.entry_points = lambda **_: []\n{run}"],
        capture_output=True,
        text=True,
        cwd=shell.folder,
        env=clean_env(),
    )
    assert done.returncode == 1
    assert "pip install buttonhook-dcim buttonhook-examples buttonhook-devicetypes" in done.stderr
