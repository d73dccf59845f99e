"""Jobs, job hooks, job buttons, plugins and settings on the command line."""

from pathlib import Path

import pytest

NOTE = "lab_tools.Note"


def test_jobs_are_listed_before_there_is_a_database(run, lab_folder: Path):
    rows = run("jobs", "list").rows()
    assert [row[:4] for row in rows] == [
        ["Gate", "hook", "disabled", "lab_tools.Gate"],
        ["Note", "hook", "disabled", NOTE],
        ["Ping", "button", "disabled", "lab_tools.Ping"],
        ["Refuse", "button", "disabled", "lab_tools.Refuse"],
        ["Rename", "button", "disabled", "lab_tools.Rename"],
    ]
    shown = run("jobs", "list", "--json").json()
    assert shown[1]["id"] == NOTE
    assert not shown[1]["enabled"]
    assert shown[1]["meta"]["description"] == "Notes each change of a rack."
    assert run("jobs", "show", "Note", "--json").json()["last_results"] == []
    assert run("objects", "types", "--json").json()[0]["objects"] is None
    assert not (lab_folder / "buttonhook.db").exists()


@pytest.mark.parametrize("name", [NOTE, "Note", "note"])
def test_a_job_goes_by_class_path_class_name_or_name(run, name: str):
    done = run("jobs", "enable", name, code=1 if name == "note" else 0)
    if name == "note":
        assert done.err.startswith("Error: No job 'note' exists. Did you mean 'Note'?")
    else:
        assert done.rows() == [[f"Enabled Note ({NOTE})"], ["Added job hook Note: create, update, delete of lab.rack"]]


def test_a_job_is_enabled_shown_and_disabled(run):
    enabled = run("jobs", "enable", "Note", "Ping", "--json").json()
    assert [each["job"]["id"] for each in enabled] == [NOTE, "lab_tools.Ping"]
    assert enabled[0]["hook"]["object_types"] == ["lab.rack"]
    assert enabled[1]["hook"] is None
    run("objects", "put", "lab.rack", "r1", "--create", "--set", "name=x")
    shown = run("jobs", "show", "Note", "--json").json()
    assert shown["enabled"]
    assert shown["meta"]["soft_time_limit"] == 300
    assert shown["hooks"][0]["name"] == "Note"
    assert [each["status"] for each in shown["last_results"]] == ["success"]
    text = run("jobs", "show", "Note").out
    assert "description\tNotes each change of a rack.\n" in text
    assert "Job hooks\nNote\tlab.rack\tcreate, update, delete\tenabled\n" in text
    assert "Last results\nsuccess\t1\tNote\tlab.rack x\t" in text
    assert run("jobs", "disable", "Note").out == f"Disabled Note ({NOTE})\n"
    assert run("hooks", "list").rows() == [["Note", "Note", "lab.rack", "create, update, delete", "job disabled"]]


def test_an_unknown_job_stops_before_the_first_edit(run):
    run("jobs", "enable", "Note", "Nope", code=1)
    assert not any(each["enabled"] for each in run("jobs", "list", "--json").json())


def test_disabling_says_what_will_be_revoked_and_the_next_run_revokes_it(lab):
    lab("objects", "put", "lab.rack", "r2", "--create", "--set", "name=second", "--no-wait")
    assert "1 job result of it will be revoked" in lab("jobs", "disable", "Note").err
    assert lab("run", "--json").json()["jobs"] == {"revoked": 1}


