"""Opening the app for a command, and waiting for what the command caused.

A reading command runs nothing and makes no database. A writing one first finishes what waited before, and
waits at its end for all that came of it; what is left then is named.
"""

import asyncio
import importlib
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, TypeVar

import msgspec
import uvloop
from msgspec import Struct
from rich.progress import SpinnerColumn, TextColumn

from buttonhook.cli import shapes
from buttonhook.cli.acting import NOTHING, JobOptions, UserApp
from buttonhook.cli.context import Cli
from buttonhook.cli.finding import Place, find_daemon
from buttonhook.cli.output import Output
from buttonhook.cli.telling import tell_failures, tell_left, tell_recovered, tell_runs
from buttonhook.cli.words import names_of_broken
from buttonhook.configuration import Configuration
from buttonhook.editing import Removed
from buttonhook.errors import ButtonhookError, DatabaseRefused, RecordConflict, RecordNotFound, StoreError
from buttonhook.plugins import PluginReport
from buttonhook.records import ConfigRecord, Job, Origin
from buttonhook.registry import Registry
from buttonhook.settings import Settings, system_user

T = TypeVar("T")
POLL_SECONDS: Final = 0.2
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

    def options(self, job: Job) -> JobOptions | None:
        """How a job runs."""
        return shapes.options_of(self.registry, job)


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
    from buttonhook.app import load_registry

    registry, plugins = load_registry(settings)
    configuration = Configuration(registry, _Memory(registry))
    await configuration.follow_installed()
    return Catalogue(registry, plugins, configuration)


def _own(cli: Cli) -> Settings:
    """The settings for opening the database, with what is left of the time to wait for it."""
    return msgspec.structs.replace(cli.settings, lock_wait=cli.lock_wait)


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


async def ask_daemon(cli: Cli, *, waits: bool = True) -> Place | None:
    """The daemon that does the command's work, None where the command has the database itself."""
    found = await find_daemon(cli.loaded, waits=waits)
    cli.asks_daemon = found.place is not None
    cli.lock_wait = found.lock_wait
    return found.place


@asynccontextmanager
async def _embedded(settings: Settings, **options: Any) -> AsyncIterator[tuple[Any, UserApp]]:
    """The app on the database itself, and the user's way in. Beside a daemon a command starts without loading them."""
    from buttonhook.app import open_app
    from buttonhook.cli.embedded import EmbeddedApp, require_known

    async with open_app(settings=settings, admit=require_known, **options) as app:
        yield app, EmbeddedApp(app)


@asynccontextmanager
async def _remote(cli: Cli, place: Place, sees: frozenset[str]) -> AsyncIterator[UserApp]:
    with suppress(ValueError):  # a text that short is no token, as the daemon will say
        cli.out.redactor.register(place.token)
    # The others start quicker without it, and it without the command line that httpx brings of its own.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
    remote = importlib.import_module("buttonhook.cli.remote.app")

    async def find_again() -> Place | None:
        return (await find_daemon(cli.loaded, waits=False)).place

    user = cli.settings.user or system_user()
    if "plugins_dir" in cli.flags:
        cli.out.warn("--plugins-dir is not used: a daemon does the work. Give it to: buttonhook serve")
    async with remote.remote_app(place, user, sees=sees, find_again=find_again) as app:
        try:
            yield app
        except (RecordNotFound, RecordConflict) as exc:
            if exc.kind == "job":
                await _tell_not_loaded(cli.out, app)
            raise


async def _tell_not_loaded(out: Output, app: UserApp) -> None:
    """Name what a plugin lacks, as far as the user may see it: one may hold the job that is missing."""
    with suppress(ButtonhookError):
        for each in await app.plugins():
            for told in [*each.errors, *(each.warnings if each.needs_restart else ())]:
                out.warn(f"Plugin {each.name}: {told}")


@asynccontextmanager
async def reading(cli: Cli, *, warns: bool = True, sees: frozenset[str] = NOTHING) -> AsyncIterator[UserApp]:
    """A way in that runs nothing, as the user who acts, to what must be there; `warns` of broken plugins.

    `sees`: what of the registry the command looks at, see `acting`.
    """
    place = await ask_daemon(cli)
    if place is not None:
        async with _remote(cli, place, sees) as remote:
            if warns:
                warn_of_broken_plugins(cli.out, remote.broken_plugins)
            yield remote
        return
    require_database(cli.settings)
    async with _embedded(_own(cli), dispatch=False, accept_older=cli.accept_older) as (app, embedded):
        cli.out.redactor = app.registry.redactor
        if warns:
            warn_of_broken_plugins(cli.out, embedded.broken_plugins)
        yield embedded


