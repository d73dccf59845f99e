"""Many feeds, and some that nobody reads: memory and latency stay within bounds, and what writes does not wait."""

import asyncio
import gc
import resource
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from buttonhook.http import feeds
from tests.api.feeding import following
from tests.api.served import Served, served_app
from tests.scenarios.story import until

IDLE = 1000
DEAF = 50
USERS = 6
FEED = "/api/object-changes/feed"
SLACK_SECONDS = 0.5
"""What a shared machine may add to a latency."""


def memory_bytes() -> int:
    """What this process has in memory now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


@pytest.fixture
def many_files() -> None:
    """Both ends of each connection are this process's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * (IDLE + DEAF):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * (IDLE + DEAF), hard), hard))


async def tokens(served: Served) -> list[str]:
    people = served.app.administration
    names = [f"user{number}" for number in range(USERS)]
    for name in names:
        await people.add_user(name)
    await people.grant(["jobs.view_objectchange", "dcim.view_location", "dcim.view_manufacturer"], users=names)
    return [(await people.add_token(name))[1] for name in names]


async def connect(served: Served, path: str, token: str) -> socket.socket:
    """A feed that was opened, with next to no code around it; its head is not read."""
    parts = urlsplit(served.url)
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, (parts.hostname, parts.port))
    head = f"GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n"
    await loop.sock_sendall(client, head.encode())
    return client


@asynccontextmanager
async def opened(served: Served, path: str, tokens: list[str], count: int) -> AsyncIterator[list[socket.socket]]:
    before = served.daemon.feeds.count
    clients = [await connect(served, path, tokens[number % len(tokens)]) for number in range(count)]
    try:
        await until(lambda: served.daemon.feeds.count == before + count)
        yield clients
    finally:
        for client in clients:
            client.close()


async def seconds_to_write(served: Served, name: str, count: int) -> list[float]:
    """How long each of some saves took, one after the other, each of 10 kB."""
    taken = []
    for number in range(count):
        began = time.perf_counter()
        await served.app.objects("dcim.location").create(name=f"{name} {number}", description="x" * 10_000)
        taken.append(time.perf_counter() - began)
    return taken


def middle(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


@pytest.mark.usefixtures("many_files")
async def test_a_thousand_idle_feeds_and_fifty_that_nobody_reads_cost_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(feeds, "STALLED_SECONDS", 3.0)
    async with served_app(tmp_path) as served:
        all_tokens = await tokens(served)
        client = await served.owner()
        alone = await seconds_to_write(served, "alone", 50)
        empty = memory_bytes()
        async with opened(served, f"{FEED}?object_type=dcim.manufacturer", all_tokens, IDLE) as idle:
            each = (memory_bytes() - empty) / IDLE
            assert each < 60_000, f"{each:,.0f} bytes for both ends of each idle feed"
            async with opened(served, f"{FEED}?after=0", all_tokens, DEAF):
                async with following(client, FEED) as feed:
                    before = memory_bytes()
                    beside = await seconds_to_write(served, "beside", 300)
                    told = [(await feed.next()).data["object_repr"] for _ in range(300)]
                    grown = memory_bytes() - before
                assert told == [f"beside {number}" for number in range(300)]
                assert grown < DEAF * 1_000_000, f"{grown:,} bytes more for {DEAF} feeds that nobody reads"
                assert middle(beside) < 5 * middle(alone) + 0.02
                assert max(beside) < 10 * max(alone) + SLACK_SECONDS
                await until(lambda: served.daemon.feeds.count == IDLE)  # the deaf ones are cut off
            async with following(client, FEED, object_type="dcim.manufacturer") as feed:
                await served.app.objects("dcim.manufacturer").create(name="for all")
                await feed.next()
            loop = asyncio.get_running_loop()
            async with asyncio.timeout(20):
                for each_client in idle:
                    read = b""
                    while b"for all" not in read:
                        read += await loop.sock_recv(each_client, 4096)
        await until(lambda: served.daemon.feeds.count == 0)
