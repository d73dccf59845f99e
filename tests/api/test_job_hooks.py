"""Job hooks over the API, and trying them on past changes."""

from typing import Any

import pytest

from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from buttonhook_dcim import Location
from tests.api.served import Served, problem

HOOK = {
    "name": "guard",
    "job": "Hello change",
    "object_types": ["dcim.location"],
    "conditions": [{"preset": "field_changed", "values": {"field": "status"}}],
}


@pytest.fixture
async def job(served: Served) -> str:
    """The path of a job hook receiver that is enabled."""
    (found, *_) = [each for each in served.app.configuration.jobs() if each.kind == "hook"]
    await served.app.configuration.enable_job(found.id)
    for each in served.app.configuration.hooks():
        await served.app.configuration.remove_hook(each.name)
    return found.id


async def change_location(served: Served) -> list[int]:
    """Three changes of one location by ann; their ids, newest first."""
    place = await served.app.access("ann").objects(Location).create(pk="ams", name="AMS", status="planned")
    place.status = "active"
    await place.save()
    place.description = "north"
    await place.save()
    return [each.id for each in await served.app.changes(ChangeQuery(object_type="dcim.location"))]


async def test_job_hooks_are_added_changed_listed_and_removed(served: Served, job: str):
    owner = await served.owner()
    made = await owner.post("/api/job-hooks", json={**HOOK, "job": job})
    assert made.status_code == 201, made.text
    hook = made.json()
    (record,) = served.app.configuration.hooks()
    assert (hook["id"], hook["job"], hook["job_name"]) == (record.id, job, served.app.configuration.get_job(job).name)
    assert hook["actions"] == ["create", "update", "delete"]
    assert hook["conditions"] == [{**HOOK["conditions"][0], "type": "preset", "negate": False}]
    changed = await owner.patch(
        f"/api/job-hooks/{hook['id']}", json={"actions": ["update"], "enabled": False, "conditions": []}
    )
    assert changed.json() == {
        **hook,
        "actions": ["update"],
        "enabled": False,
        "conditions": [],
        "edited_at": changed.json()["edited_at"],
    }
    assert (await owner.get("/api/job-hooks/guard")).json() == changed.json()
    other = {**HOOK, "job": job, "name": "other", "object_types": ["dcim.device"], "conditions": []}
    assert (await owner.post("/api/job-hooks", json=other)).status_code == 201
    for query, names in (
        ({}, ["guard", "other"]),
        ({"object_type": "dcim.device"}, ["other"]),
        ({"enabled": "false"}, ["guard"]),
        ({"job": job}, ["guard", "other"]),
        ({"job": hook["job_name"], "enabled": "true"}, ["other"]),
        ({"job": "x"}, []),
    ):
        listed = (await owner.get("/api/job-hooks", params=query)).json()
        assert [each["name"] for each in listed["items"]] == names
    first = (await owner.get("/api/job-hooks", params={"limit": 1, "fields": "name"})).json()
    assert first["items"] == [{"name": "guard"}]
    second = (await owner.get("/api/job-hooks", params={"limit": 1, "cursor": first["next"]})).json()
    assert ([each["name"] for each in second["items"]], second["next"]) == (["other"], None)
    assert (await owner.delete("/api/job-hooks/guard")).status_code == 204
    problem(await owner.get("/api/job-hooks/guard"), 404, "record-not-found")
    (change,) = await served.app.changes(ChangeQuery(request_id=changed.headers["x-request-id"]))
    assert (change.object_type, change.user_name) == ("jobs.jobhook", "ann")


WRONG: list[tuple[dict[str, Any], int, str, str | None]] = [
    ({"job": "nothing"}, 404, "record-not-found", None),
    ({"object_types": ["dcim.nothing"]}, 404, "unknown-object-type", None),
    ({"object_types": []}, 409, "record-conflict", "object_types"),
    ({"actions": ["press"]}, 422, "invalid-document", "actions.0"),
    ({"actions": []}, 409, "record-conflict", "actions"),
    ({"conditions": [{"preset": "nothing"}]}, 422, "bad-condition", "conditions.0"),
    ({"conditions": [{"preset": "field_changed", "negate": 1}]}, 422, "invalid-document", "conditions.0.negate"),
    ({"conditions": [{"type": "template", "preset": "x"}]}, 422, "invalid-document", "conditions.0.type"),
    ({"name": " x"}, 409, "record-conflict", "name"),
    ({"name": ""}, 422, "invalid-document", "name"),
    ({"run_as": "root"}, 422, "invalid-document", "run_as"),
    ({"id": "x"}, 422, "invalid-document", ""),
]


async def test_a_job_hook_that_cannot_be_is_refused_with_the_place_of_the_fault(served: Served, job: str):
    owner = await served.owner()
    for wrong, status, kind, path in WRONG:
        told = problem(await owner.post("/api/job-hooks", json={**HOOK, "job": job, **wrong}), status, kind)
        assert [each["path"] for each in told.get("errors", [])] == ([] if path is None else [path]), wrong
    assert served.app.configuration.hooks() == []


