"""Webhooks: genuine ones are recorded once, as what they tell; all others get nothing and learn nothing."""

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from buttonhook import JobHookReceiver
from buttonhook.http.daemon import TRIES_OF_ADDRESS
from buttonhook.people import AuditQuery, Constraint
from buttonhook.records import ChangeQuery, ChangeRecord, ResultQuery
from buttonhook.sources import SourceDraft
from tests.api.served import Served, problem, served_app
from tests.api.webhooks import (
    DEVICE,
    NETBOX_SITE,
    add,
    nautobot,
    netbox,
    send,
    signature,
)

TYPE = "nautobot_dcim.device"


class Note(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("%s by %s, known: %s", action, change.user_name, self.user.known)


async def history(served: Served, object_type: str = TYPE) -> list[ChangeRecord]:
    return await served.app.changes(ChangeQuery(object_type=object_type, ascending=True))


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


# --- what is recorded -----------------------------------------------------------------------------


async def test_an_object_of_nautobot_lives_here_from_its_first_webhook_to_its_last(served: Served):
    secret, client = await add(served), await served.client()
    made = await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
    assert made.status_code == 200, made.text
    assert made.json()["outcome"] == "recorded"
    later = {"timestamp": "2026-11-23 01:35:00+00:00"}
    await send(client, "nautobot", secret, nautobot("updated", {"name": "r1"}, {"name": "r2"}, **later))
    last = {"timestamp": "2026-11-23 01:36:00+00:00"}
    gone = await send(client, "nautobot", secret, nautobot("deleted", {"name": "r2"}, None, **last))
    (change,) = gone.json()["changes"]
    told = await history(served)
    assert change == {"id": told[2].id, "action": "delete", "object_type": TYPE, "object_pk": DEVICE}
    assert [(each.action, each.user_name, each.change_context, each.change_context_detail) for each in told] == [
        (action, "nora", "webhook", "nautobot") for action in ("create", "update", "delete")
    ]
    assert {each.request_id for each in told} == {"fdbca812-3142-4783-b364-2e2bd5c16c6a"}
    assert load(told[1].prechange) == load(told[0].postchange) != load(told[1].postchange)
    assert (load(told[1].postchange)["name"], load(told[2].postchange)) == ("r2", None)
    assert told[0].time == 1795397686400000  # when it happened over there
    assert await served.app.objects(TYPE).count() == 0


async def test_the_first_that_is_heard_of_an_object_may_be_an_update_or_a_delete(served: Served):
    secret, client = await add(served), await served.client()
    await send(client, "nautobot", secret, nautobot("updated", {"name": "r1", "a": 1}, {"name": "r2"}))
    (change,) = await history(served)
    assert (change.action, load(change.prechange)["name"], load(change.prechange)["a"]) == ("update", "r1", 1)
    assert load(change.postchange)["name"] == "r2"
    other = nautobot("updated", None, {"name": "r3"})
    other["data"] = {**other["data"], "id": "other"}
    await send(client, "nautobot", secret, other)
    assert (await history(served))[1].action == "create"
    await send(client, "nautobot", secret, nautobot("updated", {"name": "r9"}, {"name": "r8"}, timestamp=None))
    assert load((await history(served))[2].prechange)["name"] == "r2"  # what is kept, not what is told
    gone = nautobot("deleted", {"name": "r9"}, None)
    gone["data"] = {**gone["data"], "id": "gone"}
    await send(client, "nautobot", secret, gone)
    last = (await history(served))[3]
    assert (last.action, load(last.prechange)["name"]) == ("delete", "r9")


async def test_what_was_deleted_here_is_made_anew_by_an_update_and_not_deleted_twice(served: Served):
    secret, client = await add(served), await served.client()
    await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
    await (await served.app.objects(TYPE).get(DEVICE)).delete()
    later = {"timestamp": "2026-11-23 01:35:00+00:00"}
    gone = await send(client, "nautobot", secret, nautobot("deleted", {"name": "r1"}, None, **later))
    assert gone.json()["outcome"] == "unchanged"
    last = {"timestamp": "2026-11-23 01:36:00+00:00"}
    await send(client, "nautobot", secret, nautobot("updated", {"name": "r1"}, {"name": "r2"}, **last))
    assert [each.action for each in await history(served)] == ["create", "delete", "create"]


async def test_an_update_that_changes_nothing_makes_an_unknown_object_known(served: Served):
    secret, client = await add(served), await served.client()
    await send(client, "nautobot", secret, nautobot("updated", {"name": "r1"}, {"name": "r1"}))
    assert [each.action for each in await history(served)] == ["create"]


async def test_netbox_tells_the_state_before_in_another_form_and_it_is_put_into_the_one_of_the_object(served: Served):
    secret, client = await add(served, "netbox"), await served.client()
    answer = await send(client, "netbox", secret, netbox("updated"))
    assert answer.json()["outcome"] == "recorded", answer.text
    (change,) = await history(served, "netbox_dcim.site")
    assert (change.object_pk, change.user_name, load(change.postchange)) == ("4", "admin", NETBOX_SITE)
    assert load(change.prechange) == {
        **NETBOX_SITE,
        "status": {"value": "planned"},
        "region": {"id": 3},
        "tags": [NETBOX_SITE["tags"][0], {"name": "old"}],  # type: ignore[index]
        "description": "",
        "last_updated": "2026-02-01T11:10:24.208Z",
    }


async def test_newer_netbox_tells_the_type_and_who_it_was_elsewhere_in_the_body(served: Served):
    secret, client = await add(served, "netbox"), await served.client()
    body = netbox("created", object_type="netbox_bgp.session", request={"id": "req-1", "user": "bea", "method": "POST"})
    for name in ("model", "username", "request_id"):
        del body[name]
    await send(client, "netbox", secret, body)
    (change,) = await history(served, "netbox_netbox_bgp.session")
    assert (change.user_name, change.request_id) == ("bea", "req-1")


async def test_what_tells_of_no_object_is_taken_and_ignored(served: Served):
    secret, client = await add(served, "netbox"), await served.client()
    body = {"event": "job_ended", "timestamp": "2026-02-02T11:10:24+00:00", "data": {"x": 1}}
    assert (await send(client, "netbox", secret, body)).json() == {"outcome": "ignored", "late": 0, "changes": []}


async def test_webhooks_fire_job_hooks_whose_author_is_nobody_here(tmp_path: Path):
    async with served_app(tmp_path, receivers=[Note]) as served:
        await served.app.configuration.enable_job("Note")
        await served.app.configuration.declare_type(TYPE)
        await served.app.configuration.add_hook("as installer", "Note", [TYPE], ["create"])
        await served.app.configuration.add_hook("as author", "Note", [TYPE], ["update"], run_as="author")
        secret, client = await add(served), await served.client()
        await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
        later = {"timestamp": "2026-11-23 01:35:00+00:00"}
        await send(client, "nautobot", secret, nautobot("updated", {"name": "r1"}, {"name": "r2"}, **later))
        await served.app.drain(20)
        results = await served.app.results(ResultQuery(ascending=True))
        assert [each.status for each in results] == ["success", "revoked"]
        assert any("by nora, known: False" in each.message for each in await served.app.log_entries(results[0]))


# --- once, and in order ---------------------------------------------------------------------------


async def test_a_delivery_is_recorded_once_also_when_it_comes_many_times_at_once_and_after_a_restart(tmp_path: Path):
    body = nautobot("created", None, {"name": "r1"})
    async with served_app(tmp_path) as served:
        secret, client = await add(served), await served.client()
        answers = await asyncio.gather(*(send(client, "nautobot", secret, body) for _ in range(20)))
        assert sorted(each.json()["outcome"] for each in answers) == ["recorded"] + ["repeated"] * 19
        await served.app.objects(TYPE).get(DEVICE)
        await (await served.app.objects(TYPE).get(DEVICE)).delete()
    async with served_app(tmp_path) as served:
        client = await served.client()
        assert (await send(client, "nautobot", secret, body)).json()["outcome"] == "repeated"
        assert await served.app.objects(TYPE).count() == 0
        await served.daemon.auditor.settle()
        noted = await served.app.reader.audit_entries(AuditQuery(kind="denied"))
        assert any("sent again" in each.what for each in noted)


async def test_what_comes_late_does_not_undo_what_came_before_it(served: Served):
    secret, client = await add(served), await served.client()

    def at(second: int, event: str, before: Any, after: Any) -> dict[str, Any]:
        return nautobot(event, before, after, timestamp=f"2026-11-23 01:35:{second:02}+00:00")

    await send(client, "nautobot", secret, at(30, "updated", {"name": "r2"}, {"name": "r3"}))
    late = await send(client, "nautobot", secret, at(20, "updated", {"name": "r1"}, {"name": "r2"}))
    assert late.json() == {"outcome": "late", "late": 1, "changes": []}
    await send(client, "nautobot", secret, at(40, "deleted", {"name": "r3"}, None))
    late = await send(client, "nautobot", secret, at(35, "updated", {"name": "r3"}, {"name": "r4"}))
    assert late.json()["outcome"] == "late"
    assert [each.action for each in await history(served)] == ["update", "delete"]


async def test_what_was_changed_here_meanwhile_does_not_make_a_webhook_late(served: Served):
    secret, client = await add(served), await served.client()
    await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
    device = await served.app.objects(TYPE).get(DEVICE)
    device["name"] = "changed here"
    await device.save()
    later = {"timestamp": "2026-11-23 01:35:00+00:00"}
    answer = await send(client, "nautobot", secret, nautobot("updated", {"name": "r1"}, {"name": "r2"}, **later))
    assert answer.json()["outcome"] == "recorded"
    assert load((await history(served))[-1].prechange)["name"] == "changed here"


async def test_webhooks_that_come_at_once_leave_the_newest_state(served: Served):
    secret, client = await add(served), await served.client()
    bodies = [
        nautobot("updated", {"n": n - 1}, {"n": n}, timestamp=f"2026-11-23 01:35:{n:02}+00:00") for n in range(1, 30)
    ]
    answers = await asyncio.gather(*(send(client, "nautobot", secret, each) for each in bodies))
    assert {each.status_code for each in answers} == {200}, [each.text for each in answers]
    assert (await served.app.objects(TYPE).get(DEVICE))["n"] == 29


# --- who may --------------------------------------------------------------------------------------


def told(answer: httpx.Response) -> dict[str, Any]:
    shown = problem(answer, 404, "no-such-source")
    del shown["request_id"]
    return shown


async def test_a_source_that_is_unknown_or_off_and_a_wrong_signature_are_answered_alike(served: Served):
    secret, client, body = await add(served), await served.client(), nautobot("created", None, {"name": "r1"})
    raw = json.dumps(body).encode()
    wrong = [
        {"X-Hook-Signature": signature(secret, raw + b" ")},
        {"X-Hook-Signature": signature(secret + "x", raw)},
        {"X-Hook-Signature": signature(secret, raw, "sha256")},
        {"X-Hook-Signature": signature(secret, raw)[:-1]},
        {"X-Hook-Signature": ""},
        {"X-Hook-Signature": b"\xe9"},
    ]
    answers = [told(await send(client, "nautobot", secret, body, each)) for each in wrong]
    await served.app.sources.edit("nautobot", edit(enabled=False))
    answers.append(told(await send(client, "nautobot", secret, body)))
    await served.app.sources.edit("nautobot", edit(enabled=True))
    await served.app.sources.remove("nautobot")
    answers.append(told(await send(client, "nautobot", secret, body)))
    assert answers == [answers[0]] * len(answers)
    assert await history(served) == []
    await served.app.administration.add_user("last")  # written behind what was noted
    noted = await served.app.reader.audit_entries(AuditQuery(kind="denied"))
    assert len([each for each in noted if "no such source, or a wrong signature" in each.what]) == len(answers)


def edit(**fields: Any) -> Any:
    return SourceDraft(**fields)


async def test_wrong_signatures_are_slowed_down_for_known_and_unknown_names_and_hinder_no_other_source(served: Served):
    secret, client, body = await add(served), await served.client(), nautobot("created", None, {"name": "r1"})
    other = await add(served, "netbox")
    for name in ("nautobot", "unknown"):
        for _ in range(TRIES_OF_ADDRESS):
            told(await send(client, name, "wrong", body))
        answer = await send(client, name, secret, body)
        problem(answer, 429, "too-many-tries")
        assert int(answer.headers["retry-after"]) >= 1
    assert (await send(client, "netbox", other, netbox("created"))).status_code == 200


async def test_the_user_whom_a_source_acts_as_limits_what_it_may_write(served: Served):
    await served.user("feed", "nautobot_dcim.add_device", constraints=[Constraint("name", "startswith", "ams")])
    secret, client = await add(served, acts_as="feed"), await served.client()
    answer = await send(client, "nautobot", secret, nautobot("created", None, {"name": "rtm01"}))
    problem(answer, 403, "permission-denied")
    later = {"timestamp": "2026-11-23 01:35:00+00:00"}
    answer = await send(client, "nautobot", secret, nautobot("created", None, {"name": "ams01"}, **later))
    assert answer.json()["outcome"] == "recorded"
    site = {"id": 4, "object_type": "dcim.location", "name": "x"}
    answer = await send(client, "nautobot", secret, nautobot("created", None, {"name": "x"}, data=site))
    problem(answer, 403, "permission-denied")
    assert served.app.registry.find_type("nautobot_dcim.location") is None
    await served.app.administration.edit_user("feed", is_disabled=True)
    told(await send(client, "nautobot", secret, nautobot("created", None, {"name": "ams02"})))


async def test_a_name_that_is_a_user_here_is_lent_only_by_who_may_lend_it(served: Served):
    await served.user("nora", "jobs.run_job")
    await served.user("feed", "nautobot_dcim.add_device")
    secret, client = await add(served, acts_as="feed"), await served.client()
    await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
    assert [each.user_name for each in await history(served)] == ["nautobot:nora"]
    by_owner = await add(served, "other", kind="nautobot")
    await send(client, "other", by_owner, nautobot("created", None, {"name": "r1"}))
    assert [each.user_name for each in await history(served, "other_dcim.device")] == ["nora"]


async def test_adding_a_source_takes_its_permission_and_what_a_token_for_its_user_takes(served: Served):
    nobody = await served.client()
    problem(await nobody.post("/api/sources", json={"name": "nautobot"}), 401, "not-logged-in")
    problem(await (await served.user("bob")).post("/api/sources", json={"name": "nautobot"}), 403, "permission-denied")
    client = await served.user("cat", "jobs.add_source", "jobs.change_source", "jobs.view_source")
    for body in (
        {"name": "nautobot", "acts_as": "bob"},
        {"name": "nautobot", "acts_as": "ann"},
        {"name": "nautobot", "secret_file": "/etc/hostname"},
        {"name": "nautobot", "secret_variable": "HOME"},
    ):
        problem(await client.post("/api/sources", json=body), 403, "permission-denied")
    scoped = await served.user("cat", scopes=["jobs.add_source", "jobs.change_source"])
    problem(await scoped.post("/api/sources", json={"name": "nautobot"}), 403, "beyond-token")
    made = await client.post("/api/sources", json={"name": "nautobot"})
    assert (made.status_code, made.json()["acts_as"]) == (201, "cat")
    problem(await client.patch("/api/sources/nautobot", json={"acts_as": "ann"}), 403, "permission-denied")
    await add(served, "netbox")
    problem(await client.patch("/api/sources/netbox", json={"renew_secret": True}), 403, "permission-denied")
    off = await client.patch("/api/sources/netbox", json={"enabled": False})
    assert off.json()["enabled"] is False
    problem(await client.delete("/api/sources/netbox"), 403, "permission-denied")


# --- secrets --------------------------------------------------------------------------------------


async def test_a_secret_is_shown_once_and_stands_in_no_listing_change_log_or_audit(served: Served):
    secret, owner = await add(served), await served.owner()
    assert len(secret) > 40
    shown = [await owner.get("/api/sources"), await owner.get("/api/sources/nautobot")]
    shown.append(await owner.patch("/api/sources/nautobot", json={"description": "ours"}))
    assert all(secret not in each.text for each in shown)
    assert "secret" not in shown[1].json()
    assert served.app.registry.redactor.redact(f"it is {secret}.") == "it is [redacted]."
    told_ = await served.app.changes(ChangeQuery(object_type="jobs.source", ascending=True))
    assert [(each.action, each.user_name) for each in told_] == [("create", "ann"), ("update", "ann")]
    assert all(secret not in f"{each.prechange}{each.postchange}" for each in told_)


async def test_another_secret_ends_the_one_before_and_the_change_is_told(served: Served):
    old, owner, client = await add(served), await served.owner(), await served.client()
    body = nautobot("created", None, {"name": "r1"})
    new = (await owner.patch("/api/sources/nautobot", json={"renew_secret": True})).json()["secret"]
    told(await send(client, "nautobot", old, body))
    assert (await send(client, "nautobot", new, body)).status_code == 200
    last = (await served.app.changes(ChangeQuery(object_type="jobs.source", limit=1)))[0]
    before, after = load(last.prechange), load(last.postchange)
    assert {name for name in after if before[name] != after[name]} == {"secret_changed_at"}


async def test_a_secret_may_stand_in_a_file_that_is_read_again_when_it_changes(served: Served, tmp_path: Path):
    file, client = tmp_path / "secret", await served.client()
    file.write_text("a secret of some length\n", encoding="utf-8")
    assert await add(served, secret_file=str(file)) == "None"
    bodies = [nautobot("created", None, {"name": each}) for each in "abc"]
    assert (await send(client, "nautobot", "a secret of some length", bodies[0])).status_code == 200
    file.write_text("another secret of another length", encoding="utf-8")
    told(await send(client, "nautobot", "a secret of some length", bodies[1]))
    assert (await send(client, "nautobot", "another secret of another length", bodies[1])).status_code == 200
    file.unlink()
    told(await send(client, "nautobot", "another secret of another length", bodies[2]))
    assert (await (await served.owner()).get("/api/sources/nautobot")).json()["secret_from"] == "file"


async def test_a_secret_may_stand_in_the_environment(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NAUTOBOT_HOOK", "a secret of some length")
    await add(served, secret_variable="NAUTOBOT_HOOK")
    client = await served.client()
    body = nautobot("created", None, {"name": "r1"})
    assert (await send(client, "nautobot", "a secret of some length", body)).status_code == 200


async def test_a_secret_that_cannot_be_one_is_refused_and_the_message_does_not_hold_it(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("SHORT", "short one")
    (tmp_path / "binary").write_bytes(b"\xff" * 40)
    (tmp_path / "huge").write_text("x y z " * 2000)
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "served.db")
    owner = await served.owner()
    files = ["binary", "huge", "pipe", "link", "served.db", "served.db-wal", "served.db.lock", "none", "."]
    wrong = [{"secret_file": str(tmp_path / each)} for each in files]
    wrong += [{"secret_variable": each} for each in ("SHORT", "NOT_SET", "BUTTONHOOK_X", "1 x", "")]
    wrong[-1] = {"secret_variable": "SHORT", "secret_file": str(tmp_path / "huge")}
    for each in wrong:
        answer = await owner.post("/api/sources", json={"name": "nautobot", **each})
        shown = problem(answer, 409, "record-conflict")
        assert "short one" not in shown["detail"]
    assert (await owner.get("/api/sources")).json()["items"] == []


# --- what cannot be -------------------------------------------------------------------------------


WRONG_SOURCES = [
    ({"name": "Nautobot"}, "unfit name"),
    ({"name": "x"}, "kind 'x', which is not known"),
    ({"name": "x", "kind": "nautobot", "prefix": "a.b"}, "prefix"),
    ({"name": "x", "kind": "nautobot", "prefix": "netbox"}, "so their objects would be one"),
    ({"name": "x", "kind": "nautobot", "signature_header": "Authorization"}, "signature_header"),
    ({"name": "x", "kind": "nautobot", "timestamp_header": "a b"}, "timestamp_header"),
    ({"name": "x", "kind": "nautobot", "timestamp_header": "x-hook-signature"}, "one header"),
    ({"name": "x", "kind": "nautobot", "description": "a\nb"}, "description"),
    ({"name": "x", "kind": "nautobot", "echo_users": [""]}, "echo user"),
    ({"name": "netbox"}, "exists already"),
]


async def test_a_source_that_cannot_be_is_refused_with_the_reason(served: Served):
    await add(served, "netbox")
    owner = await served.owner()
    for fields, part in WRONG_SOURCES:
        answer = await owner.post("/api/sources", json=fields)
        assert part in problem(answer, 409, "record-conflict")["detail"]
    assert [each["name"] for each in (await owner.get("/api/sources")).json()["items"]] == ["netbox"]


WRONG_BODIES = [
    ({"event": "moved"}, "event"),
    ({"event": 3}, "event"),
    ({"data": []}, "data"),
    ({"data": {"object_type": "dcim.device"}}, "data.id"),
    ({"data": {"id": True, "object_type": "dcim.device"}}, "data.id"),
    ({"data": {"id": 1}, "model": "Device!"}, "model"),
    ({"data": {"id": 1, "url": "/x"}}, "data.url"),
    ({"timestamp": "yesterday"}, "timestamp"),
    ({"username": ["x"]}, "username"),
    ({"username": "x" * 300}, ""),
    ({"snapshots": [1]}, "snapshots"),
    ({"event": "updated", "snapshots": {"prechange": 3}}, "snapshots.prechange"),
]


async def test_a_body_that_cannot_be_read_is_refused_with_the_place(served: Served):
    secret, client = await add(served), await served.client()
    for change, path in WRONG_BODIES:
        body = {**nautobot("created", None, {"name": "r1"}), **change}
        shown = problem(await send(client, "nautobot", secret, body), 422, "invalid-document")
        assert [each["path"] for each in shown["errors"]] == [path]
    assert await history(served) == []


async def test_a_body_that_is_no_json_is_refused(served: Served):
    secret, client = await add(served), await served.client()
    for raw in (b"", b"[", b'{"a": NaN}', b"\xff", b'{"a": 1, "a": 2}', b"[" * 100 + b"]" * 100, b"3"):
        problem(await send(client, "nautobot", secret, raw), 422, "invalid-document")


async def test_a_body_of_another_kind_or_too_large_is_refused(served: Served):
    secret, client = await add(served), await served.client()
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    problem(await send(client, "nautobot", secret, b"a=1", form), 415, "media-type")
    assert (await send(client, "nautobot", secret, b'"' + b"x" * 2_000_001 + b'"')).status_code == 413
    large = nautobot("created", None, {"name": "x" * 1_100_000})
    del large["snapshots"]
    problem(await send(client, "nautobot", secret, large), 422, "invalid-document")
    key = nautobot("created", None, {"name": "x"})
    key["data"]["id"] = "a/b"
    problem(await send(client, "nautobot", secret, key), 422, "invalid-key")


# --- signed times ---------------------------------------------------------------------------------


async def test_where_the_sender_signs_a_time_it_must_be_near_ours_and_be_the_one_that_was_signed(served: Served):
    secret = await add(served, timestamp_header="X-Time", signature_header="X-Sig", algorithm="sha256")
    client, now = await served.client(), int(time.time())
    raw = json.dumps(nautobot("created", None, {"name": "r1"})).encode()

    async def post(moment: str, signed: str | None = None) -> httpx.Response:
        content = (moment if signed is None else signed).encode() + b"." + raw
        headers = {"X-Time": moment, "X-Sig": f"sha256={signature(secret, content, 'sha256')}"}
        return await send(client, "nautobot", secret, raw, headers)

    for wrong in (str(now - 400), str(now + 400), "", "soon", f"{now}.0", "-1"):
        told(await post(wrong))
    told(await post(str(now), str(now - 10)))
    told(await send(client, "nautobot", secret, raw))
    assert (await post(str(now))).json()["outcome"] == "recorded"
    assert (await post(str(now))).json()["outcome"] == "repeated"
    assert (await post(str(now - 1))).json()["outcome"] == "unchanged"  # another delivery of the same state


async def test_a_window_for_times_in_the_body_refuses_what_is_old(served: Served):
    secret, client = await add(served, window_seconds=60), await served.client()
    answer = await send(client, "nautobot", secret, nautobot("created", None, {"name": "r1"}))
    problem(answer, 422, "invalid-document")
    body = nautobot("created", None, {"name": "r1"})
    del body["timestamp"]
    problem(await send(client, "nautobot", secret, body), 422, "invalid-document")
    body["timestamp"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    assert (await send(client, "nautobot", secret, body)).status_code == 200


# --- loops ----------------------------------------------------------------------------------------


async def test_what_comes_back_from_a_job_fires_no_hook_again(tmp_path: Path):
    async with served_app(tmp_path, receivers=[Note]) as served:
        await served.app.configuration.enable_job("Note")
        await served.app.configuration.declare_type(TYPE)
        await served.app.configuration.add_hook("all", "Note", [TYPE])
        secret, client = await add(served, echo_users=["buttonhook"]), await served.client()

        async def update(second: int, headers: dict[str, str] | None = None, **more: Any) -> None:
            body = nautobot("updated", {"n": second - 1}, {"n": second}, timestamp=f"2026-11-23 01:35:{second}Z")
            assert (await send(client, "nautobot", secret, {**body, **more}, headers)).status_code == 200

        await update(10)
        await served.app.drain(20)
        (first,) = await served.app.results(ResultQuery())
        await update(11, {"Buttonhook-Cause": first.id})
        await update(12, username="buttonhook")
        await update(13, {"Buttonhook-Cause": "of nobody"})
        await served.user("feed", "nautobot_dcim.*", "jobs.view_jobresult")
        await served.app.sources.edit("nautobot", edit(acts_as="feed"))
        await update(14, {"Buttonhook-Cause": first.id})  # not for feed to say
        await served.app.drain(20)
        changes = await history(served)
        assert [len(each.cuts) for each in changes] == [0, 1, 1, 0, 0]
        assert (changes[1].cause, changes[1].depth) == (first.id, 1)
        assert len(await served.app.results(ResultQuery())) == 3
