"""Runs that wait for nothing are carried out one after the other in one task: none of them may notice."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from tests.scenarios.story import all_results, hook_up, log_of

SOURCE = """
    import asyncio, contextvars, time
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    mark = contextvars.ContextVar("mark", default="nothing")
    released = asyncio.Event()
    turns = []

    class Marks(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("found %s", mark.get())
            mark.set(change.object_pk)

    class MarksAndWaits(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            mark.set(change.object_pk)
            for _ in range(3):
                await asyncio.sleep(0)
            self.logger.info("kept %s", mark.get())

    class Cancels(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            if change.object_pk == "pk-0":
                asyncio.current_task().cancel()
            elif change.object_pk == "pk-1":
                asyncio.current_task().cancel()
                asyncio.current_task().uncancel()
            else:
                await asyncio.sleep(0)

    class Releases(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            if change.object_pk == "pk-9":
                released.set()
            elif change.object_pk < "pk-5":
                await released.wait()

    class Busy(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            until = time.monotonic() + 0.004
            while time.monotonic() < until:
                pass
            self.logger.info("turn %d", len(turns))

    register_jobs(Marks, MarksAndWaits, Cancels, Releases, Busy)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def ten_at_once(app, job):
    """Fire one job on ten objects of one transaction; return the results in order."""
    await hook_up(app, job)
    async with app.transaction():
        for number in range(10):
            await app.objects("demo.thing").create(pk=f"pk-{number}")
    await app.drain()
    results = sorted(await all_results(app), key=lambda each: each.object_pk)
    assert [each.object_pk for each in results] == [f"pk-{number}" for number in range(10)]
    return results


async def words_of(app, results, beginning):
    """What each run logged behind `beginning`."""
    lines = [line.message for result in results for line in await log_of(app, result)]
    return [line.removeprefix(beginning) for line in lines if line.startswith(beginning)]


async def test_what_a_run_sets_in_a_context_variable_ends_with_it(demo):
    async with demo.open() as app:
        results = await ten_at_once(app, "Marks")
        assert await words_of(app, results, "found ") == ["nothing"] * 10


async def test_a_run_that_waits_keeps_its_own_context(demo):
    async with demo.open() as app:
        results = await ten_at_once(app, "MarksAndWaits")
        assert await words_of(app, results, "kept ") == [f"pk-{number}" for number in range(10)]


async def test_a_run_that_cancels_its_task_and_ends_cancels_no_other(demo):
    async with demo.open() as app:
        results = await ten_at_once(app, "Cancels")
        assert [each.status for each in results] == [JobResultStatus.SUCCESS] * 10


async def test_runs_that_wait_keep_nobody_from_running(demo):
    async with demo.open() as app:
        async with asyncio.timeout(20):
            results = await ten_at_once(app, "Releases")
        assert [each.status for each in results] == [JobResultStatus.SUCCESS] * 10


async def test_the_loop_has_its_turn_between_many_short_runs(demo):
    async with demo.open() as app:
        import demo as plugin

        loop, is_over = asyncio.get_running_loop(), False

        def turn():
            plugin.turns.append(None)
            if not is_over:
                loop.call_soon(turn)

        turn()
        results = await ten_at_once(app, "Busy")
        is_over = True
        turns = await words_of(app, results, "turn ")
        assert len(set(turns)) > 2
