"""Batches decided on what those before them will leave, while these are still being written."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import buttonhook.app
from buttonhook import App, JobHookReceiver, Ref, TrackedObject, open_app
from buttonhook.errors import BrokenReference, ObjectExists, StorageLost, StoreError, UniqueViolation
from buttonhook.recorder.flights import MAX_FLIGHTS
from buttonhook.recorder.recorder import MAX_WAITING
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.settings import Settings
from buttonhook.stores.base import Decision, Needs, Written
from buttonhook.stores.sqlite.store import SqliteStore
from tests.scenarios.story import until

FREE = "t.thing"


class Site(TrackedObject, object_type="t.site", unique=("name",)):
    name: str


class Box(TrackedObject, object_type="t.box"):
    site: Ref[Site]


class Counter(JobHookReceiver):
    class Meta:
        object_types = (FREE,)

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> int:
        return int(change.object_data["n"])


class SlowStore(SqliteStore):
    """The real store, its writes held back until they are let go: what is decided meanwhile stands behind them."""

    gate = asyncio.Event()
    news = asyncio.Event()
    sent = 0
    fails = 0
    behind = 0
    is_lost = False

    async def write(self, decision: Decision, *, is_behind: bool = False) -> Written:
        cls = type(self)
        cls.sent += 1
        cls.behind += is_behind
        cls.news.set()
        await cls.gate.wait()
        if cls.is_lost:
            raise StorageLost(str(self._path), "the flush failed")
        if cls.fails:
            cls.fails -= 1
            return await super().write(_failing(), is_behind=is_behind)
        return await super().write(decision, is_behind=is_behind)


def _failing() -> Decision:
    raise StoreError("this batch fails")
    yield Needs()  # a generator all the same


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> type[SlowStore]:
    monkeypatch.setattr(buttonhook.app, "SqliteStore", SlowStore)
    SlowStore.gate, SlowStore.news = asyncio.Event(), asyncio.Event()
    SlowStore.gate.set()
    SlowStore.sent = SlowStore.fails = SlowStore.behind = 0
    SlowStore.is_lost = False
    return SlowStore


@asynccontextmanager
async def opened(tmp_path: Path) -> AsyncIterator[App]:
    async with open_app(
        str(tmp_path / "a.db"), receivers=[Counter], object_types=[FREE, Site, Box], load_plugins=False
    ) as app:
        await app.configuration.enable_job("Counter")
        yield app


async def sent(slow: type[SlowStore], count: int) -> None:
    """Until so many batches were sent to the store since the gate was closed."""
    while slow.sent < count:
        slow.news.clear()
        await slow.news.wait()


async def closed(slow: type[SlowStore]) -> None:
    slow.gate.clear()
    slow.sent = slow.behind = 0


async def test_an_update_stands_on_the_one_that_is_being_written(slow: type[SlowStore], tmp_path: Path):
    async with opened(tmp_path) as app:
        thing = await app.objects(FREE).create(pk="a", n=0)
        other: Any = await app.objects(FREE).get("a")
        await app.drain()
        await closed(slow)
        thing.n = 1
        first = asyncio.ensure_future(thing.save())
        await sent(slow, 1)
        other.note = "x"
        second = asyncio.ensure_future(other.save())
        await sent(slow, 2)
        slow.gate.set()
        await asyncio.gather(first, second)
        await app.drain()
        changes = await app.changes(ChangeQuery(object_type=FREE, ascending=True))
        assert [(each.prechange, each.postchange) for each in changes] == [
            (None, '{"n":0}'),
            ('{"n":0}', '{"n":1}'),
            ('{"n":1}', '{"n":1,"note":"x"}'),
        ]
        results = await app.results(ResultQuery(ascending=True))
        assert [(each.status.value, each.result) for each in results] == [("success", n) for n in "011"]
        assert slow.behind
        assert (await app.check()).problems == []


async def test_unique_values_keys_and_references_are_judged_on_what_is_being_written(
    slow: type[SlowStore], tmp_path: Path
):
    async with opened(tmp_path) as app:
        async with app.transaction():
            await Site(pk="gone", name="Gone").save()
        await closed(slow)
        sites, boxes = app.objects(Site), app.objects(Box)
        first = asyncio.ensure_future(asyncio.gather(sites.create(pk="s", name="AMS"), boxes.create(pk="b0", site="s")))
        await sent(slow, 1)
        tries = [
            sites.create(pk="t", name="AMS"),
            sites.create(pk="s", name="Other"),
            boxes.create(pk="b1", site="s"),
            boxes.create(pk="b2", site="nowhere"),
        ]
        second = asyncio.gather(*tries, return_exceptions=True)
        await sent(slow, 2)
        slow.gate.set()
        await first
        kinds = [type(each) for each in await second]
        assert kinds == [UniqueViolation, ObjectExists, Box, BrokenReference]
        assert slow.behind
        assert (await app.check()).problems == []


async def test_with_a_batch_that_fails_those_behind_it_are_decided_anew(slow: type[SlowStore], tmp_path: Path):
    async with opened(tmp_path) as app:
        await closed(slow)
        things = app.objects(FREE)
        first = asyncio.gather(things.create(pk="a", n=1), things.create(pk="b", n=2))
        await sent(slow, 1)
        second = asyncio.ensure_future(things.create(pk="c", n=3))
        await sent(slow, 2)
        slow.fails = 1  # the first; each of its pieces alone is written well
        slow.gate.set()
        await asyncio.gather(first, second)
        assert (slow.behind, slow.fails) == (1, 0)
        await app.objects(FREE).create(pk="d", n=4)
        await app.drain()
        results = await app.results(ResultQuery(ascending=True))
        assert [(each.object_pk, each.status.value) for each in results] == [(pk, "success") for pk in "abcd"]
        assert (await app.check()).problems == []


async def test_who_waits_for_a_batch_that_stands_behind_a_lost_disk_is_told(slow: type[SlowStore], tmp_path: Path):
    writes: list[asyncio.Future[Any]] = []

    async def lose_the_disk() -> None:
        async with opened(tmp_path) as app:
            await closed(slow)
            recorder = app._recorder
            for number in range(MAX_FLIGHTS + 2):  # the last but one is taken up and waits for its turn, the last waits
                writes.append(asyncio.ensure_future(app.objects(FREE).create(pk=str(number), n=number)))
                await until(lambda: MAX_WAITING - recorder._room.value == len(writes))
                await until(lambda: len(recorder._first) == (len(writes) > MAX_FLIGHTS + 1))
            slow.is_lost = True
            slow.gate.set()
            await asyncio.Event().wait()

    app_ends = asyncio.create_task(lose_the_disk())
    await asyncio.wait([app_ends], timeout=20)
    await asyncio.wait(writes, timeout=5)
    told = [type(each.exception()) if each.done() else None for each in (app_ends, *writes)]
    assert told == [StorageLost] * (1 + MAX_FLIGHTS + 2)


async def test_a_lost_disk_is_told_as_such_also_where_thousands_wait_to_be_claimed(
    slow: type[SlowStore], tmp_path: Path
):
    settings = Settings(db=f"sqlite:///{tmp_path / 'a.db'}", max_running=5)

    async def lose_the_disk() -> None:
        async with open_app(settings=settings, receivers=[Counter], object_types=[FREE], load_plugins=False) as app:
            await app.configuration.enable_job("Counter")
            async with app.transaction():
                for number in range(2000):
                    await app.objects(FREE).create(n=number)
            await closed(slow)
            assert app._dispatcher is not None
            assert len(app._dispatcher._lanes.ready) > 1000
            slow.is_lost = True
            slow.gate.set()
            await asyncio.Event().wait()

    with pytest.raises(StorageLost):
        await asyncio.wait_for(lose_the_disk(), 20)


async def test_one_lane_stays_in_order_when_many_batches_are_under_way(tmp_path: Path):
    async with opened(tmp_path) as app:
        thing = await app.objects(FREE).create(pk="a", n=0)

        async def fill() -> None:
            for turn in range(100):
                await app.objects(FREE).create(n=turn)

        filling = [asyncio.ensure_future(fill()) for _ in range(8)]
        for turn in range(1, 150):
            thing.n = turn
            await thing.save()
        await asyncio.gather(*filling)
        await app.drain()
        results = await app.results(ResultQuery(object_type=FREE, object_pk="a", limit=1000))
        began = sorted(results, key=lambda each: (each.started_at, each.number))
        assert [each.number for each in began] == sorted(each.number for each in results)
        assert [int(each.result or -1) for each in sorted(results, key=lambda each: each.number)] == list(range(150))
