"""Cancelling and rerunning job results: asked for in a dialog, or on a page where there is none."""

from typing import Annotated, Any, Final

from litestar import Response
from litestar.params import FromPath, QueryParameter

from buttonhook.errors import NoSuchRun, RunNotFound
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, safe_path, show
from buttonhook.http.pages.result_rows import sentence, why_not_act
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Request, form_of

CANCEL: Final = act("cancel a job result", or_own=True)
RERUN: Final = act("rerun a job result")
Back = Annotated[str, QueryParameter(max_length=4000)]


@page("/results/{id:str}/cancel", act("see a job result", or_own=True))
async def ask_cancel(request: Request, id: FromPath[str], back: Back = "") -> Response[Any]:
    """Ask whether a result is to be cancelled."""
    return await _ask(request, id, "cancel", back)


@page("/results/{id:str}/rerun", act("see a job result", or_own=True))
async def ask_rerun(request: Request, id: FromPath[str], back: Back = "") -> Response[Any]:
    """Ask whether a result is to be rerun."""
    return await _ask(request, id, "rerun", back)


async def _ask(request: Request, id_: str, act_: str, back: str) -> Response[Any]:
    access = access_of(request)
    result = await access.history.get_result(id_)
    here = path("results", result.id)
    given: dict[str, Any] = {
        "result": result,
        "act_": act_,
        "why_not": sentence(await why_not_act(access, result, act_)),
        "action": f"{here}/{act_}",
        "back": safe_path(back) if back else here,
        "is_back_given": bool(back),
    }
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "results/ask_dialog.html", **given)
    crumbs = [Crumb("Job results", "/results"), Crumb(f"{result.job_name} {result.number}", here)]
    title = f"{act_.capitalize()} result {result.number}?"
    return show(request, "results/ask.html", title, crumbs=crumbs, **given)


@form("/results/{id:str}/cancel", CANCEL)
async def cancel(request: Request, id: FromPath[str]) -> Response[Any]:
    """Cancel a result that waits, or have a run end."""
    back = await _back(request)
    try:
        before = await access_of(request).runs.cancel(id)
    except NoSuchRun:
        raise
    except RunNotFound as exc:
        return go(request, back or path("results", id), Flash("warning", sentence(f"it {exc.problem}.")))
    here = path("results", before.id)
    text = f"Result {before.number} is told to stop." if before.started_at else f"Result {before.number} is cancelled."
    return go(request, back or here, Flash("success", text, *((here, "Show it") if back else ())))


@form("/results/{id:str}/rerun", RERUN)
async def rerun(request: Request, id: FromPath[str]) -> Response[Any]:
    """Run what has ended once more."""
    back = await _back(request)
    try:
        made = await access_of(request).runs.rerun(id)
    except NoSuchRun:
        raise
    except RunNotFound as exc:
        return go(request, back or path("results", id), Flash("warning", sentence(f"it {exc.problem}.")))
    here = path("results", made.id)
    told = Flash("success", f"It runs again, as result {made.number}.", *((here, "Show it") if back else ()))
    return go(request, back or here, told)


async def _back(request: Request) -> str:
    """Where who asked wants to come back to; empty: to the result."""
    given = (await form_of(request)).get("back")
    return safe_path(given) if given else ""


ROUTES: Final = (ask_cancel, ask_rerun, cancel, rerun)
