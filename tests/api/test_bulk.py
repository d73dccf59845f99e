"""Many writes in one request: all of them or none, each fault with its line."""

import gzip
import json
from typing import Any

import httpx
import pytest

from buttonhook.http.api import bulk
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from tests.api.served import Served, problem

ALL = "/api/objects"
DEVICES = "/api/objects/dcim.device"
NDJSON = {"Content-Type": "application/x-ndjson"}


async def send(client: httpx.AsyncClient, path: str, *lines: Any, **headers: str) -> httpx.Response:
    body = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    return await client.post(path, content=body.encode(), headers={**NDJSON, **headers})


async def changes(served: Served) -> list[str]:
    found = await served.app.changes(ChangeQuery(limit=1000, ascending=True))
    return [f"{each.action} {each.object_pk}" for each in found if each.object_type.startswith("dcim.")]


def line(pk: str | None, op: str = "put", object_type: str = "dcim.device", **given: Any) -> dict[str, Any]:
    told = {"op": op, "object_type": object_type, **given}
    return told if pk is None else {**told, "pk": pk}


async def test_lines_of_any_type_are_one_transaction(served: Served):
    ann = await served.owner()
    answer = await send(
        ann,
        ALL,
        line("r1", data={"name": "r1", "location": "ams"}),
        line("ams", object_type="dcim.location", data={"name": "AMS01"}),
        "",
        line("r2", "create", data={"name": "r2"}),
        line("r2", "patch", data={"serial": "x", "extra": 1}, unset=["status"]),
        line(None, "create", data={"name": "r3"}),
        line("r4", data={"name": "r4"}),
        line("r4", "delete"),
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert [(each["line"], each["action"]) for each in told["lines"]] == [
        (1, "create"),
        (2, "create"),
        (4, "create"),
        (5, "create"),
        (6, "create"),
        (7, "delete"),
        (8, "delete"),
    ]
    assert told["changes"] == 6  # of r4 two: it came and went
    assert told["lines"][-1]["version"] is None
    assert told["lines"][2]["change"] == told["lines"][3]["change"]
    document = (await ann.get(f"{DEVICES}/r2")).json()["document"]
    assert document == {"name": "r2", "serial": "x", "extra": 1}
    made = told["lines"][4]["pk"]
    assert (await ann.get(f"{DEVICES}/{made}")).json()["object_repr"] == "r3"
    found = await served.app.changes(ChangeQuery(request_id=answer.headers["x-request-id"]))
    assert len(found) == 6


async def test_what_was_exported_can_be_sent_as_it_is(served: Served):
    ann = await served.owner()
    lines = [{"object_type": "dcim.device", "pk": f"r{n}", "data": {"name": f"r{n}"}} for n in range(3)]
    assert (await send(ann, ALL, *lines)).json()["changes"] == 3
    again = (await send(ann, DEVICES, *lines)).json()
    assert ([each["action"] for each in again["lines"]], again["changes"]) == (["unchanged"] * 3, 0)


async def test_one_line_that_cannot_be_leaves_nothing_of_the_others(served: Served):
    ann = await served.owner()
    await send(ann, DEVICES, line("r1", data={"name": "a"}))
    good = line("r2", data={"name": "b"})
    told = [
        (409, "unique-violation", 2, line("r3", data={"name": "a"})),
        (409, "unique-violation", 2, line("r3", data={"name": "b"})),
        (409, "object-exists", 2, line("r1", "create", data={"name": "c"})),
        (409, "stale-object", 2, line("r1", "patch", data={"serial": "c"}, version=999)),
        (409, "broken-reference", 2, line("r1", "patch", data={"location": "nowhere"})),
        (404, "object-not-found", 2, line("none", "delete")),
        (422, "invalid-document", 2, line("r1", "patch", data={"serial": 7})),
    ]
    for status, kind, number, bad in told:
        found = problem(await send(ann, DEVICES, good, bad), status, kind)
        assert found["detail"].startswith(f"Line {number}: "), found
        assert [each["path"] for each in found["errors"]] == [str(number)]
    assert await changes(served) == ["create r1"]


async def test_all_lines_that_cannot_be_read_are_told_at_once(served: Served):
    ann = await served.owner()
    answer = await send(
        ann,
        ALL,
        line("r1", data={"name": "a"}),
        "{",
        '{"pk": "a", "pk": "b"}',
        line("r1", "fly", data={}),
        line("r2", data={"name": 7}),
        line("e\u0301", data={"name": "c"}),
        line("r3", data={"name": "c"}, updated_by="eve"),
        line("r4", object_type="dcim.nothing", data={}),
        line("r4", object_type="jobs.job", data={}),
        line(None, "delete"),
        line("r5", "delete", data={}),
        line("r6", "create", data={}, version=3),
        line("r7", unset=["a"]),
        line("r8", "patch", data={"name": "none such"}),
        "[]",
    )
    found = problem(answer, 422, "invalid-lines")
    paths = [each["path"] for each in found["errors"]]
    assert paths == [
        "2", "3.pk", "4.op", "5.data.name", "6.pk", "7", "8.object_type", "9.object_type", "10.pk", "11.data",
        "12.version", "12.data", "13.data", "13.unset", "15",
    ]  # fmt: skip
    assert "14 more faults" in found["detail"]
    missing = problem(await send(ann, DEVICES, line("r8", "patch", data={}), line("r9", "patch")), 422, "invalid-lines")
    assert [each["message"] for each in missing["errors"]] == [
        "no dcim.device 'r8' exists",
        "no dcim.device 'r9' exists",
    ]
    other = line("x", object_type="dcim.location", data={"name": "x"})
    assert problem(await send(ann, DEVICES, other), 422, "invalid-lines")["errors"][0]["path"] == "1.object_type"
    assert await changes(served) == []


async def test_bodies_that_are_no_lines_are_refused(served: Served, monkeypatch: pytest.MonkeyPatch):
    ann = await served.owner()
    problem(await send(ann, ALL, ""), 422, "invalid-lines")
    problem(await ann.post(ALL, content=b'{"pk": "\xff"}', headers=NDJSON), 422, "invalid-lines")
    problem(await ann.post(ALL, json={}), 415, "media-type")
    problem(await ann.post(ALL, content=gzip.compress(b"{}"), headers=NDJSON), 422, "invalid-lines")
    deep = b'{"pk": "a", "data": ' + b'{"a": ' * 70 + b"1" + b"}" * 71
    problem(await ann.post(DEVICES, content=deep, headers=NDJSON), 422, "invalid-lines")
    too_long = {"name": "a", "text": "x" * 1_000_000}
    assert (await send(ann, DEVICES, line("r1", data=too_long))).status_code == 422
    problem(await send(ann, DEVICES, *["{}"] * (bulk.MAX_LINES + 1)), 413, "too-many-lines")
    assert (await ann.post(ALL, content=b" " * (bulk.MAX_BYTES + 1), headers=NDJSON)).status_code == 413
    monkeypatch.setattr(bulk, "MAX_FAULTS", 5)
    assert len((await send(ann, DEVICES, *["{"] * 20)).json()["errors"]) == 5
    assert await changes(served) == []


async def test_every_line_is_asked_for_and_what_is_hidden_stays_so(served: Served):
    ann = await served.owner()
    await send(ann, DEVICES, line("open", data={"name": "open"}), line("shut", data={"name": "sesame", "status": "x"}))
    bob = await served.user("bob", "dcim.view_device", "dcim.change_device", constraints=[
        Constraint("status", "=", "active")
    ])  # fmt: skip
    mine = line("open", "patch", data={"serial": "1"})
    hidden = await send(bob, DEVICES, mine, line("shut", "patch", data={"serial": "1"}))
    absent = await send(bob, DEVICES, mine, line("none", "patch", data={"serial": "1"}))
    assert problem(hidden, 422, "invalid-lines")["errors"] == [{"path": "2", "message": "no dcim.device 'shut' exists"}]
    assert absent.json()["detail"] == hidden.json()["detail"].replace("shut", "none")
    for bad in (
        line("open", "delete"),
        line("new", data={"name": "new"}),
        line("x", object_type="dcim.location", data={"name": "x"}),
    ):
        refused = problem(await send(bob, ALL, mine, bad), 403, "permission-denied")
        assert [each["path"] for each in refused["errors"]] == ["2"]
        assert "sesame" not in str(refused)
    out = problem(await send(bob, DEVICES, line("open", "patch", data={"status": "x"})), 403, "permission-denied")
    assert out["errors"][0]["path"] == "1"
    assert (await send(bob, DEVICES, mine)).json()["changes"] == 1
    stranger = await served.user("eve")
    problem(await send(stranger, ALL, mine), 403, "permission-denied")
    problem(await send(stranger, DEVICES, mine), 403, "permission-denied")
    denied: set[str] = set()
    while not {"bob", "eve"} <= denied:  # an entry is written beside the answer
        items = (await ann.get("/api/audit?kind=denied")).json()["items"]
        denied = {each["user_name"] for each in items}


async def test_lines_that_come_again_are_answered_again(served: Served):
    ann = await served.owner()
    lines = [line(None, "create", data={"name": f"r{n}"}) for n in range(5)]
    first = await send(ann, DEVICES, *lines, **{"Idempotency-Key": "k"})
    again = await send(ann, DEVICES, *lines, **{"Idempotency-Key": "k"})
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    problem(await send(ann, DEVICES, *lines[:4], **{"Idempotency-Key": "k"}), 422, "idempotency-key-reused")
    assert len(await changes(served)) == 5


async def test_as_many_lines_as_there_may_be_are_written_while_others_are_answered(served: Served):
    ann = await served.owner()
    lines = [line(f"r{n}", data={"name": f"r{n}"}) for n in range(bulk.MAX_LINES)]
    answer = await send(ann, DEVICES, *lines)
    assert answer.json()["changes"] == bulk.MAX_LINES
    patched = await send(ann, DEVICES, *(line(f"r{n}", "patch", data={"serial": "x"}) for n in range(bulk.MAX_LINES)))
    assert patched.json()["changes"] == bulk.MAX_LINES
    gone = await send(ann, DEVICES, *(line(f"r{n}", "delete") for n in range(bulk.MAX_LINES)))
    assert gone.json()["changes"] == bulk.MAX_LINES
