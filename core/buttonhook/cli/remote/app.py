"""One user's way in by the REST API (contract: `cli.acting.UserApp`)."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final

import click
import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.access.objects import check_may_write
from buttonhook.buttons import ButtonGroup
from buttonhook.cli.acting import JobOptions, StoredPage, UserApp
from buttonhook.cli.finding import Place
from buttonhook.cli.remote.causes import RemoteCaused
from buttonhook.cli.remote.connection import VERSION, Connection, FindAgain, Me, connected, segment
from buttonhook.cli.remote.following import follow_changes, follow_log
from buttonhook.cli.remote.mirror import load_types, user_of
from buttonhook.cli.remote.people import RemoteAdministration
from buttonhook.cli.remote.reading import record_of, wire
from buttonhook.cli.remote.recorded import RESULTS, RemoteRecord, change_of, result_of
from buttonhook.cli.remote.refusals import Refusal
from buttonhook.cli.remote.set_up import BUTTONS, HOOKS, RemoteConfiguration
from buttonhook.cli.remote.sources import RemoteSources
from buttonhook.cli.remote.writing import OBJECTS, commit, object_path, upgrade
from buttonhook.cli.words import not_let_in
from buttonhook.conditions import RowVerdict
from buttonhook.errors import DaemonError, Fault, PermissionDenied
from buttonhook.explain import SET_UP_FIRES_NOTHING, Explanation, HookVerdict, Trial, is_of_set_up
from buttonhook.ids import ObjectKey
from buttonhook.imports.reports import ImportOptions, ImportSummary, Progress, Report
from buttonhook.imports.sources import Source
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType, Reading
from buttonhook.old_data import Upgraded
from buttonhook.plugins import PluginReport
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    Condition,
    Job,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    ResultQuery,
    StoredObject,
)
from buttonhook.registry import Registry
from buttonhook.stores.base import Referrer

MOST_FAULTS_KEPT: Final = 10_000


class _Fault(Struct, frozen=True):
    path: str
    message: str


class _Judged(Struct, frozen=True):
    """What is told of an object beside its record."""

    object_type: str
    pk: str
    version: int
    invalid: tuple[_Fault, ...] = ()


class _ObjectPage(Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | None
    count: int = 0


class _Referrer(Struct, frozen=True):
    object_type: str
    pk: str
    field: str


class _Pressed(Struct, frozen=True):
    pk: str
    result: msgspec.Raw
    refusal: str | None


class _PressedPage(Struct, frozen=True):
    items: list[_Pressed]


class _Tried(Struct, frozen=True):
    would_fire: bool
    reason: str
    rows: tuple[RowVerdict, ...]


class _Trials(Struct, frozen=True):
    items: list[_Tried]


class _Explained(Struct, frozen=True):
    notes: tuple[str, ...]
    verdicts: tuple[HookVerdict, ...]


class _Plugin(PluginReport):
    state: str = ""

    def report(self) -> PluginReport:
        told = {name: getattr(self, name) for name in PluginReport.__struct_fields__}
        return PluginReport(**{**told, "is_blocked": self.state == "blocked"})


class _Checked(Struct, frozen=True):
    problems: list[str]
    warnings: list[str]
    counts: dict[str, int]


class RemoteApp(UserApp):
    """What one user may see and do of a daemon."""

    configuration: RemoteConfiguration
    administration: RemoteAdministration
    caused: RemoteCaused
    sources: RemoteSources

    def __init__(self, connection: Connection, me: Me) -> None:
        self.connection = connection
        self.user = user_of(me)
        self.broken_plugins = me.broken_plugins
        connection.user = self.user
        self.registry = Registry()
        self.configuration = RemoteConfiguration(self.registry, connection)
        self.administration = RemoteAdministration(self.registry, connection)
        self.sources = RemoteSources(self.registry, connection)
        self._record = RemoteRecord(connection)
        self.caused = RemoteCaused(connection, self._record, self._find_parked)
        self.runs = RemoteRuns(self)
        self._faults: dict[tuple[str, str, int], tuple[Fault, ...]] = {}

    def require_any(self, what: str, permission: str) -> None:
        super().require_any(what, permission)
        if permission in self.connection.denied:
            raise PermissionDenied(self.user.username, f"see {what}", permission)

    async def _find_parked(self) -> set[str]:
        jobs = await self.connection.seen("jobs.view_job", "/api/jobs", wire(Job), {"hidden": "true"})
        return {each.id for each in jobs if not each.installed}

    # --- objects ----------------------------------------------------------------------------------

    async def page(self, query: ObjectQuery, size: int) -> StoredPage:
        self.registry.get_type(query.object_type)
        cursor = None if query.after is None else str(query.after[0])
        order = ",".join(("-" if down else "") + documents.join_path(path) for path, down in query.order)
        parameters = {"limit": size, "cursor": cursor, "order": order or None}
        page = await self._list(query, parameters)
        found = [self._take(bytes(each)) for each in page.items]
        return StoredPage(found, None if page.next is None else (page.next,))

    async def count_objects(self, query: ObjectQuery) -> int:
        return (await self._list(query, {"limit": 1, "count": "true"})).count

    async def _list(self, query: ObjectQuery, parameters: dict[str, Any]) -> _ObjectPage:
        filters = [_filter(each) for each in query.conditions]
        return await self.connection.get(
            f"{OBJECTS}/{segment(query.object_type)}", _ObjectPage, [*filters, *parameters.items()]
        )

    def _take(self, text: bytes) -> StoredObject:
        """An object from what came; what is wrong with it is kept for `read`."""
        judged = msgspec.json.decode(text, type=_Judged)
        if judged.invalid and len(self._faults) < MOST_FAULTS_KEPT:
            faults = tuple(Fault(each.path, each.message) for each in judged.invalid)
            self._faults[judged.object_type, judged.pk, judged.version] = faults
        return record_of(StoredObject, msgspec.json.decode(text, type=wire(StoredObject)))

    def read(self, stored: StoredObject, type_: ObjectType | None = None) -> Reading:
        """As the daemon read it: mended already, where a plugin does that."""
        faults = self._faults.get((*stored.key, stored.version), ())
        return Reading(None, documents.decode(stored.document), faults)

    async def find_object(self, object_type: str, pk: str) -> StoredObject | None:
        text = await self.connection.find(object_path(object_type, pk), msgspec.Raw)
        return None if text is None else self._take(bytes(text))

    async def commit(self, *writes: Write) -> TransactionAnswer:
        check_may_write(self.user, writes)
        await self.caused.begin()
        answer = await commit(self.connection, writes, self.user.username)
        self.caused.take_changes(each.id for each in answer.changes)
        return answer

    async def referrers(self, key: ObjectKey, after: Referrer | None, limit: int) -> list[Referrer]:
        path = f"{object_path(*key)}/referrers"
        found: list[Referrer] = []
        async for each in self.connection.pages(path, _Referrer):
            if after is None or (each.object_type, each.pk, each.field) > after:
                found.append((each.object_type, each.pk, each.field))
            if len(found) == limit:
                break
        return found

    async def import_source(
        self, source: Source, options: ImportOptions, report: Report, progress: Progress
    ) -> ImportSummary:
        from buttonhook.cli.remote.importing import import_source  # what reads files is for this alone

        await self.caused.begin()
        return await import_source(self.connection, self.caused, source, options, report, progress)

    async def upgrade(self, type_: ObjectType, *, is_dry: bool) -> AsyncGenerator[Upgraded, None]:
        await self.caused.begin()
        pages = upgrade(self.connection, type_.name, self.caused.take_changes, is_dry=is_dry)
        async with aclosing(pages):
            async for done in pages:
                yield done

    # --- what is recorded -------------------------------------------------------------------------

    async def in_full(self, changes: Sequence[ChangeRecord]) -> list[ChangeRecord]:
        ids = tuple(each.id for each in changes)
        try:
            found = {each.id: each for each in await self.changes(ChangeQuery(ids=ids, limit=len(ids)))}
        except PermissionDenied:
            found = {}
        return [found.get(each.id, each) for each in changes]

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        return await self._record.changes(query)

    async def results(self, query: ResultQuery) -> list[JobResult]:
        return await self._record.results(query)

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        return await self._record.log_entries(result, after_id, limit)

    is_live = True

    def follow_log(self, result: JobResult) -> AsyncIterator[JobLogEntry]:
        return follow_log(self.connection, result)

    def follow_changes(self, query: ChangeQuery) -> AsyncIterator[ChangeRecord]:
        return follow_changes(self.connection, query)

    async def explain(self, change_id: int) -> Explanation:
        path = f"/api/object-changes/{change_id}"
        change = change_of(await self.connection.get(path, msgspec.Raw))
        told = await self.connection.get(f"{path}/explain", _Explained)
        return Explanation(change=change, notes=told.notes, verdicts=told.verdicts)

    async def try_out(self, hook: str | None, given: dict[str, Any], change_id: int) -> Trial:
        body = {"change": change_id, **given}
        if hook is None:
            path = f"/api/object-changes/{change_id}"
            change = change_of(await self.connection.get(path, msgspec.Raw))
            if is_of_set_up(change):
                raise click.ClickException(f"Change {change_id} is of {change.object_type}: {SET_UP_FIRES_NOTHING}.")
            body.setdefault("object_types", [change.object_type])
        path = f"{HOOKS}/try" if hook is None else f"{HOOKS}/{segment(hook)}/try"
        tried = (await self.connection.send("POST", path, _Trials, body)).items[0]
        return Trial(would_fire=tried.would_fire, reason=tried.reason, rows=tried.rows)

    # --- what is installed ------------------------------------------------------------------------

    def options(self, job: Job) -> JobOptions | None:
        return self.configuration.options(job)

    async def plugins(self) -> list[PluginReport]:
        return [each.report() for each in await self.connection.all("/api/plugins", _Plugin)]

    async def check(self) -> tuple[list[str], list[str], dict[str, int]]:
        told = await self.connection.send("POST", "/api/check", _Checked)
        return told.problems, told.warnings, told.counts


class RemoteRuns:
    """Starts and stops runs (contract: `cli.acting.Runs`)."""

    def __init__(self, app: RemoteApp) -> None:
        self._app = app
        self._connection = app.connection

    async def press(self, button: str, object_type: str, pks: Iterable[str]) -> tuple[JobResult, ...]:
        """All or none, as far as can be told before: what is gone by then is refused alone."""
        wanted = list(dict.fromkeys(pks))
        await self._app.caused.begin()
        path = f"{BUTTONS}/{segment(button)}"
        if len(wanted) == 1:
            body: dict[str, Any] = {"object_type": object_type, "pk": wanted[0]}
            came = [await self._connection.send("POST", f"{path}/press", wire(JobResult), body)]
            return self._begun([result_of(each) for each in came])
        for pk in wanted:
            await self._app.get_object(object_type, pk)
        body = {"object_type": object_type, "pks": wanted}
        page = await self._connection.send("POST", f"{path}/press-many", _PressedPage, body)
        texts = [bytes(each.result) for each in page.items if each.refusal is None]
        begun = self._begun([result_of(msgspec.json.decode(text, type=wire(JobResult))) for text in texts])
        refused = [each for each in page.items if each.refusal is not None]
        if refused:
            raise click.ClickException(f"{refused[0].refusal} {len(begun)} of {len(wanted)} were pressed all the same.")
        return begun

    async def shown_buttons(self, object_type: str, pk: str) -> list[ButtonGroup]:
        return await self._connection.get(f"{object_path(object_type, pk)}/job-buttons", list[ButtonGroup])

    async def rerun(self, result_id: str) -> JobResult:
        await self._app.caused.begin()
        came = await self._connection.send("POST", f"{RESULTS}/{segment(result_id)}/rerun", wire(JobResult))
        return self._begun([result_of(came)])[0]

    async def cancel(self, result_id: str) -> JobResult:
        await self._connection.ask("POST", f"{RESULTS}/{segment(result_id)}/cancel")
        return (await self._app.results(ResultQuery(id=result_id)))[0]

    def _begun(self, results: list[JobResult]) -> tuple[JobResult, ...]:
        self._app.caused.take_results(results)
        return tuple(results)


def _filter(condition: Condition) -> tuple[str, str]:
    """A condition as a parameter. Its value is JSON, so it is taken as it is."""
    path = condition.path
    if condition.crossing is not None:
        path = (condition.crossing.field, *(() if path == ("pk",) else path))
    operator = "" if condition.operator == "=" else f"__{condition.operator}"
    return f"f.{documents.join_path(path)}{operator}", documents.encode(condition.value)


@asynccontextmanager
async def remote_app(
    place: Place, user: str, *, sees: frozenset[str], find_again: FindAgain | None = None
) -> AsyncIterator[RemoteApp]:
    """A way in to a daemon for as long as the block lasts; `sees`: what the command is about.

    `find_again` tells where it is after it was started anew.

    Raises:
        DaemonError, ButtonhookError, click.ClickException: it does not let the user in.
    """
    async with connected(place, user, find_again) as connection:
        try:
            me = await connection.get("/api/me", Me)
        except Refusal as exc:
            if exc.kind == "unknown-user":
                raise not_let_in(user, is_disabled=False) from exc
            raise
        _check_version(place, me.version)
        if me.is_disabled:
            raise not_let_in(me.name, is_disabled=True)
        app = RemoteApp(connection, me)
        if "types" in sees:
            await load_types(connection, app.registry)
        await app.configuration.load(sees)
        if "sources" in sees:
            await app.sources.load()
        if "people" in sees:
            await app.administration.load(me.name)
        try:
            yield app
        finally:
            await app.caused.close()


def _check_version(place: Place, theirs: str) -> None:
    """Raises: DaemonError: what the daemon answers may not be what this command knows."""
    if theirs.split(".")[:2] != VERSION.split(".")[:2]:
        raise DaemonError(
            place.url, f"is version {theirs}, and this command version {VERSION}", "Use the version of the daemon."
        )
