"""The test fixtures do what the other tests rely on."""

import asyncio
import importlib
import importlib.metadata
import subprocess
import sys
import threading
import time

import pytest

from tests.command_line import CommandResult
from tests.loop_watch import LoopWatch

SOURCE = """
    ANSWER = 42
"""


def entry_point_names() -> set[str]:
    return {point.name for point in importlib.metadata.entry_points(group="buttonhook")}


def test_a_plugin_package_is_installed_while_it_is_used(plugin_package):
    package = plugin_package("acme-audit", SOURCE, version="2.5")
    with pytest.MonkeyPatch.context() as patch:
        package.use(patch)
        assert importlib.metadata.version("acme-audit") == "2.5"
        assert "acme-audit" in entry_point_names()
        assert importlib.import_module("acme_audit").ANSWER == 42
    assert "acme-audit" not in entry_point_names()
    assert "acme_audit" not in sys.modules


def test_two_versions_of_a_plugin_package_do_not_mix(plugin_package):
    for version in ("1.0", "2.0"):
        package = plugin_package("acme-audit", f"VERSION = '{version}'", version=version)
        with pytest.MonkeyPatch.context() as patch:
            package.use(patch)
            assert version == importlib.import_module("acme_audit").VERSION


def test_the_same_content_is_built_once(plugin_package):
    assert plugin_package("acme-audit", SOURCE) is plugin_package("acme-audit", SOURCE)
    assert plugin_package("acme-audit", SOURCE) is not plugin_package("acme-audit", "ANSWER = 1")


def test_a_plugin_package_may_hold_several_modules_and_name_one_that_is_missing(plugin_package):
    package = plugin_package(
        "acme",
        files={"acme/__init__.py": "", "acme/rules/slugs.py": "", "lone.py": ""},
        entry_points={"acme": "acme.rules", "gone": "acme.gone:Nothing"},
    )
    assert package.modules == ("acme", "acme.rules", "acme.rules.slugs", "lone")
    with pytest.MonkeyPatch.context() as patch:
        package.use(patch)
        assert {"acme", "gone"} <= entry_point_names()


def test_a_subprocess_sees_the_plugin_packages_of_its_environment(plugin_package):
    first, second = plugin_package("acme", "X = 1"), plugin_package("bolt", "Y = 2")
    done = subprocess.run(
        [sys.executable, "-c", "import acme, bolt; print(acme.X + bolt.Y)"],
        env=first.env(second),
        capture_output=True,
        text=True,
    )
    assert done.stdout == "3\n"


def test_the_command_line_reads_json_output():
    result = CommandResult(("plugins", "--json"), 0, '[{"name": "acme"}]', "")
    assert result.json() == [{"name": "acme"}]
    with pytest.raises(AssertionError, match="not JSON"):
        CommandResult(("plugins",), 0, "acme 1.0", "").json()


async def watched(work, limit_seconds: float) -> str | None:
    watch = LoopWatch(asyncio.get_running_loop(), threading.get_ident(), limit_seconds)
    watch.start()
    await asyncio.sleep(0.2)  # lets the first heartbeats pass
    work()
    await asyncio.sleep(0)
    return watch.stop()


def sit_still() -> None:
    time.sleep(0.8)


def compute() -> None:
    sum(i * i for i in range(8_000_000))


@pytest.mark.blocks_loop
@pytest.mark.parametrize("work", [sit_still, compute])
async def test_the_loop_watch_names_what_blocked_the_loop(work):
    complaint = await watched(work, limit_seconds=0.3)
    assert complaint is not None
    assert work.__name__ in complaint


async def test_the_loop_watch_keeps_quiet_while_the_loop_answers():
    assert await watched(lambda: None, limit_seconds=1.5) is None


def test_the_loop_watch_counts_nothing_while_no_loop_runs():
    loop = asyncio.new_event_loop()
    watch = LoopWatch(loop, threading.get_ident(), limit_seconds=0.2)
    watch.start()
    time.sleep(0.6)
    loop.close()
    assert watch.stop() is None


async def test_async_tests_are_watched(request):
    assert "loop_watch" in request.fixturenames
