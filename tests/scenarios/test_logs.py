"""A job's log holds everything that was logged inside it, from wherever, in order, no later than its final status."""

import asyncio
import logging

import pytest

from buttonhook import JobResultStatus
from buttonhook.dispatcher import running
from buttonhook.recorder import recorder
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_results, hook_up, lines_of, log_of, messages_of, only_result, put, until

SOURCE = """
    import asyncio, concurrent.futures, logging, threading, warnings
    import anyio
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    logging.getLogger("acme").setLevel(logging.DEBUG)
    logging.getLogger("island").propagate = False
    logging.getLogger("island").setLevel(logging.INFO)
    pool = concurrent.futures.ThreadPoolExecutor(2)
    gate = asyncio.Event()
    logged = asyncio.Event()

    class Everywhere(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            mark = change.object_pk
            acme = logging.getLogger("acme.client")
            self.logger.debug("own debug %s", mark)
            acme.info("third-party %s", mark)
            acme.debug("third-party debug %s", mark)
            logging.getLogger("island").warning("island %s", mark)
            await asyncio.create_task(self.child("task", mark))
            await asyncio.gather(self.child("gathered", mark))
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self.child("group", mark))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self.child, "anyio", mark)
            await asyncio.to_thread(acme.info, "to_thread %s", mark)
            await anyio.to_thread.run_sync(lambda: acme.info("anyio thread %s", mark))
            await asyncio.get_running_loop().run_in_executor(pool, lambda: acme.info("executor %s", mark))
            await asyncio.wrap_future(pool.submit(self.logger.info, "pool %s", mark))
            thread = threading.Thread(target=self.in_thread, args=(acme, mark))
            thread.start()
            await asyncio.to_thread(thread.join)
            warnings.warn(f"old {mark}", DeprecationWarning, stacklevel=1)
            self.logger.success("end %s", mark)

        async def child(self, what, mark):
            await asyncio.sleep(0)
            logging.getLogger("acme.client").info("%s %s", what, mark)

        def in_thread(self, acme, mark):
            acme.info("thread %s", mark)
            inner = threading.Thread(target=lambda: acme.info("thread in thread %s", mark))
            inner.start()
            inner.join()

    class PlainEverywhere(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            mark = change.object_pk
            self.logger.info("plain %s", mark)
            list(pool.map(lambda n: logging.getLogger("acme").info("mapped %d %s", n, mark), [1]))
            asyncio.run(self.loop_of_its_own(mark))

        async def loop_of_its_own(self, mark):
            await asyncio.gather(self.child(mark))

        async def child(self, mark):
            logging.getLogger("acme").info("own loop %s", mark)

    class Levels(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            log = self.logger
            for say in (log.debug, log.info, log.success, log.warning, log.failure, log.error, log.critical, log.fatal):
                say("%s", say.__name__)
            try:
                1 / 0
            except ZeroDivisionError:
                log.exception("caught")
            log.info("print-style", change.object_pk, 7)
            log.info("%d", "no number")
            log.info({"a": 1})
            log.info("hidden", extra={"skip_db_logging": True})
            log.info("about", extra={"object": changed_object, "grouping": "checks"})
            log.info("nul \\0 and lone \\ud800")

    class Verbose(JobHookReceiver):
        class Meta:
            log_level = "debug"

        def receive_job_hook(self, change, action, changed_object):
            logging.getLogger("acme").debug("deep")

    class Long(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            for n in range(100):
                self.logger.info("step %d", n)
            logged.set()
            await gate.wait()
            self.logger.info("step 100")

    class Ordered(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            for n in range(200):
                self.logger.info("%d", n)
                if n % 20 == 0:
                    await asyncio.sleep(0)

    class Marked(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.fail("%s is %s", change.object_pk, "odd")
            self.fail("and more")
            self.logger.info("goes on")
            return {"checked": 1}

    class Late(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            async def later():
                await gate.wait()
                self.logger.info("too late")
                logged.set()
            self.task = asyncio.create_task(later())
            keep.append(self.task)

    keep = []
    register_jobs(Everywhere, PlainEverywhere, Levels, Verbose, Long, Ordered, Marked, Late)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.mark.filterwarnings("always::DeprecationWarning")
async def test_lines_from_tasks_threads_pools_libraries_and_warnings_land_in_their_own_jobs_log_in_order(demo):
    async with demo.open() as app:
        await hook_up(app, "Everywhere")
        await asyncio.gather(*(put(app, f"m{n}") for n in range(30)))
        results = await all_results(app)
        assert len(results) == 30
        for result in results:
            mark = result.object_pk
            lines = await lines_of(app, result)
            warned = lines.pop(-2)
            assert lines == [
                ("debug", f"own debug {mark}"),
                ("info", f"third-party {mark}"),
                ("warning", f"island {mark}"),
                ("info", f"task {mark}"),
                ("info", f"gathered {mark}"),
                ("info", f"group {mark}"),
                ("info", f"anyio {mark}"),
                ("info", f"to_thread {mark}"),
                ("info", f"anyio thread {mark}"),
                ("info", f"executor {mark}"),
                ("info", f"pool {mark}"),
                ("info", f"thread {mark}"),
                ("info", f"thread in thread {mark}"),
                ("success", f"end {mark}"),
            ]
            assert warned[0] == "warning"
            assert warned[1].startswith(f"DeprecationWarning: old {mark}")


async def test_a_plain_receiver_keeps_its_log_over_pools_and_a_loop_of_its_own(demo):
    async with demo.open() as app:
        await hook_up(app, "PlainEverywhere")
        await asyncio.gather(*(put(app, f"m{n}") for n in range(10)))
        for result in await all_results(app):
            mark = result.object_pk
            assert await messages_of(app, result) == [f"plain {mark}", f"mapped 1 {mark}", f"own loop {mark}"]


async def test_all_levels_and_every_way_to_say_something_make_one_line_each(demo):
    async with demo.open() as app:
        await hook_up(app, "Levels")
        await put(app, "a")
        result = await only_result(app)
        entries = await log_of(app, result)
        words = ["debug", "info", "success", "warning", "failure", "error", "critical", "critical"]
        assert [entry.level.word for entry in entries[:8]] == words
        assert [entry.message for entry in entries[:8]] == [*words[:7], "fatal"]
        caught, print_style, number, mapping, about, odd = entries[8:]
        assert caught.message.startswith("caught\nTraceback")
        assert caught.message.endswith("ZeroDivisionError: division by zero")
        assert print_style.message.startswith("print-style ('a', 7) (the log call does not fit its arguments")
        assert number.message.startswith("%d ('no number',) (the log call does not fit its arguments")
        assert mapping.message == "{'a': 1}"
        assert (about.message, about.grouping, about.object_type, about.object_pk) == (
            "about",
            "checks",
            "demo.thing",
            "a",
        )
        assert odd.message == "nul \ufffd and lone \ufffd"
        assert result.status is JobResultStatus.SUCCESS


async def test_the_level_for_others_is_the_jobs_own_choice(demo):
    async with demo.open() as app:
        await hook_up(app, "Verbose")
        await put(app, "a")
        assert await messages_of(app, await only_result(app)) == ["deep"]


async def test_a_running_jobs_lines_can_be_read_before_it_ends(demo):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Long")
        await put(app, "a")
        await plugin.logged.wait()
        (result,) = await _results(app)

        async def lines_are_stored():
            return len(await messages_of(app, result)) >= 100

        await until(lines_are_stored)
        assert await messages_of(app, result) == [f"step {n}" for n in range(100)]
        assert (await _results(app))[0].status is JobResultStatus.STARTED
        plugin.gate.set()
        assert len(await messages_of(app, await only_result(app))) == 101


async def test_a_final_status_is_never_seen_without_the_whole_log(demo, monkeypatch):
    # Lines are flushed all the time and batches are so small that a status could overtake them.
    monkeypatch.setattr(running, "FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(recorder, "MAX_PIECES", 4)
    async with demo.open() as app:
        await hook_up(app, "Ordered")
        writing = asyncio.gather(*(put(app, str(n)) for n in range(100)))
        seen = set()
        while len(seen) < 100:
            for result in await _results(app, limit=200):
                if result.status.is_final and result.id not in seen:
                    seen.add(result.id)
                    assert await messages_of(app, result) == [str(n) for n in range(200)]
        await writing
        assert (await app.check()).problems == []


async def test_a_receiver_that_marks_itself_failed_goes_on_and_keeps_what_it_returns(demo):
    async with demo.open() as app:
        await hook_up(app, "Marked")
        await put(app, "a")
        result = await only_result(app)
        assert (result.status, result.error, result.result) == (
            JobResultStatus.FAILURE,
            "a is odd",
            '{"checked":1}',
        )
        lines = [("failure", "a is odd"), ("failure", "and more"), ("info", "goes on")]
        assert await lines_of(app, result) == lines


async def test_a_line_after_the_end_is_told_to_the_hosts_log_and_not_added(demo, caplog):
    async with demo.open() as app:
        import demo as plugin

        await hook_up(app, "Late")
        await put(app, "a")
        result = await only_result(app)
        with caplog.at_level(logging.WARNING):
            plugin.gate.set()
            await plugin.logged.wait()
        assert [record.getMessage() for record in caplog.records] == [
            f"Job result number {result.number} logged after its end: too late"
        ]
        assert await messages_of(app, result) == []


async def test_the_cap_on_lines_can_be_set_and_keeps_head_and_tail(demo):
    async with demo.open(log_lines=20) as app:
        await hook_up(app, "Ordered")
        await put(app, "a")
        lines = await messages_of(app, await only_result(app))
        # The lines that frame the run count as well.
        assert lines[:9] == [str(n) for n in range(9)]
        assert lines[10:] == [str(n) for n in range(191, 200)]
        assert lines[9].startswith("182 lines (")


async def _results(app, limit=10):
    return await app.results(ResultQuery(limit=limit))
