"""Nobody learns of what they may not see: words that bob may not read are in no output of any command that he runs."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from buttonhook.cli.main import root
from tests.cli.conftest import Command

CANARY = "kanarienvogel"
MODULE = """
from buttonhook import JobButtonReceiver, JobHookReceiver, register_jobs


class Sings(JobHookReceiver):
    class Meta:
        name = "kanarienvogel sings"
        object_types = ["lab.rack"]

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.warning("kanarienvogel: %s", change.object_data)
        if "cage" in change.object_repr:
            raise ValueError("kanarienvogel flew")
        return "kanarienvogel"


class Whistle(JobButtonReceiver):
    class Meta:
        name = "kanarienvogel whistles"

    async def receive_job_button(self, obj):
        self.logger.info("kanarienvogel")


register_jobs(Sings, Whistle)
"""
MAY = ["lab.view_rack", "lab.change_rack", "lab.add_rack", "lab.delete_rack"]


@pytest.fixture
def secretive(run: Command, lab_folder: Path) -> Command:
    """bob may see and write the racks in ams01, with their changes, results and logs; all else has the canary in it."""
    (lab_folder / "plugins" / "lab_birds.py").write_text(MODULE)
    run("jobs", "enable", "Note", "Sings", "Whistle", "Ping")
    run("buttons", "add", f"{CANARY} button", "--job", "Whistle", "--type", "lab.free", "--text", CANARY)
    run("buttons", "add", "Ping it", "--job", "Ping", "--type", "lab.rack")
    run("users", "groups", "add", f"{CANARY} group")
    run("users", "add", f"{CANARY}-user", "--group", f"{CANARY} group")
    run("users", "grant", f"{CANARY}-user", "lab.view_free", "--where", f"x = {CANARY}")
    run("users", "token", f"{CANARY}-user", "--description", CANARY)
    run("users", "add", "bob")
    run("users", "grant", "bob", *MAY, "--where", "serial = ams01")
    run("users", "grant", "bob", "jobs.view_objectchange", "jobs.run_job")
    visible = 'job_name in ["Note","Ping"]'
    run("users", "grant", "bob", "jobs.view_jobresult", "jobs.view_joblogentry", "--where", visible)
    run("users", "grant", "bob", "jobs.view_*", "jobs.change_*", "users.view_*", "--where", "name = Note")
    run("objects", "put", "lab.rack", "seen", "--create", "--set", "name=seen", "--set", "serial=ams01")
    run(
        "objects",
        "put",
        "lab.rack",
        f"{CANARY}-pk",
        "--create",
        "--set",
        f"name={CANARY} cage",
        "--set",
        f"serial={CANARY}",
    )
    run("objects", "put", "lab.free", "f1", stdin=f'{{"name": "{CANARY}", "units": 7}}')
    run("buttons", "press", f"{CANARY} button", "lab.free", "f1")
    run("objects", "put", "lab.rack", "later", "--create", "--set", f"name={CANARY} 2", "--no-wait")
    return run


def ids(run: Command, what: str, key: str) -> list[str]:
    return [str(each[key]) for each in run(what, "list", "--all", "--json").json()]


READING = """
sources list|jobs list --all|jobs show Note|jobs show Sings|jobs show kanarien|jobs show lab_birds.Sings
hooks list|hooks explain {change}|hooks test Note --change {change}|hooks test Sings --change {change}
buttons list|buttons shown lab.rack seen|buttons shown lab.rack later|buttons shown lab.rack kanarienvoge
objects types|objects list lab.rack|objects list lab.rack --all|objects list lab.free|objects get lab.rack later
objects get lab.free f1|objects get lab.rack seen|objects list lab.rack --order -name --limit 1
objects list lab.rack --where "name startswith kan"|objects export lab.rack|objects export lab.rack --format csv
objects export lab.free|objects referrers lab.rack later|changes list --all|changes show {change}
changes list --type users.permission|changes list --type jobs.job|changes list --pk later
results list --all|results show {result}|results logs {result}|results list --job Whistle|results list --job kanarien
users list|users show bob|users show kanarien-user|users groups|users permissions|users tokens
check|config|plugins
""".replace("\n", "|").strip("|")

WRITING = """
sources add nautobot|sources edit kanarien --disabled|sources remove kanarien
jobs enable Whistl|jobs disable Sings|jobs edit Sings --set time_limit=5|hooks add x --job Note --type lab.free
hooks edit Sings --disabled|hooks remove kanarien|buttons add x --job Ping --type lab.rack
buttons edit kanarien --disabled|buttons remove kanarien|buttons press "kanarien button" lab.rack seen
buttons press "kanarienvogel button" lab.rack seen
buttons press "Ping it" lab.rack seen|buttons press "Ping it" lab.rack later|objects types add lab.other
objects put lab.rack seen --set units=7|objects put lab.rack later --set units=7
objects put lab.rack later --create --set name=x --set serial=ams01|objects put lab.free f1 --set units=8
objects put lab.rack new --create --set "name=kanarienvogel cage" --set serial=ams01|objects delete lab.rack later
objects delete lab.free f1|objects upgrade|objects import -|objects import - --on-error skip
results cancel {result}|results rerun {result}|run|run --strict|users add x|users edit kanarien-user --no-groups
users disable bo|users enable kanarien|users passwd x --stdin|users grant x lab.view_rack|users revoke bob lab.view_rack
users groups add x|users groups remove kanarien|users permissions remove kanarien|users token kanarien
users tokens remove bh_1
""".replace("\n", "|").strip("|")

LINES = """{"object_type": "lab.rack", "data": {"name": "kanarienvogel cage", "serial": "ams01"}}
{"object_type": "lab.rack", "pk": "mine", "data": {"name": "mine", "serial": "ams01"}}
{"object_type": "lab.rack", "pk": "later", "data": {"name": "taken over", "serial": "ams01"}}
{"object_type": "lab.free", "pk": "f1", "data": {"a": 1}}
"""


def without_what_was_typed(text: str, typed: list[str]) -> str:
    """What a message repeats of the command is no news to who typed it."""
    for word in sorted(set(typed), key=len, reverse=True):
        text = text.replace(word, "")
    return text


def check_silent(run: Command, line: str, places: dict[str, list[str]]) -> None:
    changes, results = places["change"], places["result"]
    fillings = [{"change": each, "result": results[0]} for each in changes] if "{change}" in line else []
    fillings = fillings or ([{"change": "", "result": each} for each in results] if "{result}" in line else [{}])
    for filling in fillings:
        typed = shlex.split(line.format(**filling))
        for form in ([], ["--json"]):
            if form and "export" in typed:
                continue
            stdin = LINES if "import" in typed else "correct horse battery\n"
            done = run("--user", "bob", *typed, *form, stdin=stdin, code=None)
            told = without_what_was_typed(done.out + done.err, [word.partition("=")[2] or word for word in typed])
            if "import" in typed:
                told = told.replace("name = 'kanarienvogel cage'", "")
            assert CANARY not in told, done


def test_no_reading_command_tells_of_what_may_not_be_seen(secretive):
    places = {"change": ids(secretive, "changes", "id"), "result": ids(secretive, "results", "number")}
    for line in READING.split("|"):
        check_silent(secretive, line, places)


def test_no_writing_command_tells_of_what_may_not_be_seen(secretive):
    places = {"change": ids(secretive, "changes", "id"), "result": ids(secretive, "results", "number")}
    for line in WRITING.split("|"):
        check_silent(secretive, line, places)


def test_what_may_be_seen_is_told(secretive):
    assert [row[0] for row in secretive("--user", "bob", "objects", "list", "lab.rack").rows()] == ["seen"]
    changes = secretive("--user", "bob", "changes", "list", "--type", "lab.rack", "--json").json()
    assert [each["object_pk"] for each in changes] == ["seen"]
    results = secretive("--user", "bob", "results", "list", "--json").json()
    assert {each["object_pk"] for each in results} == {"seen"}
    types = {
        each["object_type"]: each["objects"] for each in secretive("--user", "bob", "objects", "types", "--json").json()
    }
    assert types == {"lab.free": None, "lab.gated": None, "lab.rack": 1}


def test_a_refused_line_of_an_import_is_a_bad_line_with_its_number(secretive):
    done = secretive("--user", "bob", "objects", "import", "-", "--on-error", "skip", stdin=LINES, code=1)
    assert [line.partition(": ")[2].partition(":")[0] for line in done.err.splitlines()] == [
        "stdin, line 1",
        "stdin, line 3",
        "stdin, line 4",
    ]
    assert secretive("objects", "get", "lab.rack", "mine", "--json").json()["updated_by"] == "bob"
    stopped = secretive("--user", "bob", "objects", "import", "-", stdin=LINES, code=1)
    assert stopped.err.startswith("Error: stdin, line ")


def commands_of(command: click.Command, path: str = "") -> Iterator[str]:
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path.strip()
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands_of(inner, f"{path} {name}")


def test_every_command_is_among_those_that_are_tried():
    tried = [*READING.split("|"), *WRITING.split("|")]
    missing = [each for each in commands_of(root) if not any(line.startswith(each) for line in tried)]
    assert missing == ["changes tail", "demo", "serve"]  # they run until they are stopped


@pytest.mark.parametrize("name", [*commands_of(root)])
def test_what_all_commands_share_may_stand_behind_each(name: str):
    command: click.Command = root
    for word in name.split():
        command = command.commands[word]
    taken = {each for parameter in command.params for each in parameter.opts}
    assert taken >= {"--db", "--user", "--plugins-dir", "--lock-wait", "--accept-older"}


PORTS = """
from buttonhook import Ref, TrackedObject, hookimpl


class Shelf(TrackedObject, object_type="lab.shelf", kw_only=True):
    name: str


class Port(TrackedObject, object_type="lab.port", on_delete={"shelf": "cascade"}, kw_only=True):
    shelf: Ref[Shelf]


@hookimpl
def buttonhook_object_types():
    return [Shelf, Port]
"""


def test_what_goes_along_with_a_delete_is_not_told_by_the_key_that_it_shares(run: Command, lab_folder: Path):
    (lab_folder / "plugins" / "lab_ports.py").write_text(PORTS)
    run("objects", "put", "lab.shelf", "p1", "--create", "--set", "name=top")
    run("objects", "put", "lab.port", "p1", "--create", "--set", "shelf=p1")
    run("users", "add", "bob")
    run("users", "grant", "bob", "lab.view_shelf", "lab.delete_shelf", "lab.delete_port")
    done = run("--user", "bob", "objects", "delete", "lab.shelf", "p1")
    assert "lab.shelf p1" in done.out
    assert "lab.port" not in done.out
