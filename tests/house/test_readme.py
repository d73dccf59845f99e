"""The README, followed from its first line to its last: its files are written, its commands are run.

What the blocks of the README mean here:

- ```` ```toml acme-names/pyproject.toml ```` (any language, then a path): the file to write, relative to the folder
  where the reader works.
- ```` ```console ````: lines that begin with `$ ` are commands, the lines below each are what it shows on a terminal
  `WIDTH` columns wide, compared but for ids, times and how long things took. A command ends with 0, unless
  the next one is `echo $?`.
- `$ make TARGET` is not run: the target must be in the Makefile.

Every other block has a language of its own and is looked at by `test_docs_code`.

The commands find what the reader has by then: a `.venv` with Buttonhook in it, installed by pip, and activated.
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import sysconfig
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

from tests.command_line import clean_env

WIDTH = 100
TIMEOUT_SECONDS = 120
BLOCK = re.compile(r"^```(\S*)[ \t]*(.*?)\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
ERASED = re.compile(r"^.*(━|-:--:--|Running jobs).*\n\n?", re.MULTILINE)
"""Progress, which is gone from a terminal when the command ends."""
ESCAPE = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07]*\x07|[@-_])")

# What differs from run to run, and what it is compared as.
LOOSE = (
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "ID"),
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


def read_steps(text: str) -> Iterator[FileBlock | Command]:
    """The files and commands of a text, in order."""
    for found in BLOCK.finditer(text):
        language, title, body = found.groups()
        if language == "console":
            yield from read_commands(body, text.count("\n", 0, found.start(3)) + 1)
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


def make_targets(makefile: str) -> set[str]:
    """The targets that `make help` lists."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


class Reader:
    """Somebody who follows the README: a folder, an activated `.venv` in it, a terminal."""

    def __init__(self, folder: Path, makefile: str) -> None:
        self.folder = folder
        self.targets = make_targets(makefile)
        self._last_code = 0

    def follow(self, steps: list[FileBlock | Command]) -> Iterator[str]:
        """Take the steps in order; yields a complaint for each command that does not do what it says."""
        for place, step in enumerate(steps):
            if isinstance(step, FileBlock):
                self._write(step)
            elif step.words.startswith("make "):
                target = step.words.split()[1]
                if target not in self.targets:
                    yield f"line {step.line}: the Makefile has no target {target!r}"
            else:
                following = steps[place + 1] if place + 1 < len(steps) else None
                may_fail = isinstance(following, Command) and following.words == "echo $?"
                yield from self._type(step, may_fail)

    def _write(self, block: FileBlock) -> None:
        path = self.folder / block.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")

    def _type(self, command: Command, may_fail: bool) -> Iterator[str]:
        code, shown = self.run(command.words)
        if code and not may_fail:
            yield f"line {command.line}: $ {command.words}\nended with {code}:\n{shown}"
        elif loosely(shown) != loosely(command.shown):
            yield f"line {command.line}: $ {command.words}\nshows\n{shown}\nand the README says\n{command.shown}\n"

    def run(self, words: str) -> tuple[int, str]:
        """Type one command at a terminal; returns its exit code and what it showed, both streams."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, WIDTH, 0, 0))
        script = f"(exit {self._last_code}); {words}"
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=self.folder, env=self._env(), stdin=theirs, stdout=theirs, stderr=theirs
        )
        os.close(theirs)
        shown = b""
        with process, os.fdopen(ours, "rb", buffering=0) as terminal:
            while part := _read(terminal.fileno()):
                shown += part
            self._last_code = process.wait(TIMEOUT_SECONDS)
        return self._last_code, ERASED.sub("", ESCAPE.sub("", shown.decode()).replace("\r", ""))

    def _env(self) -> dict[str, str]:
        programs = self.folder / ".venv" / "bin"
        return clean_env(
            {
                "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
                "VIRTUAL_ENV": str(programs.parent),
                "LOGNAME": "ann",  # whom the README shows
                "TERM": "xterm",
                "NO_COLOR": "1",
                **PIP_ENV,
            }
        )


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


def test_ids_times_and_durations_are_compared_loosely():
    first = "01a2069b-0d1a-7000-9b22-d0f0427ffd73  2026-11-23 04:12:34  3.1 ms\n12:00:00.123  info  x"
    second = "01a2069b-ffff-7000-9b22-000000000000  2027-01-01 00:00:00  12 ms\n23:59:59.000 info x\n"
    assert loosely(first) == loosely(second)
    assert loosely("1 change") != loosely("2 changes")
