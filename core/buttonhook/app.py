"""The composition root: the only place that picks implementations and puts the parts together.

async with open_app("sqlite:///inventory.db") as app:
    async with app.transaction(user="ann"):
        await Device(name="ams01-r1").save()
    await app.drain()
"""

import asyncio
import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar, cast, overload

import anyio
import msgspec

from buttonhook import capture
from buttonhook.access.access import Access
from buttonhook.access.parts import Parts
from buttonhook.administration import Administration
from buttonhook.bus.local import LocalBus
from buttonhook.buttons import ButtonGroup, Presser
from buttonhook.configuration import Configuration
from buttonhook.containment import contained_children
from buttonhook.control import Control
from buttonhook.dispatcher.dispatcher import Dispatcher
from buttonhook.errors import MultipleObjects, SettingsError
from buttonhook.explain import Explainer
from buttonhook.ids import ChangeContext
from buttonhook.intake import Intake
from buttonhook.logins import Logins
from buttonhook.objects.query import Objects
from buttonhook.objects.tracked import FreeObject
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.people import AuditEntry
from buttonhook.permissions import user_of
from buttonhook.plugin_news import PluginNews
from buttonhook.plugins import PluginLoader, PluginReport
from buttonhook.receivers.base import TransactionBlock
from buttonhook.receivers.user import User
from buttonhook.recorder.recorder import Recorder
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    Condition,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    Origin,
    ResultQuery,
)
from buttonhook.registry import Registry
from buttonhook.runner import Runner
from buttonhook.sessions import StoreSession
from buttonhook.settings import SQLITE_SCHEME, Settings, system_user
from buttonhook.source_secrets import SourceSecrets
from buttonhook.sources import Sources
from buttonhook.stores.base import CheckReport, Reader, Recovered, Referrer
from buttonhook.stores.sqlite.store import SqliteStore
from buttonhook.tally import Tally
from buttonhook.uniqueness import follow_constraints
from buttonhook.work import AuditEntries

T = TypeVar("T")

MAX_CRASHES: Final = 3
SWITCH_SECONDS: Final = 0.0005
"""The interpreter's switch interval: one thread that keeps it busy otherwise delays every hop to the loop by 5 ms."""
GC_THRESHOLDS: Final = (20_000, 20, 100)
"""Thousands of short-lived records a second make the collector run all the time for nothing: a quarter of all cost."""


