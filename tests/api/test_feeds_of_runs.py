"""Feeds of a run's log and of notices: live, in order, and only what one may see."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook import JobButtonReceiver
from buttonhook.errors import RetryLater
from buttonhook.http import feeds, recent, tails
from buttonhook.people import Constraint
from tests.api.feeding import Following, following, refused
from tests.api.served import Served, problem, served_app
from tests.scenarios.story import until

NOTICES = "/api/notices"
SEE_RUNS = ("jobs.view_jobresult", "jobs.view_joblogentry")


class Talker(JobButtonReceiver):
    """Says what the test tells it to, until it is told None."""

    lines: "asyncio.Queue[str | None]"

    async def receive_job_button(self, obj: Any) -> str:
        while (line := await self.lines.get()) is not None:
            if line == "again":
                raise RetryLater(0)
            self.logger.info("%s", line)
        return "done"


@pytest.fixture
async def talking(tmp_path: Path) -> AsyncIterator[Served]:
    """A served app with a button that talks, and two locations, of which one is hidden from most."""
    Talker.lines = asyncio.Queue()
    async with served_app(tmp_path, receivers=[Talker]) as served:
        await served.app.configuration.enable_job("Talker")
        await served.app.objects("dcim.location").create(pk="ams", name="AMS")
        await served.app.objects("dcim.location").create(pk="hidden", name="canary", status="planned")
        await served.app.configuration.add_button(
            name="Talk", job="Talker", object_types=["dcim.location"], text="Talk"
        )
        yield served
        Talker.lines.put_nowait(None)


async def press(served: Served, pk: str = "ams") -> str:
    (result,) = await served.app.press("Talk", "dcim.location", [pk])
    return result.id


async def see(served: Served, name: str, *permissions: str) -> Any:
    """A user who sees locations that are active."""
    client = await served.user(name, *permissions)
    await served.user(name, "dcim.view_location", constraints=[Constraint("status", "=", "active")])
    return client


async def messages(feed: Following, count: int) -> list[str]:
    found = []
    while len(found) < count:
        event = await feed.next()
        if event.kind == "entry" and event.data["grouping"] == "receive_job_button":
            found.append(event.data["message"])
    return found


async def test_a_log_is_told_line_by_line_until_the_run_has_ended(talking: Served):
    bob = await see(talking, "bob", *SEE_RUNS)
    id_ = await press(talking)
    async with following(bob, f"/api/job-results/{id_}/logs/feed") as feed:
        for line in ("one", "two", "three"):
            Talker.lines.put_nowait(line)
            assert await messages(feed, 1) == [line]
        Talker.lines.put_nowait(None)
        events = await feed.rest()
    assert [event.kind for event in events[-2:]] == ["status", "end"]
    assert (events[-2].data["id"], events[-2].data["status"], events[-2].data["result"]) == (id_, "success", "done")
    assert (events[-1].data["reason"], events[-1].data["last_id"]) == ("done", feed.last_id)
    async with following(bob, f"/api/job-results/{id_}/logs/feed", last_id=feed.last_id) as again:
        assert [event.kind for event in await again.rest()] == ["status", "end"]


async def test_a_log_goes_on_behind_any_entry_over_attempts(talking: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(tails, "LOG_PAGE", 7)
    client = await talking.owner()
    id_ = await press(talking)
    path = f"/api/job-results/{id_}/logs/feed"
    told: list[Any] = []
    statuses = set()
    async with following(client, path) as feed:
        for line in (*map(str, range(40)), "again", *map(str, range(40, 60))):
            Talker.lines.put_nowait(line)
        while len(told) < 30:
            event = await feed.next()
            told += [event.data] if event.kind == "entry" else []
        last_id = feed.last_id
    async with following(client, path, last_id=last_id) as feed:
        Talker.lines.put_nowait(None)
        for event in await feed.rest():
            told += [event.data] if event.kind == "entry" else []
            statuses.add(event.data["attempt"] if event.kind == "status" else 0)
    assert [
        each["message"] for each in told if each["grouping"] == "receive_job_button" and each["message"].isdigit()
    ] == [str(number) for number in range(60)]
    assert len({(each["attempt"], each["seq"]) for each in told}) == len(told)
    assert 2 in statuses


async def test_a_log_is_told_to_who_may_see_it_alone(talking: Served):
    hidden = await press(talking, "hidden")
    Talker.lines.put_nowait(None)
    await talking.app.drain()
    id_ = await press(talking)
    bob = await see(talking, "bob", *SEE_RUNS)
    problem(await refused(bob, f"/api/job-results/{hidden}/logs/feed"), 404, "record-not-found")
    problem(await refused(bob, "/api/job-results/none/logs/feed"), 404, "record-not-found")
    eve = await see(talking, "eve", "jobs.view_jobresult")
    problem(await refused(eve, f"/api/job-results/{id_}/logs/feed"), 403, "permission-denied")
    async with following(bob, f"/api/job-results/{id_}/logs/feed") as feed:
        Talker.lines.put_nowait("seen")
        await messages(feed, 1)
        location = await talking.app.objects("dcim.location").get("ams")
        location.status = "planned"
        await location.save()
        Talker.lines.put_nowait("canary")
        end = (await feed.rest())[-1]
    assert (end.kind, end.data["reason"]) == ("end", "gone")


async def test_notices_tell_what_changed_and_how_runs_stand(talking: Served):
    client = await talking.owner()
    statuses, types = [], set()
    async with following(client, NOTICES) as feed:
        id_ = await press(talking)
        Talker.lines.put_nowait(None)
        await talking.app.objects("dcim.manufacturer").create(name="Juniper")
        while "success" not in statuses or "dcim.manufacturer" not in types:
            event = await feed.next()
            assert (event.kind, event.data["is_all"], event.id) == ("notice", False, None)
            types.update(event.data["object_types"])
            statuses += [each["status"] for each in event.data["job_results"] if each["id"] == id_]
    assert types == {"dcim.manufacturer"}


async def test_notices_tell_nothing_of_what_is_hidden(talking: Served):
    bob = await see(talking, "bob", *SEE_RUNS, "jobs.view_objectchange")
    async with following(bob, NOTICES) as feed, following(await talking.user("eve"), NOTICES) as nothing:
        await press(talking, "hidden")
        location = await talking.app.objects("dcim.location").get("hidden")
        location.name = "canary too"
        await location.save()
        await talking.app.objects("dcim.manufacturer").create(name="canary")
        talking.daemon.feeds._close_window()
        await talking.app.objects("dcim.location").create(pk="lon", name="LON")
        event = await feed.next()
        assert event.data == {
            "object_types": ["dcim.location"],
            "last_change": talking.app.notices.last_change,
            "job_results": [],
            "is_all": False,
        }
        talking.daemon.stopping.set()
        assert [each.kind for each in await nothing.rest()] == ["end"]


async def test_more_than_notices_hold_is_told_as_such(talking: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(recent, "WINDOW_CHANGES", 3)
    monkeypatch.setattr(feeds, "WINDOW_SECONDS", 0.01)
    client = await talking.owner()
    async with following(client, NOTICES) as feed:
        session = talking.app.session()
        async with session.transaction():
            for number in range(4):
                await session.objects("dcim.location").create(name=f"L{number}")
        event = await feed.next()
        assert event.data == {"object_types": [], "last_change": None, "job_results": [], "is_all": True}
        await talking.app.objects("dcim.location").create(name="one more")
        assert (await feed.next()).data["object_types"] == ["dcim.location"]
    await until(lambda: talking.daemon.feeds.count == 0)