def test_job_hooks_are_added_edited_and_removed(run):
    added = run("hooks", "add", "On delete", "--job", "Note", "--type", "lab.free", "--action", "delete", "--json")
    expected = {"name": "On delete", "job": NOTE, "object_types": ["lab.free"], "actions": ["delete"], "enabled": True}
    assert added.json() | expected == added.json()
    assert added.json()["edited_at"].endswith("Z")
    off = run("hooks", "add", "Off", "--job", NOTE, "--type", "lab.rack", "--type", "lab.gated", "--disabled")
    assert off.out == "Added job hook Off: create, update, delete of lab.rack, lab.gated -> Note\n"
    assert "The job Note is disabled, so nothing runs yet. Enable it with: buttonhook jobs enable" in off.err
    edited = run("hooks", "edit", "Off", "--name", "On", "--enabled", "--action", "update", "--json").json()
    assert edited["name"] == "On"
    assert edited["actions"] == ["update"]
    assert edited["enabled"]
    assert edited["object_types"] == ["lab.rack", "lab.gated"]
    assert [each["name"] for each in run("hooks", "list", "--json").json()] == ["On", "On delete"]
    assert run("hooks", "remove", "On", "On delete").out == "Removed job hook On\nRemoved job hook On delete\n"
    assert run("hooks", "list", "--json").json() == []


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["hooks", "add", "x", "--job", "Note"], 2, "Missing option '--type'"),
        (["hooks", "add", "x", "--job", "Note", "--type", "lab.rac"], 1, "Did you mean 'lab.rack'?"),
        (["hooks", "add", "x", "--job", "Ping", "--type", "lab.rack"], 1, "A job hook needs a job hook receiver"),
        (["hooks", "add", "x", "--job", "Note", "--type", "lab.rack", "--action", "move"], 2, "'move' is not one of"),
        (["hooks", "edit", "x"], 2, "Say what to change"),
        (["hooks", "edit", "x", "--enabled"], 1, "does not exist"),
        (["hooks", "remove"], 2, "Missing argument"),
        (["buttons", "add", "x", "--job", "Ping", "--type", "lab.rack", "--style", "huge"], 2, "'huge' is not one of"),
        (["jobs", "lst"], 2, "No such command 'lst'"),
        (["jobs", "list", "--jsn"], 2, "No such option"),
        (["--lock-wait", "soon", "jobs", "list"], 2, "Setting 'lock_wait' (from flag) is 'soon'"),
        (["--db", "x.db", "jobs", "list"], 2, "Write it as sqlite:///FILE"),
        (["demo", "--port", "70000"], 2, "70000 is not in the range"),
    ],
)
def test_a_wrong_call_is_told_in_one_line_with_the_cure(run, args: list[str], code: int, words: str):
    done = run(*args, code=code)
    assert done.err.startswith("Error: ")
    assert words in done.err.splitlines()[0]
    assert done.out == ""


def test_job_buttons_are_added_edited_and_removed(run):
    run("jobs", "enable", "Ping")
    given = ["--text", "Say pong", "--group", "lab", "--weight", "7", "--style", "info", "--no-confirmation"]
    added = run("buttons", "add", "Ping it", "--job", "Ping", "--type", "lab.rack", *given, "--json").json()
    expected = {
        "name": "Ping it",
        "job": "lab_tools.Ping",
        "object_types": ["lab.rack"],
        "text": "Say pong",
        "group": "lab",
        "weight": 7,
        "style": "info",
        "confirmation": False,
        "enabled": True,
    }
    assert added | expected == added
    edited = run("buttons", "edit", "Ping it", "--disabled", "--confirmation", "--json").json()
    assert not edited["enabled"]
    assert edited["confirmation"]
    assert edited["text"] == "Say pong"
    assert run("buttons", "list").rows() == [["Ping it", "lab", "Ping", "lab.rack", "disabled"]]
    assert run("buttons", "list", "--json").json() == [edited]
    assert run("buttons", "remove", "Ping it").out == "Removed job button Ping it\n"


def test_plugins_tell_what_they_bring_and_what_is_wrong(run, lab_folder: Path):
    (lab_folder / "plugins" / "lab_broken.py").write_text("import module_that_is_nowhere\n")
    (lab_folder / "plugins" / "lab_odd.py").write_text(
        "from buttonhook import JobHookReceiver, register_jobs\n"
        "class Odd(JobHookReceiver):\n"
        "    class Meta:\n"
        "        retrys = 3\n"
        "    async def receive_job_hook(self, change, action, changed_object): ...\n"
        "register_jobs(Odd)\n"
    )
    reports = {each["name"]: each for each in run("plugins", "--json").json()}
    assert reports["lab_tools"]["object_types"] == ["lab.rack", "lab.free", "lab.gated"]
    assert NOTE in reports["lab_tools"]["jobs"]
    error = "ModuleNotFoundError: No module named 'module_that_is_nowhere' (lab_broken.py, line 1)."
    assert reports["lab_broken"]["errors"] == [f"Plugin 'lab_broken' cannot be imported: {error}"]
    assert "did you mean 'retries'" in reports["lab_odd"]["warnings"][0]
    plain = run("plugins").out
    assert "lab_broken (plugins/lab_broken.py)\t\tbroken\t" in plain
    assert "error\tlab_broken\tPlugin 'lab_broken' cannot be imported" in plain
    assert "warning\tlab_odd\t" in plain
    assert "Traceback" not in plain
    assert "line 1, in <module>\n    import module_that_is_nowhere\n" in run("plugins", "--traceback").out
    assert run("jobs", "list").err == "Warning: Plugin lab_broken has errors. See them with: buttonhook plugins\n"


