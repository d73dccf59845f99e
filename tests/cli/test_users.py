"""Users, groups, permissions and tokens on the command line, and commands run as one of them."""

import json
import sqlite3
from pathlib import Path

import anyio
import pytest

from buttonhook import open_app
from buttonhook.credentials import public_part
from tests.cli.conftest import Command

PASSWORD = "correct horse battery"


@pytest.fixture
def people(lab: Command) -> Command:
    """As `lab`, with the user bob in the group `operators`, who may see racks in ams01, and nothing else."""
    lab("users", "groups", "add", "operators")
    lab("users", "add", "bob", "--group", "operators")
    lab("users", "grant", "operators", "lab.view_rack", "--group", "--where", "serial = ams01")
    return lab


def test_who_opens_a_new_database_first_is_its_owner(run):
    run("jobs", "enable", "Note", "--user", "carol")
    (carol,) = run("users", "list", "--json", "--user", "carol").json()
    assert (carol["name"], carol["is_owner"], carol["has_password"]) == ("carol", True, False)


@pytest.mark.parametrize(
    "command",
    ["jobs list", "hooks list", "objects types", "changes list", "users list", "run", "check", "config", "plugins"],
)
def test_a_user_without_a_record_is_refused_by_every_command(lab, command: str):
    done = lab("--user", "nobody", *command.split(), code=1)
    assert done.out == ""
    assert done.err == (
        "Error: User 'nobody' is not known in this database. "
        "Add them as somebody who may: buttonhook users add nobody\n"
    )


def test_a_disabled_user_is_refused_by_every_command_until_enabled(people):
    waiting = '{"name": "waits"}'
    people("objects", "put", "lab.rack", "r2", "--no-wait", stdin=waiting)
    people("users", "disable", "bob")
    for command in ("objects list lab.rack", "run", "check", "config", "plugins", "objects types"):
        done = people("--user", "bob", *command.split(), code=1)
        assert done.err.startswith("Error: User 'bob' is disabled. Enable them")
    assert len(people("results", "list", "--status", "pending").rows()) == 1, "and nothing was run for them"
    people("users", "enable", "bob")
    people("--user", "bob", "objects", "list", "lab.rack")


def test_the_last_owner_stays(lab):
    for words in (["disable", "ann"], ["edit", "ann", "--no-owner"]):
        assert "is the last owner" in lab("users", *words, code=1).err
    lab("users", "add", "bob", "--owner")
    lab("users", "disable", "ann")
    assert lab("--user", "bob", "users", "show", "ann", "--json").json()["is_disabled"]


def test_a_lack_is_told_with_the_command_that_mends_it(people):
    people("jobs", "enable", "Ping")
    people("buttons", "add", "Ping it", "--job", "Ping", "--type", "lab.rack")
    done = people("--user", "bob", "buttons", "press", "Ping it", "lab.rack", "r1", code=1)
    assert done.err == (
        "Error: User 'bob' may not press 'Ping it': that needs jobs.run_job. "
        "Give it with: buttonhook users grant bob jobs.run_job\n"
    )
    people("users", "grant", "bob", "jobs.run_job", "lab.view_rack")
    assert "success" in people("--user", "bob", "buttons", "press", "Ping it", "lab.rack", "r1").out
    assert people("results", "list", "--json").json()[0]["user_name"] == "bob"


def test_what_a_user_may_do_is_shown_with_where_it_comes_from(people):
    people("users", "grant", "bob", "jobs.run_job")
    shown = people("users", "show", "bob", "--json").json()
    assert [(each["permission"], each["from"], each["constraints"]) for each in shown["permissions"]] == [
        ("jobs.run_job", "bob", []),
        ("lab.view_rack", "group operators", ["serial = ams01"]),
    ]
    assert "lab.view_rack\tgroup operators\tserial = ams01\tenabled\n" in people("users", "show", "bob").out
    assert people("users", "groups").rows() == [["operators", "bob"]]
    people("users", "revoke", "bob", "jobs.run_job")
    people("users", "groups", "remove", "operators")
    assert people("users", "show", "bob", "--json").json()["permissions"] == []
    assert people("users", "permissions", "--json").json() == []


