"""Steering what runs: cancel, rerun, enqueue. Each holds over every state a result can be in."""

import asyncio

import pytest

from buttonhook import JobResultStatus, open_app
from buttonhook.errors import RunNotFound
from buttonhook.records import ResultQuery
from buttonhook.work import Claim
from tests.scenarios.story import (
    all_results,
    hook_up,
    keep_books,
    lines_of,
    messages_of,
    only_result,
    owner,
    put,
    until,
)

SOURCE = """
    import asyncio, threading
    from buttonhook import JobButtonReceiver, JobHookReceiver, TrackedObject, hookimpl, register_jobs

    gate, over = asyncio.Event(), threading.Event()
    begun, ran, fails = [], [], set()

    class Device(TrackedObject, object_type="demo.device", kw_only=True):
        name: str = ""

    class Held(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.append(change.id)
            try:
                await gate.wait()
            finally:
                self.logger.info("cleaned up")
            ran.append(change.id)

        async def after_return(self, status, result):
            self.logger.info("after_return %s", status)

    class HeldInThread(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            begun.append(change.id)
            try:
                while not over.wait(0.01):
                    pass
            finally:
                self.logger.info("cleaned up")

    class Ignores(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.append(change.id)
            while not over.is_set():
                try:
                    await asyncio.sleep(0.01)
                except BaseException:
                    pass

    class Retries(JobHookReceiver):
        class Meta:
            retries = 1
            retry_backoff = 3600

        async def receive_job_hook(self, change, action, changed_object):
            begun.append(change.id)
            if change.id in fails:
                raise OSError("away")

    class Quick(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.append(change.id)
            if change.object_pk in fails:
                raise ValueError("bad")
            return change.id

    class Pressed(JobButtonReceiver):
        async def receive_job_button(self, obj):
            self.logger.info("on %s for %s", obj.pk, self.user)

    class Other(JobButtonReceiver):
        async def receive_job_button(self, obj):
            await self.enqueue(Pressed, obj)

    class Enqueues(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            made = await self.enqueue(Pressed, changed_object)
            self.logger.info("%s %s", made.status.value, made.cause == self.job_result.id)
            await self.enqueue("demo.Pressed", await self.objects("demo.thing").get("other"))

    class EnqueuesPlain(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            self.enqueue(Pressed, changed_object)

    class Forgets(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.enqueue(Pressed, changed_object)

    class Tries(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await self.enqueue(*chosen(self, changed_object))

    def chosen(receiver, obj):
        return {
            "hook": (Quick, obj),
            "disabled": (Other, obj),
            "unknown": ("demo.Nobody", obj),
            "text": (Pressed, "a text"),
            "none": (Pressed, None),
            "unsaved": (Pressed, Device(name="new")),
        }[obj.pk]

    register_jobs(Held, HeldInThread, Ignores, Retries, Quick, Pressed, Other, Enqueues, EnqueuesPlain)
    register_jobs(Forgets, Tries)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", Device]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def begin(app, job):
    """Hook a job up, make one change, and wait until its run has begun."""
    import demo as plugin

    await hook_up(app, job)
    await put(app, "a")
    await until(lambda: plugin.begun)
    (result,) = await app.results(ResultQuery())
    return plugin, result


# --- cancel ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["Held", "HeldInThread"])
async def test_a_run_that_is_cancelled_may_clean_up_and_ends_revoked_naming_who(demo, job):
    async with demo.open() as app:
        _, result = await begin(app, job)
        before = await (await owner(app, "bob")).runs.cancel(result.id)
        assert before.status is JobResultStatus.STARTED
        after = await only_result(app)
        assert (after.status, after.error, after.attempt) == (JobResultStatus.REVOKED, "cancelled by bob", 1)
        assert await lines_of(app, after) == [("info", "cleaned up"), ("failure", "cancelled by bob")]
        assert app._dispatcher.stuck == []


async def test_a_run_that_ignores_being_cancelled_ends_revoked_and_is_named(demo):
    async with demo.open() as app:
        plugin, result = await begin(app, "Ignores")
        await (await owner(app, "bob")).runs.cancel(result.id)
        after = await only_result(app)
        assert after.status is JobResultStatus.REVOKED
        assert after.error == ("cancelled by bob; the receiver was told to stop and did not: it ignores cancelling")
        assert app._dispatcher.stuck == [f"job {result.number} demo.Ignores"]
        plugin.over.set()
        await until(lambda: not app._dispatcher.stuck)


async def test_a_result_that_waits_is_cancelled_without_a_run_and_the_others_of_its_lane_go_on(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Held")
        for n in range(4):
            await put(app, "a", n=n)
        await until(lambda: plugin.begun)
        results = await app.results(ResultQuery(ascending=True))
        assert (await (await owner(app, "bob")).runs.cancel(results[1].id)).status is JobResultStatus.PENDING
        plugin.gate.set()
        after = await all_results(app)
        assert [each.status.value for each in after] == ["success", "revoked", "success", "success"]
        assert plugin.ran == [1, 3, 4]
        assert (after[1].attempt, after[1].error) == (0, "cancelled by bob")
        assert await lines_of(app, after[1]) == [("warning", "Not run: cancelled by bob")]


async def test_a_result_that_waits_for_its_retry_is_cancelled_and_frees_its_lane(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails.add(1)
        await hook_up(app, "Retries")
        await put(app, "a", n=1)
        await put(app, "a", n=2)
        await app.drain()
        first, second = await app.results(ResultQuery(ascending=True))
        assert [first.status.value, second.status.value] == ["retry", "pending"]
        await (await owner(app, "bob")).runs.cancel(first.id)
        first, second = await all_results(app)
        assert [first.status.value, second.status.value] == ["revoked", "success"]
        assert (first.error, first.attempt, first.due_at) == ("cancelled by bob", 1, None)
        assert (await messages_of(app, first))[-1] == "Not run: cancelled by bob"


async def test_a_result_is_cancelled_where_nothing_runs_too(demo):
    async with demo.open() as app:
        plugin, _ = await begin(app, "Held")
        await put(app, "a", n=2)
    async with open_app(settings=app.settings, dispatch=False) as idle:
        keep_books(idle)
        for each in await idle.results(ResultQuery()):
            await (await owner(idle, "bob")).runs.cancel(each.id)
        assert {each.status for each in await idle.results(ResultQuery())} == {JobResultStatus.REVOKED}
    plugin.gate.set()
    async with demo.open() as app:
        assert {each.status for each in await all_results(app)} == {JobResultStatus.REVOKED}
        assert plugin.ran == []


async def test_a_result_that_a_killed_process_left_started_is_ended_as_that(demo):
    async with demo.open() as app:
        await hook_up(app, "Held")
    async with open_app(settings=app.settings, dispatch=False) as idle:
        keep_books(idle)
        await put(idle, "a")
        (result,) = await idle.results(ResultQuery())
        claimed = asyncio.get_running_loop().create_future()
        idle._recorder.post(Claim(result.number, claimed.set_result))
        await claimed
        before = await (await owner(idle, "bob")).runs.cancel(result.id)
        assert before.status is JobResultStatus.STARTED
        (after,) = await idle.results(ResultQuery())
        reason = "cancelled by bob after the process that ran it had ended"
        assert (after.status, after.attempt, after.error) == (JobResultStatus.REVOKED, 1, reason)
        assert await lines_of(idle, after) == [("warning", f"Ended: {reason}")]


async def test_what_has_ended_or_never_was_cannot_be_cancelled(demo):
    async with demo.open() as app:
        await hook_up(app, "Quick")
        await put(app, "a")
        result = await only_result(app)
        with pytest.raises(RunNotFound, match=r"has ended already \(success\)"):
            await (await owner(app, "bob")).runs.cancel(result.id)
        with pytest.raises(RunNotFound, match="'nothing' does not exist"):
            await (await owner(app, "bob")).runs.cancel("nothing")
        assert await only_result(app) == result


async def test_many_who_cancel_the_same_at_once_leave_one_note_each_and_nothing_unstored(demo):
    async with demo.open(max_running=1) as app:
        import demo as plugin

        await hook_up(app, "Held")
        await asyncio.gather(*(put(app, str(n)) for n in range(20)))
        await until(lambda: plugin.begun)
        waiting = await app.results(ResultQuery(limit=100))
        plugin.gate.set()
        # What is next is claimed while it is cancelled.
        both = [await owner(app, name) for name in ("bob", "eve")]
        tries = [who.runs.cancel(each.id) for each in waiting for who in both]
        answers = await asyncio.gather(*tries, return_exceptions=True)
        assert {type(each).__name__ for each in answers} <= {"JobResult", "RunNotFound"}
        for each in await all_results(app):
            notes = [line for line in await messages_of(app, each) if line.startswith("Not run: ")]
            if each.status is JobResultStatus.REVOKED and each.attempt == 0:
                assert notes == [f"Not run: {each.error}"]
            else:
                assert notes == []
                assert each.error in (None, "cancelled by bob", "cancelled by eve")
        assert (await app.check()).problems == []


async def test_a_cancel_that_meets_the_claim_on_its_way_is_not_applied_and_leaves_no_note(demo):
    async with demo.open() as app:
        await hook_up(app, "Quick")
    async with open_app(settings=app.settings, dispatch=False) as idle:
        keep_books(idle)
        await put(idle, "a")
        (result,) = await idle.results(ResultQuery())
        bob, answers = await owner(idle, "bob"), []

        class ClaimsFirst:
            def post(self, piece):
                idle._recorder.post(Claim(result.number, answers.append))
                idle._recorder.post(piece)

        idle.control._results = ClaimsFirst()
        with pytest.raises(RunNotFound, match="was started by another process in the meantime"):
            await bob.runs.cancel(result.id)
        (claimed,) = answers
        assert (claimed.result.status, claimed.result.attempt) == (JobResultStatus.STARTED, 1)
        assert await messages_of(idle, result) == []


# --- rerun ----------------------------------------------------------------------------------------


async def test_a_rerun_is_a_new_result_at_the_end_of_its_lane(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Quick")
        plugin.fails.add("a")
        await put(app, "a", n=1)
        failed = await only_result(app)
        plugin.fails.clear()
        again = await (await owner(app, "bob")).runs.rerun(failed.id)
        assert (again.status, again.rerun_of) == (JobResultStatus.PENDING, failed.id)
        old, new = await all_results(app)
        assert old == failed
        assert (new.status, new.attempt, new.error, new.traceback) == (JobResultStatus.SUCCESS, 1, None, None)
        assert (new.change_ids, new.object_pk, new.user_name, new.lane) == (
            failed.change_ids,
            "a",
            failed.user_name,
            failed.lane,
        )


async def test_a_rerun_waits_for_what_is_in_its_lane_already(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Held")
        await put(app, "a", n=1)
        plugin.gate.set()
        first = await only_result(app)
        plugin.gate.clear()
        await put(app, "a", n=2)
        await put(app, "a", n=3)
        await (await owner(app, "bob")).runs.rerun(first.id)
        plugin.gate.set()
        await app.drain()
        assert plugin.ran == [1, 2, 3, 1]


async def test_what_was_cancelled_can_be_run_again_and_what_goes_on_cannot(demo):
    async with demo.open() as app:
        plugin, result = await begin(app, "Held")
        with pytest.raises(RunNotFound, match=r"has not ended yet \(started\)"):
            await (await owner(app, "bob")).runs.rerun(result.id)
        with pytest.raises(RunNotFound, match="does not exist"):
            await (await owner(app, "bob")).runs.rerun("nothing")
        await (await owner(app, "bob")).runs.cancel(result.id)
        await app.drain()
        plugin.gate.set()
        await (await owner(app, "bob")).runs.rerun(result.id)
        assert [each.status.value for each in await all_results(app)] == ["revoked", "success"]


# --- enqueue --------------------------------------------------------------------------------------


async def with_pressed(app, job):
    await put(app, "other")
    await app.configuration.enable_job("Pressed")
    await hook_up(app, job, actions=["create"])


async def test_what_a_run_enqueues_runs_in_its_users_name_and_stands_in_its_chain(demo):
    async with demo.open() as app:
        await with_pressed(app, "Enqueues")
        async with app.transaction(user="bob"):
            await app.objects("demo.thing").create(pk="a")
        cause, one, two = await all_results(app)
        assert await messages_of(app, cause) == ["pending True"]
        assert [each.object_pk for each in (one, two)] == ["a", "other"]
        assert await messages_of(app, one) == ["on a for bob"]
        for each in (one, two):
            assert (each.kind, each.occasion, each.occasion_id) == ("enqueue", "Enqueues", cause.id)
            assert (each.cause, each.root, each.depth, each.is_hooks) == (cause.id, cause.id, 1, True)
            assert each.chain == ("demo.Enqueues demo.thing a", f"demo.Pressed demo.thing {each.object_pk}")


async def test_a_plain_receiver_enqueues_by_a_blocking_call(demo):
    async with demo.open() as app:
        await with_pressed(app, "EnqueuesPlain")
        await put(app, "a")
        _, pressed = await all_results(app)
        assert (pressed.job, pressed.status) == ("demo.Pressed", JobResultStatus.SUCCESS)


async def test_an_enqueue_that_is_not_awaited_fails_the_run_and_shows_the_right_form(demo):
    async with demo.open() as app:
        await with_pressed(app, "Forgets")
        await put(app, "a")
        result = await only_result(app)
        assert result.error.startswith("NeverAwaited: enqueue() at ")
        assert result.error.endswith("was never awaited. Write: await self.enqueue(Receiver, obj)")


REFUSED = {
    "hook": "demo.Quick cannot be enqueued: it is no job button receiver; job hooks are fired by changes.",
    "disabled": "demo.Other cannot be enqueued: job 'Other' is disabled.",
    "unknown": "demo.Nobody cannot be enqueued: job demo.Nobody is not installed.",
    "text": "demo.Pressed cannot be enqueued: the second argument must be an object that was saved.",
    "none": "demo.Pressed cannot be enqueued: the second argument must be an object that was saved.",
    "unsaved": "demo.Pressed cannot be enqueued: the second argument must be an object that was saved.",
}


@pytest.mark.parametrize("case", REFUSED)
async def test_an_enqueue_that_cannot_be_is_refused_with_the_reason(demo, case):
    async with demo.open() as app:
        await with_pressed(app, "Tries")
        await app.configuration.enable_job("Quick")
        await put(app, case)
        result = await only_result(app, job="demo.Tries")
        assert result.error == f"EnqueueRefused: {REFUSED[case]}"
        assert len(await all_results(app)) == 1
