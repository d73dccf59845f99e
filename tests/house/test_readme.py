"""The README, followed from its first line to its last: its files are written, its commands are run.

What the blocks of the README mean here:

- ```` ```toml acme-names/pyproject.toml ```` (any language, then a path): the file to write, relative to the folder
  where the reader works.
- ```` ```console ````: lines that begin with `$ ` are commands, the lines below each are what it shows on a terminal
  `WIDTH` columns wide, compared but for ids, times and how long things took. A command ends with 0, unless
  the next one is `echo $?`. `...` stands for anything in a line.
- ```` ```console stays ````: one command that goes on in a shell of its own. The lines below it are awaited; then it is
  left running to the end, or gets a Ctrl-C where the last line is `^C`. It ends with 0 then, or by that signal.
- `$ make TARGET` is not run: the target must be in the Makefile.

Every other block has a language of its own and is looked at by `test_docs_code`.

The commands find what the reader has by then: a `.venv` with Buttonhook in it, installed by pip, and activated;
variables and functions of the shell are kept from one to the next. A token, code or id that the README shows stands for
the one that came in its place, also in the commands that follow. The daemon's port is a free one.
"""

import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import sysconfig
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from tests.command_line import clean_env

WIDTH = 100
TIMEOUT_SECONDS = 120
STAYING_SECONDS = 20
"""How long the reader waits for what a command that goes on shows."""
KEEP = 'declare -f; declare -p | grep -E "^declare -- [a-z]"'
"""Tells functions and variables, so that the next shell has them. Those with small letters are the reader's."""
BLOCK = re.compile(r"^```(\S*)[ \t]*(.*?)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
ERASED = re.compile(r"^.*(━|-:--:--|Running jobs).*\n\n?", re.MULTILINE)
"""Progress, which is gone from a terminal when the command ends."""
ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-_])")

GIVEN = re.compile(
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"
    r"|\bbh_[0-9a-f]{10}(?:_[\w-]{43})?(?![\w-])|(?<![\w-])[\w-]{32}(?![\w-])"
)
"""What is made anew in each run and may be typed again: ids, tokens, the code of the set-up link."""
PORT = "127.0.0.1:8440"

# What differs from run to run, and what it is compared as.
LOOSE = (
    (re.compile(r"\(pid \d+\)"), "(pid N)"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[ T]"), "DAY "),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?Z?"), "CLOCK"),
    (re.compile(r"\b[\d,.]+ (ms|s|min)\b"), "DURATION"),
    (re.compile(r"\b[\d,]+ changes/s"), "RATE"),
    (re.compile(r"[ \t]+"), " "),
)


class FileBlock(Struct, frozen=True):
    """A file that the reader is told to write."""

    path: str
    text: str


class Command(Struct, frozen=True):
    """A command that the reader is told to type, and what the README says it shows."""

    line: int
    words: str
    shown: str
    stays: bool = False


def read_steps(text: str) -> Iterator[FileBlock | Command]:
    """The files and commands of a text, in order."""
    for found in BLOCK.finditer(text):
        language, title, body = found.groups()
        if language == "console":
            commands = list(read_commands(body, text.count("\n", 0, found.start(3)) + 1))
            assert title in ("", "stays"), f"A console block has an odd title: {title}"
            assert not title or len(commands) == 1, "What stays is one command."
            yield from (replace(each, stays=bool(title)) for each in commands)
        elif title:
            yield FileBlock(title, body)


def read_commands(body: str, first_line: int) -> Iterator[Command]:
    lines = body.splitlines()
    starts = [place for place, line in enumerate(lines) if line.startswith("$ ")]
    assert starts[:1] == [0], f"The console block at line {first_line} begins with no command."
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield Command(first_line + start, lines[start][2:], "\n".join(lines[start + 1 : end]))


def loosely(text: str) -> list[str]:
    """Lines without what differs from run to run, and without the blank ones."""
    for pattern, word in LOOSE:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.splitlines() if line.strip()]


def fit(told: str, shown: str) -> dict[str, str] | None:
    """None where a command shows something else than it should; else what came for what was told.

    `...` stands for anything in a line.
    """
    lines, expected = loosely(shown), loosely(told)
    if len(lines) != len(expected):
        return None
    given: dict[str, str] = {}
    for each, line in zip(expected, lines, strict=True):
        pattern = "".join(_pattern(part) for part in re.split(f"({GIVEN.pattern}| ?\\.\\.\\. ?)", each))
        found = re.fullmatch(pattern, line)
        if found is None:
            return None
        given.update(zip(GIVEN.findall(each), found.groups(), strict=True))
    return given


def _pattern(part: str) -> str:
    return f"({GIVEN.pattern})" if GIVEN.fullmatch(part) else ".*" if part.strip() == "..." else re.escape(part)


