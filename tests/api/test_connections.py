"""Connections that send too much, too little or nonsense are cut off; others do not notice."""

import asyncio
from typing import Any, cast
from urllib.parse import urlsplit

import pytest

from buttonhook.http import connections, gate
from tests.api.served import Served
from tests.scenarios.story import until


async def opened(served: Served) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(served.url)
    return await asyncio.open_connection(parts.hostname, parts.port)


async def answer_to(served: Served, *pieces: bytes) -> bytes:
    """All that comes back until the daemon closes the connection."""
    reader, writer = await opened(served)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(10):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_head_without_end_is_refused(served: Served):
    many = b"".join(b"x-%d: %s\r\n" % (number, b"y" * 900) for number in range(100))
    assert b" 431 " in await answer_to(served, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n", many)
    one = await answer_to(served, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ", b"y" * 200_000)
    assert b" 200 " not in one


@pytest.mark.parametrize("piece", [b"", b"GET /healthz HT", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"])
async def test_a_head_that_does_not_come_is_not_waited_for(
    served: Served, piece: bytes, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.1)
    assert await answer_to(served, piece) == b""


async def test_a_body_that_does_not_come_is_not_waited_for(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gate, "BODY_SECONDS", 0.1)
    head = b"POST /api/login HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n"
    answer = await answer_to(served, head + b"connection: close\r\n\r\n{")
    assert b" 408 " in answer
    assert b"urn:buttonhook:problem:slow-body" in answer


@pytest.mark.parametrize(
    ("path", "media_type"), [("/api/users", b"application/json"), ("/api/imports", b"application/x-ndjson")]
)
async def test_who_hangs_up_in_the_middle_of_a_body_is_no_bug(
    served: Served, path: str, media_type: bytes, caplog: pytest.LogCaptureFixture
):
    _, writer = await opened(served)
    daemon = served.daemon
    head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {daemon.own_token}\r\n".encode()
    writer.write(head + b"content-type: " + media_type + b"\r\ncontent-length: 99\r\n\r\n{")
    await writer.drain()
    writer.close()
    posts = 'buttonhook_http_requests_total{method="POST",'
    await until(lambda: posts in daemon.metrics.text().decode())
    assert posts + 'status="400"} 1.0' in daemon.metrics.text().decode()
    assert [record.message for record in caplog.records if "failed" in record.message] == []


async def test_nonsense_is_refused_and_the_next_one_is_served(served: Served):
    assert b" 400 " in await answer_to(served, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")
    client = await served.client()
    assert (await client.get("/healthz")).status_code == 200


async def test_a_kept_connection_serves_request_after_request(served: Served, monkeypatch: pytest.MonkeyPatch):
    reader, writer = await opened(served)
    request = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    for _ in range(3):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 200 " in head
        await reader.readexactly(len(b'{"status":"ok"}'))
    writer.close()


async def test_a_connection_goes_on_after_head(served: Served):
    head = b"HEAD /healthz HTTP/1.1\r\nhost: localhost\r\n"
    answers = await answer_to(served, head + b"\r\n", head + b"connection: close\r\n\r\n")
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert answers.endswith(b"\r\n\r\n")


class Recording:
    """A transport that keeps what is written (what `Joining` needs of one)."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.is_closed = False

    def write(self, piece: bytes) -> None:
        assert not self.is_closed
        self.pieces.append(piece)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_extra_info(self, name: str) -> Any:
        return None

    def get_write_buffer_size(self) -> int:
        return 0


async def test_head_and_body_leave_in_one_piece_and_a_head_alone_does_not_wait_for_long():
    inner = Recording()
    joining = connections.Joining(cast(asyncio.Transport, inner), asyncio.get_running_loop())
    joining.write(b"head")
    joining.write(b"body")
    assert inner.pieces == [b"headbody"]
    joining.write(b"alone")
    assert inner.pieces == [b"headbody"]
    await asyncio.sleep(0)
    assert inner.pieces == [b"headbody", b"alone"]
    joining.write(b"last")
    joining.close()
    assert inner.pieces == [b"headbody", b"alone", b"last"]


async def test_nothing_is_written_to_who_hung_up_between_head_and_body():
    inner = Recording()
    joining = connections.Joining(cast(asyncio.Transport, inner), asyncio.get_running_loop())
    joining.write(b"head")
    inner.close()
    await asyncio.sleep(0)
    assert inner.pieces == []
