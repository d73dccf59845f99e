"""No runaway loops: what is cut along a whole chain of causes, over hooks, enqueued runs and buttons."""

import pytest

from buttonhook import JobResultStatus
from tests.scenarios.story import all_changes, all_results, hook_up, messages_of, owner, put

SOURCE = """
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    class Next(JobHookReceiver):
        '''Makes the next object of an endless row.'''
        async def receive_job_hook(self, change, action, changed_object):
            n = int(change.object_pk) + 1
            await self.objects("demo.thing").create(pk=str(n), n=n)

    class Touch(JobHookReceiver):
        '''Changes the object it was told of.'''
        async def receive_job_hook(self, change, action, changed_object):
            changed_object.touched = changed_object.get("touched", 0) + 1
            await changed_object.save()

    class TouchToo(Touch):
        pass

    class Copy(JobHookReceiver):
        '''Plain functions are held to the same.'''
        def receive_job_hook(self, change, action, changed_object):
            self.objects("demo.copy").create(pk=change.object_pk)

    class Hand(JobHookReceiver):
        '''Hands its object to a button receiver.'''
        async def receive_job_hook(self, change, action, changed_object):
            await self.enqueue(Press, changed_object)

    class Press(JobButtonReceiver):
        async def receive_job_button(self, obj):
            obj.pressed = obj.get("pressed", 0) + 1
            await obj.save()

    class Again(JobButtonReceiver):
        async def receive_job_button(self, obj):
            await self.enqueue(Again, obj)

    class Along(JobButtonReceiver):
        '''Goes on to the next object of a row.'''
        async def receive_job_button(self, obj):
            await self.enqueue("demo.Along", await self.objects("demo.thing").get(str(int(obj.pk) + 1)))

    class Look(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("%s at depth %d", change.change_context, self.job_result.depth)

    register_jobs(Next, Touch, TouchToo, Copy, Hand, Press, Again, Along, Look)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.copy"]
"""
BY_A_HOOK = "the change was made by a job hook's job, and the hook does not allow such changes"
TOO_DEEP = "the chain of causes is 8 runs deep, the most there may be"
RAN_HERE = "its job has run on this object in this chain of causes already"


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        yield app


async def allow(app, *jobs, types=("demo.thing",)):
    for job in jobs:
        await hook_up(app, job, *types)
        await app.configuration.edit_hook(f"on {job}", allow_job_hook_changes=True)


async def button(app, job):
    await app.configuration.enable_job(job)
    await app.configuration.add_button(job, job, ["demo.thing"])


async def cuts(app):
    """The reasons of each change that has cuts; every one of them is what `explain` tells."""
    told = {}
    for change in await all_changes(app):
        if change.cuts:
            told[change.id] = [cut.reason for cut in change.cuts]
            explained = (await app.explainer.explain(change.id)).verdicts
            assert [(each.hook, each.reason) for each in explained if each.fate == "cut"] == [
                (cut.hook, cut.reason) for cut in change.cuts
            ]
    return told


async def test_8_1_7_changes_by_a_hooks_job_fire_no_hook_whatever_its_job_or_object(app):
    await hook_up(app, "Copy")
    await hook_up(app, "Look", "demo.copy")
    await hook_up(app, "Touch", "demo.copy")
    await put(app, "a")
    assert [result.job for result in await all_results(app)] == ["demo.Copy"]
    assert await cuts(app) == {2: [BY_A_HOOK, BY_A_HOOK]}


async def test_a_hook_that_allows_it_sees_the_changes_of_other_hooks_jobs_and_the_chain_is_told(app):
    await hook_up(app, "Copy")
    await allow(app, "Look", types=("demo.copy",))
    await put(app, "a")
    copied, looked = await all_results(app)
    assert "job-hook at depth 1" in await messages_of(app, looked)
    assert (looked.cause, looked.root, looked.depth) == (copied.id, copied.id, 1)
    assert looked.chain == ("demo.Copy demo.thing a", "demo.Look demo.copy a")
    assert await cuts(app) == {}


async def test_a_chain_of_hooks_ends_after_eight_runs(app):
    await allow(app, "Next")
    await put(app, "0")
    results = await all_results(app)
    assert [result.depth for result in results] == list(range(8))
    assert {result.status for result in results} == {JobResultStatus.SUCCESS}
    assert {result.root for result in results[1:]} == {results[0].id}
    assert [change.depth for change in await all_changes(app)] == list(range(9))
    assert await cuts(app) == {9: [TOO_DEEP]}


