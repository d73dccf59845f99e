"""One job hook sees one object's changes in commit order, one at a time; different objects run side by side."""

import asyncio
from collections import defaultdict

import pytest

from buttonhook import JobResultStatus
from buttonhook.dispatcher import dispatcher, lanes
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_changes, all_results, hook_up, put, until

SOURCE = """
    import asyncio
    import threading
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    gate = asyncio.Event()
    begun = []
    ended = []
    barrier = None
    thread_barrier = None

    class Slow(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.append((change.object_pk, change.id))
            for _ in range(change.id % 3):
                await asyncio.sleep(0)
            ended.append((change.object_pk, change.id))

    class Held(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.append((change.object_pk, change.id))
            await gate.wait()
            ended.append((change.object_pk, change.id))

    class Plain(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            begun.append((change.object_pk, change.id))
            ended.append((change.object_pk, change.id))

    class Meeting(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await barrier.wait()

    class Crowd(JobHookReceiver):
        class Meta:
            ordering = "none"

        async def receive_job_hook(self, change, action, changed_object):
            await barrier.wait()

    class ThreadMeeting(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            thread_barrier.wait(30)

    register_jobs(Slow, Held, Plain, Meeting, Crowd, ThreadMeeting)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
def small_window(monkeypatch):
    """Limits so small that lanes and backlog run over them at once."""
    monkeypatch.setattr(dispatcher, "WINDOW", 60)
    monkeypatch.setattr(dispatcher, "LOAD_SIZE", 25)
    monkeypatch.setattr(dispatcher, "LANE_SIZE", 6)
    monkeypatch.setattr(lanes, "LANE_SIZE", 6)


async def change_often(app, pks, count):
    """Make `count` changes of each object, the objects at once."""

    async def change(pk):
        thing = await app.objects("demo.thing").create(pk=pk, n=0)
        for n in range(1, count):
            thing.n = n
            await thing.save()

    await asyncio.gather(*(change(pk) for pk in pks))


async def assert_in_order(app, plugin):
    committed = defaultdict(list)
    for change in await all_changes(app):
        committed[change.object_pk].append(change.id)
    for moment in (plugin.begun, plugin.ended):
        seen = defaultdict(list)
        for pk, change_id in moment:
            seen[pk].append(change_id)
        assert seen == committed


@pytest.mark.parametrize("job", ["Slow", "Plain"])
async def test_thousands_of_changes_of_few_objects_run_in_commit_order(demo, job):
    async with demo.open() as app:
        await hook_up(app, job)
        await change_often(app, "abcd", 500)
        results = await all_results(app)
        import demo as plugin

        assert len(results) == 2000
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}
        await assert_in_order(app, plugin)


async def test_lanes_and_backlogs_beyond_the_window_keep_the_order(demo, small_window):
    async with demo.open() as app:
        await hook_up(app, "Slow")
        await change_often(app, "abcdefgh", 150)
        results = await all_results(app)
        import demo as plugin

        assert len(results) == 1200
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}
        await assert_in_order(app, plugin)


async def test_a_backlog_behind_held_runs_stays_in_the_store_and_then_runs_in_order(demo, small_window):
    async with demo.open(max_running=10) as app:
        await hook_up(app, "Held")
        import demo as plugin

        await change_often(app, "abc", 200)
        await change_often(app, [f"single-{n}" for n in range(200)], 1)
        # The one look inside: what waits in memory is bounded, whatever waits in the store.
        assert app._dispatcher._lanes.held <= dispatcher.WINDOW + dispatcher.LOAD_SIZE
        waiting = [result for result in await _unfinished(app) if result.status is JobResultStatus.PENDING]
        assert len(waiting) == 800 - 10
        plugin.gate.set()
        results = await all_results(app)
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}
        assert len(plugin.ended) == len(results) == 800
        await assert_in_order(app, plugin)


async def test_a_backlog_of_an_earlier_process_runs_in_order_while_news_come_in(demo, small_window):
    async with demo.open() as app:
        await hook_up(app, "Held")
        await change_often(app, "ab", 150)
    async with demo.open() as app:
        import demo as plugin

        plugin.begun.clear()
        plugin.gate.set()
        for n in range(150):
            await put(app, "a", later=n)
            await put(app, f"new-{n}", n=n)
        results = await all_results(app)
        assert len(results) == 600
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}
        await assert_in_order(app, plugin)


async def test_a_backlog_is_begun_in_portions_and_not_all_before_the_first_end_is_stored(demo, monkeypatch):
    monkeypatch.setattr(dispatcher, "MAX_CLAIMS", 10)
    async with demo.open() as app:
        await hook_up(app, "Held")
        await change_often(app, [f"single-{n}" for n in range(300)], 1)
    counts = [0, 0]
    most = []

    def count(rows):
        counts[0] += len(rows.claims)
        counts[1] += len(rows.outcomes)
        most.append(counts[0] - counts[1])

    async with demo.open() as app:
        import demo as plugin

        app.notices.listen(count)
        plugin.gate.set()
        assert {result.status for result in await all_results(app)} == {JobResultStatus.SUCCESS}
    assert counts == [300, 300]
    assert max(most) <= 3 * 10


async def test_no_lane_ever_has_two_runs_at_once(demo, small_window):
    async with demo.open() as app:
        await hook_up(app, "Held")
        import demo as plugin

        await change_often(app, "ab", 20)
        # Every run that could begin is held at the gate now.
        await until(lambda: app.running_count == 2 and len(plugin.begun) == 2)
        assert [pk for pk, _ in sorted(plugin.begun)] == ["a", "b"]
        plugin.gate.set()
        await app.drain()


async def test_receivers_of_different_objects_run_at_once(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.barrier = asyncio.Barrier(300)
        await hook_up(app, "Meeting")
        await change_often(app, [str(n) for n in range(300)], 1)
        assert await app.drain(30)
        assert {result.status for result in await all_results(app)} == {JobResultStatus.SUCCESS}


async def test_plain_receivers_of_different_objects_run_at_once(demo):
    import threading

    async with demo.open() as app:
        import demo as plugin

        plugin.thread_barrier = threading.Barrier(20)
        await hook_up(app, "ThreadMeeting")
        await change_often(app, [str(n) for n in range(20)], 1)
        await app.drain()
        assert {result.status for result in await all_results(app)} == {JobResultStatus.SUCCESS}


async def test_ordering_none_lets_runs_of_one_object_meet(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.barrier = asyncio.Barrier(50)
        await hook_up(app, "Crowd")
        await change_often(app, ["one"], 50)
        assert await app.drain(30)
        assert {result.status for result in await all_results(app)} == {JobResultStatus.SUCCESS}


async def test_no_more_jobs_run_at_once_than_allowed(demo):
    async with demo.open(max_running=3) as app:
        import demo as plugin

        await hook_up(app, "Held")
        await change_often(app, [str(n) for n in range(30)], 1)
        await until(lambda: len(plugin.begun) == 3)
        assert app.running_count == 3
        plugin.gate.set()
        await app.drain()
        assert len(plugin.ended) == 30


async def test_two_hooks_on_one_object_do_not_wait_for_each_other(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Held")
        await hook_up(app, "Plain")
        await change_often(app, ["one"], 5)
        await until(lambda: len(plugin.ended) == 5 and app.running_count == 1)
        assert len(plugin.begun) == 6
        plugin.gate.set()
        await app.drain()


async def _unfinished(app):
    return [result for result in await app.results(ResultQuery(limit=10_000)) if not result.status.is_final]
