"""The webhook that the page about sources sends by hand is sent, with curl and openssl, to a real daemon."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.api.served import Started
from tests.command_line import CommandLine, clean_env

PAGE = Path(__file__).resolve().parent.parent.parent / "core" / "docs" / "sources.md"


@pytest.mark.skipif(
    any(subprocess.run(["which", each], capture_output=True).returncode for each in ("curl", "openssl")),
    reason="curl and openssl are not here",
)
def test_a_webhook_sent_by_hand_is_recorded(cli: CommandLine):
    section = PAGE.read_text(encoding="utf-8").partition("## Trying it by hand")[2].partition("\n## ")[0]
    (block,) = re.findall(r"^```console\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    lines = block.splitlines()
    typed = [each[2:] for each in lines if each.startswith(("$ ", "> "))]
    shown = [each for each in lines if not each.startswith(("$ ", "> "))]
    assert typed[0].startswith("buttonhook sources add nautobot > ")
    (cli.folder / "secret").write_text(cli("sources", "add", "nautobot").stdout, encoding="utf-8")
    daemon = Started(cli.start("serve", "--port", "0"))
    script = "\n".join(typed[1:]).replace("http://127.0.0.1:8440", daemon.url)
    done = subprocess.run(
        ["bash", "-e", "-c", script], cwd=cli.folder, env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert _without_ids(done.stdout) == _without_ids("\n".join(shown)), done.stdout
    # Nobody else is to have the database when it is looked at.
    daemon.process.terminate()
    assert daemon.process.wait(30) == 0
    changes = cli("changes", "list", "--type", "nautobot_dcim.device", "--json").stdout
    assert '"nora"' in changes


def _without_ids(text: str) -> str:
    return re.sub(r'"id":\d+', '"id":N', text.strip())
