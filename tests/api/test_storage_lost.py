"""A disk that cannot flush ends the daemon: what is stored cannot be known before the file is read anew."""

import subprocess
import sys
from pathlib import Path

from tests.command_line import clean_env

PROGRAM = """
import asyncio, httpx, sqlite3, sys
from buttonhook.cli.context import Cli
from buttonhook.cli.main import run_command
from buttonhook.stores.sqlite import store

class Failing(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC

real = store.SqliteStore._run_all

async def run_all(self, statements):
    if any("never" in str(values) for _, values in statements):
        raise Failing("disk I/O error")
    return await real(self, statements)

store.SqliteStore._run_all = run_all

from buttonhook.http import serving
begin = serving.Serving.wait

async def wait(self, signalled):
    async with httpx.AsyncClient(base_url=self.url, trust_env=False) as client:
        client.headers["Authorization"] = f"Bearer {self.daemon.own_token}"
        await client.post("/api/groups", json={"name": "never"})
    await begin(self, signalled)

serving.Serving.wait = wait
sys.exit(run_command(["serve", "--port", "0"]))
"""


def test_a_failed_flush_is_told_and_ends_the_process(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=clean_env(), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1, done
    assert "could not be flushed to disk" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "buttonhook.db.instance").exists()
