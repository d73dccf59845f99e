"""Changes, job results and logs through the API, asked for as the core is."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook import times
from buttonhook.cli.remote.connection import PAGE, Connection, segment
from buttonhook.cli.remote.reading import NULL, record_of, wire
from buttonhook.ids import Microseconds
from buttonhook.records import ChangeQuery, ChangeRecord, JobLogEntry, JobResult, ResultQuery

CHANGES: Final = "/api/object-changes"
RESULTS: Final = "/api/job-results"


class _Page(Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | None


class RemoteRecord:
    """What was recorded, as far as the user may see it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._places: dict[tuple[str, int], str] = {}
        """Where a log goes on, by the result's id and how many of its entries came."""

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        if query.ids is not None:
            found = [await self._connection.find(f"{CHANGES}/{each}", msgspec.Raw) for each in query.ids]
            return [change_of(each) for each in found if each is not None][: query.limit]
        parameters = {
            "object_type": query.object_type,
            "object_pk": query.object_pk,
            "request_id": query.request_id,
            "user": query.user_name,
            "action": None if query.action is None else query.action.value,
            "snapshots": "true",
            **_bounds(query.since, query.until, None, query.ascending),
        }
        return await self._changes_behind(query, parameters)

    async def _changes_behind(self, query: ChangeQuery, parameters: dict[str, Any]) -> list[ChangeRecord]:
        """Changes behind a number: from the page where it was told on, else looked for from the beginning."""
        asked = str(msgspec.structs.replace(query, after=None, limit=0))
        cursor = None if query.after is None else self._places.get((asked, query.after))
        found: list[ChangeRecord] = []
        while len(found) < query.limit:
            wanted = {**parameters, "limit": min(PAGE, query.limit - len(found)), "cursor": cursor}
            page = await self._connection.get(CHANGES, _Page, wanted)
            came = [change_of(each) for each in page.items]
            found += [each for each in came if _is_behind(each.id, query.after, query.ascending)]
            cursor = page.next
            if cursor is None:
                break
            self._places[asked, came[-1].id] = cursor
        return found

    async def results(self, query: ResultQuery) -> list[JobResult]:
        if query.id is not None:
            one = await self._connection.find(f"{RESULTS}/{segment(query.id)}", wire(JobResult))
            return [] if one is None else [result_of(one)]
        parameters = {
            "job": query.job,
            "status": None if query.status is None else query.status.value,
            "object_type": query.object_type,
            "object_pk": query.object_pk,
            "user": query.user_name,
            "change": query.change_id,
            **_bounds(query.since, query.until, query.after, query.ascending),
        }
        came = await self._connection.all(RESULTS, wire(JobResult), parameters, query.limit)
        return [result_of(each) for each in came]

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]:
        """Entries in order. Their ids count them: the API tells none."""
        path = f"{RESULTS}/{segment(result.id)}/logs"
        found: list[JobLogEntry] = []
        cursor = self._places.get((result.id, after_id))
        if after_id and cursor is None:
            return []
        while len(found) < limit:
            query: Mapping[str, Any] = {"limit": min(PAGE, limit - len(found)), "cursor": cursor}
            page = await self._connection.get(path, _Page, query)
            for text in page.items:
                place = after_id + len(found) + 1
                found.append(entry_of(bytes(text), result.number, place))
            cursor = page.next
            if cursor is None:
                return found
            self._places[result.id, after_id + len(found)] = cursor
        return found


class _Snapshots(Struct, frozen=True):
    prechange: msgspec.Raw
    postchange: msgspec.Raw


class _WithSnapshots(Struct, frozen=True):
    snapshots: _Snapshots | None = None


def change_of(text: bytes | msgspec.Raw) -> ChangeRecord:
    """A change, its states beside it or among its snapshots."""
    came = msgspec.json.decode(text, type=_Change)
    within = msgspec.json.decode(text, type=_WithSnapshots).snapshots
    states: dict[str, Any] = {"prechange": None, "postchange": None}
    if within is not None:
        states = {name: _text(getattr(within, name)) for name in ("prechange", "postchange")}
    elif bytes(came.prechange) or bytes(came.postchange):
        states = {}
    return record_of(ChangeRecord, came, **states)


def _text(raw: msgspec.Raw) -> str | None:
    text = bytes(raw)
    return None if text == NULL else text.decode()


def _is_behind(number: int, after: int | None, ascending: bool) -> bool:
    return after is None or (number > after if ascending else number < after)


def result_of(came: Any) -> JobResult:
    return record_of(JobResult, came)


def entry_of(text: bytes, number: int, place: int) -> JobLogEntry:
    """A log entry; `place` stands for its id."""
    came = msgspec.json.decode(text, type=_LogEntry)
    return record_of(JobLogEntry, came, number=number, id=place)


_Change: Final = wire(ChangeRecord, "prechange", "postchange")
_LogEntry: Final = wire(JobLogEntry, "number", "id")


def _bounds(
    since: Microseconds | None, until: Microseconds | None, after: int | None, ascending: bool
) -> dict[str, str | int | None]:
    return {
        "since": None if since is None else times.to_text(since),
        "until": None if until is None else times.to_text(until),
        "after": after,
        "oldest_first": "true" if ascending else None,
    }
