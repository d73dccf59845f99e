"""The way in of a command that has the database itself.

On a local database the user's permissions are a convenience and an audit trail, and no barrier: who can open the file
can do everything.
"""

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any, Final

import click
import msgspec

from buttonhook.app import App
from buttonhook.cli import shapes
from buttonhook.cli.acting import Caused, JobOptions, Left, StoredPage, UserApp
from buttonhook.cli.lookups import results_of
from buttonhook.cli.text import plural
from buttonhook.cli.words import names_of_broken, not_let_in
from buttonhook.configuration import HookDraft
from buttonhook.explain import SET_UP_FIRES_NOTHING, Explanation, Trial, is_of_set_up
from buttonhook.ids import JobResultStatus, ObjectKey
from buttonhook.imports.importer import Importer
from buttonhook.imports.reports import ImportOptions, ImportSummary, Progress, Report
from buttonhook.imports.sources import Source
from buttonhook.looking_over import look_over
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import Upgraded, upgrade
from buttonhook.people import UserRecord
from buttonhook.plugins import PluginReport
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    Job,
    JobHook,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    PendingResult,
    ResultQuery,
    StoredObject,
)
from buttonhook.sessions import Found
from buttonhook.stores.base import Referrer

NOTHING_TO_FOLLOW: Final = (
    "There is nothing to follow: no daemon has this database, so nothing happens while this command has it. "
    "Start one with: buttonhook serve"
)
COUNTED: Final = 10_000


def require_known(app: App) -> None:
    """Refuse who is not known here, or may do nothing, before anything runs.

    Raises:
        click.ClickException: naming the user, and how they are let in.
    """
    record = app.registry.find(UserRecord, app.user_name)
    if record is None or record.is_disabled:
        raise not_let_in(app.user_name, is_disabled=record is not None)


class EmbeddedApp(UserApp):
    """What one user may see and do of an open app."""

    def __init__(self, whole: App) -> None:
        self._whole = whole
        self._access = whole.access(context="cli")
        self.user = self._access.user
        self.registry = whole.registry
        self.configuration = self._access.configuration
        self.administration = self._access.administration
        self.sources = self._access.sources
        self.runs = self._access.runs
        self.caused = _Caused(self, whole)
        self.broken_plugins = names_of_broken(whole.plugins)

    # --- objects ----------------------------------------------------------------------------------

    async def objects(self, query: ObjectQuery) -> list[Found]:
        """Stored objects that fit and may be seen, each with the keyset behind it."""
        return await self._access.session.fetch(query)

    async def page(self, query: ObjectQuery, size: int) -> StoredPage:
        found = await self.objects(msgspec.structs.replace(query, limit=size + 1))
        following = found[size - 1][1] if len(found) > size else None
        return StoredPage([stored for stored, _ in found[:size]], following)

    async def count_objects(self, query: ObjectQuery) -> int:
        return await self._access.session.count(query)

    async def find_object(self, object_type: str, pk: str) -> StoredObject | None:
        return await self._access.session.read_object(object_type, pk)

    async def commit(self, *writes: Write) -> TransactionAnswer:
        session = self._access.session
        return await session.writer.commit(session.request(writes))

    async def referrers(self, key: ObjectKey, after: Referrer | None, limit: int) -> list[Referrer]:
        return await self._access.session.referrers(key, after, limit)

    async def import_source(
        self, source: Source, options: ImportOptions, report: Report, progress: Progress
    ) -> ImportSummary:
        writer = self._access.session.writer
        importer = Importer(writer, self.registry.get_type, self._find_by_natural_key, options)
        return await importer.run(source, report, progress)

    async def _find_by_natural_key(self, type_: ObjectType, values: tuple[object, ...]) -> str | None:
        pk = await self._whole.find_by_natural_key(type_, values)
        return await self._access.session.check_match(type_, values, pk)

    def upgrade(self, type_: ObjectType, *, is_dry: bool) -> AsyncGenerator[Upgraded, None]:
        session = self._access.session
        return upgrade(type_, self, session.writer, session, is_dry=is_dry)

    # --- what is recorded -------------------------------------------------------------------------

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        return await self._access.history.changes(query)

    async def results(self, query: ResultQuery) -> list[JobResult]:
        return await self._access.history.results(query)

    async def visible(self, results: list[JobResult]) -> list[JobResult]:
        """Those of some results that may be seen."""
        return await self._access.history.visible_results(results)

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        return await self._access.history.log_entries(result, after_id, limit)

    is_live = False

    def follow_log(self, result: JobResult) -> AsyncIterator[JobLogEntry]:
        raise click.ClickException(NOTHING_TO_FOLLOW)

    def follow_changes(self, query: ChangeQuery) -> AsyncIterator[ChangeRecord]:
        raise click.ClickException(NOTHING_TO_FOLLOW)

    async def explain(self, change_id: int) -> Explanation:
        return await self._access.explain(change_id)

    async def try_out(self, hook: str | None, given: dict[str, Any], change_id: int) -> Trial:
        return await self._access.try_out(await self._draft(hook, given, change_id), change_id)

    async def _draft(self, name: str | None, given: dict[str, Any], change_id: int) -> JobHook:
        if name is not None:
            hook = self.configuration.get_hook(name)
            fields = {each: getattr(hook, each) for each in HookDraft.__struct_fields__}
            return self.configuration.new_hook(HookDraft(**{**fields, **given}), replaces=hook)
        change = await self._access.history.get_change(change_id)
        if is_of_set_up(change):
            raise click.ClickException(f"Change {change_id} is of {change.object_type}: {SET_UP_FIRES_NOTHING}.")
        fields = {"name": "(not saved)", "object_types": (change.object_type,), **given}
        return self.configuration.new_hook(HookDraft(**fields), checks_overlap=False)

    # --- what is installed ------------------------------------------------------------------------

    def options(self, job: Job) -> JobOptions | None:
        return shapes.options_of(self.registry, job)

    async def plugins(self) -> list[PluginReport]:
        return self._whole.plugins

    async def check(self) -> tuple[list[str], list[str], dict[str, int]]:
        report, warnings = await look_over(self._whole)
        if self.user.is_owner:
            return report.problems, warnings, report.counts
        found = [f"{plural(len(report.problems), 'problem')}. An owner is told which"] if report.problems else []
        return found, [], {}


