"""One run from its first line to its last: the life cycle, what frames the log, what is kept, who may write."""

import asyncio
import json

import pytest

from buttonhook import JobResultStatus
from buttonhook.ids import now
from buttonhook.records import Outcome, ResultQuery
from buttonhook.work import Finish
from tests.scenarios.story import (
    all_results,
    hook_up,
    lines_of,
    log_of,
    messages_of,
    only_result,
    put,
    until,
    whole_log_of,
)

SOURCE = """
    import asyncio, json, logging, sys, threading, time
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    gate, begun, swallowed = asyncio.Event(), asyncio.Event(), []
    blocked = threading.Event()

    def shown(value):
        return f"{type(value).__name__} {value}" if isinstance(value, BaseException) else value

    def note(receiver, stage, *values):
        receiver.logger.info("%s %s", stage, json.dumps([shown(value) for value in values], default=str))
        if receiver.job_result.object_pk == f"raises in {stage}":
            raise ValueError(f"in {stage}")
        if receiver.job_result.object_pk == f"fails in {stage}":
            receiver.fail("failed in %s", stage)
        if receiver.job_result.object_pk == f"exits in {stage}":
            sys.exit(3)

    class Short(JobHookReceiver):
        async def before_start(self):
            note(self, "before_start")
        async def receive_job_hook(self, change, action, changed_object):
            note(self, "run")
            return {"checked": 1}
        async def on_success(self, result):
            note(self, "on_success", result)
        async def on_failure(self, exc, result):
            note(self, "on_failure", exc, result)
        async def after_return(self, status, result):
            note(self, "after_return", status, result)

    class Plain(JobHookReceiver):
        def before_start(self):
            note(self, "before_start")
        def receive_job_hook(self, change, action, changed_object):
            note(self, "run")
            return {"checked": 1}
        def on_success(self, result):
            note(self, "on_success", result)
        def on_failure(self, exc, result):
            note(self, "on_failure", exc, result)
        def after_return(self, status, result):
            note(self, "after_return", status, result)

    class Long(JobHookReceiver):
        def before_start(self, task_id, args, kwargs):
            note(self, "before_start", task_id == self.job_result.id, args, kwargs)
        def receive_job_hook(self, change, action, changed_object):
            note(self, "run")
            return {"checked": 1}
        def on_success(self, retval, task_id, args, kwargs):
            note(self, "on_success", retval, task_id == self.job_result.id)
        def on_failure(self, exc, task_id, args, kwargs, einfo):
            note(self, "on_failure", exc, task_id == self.job_result.id, einfo is not None)
        def after_return(self, status, retval, task_id, args, kwargs, einfo):
            note(self, "after_return", status, retval, einfo is not None)

    class Returns(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            return {"text": "done: 3 devices", "none": None, "tuple": (1, "ä"), "set": {1}}[change.object_pk]

    class Button(JobButtonReceiver):
        def receive_job_button(self, obj):
            self.logger.success("pressed on %s", obj)
            return "a text the operator sees"

    class Zombie(JobHookReceiver):
        class Meta:
            time_limit = 0.05

        async def receive_job_hook(self, change, action, changed_object):
            begun.set()
            while not gate.is_set():
                try:
                    await gate.wait()
                except BaseException as exc:
                    swallowed.append(exc)
            self.logger.info("still here")
            changed_object.written = "late"
            try:
                await changed_object.save()
            except Exception as exc:
                swallowed.append(exc)

    class Blocks(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            time.sleep(1.5)

    class ChildExits(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def child():
                sys.exit(7)
            await asyncio.create_task(child())

    class ForgottenChildExits(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def child():
                raise KeyboardInterrupt
            task = asyncio.create_task(child())
            await asyncio.wait([task])
            self.logger.info("%r", task.exception())

    class Waits(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            begun.set()
            await gate.wait()

    class WaitsInThread(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            begun_in_thread.set()
            while not blocked.wait(0.01):
                pass

    begun_in_thread = threading.Event()

    class Decent(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("fine")

    register_jobs(Short, Plain, Long, Returns, Button, Zombie, Blocks, ChildExits, ForgottenChildExits)
    register_jobs(Waits, WaitsInThread, Decent)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


async def stages_of(app, result):
    """The stages that logged, in order, each with the values it was given."""
    words = ("before_start", "run", "on_success", "on_failure", "after_return")
    split = [message.partition(" ") for message in await messages_of(app, result)]
    return [(word, json.loads(values)) for word, _, values in split if word in words]


async def run_of(app, job, pk):
    await hook_up(app, job)
    await put(app, pk)
    return await only_result(app)


# --- the life cycle -------------------------------------------------------------------------------

ERROR = "ValueError in run"
SHORT = {
    "fine": [
        ("before_start", []),
        ("run", []),
        ("on_success", [{"checked": 1}]),
        ("after_return", ["success", {"checked": 1}]),
    ],
    "raises in before_start": [
        ("before_start", []),
        ("on_failure", ["ValueError in before_start"] * 2),
        ("after_return", ["failure", "ValueError in before_start"]),
    ],
    "fails in before_start": [
        ("before_start", []),
        ("on_failure", [None, None]),
        ("after_return", ["failure", None]),
    ],
    "raises in run": [
        ("before_start", []),
        ("run", []),
        ("on_failure", [ERROR, ERROR]),
        ("after_return", ["failure", ERROR]),
    ],
    "fails in run": [
        ("before_start", []),
        ("run", []),
        ("on_failure", [None, {"checked": 1}]),
        ("after_return", ["failure", {"checked": 1}]),
    ],
    "raises in on_success": [
        ("before_start", []),
        ("run", []),
        ("on_success", [{"checked": 1}]),
        ("on_failure", ["ValueError in on_success"] * 2),
        ("after_return", ["failure", "ValueError in on_success"]),
    ],
    "raises in after_return": [
        ("before_start", []),
        ("run", []),
        ("on_success", [{"checked": 1}]),
        ("after_return", ["success", {"checked": 1}]),
    ],
    "exits in on_success": [
        ("before_start", []),
        ("run", []),
        ("on_success", [{"checked": 1}]),
        ("on_failure", ["SystemExit 3"] * 2),
        ("after_return", ["failure", "SystemExit 3"]),
    ],
}
ERRORS = {
    "fine": None,
    "raises in before_start": "ValueError: in before_start",
    "fails in before_start": "failed in before_start",
    "raises in run": "ValueError: in run",
    "fails in run": "failed in run",
    "raises in on_success": "ValueError: in on_success",
    "raises in after_return": "ValueError: in after_return",
    "exits in on_success": "SystemExit: 3",
}


@pytest.mark.parametrize("job", ["Short", "Plain"])
@pytest.mark.parametrize("case", SHORT)
async def test_8_6_each_stage_is_called_once_in_order_with_what_came_before(demo, job, case):
    async with demo.open() as app:
        result = await run_of(app, job, case)
        assert await stages_of(app, result) == SHORT[case]
        assert result.status is (JobResultStatus.SUCCESS if case == "fine" else JobResultStatus.FAILURE)
        assert result.error == ERRORS[case]


@pytest.mark.parametrize("job", ["Short", "Plain"])
async def test_what_on_failure_raises_is_told_and_changes_nothing(demo, job):
    async with demo.open() as app:
        await hook_up(app, job)
        import demo as plugin

        original = plugin.note

        def note(receiver, stage, *values):
            original(receiver, stage, *values)
            if stage in ("run", "on_failure"):
                raise KeyError(stage)

        plugin.note = note
        await put(app, "a")
        result = await only_result(app)
        assert [stage for stage, _ in await stages_of(app, result)] == [
            "before_start",
            "run",
            "on_failure",
            "after_return",
        ]
        assert result.error == "KeyError: 'run'"
        (line,) = [text for _, text in await lines_of(app, result) if text.startswith("on_failure() itself failed")]
        assert line.splitlines()[0] == "on_failure() itself failed: KeyError"


async def test_the_longer_signatures_of_the_original_are_served_by_name(demo):
    async with demo.open() as app:
        await hook_up(app, "Long")
        for pk in ("fine", "fails in run", "raises in run"):
            await put(app, pk)
        fine, failed, raised = [await stages_of(app, result) for result in await all_results(app)]
        begin = [("before_start", [True, [], {}]), ("run", [])]
        assert fine == [
            *begin,
            ("on_success", [{"checked": 1}, True]),
            ("after_return", ["success", {"checked": 1}, False]),
        ]
        assert failed == [
            *begin,
            ("on_failure", [{"checked": 1}, True, False]),
            ("after_return", ["failure", {"checked": 1}, False]),
        ]
        assert raised == [*begin, ("on_failure", [ERROR, True, True]), ("after_return", ["failure", ERROR, True])]


# --- what frames a log, what is kept --------------------------------------------------------------


async def test_8_6_the_log_begins_with_running_job_and_ends_a_success_with_job_completed(demo):
    async with demo.open() as app:
        await hook_up(app, "Short")
        for pk in ("fine", "raises in run", "fails in run"):
            await put(app, pk)
        framed = []
        for result in await all_results(app):
            entries = await whole_log_of(app, result)
            framed.append([(each.level.word, each.message, each.grouping) for each in entries])
        assert [lines[0] for lines in framed] == [("info", "Running job", "initialization")] * 3
        assert framed[0][-1] == ("success", "Job completed", "post_run")
        assert ("failure", "ValueError: in run", "outcome") in framed[1]
        assert not [line for lines in framed[1:] for line in lines if line[2] == "post_run"]


@pytest.mark.parametrize(
    ("pk", "kept"),
    [("text", '"done: 3 devices"'), ("none", None), ("tuple", '[1,"ä"]'), ("set", "[1]")],
)
async def test_what_a_receiver_returns_is_kept_as_json(demo, pk, kept):
    async with demo.open() as app:
        result = await run_of(app, "Returns", pk)
        assert (result.status, result.result) == (JobResultStatus.SUCCESS, kept)


async def test_a_text_a_button_returns_is_there_for_the_operator(demo):
    async with demo.open() as app:
        await put(app, "a")
        await app.configuration.enable_job("Button")
        await app.configuration.add_button("Press", "Button", ["demo.thing"])
        await app.press("Press", "demo.thing", ["a"])
        result = await only_result(app)
        assert result.result == '"a text the operator sees"'
        assert await lines_of(app, result) == [("success", "pressed on demo.thing a")]


# --- runs that are over, loops that are blocked, children that exit -------------------------------


async def test_a_write_of_a_run_that_was_given_up_is_refused_and_its_end_not_applied(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Zombie")
        await put(app, "a")
        result = await only_result(app)
        assert result.status is JobResultStatus.FAILURE
        assert app._dispatcher.stuck == [f"job {result.number} demo.Zombie"]
        plugin.gate.set()
        await until(lambda: not app._dispatcher._runs._carriers.tasks)
        assert str(plugin.swallowed[-1]) == f"Job result {result.id!r} attempt 1 is over. Its writes are refused."
        assert (await app.objects("demo.thing").get("a")).get("written") is None

        async def is_noted():
            return (await messages_of(app, result))[-1] == (
                "This attempt ended as success when it was over already: that was not applied"
            )

        await until(is_noted)
        assert app._dispatcher.stuck == []
        assert await only_result(app) == result
        assert (await app.check()).problems == []


async def test_each_outcome_that_comes_too_late_for_one_attempt_is_kept_in_its_log(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Zombie")
        await put(app, "a")

        async def has_started():
            return [each.status for each in await app.results(ResultQuery())] == [JobResultStatus.STARTED]

        await until(has_started)
        (result,) = await app.results(ResultQuery())
        revoked = Outcome(number=result.number, attempt=1, status=JobResultStatus.REVOKED, ended_at=now(), error="away")
        app._recorder.post(Finish(revoked, [], lambda _: None))  # as another node would end it
        await until(lambda: app._dispatcher.stuck)
        plugin.gate.set()
        late = [
            f"This attempt ended as {each} when it was over already: that was not applied"
            for each in ("failure", "success")
        ]

        async def are_noted():
            return [each for each in await messages_of(app, result) if "over already" in each] == late

        await until(are_noted)
        assert (await only_result(app)).error == "away"


@pytest.mark.blocks_loop
async def test_who_blocks_the_loop_is_named_with_file_line_code_and_cure_in_its_own_log(demo, caplog):
    async with demo.open() as app:
        await hook_up(app, "Blocks")
        await put(app, "a")
        import demo as plugin

        result = await only_result(app)
        (entry,) = [each for each in await log_of(app, result) if each.grouping == "watchdog"]
        line = plugin.Blocks.receive_job_hook.__code__.co_firstlineno + 1
        assert entry.level.word == "warning"
        assert entry.message.startswith("This blocks the event loop, and with it every other job, for ")
        assert f"`time.sleep(1.5)` at demo/__init__.py:{line} in receive_job_hook()." in entry.message
        assert "asyncio.to_thread()" in entry.message
        assert result.status is JobResultStatus.SUCCESS
        named = [each.getMessage() for each in caplog.records if each.name == "buttonhook.watchdog"]
        assert [each for each in named if each.startswith(f"job {result.number} demo.Blocks: This blocks")]


async def test_a_child_task_that_exits_ends_only_its_run(demo):
    async with demo.open() as app:
        await hook_up(app, "ChildExits")
        await hook_up(app, "Decent")
        await put(app, "a")
        await put(app, "b")
        results = await all_results(app)
        assert [each.error for each in results if each.job == "demo.ChildExits"] == ["ChildExit: SystemExit: 7"] * 2
        assert [each.status for each in results if each.job == "demo.Decent"] == [JobResultStatus.SUCCESS] * 2


async def test_a_child_task_that_nobody_awaits_may_exit_too(demo):
    async with demo.open() as app:
        result = await run_of(app, "ForgottenChildExits", "a")
        assert result.status is JobResultStatus.SUCCESS
        assert await messages_of(app, result) == ["ChildExit('KeyboardInterrupt')"]


# --- closing --------------------------------------------------------------------------------------


async def test_an_orderly_close_puts_what_runs_back_in_order_and_counts_no_crash(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Waits")
        for n in range(3):
            await put(app, "a", n=n)
        await plugin.begun.wait()
    plugin.gate.set()
    async with demo.open() as app:
        results = await all_results(app)
        assert [(each.status, each.attempt, each.crashes) for each in results] == [
            (JobResultStatus.SUCCESS, 2, 0),
            (JobResultStatus.SUCCESS, 1, 0),
            (JobResultStatus.SUCCESS, 1, 0),
        ]
        assert [each.started_at for each in results] == sorted(each.started_at for each in results)
        stop = ("warning", "Stopped with the process; it is run again")
        assert await lines_of(app, results[0]) == [stop]


async def test_a_thread_that_runs_on_does_not_hold_up_a_close_and_is_run_again(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "WaitsInThread")
        await put(app, "a")
        await asyncio.to_thread(plugin.begun_in_thread.wait)
    plugin.blocked.set()
    async with demo.open() as app:
        result = await only_result(app)
        assert (result.status, result.attempt, result.crashes) == (JobResultStatus.SUCCESS, 2, 0)
