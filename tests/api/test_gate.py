"""What holds for every request: hosts, headers, methods, bodies, parameters, and errors that nobody foresaw."""

import logging

import httpx
import pytest

from buttonhook.http.application import ROUTES, make_application
from buttonhook.http.daemon import Daemon
from buttonhook.http.declaring import PUBLIC, get
from tests.api.served import Served, problem


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.1:8440", "[::1]:8440", "192.0.2.7", "LOCALHOST"])
async def test_addresses_and_our_own_names_are_served(served: Served, host: str):
    client = await served.client()
    assert (await client.get("/healthz", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", ""])
async def test_other_names_are_refused_so_that_no_name_can_be_made_to_point_here(served: Served, host: str):
    client = await served.client()
    problem(await client.get("/healthz", headers={"Host": host}), 421, "unknown-host")


@pytest.mark.parametrize("path", ["/healthz", "/api/me", "/nothing", "/static/docs.js", "/api/docs"])
async def test_every_answer_has_the_security_headers(served: Served, path: str):
    client = await served.owner()
    headers = (await client.get(path)).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")
    assert "server" not in headers


async def test_a_wrong_method_is_told_the_right_ones(served: Served):
    client = await served.owner()
    answer = await client.delete("/api/users")
    problem(answer, 405, "about:blank")
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    told = await client.options("/api/users")
    assert (told.status_code, told.headers["allow"]) == (204, "GET, HEAD, OPTIONS, POST")


async def test_the_methods_told_are_those_of_the_path_itself(served: Served):
    client = await served.client()
    assert (await client.options("/api/permissions/revoke")).headers["allow"] == "OPTIONS, POST"
    assert (await client.options("/api/permissions/x")).headers["allow"] == "DELETE, GET, HEAD, OPTIONS"
    assert (await client.options("/nothing")).status_code == 404


async def test_head_is_get_without_a_body(served: Served):
    client = await served.owner()
    whole, head = await client.get("/api/me"), await client.head("/api/me")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


@pytest.mark.parametrize(
    ("body", "status", "kind", "words"),
    [
        (b"{", 422, "invalid-document", "not JSON"),
        (b"", 422, "invalid-document", "body is missing"),
        (b'"\xff"', 422, "invalid-document", "is not UTF-8"),
        (b"[" * 100_000, 422, "invalid-document", "nested"),
        (b'{"name": "a", "name": "b"}', 422, "invalid-document", "name"),
        (b'{"name": NaN}', 422, "invalid-document", "NaN"),
        (b"[]", 422, "invalid-document", "Expected `object`"),
        (b"{}", 422, "invalid-document", "name"),
        (b'{"name": 7}', 422, "invalid-document", "name: expected `str`"),
        (b'{"name": "x", "is_owner": 1}', 422, "invalid-document", "is_owner: expected `bool`"),
        (b'{"name": "x", "password_hash": "y"}', 422, "invalid-document", "password_hash"),
        (b'{"name": "\\u0000"}', 422, "invalid-document", "U+0000"),
        (b'{"name": "x"' + b" " * 2_100_000 + b"}", 413, "about:blank", ""),
    ],
)
async def test_a_bad_body_is_refused_with_its_path(served: Served, body: bytes, status: int, kind: str, words: str):
    client = await served.owner()
    answer = await client.post("/api/users", content=body, headers={"Content-Type": "application/json"})
    assert words in problem(answer, status, kind)["detail"]
    assert [each.name for each in served.app.administration.users()] == ["ann"]


async def test_a_body_in_chunks_without_end_is_cut_off(served: Served):
    client = await served.owner()

    async def chunks():
        for _ in range(300):
            yield b"x" * 10_000

    answer = await client.post("/api/users", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
async def test_a_body_of_another_media_type_is_refused(served: Served, media_type: str):
    client = await served.owner()
    answer = await client.post("/api/users", content=b'{"name": "x"}', headers={"Content-Type": media_type})
    problem(answer, 415, "media-type")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("limits=5", "'limits' is not known. Known: cursor, fields, limit."),
        ("limit=5&limit=6", "'limit' is given more than once"),
        ("limit=0", "limit: "),
        ("limit=x", "limit: "),
        ("f.name=ann", "'f.name' is not known"),
    ],
)
async def test_parameters_that_are_not_known_or_cannot_be_are_refused(served: Served, query: str, words: str):
    client = await served.owner()
    assert words in problem(await client.get(f"/api/users?{query}"), 400, "bad-parameter")["detail"]


@pytest.mark.parametrize("cursor", ["x", "AAAA", "WzEsWzJdXQ", "\u00e9", "%00"])
async def test_what_is_no_cursor_is_refused(served: Served, cursor: str):
    client = await served.owner()
    problem(await client.get("/api/users", params={"cursor": cursor}), 400, "query-error")


async def test_a_bug_is_logged_with_the_request_and_told_without_what_is_inside(
    served: Served, caplog: pytest.LogCaptureFixture
):
    @get("/api/broken", PUBLIC)
    async def broken() -> str:
        raise RuntimeError("sesame")

    application = make_application(Daemon(served.app), routes=(*ROUTES, broken))
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=application),  # type: ignore[arg-type]
        base_url="http://localhost",
    ) as client:
        with caplog.at_level(logging.ERROR, "buttonhook.http"):
            answer = await client.get("/api/broken")
    told = problem(answer, 500, "bug")
    assert "sesame" not in answer.text
    assert told["request_id"] in caplog.text
    assert "sesame" in caplog.text
