"""Job hooks: the list, the page of one, turning one on and off, deleting one, trying one on past changes."""

from typing import Annotated, Any, Final

from litestar import Response
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.bindings import job_of, last_results
from buttonhook.http.pages.condition_words import all_in_words
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, safe_path, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.pages.trying import try_out
from buttonhook.http.reading import Request, form_of
from buttonhook.records import Job, JobHook

EDIT: Final = act("edit a job hook")
REMOVE: Final = act("remove a job hook")
LISTED: Final = 10
CRUMBS: Final = (Crumb("Job hooks", "/hooks"),)
Search = Annotated[str, QueryParameter(max_length=200)]


class HookRow(Struct, frozen=True, kw_only=True):
    """A job hook in a list; `notes` say why it fires on nothing at present."""

    hook: JobHook
    job: Job | None
    conditions: list[str]
    notes: tuple[str, ...]
    why_not: str


def _row(request: Request, hook: JobHook) -> HookRow:
    access = access_of(request)
    job = job_of(access, hook.job)
    return HookRow(
        hook=hook,
        job=job,
        conditions=all_in_words(hook.conditions),
        notes=access.notes_on(hook) if job is not None else (),
        why_not=why_not(request, "jobs.change_jobhook", hook),
    )


@page("/hooks", act("see a job hook"))
async def list_hooks(request: Request, q: Search = "") -> Response[Any]:
    """The job hooks, in the order in which they fire."""
    everything = access_of(request).configuration.hooks()
    rows = [row for each in everything if _fits(row := _row(request, each), q)]
    return show(
        request,
        "hooks/list.html",
        "Job hooks",
        rows=rows,
        q=q,
        is_empty=not everything,
        why_not_add=why_not(request, "jobs.add_jobhook"),
        back=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )


def _fits(row: HookRow, text: str) -> bool:
    words = (row.hook.name, row.hook.job, row.job.name if row.job else "", *row.hook.object_types, *row.conditions)
    return text.strip().casefold() in "\n".join(words).casefold()


@page("/hooks/{name:str}", act("see a job hook"))
async def show_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """A job hook."""
    access = access_of(request)
    hook = access.configuration.get_hook(name)
    return show(
        request,
        "hooks/one.html",
        hook.name,
        crumbs=CRUMBS,
        row=_row(request, hook),
        results=await last_results(access, hook, LISTED),
        why_not_delete=why_not(request, "jobs.delete_jobhook", hook),
        why_not_try=why_not(request, "jobs.view_objectchange"),
    )


@page("/hooks/{name:str}/try", act("see a change"))
async def try_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """What a job hook as it is would have said to the last changes."""
    access = access_of(request)
    hook = access.configuration.get_hook(name)
    row = _row(request, hook)
    return show(
        request,
        "hooks/try.html",
        f"Try-out of {hook.name}",
        crumbs=[*CRUMBS, Crumb(hook.name, path("hooks", hook.id))],
        row=row,
        tryout=await try_out(request, hook, row.notes),
    )


@form("/hooks/{name:str}/enable", EDIT)
async def enable_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """Let a job hook fire."""
    return await _switch(request, name, enabled=True)


@form("/hooks/{name:str}/disable", EDIT)
async def disable_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """Keep a job hook from firing."""
    return await _switch(request, name, enabled=False)


async def _switch(request: Request, name: str, *, enabled: bool) -> Response[Any]:
    given = await form_of(request)
    hook = await access_of(request).configuration.edit_hook(name, enabled=enabled)
    row, back = _row(request, hook), given.get("back")
    told = f"{hook.name} is enabled." if enabled else f"{hook.name} is disabled. What it fired already still runs."
    if enabled and row.notes:
        told += f" It fires on nothing yet: {'; '.join(row.notes)}."
    flash = Flash("success", told)
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "hooks/row.html", row=row, flash=flash, back=back)
    return go(request, safe_path(back) if back else path("hooks", hook.id), flash)


@page("/hooks/{name:str}/delete", REMOVE)
async def ask_delete_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a job hook is to be deleted."""
    hook = access_of(request).configuration.get_hook(name)
    return show(
        request,
        "hooks/delete.html",
        f"Delete {hook.name}?",
        crumbs=[*CRUMBS, Crumb(hook.name, path("hooks", hook.id))],
        row=_row(request, hook),
        why_not_delete=why_not(request, "jobs.delete_jobhook", hook),
    )


@form("/hooks/{name:str}/delete", REMOVE)
async def delete_hook(request: Request, name: FromPath[str]) -> Response[Any]:
    """Delete a job hook."""
    hook = await access_of(request).configuration.remove_hook(name)
    return go(request, "/hooks", Flash("success", f"Deleted the job hook {hook.name}."))


ROUTES: Final = (list_hooks, show_hook, try_hook, enable_hook, disable_hook, ask_delete_hook, delete_hook)
