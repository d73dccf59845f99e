"""Health tells the truth, the disk being full included; figures and the audit log are for those who may see them."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx

from buttonhook.people import Constraint
from tests.api.served import Served, problem, served_app


@contextmanager
def full_disk(database: Path) -> Iterator[None]:
    """No file of this process grows beyond the size of the database's write-ahead log."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = database.with_name(f"{database.name}-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def audit(client: httpx.AsyncClient, count: int, **params: object) -> list[dict[str, Any]]:
    """The audit log, when it holds so many entries: they are written beside the answers."""
    with anyio.fail_after(10):
        while True:
            page = (await client.get("/api/audit", params={"limit": 1000, **params})).json()
            if len(page["items"]) >= count:
                return list(page["items"])


async def test_a_full_disk_is_told_and_not_ready_and_forgotten_when_there_is_room_again(served: Served):
    owner, nobody = await served.owner(), await served.client()
    assert (await nobody.get("/readyz")).json() == {"status": "ready", "reason": ""}
    with full_disk(served.app.settings.database_path):
        answer = await owner.post("/api/groups", json={"name": "x" * 200})
        problem(answer, 503, "storage-unavailable")
        assert int(answer.headers["retry-after"]) > 0
        for _ in range(3):
            not_ready = await nobody.get("/readyz")
            assert (not_ready.status_code, not_ready.json()) == (503, {"status": "not ready", "reason": "storage"})
        assert (await nobody.get("/healthz")).status_code == 200
        assert (await owner.get("/api/groups")).json()["items"] == []
        assert "buttonhook_storage_ok 0.0" in (await owner.get("/metrics")).text
    with anyio.fail_after(10):
        while (await nobody.get("/readyz")).status_code != 200:
            pass
    assert (await owner.post("/api/groups", json={"name": "after"})).status_code == 201
    (told,) = await audit(owner, 1, kind="storage")
    assert "could not be written" in told["what"]


async def test_a_database_whose_file_is_lost_is_told_until_it_is_back(served: Served):
    client, path = await served.client(), served.app.settings.database_path
    hidden = path.with_name("hidden.db")
    path.rename(hidden)
    for make in (lambda: None, path.touch):
        make()
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reason"]) == (503, "storage")
        assert "file" in (served.daemon.why_not_ready or "")
    hidden.replace(path)
    assert (await client.get("/readyz")).status_code == 200


async def test_a_daemon_that_stops_is_not_ready(served: Served):
    client = await served.client()
    served.daemon.stopping.set()
    answer = await client.get("/readyz")
    assert (answer.status_code, answer.json()["reason"]) == (503, "stopping")


async def test_figures_are_for_those_who_may_see_them_all(served: Served):
    problem(await (await served.client()).get("/metrics"), 401, "not-logged-in")
    problem(await (await served.user("bob")).get("/metrics"), 403, "permission-denied")
    narrow = await served.user("eve", "jobs.view_metric", constraints=[Constraint("pk", "=", "x")])
    problem(await narrow.get("/metrics"), 403, "permission-denied")
    client = await served.user("prometheus", "jobs.view_metric", scopes=["jobs.view_metric"])
    answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'buttonhook_http_requests_total{method="GET",status="403"} 2.0' in answer.text
    assert "buttonhook_jobs_running 0.0" in answer.text
    await client.request("PROPFIND", "/metrics")
    assert 'method="other"' in (await client.get("/metrics")).text


async def test_the_audit_log_tells_who_was_denied_what_page_by_page(served: Served):
    bob, owner = await served.user("bob"), await served.owner()
    for number in range(3):
        await bob.post("/api/users", json={"name": f"n{number}"})
    denied = await bob.patch("/api/users/ann", json={"is_owner": False})
    problem(denied, 403, "permission-denied")
    problem(await bob.get("/api/audit"), 403, "permission-denied")
    await audit(owner, 5, kind="denied")
    first = (await owner.get("/api/audit", params={"kind": "denied", "limit": 2})).json()
    assert [each["user_name"] for each in first["items"]] == ["bob", "bob"]
    assert first["items"][1]["request_id"] == denied.headers["x-request-id"]
    second = (await owner.get("/api/audit", params={"kind": "denied", "limit": 9, "cursor": first["next"]})).json()
    assert (len(second["items"]), second["next"]) == (3, None)
    assert not {each["id"] for each in first["items"]} & {each["id"] for each in second["items"]}
    other = await owner.get("/api/audit", params={"kind": "login", "cursor": first["next"]})
    assert "another list" in problem(other, 400, "query-error")["detail"]


async def test_a_flood_of_denials_is_thinned_out_and_said_so(served: Served):
    client, owner = await served.client(), await served.owner()
    client.headers["Authorization"] = "Bearer x"
    for _ in range(260):
        await client.get("/api/me")
    seen = await audit(owner, 200, kind="token_refused")
    assert 200 <= len(seen) < 260
    with anyio.fail_after(10):
        while "were left out" not in seen[0]["what"]:
            await client.get("/api/me")
            seen = (await owner.get("/api/audit", params={"kind": "token_refused", "limit": 1})).json()["items"]


async def test_the_audit_log_keeps_the_last_entries_only(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("buttonhook.stores.sqlite.store.MAX_AUDIT", 3)
    async with served_app(tmp_path) as served:
        owner = await served.owner()
        bob = await served.user("bob")
        for _ in range(5):
            await bob.get("/api/audit")
        with anyio.fail_after(10):
            while [each["id"] for each in await audit(owner, 0)] != [5, 4, 3]:
                pass
