"""A change, its object and its job results are there together or not at all, and receivers see only what is there."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest

from buttonhook import InvalidDocument, JobResultStatus, StaleObject, UniqueViolation
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_changes, all_results, hook_up, log_of, only_result, put

SOURCE = """
    import asyncio
    from buttonhook import JobHookReceiver, TrackedObject, hookimpl, register_jobs

    gate = asyncio.Event()
    begun = asyncio.Event()
    seen = []

    class Thing(TrackedObject, object_type="demo.thing", unique=("name",), kw_only=True):
        name: str | None = None
        n: int = 0

    class Recorder(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            there = await self.objects("demo.thing").find(change.object_pk)
            seen.append((change.id, action, None if there is None else there.version))

    class Patient(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("attempt %d of %s", self.attempt, self.job_result.id)
            begun.set()
            await gate.wait()

    class Once(JobHookReceiver):
        class Meta:
            rerun_on_crash = False

        async def receive_job_hook(self, change, action, changed_object):
            begun.set()
            await gate.wait()

    register_jobs(Recorder, Patient, Once)

    @hookimpl
    def buttonhook_object_types():
        return [Thing]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def test_object_change_and_job_result_become_visible_together(demo):
    snapshots, is_over = [], threading.Event()

    def watch():
        with closing(sqlite3.connect(f"file:{demo.folder / 'story.db'}?mode=ro", uri=True)) as db:
            while not is_over.is_set():
                snapshots.extend(
                    db.execute(
                        "SELECT (SELECT count(*) FROM object), (SELECT count(*) FROM object_change), "
                        "(SELECT count(*) FROM job_result)"
                    )
                )

    async with demo.open() as app:
        await hook_up(app, "Recorder")
        watcher = threading.Thread(target=watch)
        watcher.start()
        for start in range(0, 400, 20):
            await asyncio.gather(*(app.objects("demo.thing").create(n=n) for n in range(start, start + 20)))
        await asyncio.to_thread(is_over.set)
        await asyncio.to_thread(watcher.join)
        assert len(await all_results(app, status=JobResultStatus.SUCCESS)) == 400
    assert len(set(snapshots)) > 2
    assert [each for each in snapshots if len(set(each)) != 1] == []


@pytest.mark.parametrize("case", ["unique", "invalid", "stale", "raise", "cancelled"])
async def test_a_refused_transaction_leaves_nothing_and_its_neighbours_do_not_notice(demo, case):
    errors = {
        "unique": UniqueViolation,
        "invalid": InvalidDocument,
        "stale": StaleObject,
        "raise": KeyError,
        "cancelled": asyncio.CancelledError,
    }
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        await put(app, "taken", name="taken")
        await app.drain()
        before = await all_changes(app), await all_results(app)
        old = await app.objects("demo.thing").get("taken")
        await put(app, "taken", n=1)

        async def refused():
            from demo import Thing

            async with app.transaction():
                await Thing(name="first", pk="first").save()
                match case:
                    case "unique":
                        await Thing(name="taken").save()
                    case "invalid":
                        await Thing(n="many").save()
                    case "stale":
                        loaded = await Thing.objects.get("taken")
                        loaded._state.text, loaded._state.version = old._state.text, old._state.version
                        loaded.n = 5
                        await loaded.save()
                    case "raise":
                        raise KeyError("x")
                    case _:
                        raise asyncio.CancelledError

        neighbours = [put(app, f"neighbour-{n}", name=f"neighbour-{n}") for n in range(20)]
        outcomes = await asyncio.gather(*neighbours[:10], refused(), *neighbours[10:], return_exceptions=True)
        assert [type(each) for each in outcomes if each is not None] == [errors[case]]
        assert not await app.objects("demo.thing").exists("first")
        names = {f"neighbour-{n}" for n in range(20)} | {"taken"}
        assert {change.object_pk for change in await all_changes(app)} == names
        assert len(await all_results(app)) == len(before[1]) + 21
        assert (await app.objects("demo.thing").get("taken")).n == 1


async def create_and_fail(app, type_):
    async with app.transaction():
        await type_(pk="never").save()
        raise ZeroDivisionError


async def test_receivers_see_their_change_committed_and_never_one_that_was_rolled_back(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        import demo as plugin

        for n in range(50):
            await put(app, "a", n=n + 1)
            with pytest.raises(ZeroDivisionError):
                await create_and_fail(app, plugin.Thing)
        await app.drain()
        changes = await all_changes(app)
        assert [change_id for change_id, _, _ in plugin.seen] == [change.id for change in changes]
        assert all(version >= change_id for change_id, _, version in plugin.seen)


async def test_a_delete_hands_over_no_object(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder", "demo.thing", actions=["delete"])
        import demo as plugin

        await put(app, "a")
        await (await app.objects("demo.thing").get("a")).delete()
        result = await only_result(app)
        assert result.status is JobResultStatus.SUCCESS
        assert plugin.seen == [(2, "delete", None)]


async def test_saves_of_one_transaction_merge_into_one_change_with_the_first_before_and_the_last_after(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        from demo import Thing

        await put(app, "old", n=1)
        async with app.transaction():
            old = await Thing.objects.get("old")
            for n in (2, 3, 4):
                old.n = n
                await old.save()
            new = Thing(n=1, pk="new")
            await new.save()
            new.n = 2
            await new.save()
        merged = (await all_changes(app))[1:]
        assert [(change.object_pk, change.action) for change in merged] == [("old", "update"), ("new", "create")]
        assert '"n":1' in merged[0].prechange
        assert '"n":4' in merged[0].postchange
        assert '"n":2' in merged[1].postchange
        assert merged[0].request_id == merged[1].request_id
        assert len(await all_results(app)) == 3


async def test_an_object_made_and_deleted_in_one_transaction_leaves_both_changes(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        from demo import Thing

        async with app.transaction():
            thing = Thing(pk="brief")
            await thing.save()
            await thing.delete()
        assert [change.action for change in await all_changes(app)] == ["create", "delete"]
        assert len(await all_results(app)) == 2


async def test_saves_that_come_to_nothing_write_nothing_and_fire_nothing(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        from demo import Thing

        await put(app, "a", n=1)
        await put(app, "a", n=1)
        async with app.transaction():
            thing = await Thing.objects.get("a")
            thing.n = 2
            await thing.save()
            thing.n = 1
            await thing.save()
        assert len(await all_changes(app)) == 1
        assert len(await all_results(app)) == 1


async def test_what_was_committed_before_a_stop_is_run_after_the_next_start(demo):
    async with demo.open() as app:
        await hook_up(app, "Recorder")
        await app.drain()
    async with demo.open() as app:
        await asyncio.gather(*(put(app, f"{n}") for n in range(300)))
    async with demo.open() as app:
        results = await all_results(app)
        assert len(results) == 300
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}


async def test_a_run_that_was_cut_off_is_run_again_under_the_same_id(demo):
    async with demo.open() as app:
        await hook_up(app, "Patient")
        import demo as plugin

        await put(app, "a")
        await plugin.begun.wait()
        (before,) = await app.results(ResultQuery())
        assert (before.status, before.attempt) == (JobResultStatus.STARTED, 1)
    plugin.gate.set()
    async with demo.open() as app:
        assert app.recovered.pending == []
        after = await only_result(app)
        assert (after.id, after.status, after.attempt, after.crashes) == (before.id, JobResultStatus.SUCCESS, 2, 0)
        entries = [(entry.attempt, entry.message) for entry in await log_of(app, after)]
        assert entries == [
            (1, f"attempt 1 of {before.id}"),
            (1, "Stopped with the process; it is run again"),
            (2, f"attempt 2 of {before.id}"),
        ]


async def test_a_job_that_forbids_it_is_not_run_again_but_ends_as_interrupted(demo):
    async with demo.open() as app:
        await hook_up(app, "Once")
        import demo as plugin

        await put(app, "a")
        await plugin.begun.wait()
    async with demo.open() as app:
        result = await only_result(app)
        assert (result.status, result.attempt) == (JobResultStatus.FAILURE, 1)
        assert result.error.startswith("interrupted")
