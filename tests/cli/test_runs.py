"""Pressing buttons, results, logs, running what waits, and waiting for it."""

from pathlib import Path

import pytest

from tests.cli.conftest import both_ways


@pytest.fixture
def buttons(lab):
    lab("jobs", "enable", "Ping", "Refuse", "Rename")
    for name in ("Ping", "Refuse", "Rename"):
        lab("buttons", "add", name, "--job", name, "--type", "lab.rack")
    return lab


@both_ways
def test_pressing_prints_the_log_of_each_run(buttons):
    buttons("objects", "put", "lab.rack", "r2", "--create", "--set", "name=second")
    done = buttons("buttons", "press", "Ping", "lab.rack", "r2", "r1")
    outcomes = [row[0] for row in done.rows() if len(row) == 1]
    assert outcomes[0].startswith("Ping on lab.rack second: success in ")
    assert outcomes[1].startswith("Ping on lab.rack first: success in ")
    assert done.log() == [
        ["debug", "receive_job_button", "looking at second", ""],
        ["success", "ping", "pong", "lab.rack r2 (second)"],
        ["debug", "receive_job_button", "looking at first", ""],
        ["success", "ping", "pong", "lab.rack r1 (first)"],
    ]
    assert done.err == ""


@both_ways
def test_pressing_ends_with_one_when_a_run_failed(buttons):
    done = buttons("buttons", "press", "Refuse", "lab.rack", "r1", code=1)
    assert "Refuse on lab.rack first: failure in " in done.out
    assert "\tfailure\treceive_job_button\tfirst is not ready\t" in done.out
    assert done.err == "", "what was printed needs no second line"
    shown = buttons("buttons", "press", "Refuse", "lab.rack", "r1", "--json", code=1).json()
    assert [each["status"] for each in shown] == ["failure"]
    assert shown[0]["log_entries"][-1]["message"] == "first is not ready"
    assert shown[0]["error"] == "first is not ready"


def test_pressing_ends_with_one_when_something_it_caused_failed(buttons):
    done = buttons("buttons", "press", "Rename", "lab.rack", "r1", code=1)
    assert "Rename on lab.rack first: success" in done.out
    assert "Failed: Note on lab.rack bad first: ValueError: a bad name. See: buttonhook results logs" in done.err


def test_a_press_that_is_refused_tells_why(buttons):
    for args, words in (
        (["Pin", "lab.rack", "r1"], "No job button 'Pin' exists. Did you mean 'Ping'?"),
        (["Ping", "lab.rack", "r9"], "No lab.rack 'r9' exists."),
        (["Ping", "lab.free", "r1"], "it is for lab.rack, not for lab.free"),
    ):
        assert words in buttons("buttons", "press", *args, code=1).err
    buttons("jobs", "disable", "Ping")
    done = buttons("buttons", "press", "Ping", "lab.rack", "r1", code=1)
    assert "its job 'Ping' is disabled. Enable it: buttonhook jobs enable lab_tools.Ping" in done.err


def test_results_are_listed_filtered_and_shown(buttons):
    buttons("buttons", "press", "Refuse", "lab.rack", "r1", code=1)
    rows = buttons("results", "list").rows()
    assert [row[:7] for row in rows] == [
        ["2", "failure", "Refuse", "lab.rack", "r1", "first", "ann"],
        ["1", "success", "Note", "lab.rack", "r1", "first", "ann"],
    ]
    assert rows[0][9] == "first is not ready"

    def numbers(*args: str) -> list[int]:
        return [each["number"] for each in buttons("results", "list", *args, "--json").json()]

    assert numbers() == [2, 1]
    assert numbers("--status", "failure") == [2]
    assert numbers("--job", "Note") == [1]
    assert numbers("--job", "lab_tools.Refuse") == [2]
    assert numbers("--pk", "r1", "--type", "lab.rack") == [2, 1]
    assert numbers("--user", "nobody") == []
    assert numbers("--change", "3") == [1]
    assert numbers("--limit", "1", "--after", "2") == [1]
    assert numbers("--all", "--oldest-first") == [1, 2]
    assert buttons("results", "list", "--status", "lost", code=2).err.startswith("Error: Invalid value for '--status'")
    assert "No job 'Nope' exists" in buttons("results", "list", "--job", "Nope", code=1).err


def test_a_result_goes_by_number_id_or_the_beginning_of_its_id(buttons):
    buttons("buttons", "press", "Ping", "lab.rack", "r1")
    first, second = buttons("results", "list", "--oldest-first", "--json").json()
    assert first["result"] == {"noted": "first"}
    assert (first["kind"], first["attempt"], first["change_ids"]) == ("hook", 1, [3])
    for wanted in ("2", second["id"], second["id"].upper(), second["id"][:-1]):
        assert buttons("results", "show", wanted, "--json").json() == second
    shared = next(n for n in range(36) if first["id"][n] != second["id"][n])
    if shared:
        done = buttons("results", "show", f"{first['id'][:shared]}", code=1)
        assert "is the beginning of more than one id" in done.err
    assert "No job result '99' exists" in buttons("results", "show", "99", code=1).err
    assert "No job result 'zzz' exists" in buttons("results", "logs", "zzz", code=1).err
    text = buttons("results", "show", "1").out
    assert "job\tNote (lab_tools.Note)\njob hook\tNote\nobject\tlab.rack r1 (first)\n" in text
    assert 'returned\t{"noted":"first"}\n' in text


