"""Feeds of object changes: who sees what, where a feed begins, goes on and ends."""

import asyncio
import random
from pathlib import Path
from typing import Any

import httpx
import pytest

from buttonhook.http import feeds, recent, tails
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from tests.api.feeding import following, refused
from tests.api.served import Served, problem, served_app
from tests.scenarios.story import until

FEED = "/api/object-changes/feed"
SEE_LOCATIONS = ("jobs.view_objectchange", "dcim.view_location")


async def make(served: Served, *names: str, user: str = "ann", **fields: Any) -> None:
    """Locations, in one transaction."""
    session = served.app.session(user)
    async with session.transaction():
        for name in names:
            await session.objects("dcim.location").create(name=name, **fields)


def name_of(event: Any) -> str:
    return str(event.data["object_repr"])


async def test_a_change_is_told_as_it_happens_and_as_the_api_gives_it(served: Served):
    client = await served.owner()
    async with following(client, FEED) as feed:
        await make(served, "AMS01")
        event = await feed.next()
    assert (event.kind, event.data["object_type"], name_of(event)) == ("change", "dcim.location", "AMS01")
    assert event.id == str(event.data["id"])


async def test_a_feed_goes_on_behind_any_change_and_tells_each_once_in_order(served: Served):
    client = await served.owner()
    for number in range(3):
        await make(served, *(f"L{number}-{each}" for each in range(250)))
    wanted = [each.id for each in await served.app.changes(ChangeQuery(ascending=True, limit=2000))]
    async with following(client, FEED, after=0) as feed:
        assert [int(event.id or "") for event in await feed.take(len(wanted))] == wanted
        await make(served, "live")
        assert name_of(await feed.next()) == "live"
    async with following(client, FEED, last_id=str(wanted[-2]), after=0) as feed:
        assert int((await feed.next()).id or "") == wanted[-1]
        assert name_of(await feed.next()) == "live"


async def test_a_feed_begins_now_unless_told_otherwise_and_says_where_that_is(served: Served):
    client = await served.owner()
    await make(served, "before")
    async with following(client, FEED) as feed:
        assert feed.last_id == str(served.app.notices.last_change)
        await make(served, "after")
        assert name_of(await feed.next()) == "after"


async def test_a_feed_is_about_one_type_object_or_user(served: Served):
    client = await served.owner()
    await make(served, "ann's", pk="one")
    await make(served, "bob's", user="bob")
    await served.app.objects("dcim.manufacturer").create(name="Other")
    await (await served.app.objects("dcim.location").get("one")).delete()

    async def told(**params: str) -> list[str]:
        async with following(client, FEED, after=0, **params) as feed:
            last = f"last for {params}"
            await make(served, last, user="bob", **({"pk": "one"} if "object_pk" in params else {}))
            names = [name_of(await feed.next())]
            while names[-1] != last:
                names.append(name_of(await feed.next()))
            return names[:-1]

    assert await told(object_type="dcim.location") == ["ann's", "bob's", "ann's"]
    assert await told(object_type="dcim.location", object_pk="one") == ["ann's", "ann's"]
    assert (await told(user="bob"))[0] == "bob's"


async def test_what_a_feed_is_asked_for_is_checked(served: Served):
    client = await served.owner()
    await make(served, "one")
    problem(await client.get(FEED, params={"object_pk": "one"}), 400, "bad-parameter")
    problem(await client.get(FEED, headers={"Last-Event-ID": "x"}), 400, "bad-parameter")
    problem(await client.get(FEED, params={"after": -1}), 400, "bad-parameter")
    problem(await client.get(FEED, params={"last_id": "1"}), 400, "bad-parameter")
    assert "last is" in problem(await client.get(FEED, params={"after": 10**9}), 409, "unknown-place")["detail"]
    problem(await (await served.client()).get(FEED), 401, "not-logged-in")
    problem(await (await served.user("bob", "dcim.view_location")).get(FEED), 403, "permission-denied")
    head = await client.head(FEED)
    assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert (await client.head(FEED)).status_code == 200, "the connection goes on"
    assert served.daemon.feeds.count == 0


# --- who sees what --------------------------------------------------------------------------------


async def test_no_change_of_an_object_that_was_hidden_before_or_after_is_told(served: Served):
    visible = Constraint("status", "=", "active")
    bob = await served.user("bob", "jobs.view_objectchange")
    await served.user("bob", "dcim.view_location", constraints=[visible])
    await make(served, "canary in hiding", status="planned")
    moved = await served.app.objects("dcim.location").create(name="seen at first", status="active")
    raw = []
    async with following(bob, FEED, after=0) as feed:
        assert name_of(await feed.next()) == "seen at first"
        moved.name, moved.status = "canary that hides", "planned"
        await moved.save()
        moved.status = "active"
        await moved.save()
        await served.app.objects("dcim.manufacturer").create(name="canary of another type")
        await make(served, "seen at last")
        event = await feed.next()
        raw.append(event.data)
        assert name_of(event) == "seen at last"
    assert "canary" not in str(raw)
    async with following(bob, FEED, after=0) as again:
        assert [name_of(event) for event in await again.take(2)] == ["seen at first", "seen at last"]


async def test_what_is_taken_from_a_user_is_not_told_any_more(served: Served):
    bob = await served.user("bob", *SEE_LOCATIONS, "dcim.view_manufacturer")
    people = served.app.administration
    async with following(bob, FEED) as feed:
        await make(served, "seen")
        assert name_of(await feed.next()) == "seen"
        await people.revoke(["dcim.view_location"], user="bob")
        await make(served, "canary")
        await served.app.objects("dcim.manufacturer").create(name="marker")
        assert name_of(await feed.next()) == "marker"
        await people.grant(["dcim.view_location"], users=["bob"])
        await make(served, "seen again")
        assert name_of(await feed.next()) == "seen again"
        await people.revoke(["jobs.view_objectchange"], user="bob")
        (end,) = await feed.rest()
    assert (end.kind, end.data["reason"], end.data["last_id"]) == ("end", "denied", feed.last_id)
    assert served.daemon.feeds.count == 0


