"""The examples for running the daemon: what they name is there, and systemd takes the unit."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from buttonhook.cli.main import root
from buttonhook.settings import load_settings

EXAMPLES = Path("core/docs/examples")


@pytest.fixture
def unit(root_dir: Path) -> dict[str, str]:
    """The service section of the unit."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment]
    parser.read(root_dir / EXAMPLES / "buttonhook.service")
    return dict(parser["Service"])


def options_of(words: list[str]) -> dict[str, Any]:
    """What the options of a call of the command say, checked by the command itself."""
    name, *rest = words
    command = root.commands[name]
    return command.make_context(name, rest, resilient_parsing=False).params


def test_the_unit_calls_the_command_as_it_is_and_waits_for_the_grace(unit: dict[str, str], tmp_path: Path):
    program, *words = shlex.split(unit["ExecStart"])
    assert Path(program).name == "buttonhook"
    assert words[0] == "serve"
    options_of(words)
    settings = load_settings({}, dict(each.split("=") for each in unit["Environment"].split()), tmp_path).values
    assert int(unit["TimeoutStopSec"]) > settings.grace + 10
    assert unit["WorkingDirectory"] == f"/var/lib/{unit['StateDirectory']}", "where it may write"


def test_systemd_takes_the_unit(root_dir: Path, unit: dict[str, str], tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("optional: systemd is not here")
    text = (root_dir / EXAMPLES / "buttonhook.service").read_text()
    program = shlex.split(unit["ExecStart"])[0]
    there = tmp_path / "buttonhook.service"
    there.write_text(text.replace(program, str(Path(sys.executable).parent / "buttonhook")))
    done = subprocess.run(["systemd-analyze", "verify", str(there)], capture_output=True, text=True)
    assert [line for line in done.stderr.splitlines() if "buttonhook" in line] == []


def test_the_image_is_made_of_what_is_there_and_serves_as_the_command_is(root_dir: Path):
    lines = (root_dir / EXAMPLES / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    given = {name: rest for name, _, rest in (line.partition(" ") for line in lines) if name.isupper()}
    for path in re.findall(r"/src/(\S+)", given["RUN"]):
        assert (root_dir / path).exists(), path
    assert given["ENTRYPOINT"] == '["buttonhook"]'
    command = re.findall(r'"([^"]+)"', given["CMD"])
    assert command[0] == "serve"
    options_of(command)
    assert given["STOPSIGNAL"] == "SIGTERM"
    assert given["EXPOSE"] == str(load_settings({}, {}, root_dir / "no such folder").values.port)
    told = " ".join(line for line in lines if line.startswith("#"))
    (seconds,) = re.findall(r"--stop-timeout (\d+)", told)
    assert int(seconds) > load_settings({}, {}, root_dir / "no such folder").values.grace + 2