async def test_two_job_hooks_of_one_name_or_one_purpose_are_refused(served: Served, job: str):
    owner = await served.owner()
    await owner.post("/api/job-hooks", json={**HOOK, "job": job})
    told = problem(await owner.post("/api/job-hooks", json={**HOOK, "job": job}), 409, "record-conflict")
    assert "exists already" in told["detail"]
    assert told["errors"] == [{"path": "name", "message": "exists already"}]
    told = problem(await owner.post("/api/job-hooks", json={**HOOK, "job": job, "name": "b"}), 409, "record-conflict")
    assert "overlaps with 'guard'" in told["detail"]


async def test_a_new_job_hook_is_tried_on_the_last_changes_of_its_types_and_nothing_runs(served: Served, job: str):
    described, activated, made = await change_location(served)
    owner = await served.owner()
    await served.app.access("ann").objects("dcim.manufacturer").create(name="other type")
    draft = {name: value for name, value in HOOK.items() if name != "name"} | {"job": job}
    told = (await owner.post("/api/job-hooks/try", json=draft)).json()
    assert [(each["change"], each["would_fire"]) for each in told["items"]] == [
        (described, False),
        (activated, True),
        (made, False),
    ]
    assert (told["would_fire"], told["notes"]) == (1, [])
    assert 'field status is "active" before and after' in told["items"][0]["reason"]
    assert told["items"][1]["rows"][0]["reason"] == 'field status changed from "planned" to "active"'
    one = (await owner.post("/api/job-hooks/try", json={**draft, "change": made})).json()
    assert [each["change"] for each in one["items"]] == [made]
    last = (await owner.post("/api/job-hooks/try", json={**draft, "last": 1})).json()
    assert [each["change"] for each in last["items"]] == [described]
    assert served.app.configuration.hooks() == []
    problem(await owner.post("/api/job-hooks/try", json={**draft, "change": 999}), 404, "record-not-found")
    problem(await owner.post("/api/job-hooks/try", json={**draft, "last": 101}), 422, "invalid-document")


async def test_a_saved_job_hook_is_tried_as_it_is_or_with_other_fields_and_stays_as_it_is(served: Served, job: str):
    described, activated, made = await change_location(served)
    owner = await served.owner()
    await owner.post("/api/job-hooks", json={**HOOK, "job": job, "enabled": False})
    await served.app.configuration.disable_job(job)
    before = served.app.configuration.hooks()
    told = (await owner.post("/api/job-hooks/guard/try", json={})).json()
    assert [each["change"] for each in told["items"] if each["would_fire"]] == [activated]
    assert told["notes"][0] == "the job hook is disabled"
    assert told["notes"][1].endswith("is disabled")
    told = (await owner.post("/api/job-hooks/guard/try", json={"conditions": [], "actions": ["create"]})).json()
    assert [each["change"] for each in told["items"] if each["would_fire"]] == [made]
    assert told["items"][0]["reason"] == "it is for create, not for update"
    assert served.app.configuration.hooks() == before
    assert described > activated


async def test_a_trial_tells_of_no_change_that_one_may_not_see(served: Served, job: str):
    await change_location(served)
    await served.app.access("ann").objects("dcim.location").create(pk="lon", name="sesame")
    hidden = await served.app.changes(ChangeQuery(object_pk="lon", object_type="dcim.location"))
    bob = await served.user("bob", "jobs.view_objectchange", "jobs.view_job")
    await served.user("bob", "dcim.view_location", constraints=[Constraint("name", "=", "AMS")])
    draft = {"job": job, "object_types": ["dcim.location"]}
    answer = await bob.post("/api/job-hooks/try", json=draft)
    assert {each["object_pk"] for each in answer.json()["items"]} == {"ams"}
    assert "sesame" not in answer.text
    problem(await bob.post("/api/job-hooks/try", json={**draft, "change": hidden[0].id}), 404, "record-not-found")
    await served.app.configuration.add_hook("hidden hook", job, ["dcim.location"])
    problem(await bob.post("/api/job-hooks/hidden hook/try", json={}), 404, "record-not-found")
    stranger = await served.user("eve", "jobs.view_job")
    problem(await stranger.post("/api/job-hooks/try", json=draft), 403, "permission-denied")


async def test_who_may_see_some_job_hooks_finds_no_others(served: Served, job: str):
    await served.app.configuration.add_hook("mine", job, ["dcim.location"])
    await served.app.configuration.add_hook("sesame", job, ["dcim.device"])
    bob = await served.user(
        "bob", "jobs.view_jobhook", "jobs.change_jobhook", constraints=[Constraint("name", "=", "mine")]
    )
    listed = await bob.get("/api/job-hooks")
    assert [(each["name"], each["job_name"]) for each in listed.json()["items"]] == [("mine", job)]
    assert "sesame" not in listed.text
    for answer in (
        await bob.get("/api/job-hooks/sesame"),
        await bob.patch("/api/job-hooks/sesame", json={"enabled": False}),
    ):
        problem(answer, 404, "record-not-found")
    problem(await bob.delete("/api/job-hooks/mine"), 403, "permission-denied")
    assert (await bob.patch("/api/job-hooks/mine", json={"enabled": False})).json()["enabled"] is False
    problem(await bob.patch("/api/job-hooks/mine", json={"name": "renamed"}), 403, "permission-denied")
