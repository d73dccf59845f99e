"""Time limits, singletons and caps: a run ends when it must, and nothing is dropped because something else runs."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from buttonhook.records import ResultQuery
from buttonhook.steering import RunControl
from tests.scenarios.story import all_results, hook_up, lines_of, messages_of, only_result, put, until

SOURCE = """
    import asyncio, threading, time
    from buttonhook import JobButtonReceiver, JobHookReceiver, SoftTimeLimitExceeded, hookimpl, register_jobs

    over, gate = threading.Event(), asyncio.Event()
    begun, running, most = [], set(), []

    class Soft(JobHookReceiver):
        class Meta:
            soft_time_limit = 0.05
            time_limit = 30

        async def receive_job_hook(self, change, action, changed_object):
            try:
                await asyncio.Event().wait()
            except SoftTimeLimitExceeded as exc:
                self.logger.warning("caught: %s", exc)
                await asyncio.sleep(0)
                changed_object.tidied = True
                await changed_object.save()
                return "tidied up"

    class SoftPlain(Soft):
        def receive_job_hook(self, change, action, changed_object):
            try:
                while not over.wait(0.01):
                    pass
            except SoftTimeLimitExceeded as exc:
                self.logger.warning("caught: %s", type(exc).__name__)
                changed_object.tidied = True
                changed_object.save()
                return "tidied up"

    class Uncaught(Soft):
        async def receive_job_hook(self, change, action, changed_object):
            await asyncio.Event().wait()
        async def on_failure(self, exc, result):
            self.logger.info("on_failure %s", type(exc).__name__)

    class UncaughtPlain(Uncaught):
        def receive_job_hook(self, change, action, changed_object):
            while not over.wait(0.01):
                pass

    class InTransaction(Soft):
        async def receive_job_hook(self, change, action, changed_object):
            async with self.transaction():
                changed_object.half = True
                await changed_object.save()
                await asyncio.Event().wait()

    class Hard(JobHookReceiver):
        class Meta:
            soft_time_limit = 0
            time_limit = 0.05

        async def receive_job_hook(self, change, action, changed_object):
            try:
                await asyncio.Event().wait()
            except Exception:
                self.logger.info("not caught by except Exception")
            finally:
                self.logger.info("cleaned up")

        def after_return(self, status, result):
            self.logger.info("not called after a hard limit")

    class HardPlain(Hard):
        class Meta:
            soft_time_limit = 0
            time_limit = 0.5  # its thread must have begun by then

        def receive_job_hook(self, change, action, changed_object):
            try:
                while not over.wait(0.01):
                    pass
            finally:
                self.logger.info("cleaned up")

    class SoftSwallowed(Hard):
        class Meta:
            soft_time_limit = 0.03
            time_limit = 0.06

        async def receive_job_hook(self, change, action, changed_object):
            while True:
                try:
                    await asyncio.Event().wait()
                except SoftTimeLimitExceeded:
                    self.logger.info("soft limit swallowed")

    class Swallows(Hard):
        async def receive_job_hook(self, change, action, changed_object):
            while not over.is_set():
                try:
                    await asyncio.sleep(0.01)
                except BaseException:
                    pass

    class Sleeps(Hard):
        def receive_job_hook(self, change, action, changed_object):
            time.sleep(3)

    class Decent(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            return threading.get_ident()

    class Blocks(JobHookReceiver):
        class Meta:
            soft_time_limit = 0.15
            time_limit = 0.2

        async def receive_job_hook(self, change, action, changed_object):
            until = time.monotonic() + 0.03
            while time.monotonic() < until:
                pass

    class Single(JobHookReceiver):
        class Meta:
            is_singleton = True

        async def receive_job_hook(self, change, action, changed_object):
            await measured(self, change.object_pk)

    class SingleButton(JobButtonReceiver):
        class Meta:
            is_singleton = True

        async def receive_job_button(self, obj):
            await measured(self, obj.pk)

    class Two(JobHookReceiver):
        class Meta:
            max_concurrency = 2

        async def receive_job_hook(self, change, action, changed_object):
            await measured(self, change.object_pk)

    class Unordered(JobHookReceiver):
        class Meta:
            ordering = "none"

        async def receive_job_hook(self, change, action, changed_object):
            await measured(self, change.id)

    async def measured(receiver, what):
        begun.append(what)
        running.add(receiver)
        most.append(len(running))
        await gate.wait()
        for _ in range(3):
            await asyncio.sleep(0)
        running.discard(receiver)

    register_jobs(Soft, SoftPlain, Uncaught, UncaughtPlain, InTransaction, Hard, HardPlain, SoftSwallowed)
    register_jobs(Swallows, Sleeps, Decent, Blocks, Single, SingleButton, Two, Unordered)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def run_of(app, job):
    await hook_up(app, job, actions=["create"])
    await put(app, "a")
    return await only_result(app)


@pytest.mark.parametrize("job", ["Soft", "SoftPlain"])
async def test_the_soft_limit_can_be_caught_to_tidy_up(demo, job):
    async with demo.open() as app:
        result = await run_of(app, job)
        assert (result.status, result.result) == (JobResultStatus.SUCCESS, '"tidied up"')
        assert (await messages_of(app, result))[0].startswith("caught: ")
        assert (await app.objects("demo.thing").get("a"))["tidied"] is True


@pytest.mark.parametrize("job", ["Uncaught", "UncaughtPlain"])
async def test_the_soft_limit_uncaught_is_an_ordinary_failure_with_its_message(demo, job):
    async with demo.open() as app:
        result = await run_of(app, job)
        message = "SoftTimeLimitExceeded: the soft time limit of 0.05 s was exceeded"
        assert (result.status, result.error) == (JobResultStatus.FAILURE, message)
        assert await lines_of(app, result) == [("failure", message), ("info", "on_failure SoftTimeLimitExceeded")]
        assert "receive_job_hook" in result.traceback


async def test_a_limit_in_a_transaction_leaves_no_trace_of_it(demo):
    async with demo.open() as app:
        result = await run_of(app, "InTransaction")
        assert result.status is JobResultStatus.FAILURE
        assert (await app.objects("demo.thing").get("a")).get("half") is None


@pytest.mark.parametrize(("job", "limit"), [("Hard", "0.05"), ("HardPlain", "0.5")])
async def test_the_hard_limit_ends_a_run_that_is_left_to_clean_up_but_not_to_go_on(demo, job, limit):
    async with demo.open() as app:
        result = await run_of(app, job)
        message = f"the time limit of {limit} s was exceeded"
        assert (result.status, result.error) == (JobResultStatus.FAILURE, message)
        assert await lines_of(app, result) == [("info", "cleaned up"), ("failure", message)]
        assert app._dispatcher.stuck == []


async def test_who_swallows_the_soft_limit_is_ended_by_the_hard_one(demo):
    async with demo.open() as app:
        result = await run_of(app, "SoftSwallowed")
        assert await messages_of(app, result) == ["soft limit swallowed", "the time limit of 0.06 s was exceeded"]
        assert result.status is JobResultStatus.FAILURE


async def test_who_swallows_every_exception_is_given_up_and_named_and_others_go_on(demo):
    async with demo.open() as app:
        import demo as plugin

        result = await run_of(app, "Swallows")
        assert result.status is JobResultStatus.FAILURE
        assert result.error == (
            "the time limit of 0.05 s was exceeded; the receiver was told to stop and did not: it ignores cancelling"
        )
        assert (await lines_of(app, result))[-1] == ("failure", result.error)
        assert app._dispatcher.stuck == [f"job {result.number} demo.Swallows"]
        assert app.running_count == 0
        await hook_up(app, "Decent")
        await put(app, "b")
        assert (await all_results(app, job="demo.Decent"))[0].status is JobResultStatus.SUCCESS
        plugin.over.set()


async def test_a_thread_that_cannot_be_ended_is_reported_keeps_its_place_and_holds_up_no_close(demo):
    async with demo.open(threads=2) as app:
        result = await run_of(app, "Sleeps")
        assert result.error == (
            "the time limit of 0.05 s was exceeded; the receiver was told to stop and did not: "
            "its thread cannot be ended and keeps its place"
        )
        assert app._dispatcher.stuck == [f"job {result.number} demo.Sleeps"]
        assert app._dispatcher._runs._runner._threads.borrowed_tokens == 1
        await hook_up(app, "Decent")
        await asyncio.gather(*(put(app, f"more-{n}") for n in range(10)))
        others = await all_results(app, job="demo.Decent")
        assert {each.status for each in others} == {JobResultStatus.SUCCESS}
        assert app.running_count == 0


async def test_a_run_that_is_cancelled_before_its_thread_begins_gives_its_place_back(demo):
    async with demo.open(threads=2) as app:
        runner = app._dispatcher._runs._runner
        for turns in range(12):
            call = asyncio.create_task(runner.call_in_thread(lambda: None, RunControl()))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            await asyncio.wait([call])
            await until(lambda: runner._threads.borrowed_tokens == 0)


async def test_the_time_that_a_run_waits_behind_others_does_not_count_to_its_limits(demo):
    async with demo.open() as app:
        await hook_up(app, "Blocks")
        async with app.transaction():
            for n in range(12):
                await app.objects("demo.thing").create(pk=f"t{n:02}")
        results = await all_results(app)
        assert [(each.status, each.error) for each in results] == [(JobResultStatus.SUCCESS, None)] * 12


# --- singletons and caps --------------------------------------------------------------------------


async def test_8_6_a_singleton_queues_in_order_and_drops_nothing(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Single")
        names = [f"t{n:02}" for n in range(20)]
        for name in names:
            await put(app, name)
        await until(lambda: plugin.begun)
        assert app.running_count == 1
        plugin.gate.set()
        results = await all_results(app)
        assert {each.status for each in results} == {JobResultStatus.SUCCESS}
        assert plugin.begun == names
        assert max(plugin.most) == 1


async def test_a_singleton_button_queues_too(demo):
    async with demo.open() as app:
        import demo as plugin

        for pk in "abc":
            await put(app, pk)
        await app.configuration.enable_job("SingleButton")
        await app.configuration.add_button("One", "SingleButton", ["demo.thing"])
        await app.press("One", "demo.thing", "abc")
        await app.press("One", "demo.thing", "a")
        plugin.gate.set()
        assert len(await all_results(app, status=JobResultStatus.SUCCESS)) == 4
        assert (plugin.begun, max(plugin.most)) == (list("abca"), 1)


async def test_max_concurrency_holds_and_everything_runs(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Two")
        await hook_up(app, "Decent")
        await asyncio.gather(*(put(app, str(n)) for n in range(30)))

        async def others_have_run():
            found = await app.results(ResultQuery(job="demo.Decent", status=JobResultStatus.SUCCESS, limit=100))
            return len(found) == 30

        await until(others_have_run)
        await until(lambda: app.running_count == 2)  # what is committed is readable a moment before its places are free
        assert len(plugin.begun) == 2
        plugin.gate.set()
        assert len(await all_results(app, job="demo.Two", status=JobResultStatus.SUCCESS)) == 30
        assert max(plugin.most) == 2


async def test_a_raised_max_concurrency_lets_at_once_begin_what_waited_for_it(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Two")
        names = [f"t{n:02}" for n in range(30)]
        for name in names:
            await put(app, name)
        await until(lambda: len(plugin.begun) == 2)
        await app.configuration.edit_job("Two", max_concurrency=7)
        await until(lambda: len(plugin.begun) == 7)
        await app.configuration.edit_job("Two", max_concurrency=0)
        await until(lambda: len(plugin.begun) == 30)
        assert plugin.begun == names
        plugin.gate.set()
        await app.drain()


async def test_who_goes_while_a_result_is_being_cancelled_leaves_nobody_else_without_an_answer(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Single")
        await put(app, "first")
        await until(lambda: plugin.begun)
        for turns in range(8):
            await put(app, f"waits-{turns}")
            waiting = (await app.results(ResultQuery(status=JobResultStatus.PENDING, limit=1)))[0]
            going = asyncio.create_task(app.access().runs.cancel(waiting.id))
            writes = []
            for turn in range(8 + turns):
                writes.append(asyncio.create_task(put(app, f"beside-{turns}-{turn}")))
                await asyncio.sleep(0)
            going.cancel()
            async with asyncio.timeout(10):
                await asyncio.gather(going, *writes, return_exceptions=True)
        plugin.gate.set()
        await app.drain()


async def test_max_concurrency_keeps_the_order_of_each_lane(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Two")
        plugin.gate.set()
        for n in range(10):
            for pk in "abc":
                await put(app, pk, n=n)
        results = await all_results(app)
        for pk in "abc":
            starts = [each.started_at for each in results if each.object_pk == pk]
            assert starts == sorted(starts)
        assert max(plugin.most) <= 2


async def test_without_order_the_runs_of_one_object_are_all_there_at_once(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Unordered")
        for n in range(10):
            await put(app, "a", n=n)
        await until(lambda: len(plugin.begun) == 10)
        assert sorted(plugin.begun) == list(range(1, 11))
        plugin.gate.set()
        await app.drain()
