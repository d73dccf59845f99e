"""The page of one job result: how it stands, what began it, what came of it, its log."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from litestar import Response
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from buttonhook import diffs, documents
from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied, QueryError
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, fragment, page, show
from buttonhook.http.pages.result_rows import ResultRow, result_rows
from buttonhook.http.pages.templating import path, query
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor
from buttonhook.http.reading import Request
from buttonhook.ids import LogLevel
from buttonhook.log_search import LogKey, LogQuery
from buttonhook.records import ChangeQuery, ChangeRecord, JobLogEntry, JobResult, ResultQuery

SEE: Final = act("see a job result", or_own=True)
FIRST_LINES: Final = 200
LAST_PLACE: Final = 2**62
LINES_BEFORE: Final = 5
"""How many lines stand above the one that a link leads to."""
MOST_CAUSED: Final = 20
LEVELS: Final = tuple(each.word for each in LogLevel)
Level = Annotated[str, QueryParameter(max_length=20)]
Search = Annotated[str, QueryParameter(max_length=1000)]
Line = Annotated[str | None, QueryParameter(max_length=40, pattern=r"^\d{1,9}\.\d{1,15}$")]
Attempt = Annotated[int, QueryParameter(ge=0, le=1_000_000_000)]


class Shown(Struct, frozen=True):
    """A job result with what its page tells around it. `value` is what it returned, `change` what fired it."""

    row: ResultRow
    value: Any
    has_value: bool
    change: ChangeRecord | None
    given: Sequence[tuple[str, Any, Any]]
    """Of an update that fired it: the fields that differ, with their values before and after."""
    changes: Sequence[ChangeRecord]
    """Those that its run made, as far as they may be seen; one more than is shown where there are more."""
    caused: Sequence[ResultRow]

    @property
    def has_open(self) -> bool:
        """Whether anything of what it caused still goes on."""
        return any(not each.result.status.is_final for each in self.caused)


class LogPart(Struct, frozen=True):
    """Some lines of a log, and where to go on; `refused`: why there are none to be seen."""

    lines: Sequence[JobLogEntry] = ()
    next: str = ""
    refused: str = ""
    level: str = ""
    search: str = ""
    line: str = ""
    is_first: bool = True


async def _shown(access: Access, result: JobResult) -> Shown:
    value = None if result.result is None else documents.decode(result.result)
    children = await access.history.results(ResultQuery(cause=result.id, ascending=True, limit=MOST_CAUSED + 1))
    fired = await _changes(access, ChangeQuery(ids=result.change_ids[:1], limit=1)) if result.change_ids else []
    return Shown(
        row=(await result_rows(access, [result]))[0],
        value=value,
        has_value=value is not None,
        change=fired[0] if fired else None,
        given=_given(fired[0]) if fired else (),
        changes=await _changes(access, ChangeQuery(cause=result.id, ascending=True, limit=MOST_CAUSED + 1)),
        caused=await result_rows(access, children),
    )


def _given(change: ChangeRecord) -> list[tuple[str, Any, Any]]:
    if change.prechange is None or change.postchange is None:
        return []
    before, after = documents.decode(change.prechange), documents.decode(change.postchange)
    return [(key, before.get(key), after.get(key)) for key in diffs.changed_keys(before, after)]


async def _changes(access: Access, asked: ChangeQuery) -> list[ChangeRecord]:
    return await access.history.changes(asked) if access.history.may_see_changes else []


@page("/results/{id:str}", SEE)
async def show_result(request: Request, id: FromPath[str]) -> Response[Any]:
    """A job result; for the page's script the parts of it that change."""
    access = access_of(request)
    result = await access.history.get_result(id)
    shown = await _shown(access, result)
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "results/pieces.html", shown=shown, result=result, most=MOST_CAUSED, tab="")
    log = await _log(access, result, LogQuery(limit=FIRST_LINES + 1), LogPart())
    return await _show_part(request, result, "results/one.html", shown=shown, log=log)


@page("/results/{id:str}/logs", SEE)
async def show_log(
    request: Request,
    id: FromPath[str],
    level: Level = "",
    search: Search = "",
    line: Line = None,
    attempt: Attempt = 0,
    order: FromQuery[Literal["", "last"]] = "",
    cursor: CursorText = None,
) -> Response[Any]:
    """The log of a job result on a page of its own, from a line or an attempt on, or its end."""
    access = access_of(request)
    result = await access.history.get_result(id)
    if level and level not in LEVELS:
        raise QueryError(f"level={level}", "is no level", f"Known: {', '.join(LEVELS)}.")
    after: LogKey | None = None
    if cursor is not None:
        number, given_attempt, seq = decode_cursor(_question(result, level, search), cursor, tuple[int, int, int])
        after = number, given_attempt, seq
    elif line is not None:
        of_attempt, seq = map(int, line.split("."))
        after = result.number, of_attempt, max(0, seq - LINES_BEFORE)
    elif attempt:
        after = result.number, attempt - 1, LAST_PLACE
    asked = LogQuery(
        level=LogLevel[level.upper()] if level else None, search=search or None, after=after, limit=FIRST_LINES + 1
    )
    part = LogPart(level=level, search=search, line=line or "", is_first=after is None and not order)
    log = await (_end_of_log if order else _log)(access, result, asked, part)
    return await _show_part(request, result, "results/log_page.html", "logs", log=log)


async def _log(access: Access, result: JobResult, asked: LogQuery, part: LogPart) -> LogPart:
    """Lines of a log, or why there are none."""
    try:
        found = await access.history.log_of(result.id, asked)
    except PermissionDenied as exc:
        return LogPart(refused=f"You lack {exc.permission}" if exc.permission else str(exc))
    lines, following = found[:FIRST_LINES], ""
    if len(found) > FIRST_LINES:
        last = lines[-1]
        cursor = encode_cursor(_question(result, part.level, part.search), (last.number, last.attempt, last.seq))
        kept = query(level=part.level, search=part.search, cursor=cursor)
        following = path("results", result.id, "logs") + kept
    return LogPart(lines, following, "", part.level, part.search, part.line, part.is_first)


async def _end_of_log(access: Access, result: JobResult, asked: LogQuery, part: LogPart) -> LogPart:
    """The last lines of a log."""
    of_one = LogQuery(results=ResultQuery(id=result.id), level=asked.level, search=asked.search, limit=FIRST_LINES)
    refused = (await _log(access, result, LogQuery(limit=1), part)).refused
    found = [] if refused else [entry for entry, _ in await access.history.find_log_entries(of_one)]
    return LogPart(found[::-1], "", refused, part.level, part.search, "", is_first=False)


def _question(result: JobResult, level: str, search: str) -> list[str]:
    return ["log of", result.id, level, search]


async def _show_part(
    request: Request, result: JobResult, template: str, tab: str = "", *, shown: Shown | None = None, **context: Any
) -> Response[Any]:
    """One part of a job result's page."""
    here = path("results", result.id)
    return show(
        request,
        template,
        f"{result.job_name} {result.number}",
        crumbs=[Crumb("Job results", "/results")],
        result=result,
        shown=shown or await _shown(access_of(request), result),
        here=here,
        tabs_=[("Result", here, None), ("Log", f"{here}/logs", None), ("Causes", f"{here}/causes", None)],
        tab=f"{here}/{tab}" if tab else here,
        levels=LEVELS,
        most=MOST_CAUSED,
        **context,
    )


ROUTES: Final = (show_result, show_log)
