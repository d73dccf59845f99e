"""Webhook readers of plugins: what they say is recorded, what they do wrong is told and hurts nobody else."""

import json
import logging
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook.records import ChangeQuery
from tests.api.served import Served, problem, served_app
from tests.api.webhooks import add, nautobot, send, signature

READERS = """
from buttonhook import hookimpl
from buttonhook.webhooks import WebhookReader, WebhookReading, WebhookWrite


def read(webhook):
    body = webhook.body
    if body == "raise":
        raise KeyError("password=hunter2hunter2")
    if body == "other":
        return {"writes": []}
    if body == "many":
        return WebhookReading(writes=(WebhookWrite(object_type="t.x", pk="1", after={}),) * 1001)
    if body == "text":
        return WebhookReading(writes=(WebhookWrite(object_type="t.x", pk="1", after="text"),))
    if body == "time":
        return WebhookReading(time="soon")
    if body == "list":
        return WebhookReading(writes=[{}])
    if body == "type":
        return WebhookReading(writes=(WebhookWrite(object_type="T x", pk="1", after={}),))
    writes = tuple(WebhookWrite(object_type="t.x", pk=pk, after=after) for pk, after in body.items())
    return WebhookReading(writes=writes, user_name=webhook.headers["x-who"])


async def late(webhook):
    return WebhookReading()


@hookimpl
def buttonhook_webhook_readers():
    return [
        WebhookReader("lab", read),
        WebhookReader("nautobot", read),
        WebhookReader("late", late),
        read,
    ]
"""


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Served]:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "lab_readers.py").write_text(READERS, encoding="utf-8")
    async with served_app(tmp_path, plugins_dir=str(tmp_path / "plugins")) as served:
        yield served
    del sys.modules["lab_readers"]


async def test_what_a_reader_says_is_one_transaction_in_the_name_it_tells(lab: Served):
    secret, client = await add(lab, "lab", prefix=""), await lab.client()
    answer = await send(client, "lab", secret, {"a": {"n": 1}, "b": {"n": 2}}, {"X-Who": "eve"})
    assert [each["object_pk"] for each in answer.json()["changes"]] == ["a", "b"]
    answer = await send(client, "lab", secret, {"a": None, "b": {"n": 2}, "c": {}}, {"X-Who": "eve"})
    assert [each["action"] for each in answer.json()["changes"]] == ["delete", "create"]
    told = await lab.app.changes(ChangeQuery(object_type="t.x"))
    assert {each.user_name for each in told} == {"eve"}
    assert len({each.request_id for each in told}) == 2


async def test_a_reader_that_goes_wrong_refuses_the_body_and_is_named_in_the_log(
    lab: Served, caplog: pytest.LogCaptureFixture
):
    secret, client = await add(lab, "lab"), await lab.client()
    caplog.set_level(logging.ERROR, "buttonhook.intake")
    for body, part in (
        ("raise", "the reader 'lab' failed: KeyError"),
        ("other", "it returned dict, not a WebhookReading"),
        ("many", "more than the 1,000 allowed"),
        ("text", "after cannot be a str"),
        ("time", "time cannot be a str"),
        ("list", "writes holds a dict"),
    ):
        shown = problem(await send(client, "lab", secret, body), 422, "invalid-document")
        assert part in shown["detail"]
        assert "hunter2" not in shown["detail"]
    problem(await send(client, "lab", secret, "type"), 422, "invalid-key")
    assert "Webhook reader lab (lab_readers, lab_readers.py:" in caplog.text
    assert await lab.app.changes(ChangeQuery(object_type="lab_t.x")) == []


async def test_readers_that_cannot_be_are_left_out_with_the_reason_and_the_others_work(lab: Served):
    (report,) = [each for each in lab.app.plugins if each.name == "lab_readers"]
    assert report.webhook_readers == ["lab"]
    told = "\n".join(report.errors)
    assert "Webhook reader 'nautobot' is brought by both 'buttonhook' and 'lab_readers, lab_readers.py:" in told
    assert "'late' with an async function" in told
    assert "as a webhook reader. Give a WebhookReader(...)." in told
    secret, client = await add(lab), await lab.client()
    assert (await send(client, "nautobot", secret, nautobot("created", None, {"n": 1}))).status_code == 200


async def test_a_source_whose_plugin_is_gone_takes_nothing_and_is_told(lab: Served, tmp_path: Path):
    secret = await add(lab, "lab")
    lab.app.registry.webhook_readers.pop("lab")
    client = await lab.client()
    problem(await send(client, "lab", secret, {}), 404, "no-such-source")
    shown = (await (await lab.owner()).get("/api/sources/lab")).json()
    assert shown["is_kind_installed"] is False
    assert any("has the kind 'lab', which is not known" in each for each in lab.app.sources.know_secrets())


async def test_a_push_is_read_by_the_shipped_example(served: Served):
    owner = await served.owner()
    made = (await owner.post("/api/sources", json={"name": "acme-git", "kind": "git-push", "prefix": ""})).json()
    assert (made["signature_header"], made["algorithm"]) == ("X-Hub-Signature-256", "sha256")
    client = await served.client()

    async def push(**body: Any) -> dict[str, Any]:
        raw = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/json",
            "X-Hub-Signature-256": f"sha256={signature(made['secret'], raw, 'sha256')}",
        }
        answer = await client.post("/api/sources/acme-git", content=raw, headers=headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    base = {
        "ref": "refs/heads/fix/mtu",
        "repository": {"full_name": "acme/configs"},
        "pusher": {"name": "eve"},
        "head_commit": {"message": "Raise the MTU"},
    }
    assert (await push(zen="Keep it logically awesome.", hook_id=1))["outcome"] == "ignored"
    assert (await push(**{**base, "ref": "refs/tags/v1", "before": "0" * 40, "after": "a" * 40}))[
        "outcome"
    ] == "ignored"
    await push(**base, before="0" * 40, after="a" * 40)
    await push(**base, before="a" * 40, after="b" * 40)
    await push(**{**base, "head_commit": None}, before="b" * 40, after="0" * 40)
    told = await served.app.changes(ChangeQuery(object_type="git.branch", ascending=True))
    assert [(each.action, each.object_pk, each.user_name) for each in told] == [
        (action, "acme:configs:fix:mtu", "eve") for action in ("create", "update", "delete")
    ]
    assert json.loads(told[1].postchange or "")["commit"] == "b" * 40