def test_permission_records_are_listed_and_removed(people):
    (record,) = people("users", "permissions", "--json").json()
    assert record["constraints"] == [{"path": "serial", "operator": "=", "value": "ams01"}]
    assert (record["groups"], record["users"]) == (["operators"], [])
    people("users", "permissions", "remove", record["name"])
    assert people("users", "permissions").out == ""


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("lab.view_rak", "lab.view_rack"),
        ("job.run_job", "jobs.run_job"),
        ("lob.*", "lab.*"),
        ("acme.order_pizza", None),
    ],
)
def test_a_permission_that_nothing_asks_for_is_given_with_a_warning(people, name: str, near: str | None):
    done = people("users", "grant", "bob", name)
    assert done.err.startswith(f"Warning: Nothing installed here is known to ask for {name}")
    assert (f"Did you mean {near!r}?" in done.err) is (near is not None)
    assert done.out == f"Granted bob: {name}\n"


@pytest.mark.parametrize("name", ["lab.view_rack", "lab.*", "lab.view_*", "jobs.run_job", "users.add_user", "jobs.*"])
def test_a_permission_that_something_asks_for_is_given_without_one(people, name: str):
    assert people("users", "grant", "bob", name).err == ""


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["grant", "bob", "lab"], 1, "is no permission"),
        (["grant", "bob", "lab.view_rack", "--where", "serial is ams01"], 2, "is no constraint"),
        (["grant", "bob", "lab.view_rack", "--where", "serial"], 2, "Write PATH OPERATOR VALUE"),
        (["grant", "nobody", "lab.view_rack"], 1, "No user 'nobody' exists."),
        (["grant", "bob", "lab.view_rack", "--group"], 1, "No group 'bob' exists."),
        (["revoke", "bob", "lab.view_rack"], 1, "is not given lab.view_rack itself"),
        (["add", "bob"], 1, "exists already"),
        (["edit", "bob"], 2, "Say what to change"),
        (["edit", "bob", "--group", "nowhere"], 1, "No group 'nowhere' exists"),
        (["token", "bob", "--days", "0"], 2, "0"),
        (["token", "bob", "--days", "1", "--never-expires"], 2, "not both"),
        (["tokens", "remove", "bh_none"], 1, "No token 'bh_none' exists"),
        (["passwd", "bob"], 2, "with --stdin"),
        (["passwd", "bob", "secret-as-argument"], 2, "unexpected extra argument"),
    ],
)
def test_a_wrong_call_is_told(people, args: list[str], code: int, words: str):
    done = people("users", *args, code=code)
    assert words in done.err
    assert done.out == ""


# --- passwords and tokens -------------------------------------------------------------------------


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaaaaa", "bob-bob-bob-bob"])
def test_a_weak_password_is_refused_and_never_echoed(people, weak: str):
    for args in (["passwd", "bob", "--stdin"], ["add", "bob2", "--password-stdin"]):
        done = people("users", *args, stdin=f"{weak}\n", code=None)
        if args[0] == "passwd":
            assert done.code == 1
            assert "cannot have a password" in done.err
        assert weak not in done.out + done.err
    assert not people("users", "show", "bob", "--json").json()["has_password"]


def test_a_password_is_set_and_neither_it_nor_its_hash_is_shown_anywhere(people, lab_folder: Path):
    people("users", "passwd", "bob", "--stdin", stdin=f"{PASSWORD}\n")
    assert people("users", "show", "bob", "--json").json()["has_password"]
    hashed = stored_texts(lab_folder, "$argon2id$")
    assert len(hashed) == 1, "only the user's own record holds it"
    for command in ("users list", "users show bob", "changes list --all", "config", "check"):
        for form in ([], ["--json"]):
            done = people(*command.split(), *form)
            assert "argon2" not in done.out + done.err
            assert PASSWORD not in done.out + done.err
    last = people("changes", "list", "--type", "users.user", "--json").json()[0]
    assert "password_changed_at" in json.dumps(last["postchange"]), "that it was set is recorded"