class App:
    """An open Buttonhook: recorder, store and dispatcher in this process. Made by `open_app`."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        plugins: list[PluginReport],
        recorder: Recorder,
        reader: Reader,
    ) -> None:
        self.settings = settings
        self.registry = registry
        self.plugins = plugins
        own = _origin(self.user_name)
        self.configuration = Configuration(registry, recorder, own)
        self.administration = Administration(registry, recorder, own)
        self.reader = reader
        self.recovered = Recovered()
        self.problems: list[str] = []
        """What was found at the start that somebody should mend, in sentences."""
        self.tally = Tally()
        self.logins = Logins(registry, recorder)
        self.notices = recorder.notices
        self._recorder = recorder
        loop = self._loop = asyncio.get_running_loop()
        self.control = Control(registry, reader, recorder)
        self.explainer = Explainer(registry, reader)
        presser = Presser(registry, reader, recorder)
        secrets = SourceSecrets(registry.redactor, settings.database_path)
        self.sources = Sources(registry, recorder, secrets, own)
        news = PluginNews(plugins, settings)
        self._parts = Parts(registry, reader, recorder, presser, self.control, self.explainer, secrets, loop, news)
        self.intake = Intake(self._parts, self.access)
        self._dispatcher: Dispatcher | None = None
        self._session = self.session()
        self._session.joins_blocks = True

    @property
    def user_name(self) -> str:
        """Who acts where nobody is named: the `user` setting, else the operating system's user."""
        return self.settings.user or system_user()

    def session(
        self, user: str | None = None, context: ChangeContext = "app", detail: str = "", request_id: str = ""
    ) -> StoreSession:
        """A session of an author on an occasion. Without a request id every transaction gets one of its own."""
        origin = _origin(user or self.user_name, context, detail, request_id)
        return StoreSession(self._recorder, self.reader, self.registry, self._loop, origin)

    def transaction(
        self, user: str | None = None, context: ChangeContext = "app", detail: str = "", request_id: str = ""
    ) -> TransactionBlock:
        """A block whose writes are committed together at its end, or not at all."""
        return cast(TransactionBlock, self.session(user, context, detail, request_id).transaction())

    @overload
    def objects(self, what: type[T]) -> Objects[T]: ...

    @overload
    def objects(self, what: str) -> Objects[FreeObject]: ...

    def objects(self, what: Any) -> Any:
        """Queries over a struct type or an `app.model`, as the app's own user."""
        return self._session.objects(what)

    async def commit(self, request: TransactionRequest) -> TransactionAnswer:
        """Commit one transaction (contract: `objects.transactions.Gateway`)."""
        return await self._recorder.commit(request)

    def access(
        self, user: User | str | None = None, context: ChangeContext = "app", detail: str = "", request_id: str = ""
    ) -> Access:
        """What a user may see and do, each call checked; without a user what the app's own may."""
        name = self.user_name if user is None else str(user)
        known = user if isinstance(user, User) else user_of(self.registry, name)
        return Access(self._parts, known, _origin(name, context, detail, request_id))

    async def press(
        self, button: str, object_type: str, pks: Iterable[str], user: str | None = None
    ) -> tuple[JobResult, ...]:
        """Press a job button on objects; returns the pending results, one for each object (see `access.runs`)."""
        return await self.access(user).runs.press(button, object_type, pks)

    async def shown_buttons(self, object_type: str, pk: str, user: str | None = None) -> list[ButtonGroup]:
        """The job buttons that an object's page shows to a user (see `access.runs`)."""
        return await self.access(user).runs.shown_buttons(object_type, pk)

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """Object changes that fit."""
        return await self.reader.changes(query)

    async def results(self, query: ResultQuery) -> list[JobResult]:
        """Job results that fit."""
        return await self.reader.results(query)

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        """Log entries of one job result, in order."""
        return await self.reader.log_entries(result.number, after_id, limit)

    async def referrers(
        self, object_type: str, pk: str, after: Referrer | None = None, limit: int = 50
    ) -> list[Referrer]:
        """Who refers to an object: (object type, pk, field), in order, those behind `after`."""
        return await self.reader.referrers((object_type, pk), after, limit)

    async def find_by_natural_key(self, type_: ObjectType, values: tuple[Any, ...]) -> str | None:
        """The pk of the object that has these values in its type's natural key, None where none has.

        Raises:
            MultipleObjects: more than one has.
        """
        pairs = list(zip(type_.natural_key, values, strict=True))
        conditions = tuple(Condition((key,), "=", value) for key, value in pairs)
        query = ObjectQuery(
            object_type=type_.name, conditions=conditions, limit=2, unique=type_.unique_key(dict(pairs))
        )
        found = await self.reader.objects(query)
        if len(found) > 1:
            raise MultipleObjects(type_.name, "with " + ", ".join(f"{key} = {value!r}" for key, value in pairs))
        return found[0][0].pk if found else None

    async def check(self) -> CheckReport:
        """Look the whole database over."""
        report = await self.reader.check()
        report.problems.extend(self.problems)
        return report

    @property
    def stuck(self) -> list[str]:
        """Runs that did not end when they were told to: they may keep the loop from closing."""
        return [] if self._dispatcher is None else self._dispatcher.stuck

    @property
    def waiting_jobs(self) -> dict[str, int]:
        """Results that cannot run because their job is not installed, by job."""
        return {} if self._dispatcher is None else dict(self._dispatcher.parked)

    @property
    def running_count(self) -> int:
        """How many jobs run now."""
        return 0 if self._dispatcher is None else self._dispatcher.running

    @property
    def trouble(self) -> str | None:
        """Why the last write failed, until one works again."""
        return None if self._recorder.trouble is None else self._recorder.trouble.reason

    def audit(self, *entries: AuditEntry, done: Callable[[Any], None] = lambda _: None) -> None:
        """Record what no change tells of; `done` is called when it and all before is written. A full disk delays it."""
        self._recorder.post(AuditEntries(entries, done))

    async def stop_claiming(self, grace_seconds: float) -> bool:
        """Begin no runs any more and give those that run time to end; whether all did."""
        if self._dispatcher is None:
            return True
        self._dispatcher.stop_claiming()
        with anyio.move_on_after(grace_seconds):
            await self._dispatcher.wait_runs()
            return True
        return False

    async def drain(self, timeout_seconds: float | None = None) -> bool:
        """Wait until everything that can run has run, what it caused included; whether that was reached in time."""
        if self._dispatcher is None:
            return True
        with anyio.move_on_after(timeout_seconds):
            await self._dispatcher.wait_idle()
            return True
        return False


@asynccontextmanager
async def open_app(  # noqa: PLR0913 - all but one by keyword
    database: str | None = None,
    *,
    settings: Settings | None = None,
    receivers: Iterable[type[Any]] = (),
    object_types: Iterable[type[Any] | str] = (),
    load_plugins: bool = True,
    dispatch: bool = True,
    accept_older: bool = False,
    admit: Callable[["App"], None] = lambda _: None,
) -> AsyncIterator[App]:
    """Open the database, load the plugins, take up what an earlier process left, and run what comes.

    `receivers` and `object_types` are the host program's own, besides those of installed plugins. With `dispatch` false
    nothing runs: for reading. At the end of the block running jobs are cancelled; call `drain()` before to let
    them finish. `admit` is called before anything runs: what it raises ends the opening.

    Raises:
        DatabaseInUse, DatabaseRefused: the database cannot be used; nothing was changed in it.
    """
    chosen = settings or Settings()
    if database is not None:
        chosen = msgspec.structs.replace(chosen, db=database if "://" in database else f"{SQLITE_SCHEME}{database}")
    error: BaseException | None = None
    async with _plain_errors(), AsyncExitStack() as stack:
        loaded = load_registry(chosen, receivers, object_types, load_plugins=load_plugins)
        app = await _open(stack, chosen, loaded, dispatch=dispatch, accept_older=accept_older, admit=admit)
        try:
            yield app
        except BaseException as exc:  # noqa: BLE001 - raised below: a task group would wrap it
            error = exc
    if error is not None:
        raise error


