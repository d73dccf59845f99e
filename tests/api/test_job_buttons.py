"""Job buttons over the API: the records, what an object's page shows, pressing one object and many."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook import JobButtonReceiver
from buttonhook.people import Constraint
from buttonhook.records import ResultQuery
from tests.api.served import Served, problem, served_app

BUTTON = {"name": "Greet", "job": "Greeter", "object_types": ["dcim.location"], "text": "Greet {name}"}
PRESS = "/api/job-buttons/Greet/press"


class Greeter(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> str:
        self.logger.info("Hello %s", obj)
        return f"greeted {obj}"


@pytest.fixture
async def greeting(tmp_path: Path) -> AsyncIterator[Served]:
    """A served app with two locations, and a button for them."""
    async with served_app(tmp_path, receivers=[Greeter]) as served:
        await served.app.configuration.enable_job("Greeter")
        for pk in ("ams", "lon"):
            await served.app.objects("dcim.location").create(pk=pk, name=pk.upper())
        await served.app.configuration.add_button(**BUTTON)
        yield served


async def test_job_buttons_are_added_changed_listed_and_removed(greeting: Served):
    owner = await greeting.owner()
    made = await owner.post("/api/job-buttons", json={**BUTTON, "name": "Late", "weight": 200, "group": "More"})
    assert made.status_code == 201, made.text
    assert made.json()["style"] == "default"
    await owner.post("/api/job-buttons", json={**BUTTON, "name": "Early", "weight": 5})
    listed = (await owner.get("/api/job-buttons")).json()["items"]
    assert [each["name"] for each in listed] == ["Early", "Greet", "Late"]
    names, cursor = [], None
    while cursor is not None or not names:
        page = (
            await owner.get("/api/job-buttons", params={"limit": 1, **({"cursor": cursor} if cursor else {})})
        ).json()
        names, cursor = [*names, page["items"][0]["name"]], page["next"]
    assert names == ["Early", "Greet", "Late"]
    condition = {"preset": "field_compare", "values": {"field": "status", "operator": "=", "value": "active"}}
    changed = await owner.patch("/api/job-buttons/Late", json={"style": "danger", "conditions": [condition]})
    assert changed.json() == {
        **made.json(),
        "style": "danger",
        "conditions": [{**condition, "type": "preset", "negate": False}],
    }
    assert (await owner.get(f"/api/job-buttons/{made.json()['id']}")).json() == changed.json()
    assert (await owner.delete("/api/job-buttons/Late")).status_code == 204
    problem(await owner.delete("/api/job-buttons/Late"), 404, "record-not-found")
    problem(await owner.post("/api/job-buttons", json=BUTTON), 409, "record-conflict")
    told = problem(await owner.post("/api/job-buttons", json={**BUTTON, "style": "neon"}), 422, "invalid-document")
    assert told["errors"][0]["path"] == "style"
    problem(await owner.post("/api/job-buttons", json={**BUTTON, "name": "n", "job": "no"}), 404, "record-not-found")


async def test_a_press_is_a_job_result_that_waits_and_then_runs(greeting: Served):
    bob = await greeting.user("bob", "jobs.run_job", "dcim.view_location")
    answer = await bob.post(PRESS, json={"object_type": "dcim.location", "pk": "ams"})
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["kind"], told["occasion"], told["user_name"], told["object_pk"]) == ("button", "Greet", "bob", "ams")
    await greeting.app.drain(10)
    (result,) = await greeting.app.results(ResultQuery(id=told["id"]))
    assert (result.status.value, result.result) == ("success", '"greeted AMS"')


UNFIT: list[tuple[dict[str, Any], int, str, str]] = [
    ({"object_type": "dcim.location", "pk": "none"}, 404, "object-not-found", "'none'"),
    ({"object_type": "dcim.device", "pk": "ams"}, 409, "press-refused", "it is for dcim.location, not for"),
    ({"object_type": "dcim.nothing", "pk": "ams"}, 404, "unknown-object-type", "dcim.nothing"),
    ({"object_type": "dcim.location", "pk": ""}, 422, "invalid-document", "pk"),
    ({"object_type": "dcim.location", "pks": ["ams"]}, 422, "invalid-document", "pks"),
    ({"object_type": "dcim.location"}, 422, "invalid-document", "pk"),
]


async def test_what_cannot_be_pressed_says_why(greeting: Served):
    owner = await greeting.owner()
    for body, status, kind, words in UNFIT:
        assert words in problem(await owner.post(PRESS, json=body), status, kind)["detail"], body
    assert await greeting.app.results(ResultQuery()) == []


async def test_a_disabled_button_and_a_button_whose_job_is_disabled_cannot_be_pressed(greeting: Served):
    owner = await greeting.owner()
    body = {"object_type": "dcim.location", "pk": "ams"}
    await owner.patch("/api/job-buttons/Greet", json={"enabled": False})
    assert "it is disabled" in problem(await owner.post(PRESS, json=body), 409, "press-refused")["detail"]
    await owner.patch("/api/job-buttons/Greet", json={"enabled": True})
    await greeting.app.configuration.disable_job("Greeter")
    for path in (PRESS, f"{PRESS}-many"):
        many = {"object_type": "dcim.location", "pks": ["ams"]}
        told = problem(await owner.post(path, json=many if path != PRESS else body), 409, "press-refused")
        assert "its job 'Greeter' is disabled" in told["detail"]
    problem(await owner.post("/api/job-buttons/Gree/press", json=body), 404, "record-not-found")
    assert await greeting.app.results(ResultQuery()) == []


async def test_a_press_on_many_answers_for_each_object_and_starts_those_that_are_there_for_the_presser(
    greeting: Served,
):
    bob = await greeting.user("bob", "jobs.run_job")
    await greeting.user("bob", "dcim.view_location", constraints=[Constraint("name", "=", "AMS")])
    body = {"object_type": "dcim.location", "pks": ["none", "ams", "lon", "ams"]}
    told = (await bob.post(f"{PRESS}-many", json=body)).json()
    assert (told["pressed"], told["refused"]) == (1, 2)
    assert [(each["pk"], each["refusal"]) for each in told["items"]] == [
        ("none", "No dcim.location 'none' exists."),
        ("ams", None),
        ("lon", "No dcim.location 'lon' exists."),
    ]
    assert told["items"][1]["result"]["object_pk"] == "ams"
    await greeting.app.drain(10)
    (result,) = await greeting.app.results(ResultQuery())
    assert (result.id, result.status.value) == (told["items"][1]["result"]["id"], "success")
    for pks in ([], ["x"] * 1001):
        problem(await bob.post(f"{PRESS}-many", json={**body, "pks": pks}), 422, "invalid-document")


async def test_who_may_not_run_the_job_or_see_the_objects_presses_nothing(greeting: Served):
    body = {"object_type": "dcim.location", "pk": "ams"}
    for name, *permissions in (("eve", "dcim.view_location"), ("joe", "jobs.run_job")):
        client = await greeting.user(name, *permissions)
        problem(await client.post(PRESS, json=body), 403, "permission-denied")
        many = {"object_type": "dcim.location", "pks": ["ams"]}
        problem(await client.post(f"{PRESS}-many", json=many), 403, "permission-denied")
    assert await greeting.app.results(ResultQuery()) == []


async def test_an_objects_page_shows_its_buttons_in_groups_each_with_why_it_cannot_be_pressed(greeting: Served):
    setup = greeting.app.configuration
    await setup.add_button(**{**BUTTON, "name": "Other", "group": "More", "text": "Other"})
    await setup.add_button(**{**BUTTON, "name": "Off", "text": "sesame"}, enabled=False)
    path = "/api/objects/dcim.location/ams/job-buttons"
    bob = await greeting.user("bob", "jobs.run_job", "dcim.view_location")
    groups = (await bob.get(path)).json()
    assert [(group["name"], [each["text"] for each in group["buttons"]]) for group in groups] == [
        ("", ["Greet AMS"]),
        ("More", ["Other"]),
    ]
    assert groups[0]["buttons"][0]["disabled"] is None
    eve = await greeting.user("eve", "dcim.view_location")
    assert (await eve.get(path)).json()[0]["buttons"][0]["disabled"] == "you lack jobs.run_job"
    problem(await bob.get("/api/objects/dcim.location/none/job-buttons"), 404, "object-not-found")
    problem(await bob.get("/api/objects/dcim.device/ams/job-buttons"), 403, "permission-denied")
    owner = await greeting.owner()
    problem(await owner.get("/api/objects/dcim.nothing/ams/job-buttons"), 404, "unknown-object-type")
