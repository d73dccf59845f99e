"""Opening the app for a command, and waiting for what the command caused.

A reading command runs nothing and makes no database. A writing one first finishes what waited before, and
waits at its end for all that came of it; what is left then is named.
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import uvloop
from msgspec import Struct
from rich.progress import SpinnerColumn, TextColumn

from buttonhook.app import App, load_registry, open_app
from buttonhook.cli.context import Cli
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.words import failure_line, reason, result_object, took
from buttonhook.configuration import Configuration
from buttonhook.editing import Removed
from buttonhook.errors import DatabaseRefused
from buttonhook.ids import FINAL_STATUSES, JobResultStatus
from buttonhook.plugins import PluginReport
from buttonhook.records import ConfigRecord, JobResult, Origin, ResultQuery
from buttonhook.registry import Registry
from buttonhook.settings import Settings

T = TypeVar("T")
POLL_SECONDS: Final = 0.2
MAX_NAMED: Final = 20
PAGE: Final = 1000
COUNTED: Final = 10_000
_stuck: list[str] = []
"""Runs that did not end when they were told to."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end; Ctrl-C cancels it and lets it clean up.

    A receiver that does not listen when it is told to stop would keep the loop from closing: then the process ends
    at once. All that matters has been committed.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        answer = runner.run(work)
        if _stuck:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(answer if isinstance(answer, int) else 0)
        return answer


# --- reading --------------------------------------------------------------------------------------


class Catalogue(Struct, frozen=True):
    """What the installed plugins bring, without a database: every job disabled, no hooks, no objects."""

    registry: Registry
    plugins: list[PluginReport]
    configuration: Configuration


class _Memory:
    """Takes edits of the set-up into the registry and nowhere else."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def edit(
        self, records: Sequence[ConfigRecord] = (), removed: Sequence[Removed] = (), origin: Origin | None = None
    ) -> None:
        self._registry.put(records, removed)


async def load_catalogue(settings: Settings) -> Catalogue:
    """Load the plugins alone."""
    registry, plugins = load_registry(settings)
    configuration = Configuration(registry, _Memory(registry))
    await configuration.follow_installed()
    return Catalogue(registry, plugins, configuration)


def has_database(settings: Settings) -> bool:
    """Whether the database's file is there."""
    return settings.database_path.exists()


def require_database(settings: Settings) -> None:
    """Raises: DatabaseRefused: there is none, and this command would have nothing to do with a new one."""
    path = settings.database_path
    if path.exists():
        return
    if path.with_name(f"{path.name}.lock").exists():
        raise DatabaseRefused(
            str(path), "is missing, though it was there before", "Put the file or a backup of it in its place."
        )
    raise DatabaseRefused(
        str(path),
        "does not exist",
        "Name yours with --db sqlite:///FILE; a new one is made by the first write: buttonhook jobs enable JOB.",
    )


@asynccontextmanager
async def reading(cli: Cli, *, warns: bool = True) -> AsyncIterator[App]:
    """An app that runs nothing, on a database that must be there; `warns` of broken plugins."""
    require_database(cli.settings)
    async with open_app(settings=cli.settings, dispatch=False, accept_older=cli.accept_older) as app:
        cli.out.redactor = app.registry.redactor
        if warns:
            warn_of_broken_plugins(cli.out, app.plugins)
        yield app


@asynccontextmanager
async def reading_or_catalogue(cli: Cli) -> AsyncIterator[App | Catalogue]:
    """As `reading`; where no database is yet, what the plugins bring."""
    if has_database(cli.settings):
        async with reading(cli) as app:
            yield app
        return
    catalogue = await load_catalogue(cli.settings)
    warn_of_broken_plugins(cli.out, catalogue.plugins)
    yield catalogue


def warn_of_broken_plugins(out: Output, plugins: Iterable[PluginReport]) -> None:
    broken = [each.name for each in plugins if each.errors]
    if broken:
        what = "Plugin {} has errors" if len(broken) == 1 else "Plugins {} have errors"
        out.warn(f"{what.format(', '.join(broken))}. See them with: buttonhook plugins")


# --- writing --------------------------------------------------------------------------------------


class Writing:
    """A writing command on its way. `exit_code` is what it is to end with."""

    def __init__(self, cli: Cli, app: App) -> None:
        self.cli, self.app, self.out = cli, app, cli.out
        self.exit_code = 0
        self.tells_runs = True
        """Whether the runs are listed at the end; commands that show them in their own way set it to false."""
        self.told: set[int] = set()
        """Numbers of the results that the command itself showed: their failure needs no second line."""

    async def settle(self) -> bool:
        """Wait for what was caused so far, as long as the command may; whether all of it is done."""
        self.out.flush()  # what was written is told before the wait begins
        return await settle(self.app, self.out, self.cli.waiting.seconds)


async def settle(app: App, out: Output, seconds: float | None) -> bool:
    """Run what can run, showing how far it is; whether all was done in time."""
    if seconds == 0:
        return False
    deadline = None if seconds is None else time.monotonic() + seconds
    if await app.drain(min(POLL_SECONDS, seconds or POLL_SECONDS)):
        return True
    with out.progress(SpinnerColumn(), TextColumn("{task.description}", markup=False)) as progress:
        row = progress.add_task("Running jobs")
        while deadline is None or time.monotonic() < deadline:
            done = sum(app.tally.counts.values())
            progress.update(row, description=f"Running jobs: {app.running_count:,} at work, {done:,} done")
            if await app.drain(POLL_SECONDS):
                return True
    return False


