"""The documentation holds: its Python runs, its commands exist, its links lead somewhere, what it quotes is said.

What a fenced block is, by the words behind its fence:

- `python`: a whole module. It is run, and receivers and types in it must be such as a plugin may bring.
- `python fragment`: lines from the middle of something. They must compile, in an async function.
- `python signature`: a hookspec; `test_hookspecs` compares it.
- `python PATH`, `console` in the README: see `test_readme`.
- `console`: each `$ buttonhook ...` names a command that exists, with options it has.
- `toml`: is TOML; `toml settings` is a `buttonhook.toml` that can be loaded.
- `json conditions`: rows of conditions; `test_docs_conditions` reads and judges them.
- `text`, other `json`: not looked at.
"""

import ast
import inspect
import re
import shlex
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from msgspec import Struct

from buttonhook import JobHookReceiver, Ref, TrackedObject, open_app
from buttonhook.cli.main import root as root_command
from buttonhook.receivers.base import Receiver
from buttonhook.receivers.registration import check_receiver
from buttonhook.records import ResultQuery
from buttonhook.settings import load_settings
from tests.command_line import clean_env

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "core" / "docs"
PAGES = sorted([*DOCS.glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("plugins/*/README.md")])
BLOCK = re.compile(r"^```(\S+)[ \t]*(.*?)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
ASIDE = frozenset({"text", "json", "console"})


class Block(Struct, frozen=True):
    """One fenced block. `line` is that of its first line of text."""

    page: Path
    line: int
    language: str
    words: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in BLOCK.finditer(text):
        language, words, body = found.groups()
        yield Block(page, text.count("\n", 0, found.start(3)) + 1, language, words, body)


BLOCKS = [block for page in PAGES for block in blocks_of(page)]
MODULES = [each for each in BLOCKS if each.language == "python" and (each.words == "" or each.words.endswith(".py"))]
FRAGMENTS = [each for each in BLOCKS if each.language == "python" and each.words == "fragment"]


def is_program(block: Block) -> bool:
    return "asyncio.run(main())" in block.text


def of_place(block: Block) -> str:
    return block.place


def test_every_block_is_of_a_kind_that_is_looked_at():
    looked_at = {id(each) for each in (*MODULES, *FRAGMENTS)}
    odd = [
        each.place
        for each in BLOCKS
        if id(each) not in looked_at
        and each.language not in ASIDE
        and each.language != "toml"
        and (each.language, each.words) != ("python", "signature")
    ]
    assert odd == []
    assert len(MODULES) > 12


@pytest.mark.parametrize("block", [each for each in MODULES if is_program(each)], ids=of_place)
def test_a_program_runs(block: Block, tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.text],
        cwd=tmp_path,
        env=clean_env(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{block.place}\n{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("block", [each for each in MODULES if not is_program(each)], ids=of_place)
def test_a_module_can_be_a_plugin(block: Block):
    names: dict[str, Any] = {"__name__": "docs_example"}
    exec(compile(block.text, block.place, "exec"), names)
    own = [each for each in names.values() if getattr(each, "__module__", "") == "docs_example"]
    brought = 0
    for each in own:
        if isinstance(each, type) and issubclass(each, Receiver):
            _, warnings = check_receiver(each, "docs")
            assert warnings == []
            brought += 1
        elif isinstance(each, type) and issubclass(each, TrackedObject):
            assert each.__object_type__.name
            brought += 1
        elif hasattr(each, "buttonhook_impl"):
            # What takes arguments is called when it is needed; a struct is what buttonhook_settings gives.
            takes_arguments = bool(inspect.signature(each).parameters)
            answer = True if takes_arguments else each()
            assert answer if takes_arguments or isinstance(answer, type) else list(answer)
            brought += 1
    assert brought, f"{block.place} brings nothing; mark it as a fragment"


@pytest.mark.parametrize("block", FRAGMENTS, ids=of_place)
def test_a_fragment_compiles(block: Block):
    ast.parse(f"async def fragment(self, obj):\n{textwrap.indent(block.text, '    ')}", block.place)


@pytest.mark.parametrize("block", [each for each in BLOCKS if each.language == "toml"], ids=of_place)
def test_toml_is_toml_and_a_settings_file_can_be_loaded(block: Block, tmp_path: Path):
    tomllib.loads(block.text)
    if block.words == "settings":
        (tmp_path / "buttonhook.toml").write_text(block.text, encoding="utf-8")
        assert load_settings({}, {}, tmp_path).values


# --- commands -------------------------------------------------------------------------------------


def commands_of(command: click.Command, path: str = "buttonhook") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name."""
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield path, command
    if isinstance(command, click.Group):
        for name, inner in command.commands.items():
            yield from commands_of(inner, f"{path} {name}")


def options_of(command: click.Command) -> set[str]:
    """The options a user is told of."""
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    return {name for each in options for name in (*each.opts, *each.secondary_opts)}


COMMANDS = dict(commands_of(root_command))
EVERYWHERE = {name for each in root_command.params for name in (*each.opts, *each.secondary_opts)}


def typed_commands() -> Iterator[tuple[str, list[str]]]:
    for block in BLOCKS:
        if block.language == "console":
            for line in block.text.splitlines():
                if line.startswith("$ ") and "buttonhook " in line and "pip" not in line:
                    words = [each for each in shlex.split(line[2:]) if not re.match(r"[A-Z_]+=", each)]
                    if words[0] == "buttonhook":
                        yield block.place, words[1:]


def fault_of(words: list[str]) -> str | None:
    """What is wrong with a command line, or None."""
    command: click.Command = root_command
    allowed = set(EVERYWHERE)
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            allowed |= options_of(command)
            if word.partition("=")[0] not in allowed:
                return f"{' '.join(words)}: no option {word}"
            if word in ("--db", "--user", "--plugins-dir", "--lock-wait") and rest:
                rest.pop(0)
        elif isinstance(command, click.Group):
            if word not in command.commands:
                return f"{' '.join(words)}: no command {word}"
            command = command.commands[word]
    return None


def test_every_command_of_the_documentation_exists():
    typed = list(typed_commands())
    assert len(typed) > 10
    assert [f"{place}: {fault}" for place, words in typed if (fault := fault_of(words))] == []


def test_a_command_that_does_not_exist_is_found():
    assert fault_of(["jobs", "list"]) is None
    assert fault_of(["--plugins-dir", "x", "jobs", "enable", "A"]) is None
    assert fault_of(["jobs", "start"]) == "jobs start: no command start"
    assert fault_of(["jobs", "list", "--colour"]) == "jobs list --colour: no option --colour"


def sections(text: str) -> dict[str, str]:
    """The commands of command-line.md, each with the text below its heading."""
    parts = re.split(r"^### `(buttonhook[^`]*)`$", text, flags=re.MULTILINE)
    bodies = [re.split(r"^## ", body, flags=re.MULTILINE)[0] for body in parts[2::2]]
    return dict(zip(parts[1::2], bodies, strict=True))


def documented() -> dict[str, str]:
    found = {}
    for heading, body in sections((DOCS / "command-line.md").read_text(encoding="utf-8")).items():
        names = [name for name in COMMANDS if heading == name or heading.startswith(f"{name} ")]
        assert names, f"command-line.md tells of {heading}, which does not exist"
        found[max(names, key=len)] = body
    return found


def test_every_command_is_documented_with_all_its_options():
    told = documented()
    assert sorted(told) == sorted(COMMANDS)
    lacking = [
        f"{name} {option}"
        for name, body in told.items()
        for option in sorted(options_of(COMMANDS[name]) - EVERYWHERE)
        if f"`{option}`" not in body and f"`{option} " not in body
    ]
    assert lacking == []


def test_the_options_of_all_commands_are_documented():
    text = (DOCS / "command-line.md").read_text(encoding="utf-8")
    assert [each for each in sorted(EVERYWHERE) if f"`{each}`" not in text and f"`{each} " not in text] == []


# --- links ----------------------------------------------------------------------------------------


def anchor_of(heading: str) -> str:
    """A heading as GitHub links to it."""
    kept = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return kept.replace(" ", "-")


def dead_links(page: Path) -> Iterator[str]:
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        if not there.exists():
            yield f"{page.name}: {target}"
        elif anchor and anchor not in map(anchor_of, HEADING.findall(there.read_text(encoding="utf-8"))):
            yield f"{page.name}: {target} (no such heading)"


def test_links_between_pages_lead_somewhere():
    assert [dead for page in PAGES for dead in dead_links(page)] == []


def test_a_dead_link_is_found(tmp_path: Path):
    page = tmp_path / "page.md"
    page.write_text(
        "# One two\n[a](page.md#one-two) [b](#three) [c](gone.md) [d](https://example.com)\n", encoding="utf-8"
    )
    assert list(dead_links(page)) == ["page.md: #three (no such heading)", "page.md: gone.md"]


def test_the_index_names_every_page():
    index = (DOCS / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in DOCS.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index] == []


# --- what the pages say is said -------------------------------------------------------------------


class Device(TrackedObject, object_type="docs.device", kw_only=True):
    name: str
    serial: str = ""
    location: Ref["Device"] | None = None


class Unawaited(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        changed_object.save()


class WrongFor(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        for _ in self.objects(Device):
            pass


class WrongWith(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        with self.transaction():
            pass


class Misspelt(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        changed_object.serail = "x"


class NothingRemoved(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        change.get_snapshots()["differences"]["removed"]["serial"]


class Walk(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        changed_object.location.name  # noqa: B018 - the pitfall itself


class Validated(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        changed_object.validated_save()


class Related(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        Device.objects.select_related("location")


class PrintStyle(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("x", 5)  # noqa: PLE1205 - the pitfall itself
        print("nobody keeps this")  # noqa: T201 - the pitfall itself
        self.fail("%s", change.get_snapshots()["differences"]["removed"])


class Forgotten(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        self.enqueue("acme.Other", changed_object)


class Elsewhere(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        await self.enqueue("acme.Other", changed_object)


PITFALLS = (
    *(Unawaited, WrongFor, WrongWith, Misspelt, NothingRemoved, Walk, Validated, Related),
    *(Forgotten, Elsewhere, PrintStyle),
)


async def test_the_messages_quoted_for_pitfalls_are_those_people_see(tmp_path: Path):
    page = (DOCS / "receivers.md").read_text(encoding="utf-8")
    path = tmp_path / "p.db"
    async with open_app(str(path), receivers=PITFALLS, object_types=[Device], load_plugins=False) as app:
        for each in PITFALLS:
            await app.configuration.enable_job(each.__name__)
            await app.configuration.add_hook(each.__name__, each.__name__, ["docs.device"])
        await app.session(user="ann").objects(Device).create(pk="r1", name="r1", location="r1")
        await app.drain()
        results = {each.occasion: each for each in await app.results(ResultQuery())}
        entries = await app.log_entries(results.pop("PrintStyle"))
    first, badly, failed = (each.message for each in entries)
    assert first == "Running job"
    assert badly.startswith("x (5,) (the log call does not fit its arguments: TypeError: ")
    assert failed == "None"
    assert "x (5,) (the log call does not fit its arguments: TypeError: ...)" in page
    assert len(results) == len(PITFALLS) - 1
    said = {name: _as_quoted(result.error or "") for name, result in results.items()}
    assert {name: error for name, error in said.items() if error not in page} == {}


def _as_quoted(error: str) -> str:
    """The page quotes with a device of the shipped types and a file called acme.py."""
    return re.sub(r"test_docs_code\.py:\d+", "acme.py:19", error.replace("docs.device", "dcim.device"))


async def test_the_stale_object_quoted_is_the_one_people_see(tmp_path: Path):
    page = " ".join((DOCS / "receivers.md").read_text(encoding="utf-8").split())
    async with open_app(str(tmp_path / "s.db"), object_types=[Device], load_plugins=False) as app:
        ann, bob = app.session(user="ann").objects(Device), app.session(user="bob").objects(Device)
        await ann.create(pk="r1", name="r1")
        mine, theirs = await ann.get("r1"), await bob.get("r1")
        mine.serial, theirs.serial = "1", "2"
        await mine.save()
        with pytest.raises(Exception, match="is stale") as caught:
            await theirs.save()
    assert str(caught.value).replace("docs.device", "dcim.device") in page


def test_the_floors_are_those_that_are_checked():
    told = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## Floors")[2].partition("## ")[0]
    rows = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in told.splitlines() if row.startswith("| `")]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    floors = next(each["layers"] for each in contracts if each["id"] == "floors")
    package = ROOT / "core" / "buttonhook"
    there = {path.stem if path.suffix == ".py" else path.name for path in package.iterdir()}
    checked = [{name for name in re.findall(r"\w+", floor) if name in there} for floor in floors]
    assert rows == [floor for floor in checked if floor]


def test_every_dependency_has_its_reason():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.match(r"[\w-]+", each)[0].lower() for each in wanted}  # type: ignore[index]
    text = (DOCS / "dependencies.md").read_text(encoding="utf-8")
    told = {name.lower() for name in re.findall(r"^\| \[?([\w-]+)\]?[^|]*\| ", text, re.MULTILINE)} - {"package", "---"}
    assert told == names
