"""The few moves every scenario makes: hook a receiver up, wait for the dust to settle, read what came of it."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from buttonhook import App, open_app
from buttonhook.access.access import Access
from buttonhook.administration import Administration
from buttonhook.configuration import Configuration
from buttonhook.objects.keys import object_permission
from buttonhook.records import ChangeQuery, ChangeRecord, JobHook, JobLogEntry, JobResult, ResultQuery
from buttonhook.settings import Settings
from tests.plugin_packages import PluginPackage, PluginPackages

MANY = 100_000
FRAMING = {("initialization", "Running job"), ("post_run", "Job completed")}


@dataclass
class Stage:
    """One database, and the packages that are installed for it."""

    folder: Path
    packages: PluginPackages
    patch: pytest.MonkeyPatch
    installed: list[str] = field(default_factory=list)

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'story.db'}"

    def install(self, name: str, source: str | None = None, **content: Any) -> PluginPackage:
        """Install a package for real; `open` loads it."""
        package = self.packages(name, source, **content)
        package.use(self.patch)
        self.installed.append(name)
        return package

    def open(
        self, *, plugins: Iterable[str] | None = None, receivers: Any = (), object_types: Any = (), **settings: Any
    ) -> AbstractAsyncContextManager[App]:
        """Open the database with the installed packages and no others, or with `plugins`.

        The first user is ann, its owner. What a story sets up by `app.configuration` and `app.administration` is
        bookkeeping, so that changes count from 1; edits by `app.access()` are recorded as always.
        """
        names = tuple(self.installed if plugins is None else plugins)
        usual = {"db": self.database, "allowed_plugins": names, "lock_wait": 0.0, "user": "ann"}
        chosen = Settings(**{**usual, **settings})
        return _opened(chosen, receivers, object_types)


@asynccontextmanager
async def _opened(settings: Settings, receivers: Any, object_types: Any) -> AsyncIterator[App]:
    async with open_app(settings=settings, receivers=receivers, object_types=object_types) as app:
        keep_books(app)
        yield app


def keep_books(app: App) -> None:
    """Let edits of the set-up by the app itself leave no changes."""
    app.configuration = Configuration(app.registry, app._recorder)
    app.administration = Administration(app.registry, app._recorder)


async def owner(app: App, name: str) -> Access:
    """What an owner of this name may do, who is added where there is none."""
    if all(each.name != name for each in app.administration.users()):
        await app.administration.add_user(name, is_owner=True)
    return app.access(name)


async def hook_up(app: App, job: str, *object_types: str, actions: Iterable[str] | None = None) -> JobHook:
    """Enable a job and hook it on every change of the types."""
    record, _ = await app.configuration.enable_job(job)
    more = {} if actions is None else {"actions": actions}
    return await app.configuration.add_hook(f"on {job}", record.id, object_types or ("demo.thing",), **more)


async def presser(app: App, name: str, *more: str) -> str:
    """A user who may run jobs, see every object and do what else is named; returns the name."""
    types = (object_permission(each.name, "view") for each in app.registry.list_types())
    await app.administration.put_user(name, permissions=["jobs.run_job", *types, *more])
    return name


async def put(app: App, pk: str, object_type: str = "demo.thing", /, **fields: Any) -> None:
    """Create an object, or change the fields given."""
    await app.objects(object_type).update_or_create(pk, defaults=fields)


async def all_results(app: App, **query: Any) -> list[JobResult]:
    """Every job result that fits, oldest first, once all that can run has run."""
    await app.drain()
    return await app.results(ResultQuery(ascending=True, limit=MANY, **query))


async def only_result(app: App, **query: Any) -> JobResult:
    """The one job result that fits."""
    (result,) = await all_results(app, **query)
    return result


async def all_changes(app: App, **query: Any) -> list[ChangeRecord]:
    """Every change that fits, oldest first."""
    return await app.changes(ChangeQuery(ascending=True, limit=MANY, **query))


async def whole_log_of(app: App, result: JobResult) -> list[JobLogEntry]:
    """The log of one job result, with the lines that frame each attempt."""
    return await app.log_entries(result, limit=MANY)


async def log_of(app: App, result: JobResult) -> list[JobLogEntry]:
    """The log of one job result without the lines that frame each attempt."""
    return [entry for entry in await whole_log_of(app, result) if (entry.grouping, entry.message) not in FRAMING]


async def lines_of(app: App, result: JobResult) -> list[tuple[str, str]]:
    """The log of one job result as (level, message), as `log_of`."""
    return [(entry.level.word, entry.message) for entry in await log_of(app, result)]


async def messages_of(app: App, result: JobResult) -> list[str]:
    """The messages of one job result's log, as `log_of`."""
    return [entry.message for entry in await log_of(app, result)]


def reasons_of(change: ChangeRecord) -> list[tuple[str, str]]:
    """Which job hooks were kept from being fired by a change, each with the reason."""
    return [(cut.hook, cut.reason) for cut in change.cuts]


async def until(is_so: Callable[[], bool | Awaitable[bool]]) -> None:
    """Let the loop go on until something that is about to happen has happened."""
    async with asyncio.timeout(60):
        while True:
            answer = is_so()
            if await answer if inspect.isawaitable(answer) else answer:
                return
            await asyncio.sleep(0)
