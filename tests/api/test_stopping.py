"""A stop under load: jobs that run and wait, feeds that are read and not read, requests that were sent by half."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.feeding import following
from tests.api.served import Started
from tests.command_line import CommandLine

PLUGIN = """
import asyncio
from pathlib import Path

from buttonhook import JobHookReceiver, hookimpl, register_jobs


class Slow(JobHookReceiver):
    class Meta:
        object_types = ["lab.slow"]

    async def receive_job_hook(self, change, action, changed_object):
        Path("begun", str(change.object_pk)).touch()
        await asyncio.sleep(600)


@hookimpl
def buttonhook_object_types():
    return ["lab.slow"]


register_jobs(Slow)
"""
LAB = {
    "BUTTONHOOK_ALLOWED_PLUGINS": "none",
    "BUTTONHOOK_PLUGINS_DIR": "plugins",
    "BUTTONHOOK_USER": "ann",
    "BUTTONHOOK_MAX_RUNNING": "20",
}
RUNNING, IN_ALL = 20, 60


@pytest.fixture
def grace() -> float:
    return 1.0


@pytest.fixture
def loaded(cli: CommandLine, daemon: Callable[..., Started], grace: float) -> Started:
    """A daemon in which 20 runs have begun and 40 wait."""
    for name in ("plugins", "begun"):
        (cli.folder / name).mkdir()
    (cli.folder / "plugins" / "lab.py").write_text(PLUGIN)
    lines = "".join(f'{{"object_type": "lab.slow", "pk": "{n}", "data": {{}}}}\n' for n in range(IN_ALL))
    assert cli("jobs", "enable", "Slow", env=LAB).returncode == 0
    assert cli("objects", "import", "-", "--no-wait", env=LAB, stdin=lines).returncode == 0
    started = daemon("--grace", f"{grace:g}", env=LAB)
    until = time.monotonic() + 20
    while begun(cli.folder) < RUNNING:
        assert time.monotonic() < until
        time.sleep(0.01)
    return started


def begun(folder: Path) -> int:
    return len(list((folder / "begun").iterdir()))


def client_of(folder: Path) -> httpx.AsyncClient:
    told = json.loads((folder / "buttonhook.db.instance").read_text())
    headers = {"Authorization": f"Bearer {told['token']}"}
    return httpx.AsyncClient(base_url=told["url"], headers=headers, trust_env=False, timeout=30)


@asynccontextmanager
async def half_sent(client: httpx.AsyncClient) -> AsyncIterator[list[socket.socket]]:
    """A head without its end, a body without its end, a feed that nobody reads."""
    where = client.base_url.host, client.base_url.port
    bearer = f"Host: {where[0]}\r\nAuthorization: {client.headers['authorization']}\r\n"
    headers = "Content-Type: application/json\r\nContent-Length: 1000\r\n"
    texts = (
        "GET /api/me HTTP/1.1\r\nHost: ",
        f'PUT /api/objects/lab.slow/late HTTP/1.1\r\n{bearer}{headers}\r\n{{"a":',
        f"GET /api/object-changes/feed?after=0 HTTP/1.1\r\n{bearer}\r\n",
        "",
    )
    with_all = [socket.create_connection(where) for _ in texts]
    try:
        for each, text in zip(with_all, texts, strict=True):
            each.sendall(text.encode())
        yield with_all
    finally:
        for each in with_all:
            each.close()


async def ended(process: Any) -> int:
    return await asyncio.to_thread(process.wait, 20)


async def test_a_stop_under_load_is_in_time_begins_nothing_and_tells_everybody(
    cli: CommandLine, loaded: Started, grace: float
):
    before = begun(cli.folder)
    async with client_of(cli.folder) as client, AsyncExitStack() as stack:
        feeds = [await stack.enter_async_context(following(client, "/api/object-changes/feed")) for _ in range(30)]
        results = (await client.get("/api/job-results?status=started&limit=1")).json()["items"]
        run = f"/api/job-results/{results[0]['id']}"
        feeds.append(await stack.enter_async_context(following(client, f"{run}/logs/feed")))
        waiting = asyncio.create_task(client.get(f"{run}/wait?seconds=60"))
        await stack.enter_async_context(half_sent(client))
        began = time.monotonic()
        loaded.process.send_signal(signal.SIGTERM)
        for feed in feeds:
            last = (await feed.rest())[-1]
            assert (last.kind, last.data["reason"]) == ("end", "stopping")
        assert (await waiting).json()["status"] == "started"
        assert await ended(loaded.process) == 0
        assert time.monotonic() - began < grace + 2
    assert begun(cli.folder) == before, "nothing was begun any more"
    found = cli("results", "list", "--all", "--json", env=LAB).json()
    assert len(found) == IN_ALL
    assert {(each["status"], each["crashes"], each["failures"]) for each in found} == {("pending", 0, 0)}
    assert cli("objects", "get", "lab.slow", "late", env=LAB).returncode == 1
    assert cli("check", env=LAB).returncode == 0


@pytest.mark.parametrize("grace", [60.0])
async def test_a_second_signal_under_load_ends_it_at_once(cli: CommandLine, loaded: Started):
    async with (
        client_of(cli.folder) as client,
        half_sent(client),
        following(client, "/api/object-changes/feed") as feed,
    ):
        loaded.process.send_signal(signal.SIGTERM)
        assert (await feed.rest())[-1].data["reason"] == "stopping"
        began = time.monotonic()
        loaded.process.send_signal(signal.SIGTERM)
        assert await ended(loaded.process) == 0
        assert time.monotonic() - began < 2
    found = cli("results", "list", "--all", "--json", env=LAB).json()
    assert {(each["status"], each["crashes"], each["failures"]) for each in found} == {("pending", 0, 0)}


async def test_not_ready_is_told_while_it_stops(cli: CommandLine, loaded: Started):
    """Who has a connection is told; new ones are not taken."""
    async with client_of(cli.folder) as client, following(client, "/api/object-changes/feed") as feed:
        where = client.base_url.host, client.base_url.port
        reader, writer = await asyncio.open_connection(*where)
        writer.write(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n")  # its end comes when it stops
        await writer.drain()
        loaded.process.send_signal(signal.SIGTERM)
        await feed.rest()
        writer.write(b"\r\n")
        try:
            answer = await reader.read(4096)
        except ConnectionResetError:  # closed before it had read the end
            answer = b""
        assert not answer or b" 503 " in answer.splitlines()[0], answer
        writer.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(where, timeout=1).close()
        assert await ended(loaded.process) == 0
    assert not (cli.folder / "buttonhook.db.instance").exists()
