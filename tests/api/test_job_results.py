"""Job results over the API: lists, what led to them and came of them, cancelling, rerunning, and whose they are."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, get_args

import pytest

from buttonhook import JobButtonReceiver, JobHookReceiver
from buttonhook.configuration import BUTTON_STYLES
from buttonhook.http.shapes.job_buttons import Style
from buttonhook.http.shapes.job_hooks import Action
from buttonhook.http.shapes.job_results import Level, Status
from buttonhook.ids import JobResultStatus, LogLevel, ObjectChangeAction
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery, JobResult, ResultQuery
from buttonhook_dcim import Location
from tests.api.served import Served, problem, served_app
from tests.scenarios.story import until

LIST = "/api/job-results"


class Greeter(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> dict[str, Any]:
        self.logger.info("Hello %s", obj)
        return {"greeted": str(obj)}


class Breaker(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> None:
        raise ValueError("cannot greet")


class Waiter(JobButtonReceiver):
    gate = asyncio.Event()
    began = asyncio.Event()

    async def receive_job_button(self, obj: Any) -> None:
        self.began.set()
        await self.gate.wait()


class Builder(JobButtonReceiver):
    """Adds a location below the one it is pressed on, which fires a job hook, and enqueues another job."""

    async def receive_job_button(self, obj: Any) -> None:
        await self.objects(Location).create(name=f"{obj.name} annex", pk=f"{obj.pk}-annex")
        await self.enqueue(Greeter, obj)


class Namer(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        changed_object.description = "annex"
        await changed_object.save()


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Served]:
    """A served app with two locations and a button for each receiver, named like its job."""
    Waiter.gate, Waiter.began = asyncio.Event(), asyncio.Event()
    async with served_app(tmp_path, receivers=[Greeter, Breaker, Waiter, Builder, Namer]) as served:
        for pk in ("ams", "lon"):
            await served.app.objects("dcim.location").create(pk=pk, name=pk.upper())
        setup = served.app.configuration
        for job in ("Greeter", "Breaker", "Waiter", "Builder", "Namer"):
            await setup.enable_job(job)
            if job != "Namer":
                await setup.add_button(job, job, ["dcim.location"])
        yield served
        Waiter.gate.set()


async def press(served: Served, button: str, pk: str = "ams", user: str = "ann", *, waits: bool = True) -> JobResult:
    """Press and wait for the end of all that came of it."""
    (result,) = await served.app.press(button, "dcim.location", [pk], user)
    if waits:
        assert await served.app.drain(20)
        (result,) = await served.app.results(ResultQuery(id=result.id))
    return result


async def test_a_job_result_shows_how_it_ended_by_id_and_by_number(running: Served):
    owner = await running.owner()
    good, bad = await press(running, "Greeter"), await press(running, "Breaker", "lon")
    told = (await owner.get(f"{LIST}/{good.id}")).json()
    assert told == (await owner.get(f"{LIST}/{good.number}")).json()
    assert (told["status"], told["result"], told["error"]) == ("success", {"greeted": "AMS"}, None)
    assert (told["kind"], told["occasion"], told["attempt"], told["change_ids"]) == ("button", "Greeter", 1, [])
    assert told["created_at"] <= told["started_at"] <= told["ended_at"]
    assert told["ended_at"].endswith("Z")
    assert "chain" not in told
    told = (await owner.get(f"{LIST}/{bad.id}")).json()
    assert (told["status"], told["error"]) == ("failure", "ValueError: cannot greet")
    assert "raise ValueError" in told["traceback"]
    for unknown in ("nothing", "999", "9" * 30, "-1", "\u0661"):
        problem(await owner.get(f"{LIST}/{unknown}"), 404, "record-not-found")


async def test_the_list_is_narrowed_by_every_filter_and_goes_page_by_page(running: Served):
    owner = await running.owner()
    await running.user("bob", "jobs.run_job", "dcim.view_location")
    hook = await running.app.configuration.add_hook("named", "Namer", ["dcim.location"], ["create"])
    one, two = await press(running, "Greeter"), await press(running, "Breaker", "lon", "bob")
    await running.app.objects(Location).create(pk="par", name="PAR")
    await running.app.drain(20)
    (three,) = await running.app.results(ResultQuery(object_pk="par"))
    (change,) = await running.app.changes(
        ChangeQuery(object_pk="par", object_type="dcim.location", limit=1, ascending=True)
    )
    later = (await owner.get(f"{LIST}/{two.number}")).json()["created_at"]
    for query, wanted in (
        ({}, [three, two, one]),
        ({"oldest_first": "true"}, [one, two, three]),
        ({"status": "failure"}, [two]),
        ({"status": "pending"}, []),
        ({"job": "Greeter"}, [one]),
        ({"job": one.job}, [one]),
        ({"job": "gone.Job"}, []),
        ({"object_type": "dcim.location"}, [three, two, one]),
        ({"object_type": "dcim.location", "object_pk": "lon"}, [two]),
        ({"user": "bob"}, [two]),
        ({"change": str(change.id)}, [three]),
        ({"hook": "named"}, [three]),
        ({"hook": hook.id, "job": "Namer"}, [three]),
        ({"button": "Breaker"}, [two]),
        ({"button": "gone"}, []),
        ({"since": later}, [three, two]),
        ({"until": later}, [one]),
    ):
        answer = await owner.get(LIST, params=query)
        assert answer.status_code == 200, answer.text
        assert [each["id"] for each in answer.json()["items"]] == [each.id for each in wanted], query
    first = (await owner.get(LIST, params={"limit": 2, "fields": "number,status"})).json()
    assert first["items"][1] == {"number": two.number, "status": "failure"}
    await press(running, "Greeter")
    second = (await owner.get(LIST, params={"limit": 2, "cursor": first["next"]})).json()
    assert ([each["id"] for each in second["items"]], second["next"]) == ([one.id], None)
    problem(await owner.get(LIST, params={"limit": 2, "cursor": first["next"], "user": "ann"}), 400, "query-error")
    problem(await owner.get(LIST, params={"since": "yesterday"}), 400, "query-error")
    problem(await owner.get(LIST, params={"status": "done"}), 400, "bad-parameter")
    problem(await owner.get(LIST, params={"hook": "a", "button": "b"}), 400, "one-of")


async def test_who_may_see_no_results_sees_their_own_presses_alone(running: Served):
    bob = await running.user("bob", "jobs.run_job", "dcim.view_location")
    own, others = await press(running, "Greeter", user="bob"), await press(running, "Greeter", "lon")
    assert [each["id"] for each in (await bob.get(LIST)).json()["items"]] == [own.id]
    assert (await bob.get(LIST, params={"user": "ann"})).json()["items"] == []
    assert (await bob.get(f"{LIST}/{own.id}")).status_code == 200
    assert (await bob.get(f"{LIST}/{own.id}/logs")).json()["items"][1]["message"] == "Hello AMS"
    for path in ("", "/logs", "/logs.txt", "/logs.csv", "/causes"):
        for name in (others.id, others.number):
            problem(await bob.get(f"{LIST}/{name}{path}"), 404, "record-not-found")
    problem(await bob.post(f"{LIST}/{others.id}/cancel"), 404, "no-such-run")
    problem(await bob.post(f"{LIST}/{others.id}/rerun"), 404, "no-such-run")
    eve = await running.user("eve", "jobs.view_jobresult")
    await running.user("eve", "dcim.view_location", constraints=[Constraint("name", "=", "AMS")])
    answer = await eve.get(LIST)
    assert [each["id"] for each in answer.json()["items"]] == [own.id]
    assert "LON" not in answer.text
    problem(await eve.get(f"{LIST}/{own.id}/logs"), 403, "permission-denied")
    problem(await eve.post(f"{LIST}/{own.id}/cancel"), 403, "permission-denied")


async def test_a_run_is_cancelled_and_so_is_what_waits_and_what_has_ended_is_not(running: Served):
    owner = await running.owner()
    held = await press(running, "Waiter", waits=False)
    await asyncio.wait_for(Waiter.began.wait(), 20)
    told = (await owner.post(f"{LIST}/{held.number}/cancel")).json()
    assert (told["id"], told["number"]) == (held.id, held.number)
    assert await running.app.drain(20)
    told = (await owner.get(f"{LIST}/{held.id}")).json()
    assert (told["status"], told["error"]) == ("revoked", "cancelled by ann")
    answer = problem(await owner.post(f"{LIST}/{held.id}/cancel"), 409, "run-not-found")
    assert "has ended already (revoked)" in answer["detail"]
    problem(await owner.post(f"{LIST}/nothing/cancel"), 404, "no-such-run")
    bob = await running.user("bob", "jobs.run_job", "dcim.view_location")
    Waiter.began.clear()
    own = await press(running, "Waiter", user="bob", waits=False)
    await asyncio.wait_for(Waiter.began.wait(), 20)
    assert (await bob.post(f"{LIST}/{own.id}/cancel")).status_code == 200


async def test_a_rerun_is_a_new_result_in_the_name_of_who_ordered_it_also_where_the_object_is_gone(running: Served):
    owner = await running.owner()
    old = await press(running, "Greeter", "lon")
    answer = await owner.post(f"{LIST}/{old.id}/rerun")
    assert answer.status_code == 201
    told = answer.json()
    assert (told["rerun_of"], told["rerun_by"], told["status"]) == (old.id, "ann", "pending")
    await running.app.drain(20)
    await (await running.app.objects(Location).get("lon")).delete()
    gone = (await owner.post(f"{LIST}/{old.number}/rerun")).json()
    await running.app.drain(20)
    told = (await owner.get(f"{LIST}/{gone['id']}")).json()
    assert told["status"] in ("failure", "revoked")
    assert "lon" in told["error"]
    problem(await owner.post(f"{LIST}/nothing/rerun"), 404, "no-such-run")
    held = await press(running, "Waiter", waits=False)
    answer = problem(await owner.post(f"{LIST}/{held.id}/rerun"), 409, "run-not-found")
    assert "has not ended yet" in answer["detail"]
    bob = await running.user("bob", "jobs.view_jobresult", "dcim.view_location")
    problem(await bob.post(f"{LIST}/{old.id}/rerun"), 403, "permission-denied")


async def test_the_tree_of_causes_tells_what_led_to_a_run_and_what_came_of_it(running: Served):
    await running.app.configuration.add_hook(
        "named",
        "Namer",
        ["dcim.location"],
        ["create"],
    )
    await running.app.configuration.edit_hook("named", allow_job_hook_changes=True)
    owner = await running.owner()
    root = await press(running, "Builder")
    tree = (await owner.get(f"{LIST}/{root.id}/causes")).json()
    assert tree["before"] == []
    seen = [
        (each["kind"], each["job_name"] or each["action"], each["object_pk"], each["parent"]) for each in tree["items"]
    ]
    assert seen == [
        ("result", "Builder", "ams", None),
        ("change", "create", "ams-annex", 0),
        ("result", "Greeter", "ams", 0),
        ("result", "Namer", "ams-annex", 1),
        ("change", "update", "ams-annex", 3),
    ]
    last = tree["items"][-1]
    told = (await owner.get(f"/api/object-changes/{last['number']}/causes")).json()
    assert [(each["kind"], each["parent"]) for each in told["before"]] == [
        ("result", None),
        ("change", 0),
        ("result", 1),
    ]
    assert [each["id"] for each in told["items"]] == [last["id"]]
    bob = await running.user("bob", "jobs.view_jobresult", "jobs.view_objectchange")
    await running.user("bob", "dcim.view_location", constraints=[Constraint("pk", "=", "ams")])
    answer = await bob.get(f"{LIST}/{root.id}/causes")
    assert [each["job_name"] for each in answer.json()["items"]] == ["Builder", "Greeter"]
    assert "annex" not in answer.text
    problem(await bob.get(f"/api/object-changes/{last['number']}/causes"), 404, "record-not-found")
    eve = await running.user("eve", "jobs.view_jobresult", "dcim.view_location")
    told = (await eve.get(f"{LIST}/{root.id}/causes")).json()
    assert {(each["job_name"], each["parent"]) for each in told["items"]} == {
        ("Builder", None),
        ("Greeter", 0),
        ("Namer", 0),
    }


async def test_a_tree_that_is_cut_says_where(running: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("buttonhook.access.causes.PAGE", 1)
    owner = await running.owner()
    root = await press(running, "Builder")
    tree = (await owner.get(f"{LIST}/{root.id}/causes")).json()
    assert [(each["kind"], each["has_more"]) for each in tree["items"]] == [("result", True), ("change", False)]


async def test_who_presses_can_wait_for_the_end_without_asking_all_the_time(running: Served):
    owner = await running.owner()
    held = await press(running, "Waiter", waits=False)
    waiting = asyncio.create_task(owner.get(f"{LIST}/{held.id}/wait", params={"seconds": 20}))
    await asyncio.wait_for(Waiter.began.wait(), 20)
    early = (await owner.get(f"{LIST}/{held.number}/wait", params={"seconds": 0})).json()
    assert (early["status"], early["ended_at"]) == ("started", None)
    assert not waiting.done()
    Waiter.gate.set()
    assert (await asyncio.wait_for(waiting, 10)).json()["status"] == "success"
    assert (await owner.get(f"{LIST}/{held.id}/wait")).json()["status"] == "success"
    for seconds in ("61", "-1", "nan", "x"):
        problem(await owner.get(f"{LIST}/{held.id}/wait", params={"seconds": seconds}), 400, "bad-parameter")
    problem(await owner.get(f"{LIST}/nothing/wait"), 404, "record-not-found")


async def test_who_waits_is_answered_when_the_time_is_over_and_turned_away_when_disabled(running: Served):
    bob = await running.user("bob", "jobs.run_job", "dcim.view_location")
    held = await press(running, "Waiter", user="bob", waits=False)
    told = (await bob.get(f"{LIST}/{held.id}/wait", params={"seconds": 1})).json()
    assert told["status"] in ("pending", "started")
    waiting = asyncio.create_task(bob.get(f"{LIST}/{held.id}/wait", params={"seconds": 60}))
    await until(lambda: running.daemon.waits.count == 1)
    await running.app.administration.edit_user("bob", is_disabled=True)
    problem(await asyncio.wait_for(waiting, 10), 401, "not-logged-in")
    assert running.daemon.waits.count == 0


async def test_who_waits_is_answered_when_what_waits_is_cancelled_and_when_the_daemon_stops(running: Served):
    owner = await running.owner()
    await running.app.configuration.edit_job("Waiter", is_singleton=True)
    first, second = await press(running, "Waiter", waits=False), await press(running, "Waiter", "lon", waits=False)
    waiting = asyncio.create_task(owner.get(f"{LIST}/{second.id}/wait", params={"seconds": 60}))
    await until(lambda: running.daemon.waits.count == 1)
    await owner.post(f"{LIST}/{second.id}/cancel")
    assert (await asyncio.wait_for(waiting, 10)).json()["status"] == "revoked"
    waiting = asyncio.create_task(owner.get(f"{LIST}/{first.id}/wait", params={"seconds": 60}))
    await until(lambda: running.daemon.waits.count == 1)
    running.daemon.stopping.set()
    assert (await asyncio.wait_for(waiting, 10)).json()["status"] == "started"


async def test_no_more_requests_wait_than_may(running: Served, monkeypatch: pytest.MonkeyPatch):
    owner = await running.owner()
    held = await press(running, "Waiter", waits=False)
    for name, status in (("MOST_OF_ONE", 429), ("MOST_WAITS", 503)):
        with monkeypatch.context() as patched:
            patched.setattr(f"buttonhook.http.waits.{name}", 0)
            answer = await owner.get(f"{LIST}/{held.id}/wait")
        problem(answer, status, "too-many-waits")
        assert answer.headers["retry-after"] == "5"


async def test_a_press_and_a_rerun_that_come_again_with_their_key_run_once(running: Served):
    owner = await running.owner()
    body = {"object_type": "dcim.location", "pk": "ams"}
    many = {"object_type": "dcim.location", "pks": ["lon", "none", "ams"]}
    made = []
    for number, (path, sent) in enumerate(
        [("/api/job-buttons/Greeter/press", body), ("/api/job-buttons/Greeter/press-many", many)]
    ):
        key = {"Idempotency-Key": f"key {number}"}
        first, again = [await owner.post(path, json=sent, headers=key) for _ in range(2)]
        assert (first.status_code, first.content) == (again.status_code, again.content)
        assert again.headers["idempotency-replayed"] == "true"
        problem(await owner.post(path, json={**sent, "object_type": "x.y"}, headers=key), 422, "idempotency-key-reused")
        made.append(first.json())
    assert made[1]["pressed"] == 2
    await running.app.drain(20)
    assert len(await running.app.results(ResultQuery())) == 3
    path, key = f"{LIST}/{made[0]['id']}/rerun", {"Idempotency-Key": "rerun"}
    first, again = [await owner.post(path, headers=key) for _ in range(2)]
    assert (first.status_code, first.json()) == (201, again.json())
    assert len(await running.app.results(ResultQuery())) == 4
    button = {"name": "Fresh", "job": "Greeter", "object_types": ["dcim.location"]}
    hook = {"name": "fresh", "job": "Namer", "object_types": ["dcim.location"]}
    for path, sent in (("/api/job-buttons", button), ("/api/job-hooks", hook)):
        first, again = [await owner.post(path, json=sent, headers={"Idempotency-Key": path}) for _ in range(2)]
        assert (first.status_code, first.json()) == (201, again.json())
        problem(await owner.post(path, json=sent), 409, "record-conflict")


async def test_plugins_are_listed_with_what_they_bring(running: Served):
    owner = await running.owner()
    listed = (await owner.get("/api/plugins")).json()["items"]
    dcim = next(each for each in listed if each["distribution"] == "buttonhook-dcim")
    assert ("dcim.device" in dcim["object_types"], dcim["state"], dcim["errors"]) == (True, "ok", [])
    assert (await owner.get(f"/api/plugins/{dcim['name']}")).json() == dcim
    assert dcim["version"]
    problem(await owner.get("/api/plugins/nothing"), 404, "record-not-found")
    bob = await running.user("bob", "jobs.view_job")
    problem(await bob.get("/api/plugins"), 403, "permission-denied")
    await running.user("bob", "jobs.view_plugin", constraints=[Constraint("distribution", "=", "buttonhook-dcim")])
    assert [each["name"] for each in (await bob.get("/api/plugins")).json()["items"]] == [dcim["name"]]


def test_the_words_of_the_schema_are_those_of_the_records():
    assert get_args(Status) == tuple(JobResultStatus)
    assert get_args(Level) == tuple(each.word for each in LogLevel)
    assert get_args(Action) == tuple(ObjectChangeAction)
    assert get_args(Style) == BUTTON_STYLES
