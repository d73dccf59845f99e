"""Commands do the same beside a daemon as on the database itself: every one of them, with every option.

Each chapter of `walk.py` is walked twice, on databases that begin equal, and what is written and the exit codes are
compared. Ids, times and secrets are masked, each by its place of first appearance.
"""

import re
import shlex
import shutil
from collections.abc import Iterator
from difflib import unified_diff
from pathlib import Path

import click
import pytest

from buttonhook.cli.main import root
from buttonhook.cli.output import Output
from tests.api.served import Started
from tests.cli import walk
from tests.cli.conftest import LAB_SETTINGS, Command, Done
from tests.command_line import CommandLine

SETTINGS = {**LAB_SETTINGS, "BUTTONHOOK_PLUGINS_DIR": "plugins"}
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRET = re.compile(r"bhs_[\w-]{20,}|(?<=bh_)[0-9a-f]{8,}(?:_[\w-]{20,})?")
MASKS = (
    (re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?"), "TIME"),
    (re.compile(r'("(?:seconds|seconds_with_jobs|changes_per_second)": ?)[\d.e+-]+'), r"\1N"),
    (re.compile(r"--after [\w-]{12,}"), "--after CURSOR"),
    (re.compile(r"\b[\d.,]+ (ms|s|µs)\b"), "TOOK"),
    (re.compile(r"\([\d,]+ changes/s\)"), "(RATE)"),
    (re.compile(r"(?<=_at\": )\d{16}"), "TIME"),
)


class World:
    """A folder with a database, alone or with a daemon that has it."""

    def __init__(self, folder: Path, run: Command, monkeypatch: pytest.MonkeyPatch, cli: CommandLine | None) -> None:
        self.folder, self._run, self._monkeypatch, self._cli = folder, run, monkeypatch, cli
        self._daemon: Started | None = None
        self._masked: dict[str, str] = {}
        self._tokens: list[str] = []
        self._cursors: list[str] = []
        self._start()

    def install(self, source: str, name: str = "lab_walk") -> None:
        """Have this plugin from now on."""
        (self.folder / "plugins" / f"{name}.py").write_text(source)
        if self._daemon is not None:
            self._daemon.process.terminate()
            assert self._daemon.process.wait(20) == 0
        self._start()

    def _start(self) -> None:
        if self._cli is not None:
            args = ("serve", "--port", "0", "--grace", "0")
            self._daemon = Started(self._cli.start(*args, env=SETTINGS, cwd=self.folder))

    def call(self, user: str, words: list[str], stdin: str) -> Done:
        self._monkeypatch.chdir(self.folder)
        self._monkeypatch.setenv("BUTTONHOOK_USER", user)
        done = self._run(*(self._fill(each) for each in words), stdin=stdin, code=None)
        self._cursors += re.findall(r"--after (\S+)", done.err)
        self._tokens += re.findall(r"(?<!\w)bh_[0-9a-f]{8,}", done.out)
        return done

    def _fill(self, word: str) -> str:
        if not word.startswith("{") or not word.endswith("}"):
            return word
        name, _, number = word[1:-1].partition(":")
        if name == "token":
            return self._tokens[-1]
        if name == "cursor":
            return self._cursors[-1]
        if name == "id":
            return str(self._run("results", "show", number, "--json").json()["id"])
        return str(self._run("changes", "show", number, "--json").json()["request_id"]) if name == "request" else word

    def masked(self, text: str) -> str:
        text = text.replace(str(self.folder), "FOLDER")
        text = UUID.sub(lambda found: self._mask("uuid", found[0]), text)
        text = SECRET.sub(lambda found: self._mask("secret", found[0]), text)
        for pattern, mask in MASKS:
            text = pattern.sub(mask, text)
        return text

    def _mask(self, kind: str, found: str) -> str:
        return self._masked.setdefault(found, f"{kind}-{len(self._masked)}")

    def told(self, done: Done) -> str:
        return f"exit code {done.code}\n--- stdout\n{self.masked(done.out)}--- stderr\n{self.masked(done.err)}"


def lines_of(text: str) -> Iterator[tuple[str, str, list[str], str]]:
    """Code, user, words and input of each line of a chapter."""
    for line in filter(None, map(str.strip, text.splitlines())):
        code, user, rest = line.split(" ", 2)
        command, _, stdin = rest.partition(" <- ")
        yield code, user, shlex.split(command), walk.INPUTS[stdin] if stdin else ""


@pytest.fixture(scope="module")
def beginning(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What both begin with: an empty folder until the first test has made it."""
    return tmp_path_factory.mktemp("walk")


def make_beginning(folder: Path, run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "plugins").mkdir()
    for name, content in (
        ("plugins/lab_walk.py", walk.PLUGIN),
        ("rack.json", walk.INPUTS["rack-odd"]),
        ("things.csv", walk.INPUTS["csv"]),
        ("secret", "a secret of some length"),
    ):
        (folder / name).write_text(content)
    world = World(folder, run, monkeypatch, None)
    for code, user, words, stdin in lines_of(walk.BEFORE):
        assert world.call(user, words, stdin).code == int(code), words


@pytest.fixture
def worlds(
    run: Command, lab_folder: Path, beginning: Path, monkeypatch: pytest.MonkeyPatch, cli: CommandLine
) -> tuple[World, World]:
    """An embedded one and one with a daemon."""
    monkeypatch.setattr(Output, "hint", lambda self, content: None if self.is_json else self.note(content))
    monkeypatch.setenv("WALK_SECRET", "another secret of some length")
    monkeypatch.setitem(SETTINGS, "WALK_SECRET", "another secret of some length")
    if not any(beginning.iterdir()):
        make_beginning(beginning, run, monkeypatch)
    folders = [lab_folder / name for name in ("embedded", "daemon")]
    for each in folders:
        shutil.copytree(beginning, each)
    return World(folders[0], run, monkeypatch, None), World(folders[1], run, monkeypatch, cli)


@pytest.mark.parametrize("chapter", walk.CHAPTERS)
def test_a_command_beside_a_daemon_says_and_does_the_same(chapter: str, worlds: tuple[World, World]):
    wrong = []
    for code, user, words, stdin in lines_of(walk.CHAPTERS[chapter]):
        if code == "-":
            for world in worlds:
                if "broken" in words:
                    world.install(walk.BROKEN, "lab_broken")
                else:
                    world.install(walk.PLUGIN.replace(*walk.LATER) + walk.MENDS)
            continue
        embedded, daemon = (world.call(user, words, stdin) for world in worlds)
        line = f"{user}$ buttonhook {shlex.join(words)}"
        alone, beside = worlds[0].told(embedded), worlds[1].told(daemon)
        if str(embedded.code) != code:
            wrong.append(f"{line}\nshould end with {code}:\n{embedded}")
        if alone != beside:
            names = ("embedded", "beside a daemon")
            differs = unified_diff(alone.splitlines(), beside.splitlines(), *names, n=2, lineterm="")
            wrong.append("\n".join([line, *differs]))
    if wrong:
        pytest.fail(f"{len(wrong)} differ:\n\n" + "\n\n".join(wrong), pytrace=False)


def test_what_a_command_says_else_beside_a_daemon_is_told_here(worlds: tuple[World, World]):
    for world in worlds:
        for line in ("jobs enable Ping", "buttons add ping --job Ping --type lab.rack"):
            assert world.call("ann", line.split(), "").code == 0
    for apart in walk.APART:
        for world, (code, words) in zip(worlds, (apart.embedded, apart.daemon), strict=True):
            done = world.call(apart.user, shlex.split(apart.line), "")
            assert done.code == code, done
            assert words in done.out + done.err, done


def commands_of(command: click.Command, path: str = "") -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    if command.invoke_without_command:
        yield path, command
    for name, each in command.commands.items():
        yield from commands_of(each, f"{path} {name}".strip())


def test_every_command_with_every_option_is_walked():
    calls = [
        words
        for chapter in (walk.BEFORE, *walk.CHAPTERS.values())
        for code, _, words, _ in lines_of(chapter)
        if code != "-"
    ] + [shlex.split(each.line) for each in walk.APART]
    missing = []
    for path, command in commands_of(root):
        if path in walk.NOT_WALKED:
            continue
        steps = path.split()
        given = {word for words in calls if words[: len(steps)] == steps for word in [*words[len(steps) :], path]}
        if path not in given:
            missing.append(path)
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden and option.name != "help":
                both = [names for names in (option.opts, option.secondary_opts) if names]
                missing += [f"{path} {names[-1]}" for names in both if not given.intersection(names)]
    assert not missing, f"Walk these in walk.py, too: {missing}"


def test_no_option_sets_what_another_one_is_for():
    for path, command in commands_of(root):
        names = [each.name for each in command.params]
        assert len(set(names)) == len(names), f"buttonhook {path}: two parameters are called the same"
