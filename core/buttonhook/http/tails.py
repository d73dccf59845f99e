"""What each kind of feed follows: from a place on, a bounded piece at a time, as who asks may see it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied
from buttonhook.http.feeds import Feeds
from buttonhook.http.recent import RecentChange, Window, size_of
from buttonhook.http.shapes.changes import encode_change
from buttonhook.http.shapes.feeds import NoticeShape
from buttonhook.http.shapes.job_results import JobResultShape, LogEntryShape
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, ResultQuery
from buttonhook.stores.base import Reader

PIECE_BYTES: Final = 131_072
"""About how much is sent at a time: what one client can hold of our memory."""
PIECE_CHANGES: Final = 200
FIRST_PAGE: Final = 20
LOG_PAGE: Final = 500


class Piece(Struct, frozen=True):
    """What is to be sent next: events, and whether there is more at once, or never again."""

    events: Sequence[bytes] = ()
    has_more: bool = False
    is_last: bool = False


class Tail(ABC):
    """Something that goes on. `place` is the id of the last event, or of what needed none."""

    place: str | None = None
    pause_seconds = 0.0
    """How long to gather after something was sent."""

    @abstractmethod
    async def next(self, access: Access) -> Piece:
        """What follows. Nothing is told twice or left out, also when an earlier call was cut off.

        Raises:
            PermissionDenied, RecordNotFound: the user may not see it any more, or it is gone.
            StoreError: it cannot be read now.
        """


class ChangeFilter(Struct, frozen=True):
    """Which changes a feed is about."""

    object_type: str | None = None
    object_pk: str | None = None
    user_name: str | None = None

    def fits(self, change: ChangeRecord) -> bool:
        return (
            (self.object_type is None or change.object_type == self.object_type)
            and (self.object_pk is None or change.object_pk == self.object_pk)
            and (self.user_name is None or change.user_name == self.user_name)
        )


class ChangeTail(Tail):
    """Changes in the order of their ids, behind one of them."""

    def __init__(self, reader: Reader, feeds: Feeds, wanted: ChangeFilter, after: int) -> None:
        self._reader = reader
        self._recent = feeds.recent
        self._wanted = wanted
        self._after = after
        self._page = FIRST_PAGE

    @property
    def place(self) -> str:  # type: ignore[override]
        return str(self._after)

    async def next(self, access: Access) -> Piece:
        history = access.history
        if not history.may_see_changes:
            raise PermissionDenied(access.user.username, "see changes", "jobs.view_objectchange")
        committed = self._recent.last
        found, has_all = self._recently(), True
        if found is None:
            found, has_all = await self._from_store()
        events: list[bytes] = []
        looked = told = 0
        for count, change in enumerate(found, 1):
            record = change.record
            self._after = record.id
            if self._wanted.fits(record):
                looked += change.size
                shown = history.shown(record)
                if shown is not None:
                    events.append(event("change", _encoded(change, shown), str(record.id)))
                    told += len(events[-1])
            if told > PIECE_BYTES or looked > 4 * PIECE_BYTES or count == PIECE_CHANGES:
                return Piece(events, has_more=True)
        if has_all:
            self._after = max(self._after, committed)
        return Piece(events, has_more=not has_all)

    def _recently(self) -> list[RecentChange] | None:
        """What follows, where it was committed lately."""
        wanted = self._wanted.object_type
        if wanted is not None and self._recent.has_none(wanted, self._after):
            return []
        return self._recent.since(self._after)

    async def _from_store(self) -> tuple[list[RecentChange], bool]:
        """What follows, in pages of about as much as is sent at a time; and whether that is all there is."""
        names = ChangeFilter.__struct_fields__
        wanted: dict[str, Any] = {name: getattr(self._wanted, name) for name in names}
        size = self._page
        found = await self._reader.changes(ChangeQuery(**wanted, after=self._after, ascending=True, limit=size))
        taken = sum(map(size_of, found))
        self._page = min(2 * size, PIECE_CHANGES) if taken < PIECE_BYTES else max(size // 2, 1)
        return [RecentChange(each) for each in found], len(found) < size


def _encoded(change: RecentChange, shown: ChangeRecord) -> bytes:
    """The change as JSON: made once for all who may see all of it."""
    if shown is not change.record:
        return encode_change(shown)
    if change.encoded is None:
        change.encoded = encode_change(shown)
    return change.encoded


class LogTail(Tail):
    """The log of one job result, behind one entry, and how the run stands."""

    pause_seconds = 0.1

    def __init__(self, result: JobResult, after: int) -> None:
        self._id = result.id
        self._after = after
        self._told: JobResult | None = None

    @property
    def place(self) -> str:  # type: ignore[override]
        return str(self._after)

    async def next(self, access: Access) -> Piece:
        result = await access.history.get_result(self._id)  # first: its log is committed no later than its end
        entries = await access.history.log_entries(result, self._after, LOG_PAGE, by_id=True)
        events = []
        size = 0
        for entry in entries:
            events.append(event("entry", encode(LogEntryShape.of(entry)), str(entry.id)))
            self._after = entry.id
            size += len(events[-1])
            if size > PIECE_BYTES:
                return Piece(events, has_more=True)
        if len(entries) == LOG_PAGE:
            return Piece(events, has_more=True)
        if result != self._told:
            self._told = result
            events.append(event("status", encode(JobResultShape.of(result))))
        return Piece(events, is_last=result.status.is_final)


class NoticeTail(Tail):
    """What lists and dashboards show of late. Nothing is told of what was before the feed was opened."""

    def __init__(self, reader: Reader, feeds: Feeds) -> None:
        self._reader = reader
        self._windows = feeds.windows
        self._after = feeds.windows.open.number - 1

    async def next(self, access: Access) -> Piece:
        windows = self._windows.since(self._after)
        self._after = self._windows.open.number - 1
        if windows is None or any(each.is_full for each in windows):
            return Piece([event("notice", encode(NoticeShape.of_all()))])
        types: dict[str, int] = {}
        results: dict[int, JobResult] = {}
        for window in windows:
            _add_types(types, window, access)
            for each in await access.history.visible_results(await self._results(window)):
                results[each.number] = each
        if not types and not results:
            return Piece()
        return Piece([event("notice", encode(NoticeShape.of(types, results.values())))])

    async def _results(self, window: Window) -> Sequence[JobResult]:
        """The results of a window, read once for all who follow."""
        async with window.reading:
            if window.read is None:
                numbers = tuple(window.results)
                query = ResultQuery(numbers=numbers, ascending=True, limit=len(numbers))
                window.read = await self._reader.results(query) if numbers else []
        return window.read


def _add_types(types: dict[str, int], window: Window, access: Access) -> None:
    """Add the types of the changes that may be seen, each with its last one."""
    for change in reversed(window.changes):
        if types.get(change.object_type, 0) < change.id and access.history.shown(change) is not None:
            types[change.object_type] = change.id


def event(kind: str, encoded: bytes, id_: str | None = None) -> bytes:
    """One event as it is sent (WHATWG HTML, server-sent events). JSON holds no line break."""
    head = f"event: {kind}\n" if id_ is None else f"id: {id_}\nevent: {kind}\n"
    return b"%sdata: %s\n\n" % (head.encode(), encoded)


def encode(shape: Struct) -> bytes:
    return msgspec.json.encode(shape)
