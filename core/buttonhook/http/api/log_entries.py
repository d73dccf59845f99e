"""What jobs logged: of one run as JSON, JSON lines, text or CSV, or across all of them.

A download is read and sent page by page, so it takes no more memory than a page, however long the log is.
"""

import csv
import io
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Annotated, Any, Final

import msgspec
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream

from buttonhook import times
from buttonhook.errors import PermissionDenied, RecordNotFound
from buttonhook.http.api.job_results import ChangeNumber, job_id
from buttonhook.http.asking import Asker, access_of, asker_of
from buttonhook.http.declaring import act, get
from buttonhook.http.paging import (
    DEFAULT_LIMIT,
    CursorText,
    FieldNames,
    Limit,
    MomentText,
    Page,
    decode_cursor,
    encode_cursor,
    read_moment,
    sparse,
)
from buttonhook.http.reading import Request
from buttonhook.http.shapes.job_results import FoundLogEntryShape, Level, LogEntryShape, Status
from buttonhook.ids import JobResultStatus, LogLevel
from buttonhook.imports.cells import guard
from buttonhook.log_search import LogKey, LogQuery
from buttonhook.records import JobLogEntry, ResultQuery

TAGS: Final = ["job results"]
SEE: Final = "see a job log"
SENT: Final = 1000
"""How many lines of a download are read at a time."""
CUT_OFF: Final = "(cut off: this log may not be seen any more)\n"
CUT_OFF_LINE: Final = '{"cut_off":"this log may not be seen any more"}\n'
COLUMNS: Final = tuple(name for name in LogEntryShape.__struct_fields__ if name != "id")
"""Of a CSV file."""
MEDIA_TYPES: Final = {
    "txt": "text/plain; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
}
LeastLevel = Annotated[Level | None, QueryParameter(description="Lines of this level and above.")]
SearchText = Annotated[
    str | None, QueryParameter(min_length=1, max_length=1000, description="What the message holds, in any case.")
]


@get("/api/job-results/{result:str}/logs", act(SEE, or_own=True), tags=TAGS)
async def list_log_of_job_result(
    request: Request,
    result: FromPath[str],
    level: LeastLevel = None,
    search: SearchText = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[LogEntryShape]:
    """List what a run logged, in order. While it runs the last page grows: come back with the cursor before it."""
    question = ["log", result, level, search]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int, int, int])
    query = LogQuery(level=_least(level), search=search, after=after, limit=limit + 1)
    found = await access_of(request).history.log_of(result, query)
    following = encode_cursor(question, _key(found[limit - 1])) if len(found) > limit else None
    return sparse(Page([LogEntryShape.of(each) for each in found[:limit]], following), fields)


@get("/api/job-results/{result:str}/logs.txt", act(SEE, or_own=True), tags=TAGS, media_type="text/plain")
async def download_log_as_text(
    request: Request, result: FromPath[str], level: LeastLevel = None, search: SearchText = None
) -> Stream:
    """Download what a run logged as text: time, level, grouping, message, object.

    Further lines of a message are indented, so that none looks like another entry.
    """
    return await _download(asker_of(request), result, LogQuery(level=_least(level), search=search), _as_text, "txt")


@get("/api/job-results/{result:str}/logs.csv", act(SEE, or_own=True), tags=TAGS, media_type="text/csv")
async def download_log_as_csv(
    request: Request, result: FromPath[str], level: LeastLevel = None, search: SearchText = None
) -> Stream:
    """Download what a run logged as CSV, a row for each line.

    A cell that a spreadsheet would run as a formula has an apostrophe before it.
    """
    return await _download(asker_of(request), result, LogQuery(level=_least(level), search=search), _as_csv, "csv")


@get("/api/job-results/{result:str}/logs.jsonl", act(SEE, or_own=True), tags=TAGS, media_type="application/x-ndjson")
async def download_log_as_json_lines(
    request: Request, result: FromPath[str], level: LeastLevel = None, search: SearchText = None
) -> Stream:
    """Download what a run logged as JSON lines, each an entry as the list gives it.

    A last line `{"cut_off": ...}` says that the rest may not be seen any more.
    """
    query = LogQuery(level=_least(level), search=search)
    return await _download(asker_of(request), result, query, _as_json_lines, "jsonl")


