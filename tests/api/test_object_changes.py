"""Object changes over HTTP: lists, snapshots, explanations, and what of them may be seen."""

import httpx
import pytest

from buttonhook import JobHookReceiver
from buttonhook.http.api import object_changes as routes
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery, ResultQuery
from tests.api.served import Served, problem, served_app

DEVICES = "/api/objects/dcim.device"
CHANGES = "/api/object-changes"


class Watch(JobHookReceiver):
    class Meta:
        object_types = ["dcim.device"]
        actions = ["create", "update"]

    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("seen")


async def ids(client: httpx.AsyncClient, query: str) -> list[int]:
    answer = await client.get(f"{CHANGES}?fields=id&{query}")
    assert answer.status_code == 200, answer.text
    return [each["id"] for each in answer.json()["items"]]


async def test_a_change_has_the_snapshots_that_nautobot_gives(served: Served):
    ann = await served.owner()
    await ann.put(f"{DEVICES}/r1", json={"name": "a", "old": 1})
    updated = (await ann.put(f"{DEVICES}/r1", json={"name": "b"})).json()["change"]
    gone = (await ann.delete(f"{DEVICES}/r1")).json()["change"]
    told = (await ann.get(f"{CHANGES}/{updated}")).json()["snapshots"]
    assert set(told) == {"prechange", "postchange", "differences"}
    assert told["differences"] == {"removed": {"name": "a", "old": 1}, "added": {"name": "b", "old": None}}
    assert (told["prechange"]["name"], told["postchange"]["name"]) == ("a", "b")
    last = (await ann.get(f"{CHANGES}/{gone}")).json()["snapshots"]
    assert (last["postchange"], last["differences"]["added"]) == (None, None)
    history = (await ann.get(f"{DEVICES}/r1/changes?oldest_first=true")).json()["items"]
    assert [each["action"] for each in history] == ["create", "update", "delete"]
    assert "snapshots" not in history[0]
    whole = (await ann.get(f"{DEVICES}/r1/changes?snapshots=true&limit=1")).json()["items"]
    assert whole[0]["snapshots"] == last


async def test_changes_are_found_by_what_is_known_of_them(served: Served):
    ann, bob = await served.owner(), await served.user("bob", "dcim.*")
    first = await ann.put(f"{DEVICES}/r1", json={"name": "a"})
    second = (await bob.patch(f"{DEVICES}/r1", json={"serial": "x"})).json()["change"]
    third = (await bob.put("/api/objects/dcim.location/ams", json={"name": "AMS"})).json()["change"]
    one = first.json()["change"]
    assert await ids(ann, "object_type=dcim.device") == [second, one]
    assert await ids(ann, "object_type=dcim.device&object_pk=r1&oldest_first=true") == [one, second]
    assert await ids(ann, "user=bob") == [third, second]
    assert await ids(ann, "action=update&object_type=dcim.device") == [second]
    assert await ids(ann, "object_pk=r1") == [second, one]
    assert await ids(ann, f"request_id={first.headers['x-request-id']}") == [one]
    moment = (await ann.get(f"{CHANGES}/{second}")).json()["recorded_at"]
    assert await ids(ann, f"since={moment}") == [third, second]
    assert one in await ids(ann, f"until={moment}")
    seen: list[int] = []
    page = (await ann.get(f"{CHANGES}?limit=2")).json()
    while page["next"] is not None:
        seen.extend(each["id"] for each in page["items"])
        page = (await ann.get(f"{CHANGES}?limit=2&cursor={page['next']}")).json()
    seen.extend(each["id"] for each in page["items"])
    assert seen == [each.id for each in await served.app.changes(ChangeQuery(limit=1000))]
    following = (await ann.get(f"{CHANGES}?limit=1")).json()["next"]
    for query in (f"cursor={following}&user=bob", "since=tomorrow", "action=fly", "fields=x"):
        assert (await ann.get(f"{CHANGES}?{query}")).status_code == 400, query
    forged = routes.encode_cursor(["object-changes", {}], [2**70])
    assert (await ann.get(f"{CHANGES}?cursor={forged}")).status_code == 400
    forged = routes.encode_cursor(["audit", None, None], [2**70])
    assert (await ann.get(f"/api/audit?cursor={forged}")).status_code == 400
    for number in ("9999", "x", "-1", "9" * 30, "%C2%B2"):
        problem(await ann.get(f"{CHANGES}/{number}"), 404, "record-not-found")


