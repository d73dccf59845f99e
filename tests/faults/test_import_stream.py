"""A real stream of ten thousand changes goes in whole, also when the import is killed over and over."""

import json
import lzma
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.command_line import clean_env

FIGURES = {"create": 3692, "update": 4279, "delete": 939}
REQUESTS, OBJECTS = 1016, 2753
HOOKS = ("Slug policy", "Sanity check")


@pytest.fixture(scope="module")
def stream(shared_dir) -> Path:
    return shared_dir / "data" / "devicetype_changes.jsonl.xz"


@pytest.fixture(scope="module")
def lines(stream) -> dict[tuple[str, str, str], dict]:
    """The lines of the stream that change something, by request, type and pk."""
    with lzma.open(stream, "rt", encoding="utf-8") as file:
        every = [json.loads(line) for line in file]
    assert len(every) == 10_003
    return {
        (line["request_id"], line["object_type"], line["object_id"]): line
        for line in every
        if not same(line["before"], line["after"])
    }


def same(one, other) -> bool:
    """Whether two JSON values are equal; unlike in Python, true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


@pytest.fixture
def command(cli):
    """Run the command on one database, with the device-type receivers enabled on it."""

    def run(*args, **options):
        done = cli("--db", "sqlite:///t.db", *args, **options)
        assert done.returncode == 0, done
        return done

    for name in HOOKS:
        run("jobs", "enable", name)
    return run


def ask(cli, sql: str) -> list[tuple]:
    """Rows of the database; `stream_change` is its changes but for those of the set-up."""
    with closing(sqlite3.connect(f"file:{cli.folder / 't.db'}?mode=ro", uri=True)) as db:
        db.execute("CREATE TEMP VIEW stream_change AS SELECT * FROM object_change WHERE object_type NOT LIKE 'jobs.%'")
        return db.execute(sql).fetchall()


def assert_all_is_there(cli, lines) -> None:
    """The database holds the stream: its figures, its states, and one success for each change and hook."""
    assert dict(ask(cli, "SELECT action, count(*) FROM stream_change GROUP BY action")) == FIGURES
    assert ask(cli, "SELECT count(DISTINCT request_id) FROM stream_change") == [(REQUESTS,)]
    assert ask(cli, "SELECT count(*) FROM object") == [(OBJECTS,)]
    left = dict(lines)
    for request_id, object_type, pk, action, user_name, before, after in ask(
        cli,
        "SELECT request_id, object_type, object_pk, action, user_name, prechange, postchange FROM stream_change",
    ):
        line = left.pop((request_id, object_type, pk))
        assert (action, user_name) == (line["action"], line["user_name"])
        assert same(json.loads(before or "null"), line["before"])
        assert same(json.loads(after or "null"), line["after"])
    assert left == {}
    assert_results(cli)


def assert_results(cli) -> None:
    """Each change has one result a hook, each of them a success with its log."""
    changes = {id_ for (id_,) in ask(cli, "SELECT id FROM stream_change")}
    results = ask(cli, "SELECT change_id, job_name, status, number, attempt FROM job_result")
    assert {status for _, _, status, _, _ in results} == {"success"}
    assert Counter((id_, name) for id_, name, *_ in results) == {(id_, name): 1 for id_ in changes for name in HOOKS}
    logged = set(ask(cli, "SELECT DISTINCT number, attempt FROM job_log_entry"))
    assert {(number, attempt) for *_, number, attempt in results} <= logged


def test_the_whole_stream_goes_in_exactly_and_a_second_time_writes_nothing(cli, command, stream, lines):
    *printed, last = command("objects", "import", stream, "--json", timeout_seconds=120).json_lines()
    summary = last["summary"]
    assert [summary[key] for key in ("created", "updated", "deleted", "unchanged")] == [*FIGURES.values(), 1093]
    assert summary["jobs"] == {"success": 2 * 8910}
    assert len(printed) == len({line["request_id"] for line in printed}) == 1028
    assert_all_is_there(cli, lines)
    assert command("check", "--json").json()["ok"] is True

    before = ask(cli, "SELECT max(id), (SELECT max(id) FROM job_log_entry) FROM stream_change")
    *printed, last = command("objects", "import", stream, "--json", timeout_seconds=120).json_lines()
    assert last["summary"]["requests_skipped"] == 1028
    assert all(line["skipped"] and not line["changes"] for line in printed)
    assert before == ask(cli, "SELECT max(id), (SELECT max(id) FROM job_log_entry) FROM stream_change")
    assert command("results", "list", "--status", "pending", "--json").json() == []


@pytest.fixture
def chance() -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    return random.Random(seed)


def import_and_kill(cli, stream: Path, seconds: float) -> list[dict]:
    """Start the import, kill it so long after its first commit, and return what it printed."""
    output = cli.folder / "printed"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [str(cli.script), "--db", "sqlite:///t.db", "objects", "import", str(stream), "--json"],
            cwd=cli.folder,
            env=clean_env(),
            stdout=file,
            stderr=subprocess.PIPE,
        )
        with process:
            while not output.stat().st_size and process.poll() is None:
                time.sleep(0.002)
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            complaint = process.stderr.read().decode()
    assert "Traceback" not in complaint
    whole = [line for line in output.read_text().splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in map(json.loads, whole) if "request_id" in line]


def test_an_import_that_is_killed_at_random_moments_loses_and_doubles_nothing(
    cli, command, stream, lines, chance, rounds
):
    was_running: set[str] = set()
    per_request = Counter(request_id for request_id, _, _ in lines)
    kills = min(10, 4 * rounds)
    for _ in range(kills):
        printed = import_and_kill(cli, stream, chance.uniform(0.0, 4.0 / kills))
        was_running.update(id_ for (id_,) in ask(cli, "SELECT id FROM job_result WHERE status = 'started'"))
        recorded = dict(ask(cli, "SELECT request_id, count(*) FROM stream_change GROUP BY request_id"))
        known = {request_id for (request_id,) in ask(cli, "SELECT request_id FROM request")}
        assert {line["request_id"] for line in printed} <= known
        for request_id in known:
            assert recorded.get(request_id, 0) == per_request[request_id], "a request in part"
        assert set(recorded) <= known
        fired = dict(ask(cli, "SELECT change_id, count(*) FROM job_result GROUP BY change_id"))
        assert fired == dict.fromkeys((id_ for (id_,) in ask(cli, "SELECT id FROM stream_change")), len(HOOKS))
        assert command("check").stdout.strip().endswith("ok")

    command("run", timeout_seconds=120)
    assert ask(cli, "SELECT count(*) FROM job_result WHERE ended_at IS NULL") == [(0,)]
    assert_results(cli)
    command("objects", "import", stream, "--json", timeout_seconds=120)
    assert_all_is_there(cli, lines)
    repeated = {id_ for (id_,) in ask(cli, "SELECT id FROM job_result WHERE attempt > 1")}
    assert repeated <= was_running
    assert command("check", "--json").json()["ok"] is True