def test_logs_are_printed_and_filtered_by_level(lab):
    done = lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=bad one")
    assert done.err == "Failed: Note on lab.rack bad one: ValueError: a bad name. See: buttonhook results logs 2\n"
    assert lab("results", "logs", "2").log() == [
        ["info", "receive_job_hook", "noted create", "lab.rack r2 (bad one)"],
        ["failure", "outcome", "ValueError: a bad name", ""],
    ]
    entries = lab("results", "logs", "2", "--level", "warning", "--json").json()
    assert [(each["level"], each["attempt"], each["message"]) for each in entries] == [
        ("failure", 1, "ValueError: a bad name")
    ]
    assert 'raise ValueError("a bad name")' in lab("results", "show", "2").out
    assert lab("results", "logs", "1", "--level", "critical").out == ""


def test_what_is_not_waited_for_is_named_and_run_later(lab):
    done = lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=second", "--no-wait")
    assert done.out == "Created lab.rack r2 (second), change 4\n"
    assert done.err == "Warning: 1 job result waits. Go on with: buttonhook run\n"
    assert lab("results", "list", "--status", "pending", "--json").json()[0]["started_at"] is None
    assert len(lab("run").rows()) == 1
    assert lab("run").out == "Nothing to run\n"


def test_a_write_first_runs_what_waited_before(lab):
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=second", "--no-wait")
    done = lab("objects", "put", "lab.rack", "r3", "--create", "--set", "name=third")
    assert [row[3] for row in done.rows()[1:]] == ["lab.rack second", "lab.rack third"]


def test_waiting_ends_after_the_seconds_given(lab, lab_folder: Path):
    lab("jobs", "enable", "Gate")
    done = lab("objects", "put", "lab.gated", "g1", "--wait", "0.1", stdin="{}")
    assert done.out == "Created lab.gated g1, change 6\n"
    assert "1 job still running was stopped. Go on with: buttonhook run" in done.err
    (lab_folder / "gate").touch()
    again = lab("run", "--json").json()
    assert again["jobs"] == {"success": 1}
    assert again["results"][0]["object_pk"] == "g1"
    assert again["results"][0]["attempt"] == 2


def test_running_ends_with_one_when_a_job_failed(lab):
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=bad", "--no-wait")
    done = lab("run", code=1)
    assert done.rows()[0][:4] == ["failure", "2", "Note", "lab.rack bad"]
    assert done.err == "Failed: Note on lab.rack bad: ValueError: a bad name. See: buttonhook results logs 2\n"


def test_failed_jobs_fail_a_write_only_with_strict(lab):
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=bad 2")
    lab("objects", "put", "lab.rack", "r3", "--create", "--set", "name=bad 3", "--strict", code=1)


def test_results_whose_job_is_not_installed_are_named(lab, lab_folder: Path):
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=second", "--no-wait")
    plugin = lab_folder / "plugins" / "lab_tools.py"
    text = plugin.read_text()
    plugin.write_text(text.replace("register_jobs(Note, ", "register_jobs("))
    done = lab("run")
    assert done.out == "Nothing to run\n"
    assert done.err.startswith("Warning: 1 job result of lab_tools.Note waits: the job is not installed.")
    assert lab("jobs", "list").rows()[1][2] == "not installed"
    assert "runs lab_tools.Note, which is not installed" in lab("check").err
    plugin.write_text(text)
    assert lab("run", "--json").json()["jobs"] == {"success": 1}


def test_a_sound_database_is_ok(lab):
    done = lab("check")
    assert done.rows()[-1] == ["ok"]
    assert ["changes", "3"] in done.rows()
    shown = lab("check", "--json").json()
    assert (shown["ok"], shown["problems"], shown["warnings"]) == (True, [], [])
    assert shown["counts"]["job results"] == 1


def test_many_runs_are_counted_not_listed(lab):
    lines = "".join(f'{{"object_type": "lab.rack", "data": {{"name": "bad {n}"}}}}\n' for n in range(30))
    lab("objects", "import", "-", "--no-wait", stdin=lines)
    done = lab("run", code=1)
    assert done.out == "Jobs: 30 run: 30 failure\n"
    told = done.err.splitlines()
    assert len(told) == 21
    assert told[-1] == "Failed: 10 more. See them with: buttonhook results list --status failure"
