"""Changes, job results and logs as one user may see them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, TypeVar

import msgspec

from buttonhook.access.parts import Asker, Parts
from buttonhook.errors import PermissionDenied, QueryTooSlow, RecordNotFound
from buttonhook.people import AuditEntry, AuditQuery
from buttonhook.permissions import may_see_hook, missing, object_of, require
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
Q = TypeVar("Q", ChangeQuery, ResultQuery, AuditQuery)
T = TypeVar("T", ChangeRecord, JobResult, AuditEntry)


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

    async def get_change(self, change_id: int) -> ChangeRecord:
        """Raises: RecordNotFound: there is none, or the user may not see it; PermissionDenied: nor any other."""
        found = await self.changes(ChangeQuery(ids=(change_id,), limit=1))
        if not found:
            raise RecordNotFound("change", str(change_id), (), "buttonhook changes list")
        return found[0]

    async def results(self, query: ResultQuery) -> list[JobResult]:
        """Job results that fit and may be seen: with `jobs.view_jobresult`, and the user's own presses."""
        if not self._user.has_perm("jobs.view_jobresult"):
            query = msgspec.structs.replace(query, user_name=query.user_name or self._user.username)
        found = self._visible(query, self._reader.results, self._may_see_result, lambda each: each.number)
        return [each async for each in found]

    async def visible_results(self, results: Iterable[JobResult]) -> list[JobResult]:
        """Those of some results that may be seen."""
        return [each for each in results if await self._may_see_result(each)]

    async def get_result(self, result_id: str) -> JobResult:
        """Raises: RecordNotFound: there is none, or the user may not see it."""
        found = await self.results(ResultQuery(id=result_id, limit=1))
        if not found:
            raise RecordNotFound("job result", result_id, (), "buttonhook results list")
        return found[0]

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        """Log entries of one job result, in order.

        Raises:
            PermissionDenied: the user may not see this log.
        """
        about = await object_of(self._user, self._reader, result.object_type, result.object_pk)
        require(self._user, "see a job log", f"see the log of job result {result.number}", result, result, about)
        return await self._reader.log_entries(result.number, after_id, limit)

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

    async def _visible(
        self,
        query: Q,
        ask: Callable[[Q], Awaitable[list[T]]],
        may_see: Callable[[T], Awaitable[bool]],
        number_of: Callable[[T], int],
    ) -> AsyncIterator[T]:
        """What fits and may be seen, up to the query's limit, however much of what fits may not."""
        until = time.monotonic() + DEADLINE_SECONDS
        left = query.limit
        size = query.limit
        while left > 0:
            page: list[T] = await ask(msgspec.structs.replace(query, limit=size))
            for each in page:
                if left and await may_see(each):
                    left -= 1
                    yield each
            if len(page) < size:
                return
            if time.monotonic() > until:
                raise QueryTooSlow(DEADLINE_SECONDS)
            query = msgspec.structs.replace(query, after=number_of(page[-1]))
            size = max(size, PAGE)

    def _require_any(self, what: str, permission: str) -> None:
        if not self._user.has_perm(permission):
            raise PermissionDenied(self._user.username, what, permission)
