"""What fires, what is cut, what waits: recursion, disabled and uninstalled jobs."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_changes, all_results, hook_up, messages_of, only_result, presser, put, reasons_of

MADE_BY_A_HOOK = "the change was made by a job hook's job, and the hook does not allow such changes"

SOURCE = """
    import asyncio
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    gate = asyncio.Event()

    class Counter(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            changed_object.count = changed_object.get("count", 0) + 1
            await changed_object.save()

    class Copier(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            self.objects("demo.copy").create(pk=f"{change.object_pk}-{change.id}")

    class Watcher(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("%s by %s", change.change_context, change.user_name)

    class Bump(JobButtonReceiver):
        async def receive_job_button(self, obj):
            obj.bumped = True
            await obj.save()

    class Held(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await gate.wait()

    register_jobs(Counter, Copier, Watcher, Bump, Held)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.copy"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def test_a_hook_that_changes_its_own_object_is_not_run_again_by_that(demo):
    async with demo.open() as app:
        await hook_up(app, "Counter")
        await put(app, "a", n=1)
        result = await only_result(app)
        assert result.status is JobResultStatus.SUCCESS
        first, second = await all_changes(app)
        assert (second.change_context, second.change_context_detail) == ("job-hook", "demo.Counter")
        assert (second.cause, second.root, second.depth) == (result.id, result.id, 1)
        assert reasons_of(second) == [("on Counter", MADE_BY_A_HOOK)]
        assert first.cuts == ()


async def test_changes_by_a_hooks_job_fire_no_other_hook_on_other_objects_either(demo):
    async with demo.open() as app:
        await hook_up(app, "Copier")
        await hook_up(app, "Watcher", "demo.copy")
        await put(app, "a")
        await only_result(app)
        (copy,) = await all_changes(app, object_type="demo.copy")
        assert reasons_of(copy) == [("on Watcher", MADE_BY_A_HOOK)]


async def test_changes_by_a_button_do_fire(demo):
    async with demo.open() as app:
        await put(app, "a")
        await hook_up(app, "Watcher")
        await app.configuration.enable_job("Bump")
        await app.configuration.add_button("Bump it", "Bump", ["demo.thing"])
        (pressed,) = await app.press("Bump it", "demo.thing", ["a"], user=await presser(app, "bob"))
        _, watched = await all_results(app)
        assert await messages_of(app, watched) == ["job by bob"]
        assert (watched.cause, watched.depth) == (pressed.id, 1)


async def test_only_enabled_jobs_and_hooks_fire_and_a_cut_names_its_reason(demo):
    async with demo.open() as app:
        await hook_up(app, "Watcher")
        await put(app, "a", n=1)
        await app.configuration.disable_job("Watcher")
        await put(app, "a", n=2)
        await app.configuration.enable_job("Watcher")
        await app.configuration.edit_hook("on Watcher", enabled=False)
        await put(app, "a", n=3)
        await app.configuration.edit_hook("on Watcher", enabled=True)
        await put(app, "a", n=4)
        assert [result.change_ids for result in await all_results(app)] == [(1,), (4,)]
        reasons = [reasons_of(change) for change in await all_changes(app)]
        assert reasons == [[], [("on Watcher", "job 'Watcher' is disabled")], [], []]


async def test_of_several_hooks_only_those_that_match_type_and_action_fire(demo):
    async with demo.open() as app:
        await hook_up(app, "Watcher", "demo.copy")
        await hook_up(app, "Held", "demo.thing", actions=["delete"])
        await hook_up(app, "Copier", "demo.thing", "demo.copy", actions=["update"])
        await put(app, "a", n=1)
        await put(app, "a", n=2)
        fired = [(result.job, result.change_ids) for result in await all_results(app)]
        assert fired == [("demo.Copier", (2,))]


async def test_what_waits_when_its_job_is_disabled_is_revoked_with_the_reason(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Held")
        for n in range(3):
            await put(app, "a", n=n)
        await app.configuration.disable_job("Held")
        plugin.gate.set()
        first, *others = await all_results(app)
        assert first.status is JobResultStatus.SUCCESS
        for result in others:
            assert (result.status, result.attempt) == (JobResultStatus.REVOKED, 0)
            assert result.error == "the job demo.Held was disabled before the run began"
            assert await messages_of(app, result) == [f"Not run: {result.error}"]


async def test_results_of_an_uninstalled_job_wait_visibly_and_run_when_it_is_back(demo):
    async with demo.open() as app:
        await hook_up(app, "Held")
        for n in range(5):
            await put(app, "a", n=n)
        await put(app, "b")

    async with demo.open(plugins=[], object_types=["demo.thing"]) as app:
        assert await app.drain(20)
        assert app.waiting_jobs == {"demo.Held": 6}
        assert not app.configuration.get_job("Held").installed
        waiting = await app.results(ResultQuery(ascending=True))
        assert {result.status for result in waiting} == {JobResultStatus.PENDING}
        await put(app, "a", n=100)
        assert await app.drain(20)
        (change,) = (await all_changes(app))[-1:]
        assert reasons_of(change) == [("on Held", "job demo.Held is not installed")]

    async with demo.open() as app:
        import demo as plugin

        assert app.configuration.get_job("Held").installed
        plugin.gate.set()
        results = await all_results(app)
        assert app.waiting_jobs == {}
        assert [result.id for result in results] == [result.id for result in waiting]
        assert {result.status for result in results} == {JobResultStatus.SUCCESS}


async def test_jobs_are_disabled_until_somebody_enables_them_and_stay_enabled(demo):
    async with demo.open() as app:
        assert not any(job.enabled for job in app.configuration.jobs())
        await app.configuration.enable_job("Watcher")
    async with demo.open() as app:
        assert [job.name for job in app.configuration.jobs() if job.enabled] == ["Watcher"]


async def test_many_saves_at_once_fire_one_run_each(demo):
    async with demo.open() as app:
        await hook_up(app, "Watcher")
        await asyncio.gather(*(put(app, str(n)) for n in range(500)))
        results = await all_results(app)
        assert sorted(result.change_ids[0] for result in results) == list(range(1, 501))
