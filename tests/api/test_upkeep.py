"""Looking the database over: for owners, one look at a time."""

import asyncio
from typing import Any

import pytest

from buttonhook.http.api import upkeep
from buttonhook.people import AuditQuery
from tests.api.served import Served, problem

PATH = "/api/check"


async def test_an_owner_is_told_that_all_is_well_and_how_much_there_is(served: Served):
    ann = await served.owner()
    await ann.put("/api/objects/dcim.location/ams", json={"name": "AMS01"})
    answer = await ann.post(PATH)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["problems"], told["warnings"]) == ([], [])
    assert told["counts"]["objects"] == 1


async def test_what_does_not_work_as_it_is_set_up_is_a_warning(served: Served):
    ann = await served.owner()
    await ann.post("/api/object-types", json={"object_type": "acme.thing"})
    await ann.post("/api/jobs/SerialGuard/enable")
    hook = {"name": "h", "job": "SerialGuard", "object_types": ["acme.thing"]}
    assert (await ann.post("/api/job-hooks", json=hook)).status_code == 201
    served.app.registry.get_type("acme.thing").is_installed = False
    told = (await ann.post(PATH)).json()
    assert told["problems"] == []
    assert told["warnings"] == ["Job hook 'h' is for acme.thing, which no plugin declares"]


async def test_who_is_no_owner_is_refused_and_that_is_recorded(served: Served):
    bob = await served.user("bob", "jobs.view_job", "dcim.view_location", "users.view_user")
    told = problem(await bob.post(PATH), 403, "permission-denied")
    assert "look the database over" in told["detail"]
    scoped = await served.user("ann", scopes=["jobs.view_job"])
    problem(await scoped.post(PATH), 403, "permission-denied")
    problem(await (await served.client()).post(PATH), 401, "not-logged-in")
    await served.daemon.auditor.settle()
    denied = [each.user_name for each in await served.app.reader.audit_entries(AuditQuery()) if each.kind == "denied"]
    assert sorted(denied) == ["ann", "bob"]


async def test_there_is_one_look_at_a_time_and_then_the_next(served: Served, monkeypatch: pytest.MonkeyPatch):
    ann = await served.owner()
    begun, go_on = asyncio.Event(), asyncio.Event()
    look_over = upkeep.look_over

    async def slow(app: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await look_over(app)

    monkeypatch.setattr(upkeep, "look_over", slow)
    first = asyncio.create_task(ann.post(PATH))
    await begun.wait()
    answer = await ann.post(PATH)
    problem(answer, 429, "busy")
    assert answer.headers["retry-after"] == "5"
    go_on.set()
    assert (await first).status_code == 200
    assert (await ann.post(PATH)).status_code == 200
