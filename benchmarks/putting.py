"""Many PUTs over HTTP, each on an object of its own, by some connections: with wrk where it is, else by asyncio.

wrk is a program of its own in C and takes the least from the server's processor; the client here says so in `client`.
"""

import asyncio
import json
import shutil
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from benchmarks.measuring import quantile

SCRIPT = """
wrk.method = "PUT"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %(token)s"
local number = 0
function request()
  number = number + 1
  local pk = "%(prefix)s" .. number
  return wrk.format(nil, "%(path)s" .. pk, nil, '{"name": "' .. pk .. '"}')
end
function done(summary, latency, requests)
  local bad = summary.errors
  io.write(string.format('\\n{"puts": %%d, "seconds": %%f, "bad": %%d, "p50": %%f, "p99": %%f}\\n',
    summary.requests, summary.duration / 1e6, bad.connect + bad.read + bad.write + bad.status + bad.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
"""


class Put(Struct, frozen=True, kw_only=True):
    """What came of a run; latencies in milliseconds."""

    client: str
    puts: int
    seconds: float
    bad: int
    """Answers that were no 2xx, and connections that broke."""
    p50: float
    p99: float


class Target(Struct, frozen=True):
    """Where to put, and who does."""

    url: str
    """Of the collection, with a slash at its end."""
    token: str


def put_many(target: Target, prefix: str, connections: int, seconds: float, folder: Path, *, wrk: bool) -> Put:
    """PUT for so many seconds; `prefix` begins the pks, which no other run must have."""
    if not wrk:
        return asyncio.run(_by_asyncio(target, prefix, connections, seconds))
    where = urlsplit(target.url)
    script = folder / "put.lua"
    script.write_text(SCRIPT % {"token": target.token, "prefix": prefix, "path": where.path}, encoding="utf-8")
    words = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(script), target.url]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)  # noqa: S603 - a constant and our own paths
    if ended.returncode:
        raise SystemExit(f"wrk failed: {ended.stderr.strip() or ended.stdout.strip()}")
    return Put(client="wrk", **json.loads(ended.stdout.strip().splitlines()[-1]))


def has_wrk() -> bool:
    return shutil.which("wrk") is not None


async def _by_asyncio(target: Target, prefix: str, connections: int, seconds: float) -> Put:
    waits: list[float] = []
    bad = 0
    where = urlsplit(target.url)
    head = f"Host: {where.netloc}\r\nContent-Type: application/json\r\nAuthorization: Bearer {target.token}\r\n"
    began = time.monotonic()

    async def connect(place: int) -> None:
        nonlocal bad
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        number = 0
        while time.monotonic() - began < seconds:
            number += 1
            pk = f"{prefix}{place}-{number}"
            body = f'{{"name": "{pk}"}}'
            sent = time.monotonic()
            writer.write(f"PUT {where.path}{pk} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            length = answer.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            waits.append(time.monotonic() - sent)
            bad += answer[9:10] != b"2"
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*map(connect, range(connections)))
    return Put(
        client="asyncio",
        puts=len(waits),
        seconds=time.monotonic() - began,
        bad=bad,
        p50=quantile(waits, 0.5) * 1000,
        p99=quantile(waits, 0.99) * 1000,
    )
