"""A request that comes again with its idempotency key gets the first answer, and nothing is written twice."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from buttonhook.ids import now
from buttonhook.records import ChangeQuery
from buttonhook.stores.base import RECEIPT_SECONDS
from tests.api.served import OWNER, Served, Started, problem
from tests.command_line import CommandLine

DEVICES = "/api/objects/dcim.device"
KEY = {"Idempotency-Key": "order 66"}


async def changes(served: Served) -> list[tuple[str, str]]:
    found = await served.app.changes(ChangeQuery(object_type="dcim.device", ascending=True))
    return [(each.action.value, each.object_repr) for each in found]


async def test_every_kind_of_write_is_answered_again_as_the_first_time(served: Served):
    ann = await served.owner()
    steps: list[tuple[str, str, Any, dict[str, str]]] = [
        ("POST", DEVICES, {"name": "a"}, {}),
        ("PUT", f"{DEVICES}/r1", {"name": "b"}, {"If-None-Match": "*"}),
        ("PATCH", f"{DEVICES}/r1", {"serial": "x"}, {"If-Match": "*"}),
        ("PATCH", f"{DEVICES}/r1", {"serial": "x"}, {}),
        ("DELETE", f"{DEVICES}/r1", None, {}),
    ]
    firsts = []
    for n, (method, path, body, headers) in enumerate(steps):
        firsts.append(await ann.request(method, path, json=body, headers={**headers, "Idempotency-Key": f"k{n}"}))
        assert firsts[-1].is_success, firsts[-1].text
        assert "idempotency-replayed" not in firsts[-1].headers
    before = await changes(served)
    assert len(before) == 4
    for n, (method, path, body, headers) in enumerate(steps):
        again = await ann.request(method, path, json=body, headers={**headers, "Idempotency-Key": f"k{n}"})
        assert (again.status_code, again.content) == (firsts[n].status_code, firsts[n].content)
        assert again.headers["idempotency-replayed"] == "true"
        for name in ("etag", "location"):
            assert again.headers.get(name) == firsts[n].headers.get(name)
    assert await changes(served) == before


async def test_a_key_is_for_one_request_of_one_user(served: Served):
    ann, bob = await served.owner(), await served.user("bob", "dcim.*")
    first = await ann.post(DEVICES, json={"name": "a"}, headers=KEY)
    for answer in (
        await ann.post(DEVICES, json={"name": "b"}, headers=KEY),
        await ann.put(f"{DEVICES}/r1", json={"name": "a"}, headers=KEY),
        await ann.post(f"{DEVICES}?", content=b'{"name":  "a"}', headers={**KEY, "Content-Type": "application/json"}),
    ):
        problem(answer, 422, "idempotency-key-reused")
    theirs = await bob.post(DEVICES, json={"name": "c"}, headers=KEY)
    assert theirs.status_code == 201
    assert theirs.json()["object"]["pk"] != first.json()["object"]["pk"]
    for key in ("", "x" * 256, "caf\u00e9".encode()):
        refused = await ann.post(DEVICES, json={"name": "d"}, headers={"Idempotency-Key": key})
        problem(refused, 400, "bad-idempotency-key")


async def test_a_refused_request_keeps_nothing_and_may_be_sent_again(served: Served):
    ann = await served.owner()
    await ann.put(f"{DEVICES}/r1", json={"name": "a"})
    problem(await ann.post(DEVICES, json={"name": "a"}, headers=KEY), 409, "unique-violation")
    await ann.patch(f"{DEVICES}/r1", json={"name": "other"})
    assert (await ann.post(DEVICES, json={"name": "a"}, headers=KEY)).status_code == 201


async def test_the_same_request_at_once_is_carried_out_once(served: Served):
    ann = await served.owner()
    answers = await asyncio.gather(*(ann.post(DEVICES, json={"name": "a"}, headers=KEY) for _ in range(12)))
    assert {each.status_code for each in answers} == {201}
    assert len({each.content for each in answers}) == 1
    assert await changes(served) == [("create", "a")]


async def test_an_answer_is_forgotten_after_a_day(served: Served, monkeypatch: pytest.MonkeyPatch):
    ann = await served.owner()
    first = await ann.patch(f"{DEVICES}/r1", json={}, headers=KEY)
    assert first.status_code == 404
    await ann.put(f"{DEVICES}/r1", json={"name": "a"}, headers=KEY)
    monkeypatch.setattr("buttonhook.recorder.batch.now", lambda: now() + (RECEIPT_SECONDS + 60) * 1_000_000)
    monkeypatch.setattr("buttonhook.http.idempotency.now", lambda: now() + (RECEIPT_SECONDS + 60) * 1_000_000)
    again = await ann.put(f"{DEVICES}/r1", json={"name": "b"}, headers=KEY)
    assert (again.status_code, "idempotency-replayed" in again.headers) == (200, False)
    await ann.put(f"{DEVICES}/r2", json={"name": "c"}, headers={"Idempotency-Key": "other"})
    kept = await served.app.reader.find_receipt(OWNER, KEY["Idempotency-Key"])
    assert kept is not None
    assert kept.recorded_at > now()


def test_a_key_is_known_after_the_daemon_was_killed(cli: CommandLine, daemon: Callable[..., Started]):
    started = daemon("--grace", "1")
    body = {"code": started.set_up_code(), "name": "ann", "password": "correct horse battery"}
    cookie = httpx.post(f"{started.url}/api/setup", json=body, trust_env=False)
    assert cookie.is_success, cookie.text
    with httpx.Client(base_url=started.url, cookies=cookie.cookies, trust_env=False) as client:
        client.headers["X-CSRF-Token"] = client.get("/api/me").json()["csrf_token"]
        made = client.post("/api/tokens", json={"user": "ann", "description": "curl"})
        token = {"Authorization": f"Bearer {made.json()['token']}", **KEY}
        first = httpx.post(f"{started.url}{DEVICES}", json={"name": "a"}, headers=token, trust_env=False)
    assert first.status_code == 201, first.text
    started.process.kill()
    started.process.wait(20)
    anew = daemon("--grace", "1")
    again = httpx.post(f"{anew.url}{DEVICES}", json={"name": "a"}, headers=token, trust_env=False)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["idempotency-replayed"] == "true"
    anew.process.terminate()
    assert anew.process.wait(20) == 0