async def test_a_job_runs_once_on_one_object_in_a_chain(app):
    await allow(app, "Touch")
    await put(app, "a")
    assert len(await all_results(app)) == 1
    assert await cuts(app) == {2: [RAN_HERE]}
    await put(app, "a", n=1)
    assert len(await all_results(app)) == 2


async def test_two_hooks_that_answer_each_other_end_when_each_has_run(app):
    touched = {"type": "preset", "preset": "field_changed", "values": {"field": "touched"}}
    await allow(app, "Touch", "TouchToo")
    await app.configuration.edit_hook("on TouchToo", conditions=[touched])
    await put(app, "a")
    assert [result.job for result in await all_results(app)] == ["demo.Touch", "demo.TouchToo"]
    assert await cuts(app) == {
        1: ["condition field_changed does not hold: field touched can only change in an update, this is a create"],
        2: [RAN_HERE],
        3: [RAN_HERE, RAN_HERE],
    }


async def test_the_same_pk_of_another_type_is_another_object(app):
    await allow(app, "Copy")
    await app.configuration.edit_hook("on Copy", object_types=["demo.thing", "demo.copy"])
    await put(app, "a")
    copied, refused = await all_results(app)
    assert (copied.status, refused.status) == (JobResultStatus.SUCCESS, JobResultStatus.FAILURE)
    assert "demo.copy 'a' exists already" in refused.error


async def test_what_a_hooks_job_enqueues_counts_as_the_hooks(app):
    await hook_up(app, "Hand", "demo.thing", actions=["create"])
    await hook_up(app, "Look")
    await app.configuration.enable_job("Press")
    await put(app, "a")
    pressed = (await all_results(app, job="demo.Press"))[0]
    assert (pressed.kind, pressed.depth, pressed.is_hooks, pressed.occasion) == ("enqueue", 1, True, "Hand")
    change = (await all_changes(app))[-1]
    assert (change.change_context, change.depth, change.cause) == ("job-hook", 2, pressed.id)
    assert await cuts(app) == {2: [BY_A_HOOK]}


async def test_an_allowing_hook_sees_what_an_enqueued_run_changed_and_ends_where_it_came_from(app):
    await allow(app, "Hand")
    await app.configuration.enable_job("Press")
    await put(app, "a")
    assert [result.job for result in await all_results(app)] == ["demo.Hand", "demo.Press"]
    assert await cuts(app) == {2: [RAN_HERE]}


async def test_a_run_that_enqueues_itself_on_its_own_object_is_refused(app):
    await put(app, "a")
    await button(app, "Again")
    await app.press("Again", "demo.thing", ["a"])
    (result,) = await all_results(app)
    assert result.status is JobResultStatus.FAILURE
    assert result.error == (
        "EnqueueRefused: demo.Again cannot be enqueued: it has run on this object in this chain of causes already."
    )


async def test_a_chain_of_enqueued_runs_ends_after_eight(app):
    for n in range(10):
        await put(app, str(n))
    await button(app, "Along")
    await app.press("Along", "demo.thing", ["0"])
    results = await all_results(app)
    assert [result.depth for result in results] == list(range(8))
    assert [result.status for result in results] == [JobResultStatus.SUCCESS] * 7 + [JobResultStatus.FAILURE]
    assert TOO_DEEP in results[-1].error


async def test_changes_by_a_button_fire_and_its_run_counts_in_the_chain(app):
    await put(app, "0")
    await button(app, "Press")
    await allow(app, "Next")
    (pressed,) = await app.press("Press", "demo.thing", ["0"])
    results = await all_results(app)
    assert [(result.job, result.depth) for result in results] == [
        ("demo.Press", 0),
        *(("demo.Next", depth) for depth in range(1, 8)),
    ]
    assert {result.root for result in results[1:]} == {pressed.id}
    (reasons,) = (await cuts(app)).values()
    assert reasons == [TOO_DEEP]


async def test_a_button_pressed_by_a_person_begins_a_chain_of_its_own(app):
    await hook_up(app, "Touch")
    await button(app, "Press")
    await put(app, "a")
    await app.press("Press", "demo.thing", ["a"])
    assert [result.job for result in await all_results(app)] == ["demo.Touch", "demo.Press", "demo.Touch"]
    assert [result.depth for result in await all_results(app)] == [0, 0, 1]


async def test_a_rerun_stands_where_the_first_run_stood(app):
    await hook_up(app, "Touch")
    await put(app, "a")
    (first,) = await all_results(app)
    again = await (await owner(app, "ann")).runs.rerun(first.id)
    assert (again.depth, again.chain, again.is_hooks) == (first.depth, first.chain, True)
    assert len(await all_results(app)) == 2
    assert await cuts(app) == {2: [BY_A_HOOK], 3: [BY_A_HOOK]}
