"""Trying again: by the job's options or at the receiver's wish, in the same lane, over restarts, until it is enough."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from buttonhook import JobResultStatus, RetryLater
from buttonhook.errors import UsageError
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_results, hook_up, lines_of, log_of, only_result, put, until, whole_log_of

SOURCE = """
    import asyncio
    from buttonhook import GiveUp, JobHookReceiver, RetryLater, SoftTimeLimitExceeded, hookimpl, register_jobs

    fails = {}
    seen = []

    def attempt(receiver, change):
        seen.append((change.object_pk, change.id, receiver.attempt))
        receiver.logger.info("attempt %d of change %d", receiver.attempt, change.id)
        if fails.get(change.object_pk, 0) >= receiver.attempt:
            raise OSError(f"try {receiver.attempt}")
        return receiver.attempt

    class Retrying(JobHookReceiver):
        class Meta:
            retries = 3
            retry_backoff = 0.001

        async def receive_job_hook(self, change, action, changed_object):
            return attempt(self, change)

        async def on_failure(self, exc, result):
            self.logger.info("on_failure")

        async def after_return(self, status, result):
            self.logger.info("after_return %s", status)

    class RetryingPlain(Retrying):
        def receive_job_hook(self, change, action, changed_object):
            return attempt(self, change)

    class Slow(Retrying):
        class Meta:
            retries = 2
            retry_backoff = 3600

    class Later(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            if self.attempt <= fails.get(change.object_pk, 0):
                raise RetryLater(0.001, "the device is busy")
            return self.attempt

    class LaterPlain(Later):
        def receive_job_hook(self, change, action, changed_object):
            if self.attempt <= fails.get(change.object_pk, 0):
                raise RetryLater(0)
            return self.attempt

    class MuchLater(JobHookReceiver):
        class Meta:
            retries = 1

        async def receive_job_hook(self, change, action, changed_object):
            if self.attempt <= fails.get(change.object_pk, 0):
                raise RetryLater(3600)

    class GivesUp(Retrying):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("attempt %d", self.attempt)
            if self.attempt == 2:
                raise GiveUp("the device was scrapped")
            raise OSError("away")

    class Exits(Retrying):
        async def receive_job_hook(self, change, action, changed_object):
            raise SystemExit(4)

    class Limited(Retrying):
        class Meta:
            soft_time_limit = 0.02

        async def receive_job_hook(self, change, action, changed_object):
            if self.attempt == 1:
                await asyncio.Event().wait()

    class HardLimited(Retrying):
        class Meta:
            time_limit = 0.02

        async def receive_job_hook(self, change, action, changed_object):
            await asyncio.Event().wait()

    class Marks(Retrying):
        async def receive_job_hook(self, change, action, changed_object):
            self.fail("not good")

    register_jobs(Retrying, RetryingPlain, Slow, Later, LaterPlain, MuchLater, GivesUp, Exits, Limited)
    register_jobs(HardLimited, Marks)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def result_now(app):
    (result,) = await app.results(ResultQuery())
    return result


async def is_waiting(app):
    return {each.status for each in await app.results(ResultQuery())} == {JobResultStatus.RETRY}


@pytest.mark.parametrize("job", ["Retrying", "RetryingPlain"])
async def test_an_attempt_that_fails_is_tried_again_and_the_log_of_every_attempt_is_kept(demo, job):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 2
        await hook_up(app, job)
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.attempt, result.failures) == (JobResultStatus.SUCCESS, 3, 2)
        assert (result.result, result.error, result.traceback) == ("3", None, None)
        framed = [(each.attempt, each.seq, each.message) for each in await whole_log_of(app, result)]
        assert [(attempt, seq) for attempt, seq, _ in framed] == [
            *((n, seq) for n in (1, 2) for seq in (1, 2, 3)),
            *((3, seq) for seq in (1, 2, 3, 4)),
        ]
        assert framed[0][2] == framed[3][2] == framed[6][2] == "Running job"
        warnings = [each.message for each in await log_of(app, result) if each.grouping == "outcome"]
        assert [text.partition(". Trying again in ")[0] for text in warnings] == [
            "Attempt 1 failed: OSError: try 1",
            "Attempt 2 failed: OSError: try 2",
        ]
        assert warnings[1].endswith(" s (2 of 3 retries)")


async def test_when_the_retries_are_used_up_it_fails_and_only_then_the_life_cycle_ends(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 99
        await hook_up(app, "Retrying")
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.attempt, result.failures) == (JobResultStatus.FAILURE, 4, 3)
        assert result.error == "OSError: try 4"
        assert "receive_job_hook" in result.traceback
        ends = [(each.attempt, each.message) for each in await log_of(app, result) if each.message.startswith("on_")]
        assert ends == [(4, "on_failure")]
        assert (await lines_of(app, result))[-1] == ("info", "after_return failure")


@pytest.mark.parametrize(("job", "error"), [("Exits", "SystemExit: 4"), ("Limited", None)])
async def test_an_exit_and_a_soft_limit_are_failures_that_are_tried_again_too(demo, job, error):
    async with demo.open() as app:
        await hook_up(app, job)
        await put(app, "a")
        result = await only_result(app)
        assert (result.error, result.attempt) == (error, 4 if error else 2)