@asynccontextmanager
async def _plain_errors() -> AsyncIterator[None]:
    """Raise the one error that ended a part, not the groups that task groups wrap it in."""
    try:
        yield
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
            error = error.exceptions[0]
        raise error from None


def load_registry(
    settings: Settings,
    receivers: Iterable[type[Any]] = (),
    object_types: Iterable[type[Any] | str] = (),
    *,
    load_plugins: bool = True,
) -> tuple[Registry, list[PluginReport]]:
    """What the plugins bring that the settings allow, besides the host program's own, and a report of each."""
    registry = Registry()
    try:
        registry.redactor.add_names(settings.redact_names)
    except ValueError as exc:
        raise SettingsError("redact_names", f"cannot be used: {exc}") from exc
    loader = PluginLoader(registry, settings.plugins)
    if load_plugins:
        loader.load_installed(settings.allowed_plugins, settings.blocked_plugins)
        if settings.plugins_dir is not None:
            loader.load_folder(Path(settings.plugins_dir))
    loader.load_host(receivers, object_types)
    if load_plugins:
        loader.warn_of_strangers()
    return registry, loader.reports


async def _open(
    stack: AsyncExitStack,
    settings: Settings,
    loaded: tuple[Registry, list[PluginReport]],
    *,
    dispatch: bool,
    accept_older: bool,
    admit: Callable[[App], None],
) -> App:
    """Put the parts together, each with its lifetime on the stack: what was opened last is closed first."""
    registry, plugins = loaded
    stack.enter_context(capture.installed())
    stack.enter_context(_tuned_interpreter())
    stack.enter_context(contained_children(asyncio.get_running_loop()))
    store = SqliteStore(
        settings.database_path,
        durability=settings.durability,
        lock_wait_seconds=settings.lock_wait,
        accept_older=accept_older,
    )
    await stack.enter_async_context(store.open())
    registry.put(await store.reader.config())
    registry.add_stored_types(await store.reader.stored_types())
    recovered = Recovered()
    if dispatch:
        no_rerun = frozenset(each.id for each in registry.receivers.values() if not each.meta.rerun_on_crash)
        recovered = await store.recover(MAX_CRASHES, no_rerun)
    bus = LocalBus()
    recorder = await stack.enter_async_context(Recorder(store, registry, bus).open())
    app = App(settings, registry, plugins, recorder, store.reader)
    app.recovered = recovered
    await app.configuration.follow_installed()
    app.problems = [*app.sources.know_secrets(), *await follow_constraints(registry, store.reader, recorder)]
    await _know_owner(app, settings.database_path)
    admit(app)
    if dispatch:
        dispatcher = await stack.enter_async_context(_dispatcher(app, recorder, bus).open())
        app._dispatcher = recorder.admission = app.control.running = dispatcher
    return app


def _dispatcher(app: App, recorder: Recorder, bus: LocalBus) -> Dispatcher:
    loop = asyncio.get_running_loop()

    def open_session(origin: Origin, run: tuple[int, int]) -> StoreSession:
        return StoreSession(recorder, app.reader, app.registry, loop, origin, run)

    runner = Runner(app.registry, open_session, app.control, app.settings.threads)
    app.tally = Tally(recorder)
    return Dispatcher(app.registry, app.reader, app.tally, bus, runner, app.settings)


@contextmanager
def _tuned_interpreter() -> Iterator[None]:
    """Shorter turns for threads and rarer garbage collections while an app is open; both are put back."""
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(min(interval, SWITCH_SECONDS))
    gc.set_threshold(*map(max, thresholds, GC_THRESHOLDS))
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


def _origin(user_name: str, context: ChangeContext = "app", detail: str = "", request_id: str = "") -> Origin:
    return Origin(user_name=user_name, context=context, detail=detail, request_id=request_id)


async def _know_owner(app: App, database: Path) -> None:
    """Who opens a database first is its owner; so is, unless named otherwise, the system's user who owns its file."""
    users = app.administration.users()
    if any(each.name == app.user_name for each in users):
        return
    owner = (await anyio.Path(database).stat()).st_uid
    if not users:
        await Administration(app.registry, app._recorder).add_user(app.user_name, is_owner=True)  # nobody's edit
    elif app.settings.user is None and os.geteuid() in (0, owner):
        await app.administration.add_user(app.user_name, is_owner=True)
