"""Receivers written as plain functions: the same calls block there, and what is never awaited elsewhere is named."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from tests.scenarios.story import all_changes, all_results, hook_up, lines_of, messages_of, only_result, put

SOURCE = """
    import asyncio, threading
    from concurrent.futures import ThreadPoolExecutor
    from buttonhook import JobHookReceiver, TrackedObject, hookimpl, register_jobs

    gate = asyncio.Event()

    class Thing(TrackedObject, object_type="demo.thing", unique=("name",), kw_only=True):
        name: str | None = None
        n: int = 0

    class Worker(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            self.logger.info("%s", threading.current_thread() is not threading.main_thread())
            made = Thing(name="made").save()
            self.logger.info("made %s version %s", made.name, made.version)
            self.logger.info("count %d", Thing.objects.filter(name="made").count())
            self.logger.info("listed %s", sorted(thing.name for thing in Thing.objects))
            found = self.objects(Thing).get(name="made")
            found.n = 5
            found.save()
            made.refresh()
            self.logger.info("refreshed %d", made.n)
            with self.transaction():
                Thing(name="first").save()
                made.n = 6
                made.save()
                self.logger.info("inside %s", Thing.objects.get(made.pk).n)
            try:
                with self.transaction():
                    Thing(name="gone").save()
                    raise KeyError("no")
            except KeyError:
                self.logger.info("gone %s", Thing.objects.find(name="gone"))
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda n: Thing(name=f"pool-{n}").save(), range(4)))
            asyncio.run(self.on_a_loop_of_its_own())
            found.refresh()
            found.delete()
            return [thing.name for thing in Thing.objects.order_by("-name")]

        async def on_a_loop_of_its_own(self):
            thing = await Thing.objects.get(name="first")
            async with self.transaction():
                thing.n = 9
                await thing.save()
                await Thing(name="looped").save()

    class Loses(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            changed_object.n = 1
            changed_object.save()
            gone.set()
            proceed.wait(30)
            changed_object.n = 2
            changed_object.save()

    gone, proceed = threading.Event(), threading.Event()

    class Forgets(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            changed_object.n = 7
            changed_object.save()

    class ForgetsQuery(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            Thing.objects.filter(n=1).count()

    class WalksWrongly(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            for thing in Thing.objects:
                pass

    class WithWrongly(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            with self.transaction():
                pass

    class Keeps(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await Thing(name="kept").save()
            raise ValueError("after the save")

    class Strays(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def later():
                await done.wait()
                await Thing(name="stray").save()
            done = asyncio.Event()
            async with self.transaction():
                stray = asyncio.create_task(later())
            done.set()
            await stray

    class Permitted(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            user = self.user
            self.logger.info(
                "%s %s %s %s", user, user.known, user.has_perm("demo.add_thing"), user.has_perm("demo.add_x", obj={})
            )

    class AfterTheEnd(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def later():
                await gate.wait()
                try:
                    await Thing(name="late").save()
                except Exception as exc:
                    outcome.append(exc)
            outcome.append(asyncio.create_task(later()))

    outcome = []
    register_jobs(Worker, Loses, Forgets, ForgetsQuery, WalksWrongly, WithWrongly, Keeps, Strays)
    register_jobs(Permitted, AfterTheEnd)

    @hookimpl
    def buttonhook_object_types():
        return [Thing]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def test_a_plain_receiver_saves_queries_and_opens_transactions_by_blocking_calls(demo):
    async with demo.open() as app:
        await hook_up(app, "Worker", "demo.thing", actions=["create"])
        await put(app, "a", name="a")
        result = await only_result(app)
        assert result.error is None
        assert await messages_of(app, result) == [
            "True",
            "made made version 2",
            "count 1",
            "listed ['a', 'made']",
            "refreshed 5",
            "inside 6",
            "gone None",
        ]
        assert result.result == '["pool-3","pool-2","pool-1","pool-0","looped","first","a"]'
        changes = (await all_changes(app))[1:]
        assert {change.change_context for change in changes} == {"job-hook"}
        assert {change.cause for change in changes} == {result.id}
        assert len({change.request_id for change in changes}) == 1


async def test_a_save_beside_somebody_elses_names_field_both_values_and_the_other_author(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Loses", "demo.thing", actions=["create"])
        await put(app, "a")
        await asyncio.to_thread(plugin.gone.wait)
        async with app.transaction(user="bob"):
            other = await plugin.Thing.objects.get("a")
            other.n = 50
            await other.save()
        plugin.proceed.set()
        result = await only_result(app)
        assert result.error.startswith(
            "StaleObject: demo.thing 'a' is stale: field 'n' was 1 when it was loaded and is 50 now (changed by bob), "
            "so 2 was not written."
        )


@pytest.mark.parametrize(
    ("job", "error"),
    [
        (
            "Forgets",
            "NeverAwaited: save() of demo.thing a at __init__.py:{line} was never awaited. Write: await obj.save()",
        ),
        (
            "ForgetsQuery",
            "NeverAwaited: count() of demo.thing objects at __init__.py:{line} was never awaited. Write: await ",
        ),
        ("WalksWrongly", "QueryError: Query 'demo.thing objects' cannot be walked with 'for' in an async function."),
        ("WithWrongly", "UsageError: A transaction in an async function is written: async with self.transaction():"),
    ],
)
async def test_a_call_in_the_wrong_form_fails_the_job_and_shows_the_right_one(demo, job, error):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, job, "demo.thing", actions=["create"])
        await put(app, "a")
        result = await only_result(app)
        assert result.status is JobResultStatus.FAILURE
        last = getattr(plugin, job).receive_job_hook.__code__
        line = max(number for *_, number in last.co_lines() if number)
        assert result.error.startswith(error.format(line=line))
        assert (await lines_of(app, result))[-1] == ("failure", result.error)
        assert len(await all_changes(app)) == 1


async def test_a_save_outside_a_transaction_stays_when_the_receiver_fails_later(demo):
    async with demo.open() as app:
        await hook_up(app, "Keeps", "demo.thing", actions=["create"])
        await put(app, "a")
        assert (await only_result(app)).error == "ValueError: after the save"
        assert await app.objects("demo.thing").filter(name="kept").count() == 1


async def test_a_save_by_a_task_that_outlives_the_block_it_was_started_in_is_not_lost(demo):
    async with demo.open() as app:
        await hook_up(app, "Strays", "demo.thing", actions=["create"])
        await put(app, "a")
        result = await only_result(app)
        kept = await app.objects("demo.thing").filter(name="stray").count()
        assert (result.status, kept) == (JobResultStatus.SUCCESS, 1)


async def test_the_user_is_the_author_with_the_permissions_of_their_record(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Permitted")
        await app.administration.put_user("bob", permissions=["demo.add_thing"])
        await app.administration.put_user("eve", is_owner=True)
        for name in ("bob", "eve", "nobody"):
            async with app.transaction(user=name):
                await plugin.Thing(name=name).save()
        lines = [(await messages_of(app, result))[0] for result in await all_results(app)]
        assert lines == ["bob True True False", "eve True True True", "nobody False False False"]


async def test_a_write_by_a_run_that_is_over_is_refused(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "AfterTheEnd", "demo.thing", actions=["create"])
        await put(app, "a")
        result = await only_result(app)
        plugin.gate.set()
        task, *_ = plugin.outcome
        await task
        assert str(plugin.outcome[1]) == f"Job result {result.id!r} attempt 1 is over. Its writes are refused."
        assert await app.objects("demo.thing").count() == 1
