"""Changes, job results and logs as one user may see them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

import msgspec

from buttonhook.access.looking import Looked, Windows
from buttonhook.access.parts import Asker, Parts
from buttonhook.control import result_named
from buttonhook.errors import PermissionDenied, QueryTooSlow, RecordNotFound
from buttonhook.log_search import LogKey, LogQuery
from buttonhook.people import AuditEntry, AuditQuery
from buttonhook.permissions import RIGHTS, VIEW, may_see_hook, missing, object_of, require, result_for
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    JobLogEntry,
    JobResult,
    ResultQuery,
)

PAGE: Final = 500
DEADLINE_SECONDS: Final = 10.0
SEE_AUDIT: Final = "see the audit log"
LOG_PERMISSIONS: Final = tuple(need.permission for need in RIGHTS["see a job log"] if need.permission != VIEW)
Line = tuple[JobLogEntry, JobResult]
"""A log entry and the result whose run logged it, but for what that returned, its error and its traceback."""
Q = TypeVar("Q", ChangeQuery, ResultQuery, AuditQuery, LogQuery)
T = TypeVar("T", ChangeRecord, JobResult, AuditEntry, Line)
R = TypeVar("R", ChangeQuery, ResultQuery)
L = TypeVar("L", ChangeRecord, JobResult)


class History:
    """What was recorded. Lists leave out what the user may not see; asking for one such thing finds nothing."""

    def __init__(self, parts: Parts, asker: Asker) -> None:
        self._reader = parts.reader
        self._registry = parts.registry
        self._user = asker.user

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """Object changes that fit and may be seen, edits of the set-up among them.

        Raises:
            PermissionDenied: the user may see no changes at all.
        """
        self._require_any("see changes", "jobs.view_objectchange")
        found = self._visible(query, self._reader.changes, self._may_see_change, lambda each: each.id)
        return [self._told(each) async for each in found]

    async def look_for_changes(self, query: ChangeQuery, seconds: float) -> Looked[ChangeRecord]:
        """As `changes`, newest first, for about so long: where no index helps, or much may not be seen, it stops there.

        Raises:
            PermissionDenied: the user may see no changes at all.
        """
        self._require_any("see changes", "jobs.view_objectchange")
        looked = await self._look(query, seconds, self._reader.changes, self._may_see_change, lambda each: each.id)
        return msgspec.structs.replace(looked, found=[self._told(each) for each in looked.found])

    async def look_for_results(self, query: ResultQuery, seconds: float) -> Looked[JobResult]:
        """As `results`, newest first, for about so long, as `look_for_changes`."""
        query = self._own_only(query)
        return await self._look(query, seconds, self._reader.results, self._may_see_result, lambda each: each.number)

    async def _look(
        self,
        query: R,
        seconds: float,
        ask: Callable[[R], Awaitable[list[L]]],
        may_see: Callable[[L], Awaitable[bool]],
        key_of: Callable[[L], int],
    ) -> Looked[L]:
        whole = type(query)(limit=1)
        newest = next(map(key_of, await ask(whole)), 0)
        below, lowest = newest + 1, max(1, query.least or 1)
        if query.until is not None:  # where a time lies is found once, not for each window
            last = await ask(msgspec.structs.replace(whole, until=query.until))
            below = key_of(last[0]) + 1 if last else 0
        if query.since is not None:
            first = await ask(msgspec.structs.replace(whole, since=query.since, ascending=True))
            lowest = max(lowest, key_of(first[0]) if first else below)
        query = msgspec.structs.replace(query, since=None, until=None)
        windows = Windows(below if query.after is None else min(query.after, below), lowest, seconds)
        found: list[L] = []
        while windows.has_more and len(found) < query.limit:
            with windows.next() as least:
                window = msgspec.structs.replace(
                    query, after=windows.below, least=least, limit=query.limit - len(found)
                )
                found += [each async for each in self._visible(window, ask, may_see, key_of)]
        is_done = len(found) >= query.limit or windows.is_at_end
        return Looked(found, newest, None if is_done else windows.below)

    async def get_change(self, change_id: int) -> ChangeRecord:
        """Raises: RecordNotFound: there is none, or the user may not see it; PermissionDenied: nor any other."""
        found = await self.changes(ChangeQuery(ids=(change_id,), limit=1))
        if not found:
            raise RecordNotFound("change", str(change_id), (), "buttonhook changes list")
        return found[0]

    @property
    def may_see_changes(self) -> bool:
        """Whether the user may see any change at all."""
        return self._user.has_perm("jobs.view_objectchange")

    def shown(self, change: ChangeRecord) -> ChangeRecord | None:
        """A change that was read already, as the user may see it; None where they may not."""
        return None if missing(self._user, "see a change", change, change) is not None else self._told(change)

    async def results(self, query: ResultQuery, *, most_read: int | None = None) -> list[JobResult]:
        """Job results that fit and may be seen: with `jobs.view_jobresult`, and the user's own presses.

        Of a job hook or button that the user may not see a result tells the id, not the name.
        With `most_read` only about so many of those that fit are looked at, for where not finding all is well.
        """
        query = self._own_only(query)
        found = self._visible(query, self._reader.results, self._may_see_result, lambda each: each.number, most_read)
        return [result_for(self._user, self._registry, each) async for each in found]

    def _own_only(self, query: ResultQuery) -> ResultQuery:
        """Of who may not see results in general, their own presses."""
        if self._user.has_perm("jobs.view_jobresult"):
            return query
        return msgspec.structs.replace(query, user_name=query.user_name or self._user.username)

    async def visible_results(self, results: Iterable[JobResult]) -> list[JobResult]:
        """Those of some results that may be seen."""
        return [result_for(self._user, self._registry, each) for each in results if await self._may_see_result(each)]

    async def get_result(self, result_id: str) -> JobResult:
        """By id or number. Raises: RecordNotFound: there is none, or the user may not see it."""
        found = await self.results(result_named(result_id))
        if not found:
            raise RecordNotFound("job result", result_id, (), "buttonhook results list")
        return found[0]

    async def log_entries(
        self, result: JobResult, after_id: int = 0, limit: int = 1000, *, by_id: bool = False
    ) -> list[JobLogEntry]:
        """Log entries of one job result behind the one with the id `after_id`, in order, or as they came in.

        Raises:
            PermissionDenied: the user may not see this log.
        """
        await self._require_log(result)
        return await self._reader.log_entries(result.number, after_id, limit, by_id=by_id)

    async def log_of(self, result_id: str, query: LogQuery) -> list[JobLogEntry]:
        """Log entries of one job result, by its id or number, that fit.

        Raises:
            RecordNotFound: there is no such result, or the user may not see it.
            PermissionDenied: they may not see its log.
        """
        result = await self.get_result(result_id)
        await self._require_log(result)
        found = await self._reader.find_log_entries(msgspec.structs.replace(query, number=result.number))
        return [entry for entry, _ in found]

    async def find_log_entries(self, query: LogQuery) -> list[Line]:
        """Log entries of all results that fit, of those whose log the user may see, each with its result."""
        if not all(map(self._user.has_perm, LOG_PERMISSIONS)):
            own = query.results.user_name or self._user.username
            query = msgspec.structs.replace(query, results=msgspec.structs.replace(query.results, user_name=own))
        seen: dict[int, bool] = {}

        async def may_see(line: Line) -> bool:
            if line[1].number not in seen:
                seen[line[1].number] = await self._may_see_log(line[1])
            return seen[line[1].number]

        found = self._visible(query, self._reader.find_log_entries, may_see, _log_key)
        return [(entry, result_for(self._user, self._registry, result)) async for entry, result in found]

    async def audit_entries(self, query: AuditQuery) -> list[AuditEntry]:
        """Logins, denied attempts and troubles that fit and may be seen.

        Raises:
            PermissionDenied: the user may see none.
        """
        require(self._user, SEE_AUDIT, "see the audit log")
        found = self._visible(query, self._reader.audit_entries, self._may_see_audit, lambda each: each.id)
        return [each async for each in found]

    def require_metrics(self) -> None:
        """Raises: PermissionDenied: the user may not see the metrics, which count over everything."""
        require(self._user, "see metrics", "see metrics", {})

    def require_settings(self) -> None:
        """Raises: PermissionDenied: the user may not see the settings."""
        require(self._user, "see settings", "see the settings", {})

    async def _may_see_audit(self, entry: AuditEntry) -> bool:
        return missing(self._user, SEE_AUDIT, entry) is None

    def _told(self, change: ChangeRecord) -> ChangeRecord:
        """A change without what it says of job hooks that the user may not see."""
        seen = tuple(each for each in change.cuts if may_see_hook(self._user, self._registry, each.hook_id))
        return change if len(seen) == len(change.cuts) else msgspec.structs.replace(change, cuts=seen)

    async def _may_see_change(self, change: ChangeRecord) -> bool:
        return missing(self._user, "see a change", change, change) is None

    async def _may_see_result(self, result: JobResult) -> bool:
        about = await object_of(self._user, self._reader, result.object_type, result.object_pk)
        return missing(self._user, "see a job result", result, about) is None

    async def _require_log(self, result: JobResult) -> None:
        result = await self._whole(result)
        about = await object_of(self._user, self._reader, result.object_type, result.object_pk)
        require(self._user, "see a job log", f"see the log of job result {result.number}", result, result, about)

    async def _may_see_log(self, result: JobResult) -> bool:
        result = await self._whole(result)
        about = await object_of(self._user, self._reader, result.object_type, result.object_pk)
        return missing(self._user, "see a job log", result, result, about) is None

    async def _whole(self, result: JobResult) -> JobResult:
        """A result with what was left out of it, where constraints may look at that."""
        if not any(map(self._user.is_limited, LOG_PERMISSIONS)):
            return result
        return next(iter(await self._reader.results(ResultQuery(id=result.id, limit=1))), result)

    async def _visible(
        self,
        query: Q,
        ask: Callable[[Q], Awaitable[list[T]]],
        may_see: Callable[[T], Awaitable[bool]],
        key_of: Callable[[T], Any],
        most_read: int | None = None,
    ) -> AsyncIterator[T]:
        """What fits and may be seen, up to the query's limit, however much of what fits may not."""
        until = time.monotonic() + DEADLINE_SECONDS
        left = query.limit
        size = query.limit
        read = 0
        while left > 0:
            page: list[T] = await ask(msgspec.structs.replace(query, limit=size))
            for each in page:
                if left and await may_see(each):
                    left -= 1
                    yield each
            read += len(page)
            if len(page) < size or (most_read is not None and read >= most_read):
                return
            if time.monotonic() > until:
                raise QueryTooSlow(DEADLINE_SECONDS)
            query = msgspec.structs.replace(query, after=key_of(page[-1]))
            size = max(size, PAGE)

    def _require_any(self, what: str, permission: str) -> None:
        if not self._user.has_perm(permission):
            raise PermissionDenied(self._user.username, what, permission)


def _log_key(line: Line) -> LogKey:
    return line[0].number, line[0].attempt, line[0].seq