def stored_texts(folder: Path, wanted: str) -> list[str]:
    """Every text in the database that holds some words."""
    found = []
    with sqlite3.connect(f"file:{folder / 'buttonhook.db'}?mode=ro", uri=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                found.extend(str(value) for value in row if wanted in str(value))
    connection.close()
    return found


def test_a_token_is_printed_once_alone_and_kept_as_a_hash(people, lab_folder: Path):
    done = people("users", "token", "bob", "--scope", "lab.view_rack", "--description", "for the robot")
    text = done.out.rstrip("\n")
    assert text.startswith("bh_")
    assert text not in done.err
    assert stored_texts(lab_folder, text) == []
    (shown,) = people("users", "tokens", "--of", "bob", "--json").json()
    assert text.startswith(f"{shown['name']}_")
    assert (shown["user"], shown["scopes"], shown["description"]) == ("bob", ["lab.view_rack"], "for the robot")
    assert "hash" not in shown
    made = people("users", "token", "bob", "--never-expires", "--json").json()
    assert sorted(made) == ["expires_at", "name", "scopes", "token"]
    assert made["expires_at"] is None
    assert people("users", "tokens", "remove", made["name"]).out == f"Removed token {made['name']} of bob\n"
    assert len(people("users", "tokens").rows()) == 1


def test_an_expired_token_one_of_a_disabled_user_and_a_removed_one_act_for_nobody(people, lab_folder: Path):
    def user_of(text: str) -> str | None:
        async def ask() -> str | None:
            async with open_app(str(lab_folder / "buttonhook.db"), load_plugins=False, dispatch=False) as app:
                found = app.administration.user_of_token(text)
                return None if found is None else found.username

        return anyio.run(ask)

    lasting = people("users", "token", "bob").out.strip()
    expired = people("users", "token", "bob", "--days", "0.0000001").out.strip()
    assert user_of(lasting) == "bob"
    assert user_of(expired) is None
    assert [each["is_expired"] for each in people("users", "tokens", "--json").json()].count(True) == 1
    people("users", "disable", "bob")
    assert user_of(lasting) is None
    people("users", "enable", "bob")
    people("users", "tokens", "remove", public_part(lasting))
    assert user_of(lasting) is None


# --- the audit ------------------------------------------------------------------------------------


def test_edits_of_the_set_up_are_changes_that_tell_who_what_and_when(people):
    people("jobs", "edit", "Note", "--set", "time_limit=60")
    rows = people("changes", "list").rows()
    assert [row[2:4] for row in rows[:4]] == [
        ["update", "jobs.job"],
        ["create", "users.permission"],
        ["create", "users.user"],
        ["create", "users.group"],
    ]
    shown = people("changes", "show", rows[0][0], "--json").json()
    assert (shown["user_name"], shown["change_context"], shown["results"]) == ("ann", "cli", [])
    assert shown["differences"]["added"] == {"overrides": {"time_limit": 60}}
    assert len(people("changes", "list", "--type", "users.permission").rows()) == 1
    assert [row[0] for row in people("objects", "types").rows()] == ["lab.free", "lab.gated", "lab.rack"]
    assert people("objects", "list", "jobs.job", code=1).err.startswith("Error: Object type 'jobs.job' is not known")
    assert people("objects", "export", "users.user", code=1).out == ""


def test_edits_of_the_set_up_fire_nothing_and_say_so(people):
    explained = people("hooks", "explain", "1", "--json").json()
    assert explained["notes"] == ["edits of the set-up fire no job hooks"]
    assert explained["verdicts"] == []
    trial = people("hooks", "test", "Note", "--change", "1", "--json", code=1).json()
    assert (trial["would_fire"], trial["reason"]) == (False, "edits of the set-up fire no job hooks")
    assert "edits of the set-up" in people("hooks", "test", "--job", "Note", "--change", "1", code=1).err


def test_hidden_jobs_are_counted_and_listed_with_all(lab, lab_folder: Path):
    plugin = lab_folder / "plugins" / "lab_tools.py"
    plugin.write_text(plugin.read_text().replace('name = "Note"', 'name = "Note"\n        hidden = True'))
    done = lab("jobs", "list")
    assert [row[0] for row in done.rows()] == ["Gate", "Ping", "Refuse", "Rename"]
    assert done.err == "1 hidden job. See all with: buttonhook jobs list --all\n"
    assert len(lab("jobs", "list", "--all", "--json").json()) == 5
    lab("jobs", "edit", "Note", "--set", "hidden=false")
    assert len(lab("jobs", "list").rows()) == 5


def test_users_see_what_they_are_given_themselves(people):
    shown = people("--user", "bob", "users", "show", "bob").out
    assert "lab.view_rack" in shown
    assert "lab.view_rack" in people("--user", "bob", "users", "show", "bob", "--json").out


def test_a_constraint_that_nothing_can_meet_is_told_when_it_is_given(people):
    done = people("users", "grant", "bob", "lab.change_rack", "--where", "shelf = 3")
    assert "Warning: lab.rack has no field shelf" in done.err
    assert people("users", "grant", "bob", "lab.change_rack", "--where", "pk = r1").err == ""
