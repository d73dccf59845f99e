"""What all tests share: the backend, the blocked-loop detector, plugin packages, the command.

`BUTTONHOOK_TEST_ROUNDS=10` (make test-long) multiplies the rounds of tests that use the `rounds`
fixture and the examples of every property test, which are then drawn anew in each run.
"""

import asyncio
import inspect
import os
import signal
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path, PurePosixPath

import hypothesis
import pytest

from tests.command_line import CommandLine
from tests.loop_watch import LoopWatch
from tests.plugin_packages import PluginPackages

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = int(os.environ.get("BUTTONHOOK_TEST_ROUNDS", "1"))
OPTIONAL = "optional:"

hypothesis.settings.register_profile(
    "buttonhook",
    max_examples=100 * ROUNDS,
    deadline=None,  # a shared machine's pauses are not failures
    # Without "explain": its tracer and a garbage collection at the wrong moment hang CPython 3.11 for ever.
    phases=[phase for phase in hypothesis.Phase if phase is not hypothesis.Phase.explain],
    derandomize=ROUNDS == 1,
    print_blob=True,
)
hypothesis.settings.load_profile("buttonhook")


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Shells start what is to go on in the background so, and every process of a test would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


# --- fixtures -------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def rounds() -> int:
    """The factor by which a test that repeats itself multiplies its rounds: 1, or more in test-long."""
    return ROUNDS


@pytest.fixture(scope="session")
def root_dir() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The shared reference folder beside the checkout, or a symbolic link to it there."""
    shared = ROOT.parent / "shared"
    if not (shared / "reference").is_dir():
        pytest.skip(f"{OPTIONAL} the shared reference folder is not beside this checkout")
    return shared.resolve()


@pytest.fixture(scope="session")
def plugin_package(tmp_path_factory: pytest.TempPathFactory) -> PluginPackages:
    """Build and install plugin packages; see `PluginPackages.__call__`."""
    return PluginPackages(tmp_path_factory.mktemp("plugin-packages"))


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CommandLine]:
    """Run the installed command in `tmp_path`; see `CommandLine.__call__` and `.start`."""
    command_line = CommandLine(tmp_path)
    yield command_line
    command_line.close()


@pytest.fixture
async def loop_watch(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Fail a test that blocks its event loop; every async test has it, see below."""
    if request.node.get_closest_marker("blocks_loop"):
        yield
        return
    watch = LoopWatch(asyncio.get_running_loop(), threading.get_ident())
    watch.start()
    yield
    if (complaint := watch.stop()) is not None:
        pytest.fail(complaint, pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_pycollect_makeitem(name: str, obj: object) -> None:
    tested = obj.hypothesis.inner_test if hasattr(obj, "hypothesis") else obj
    if name.startswith("test") and inspect.iscoroutinefunction(tested):
        pytest.mark.usefixtures("loop_watch")(obj)


# --- a skip hides nothing in CI -------------------------------------------------------------------


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if os.environ.get("CI") != "true" or not report.skipped or hasattr(report, "wasxfail"):
        return
    if not isinstance(report.longrepr, tuple):
        return
    path, line, reason = report.longrepr
    reason = reason.removeprefix("Skipped: ")
    if not reason.startswith(OPTIONAL):
        report.outcome = "failed"
        report.longrepr = (
            f"{path}:{line}: skipped in CI: {reason}\n"
            f'Install what is missing (.ci/packages), or begin the reason with "{OPTIONAL}".'
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


# --- time by folder -------------------------------------------------------------------------------


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    seconds: dict[str, float] = defaultdict(float)
    tests: dict[str, set[str]] = defaultdict(set)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                folder = _folder(report.nodeid)
                seconds[folder] += report.duration
                tests[folder].add(report.nodeid)
    if not seconds:
        return
    terminalreporter.section("time by folder")
    for folder in sorted(seconds, key=seconds.__getitem__, reverse=True):
        count = len(tests[folder])
        terminalreporter.write_line(f"{seconds[folder]:8.1f} s  {folder} ({count} tests)")


def _folder(nodeid: str) -> str:
    """Return `tests/<folder>` of a test, or its file when it lies in no folder."""
    return str(PurePosixPath(*PurePosixPath(nodeid.partition("::")[0]).parts[:2]))
