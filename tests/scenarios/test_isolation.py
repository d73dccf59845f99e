"""Whatever one receiver does, it ends only itself, with its own message, and the others go on."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from buttonhook.records import ResultQuery
from tests.scenarios.story import (
    all_changes,
    all_results,
    hook_up,
    lines_of,
    log_of,
    messages_of,
    only_result,
    put,
    until,
)

SOURCE = """
    import asyncio, logging, sys, threading, time
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    gate = threading.Event()
    begun = threading.Event()

    class Unshowable(Exception):
        def __str__(self):
            raise ValueError("no text")

    def deeper():
        return deeper()

    def misbehave(case, receiver):
        match case:
            case "raise": raise ValueError("serial is odd")
            case "system exit": sys.exit(3)
            case "keyboard interrupt": raise KeyboardInterrupt
            case "cancelled": raise asyncio.CancelledError("mine")
            case "generator exit": raise GeneratorExit
            case "stop iteration": raise StopIteration(1)
            case "stop async iteration": raise StopAsyncIteration
            case "recursion": deeper()
            case "unshowable": raise Unshowable
            case "group": raise BaseExceptionGroup("several", [ValueError("a"), SystemExit(1)])
            case "memory": raise MemoryError("too much")
            case "base": raise BaseException("odd")
            case "surrogate": raise ValueError("\\ud800 and \\0")
            case "huge": raise ValueError("x" * 5_000_000)
            case "unserialisable": return object()
            case "nan": return float("nan")
            case "deep":
                value = []
                for _ in range(5000):
                    value = [value]
                return value
            case "big": return "x" * 1_000_000
            case "flood":
                for n in range(1_000_000):
                    receiver.logger.info("line %d", n)
            case "hundred megabytes":
                receiver.logger.info("x" * 100_000_000)

    class Async(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("begun")
            return misbehave(change.object_pk, self)

    class Plain(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            self.logger.info("begun")
            return misbehave(change.object_pk, self)

    class Decent(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await asyncio.sleep(0)
            self.logger.info("fine")

    class Sleepy(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            begun.set()
            gate.wait(60)

    class ChildFails(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def child():
                raise ValueError("child")
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(child())

    class TimesOut(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async with asyncio.timeout(0):
                await asyncio.sleep(60)

    class InConstructor(JobHookReceiver):
        def __init__(self):
            self.logger.info("made")
            raise SystemExit("no")

        async def receive_job_hook(self, change, action, changed_object):
            pass

    class Deaf(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

    class TellsItsEnd:
        async def after_return(self, status, result):
            await asyncio.sleep(0)
            self.logger.info("after_return %s", status.value)

    class DeafButTells(TellsItsEnd, JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            asyncio.current_task().cancel()
            await asyncio.sleep(0)

        async def on_failure(self, exc, result):
            async with asyncio.timeout(60):
                await asyncio.sleep(0)
            self.logger.info("on_failure %s", exc)

    class ExitsInOnFailure(TellsItsEnd, JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            raise ValueError("bad")

        def on_failure(self, exc, result):
            sys.exit(3)

    class Selfish(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            change.get_snapshots()["postchange"]["n"] = "spoilt"
            changed_object.n = "spoilt"

    class Reader(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("%s %s", change.postchange["n"], changed_object.n)

    register_jobs(
        Async, Plain, Decent, Sleepy, ChildFails, TimesOut, InConstructor, Deaf, Selfish, Reader,
        DeafButTells, ExitsInOnFailure
    )

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""

ENDINGS = {
    "raise": "ValueError: serial is odd",
    "system exit": "SystemExit: 3",
    "keyboard interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError: mine",
    "generator exit": "GeneratorExit",
    "stop iteration": "RuntimeError: coroutine raised StopIteration",
    "stop async iteration": "StopAsyncIteration",
    "recursion": "RecursionError: maximum recursion depth exceeded",
    "unshowable": "Unshowable: (its message cannot be shown)",
    "group": "BaseExceptionGroup: several (2 sub-exceptions)",
    "memory": "MemoryError: too much",
    "base": "BaseException: odd",
    "surrogate": "ValueError: \ufffd and \ufffd",
}


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def one_and_its_neighbours(app, pk, job):
    """Let one object's run misbehave among runs of others; return its result."""
    await hook_up(app, job)
    await hook_up(app, "Decent")
    await asyncio.gather(*(put(app, name) for name in [*(f"before-{n}" for n in range(5)), pk, "after-1", "after-2"]))
    results = await all_results(app)
    assert len(results) == 16
    bad = [each for each in results if each.object_pk == pk and each.job == f"demo.{job}"]
    for each in results:
        if each not in bad:
            assert each.status is JobResultStatus.SUCCESS
            if each.job == "demo.Decent":
                assert await lines_of(app, each) == [("info", "fine")]
    (result,) = bad
    return result


@pytest.mark.parametrize("job", ["Async", "Plain"])
@pytest.mark.parametrize("case", ENDINGS)
async def test_a_receiver_that_ends_badly_ends_only_itself_with_its_message(demo, job, case):
    async with demo.open() as app:
        result = await one_and_its_neighbours(app, case, job)
        assert result.status is JobResultStatus.FAILURE
        assert result.error.startswith(ENDINGS[case])
        lines = await lines_of(app, result)
        assert lines[0] == ("info", "begun")
        assert lines[-1][0] == "failure"
        assert lines[-1][1].startswith(ENDINGS[case])
        assert result.traceback


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("unserialisable", "The returned object was not kept"),
        ("nan", "The returned float was not kept"),
        ("deep", "The returned list was not kept"),
        ("big", "The returned value was not kept"),
    ],
)
async def test_a_returned_value_that_cannot_be_kept_is_told_in_the_log(demo, case, reason):
    async with demo.open() as app:
        result = await one_and_its_neighbours(app, case, "Async")
        assert (result.status, result.result) == (JobResultStatus.SUCCESS, None)
        level, message = (await lines_of(app, result))[-1]
        assert level == "warning"
        assert message.startswith(reason)


async def test_a_message_of_megabytes_is_cut_and_says_so(demo):
    async with demo.open() as app:
        result = await one_and_its_neighbours(app, "huge", "Async")
        assert result.error.startswith("ValueError: xxx")
        assert len(result.error) <= 2000
        assert len(result.traceback) < 100_000
        assert (await messages_of(app, result))[-1].endswith("characters cut)")


async def test_a_million_lines_from_a_thread_are_capped_and_hold_nobody_up(demo):
    async with demo.open() as app:
        result = await one_and_its_neighbours(app, "flood", "Plain")
        assert result.status is JobResultStatus.SUCCESS
        entries = await log_of(app, result)
        assert len(entries) == 9_999
        assert entries[0].message == "begun"
        assert entries[-1].message == "line 999999"
        (note,) = [entry for entry in entries if "dropped" in entry.message]
        assert note.message.startswith("990,003 lines")
        assert [entry.seq for entry in entries] == sorted(entry.seq for entry in entries)
        assert (await app.check()).problems == []


async def test_one_message_of_a_hundred_megabytes_is_cut(demo):
    async with demo.open() as app:
        result = await one_and_its_neighbours(app, "hundred megabytes", "Plain")
        _, message = (await lines_of(app, result))[-1]
        assert message.endswith("... (99,936,000 characters cut)")


@pytest.mark.parametrize(
    ("job", "error"),
    [
        ("ChildFails", "ExceptionGroup: unhandled errors in a TaskGroup (1 sub-exception)"),
        ("TimesOut", "TimeoutError"),
        ("InConstructor", "SystemExit: no"),
        ("Deaf", "CancelledError: the receiver cancelled its own task"),
    ],
)
async def test_an_end_that_comes_another_way_is_that_receivers_own_too(demo, job, error):
    async with demo.open() as app:
        await hook_up(app, job)
        await hook_up(app, "Decent")
        await asyncio.gather(*(put(app, str(n)) for n in range(3)))
        assert await app.drain(20)
        results = await all_results(app)
        assert [each.error for each in results if each.job == f"demo.{job}"] == [error] * 3
        assert [each.status for each in results if each.job == "demo.Decent"] == [JobResultStatus.SUCCESS] * 3


async def test_a_receiver_that_cancels_its_own_task_has_the_whole_life_cycle(demo):
    async with demo.open() as app:
        await hook_up(app, "DeafButTells")
        await put(app, "a")
        result = await only_result(app)
        error = "CancelledError: the receiver cancelled its own task"
        assert (result.status, result.error) == (JobResultStatus.FAILURE, error)
        assert await messages_of(app, result) == [
            error,
            "on_failure the receiver cancelled its own task",
            "after_return failure",
        ]


async def test_an_exit_in_on_failure_keeps_after_return_from_nothing(demo):
    async with demo.open() as app:
        await hook_up(app, "ExitsInOnFailure")
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.error) == (JobResultStatus.FAILURE, "ValueError: bad")
        error, told, last = await messages_of(app, result)
        assert (error, last) == ("ValueError: bad", "after_return failure")
        assert told.startswith("on_failure() itself failed: SystemExit")


async def test_plain_receivers_that_sleep_keep_nobody_else_waiting(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Sleepy")
        await hook_up(app, "Decent")
        await put(app, "a")
        await asyncio.to_thread(plugin.begun.wait)
        for n in range(20):
            await put(app, f"more-{n}")

        async def decent_ones_have_run():
            return [each.status for each in await _decent(app)] == [JobResultStatus.SUCCESS] * 21

        await until(decent_ones_have_run)
        plugin.gate.set()
        await app.drain()


async def test_what_one_receiver_does_to_its_change_and_object_no_other_sees(demo):
    async with demo.open() as app:
        await hook_up(app, "Selfish")
        await hook_up(app, "Reader")
        await put(app, "a", n=1)
        results = await all_results(app)
        assert [await messages_of(app, each) for each in results if each.job == "demo.Reader"] == [["1 1"]]
        assert '"n":1' in (await all_changes(app))[0].postchange


async def _decent(app):
    return await app.results(ResultQuery(job="demo.Decent", limit=100))
