"""Job buttons: the list, the page of one, turning one on and off, deleting one."""

from typing import Annotated, Any, Final

from litestar import Response
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.bindings import job_of, last_results
from buttonhook.http.pages.button_preview import preview
from buttonhook.http.pages.condition_words import all_in_words
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, safe_path, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Request, form_of
from buttonhook.matching import why_not_job
from buttonhook.records import Job, JobButton

EDIT: Final = act("edit a job button")
REMOVE: Final = act("remove a job button")
LISTED: Final = 10
CRUMBS: Final = (Crumb("Job buttons", "/buttons"),)
Search = Annotated[str, QueryParameter(max_length=200)]


class ButtonRow(Struct, frozen=True, kw_only=True):
    """A job button in a list; `note` says why nobody can press it at present."""

    button: JobButton
    job: Job | None
    conditions: list[str]
    note: str
    why_not: str


def _row(request: Request, button: JobButton) -> ButtonRow:
    job = job_of(access_of(request), button.job)
    is_installed = button.job in daemon_of(request).app.registry.receivers
    note = "" if job is None else why_not_job(job, button.job, is_installed=is_installed, kind="button") or ""
    return ButtonRow(
        button=button,
        job=job,
        conditions=all_in_words(button.conditions),
        note=note,
        why_not=why_not(request, "jobs.change_jobbutton", button),
    )


@page("/buttons", act("see a job button"))
async def list_buttons(request: Request, q: Search = "") -> Response[Any]:
    """The job buttons, by group, weight and name."""
    everything = access_of(request).configuration.buttons()
    rows = [row for each in everything if _fits(row := _row(request, each), q)]
    return show(
        request,
        "buttons/list.html",
        "Job buttons",
        rows=rows,
        q=q,
        is_empty=not everything,
        why_not_add=why_not(request, "jobs.add_jobbutton"),
        back=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )


def _fits(row: ButtonRow, text: str) -> bool:
    own = row.button
    words = (own.name, own.text, own.group, own.job, row.job.name if row.job else "", *own.object_types)
    return text.strip().casefold() in "\n".join(words).casefold()


@page("/buttons/{name:str}", act("see a job button"))
async def show_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """A job button."""
    access = access_of(request)
    button = access.configuration.get_button(name)
    return show(
        request,
        "buttons/one.html",
        button.name,
        crumbs=CRUMBS,
        row=_row(request, button),
        preview=await preview(request, button.text, button.conditions, button.object_types, ""),
        results=await last_results(access, button, LISTED),
        why_not_delete=why_not(request, "jobs.delete_jobbutton", button),
    )


@form("/buttons/{name:str}/enable", EDIT)
async def enable_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """Let a job button be pressed."""
    return await _switch(request, name, enabled=True)


@form("/buttons/{name:str}/disable", EDIT)
async def disable_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """Take a job button from the pages of objects, and keep it."""
    return await _switch(request, name, enabled=False)


async def _switch(request: Request, name: str, *, enabled: bool) -> Response[Any]:
    given = await form_of(request)
    button = await access_of(request).configuration.edit_button(name, enabled=enabled)
    row, back = _row(request, button), given.get("back")
    told = f"{button.name} is enabled." if enabled else f"{button.name} is disabled: no object's page shows it."
    if enabled and row.note:
        told += f" It cannot be pressed yet: {row.note}."
    flash = Flash("success", told)
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "buttons/row.html", row=row, flash=flash, back=back)
    return go(request, safe_path(back) if back else path("buttons", button.id), flash)


@page("/buttons/{name:str}/delete", REMOVE)
async def ask_delete_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a job button is to be deleted."""
    button = access_of(request).configuration.get_button(name)
    return show(
        request,
        "buttons/delete.html",
        f"Delete {button.name}?",
        crumbs=[*CRUMBS, Crumb(button.name, path("buttons", button.id))],
        row=_row(request, button),
        why_not_delete=why_not(request, "jobs.delete_jobbutton", button),
    )


@form("/buttons/{name:str}/delete", REMOVE)
async def delete_button(request: Request, name: FromPath[str]) -> Response[Any]:
    """Delete a job button."""
    button = await access_of(request).configuration.remove_button(name)
    return go(request, "/buttons", Flash("success", f"Deleted the job button {button.name}."))


ROUTES: Final = (list_buttons, show_button, enable_button, disable_button, ask_delete_button, delete_button)