@asynccontextmanager
async def asking(cli: Cli) -> AsyncIterator[UserApp | None]:
    """The way in to a daemon, where one does the work, for commands that need no database; else None.

    A named user whom the database does not know is refused. Beside a process that has the database, and with one that
    cannot be opened, it is told that nobody was asked.

    Raises:
        click.ClickException: the user is not known or is disabled.
    """
    place = await ask_daemon(cli, waits=False)
    if place is not None:
        async with _remote(cli, place, NOTHING) as app:
            yield app
        return
    if cli.settings.user is not None and has_database(cli.settings):
        try:
            settings = msgspec.structs.replace(cli.settings, lock_wait=0)
            async with _embedded(settings, dispatch=False, accept_older=True):
                pass
        except StoreError as exc:
            cli.out.warn(f"Whether {cli.settings.user!r} is a known user could not be asked. {exc}")
    yield None


@asynccontextmanager
async def reading_or_catalogue(cli: Cli, *, sees: frozenset[str]) -> AsyncIterator[UserApp | Catalogue]:
    """As `reading`; where no database is yet, what the plugins bring."""
    if cli.settings.server is not None or has_database(cli.settings):
        async with reading(cli, sees=sees) as app:
            yield app
        return
    catalogue = await load_catalogue(cli.settings)
    warn_of_broken_plugins(cli.out, names_of_broken(catalogue.plugins))
    yield catalogue


def warn_of_broken_plugins(out: Output, broken: Sequence[str]) -> None:
    """Tell of the plugins of these names, if there are any, that they have errors."""
    if broken:
        what = "Plugin {} has errors" if len(broken) == 1 else "Plugins {} have errors"
        out.warn(f"{what.format(', '.join(broken))}. See them with: buttonhook plugins")


# --- writing --------------------------------------------------------------------------------------


class Writing:
    """A writing command on its way. `exit_code` is what it is to end with."""

    def __init__(self, cli: Cli, app: UserApp) -> None:
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


async def settle(app: UserApp, out: Output, seconds: float | None) -> bool:
    """Run what can run, showing how far it is; whether all was done in time."""
    if seconds == 0:
        return False
    deadline = None if seconds is None else time.monotonic() + seconds
    if await app.caused.wait(min(POLL_SECONDS, seconds or POLL_SECONDS)):
        return True
    with out.progress(SpinnerColumn(), TextColumn("{task.description}", markup=False)) as progress:
        row = progress.add_task("Running jobs")
        while deadline is None or time.monotonic() < deadline:
            figures = app.caused.figures()
            progress.update(row, description=f"Running jobs{': ' if figures else ''}{figures}")
            if await app.caused.wait(POLL_SECONDS):
                return True
    return False


@asynccontextmanager
async def writing(
    cli: Cli, *, creates: bool = False, dispatch: bool = True, sees: frozenset[str] = NOTHING
) -> AsyncIterator[Writing]:
    """A way in for a write of the user who acts; at the end of the block its jobs are waited for and told.

    `creates`: a database is made where none is. With `dispatch` false, as with `--no-wait`, nothing runs: also
    what waited before is left as it is. `sees`: as for `reading`.
    """
    place = await ask_daemon(cli)
    if place is not None:
        async with _remote(cli, place, sees) as remote:
            warn_of_broken_plugins(cli.out, remote.broken_plugins)
            asked = Writing(cli, remote)
            yield asked
            if dispatch and cli.waiting.seconds != 0:
                await asked.settle()
            await _tell_end(asked, dispatch)
        return
    if not creates:
        require_database(cli.settings)
    runs = dispatch and cli.waiting.seconds != 0
    async with _embedded(_own(cli), dispatch=runs, accept_older=cli.accept_older) as (app, embedded):
        cli.out.redactor = app.registry.redactor
        warn_of_broken_plugins(cli.out, embedded.broken_plugins)
        current = Writing(cli, embedded)
        await tell_recovered(current.app, cli.out)
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


async def _tell_end(current: Writing, dispatch: bool) -> None:
    app, out = current.app, current.out
    if current.tells_runs and not out.is_json:
        await tell_runs(app, out)
    await tell_failures(app, out, current.told)
    if dispatch:
        await tell_left(app, out)
    if current.cli.waiting.is_strict and app.caused.has_failures:
        current.exit_code = current.exit_code or 1