def make_targets(makefile: str) -> set[str]:
    """The targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


class Reader:
    """Somebody who follows the README: a folder, an activated `.venv` in it, terminals."""

    def __init__(self, folder: Path, makefile: str) -> None:
        self.folder = folder
        self.targets = make_targets(makefile)
        self._last_code = 0
        self._given: dict[str, str] = {}
        """What stands in the README, and what came in its place."""
        self._staying: list[tuple[Command, Terminal]] = []
        self._port = free_port()

    def follow(self, steps: list[FileBlock | Command]) -> Iterator[str]:
        """Take the steps in order; yields a complaint for each command that does not do what it says."""
        try:
            for place, step in enumerate(steps):
                if isinstance(step, FileBlock):
                    self._write(step)
                elif step.words.startswith("make "):
                    target = step.words.split()[1]
                    if target not in self.targets:
                        yield f"line {step.line}: the Makefile has no target {target!r}"
                elif step.stays:
                    yield from self._stay(step)
                else:
                    following = steps[place + 1] if place + 1 < len(steps) else None
                    may_fail = isinstance(following, Command) and following.words == "echo $?"
                    yield from self._type(step, may_fail)
            while self._staying:
                yield from self._end(*self._staying.pop())
        finally:
            for _, terminal in self._staying:
                terminal.kill()

    def _write(self, block: FileBlock) -> None:
        path = self.folder / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _type(self, command: Command, may_fail: bool) -> Iterator[str]:
        code, shown = self.run(command.words)
        if code and not may_fail:
            yield f"line {command.line}: $ {command.words}\nended with {code}:\n{shown}"
        else:
            yield from self._compare(command, command.shown, shown)

    def _compare(self, command: Command, told: str, shown: str) -> Iterator[str]:
        given = fit(told, shown)
        if given is not None:
            self._given.update(given)
        else:
            yield f"line {command.line}: $ {command.words}\nshows\n{shown}\nand the README says\n{told}\n"

    def _stay(self, command: Command) -> Iterator[str]:
        """Start what goes on, and wait for what it shows."""
        told = command.shown.removesuffix("^C").rstrip()
        terminal = Terminal(self._script(command.words, 0), self.folder, self._env())
        self._staying.append((command, terminal))
        terminal.wait_for(lambda shown: fit(told, self._as_told(shown)) is not None)
        yield from self._compare(command, told, self._as_told(terminal.shown))
        if told != command.shown.rstrip():
            yield from self._end(*self._staying.pop())

    def _end(self, command: Command, terminal: "Terminal") -> Iterator[str]:
        terminal.interrupt()
        code = terminal.wait()
        if code not in (0, 128 + signal.SIGINT, -signal.SIGINT):
            yield f"line {command.line}: $ {command.words}\nended with {code} after a Ctrl-C:\n{terminal.shown}"

    def run(self, words: str) -> tuple[int, str]:
        """Type one command at a terminal; returns its exit code and what it showed, both streams."""
        terminal = Terminal(self._script(words, self._last_code), self.folder, self._env())
        self._last_code = terminal.wait()
        return self._last_code, self._as_told(terminal.shown)

    def _script(self, words: str, last_code: int) -> str:
        """The command, in a shell that knows what was set in the ones before."""
        words = GIVEN.sub(lambda told: self._given.get(told[0], told[0]), words).replace(
            PORT, f"127.0.0.1:{self._port}"
        )
        kept = self.folder / ".shell"
        return f"[ ! -e {kept} ] || . {kept}; trap '{{ {KEEP}; }} > {kept}' EXIT; (exit {last_code}); {words}"

    def _as_told(self, shown: str) -> str:
        return shown.replace(f"127.0.0.1:{self._port}", PORT)

    def _env(self) -> dict[str, str]:
        programs = self.folder / ".venv" / "bin"
        return clean_env(
            {
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "VIRTUAL_ENV": str(programs.parent),
                "LOGNAME": "ann",  # whom the README shows
                "TERM": "xterm",
                "NO_COLOR": "1",
                "BUTTONHOOK_PORT": str(self._port),
                **PIP_ENV,
            }
        )


class Terminal:
    """A command at a terminal of its own."""

    def __init__(self, script: str, folder: Path, env: dict[str, str]) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        self._process = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=env,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._ours, self._came = ours, b""

    @property
    def shown(self) -> str:
        return ERASED.sub("", ESCAPE.sub("", self._came.decode(errors="replace")).replace("\r", ""))

    def wait_for(self, is_enough: Callable[[str], bool]) -> None:
        """Read until it has shown enough, or ended, or takes too long."""
        until = time.monotonic() + STAYING_SECONDS
        while not is_enough(self.shown) and (left := until - time.monotonic()) > 0:
            if select.select([self._ours], [], [], left)[0]:
                part = _read(self._ours)
                if not part:
                    return
                self._came += part

    def interrupt(self) -> None:
        """What Ctrl-C does: all that runs there gets the signal."""
        os.killpg(self._process.pid, signal.SIGINT)

    def wait(self) -> int:
        """Read until it ends; returns its exit code."""
        with self._process, os.fdopen(self._ours, "rb", buffering=0):
            while part := _read(self._ours):
                self._came += part
            return self._process.wait(TIMEOUT_SECONDS)

    def kill(self) -> None:
        os.killpg(self._process.pid, signal.SIGKILL)
        self.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


PIP_ENV = {
    # The packages of the README are built by the hatchling that is here. (pip reads "no build isolation: 0" so.)
    "PIP_NO_INDEX": "1",
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux tells that the other side of a terminal is closed
        return b""


def make_environment(root: Path, folder: Path) -> None:
    """A `.venv` as `make install` leaves it; what is not ours is taken from the environment of the tests."""
    home = folder / ".venv"
    python = home / "bin" / "python"
    _check([sys.executable, "-m", "venv", str(home)])
    ours = sysconfig.get_path("purelib", vars={"base": str(home), "platbase": str(home)})
    others = sysconfig.get_path("purelib")
    (Path(ours) / "others.pth").write_text(f"import site; site.addsitedir({others!r})\n", encoding="utf-8")
    plugins = sorted(str(path.parent) for path in root.glob("plugins/*/pyproject.toml"))
    _check([str(python), "-m", "pip", "install", "--no-compile", "--no-deps", str(root), *plugins])


def _check(command: list[str]) -> None:
    done = subprocess.run(command, env=clean_env(PIP_ENV), capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


@pytest.fixture
def reader(tmp_path: Path, root_dir: Path) -> Reader:
    make_environment(root_dir, tmp_path)
    return Reader(tmp_path, (root_dir / "Makefile").read_text(encoding="utf-8"))


def test_who_follows_the_readme_sees_what_it_says(reader: Reader, root_dir: Path):
    steps = list(read_steps((root_dir / "README.md").read_text(encoding="utf-8")))
    assert sum(isinstance(step, Command) for step in steps) > 10
    complaints = list(reader.follow(steps))
    assert not complaints, "\n\n".join(complaints)


def test_the_readme_is_the_packages_own(root_dir: Path):
    assert 'readme = "README.md"' in (root_dir / "pyproject.toml").read_text(encoding="utf-8")


def test_a_command_that_fails_or_shows_something_else_is_found(tmp_path: Path):
    text = (
        "```text a/b.txt\nhello\n```\n"
        "```console\n$ cat a/b.txt\nhello\n$ cat a/b.txt\nbye\n$ false\n$ false\n$ echo $?\n1\n$ make nothing\n```\n"
    )
    reader = Reader(tmp_path, "demo: install ## run the story\n")
    found = [complaint.partition("$")[0] for complaint in reader.follow(list(read_steps(text)))]
    assert [each.partition(": ")[0] for each in found] == ["line 7", "line 9", "line 13"]


def test_what_differs_from_run_to_run_is_compared_loosely():
    told = "01a2069b-0d1a-7000-9b22-d0f0427ffd73  2026-11-23 04:12:34  3.1 ms\n12:00:00.123  info  x"
    shown = "01a2069b-ffff-7000-9b22-000000000000  2027-01-01 00:00:00  12 ms\n23:59:59.000 info x\n"
    assert fit(told, shown) == {"01a2069b-0d1a-7000-9b22-d0f0427ffd73": "01a2069b-ffff-7000-9b22-000000000000"}
    assert fit("1 change", "2 changes") is None
    assert fit('{"a":1,...,"z":2}\nb', '{"a":1,"b":3,"z":2}\nb') == {}
    assert fit('{"a":1,...', '{"a":2}') is None


def test_what_goes_on_is_awaited_and_what_it_shows_can_be_typed_again(tmp_path: Path):
    text = (
        "```console stays\n$ echo at setup#kmxN1c7nKfeY2c1sKIu3vOqNM0y0gKPd; exec sleep 60\n"
        "at setup#kmxN1c7nKfeY2c1sKIu3vOqNM0y0gKPe\n```\n"
        '```console\n$ word=kmxN1c7nKfeY2c1sKIu3vOqNM0y0gKPe\n$ say() { echo "$word"; }\n$ say | tail -c 2\nd\n```\n'
        "```console stays\n$ echo one; exec sleep 60\none\n^C\n```\n"
    )
    assert list(Reader(tmp_path, "").follow(list(read_steps(text)))) == []


def test_what_goes_on_and_shows_something_else_or_ends_badly_is_found(tmp_path: Path):
    text = (
        "```console stays\n$ echo one; trap 'exit 3' INT; sleep 60 & wait\none\n```\n"
        "```console stays\n$ echo two\none\n```\n"
    )
    found = list(Reader(tmp_path, "").follow(list(read_steps(text))))
    assert [each.partition(": ")[0] for each in found] == ["line 6", "line 2"]
