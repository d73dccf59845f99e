"""Records of a file, sent as they are read: each transaction and each fault is told, in order, and then the sum."""

import json
from typing import Any

import httpx
import pytest

from buttonhook.http.api import imports
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from tests.api.served import Served, problem

PATH = "/api/imports"
NDJSON = {"Content-Type": "application/x-ndjson"}
LOCATION = "dcim.location"


def record(number: int, pk: str | None = None, object_type: str | None = LOCATION, **data: Any) -> dict[str, Any]:
    value = {"object_type": object_type, "pk": pk, "data": {"name": pk, **data}}
    return {"line": number, "value": {name: each for name, each in value.items() if each is not None}}


def change(number: int, request_id: str, **given: Any) -> dict[str, Any]:
    """A change of another system."""
    value = {"request_id": request_id, "user_name": "nora", "time": "2026-01-01T00:00:00Z", "action": "create"}
    return {"line": number, "value": {**value, "object_type": LOCATION, **given}}


async def send(client: httpx.AsyncClient, *lines: Any, **parameters: str) -> httpx.Response:
    body = "\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines)
    return await client.post(PATH, content=body.encode(), headers=NDJSON, params=parameters)


def lines_of(answer: httpx.Response) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """What was told line by line, and the summary."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-ndjson"
    *told, last = [json.loads(line) for line in answer.text.splitlines()]
    return told, last["summary"]


async def recorded(served: Served) -> list[str]:
    found = await served.app.changes(ChangeQuery(object_type=LOCATION, limit=1000, ascending=True))
    return [f"{each.action} {each.object_pk} by {each.user_name}" for each in found]


async def test_records_are_written_in_the_name_of_who_sends_them_and_summed_up(served: Served):
    ann = await served.owner()
    told, summary = lines_of(
        await send(ann, record(1, "ams"), "", record(3, "rtm"), record(4, "ams", name="Amsterdam"))
    )
    assert [each["request"]["changes"] for each in told] == [2]
    assert (told[0]["request"]["line_first"], told[0]["request"]["line_last"]) == (1, 4)
    counted = {name: summary[name] for name in ("lines", "created", "updated", "faults", "stopped")}
    assert counted == {"lines": 3, "created": 2, "updated": 0, "faults": 0, "stopped": False}
    assert await recorded(served) == ["create ams by ann", "create rtm by ann"]
    assert (await ann.get(f"/api/objects/{LOCATION}/ams")).json()["document"]["name"] == "Amsterdam"


async def test_what_another_system_recorded_is_recorded_once_ever(served: Served):
    ann = await served.owner()
    sent = [
        change(1, "a", object_id="ams", after={"name": "AMS01"}),
        change(2, "a", object_id="rtm", after={"name": "RTM01"}),
        change(3, "b", object_id="ams", action="delete", after=None),
    ]
    told, _ = lines_of(await send(ann, *sent))
    assert [(each["request"]["request_id"], each["request"]["changes"]) for each in told] == [("a", 2), ("b", 1)]
    told, summary = lines_of(await send(ann, *sent))
    assert [each["request"]["skipped"] for each in told] == [True, True]
    assert summary["requests_skipped"] == 2
    assert len(await recorded(served)) == 3


BAD = (
    '{"line": 3, "value": {"object_type": "dcim.location", "pk": "b", "data": {"name": 7}}}',
    '{"line": 3, "value": {"object_type": "dcim.nothing", "pk": "b", "data": {}}}',
    '{"line": 3, "value": {"pk": "b", "data": {}}}',
    '{"line": 3, "problem": "the file ends in the middle"}',
    '{"line": 3, "valeu": {}}',
    '{"line": 3, "line": 3}',
    "no JSON",
    "[]",
)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("on_error", ["stop", "skip"])
async def test_a_bad_record_is_told_with_its_line_and_ends_it_or_is_left_out(served: Served, bad: str, on_error: str):
    ann = await served.owner()
    before = [change(1, each, object_id=each, after={"name": each}) for each in ("x", "y")]  # two transactions
    told, summary = lines_of(await send(ann, *before, bad, record(4, "rtm"), on_error=on_error))
    faults = [each["fault"] for each in told if "fault" in each]
    assert [each["line"] for each in faults] == [3]
    assert faults[0]["problem"]
    assert (summary["faults"], summary["stopped"]) == (1, on_error == "stop")
    left = [] if on_error == "stop" else ["create y by nora", "create rtm by ann"]
    assert await recorded(served) == ["create x by nora", *left]


async def test_the_type_of_records_that_name_none_and_cells_of_a_table_are_read_as_told(served: Served):
    ann = await served.owner()
    row = {"line": 1, "value": {"pk": "r1", "data": {"name": "r1", "position": "7"}}}
    _, summary = lines_of(await send(ann, row, object_type="dcim.device", table="true"))
    assert summary["created"] == 1
    assert (await ann.get("/api/objects/dcim.device/r1")).json()["document"]["position"] == 7
    _, summary = lines_of(await send(ann, {**row, "value": {**row["value"], "pk": "r2"}}, object_type="dcim.device"))
    assert summary["faults"] == 1  # a text is no number


async def test_each_write_is_asked_of_the_permissions_of_who_sends_it(served: Served):
    bob = await served.user("bob", "dcim.add_location", constraints=[Constraint("name", "startswith", "a")])
    told, summary = lines_of(await send(bob, record(1, "ams"), record(2, "rtm"), on_error="skip"))
    assert [each["fault"]["line"] for each in told if "fault" in each] == [2]
    assert "may not create dcim.location 'rtm'" in next(each["fault"]["problem"] for each in told if "fault" in each)
    assert (summary["created"], summary["faults"]) == (1, 1)
    assert await recorded(served) == ["create ams by bob"]
    stranger = await served.user("eve")
    told, summary = lines_of(await send(stranger, record(1, "eve"), on_error="skip"))
    assert (summary["created"], summary["faults"]) == (0, 1)
    as_ann = change(1, "x", object_id="c", user_name="ann", after={"name": "abc"})
    _, summary = lines_of(await send(bob, as_ann, on_error="skip"))
    assert (summary["created"], summary["faults"]) == (0, 1)
    problem(await send(await served.client(), record(1, "n")), 401, "not-logged-in")
    assert await recorded(served) == ["create ams by bob"]


async def test_what_is_no_import_is_refused_before_anything_is_written(served: Served, monkeypatch: pytest.MonkeyPatch):
    ann = await served.owner()
    problem(await ann.post(PATH, json={"line": 1}), 415, "media-type")
    problem(await send(ann, record(1, "ams"), object_type="dcim.nothing"), 404, "unknown-object-type")
    problem(await send(ann, record(1, "ams"), on_error="ask"), 400, "bad-parameter")
    problem(await send(ann, record(1, "ams"), colour="red"), 400, "bad-parameter")
    monkeypatch.setattr(imports, "MOST_LINE_BYTES", 200)
    problem(await send(ann, record(1, "ams", comments="x" * 300)), 413, "too-large")
    assert await recorded(served) == []
    _, summary = lines_of(await send(ann))
    assert summary["lines"] == 0


async def test_a_long_import_is_taken_in_pieces_and_told_in_full(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(imports, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr(imports, "BATCH", 7)
    ann = await served.owner()
    sent = [change(each, f"r{each}", object_id=f"l{each}", after={"name": f"l{each}"}) for each in range(1, 101)]
    told, summary = lines_of(await send(ann, *sent))
    assert [each["request"]["line_first"] for each in told] == list(range(1, 101))
    assert summary["created"] == 100
