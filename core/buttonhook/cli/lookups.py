"""Finding what a person means: a result by its number or the beginning of its id, a page after page of a list."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Final, Protocol, TypeVar

import msgspec

from buttonhook.errors import RecordConflict, RecordNotFound
from buttonhook.records import ChangeQuery, ChangeRecord, JobLogEntry, JobResult, ResultQuery

T = TypeVar("T")
PAGE: Final = 500
LOG_PAGE: Final = 5000
SPAN: Final = 1000
UUID_LENGTH: Final = 36
_TIME_DIGITS: Final = 12
"""Hexadecimal digits of a UUIDv7 that tell its millisecond."""
_SLACK_MILLISECONDS: Final = 3_600_000
"""Ids are made shortly before the number is given; no older result can match than this."""


class Recorded(Protocol):
    """Where changes, results and logs are read: an app, or what one user may see of it."""

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]: ...

    async def results(self, query: ResultQuery) -> list[JobResult]: ...

    async def log_entries(self, result: JobResult, after_id: int = 0, limit: int = 1000) -> list[JobLogEntry]: ...


async def find_result(app: Recorded, wanted: str) -> JobResult:
    """A result by number, id, or the beginning of its id.

    Raises:
        RecordNotFound, RecordConflict: none or more than one fits.
    """
    if wanted.isdecimal() and (found := await _by_number(app, int(wanted))):
        return found
    text = wanted.lower()
    if len(text) >= UUID_LENGTH or not text:
        matches = await app.results(ResultQuery(id=text))
    else:
        matches = await _by_prefix(app, text)
    if len(matches) > 1:
        raise RecordConflict(
            "job result", wanted, "is the beginning of more than one id", "Give its number, or more of its id."
        )
    if not matches:
        raise RecordNotFound("job result", wanted, (), "buttonhook results list")
    return matches[0]


async def _by_number(app: Recorded, number: int) -> JobResult | None:
    if not 1 <= number < 1 << 63:
        return None
    page = await app.results(ResultQuery(after=number - 1, ascending=True, limit=1))
    return page[0] if page and page[0].number == number else None


async def _by_prefix(app: Recorded, prefix: str) -> list[JobResult]:
    """At most two results whose ids begin so, newest first; ids hold their time, so old pages need not be read."""
    earliest = _milliseconds(prefix) - _SLACK_MILLISECONDS
    matches: list[JobResult] = []
    async for result in pages(app.results, ResultQuery(limit=PAGE), lambda each: each.number):
        if result.id.startswith(prefix):
            matches.append(result)
        if len(matches) > 1 or _milliseconds(result.id) < earliest:
            break
    return matches


def _milliseconds(beginning: str) -> int:
    digits = beginning.replace("-", "")[:_TIME_DIGITS].ljust(_TIME_DIGITS, "0")
    try:
        return int(digits, 16)
    except ValueError:
        return 0


Q = TypeVar("Q", ChangeQuery, ResultQuery)


async def pages(
    ask: Callable[[Q], Awaitable[list[T]]], query: Q, key: Callable[[T], int], most: int | None = None
) -> AsyncIterator[T]:
    """All that fits, or the first `most`, asked for page by page."""
    left = most
    while left is None or left > 0:
        size = PAGE if left is None else min(left, PAGE)
        page = await ask(msgspec.structs.replace(query, limit=size))
        for each in page:
            yield each
        if len(page) < size:
            return
        left = None if left is None else left - size
        query = msgspec.structs.replace(query, after=key(page[-1]))


async def parts(found: AsyncIterator[T]) -> AsyncIterator[list[T]]:
    """What is found, in lists short enough to be laid out as tables."""
    part: list[T] = []
    async for each in found:
        part.append(each)
        if len(part) >= PAGE:
            yield part
            part = []
    if part:
        yield part


def changes(app: Recorded, query: ChangeQuery, most: int | None = None) -> AsyncIterator[ChangeRecord]:
    """Changes that fit, page by page."""
    return pages(app.changes, query, lambda each: each.id, most)


def results(app: Recorded, query: ResultQuery, most: int | None = None) -> AsyncIterator[JobResult]:
    """Job results that fit, page by page."""
    return pages(app.results, query, lambda each: each.number, most)


async def log_entries(app: Recorded, result: JobResult) -> AsyncIterator[JobLogEntry]:
    """The log of a result, all of it."""
    after = 0
    while page := await app.log_entries(result, after, LOG_PAGE):
        for entry in page:
            yield entry
        if len(page) < LOG_PAGE:
            return
        after = page[-1].id


async def results_of(app: Recorded, numbers: Iterable[int]) -> list[JobResult]:
    """Results by their numbers, in order of number."""
    wanted = sorted(set(numbers))
    found: list[JobResult] = []
    place = 0
    while place < len(wanted):
        span = min(SPAN, wanted[-1] - wanted[place] + 1)
        page = await app.results(ResultQuery(after=wanted[place] - 1, ascending=True, limit=span))
        last = page[-1].number if page else wanted[-1]
        numbered = {each.number: each for each in page}
        while place < len(wanted) and wanted[place] <= last:
            if (result := numbered.get(wanted[place])) is not None:
                found.append(result)
            place += 1
    return found
