"""The installed `buttonhook` command, run by tests in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NOT_PASSED_ON = ("BUTTONHOOK_", "PYTHON", "COLUMNS", "FORCE_COLOR")


@dataclass(frozen=True)
class CommandResult:
    """How one command ended."""

    args: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    def json(self) -> Any:
        """Return the standard output read as one JSON value."""
        try:
            return json.loads(self.stdout)
        except ValueError as exc:
            raise AssertionError(f"The output is not JSON ({exc}).\n{self}") from exc

    def json_lines(self) -> list[Any]:
        """Return the standard output read as one JSON value a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    def __str__(self) -> str:
        return (
            f"$ buttonhook {' '.join(self.args)}\nexit code {self.returncode}\n"
            f"--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"
        )


@dataclass
class CommandLine:
    """Runs the console script beside this interpreter; `folder` is its working directory."""

    folder: Path
    _started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def script(self) -> Path:
        # Not resolved: the interpreter of a .venv is a link to one outside of it.
        script = Path(sys.executable).parent / "buttonhook"
        if not script.exists():
            pytest.fail("The buttonhook command is not installed. Run 'make install'.")
        return script

    def __call__(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout_seconds: float = 60,
        cwd: Path | None = None,
    ) -> CommandResult:
        """Run the command to its end; `env` is added to a clean environment."""
        words = tuple(map(str, args))
        try:
            done = subprocess.run(
                [str(self.script), *words],
                input=stdin,
                capture_output=True,
                text=True,
                encoding="utf-8",
                env=clean_env(env),
                cwd=cwd or self.folder,
                timeout=timeout_seconds,
            )
        except subprocess.TimeoutExpired as exc:
            pytest.fail(f"{exc}\n--- stdout\n{exc.stdout!r}\n--- stderr\n{exc.stderr!r}")
        return CommandResult(words, done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *args: str | Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> subprocess.Popen[str]:
        """Start the command with pipes for all three streams; what still runs is killed after the test."""
        process = subprocess.Popen(
            [str(self.script), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            env=clean_env(env),
            cwd=cwd or self.folder,
        )
        self._started.append(process)
        return process

    def close(self) -> None:
        for process in self._started:
            process.kill()
            with process:  # closes the pipes, then waits
                pass
        self._started.clear()


def clean_env(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's environment without what would steer the command, plus `env`."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(NOT_PASSED_ON)}
    return kept | dict(env or {})
