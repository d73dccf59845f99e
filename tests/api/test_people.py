"""Users, groups, permissions, tokens and jobs over the API: all of it, and no more than one may."""

import pytest

from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from tests.api.served import PASSWORD, Served, problem


async def test_users_are_added_changed_listed_and_never_shown_with_a_hash(served: Served):
    owner = await served.owner()
    await owner.post("/api/groups", json={"name": "staff"})
    made = await owner.post("/api/users", json={"name": "bob", "groups": ["staff"]})
    assert made.status_code == 201
    bob = {"name": "bob", "is_owner": False, "is_disabled": False, "groups": ["staff"], "has_password": False}
    assert made.json() == bob
    assert (await owner.post("/api/users/bob/password", json={"password": PASSWORD})).status_code == 204
    changed = await owner.patch("/api/users/bob", json={"is_disabled": True, "groups": []})
    assert changed.json() == {**bob, "is_disabled": True, "groups": [], "has_password": True}
    assert (await owner.get("/api/users/bob")).json() == changed.json()
    listed = await owner.get("/api/users/")
    assert [each["name"] for each in listed.json()["items"]] == ["ann", "bob"]
    assert "argon2" not in listed.text
    problem(await owner.post("/api/users", json={"name": "bob"}), 409, "record-conflict")
    problem(await owner.get("/api/users/bop"), 404, "record-not-found")
    problem(await owner.patch("/api/users/ann", json={"is_owner": False}), 409, "record-conflict")
    (change,) = await served.app.changes(ChangeQuery(request_id=changed.headers["x-request-id"]))
    assert (change.object_type, change.user_name, change.change_context) == ("users.user", "ann", "api")
    assert change.change_context_detail.startswith("token bh_")


async def test_a_list_goes_page_by_page_and_shows_the_fields_one_asks_for(served: Served):
    owner = await served.owner()
    for name in ("b", "c", "d"):
        await owner.post("/api/users", json={"name": name})
    first = (await owner.get("/api/users", params={"limit": 3, "fields": "name,is_owner"})).json()
    assert first["items"] == [{"name": name, "is_owner": name == "ann"} for name in ("ann", "b", "c")]
    await owner.post("/api/users", json={"name": "aa"})
    second = (await owner.get("/api/users", params={"limit": 3, "cursor": first["next"]})).json()
    assert ([each["name"] for each in second["items"]], second["next"]) == (["d"], None)
    told = problem(await owner.get("/api/users", params={"fields": "password_hash"}), 400, "bad-parameter")
    assert "Known: name, is_owner" in told["detail"]


async def test_who_may_see_some_users_sees_those_and_themselves(served: Served):
    for name in ("bob", "cat"):
        await served.app.administration.add_user(name)
    dan = await served.user("dan")
    assert (await dan.get("/api/users")).json()["items"] == []
    assert (await dan.get("/api/users/dan")).json()["name"] == "dan"
    problem(await dan.get("/api/users/bob"), 404, "record-not-found")
    eve = await served.user("eve", "users.view_user", constraints=[Constraint("name", "=", "bob")])
    assert [each["name"] for each in (await eve.get("/api/users")).json()["items"]] == ["bob"]
    told = problem(await eve.get("/api/users/cab"), 404, "record-not-found")
    assert "cat" not in told["detail"]


async def test_permissions_are_given_with_constraints_hold_at_once_and_are_taken_again(served: Served):
    owner = await served.owner()
    bob = await served.user("bob")
    problem(await bob.get("/api/groups"), 403, "permission-denied")
    body = {
        "permissions": ["users.view_group"],
        "users": ["bob"],
        "constraints": [{"path": "name", "operator": "=", "value": "staff"}],
    }
    made = await owner.post("/api/permissions", json=body)
    assert made.status_code == 201
    assert made.json()["name"] == "bob: users.view_group where name = staff"
    for name in ("staff", "guests"):
        await owner.post("/api/groups", json={"name": name})
    assert [each["name"] for each in (await bob.get("/api/groups")).json()["items"]] == ["staff"]
    held = (await bob.get("/api/users/bob/permissions")).json()
    assert [each["permissions"] for each in held] == [["users.view_group"]]
    assert (await owner.get(f"/api/permissions/{made.json()['id']}")).json() == made.json()
    revoked = await owner.post("/api/permissions/revoke", json={"permissions": ["users.view_group"], "user": "bob"})
    assert revoked.json() == [made.json()]
    problem(await bob.get("/api/groups"), 403, "permission-denied")
    problem(await owner.get(f"/api/permissions/{made.json()['id']}"), 404, "record-not-found")
    for who in ({}, {"user": "bob", "group": "staff"}):
        answer = await owner.post("/api/permissions/revoke", json={"permissions": ["users.view_group"], **who})
        assert problem(answer, 422, "one-of")["errors"][0]["path"] == "user"
    wrong = await owner.post("/api/permissions", json={**body, "constraints": [{"path": "x", "operator": "like"}]})
    assert problem(wrong, 422, "invalid-document")["errors"][0]["path"] == "constraints.0"