@pytest.mark.parametrize(
    ("job", "error"), [("HardLimited", "the time limit of 0.02 s was exceeded"), ("Marks", "not good")]
)
async def test_a_hard_limit_and_a_call_of_fail_are_not_tried_again(demo, job, error):
    async with demo.open() as app:
        await hook_up(app, job)
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.error, result.attempt) == (JobResultStatus.FAILURE, error, 1)


@pytest.mark.parametrize("job", ["Later", "LaterPlain"])
async def test_retry_later_is_followed_without_any_option_up_to_ten_times(demo, job):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails.update(a=10, b=11)
        await hook_up(app, job)
        await put(app, "a")
        await put(app, "b")
        enough, too_often = await all_results(app)
        assert (enough.status, enough.result, enough.failures) == (JobResultStatus.SUCCESS, "11", 10)
        assert (too_often.status, too_often.attempt) == (JobResultStatus.FAILURE, 11)
        reason = "the device is busy" if job == "Later" else "the receiver asked to be tried again later"
        assert too_often.error == reason
        assert (await lines_of(app, enough))[0] == (
            "warning",
            f"Attempt 1 failed: {reason}. Trying again in {'0.001' if job == 'Later' else '0'} s (1 of 10 retries)",
        )


async def test_retry_later_says_when_the_next_attempt_is_due(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 1
        await hook_up(app, "MuchLater")
        await put(app, "a")
        await until(lambda: is_waiting(app))
        result = await result_now(app)
        assert result.started_at + 3600e6 <= result.due_at
        assert (result.ended_at, result.error) == (None, "the receiver asked to be tried again later")


@pytest.mark.parametrize("delay", ["soon", float("nan"), float("inf"), 1e30, 10**400, [30]])
def test_retry_later_takes_seconds_and_tells_so_at_the_line_that_gives_something_else(delay):
    with pytest.raises(UsageError, match=r"RetryLater takes seconds, a year of them at most, not "):
        RetryLater(delay)


async def test_give_up_fails_for_good_with_its_reason(demo):
    async with demo.open() as app:
        await hook_up(app, "GivesUp")
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.attempt) == (JobResultStatus.FAILURE, 2)
        assert result.error == "the device was scrapped"
        assert [line for line in await lines_of(app, result) if line[0] == "failure"] == [("failure", result.error)]


async def test_a_retry_holds_its_lane_and_no_other_and_the_order_holds_after_it(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails.update(a=3)
        await hook_up(app, "Retrying")
        for n in range(4):
            await put(app, "a", n=n)
            await put(app, "b", n=n)
        assert {each.status for each in await all_results(app)} == {JobResultStatus.SUCCESS}
        of_a = [(change, attempt) for pk, change, attempt in plugin.seen if pk == "a"]
        assert of_a == [(change, attempt) for change in (1, 3, 5, 7) for attempt in (1, 2, 3, 4)]
        assert [change for pk, change, _ in plugin.seen if pk == "b"] == [2, 4, 6, 8]


async def test_a_retry_that_waits_long_holds_up_its_own_lane_alone(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 1
        await hook_up(app, "Slow")
        for n in range(2):
            await put(app, "a", n=n)
            await put(app, "b", n=n)
        results = await all_results(app)
        assert [each.status.value for each in results] == ["retry", "success", "pending", "success"]
        assert app._dispatcher.retries == 1
        assert app.running_count == 0


async def test_drain_leaves_what_is_due_in_an_hour_and_waits_for_what_is_due_at_once(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 1
        await hook_up(app, "Slow")
        await hook_up(app, "Retrying")
        await put(app, "a")
        assert await app.drain(30)
        states = {each.job: each.status.value for each in await app.results(ResultQuery())}
        assert states == {"demo.Slow": "retry", "demo.Retrying": "success"}


async def test_retries_survive_a_restart_with_their_count_their_time_and_their_lane(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 99
        await hook_up(app, "Slow")
        await put(app, "a", n=1)
        await put(app, "a", n=2)
        await app.drain()
        before, follower = await app.results(ResultQuery(ascending=True))
        assert (before.status, before.attempt, before.failures) == (JobResultStatus.RETRY, 1, 1)
    async with demo.open() as app:
        assert await app.drain(30)
        assert await app.results(ResultQuery(ascending=True)) == [before, follower]
        assert app._dispatcher.retries == 1


async def test_a_retry_that_came_due_while_nothing_ran_is_taken_up_at_the_next_start(demo):
    async with demo.open() as app:
        import demo as plugin

        plugin.fails["a"] = 1
        await hook_up(app, "Slow")
        await put(app, "a", n=1)
        await put(app, "a", n=2)
        await app.drain()
        waiting = await app.results(ResultQuery(status=JobResultStatus.RETRY))
    await asyncio.to_thread(_make_due, demo.folder / "story.db")
    async with demo.open() as app:
        results = await all_results(app)
        assert [(each.status, each.attempt) for each in results] == [
            (JobResultStatus.SUCCESS, 2),
            (JobResultStatus.RETRY, 1),
        ]
        assert results[0].id == waiting[0].id


def _make_due(path):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE job_result SET due_at = 1 WHERE status = 'retry'")
