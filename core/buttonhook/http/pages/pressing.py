"""Pressing job buttons, and following the runs: on the same page by a script, on a page of their own without one."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import FromPath, FromQuery, QueryParameter

from buttonhook.access.access import Access
from buttonhook.buttons import ShownButton
from buttonhook.errors import ObjectNotFound, RecordNotFound
from buttonhook.http.api.objects import in_time
from buttonhook.http.api.writing import find_stored
from buttonhook.http.asking import access_of, asker_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.feeds import Feed
from buttonhook.http.pages.finding import asked_of
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, show
from buttonhook.http.pages.result_rows import Numbers, read_numbers, write_numbers
from buttonhook.http.pages.rows import row_of
from buttonhook.http.pages.run_feed import (
    MOST_DETAILED,
    MOST_FOLLOWED,
    MOST_RUNS,
    Run,
    RunsTail,
    is_live,
    runs_of,
)
from buttonhook.http.pages.templating import path
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request, form_of
from buttonhook.http.streaming import MEDIA_TYPE, FeedResponse
from buttonhook.records import JobResult, ResultQuery

ANY: Final = act("see a job result", or_own=True)
PRESS: Final = act("press a job button")
ALL: Final = "all"
"""Picked instead of single objects: all that the list's filters leave."""
Search = Annotated[str, QueryParameter(max_length=200)]
Text = Annotated[str, QueryParameter(max_length=2000)]


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


@form("/objects/{object_type:str}", PRESS, has_filters=True)
async def press_on_many(
    request: Request, object_type: FromPath[str], q: Search = "", order: Text = ""
) -> Response[Any]:
    """Press a button on objects of a list, picked ones or all that fit; one that asks first is asked for on a page."""
    given = await form_of(request)
    access = access_of(request)
    confirmed = given.get("confirmed")
    button = _find(access.runs.buttons_of_type(object_type), confirmed or given.get("button"))
    if given.get("picked") == ALL:
        pks = await _all_that_fit(request, object_type, q, order)
    else:
        pks = list(dict.fromkeys(given.all("pk")))
    if not pks or len(pks) > MOST_RUNS:
        raise Refused(422, "picked", f"{len(pks):,} objects are picked. Pick 1 to {MOST_RUNS:,} of them in the list.")
    if button.confirmation and not confirmed:
        return await _ask_many(request, object_type, button, pks)
    prepared = await access.runs.prepare_each(button.id, object_type, pks)
    results = await access.runs.press_prepared(prepared)
    refused = [(pk, str(each)) for pk, each in prepared if isinstance(each, ObjectNotFound)]
    return await _started(request, results, refused)


async def _all_that_fit(request: Request, object_type: str, q: str, order: str) -> list[str]:
    """The keys of all objects that the list's filters leave.

    Raises:
        Refused: they are too many.
    """
    access = access_of(request)
    asked, _ = asked_of(request, daemon_of(request).app.registry.get_type(object_type), q, order)
    with in_time():
        found = await access.session.fetch(msgspec.structs.replace(asked, limit=MOST_RUNS + 1))
    if len(found) > MOST_RUNS:
        detail = f"More than {MOST_RUNS:,} objects fit, and no more can be pressed on at once. Narrow the list first."
        raise Refused(422, "picked", detail)
    return [stored.pk for stored, _ in found]


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
    if FRAGMENT_HEADER in request.headers:
        return _piece(request, await runs_of(access_of(request), results), refused)
    if refused and not results:
        raise Refused(409, "not-pressed", f"It was pressed on none of them. {refused[0][1]}")
    return go(request, f"/runs?numbers={write_numbers(each.number for each in results)}")


def _piece(request: Request, runs: list[Run], refused: Sequence[tuple[str, str]] = ()) -> Response[Any]:
    return fragment(request, "runs/group.html", runs=runs, is_live=is_live(runs), refused=refused)


@page("/runs", ANY)
async def follow_runs(request: Request, numbers: Numbers = "", change: FromQuery[int | None] = None) -> Response[Any]:
    """Some runs as they are now: those of these numbers, or those that a change caused."""
    access = access_of(request)
    asked = ResultQuery(change_id=change, ascending=True, limit=MOST_RUNS)
    if change is None:
        asked = ResultQuery(numbers=read_numbers(numbers, MOST_RUNS), ascending=True, limit=MOST_RUNS)
    runs = await runs_of(access, await access.history.results(asked))
    if FRAGMENT_HEADER in request.headers:
        return _piece(request, runs)
    return show(request, "runs/page.html", "Runs", runs=runs, is_live=is_live(runs), refused=())


@page("/runs/feed", ANY, media_type=MEDIA_TYPE)
async def feed_runs(request: Request, numbers: Numbers = "", detailed: Numbers = "") -> FeedResponse:
    """For the script of pages: what becomes of some runs, of the `detailed` ones with their last log lines."""
    asker, daemon = asker_of(request), daemon_of(request)
    daemon.feeds.check_room(asker.user.username)
    results, logs = read_numbers(numbers, MOST_FOLLOWED), read_numbers(detailed, MOST_DETAILED)
    feed = Feed(asker.user.username, "runs", results=results, logs=set(logs) & set(results))
    return FeedResponse(asker, feed, RunsTail(feed))


ROUTES: Final = (ask_press, press, press_on_many, follow_runs, feed_runs)
