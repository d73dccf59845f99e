"""Inside another program: the host's logging stays as it was, and two apps live side by side."""

import asyncio
import logging
import threading
import warnings

from buttonhook import JobHookReceiver, JobResultStatus, open_app
from tests.scenarios.story import all_changes, all_results, hook_up, messages_of, put


class Chatty(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("own %s", change.object_pk)
        await asyncio.to_thread(logging.getLogger("vendor").warning, "vendor %s", change.object_pk)


class Collector(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append((record.name, record.getMessage()))


def host_logging():
    names = [None, "buttonhook", "buttonhook.jobs", "vendor", "asyncio", "aiosqlite"]
    loggers = [logging.getLogger(name) for name in names]
    return [(each.level, list(each.handlers), list(each.filters), each.propagate, each.disabled) for each in loggers]


def patched():
    return logging.Logger.callHandlers, threading.Thread.start, warnings.showwarning, logging.getLoggerClass()


def open_library(folder, name):
    return open_app(
        f"sqlite:///{folder / name}.db", receivers=[Chatty], object_types=["demo.thing"], load_plugins=False
    )


async def test_the_hosts_handlers_levels_and_filters_are_as_before_during_and_after(tmp_path):
    before, functions = host_logging(), patched()
    async with open_library(tmp_path, "one") as app:
        assert host_logging() == before
        await hook_up(app, "Chatty")
        await put(app, "a")
        await app.drain()
        assert host_logging() == before
    assert host_logging() == before
    assert patched() == functions


async def test_the_hosts_handlers_still_hear_everything_once(tmp_path):
    collector = Collector()
    root = logging.getLogger()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.INFO)
    try:
        async with open_library(tmp_path, "one") as app:
            job = await hook_up(app, "Chatty")
            await put(app, "a")
            (result,) = await all_results(app)
            logging.getLogger("host").info("the host's own")
    finally:
        root.removeHandler(collector)
        root.setLevel(level)
    heard = [line for line in collector.lines if line[0] != "asyncio"]
    assert heard == [
        (f"buttonhook.jobs.{job.job}", "Running job"),
        (f"buttonhook.jobs.{job.job}", "own a"),
        ("vendor", "vendor a"),
        (f"buttonhook.jobs.{job.job}", "Job completed"),
        ("host", "the host's own"),
    ]
    assert result.status is JobResultStatus.SUCCESS


async def test_two_apps_on_two_databases_do_not_mix(tmp_path):
    async with open_library(tmp_path, "one") as one, open_library(tmp_path, "two") as two:
        for app in (one, two):
            await hook_up(app, "Chatty")
        await asyncio.gather(*(put(app, f"{name}{n}") for n in range(50) for app, name in ((one, "a"), (two, "b"))))
        for app, name in ((one, "a"), (two, "b")):
            results = await all_results(app)
            assert sorted(each.object_pk for each in results) == sorted(f"{name}{n}" for n in range(50))
            assert sum(each.object_type == "demo.thing" for each in await all_changes(app)) == 50
            for result in results:
                pk = result.object_pk
                assert await messages_of(app, result) == [f"own {pk}", f"vendor {pk}"]


async def test_the_first_app_goes_on_when_the_second_closes(tmp_path):
    async with open_library(tmp_path, "one") as one:
        await hook_up(one, "Chatty")
        async with open_library(tmp_path, "two") as two:
            await hook_up(two, "Chatty")
            await put(two, "b")
            await two.drain()
        await put(one, "a")
        (result,) = await all_results(one)
        assert await messages_of(one, result) == ["own a", "vendor a"]