@asynccontextmanager
async def writing(cli: Cli, *, creates: bool = False, dispatch: bool = True) -> AsyncIterator[Writing]:
    """An app for a write; at the end of the block its jobs are waited for and told.

    `creates`: a database is made where none is. With `dispatch` false, as with `--no-wait`, nothing runs: also
    what waited before is left as it is.
    """
    if not creates:
        require_database(cli.settings)
    runs = dispatch and cli.waiting.seconds != 0
    async with open_app(settings=cli.settings, dispatch=runs, accept_older=cli.accept_older) as app:
        cli.out.redactor = app.registry.redactor
        warn_of_broken_plugins(cli.out, app.plugins)
        _tell_recovered(app, cli.out)
        current = Writing(cli, app)
        if runs:
            await current.settle()
        yield current
        if runs:
            await current.settle()
        await _tell_end(current, dispatch)
    if app.stuck:
        _stuck.extend(app.stuck)
        cli.out.warn(f"Left behind, as they did not stop: {', '.join(app.stuck)}.")
        cli.out.flush()


def _tell_recovered(app: App, out: Output) -> None:
    if app.recovered.pending:
        out.note(f"Taking up again what a process that ended left: {plural(len(app.recovered.pending), 'job result')}.")
    for each in app.recovered.interrupted:
        out.failed_job(failure_line(each))


async def _tell_end(current: Writing, dispatch: bool) -> None:
    app, out = current.app, current.out
    if current.tells_runs and not out.is_json:
        await tell_runs(app, out)
    await tell_failures(app, out, current.told)
    if dispatch:
        await tell_waiting(app, out)
    if current.cli.waiting.is_strict and has_failures(app):
        current.exit_code = current.exit_code or 1


def has_failures(app: App) -> bool:
    """Whether a job failed in this process, or was given up at its start."""
    return bool(app.tally.counts[JobResultStatus.FAILURE] or app.recovered.interrupted)


async def tell_runs(app: App, out: Output) -> None:
    """What ran: each run when they are few, else how many."""
    counts = app.tally.counts
    total = sum(counts.values())
    if not total:
        return
    if total > MAX_NAMED:
        out.line(f"Jobs: {run_counts(app)}")
        return
    out.table(RUN_COLUMNS, [run_row(out, each) for each in await results_of(app, app.tally.numbers)])


def run_counts(app: App) -> str:
    """`1,204 run: 1,200 success, 4 failure`."""
    counts = app.tally.counts
    parts = ", ".join(f"{counts[each]:,} {each.value}" for each in JobResultStatus if counts[each])
    total = sum(counts.values())
    return f"{total:,} run: {parts}" if total else "0 run"


RUN_COLUMNS: Final = (
    Column("status"),
    Column("result", is_right=True),
    Column("job"),
    Column("object"),
    Column("took", is_right=True),
    Column("reason", is_cut=True),
)


def run_row(out: Output, result: JobResult) -> Row:
    """One run in one line."""
    about, why = result_object(result), Cell(reason(result), "dim")
    return [out.status(result.status), str(result.number), result.job_name, about, took(result), why]


async def tell_failures(app: App, out: Output, told: set[int]) -> None:
    """Each failed job in a line of standard error, the first of them at least, but those `told` already."""
    failures = [number for number in app.tally.failures if number not in told]
    for each in await results_of(app, failures[:MAX_NAMED]):
        out.failed_job(failure_line(each))
    if len(failures) > MAX_NAMED:
        count = app.tally.counts[JobResultStatus.FAILURE] - len(told) - MAX_NAMED
        out.failed_job(f"{count:,} more. See them with: buttonhook results list --status failure")


async def tell_waiting(app: App, out: Output) -> None:
    """What is left: results whose job is not installed, and those that were not waited for."""
    parked = app.waiting_jobs
    for job, count in sorted(parked.items()):
        out.warn(
            f"{plural(count, 'job result')} of {job} {'waits' if count == 1 else 'wait'}: the job is not installed. "
            "Install its package, then: buttonhook run"
        )
    pending = await app.reader.pending(0, COUNTED)
    retries = [each for each in pending if each.due_at is not None]
    if retries:
        due = out.time(min(each.due_at or 0 for each in retries))
        out.warn(f"{plural(len(retries), 'job result')} will be tried again, from {due} on: buttonhook run")
    waiting = len(pending) - len(retries) - sum(parked.values())
    running = app.running_count
    if waiting <= 0 and not running:
        return
    more = "more than " if waiting >= COUNTED else ""
    parts = [f"{more}{plural(waiting, 'job result')} {'waits' if waiting == 1 else 'wait'}"] if waiting > 0 else []
    parts += [f"{plural(running, 'job')} still running {'was' if running == 1 else 'were'} stopped"] if running else []
    out.warn(f"{' and '.join(parts)}. Go on with: buttonhook run")


async def results_of(app: App, numbers: Iterable[int]) -> list[JobResult]:
    """Results by their numbers, in order of number."""
    wanted = sorted(set(numbers))
    found: list[JobResult] = []
    place = 0
    while place < len(wanted):
        span = min(PAGE, wanted[-1] - wanted[place] + 1)
        page = await app.results(ResultQuery(after=wanted[place] - 1, ascending=True, limit=span))
        last = page[-1].number if page else wanted[-1]
        numbered = {each.number: each for each in page}
        while place < len(wanted) and wanted[place] <= last:
            if (result := numbered.get(wanted[place])) is not None:
                found.append(result)
            place += 1
    return found


def is_final(result: JobResult) -> bool:
    return result.status in FINAL_STATUSES