@get("/api/log-entries", act(SEE, or_own=True), tags=TAGS)
async def list_log_entries(
    request: Request,
    level: LeastLevel = None,
    search: SearchText = None,
    status: FromQuery[Status | None] = None,
    job: FromQuery[str | None] = None,
    object_type: FromQuery[str | None] = None,
    object_pk: FromQuery[str | None] = None,
    user: FromQuery[str | None] = None,
    change: ChangeNumber = None,
    since: MomentText = None,
    until: MomentText = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[FoundLogEntryShape]:
    """List what jobs logged: the newest job result first, of each its last line first.

    `level` and `search` look through all lines that the other filters leave, for two seconds at most. These are about
    the job result, as in the list of job results, and answered from an index.
    """
    access = access_of(request)
    question = ["log-entries", level, search, status, job, object_type, object_pk, user, change, since, until]
    results = ResultQuery(
        status=None if status is None else JobResultStatus(status),
        job=job_id(access, job),
        object_type=object_type,
        object_pk=object_pk,
        user_name=user,
        change_id=change,
        since=read_moment("since", since),
        until=read_moment("until", until),
    )
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int, int, int])
    query = LogQuery(results=results, level=_least(level), search=search, after=after, limit=limit + 1)
    found = await access.history.find_log_entries(query)
    following = encode_cursor(question, _key(found[limit - 1][0])) if len(found) > limit else None
    return sparse(Page([FoundLogEntryShape.found(*each) for each in found[:limit]], following), fields)


def _least(level: str | None) -> LogLevel | None:
    return None if level is None else LogLevel[level.upper()]


def _key(entry: JobLogEntry) -> LogKey:
    return entry.number, entry.attempt, entry.seq


Writing = Callable[[Iterable[JobLogEntry]], str]


async def _download(asker: Asker, result: str, query: LogQuery, write: Writing, ending: str) -> Stream:
    """A log, written so, as a file. What cannot be read is told before the file begins."""
    access = asker.access
    first = await access.history.log_of(result, msgspec.structs.replace(query, limit=SENT))
    head = _rows([COLUMNS]) if ending == "csv" else ""

    async def parts() -> AsyncIterator[str]:
        yield head + write(first)
        page: list[JobLogEntry] | None = first
        while page is not None and len(page) == SENT:
            page = await _next_page(asker, result, msgspec.structs.replace(query, after=_key(page[-1]), limit=SENT))
            yield write(page) if page is not None else CUT_OFF_LINE if ending == "jsonl" else CUT_OFF

    number = f"-{first[0].number}" if first else ""
    headers = {"Content-Disposition": f'attachment; filename="log{number}.{ending}"'}
    return Stream(parts(), media_type=MEDIA_TYPES[ending], headers=headers)


async def _next_page(asker: Asker, result: str, query: LogQuery) -> list[JobLogEntry] | None:
    """A further page for who may still see it, None for who may not any more."""
    now = asker.renewed()
    if now is None:
        return None
    try:
        return await now.access.history.log_of(result, query)
    except (PermissionDenied, RecordNotFound):
        return None


def _as_text(entries: Iterable[JobLogEntry]) -> str:
    return "".join(f"{_text_line(each)}\n" for each in entries)


def _text_line(entry: JobLogEntry) -> str:
    """One entry; what follows a line break is indented, so that no message looks like another entry."""
    about = entry.object_repr
    if entry.object_pk:
        about = f"{entry.object_type} {entry.object_pk}"
    said = "\n    ".join(entry.message.splitlines()) if entry.message else ""
    grouping = f" {entry.grouping}:" if entry.grouping else ""
    return f"{times.to_text(entry.time)} {entry.level.word}{grouping} {said}{f' [{about}]' if about else ''}"


def _as_json_lines(entries: Iterable[JobLogEntry]) -> str:
    return msgspec.json.Encoder().encode_lines(map(LogEntryShape.of, entries)).decode()


def _as_csv(entries: Iterable[JobLogEntry]) -> str:
    shapes = (LogEntryShape.of(each) for each in entries)
    return _rows([_cell(getattr(each, name)) for name in COLUMNS] for each in shapes)


def _cell(value: Any) -> str:
    return guard(value) if isinstance(value, str) else str(value)


def _rows(rows: Iterable[Iterable[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


ROUTES: Final = (
    list_log_of_job_result,
    download_log_as_text,
    download_log_as_csv,
    download_log_as_json_lines,
    list_log_entries,
)