async def end_login(served: Served, client: httpx.AsyncClient) -> None:
    assert (await client.post("/api/logout")).status_code == 204


async def set_password(served: Served, _: httpx.AsyncClient) -> None:
    await served.app.administration.set_password("bob", "another correct horse")


async def disable(served: Served, _: httpx.AsyncClient) -> None:
    await served.app.administration.edit_user("bob", is_disabled=True)


@pytest.mark.parametrize("act", [end_login, set_password, disable])
async def test_a_feed_ends_at_once_with_the_login_it_was_opened_by(served: Served, act: Any):
    bob = await served.browser("bob", *SEE_LOCATIONS)
    async with following(bob, FEED) as feed:
        await make(served, "seen")
        await feed.next()
        async with asyncio.timeout(1):
            await act(served, bob)
            (end,) = await feed.rest()
    assert (end.kind, end.data["reason"], end.data["last_id"]) == ("end", "logged-out", feed.last_id)


async def test_a_feed_ends_at_once_with_the_token_it_was_opened_by(served: Served):
    await served.user("bob", *SEE_LOCATIONS)
    people = served.app.administration
    record, removed = await people.add_token("bob")
    _, expiring = await people.add_token("bob", days=1 / 86_400)
    async with following(await served.client(removed), FEED) as feed:
        async with asyncio.timeout(1):
            await people.remove_token(record.name)
            (end,) = await feed.rest()
    assert end.data["reason"] == "logged-out"
    async with following(await served.client(expiring), FEED) as feed:
        async with asyncio.timeout(3):
            (end,) = await feed.rest()
    assert end.data["reason"] == "logged-out"


# --- coming back ----------------------------------------------------------------------------------


async def test_who_comes_back_again_and_again_sees_every_change_once_over_restarts(tmp_path: Path, rounds: int):
    draw = random.Random(7)
    made: list[int] = []
    seen: list[int] = []
    last_id = "0"

    async def write(served: Served, number: int) -> None:
        for count in range(40):
            await make(served, *(f"L{number}-{count}-{each}" for each in range(draw.randrange(1, 6))))

    for number in range(3 * rounds):
        async with served_app(tmp_path) as served:
            client = await served.owner()
            writing = asyncio.create_task(write(served, number))
            while not writing.done():
                async with following(client, FEED, last_id=last_id, object_type="dcim.location") as feed:
                    for _ in range(draw.randrange(30)):
                        seen.append(int((await feed.next()).id or ""))
                        if writing.done():
                            break
                    last_id = feed.last_id or ""
            await writing
            query = ChangeQuery(object_type="dcim.location", ascending=True, limit=100_000)
            made = [each.id for each in await served.app.changes(query)]
            async with following(client, FEED, last_id=last_id, object_type="dcim.location") as feed:
                while seen[-1:] != made[-1:]:
                    seen.append(int((await feed.next()).id or ""))
                served.daemon.stopping.set()
                (end,) = await feed.rest()
            assert end.data == {"reason": "stopping", "detail": end.data["detail"], "last_id": str(made[-1])}
            last_id = end.data["last_id"]
    assert seen == made


async def test_what_is_not_kept_in_memory_any_more_comes_from_the_store(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(recent, "RECENT_CHANGES", 5)
    monkeypatch.setattr(tails, "PIECE_BYTES", 2000)
    client = await served.owner()
    async with following(client, FEED, object_type="dcim.location") as feed:
        for number in range(60):
            await make(served, *(f"L{number}-{each}" for each in range(number % 8)))
        wanted = [f"L{number}-{each}" for number in range(60) for each in range(number % 8)]
        assert [name_of(event) for event in await feed.take(len(wanted))] == wanted


async def test_a_feed_without_news_shows_life_and_moves_its_place_on(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("buttonhook.http.streaming.BEAT_SECONDS", 0.05)
    monkeypatch.setattr(feeds, "TICK_SECONDS", 0.05)
    bob = await served.user("bob", *SEE_LOCATIONS)
    async with following(bob, FEED) as feed:
        await served.app.objects("dcim.manufacturer").create(name="Hidden")
        place = str(served.app.notices.last_change)
        async with asyncio.timeout(10):
            while feed.last_id != place:
                assert await feed.block() is None


# --- bounds ---------------------------------------------------------------------------------------


async def test_feeds_are_limited_for_each_user_and_in_total(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(feeds, "MOST_OF_ONE", 2)
    served.daemon.feeds.most = 3
    bob, eve = await served.user("bob", *SEE_LOCATIONS), await served.user("eve", *SEE_LOCATIONS)
    async with following(bob, FEED), following(bob, "/api/notices"):
        answer = await refused(bob, FEED)
        assert answer.headers["retry-after"] == "5"
        assert "'bob' has 2 feeds open" in problem(answer, 429, "too-many-feeds")["detail"]
        async with following(eve, FEED):
            assert "3 feeds are open" in problem(await refused(eve, FEED), 503, "too-many-feeds")["detail"]
    await until(lambda: served.daemon.feeds.count == 0)
    async with following(bob, FEED):
        pass


async def test_a_daemon_that_stops_opens_no_feeds(served: Served):
    client = await served.owner()
    served.daemon.stopping.set()
    problem(await refused(client, FEED), 503, "stopping")