class _Caused(Caused):
    """Runs of this process."""

    goes_on = False

    def __init__(self, app: EmbeddedApp, whole: App) -> None:
        self._app, self._whole = app, whole
        self._tally = whole.tally

    async def wait(self, seconds: float) -> bool:
        return await self._whole.drain(seconds)

    async def take_unfinished(self) -> None:
        """They are: this process has taken up what waited."""

    def figures(self) -> str:
        if self.done is None:
            return ""
        return f"{self._whole.running_count:,} at work, {self.done:,} done"

    @property
    def done(self) -> int | None:
        return sum(self._tally.counts.values()) if self._app.user.is_owner else None

    @property
    def has_failures(self) -> bool:
        return bool(self._tally.counts[JobResultStatus.FAILURE] or self._whole.recovered.interrupted)

    async def counts(self) -> Counter[JobResultStatus]:
        if self._app.user.is_owner:
            return self._tally.counts
        return Counter(each.status for each in await self.ended())

    async def ended(self) -> list[JobResult]:
        return await results_of(self._app, self._tally.numbers)

    async def failures(self, told: set[int], most: int) -> tuple[list[JobResult], int]:
        numbers = [number for number in self._tally.failures if number not in told]
        if self._app.user.is_owner:
            count = self._tally.counts[JobResultStatus.FAILURE] - len(told.intersection(self._tally.failures))
            return await results_of(self._app, numbers[:most]), count
        seen = await results_of(self._app, numbers)
        return seen[:most], len(seen)

    async def has_failed_below(self, roots: set[str]) -> bool:
        failed = await results_of(self._whole, self._tally.failures)  # those too that may not be seen
        return any(each.root in roots for each in failed)

    async def recovered(self) -> tuple[list[JobResult], list[JobResult]]:
        found = self._whole.recovered
        return await self._app.visible(found.pending), await self._app.visible(found.interrupted)

    async def left(self) -> Left:
        pending = await self._waiting()
        parked = self._whole.waiting_jobs
        if not self._app.user.is_owner:
            parked = Counter(each.job for each in pending if each.job in parked)
        retries = tuple(each.due_at for each in pending if each.due_at is not None)
        waiting = len(pending) - len(retries) - sum(parked.values())
        return Left(
            parked=parked,
            retries=retries,
            waiting=max(waiting, 0),
            running=await self._running(),
            is_capped=waiting >= COUNTED,
        )

    async def _waiting(self) -> list[PendingResult] | list[JobResult]:
        """Results that wait, retries included, the first ones."""
        if self._app.user.is_owner:
            return await self._whole.reader.pending(0, COUNTED)
        return [
            each
            for status in (JobResultStatus.PENDING, JobResultStatus.RETRY)
            for each in await self._app.results(ResultQuery(status=status, limit=COUNTED))
        ]

    async def _running(self) -> int:
        if self._app.user.is_owner or not self._whole.running_count:
            return self._whole.running_count
        return len(await self._app.results(ResultQuery(status=JobResultStatus.STARTED, limit=COUNTED)))