async def test_a_page_of_changes_with_large_documents_ends_early(served: Served, monkeypatch: pytest.MonkeyPatch):
    ann = await served.owner()
    for n in range(4):
        await ann.put(f"{DEVICES}/r{n}", json={"name": f"r{n}", "text": "x" * 100})
    monkeypatch.setattr(routes, "PAGE_BYTES", 150)
    page = (await ann.get(f"{CHANGES}?object_type=dcim.device&snapshots=true")).json()
    assert len(page["items"]) == 1
    assert page["next"] is not None


async def test_a_change_tells_why_hooks_fired_and_what_they_ran(tmp_path):
    async with served_app(tmp_path, receivers=[Watch]) as served:
        ann = await served.owner()
        await served.app.configuration.enable_job("Watch")
        change = (await ann.put(f"{DEVICES}/r1", json={"name": "a"})).json()["change"]
        await served.app.drain(20)
        results = (await ann.get(f"{CHANGES}/{change}/results")).json()["items"]
        assert [each["status"] for each in results] == ["success"]
        (verdict,) = (await ann.get(f"{CHANGES}/{change}/explain")).json()["verdicts"]
        assert (verdict["fate"], verdict["results"]) == ("fired", [results[0]["id"]])
        bob = await served.user("bob", "dcim.view_device", "jobs.view_objectchange")
        assert (await bob.get(f"{CHANGES}/{change}/results")).json()["items"] == []
        assert (await bob.get(f"{CHANGES}/{change}/explain")).json()["verdicts"] == []


async def test_a_write_that_comes_back_from_outside_belongs_to_the_chain_of_its_run(tmp_path):
    async with served_app(tmp_path, receivers=[Watch]) as served:
        ann = await served.owner()
        await served.app.configuration.enable_job("Watch")
        await ann.put(f"{DEVICES}/r1", json={"name": "a"})
        await served.app.drain(20)
        (run,) = await served.app.results(ResultQuery())
        back = await ann.patch(f"{DEVICES}/r1", json={"serial": "x"}, headers={"Buttonhook-Cause": run.id})
        told = (await ann.get(f"{CHANGES}/{back.json()['change']}")).json()
        assert (told["cause"], told["root"], told["depth"]) == (run.id, run.id, 1)
        assert "made by a job hook's job" in told["cuts"][0]["reason"]
        await served.app.drain(20)
        assert len(await served.app.results(ResultQuery())) == 1
        bob = await served.user("bob", "dcim.*")
        claim = {"Buttonhook-Cause": run.id}
        unseen = await bob.patch(f"{DEVICES}/r1", json={"serial": "y"}, headers=claim)
        problem(unseen, 422, "unknown-cause")
        await served.user("bob", "jobs.view_jobresult")
        problem(await bob.patch(f"{DEVICES}/r1", json={"serial": "y"}, headers=claim), 403, "permission-denied")
        assert (await ann.get(f"{DEVICES}/r1")).json()["document"]["serial"] == "x"


async def test_changes_of_what_is_hidden_are_not_there(served: Served):
    ann = await served.owner()
    seen = (await ann.put(f"{DEVICES}/r1", json={"name": "open"})).json()["change"]
    hidden = (await ann.put(f"{DEVICES}/r2", json={"name": "sesame", "status": "planned"})).json()["change"]
    left = (await ann.patch(f"{DEVICES}/r1", json={"status": "planned"})).json()["change"]
    only = [Constraint("status", "=", "active")]
    bob = await served.user("bob", "dcim.view_device", constraints=only)
    problem(await bob.get(CHANGES), 403, "permission-denied")
    await served.user("bob", "jobs.view_objectchange")
    assert await ids(bob, "") == [seen]
    told = [await bob.get(f"{DEVICES}/r2/changes"), await bob.get(f"{DEVICES}/none/changes")]
    assert told[0].json() == told[1].json() == {"items": [], "next": None}
    for sub in ("", "/explain", "/results"):
        for number in (hidden, left):
            told.append(await bob.get(f"{CHANGES}/{number}{sub}"))
            problem(told[-1], 404, "record-not-found")
    assert not any("sesame" in each.text for each in told)


async def test_changes_are_asked_of_what_may_be_a_type_also_of_the_records_of_the_set_up(served: Served):
    owner = await served.owner()
    await served.app.administration.add_group("staff")
    (change,) = await served.app.changes(ChangeQuery(object_type="users.group"))
    found = (await owner.get(f"/api/objects/users.group/{change.object_pk}/changes")).json()["items"]
    assert [each["id"] for each in found] == [change.id]
    problem(await owner.get("/api/objects/group/x/changes"), 422, "invalid-key")
