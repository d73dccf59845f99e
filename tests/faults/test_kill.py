"""kill -9 at random moments under load loses nothing that was acknowledged and runs everything that was promised."""

import asyncio
import json
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from buttonhook import open_app
from buttonhook.settings import Settings
from tests.command_line import clean_env
from tests.faults.load import WITNESS

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = 12
DAMAGES = {
    "DELETE FROM job_result WHERE number = 1": "without exactly its jobs",
    "UPDATE job_result SET status = 'started', ended_at = NULL WHERE number = 2": "left open",
    "UPDATE job_result SET attempt = 5 WHERE number = 2": "more attempts",
    "UPDATE job_result SET job = 'witness.Plain' WHERE number = 1": "without exactly its jobs",
    "UPDATE object_change SET postchange = (SELECT postchange FROM object_change WHERE id = 2) WHERE id = 3": "twice",
    "DELETE FROM job_log_entry WHERE number = 2 AND seq = 1": "incomplete log",
}
"""What can be wrong with a database: how to make it so, and what the invariants then say."""
MAX_CRASHES = 3


@dataclass
class Load:
    """The loaded program in a folder of its own, and what it left there."""

    folder: Path
    env: dict[str, str]
    random: random.Random
    kills: int = 0
    _number: int = 0

    @property
    def database(self) -> Path:
        return self.folder / "load.db"

    def start(self, writers: int = 4) -> subprocess.Popen[bytes]:
        self._number += 1
        (self.folder / "opened").unlink(missing_ok=True)
        command = [sys.executable, "-m", "tests.faults.load", str(self.folder), str(self._number), str(writers)]
        return subprocess.Popen(command, cwd=ROOT, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def wait_until_open(self, process: subprocess.Popen[bytes]) -> None:
        while not (self.folder / "opened").exists():
            if process.poll() is not None:
                pytest.fail(f"The loaded program ended: {process.stdout.read().decode()}")
            time.sleep(0.002)

    def kill_after(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        self.kills += 1
        output = process.communicate()[0].decode()
        assert process.returncode == -signal.SIGKILL, output

    def finish(self) -> None:
        """Let it run to its end; nothing is written any more."""
        (self.folder / "stop").touch()
        process = self.start(writers=0)
        output = process.communicate(timeout=60)[0].decode()
        assert process.returncode == 0, output

    def acked(self, word: str = "acked") -> list[str]:
        return [line.split()[1] for line in _lines(self.folder / "acked") if line.startswith(f"{word} ")]

    def witnessed(self) -> list[list[str]]:
        """(S or E, result id, attempt, pk, change id), in order."""
        return [line.split() for line in _lines(self.folder / "witness")]

    def ask(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as db:
            return db.execute(sql).fetchall()


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def load(tmp_path, plugin_package):
    package = plugin_package("witness", WITNESS)
    env = clean_env(package.env()) | {"WITNESS": str(tmp_path / "witness")}
    seed = random.SystemRandom().randrange(2**32)
    print(f"seed {seed}")  # noqa: T201 - shown when the test fails
    return Load(tmp_path, env, random.Random(seed))


def assert_nothing_was_lost(load: Load) -> None:
    """The invariants of reliability testing, I1 to I9 but for I8, as far as they apply to one process."""
    assert_changes_and_results_agree(load)
    assert_results_and_witness_agree(load)
    assert_order(load)
    assert_edits_and_record_agree(load)
    assert asyncio.run(check(load)) == []


async def check(load: Load) -> list[str]:
    settings = Settings(db=f"sqlite:///{load.database}", allowed_plugins=())
    async with open_app(settings=settings, dispatch=False) as app:
        return (await app.check()).problems


def assert_changes_and_results_agree(load: Load) -> None:
    keys = [json.loads(text)["last"] for (text,) in load.ask(
        "SELECT postchange FROM object_change WHERE object_type = 'demo.thing'"
    )]  # fmt: skip
    assert [key for key, count in Counter(keys).items() if count > 1] == [], "recorded twice"
    assert set(load.acked()) - set(keys) == set(), "acknowledged and lost"
    jobs = defaultdict(Counter)
    for change_id, job in load.ask("SELECT change_id, job FROM job_result"):
        jobs[change_id][job] += 1
    hooks = {"demo.thing": {"witness.Async": 1, "witness.Plain": 1}, "demo.poison": {"witness.Poison": 1}}
    for change_id, object_type in load.ask("SELECT id, object_type FROM object_change"):
        assert jobs.pop(change_id, {}) == hooks.get(object_type, {}), "a change without exactly its jobs"
    assert not jobs, "jobs without a change"


def assert_results_and_witness_agree(load: Load) -> None:
    begun, ended = Counter(), Counter()
    for word, result_id, *_ in load.witnessed():
        (begun if word == "S" else ended)[result_id] += 1
    results = load.ask("SELECT id, job, status, attempt, crashes, ended_at, number FROM job_result")
    logs = defaultdict(list)
    for number, attempt, message in load.ask("SELECT number, attempt, message FROM job_log_entry ORDER BY number, seq"):
        logs[number, attempt].append(message)
    for result_id, job, status, attempt, crashes, ended_at, number in results:
        assert ended_at is not None, "left open"
        assert begun[result_id] <= attempt <= 1 + crashes, "more attempts than crashes explain"
        assert crashes <= min(load.kills, MAX_CRASHES)
        if job == "witness.Poison":
            continue
        if status == "success":
            assert ended[result_id] >= 1, "success without an end"
            assert logs[number, attempt] == ["Running job", "begun", "ended", "Job completed"], "incomplete log"
            assert crashes < MAX_CRASHES
        else:
            assert (status, crashes) == ("failure", MAX_CRASHES)
    # A run that ended more than once was cut off between its end and the commit of its status.
    for result_id, count in begun.items():
        assert count <= 1 + load.kills, result_id


def assert_order(load: Load) -> None:
    jobs = dict(load.ask("SELECT id, job FROM job_result"))
    begins, last_ends = defaultdict(list), defaultdict(dict)
    for place, (word, result_id, _, pk, change_id) in enumerate(load.witnessed()):
        lane = jobs[result_id], pk
        if word == "S":
            begins[lane].append(int(change_id))
        else:
            last_ends[lane][int(change_id)] = place
    for lane, seen in begins.items():
        assert seen == sorted(seen), f"{lane} began out of order"
        ends = [place for _, place in sorted(last_ends[lane].items())]
        assert ends == sorted(ends), f"{lane} ended out of order"


def assert_edits_and_record_agree(load: Load) -> None:
    """Each edit of the set-up is one change from the state before it, and the record is as the last one left it."""
    changes = load.ask(
        "SELECT prechange, postchange, user_name FROM object_change WHERE object_type = 'jobs.job' ORDER BY id"
    )
    told = [[json.loads(text)["overrides"].get("description") for text in states] for *states, _ in changes]
    assert [before for before, _ in told] == [None, *(after for _, after in told)][: len(told)]
    assert {author for *_, author in changes} <= {"load"}
    assert set(load.acked("edited")) - {after for _, after in told} == set(), "an edit was acknowledged and lost"
    ((document,),) = load.ask("SELECT document FROM config WHERE kind = 'job' AND id = 'witness.Async'")
    assert json.loads(document)["overrides"].get("description") == (told[-1][1] if told else None)


def test_random_kills_under_load_lose_nothing_and_leave_nothing_open(load, rounds):
    for _ in range(KILLS * rounds):
        process = load.start()
        load.wait_until_open(process)
        load.kill_after(process, load.random.uniform(0.0, 0.35))
    load.finish()
    assert len(load.acked()) > KILLS
    assert len(load.acked("edited")) > KILLS
    assert load.ask("SELECT count(*) FROM job_result WHERE crashes > 0") != [(0,)]
    assert_nothing_was_lost(load)


def test_kills_while_it_starts_and_recovers_lose_nothing(load, rounds):
    process = load.start()
    load.wait_until_open(process)
    load.kill_after(process, 0.3)
    for _ in range(4 * rounds):
        load.kill_after(load.start(), load.random.uniform(0.1, 0.7))
    load.finish()
    assert_nothing_was_lost(load)


def test_a_receiver_that_ends_the_process_is_run_three_times_and_then_given_up(load):
    (load.folder / "poison").touch()
    codes = []
    while not codes or codes[-1] == 77:
        process = load.start(writers=1)
        if len(codes) == 2:
            (load.folder / "stop").touch()
        process.communicate(timeout=60)
        codes.append(process.returncode)
    assert codes == [77, 77, 77, 0]
    load.kills = 3
    (poisoned,) = load.ask("SELECT status, attempt, crashes, error FROM job_result WHERE job = 'witness.Poison'")
    assert poisoned[:3] == ("failure", 3, 3)
    assert poisoned[3].startswith("interrupted")
    assert sum(word == "S" and pk == "poison" for word, _, _, pk, _ in load.witnessed()) == 3
    assert_nothing_was_lost(load)


def test_the_invariants_notice_what_they_are_there_for(load):
    process = load.start(writers=2)
    load.wait_until_open(process)
    load.kill_after(process, 0.3)
    load.finish()
    assert_nothing_was_lost(load)

    sound = load.database.read_bytes()
    for damage, complaint in DAMAGES.items():
        with closing(sqlite3.connect(load.database, isolation_level=None)) as db:
            db.execute(damage)
        with pytest.raises(AssertionError, match=complaint):
            assert_nothing_was_lost(load)
        load.database.write_bytes(sound)
    assert_nothing_was_lost(load)
    with (load.folder / "acked").open("a") as acked:
        acked.write("acked never-recorded\n")
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        assert_nothing_was_lost(load)