async def test_a_removed_group_takes_with_it_what_it_gave(served: Served):
    owner, bob = await served.owner(), await served.user("bob")
    await owner.post("/api/groups", json={"name": "staff"})
    await owner.patch("/api/users/bob", json={"groups": ["staff"]})
    await owner.post("/api/permissions", json={"permissions": ["jobs.view_job"], "groups": ["staff"]})
    assert (await bob.get("/api/jobs")).json()["items"]
    assert (await owner.get("/api/groups/staff")).json()["members"] == ["bob"]
    assert (await owner.delete("/api/groups/staff")).status_code == 204
    problem(await bob.get("/api/jobs"), 403, "permission-denied")
    problem(await owner.delete("/api/groups/staff"), 404, "record-not-found")


async def test_a_token_is_shown_once_works_within_its_scopes_and_is_dead_when_removed(served: Served):
    bob = await served.user("bob", "jobs.view_job", "users.view_group")
    made = await bob.post("/api/tokens", json={"scopes": ["jobs.view_job"], "days": 1, "description": "CI"})
    told = made.json()
    assert made.status_code == 201
    assert told["token"].startswith(told["name"] + "_")
    narrow = await served.client(told["token"])
    assert (await narrow.get("/api/jobs")).status_code == 200
    problem(await narrow.get("/api/groups"), 403, "permission-denied")
    assert (await narrow.get("/api/me")).json()["scopes"] == ["jobs.view_job"]
    for body in ({"scopes": None}, {"scopes": ["users.view_group"], "days": 0.5}, {"scopes": ["jobs.view_job"]}):
        assert (await narrow.post("/api/tokens", json=body)).status_code in (403, 404)
    listed = await bob.get("/api/tokens")
    assert told["token"] not in listed.text
    assert "hash" not in listed.text
    assert told["name"] in [each["name"] for each in listed.json()["items"]]
    eve = await served.user("eve")
    assert told["name"] not in (await eve.get("/api/tokens")).text
    problem(await eve.delete(f"/api/tokens/{told['name']}"), 403, "permission-denied")
    problem(await eve.post("/api/tokens", json={"user": "bob"}), 404, "record-not-found")
    assert (await bob.delete(f"/api/tokens/{told['name']}")).status_code == 204
    problem(await narrow.get("/api/jobs"), 401, "bad-token")


async def test_a_disabled_users_tokens_do_nothing(served: Served):
    owner, bob = await served.owner(), await served.user("bob")
    assert (await bob.get("/api/me")).status_code == 200
    await owner.patch("/api/users/bob", json={"is_disabled": True})
    problem(await bob.get("/api/me"), 401, "bad-token")


async def test_only_owners_make_and_touch_owners(served: Served):
    almost = await served.user("bob", "users.add_user", "users.change_user", "users.view_user", "users.add_token")
    problem(await almost.post("/api/users", json={"name": "x", "is_owner": True}), 403, "permission-denied")
    problem(await almost.patch("/api/users/bob", json={"is_owner": True}), 403, "permission-denied")
    problem(await almost.post("/api/users/ann/password", json={"password": PASSWORD}), 403, "permission-denied")
    problem(await almost.post("/api/tokens", json={"user": "ann"}), 403, "permission-denied")


@pytest.mark.parametrize("name", ["Decommission", "buttonhook_examples.buttons.Decommission"])
async def test_a_job_is_found_enabled_overridden_and_disabled(served: Served, name: str):
    owner = await served.owner()
    job = (await owner.get(f"/api/jobs/{name}")).json()
    assert (job["enabled"], job["kind"], job["installed"]) == (False, "button", True)
    enabled = (await owner.post(f"/api/jobs/{name}/enable")).json()
    assert (enabled["enabled"], enabled["added_hook"]) == (True, None)
    changed = (await owner.patch(f"/api/jobs/{name}", json={"overrides": {"retries": 2}})).json()
    assert (changed["overrides"], changed["meta"]["retries"]) == ({"retries": 2}, 2)
    back = (await owner.patch(f"/api/jobs/{name}", json={"overrides": {"retries": None}})).json()
    assert (back["overrides"], back["meta"]["retries"]) == ({}, 0)
    problem(await owner.patch(f"/api/jobs/{name}", json={"overrides": {"fly": 1}}), 409, "record-conflict")
    listed = (await owner.get("/api/jobs", params={"enabled": True, "kind": "button"})).json()["items"]
    assert [each["name"] for each in listed] == ["Decommission"]
    assert (await owner.post(f"/api/jobs/{name}/disable")).json()["enabled"] is False
    viewer = await served.user("bob", "jobs.view_job")
    problem(await viewer.post(f"/api/jobs/{name}/enable"), 403, "permission-denied")


async def test_enabling_a_job_tells_the_hook_that_it_brings(served: Served):
    owner = await served.owner()
    enabled = (await owner.post("/api/jobs/SerialGuard/enable")).json()
    assert enabled["added_hook"] == "Serial guard"
