"""Pressing job buttons, and following the runs: on the same page by a script, on a page of their own without one."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.buttons import ShownButton
from buttonhook.errors import ObjectNotFound, PermissionDenied, RecordNotFound
from buttonhook.http.api.writing import find_stored
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, show
from buttonhook.http.pages.rows import row_of
from buttonhook.http.pages.templating import path
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request, form_of
from buttonhook.records import JobLogEntry, JobResult, ResultQuery

MOST_RUNS: Final = 200
LAST_LINES: Final = 6
LOG_PAGE: Final = 1000
ANY: Final = act("see a job result", or_own=True)
PRESS: Final = act("press a job button")
Numbers = Annotated[str, QueryParameter(max_length=4000)]


class Run(Struct, frozen=True):
    """A job result with its last log lines; `mark` changes when any of it does."""

    result: JobResult
    lines: Sequence[JobLogEntry]
    mark: str


# --- one object -----------------------------------------------------------------------------------


@page("/objects/{object_type:str}/{pk:str}/press/{button:str}", PRESS)
async def ask_press(
    request: Request, object_type: FromPath[str], pk: FromPath[str], button: FromPath[str]
) -> Response[Any]:
    """The page that asks whether a button is to be pressed, where there is no dialog for it."""
    access = access_of(request)
    type_ = daemon_of(request).app.registry.get_type(object_type)
    row = row_of(await find_stored(access, object_type, pk), type_)
    shown = _find(await _all_of(access, object_type, pk), button)
    return show(
        request,
        "objects/press.html",
        f"{shown.text}?",
        crumbs=_crumbs(object_type, row.name, pk),
        button=shown,
        object_type=object_type,
        rows=[row],
        action=path("objects", object_type, pk, "press", shown.id),
        back=path("objects", object_type, pk),
    )


async def _all_of(access: Access, object_type: str, pk: str) -> list[ShownButton]:
    return [each for group in await access.runs.shown_buttons(object_type, pk) for each in group.buttons]


def _find(buttons: Sequence[ShownButton], id_: str) -> ShownButton:
    found = next((each for each in buttons if each.id == id_), None)
    if found is None:
        raise RecordNotFound("job button", id_)
    return found


def _crumbs(object_type: str, name: str = "", pk: str = "") -> list[Crumb]:
    crumbs = [Crumb("Objects", "/objects"), Crumb(object_type, path("objects", object_type))]
    return [*crumbs, Crumb(name, path("objects", object_type, pk))] if pk else crumbs


@form("/objects/{object_type:str}/{pk:str}/press/{button:str}", PRESS)
async def press(
    request: Request, object_type: FromPath[str], pk: FromPath[str], button: FromPath[str]
) -> Response[Any]:
    """Press a button on an object."""
    results = await access_of(request).runs.press(button, object_type, [pk])
    return await _started(request, results, [])


# --- many objects ---------------------------------------------------------------------------------


@form("/objects/{object_type:str}", PRESS)
async def press_on_many(request: Request, object_type: FromPath[str]) -> Response[Any]:
    """Press a button on the objects that were picked in a list; one that asks first is asked for on a page."""
    given = await form_of(request)
    access = access_of(request)
    pks = list(dict.fromkeys(given.all("pk")))
    if not pks or len(pks) > MOST_RUNS:
        raise Refused(422, "picked", f"{len(pks)} objects are picked. Pick 1 to {MOST_RUNS} of them in the list.")
    confirmed = given.get("confirmed")
    button = _find(access.runs.buttons_of_type(object_type), confirmed or given.get("button"))
    if button.confirmation and not confirmed:
        return await _ask_many(request, object_type, button, pks)
    prepared = await access.runs.prepare_each(button.id, object_type, pks)
    results = await access.runs.press_prepared(prepared)
    refused = [(pk, str(each)) for pk, each in prepared if isinstance(each, ObjectNotFound)]
    return await _started(request, results, refused)


async def _ask_many(request: Request, object_type: str, button: ShownButton, pks: list[str]) -> Response[Any]:
    access = access_of(request)
    type_ = daemon_of(request).app.registry.get_type(object_type)
    rows = []
    for pk in pks:
        stored = await access.session.read_object(object_type, pk)
        if stored is None:
            raise ObjectNotFound(object_type, repr(pk))
        rows.append(row_of(stored, type_))
    return show(
        request,
        "objects/press.html",
        f"{button.text}?",
        crumbs=_crumbs(object_type),
        button=button,
        object_type=object_type,
        rows=rows,
        action=path("objects", object_type),
        back=path("objects", object_type),
    )


# --- following ------------------------------------------------------------------------------------


async def _started(request: Request, results: Sequence[JobResult], refused: list[tuple[str, str]]) -> Response[Any]:
    """What was started: as a piece for the page where it was, else the page of these runs."""
    source = f"/runs?numbers={'.'.join(str(each.number) for each in results)}"
    if FRAGMENT_HEADER in request.headers:
        runs = await _runs(access_of(request), results)
        return _piece(request, runs, source, refused)
    if refused and not results:
        raise Refused(409, "not-pressed", f"It was pressed on none of them. {refused[0][1]}")
    return go(request, source)


def _piece(request: Request, runs: list[Run], source: str, refused: Sequence[tuple[str, str]] = ()) -> Response[Any]:
    return fragment(
        request, "runs/group.html", runs=runs, source=source, is_live=_is_live(runs), refused=refused, is_named=True
    )


@page("/runs", ANY)
async def follow_runs(request: Request, numbers: Numbers = "", change: FromQuery[int | None] = None) -> Response[Any]:
    """Some runs as they are now: those of these numbers, or those that a change caused."""
    access = access_of(request)
    asked = ResultQuery(change_id=change, ascending=True, limit=MOST_RUNS)
    if change is None:
        asked = ResultQuery(numbers=_numbers(numbers), ascending=True, limit=MOST_RUNS)
    runs = await _runs(access, await access.history.results(asked))
    source = f"/runs?change={change}" if change is not None else f"/runs?numbers={numbers}"
    if FRAGMENT_HEADER in request.headers:
        return _piece(request, runs, source)
    return show(request, "runs/page.html", "Runs", runs=runs, source=source, is_live=_is_live(runs), refused=())


def _numbers(text: str) -> tuple[int, ...]:
    """Raises: Refused: these are no numbers of runs."""
    parts = text.split(".")
    if not all(each.isascii() and each.isdigit() and len(each) < 19 for each in parts) or len(parts) > MOST_RUNS:
        raise Refused(400, "bad-parameter", f"Write numbers=12.13.14, at most {MOST_RUNS} of them.")
    return tuple(map(int, parts))


def _is_live(runs: Sequence[Run]) -> bool:
    return any(not each.result.status.is_final for each in runs)


async def _runs(access: Access, results: Sequence[JobResult]) -> list[Run]:
    return [await _run(access, each, with_log=len(results) <= 20) for each in results]


async def _run(access: Access, result: JobResult, *, with_log: bool) -> Run:
    lines = await _last_lines(access, result) if with_log else []
    last = lines[-1].id if lines else 0
    return Run(result, lines, f"{result.status.value}-{result.attempt}-{last}")


async def _last_lines(access: Access, result: JobResult) -> list[JobLogEntry]:
    """The end of a run's log, nothing where it may not be seen."""
    lines: list[JobLogEntry] = []
    try:
        while True:
            part = await access.history.log_entries(result, lines[-1].id if lines else 0, LOG_PAGE)
            lines = [*lines, *part][-LAST_LINES:]
            if len(part) < LOG_PAGE:
                return [each for each in lines if each.attempt == lines[-1].attempt]
    except PermissionDenied:
        return []


ROUTES: Final = (ask_press, press, press_on_many, follow_runs)