def test_settings_are_shown_with_where_they_came_from(run, lab_folder: Path):
    (lab_folder / "buttonhook.toml").write_text('threads = 3\nuser = "toml"\n')
    shown = run("--db", "sqlite:///other.db", "config", "--json").json()
    assert shown["db"] == {"value": "sqlite:///other.db", "origin": "flag"}
    assert shown["threads"] == {"value": 3, "origin": "buttonhook.toml"}
    assert shown["user"] == {"value": "ann", "origin": "environment BUTTONHOOK_USER"}
    assert shown["durability"] == {"value": "full", "origin": "default"}
    assert ["threads", "3", "buttonhook.toml"] in run("config").rows()
    (lab_folder / "buttonhook.toml").write_text("thread = 3\n")
    assert "Did you mean 'threads'?" in run("config", code=2).err


def test_global_options_may_stand_behind_the_command(run, lab_folder: Path):
    run("objects", "types", "add", "lab.more", "--db", "sqlite:///there.db")
    assert (lab_folder / "there.db").exists()
    assert not (lab_folder / "buttonhook.db").exists()
    # `changes list` has a --user of its own, which filters
    run("--db", "sqlite:///there.db", "users", "add", "bob", "--owner")
    run("--db", "sqlite:///there.db", "objects", "put", "lab.more", "x", "--user", "bob", stdin="{}")
    assert len(run("changes", "list", "--user", "bob", "--db", "sqlite:///there.db").rows()) == 1
    assert run("changes", "list", "--user", "carol", "--db", "sqlite:///there.db").out == ""


SETTINGS_PLUGIN = """\
from msgspec import Struct

from buttonhook import Secret, hookimpl


class Lab(Struct):
    url: str = "x"
    token: Secret | None = None


@hookimpl
def buttonhook_settings():
    return Lab
"""


def test_settings_of_plugins_are_shown_and_their_secrets_are_not(run, lab_folder: Path, monkeypatch):
    (lab_folder / "plugins" / "lab_set.py").write_text(SETTINGS_PLUGIN)
    (lab_folder / "buttonhook.toml").write_text('[plugins.lab-set]\nurl = "y"\n')
    variable = "BUTTONHOOK_PLUGINS__LAB_SET__TOKEN"
    monkeypatch.setenv(variable, "hunter2-hunter3")
    shown = run("config", "--json").json()
    assert shown["plugins.lab_set.url"] == {"value": "y", "origin": "buttonhook.toml"}
    assert shown["plugins.lab_set.token"] == {"value": "[redacted]", "origin": f"environment {variable}"}
    assert ["plugins.lab_set.token", "[redacted]", f"environment {variable}"] in run("config").rows()
    (lab_folder / "buttonhook.toml").write_text('[plugins.lab-set]\ntoken = "hunter2-hunter3"\n[plugins.gone]\nx = 1\n')
    monkeypatch.delenv(variable)
    for done in (run("config"), run("config", "--json"), run("plugins"), run("plugins", "--json")):
        assert "hunter2" not in done.out + done.err
        assert "Warning: [plugins.gone] sets something, but no such plugin is installed" in done.err
    assert "'plugins.lab_set.token' (from buttonhook.toml) is a secret, and must not stand" in run("plugins").out


def test_what_is_told_beside_the_answer_is_redacted(run):
    run("objects", "types", "add", "lab.thing")
    done = run("objects", "get", "lab.thing", "password=hunter2-hunter3", code=1)
    assert "[redacted]" in done.err
    assert "hunter2" not in done.err
