"""Jobs in a list: what is installed, by package, with one switch each, and what is wrong with plugins."""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

import anyio
from litestar import Response
from litestar.params import FromPath, FromQuery, QueryParameter
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.configuration import HookDraft
from buttonhook.errors import QueryTooSlow
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, form, fragment, go, page, safe_path, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Request, form_of
from buttonhook.ids import JobResultStatus
from buttonhook.plugins import PluginReport
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import Job, JobHook, JobResult, ResultQuery

EDIT: Final = act("enable, disable or edit a job")
EDIT_PERMISSION: Final = "jobs.change_job"
LAST_RUN_SECONDS: Final = 0.4
"""How long a list may look for the last run of each job; those that were not reached stay empty."""
MOST_WAITING: Final = 100
Search = Annotated[str, QueryParameter(max_length=200)]


class JobRow(Struct, frozen=True, kw_only=True):
    """A job in a list. `options` are None where it is not installed; `makes` is what enabling it adds."""

    job: Job
    options: JobMeta | None
    makes: HookDraft | None
    uses: int
    last: JobResult | None
    why_not: str


class Package(Struct, frozen=True):
    """What one package brings."""

    name: str
    reports: Sequence[PluginReport]
    rows: Sequence[JobRow]


@page("/jobs", act("see a job"))
async def list_jobs(
    request: Request,
    q: Search = "",
    kind: FromQuery[Literal["hook", "button", ""]] = "",
    enabled: FromQuery[Literal["yes", "no", ""]] = "",
    hidden: FromQuery[bool] = False,
) -> Response[Any]:
    """The jobs, by package."""
    access = access_of(request)
    reports = access.plugins()
    everything = [(job, _options(request, job)) for job in access.configuration.jobs()]
    kept = [
        (job, options)
        for job, options in everything
        if kind in ("", job.kind) and enabled in ("", "yes" if job.enabled else "no") and _fits(job, options, q)
    ]
    shown = [(job, options) for job, options in kept if hidden or options is None or not options.hidden]
    rows = await _rows(request, access, shown)
    return show(
        request,
        "jobs/list.html",
        "Jobs",
        packages=_packages(rows, reports),
        q=q,
        kind=kind,
        enabled=enabled,
        is_all=hidden,
        hidden=len(kept) - len(shown),
        is_filtered=bool(q or kind or enabled),
        has_jobs=bool(everything),
        broken=[each for each in reports if each.errors],
        stale=[each for each in reports if each.needs_restart],
        warned=[each for each in reports if each.warnings and not each.errors],
        blocked=[each for each in reports if each.is_blocked],
        back=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )


def _options(request: Request, job: Job) -> JobMeta | None:
    """The options in force, None where the job is not installed."""
    registry = daemon_of(request).app.registry
    return registry.options(job.id) if job.id in registry.receivers else None


def _fits(job: Job, options: JobMeta | None, text: str) -> bool:
    words = (job.name, job.id, job.package, options.description if options else "", options.grouping if options else "")
    return text.strip().casefold() in "\n".join(words).casefold()


async def _rows(request: Request, access: Access, shown: Sequence[tuple[Job, JobMeta | None]]) -> list[JobRow]:
    last = await _last_runs(access, [job for job, _ in shown])
    return [_row(request, job, options, last.get(job.id)) for job, options in shown]


def _row(request: Request, job: Job, options: JobMeta | None, last: JobResult | None) -> JobRow:
    configuration = access_of(request).configuration
    used_by = configuration.hooks() if job.kind == "hook" else configuration.buttons()
    return JobRow(
        job=job,
        options=options,
        makes=configuration.default_hook(job),
        uses=sum(each.job == job.id for each in used_by),
        last=last,
        why_not=why_not_switch(request, job, is_installed=options is not None),
    )


def why_not_switch(request: Request, job: Job, *, is_installed: bool) -> str:
    """Why who asks may not enable or disable a job."""
    refused = why_not(request, EDIT_PERMISSION, job)
    if refused or job.enabled or is_installed:
        return refused
    return "It is not installed"


async def _last_runs(access: Access, jobs: Sequence[Job]) -> dict[str, JobResult]:
    """The last run of each job, as far as one may see them and it is quick to tell."""
    found: dict[str, JobResult] = {}
    with anyio.move_on_after(LAST_RUN_SECONDS):
        for job in jobs:
            try:
                results = await access.history.results(ResultQuery(job=job.id, limit=1))
            except QueryTooSlow:
                continue
            found.update((job.id, each) for each in results)
    return found


def _packages(rows: Sequence[JobRow], reports: Sequence[PluginReport]) -> list[Package]:
    names = dict.fromkeys(sorted((row.job.package for row in rows), key=str.casefold))
    return [
        Package(
            name,
            [each for each in reports if name in (each.distribution, each.name)],
            sorted(
                (row for row in rows if row.job.package == name),
                key=lambda row: (row.options.grouping if row.options else "", row.job.name.casefold()),
            ),
        )
        for name in names
    ]


# --- the switch -----------------------------------------------------------------------------------


@form("/jobs/{name:str}/enable", EDIT)
async def enable(request: Request, name: FromPath[str]) -> Response[Any]:
    """Enable a job; the first time the job hook that its package asks for is made, too."""
    given = await form_of(request)
    job, hook = await access_of(request).configuration.enable_job(name)
    told = f"{job.name} is enabled."
    if hook is not None:
        told += f" Added the job hook {hook.name}: {', '.join(hook.actions)} of {', '.join(hook.object_types)}."
    elif not _is_used(request, job):
        told += f" Nothing runs it yet: add a job {job.kind}."
    link, label = _next_step(request, job, hook)
    return await _switched(request, job, Flash("success", told, href=link, label=label), given.get("back"))


def _next_step(request: Request, job: Job, hook: JobHook | None) -> tuple[str, str]:
    """Where one goes after enabling a job: to the job hook that was made, or to add what runs it."""
    if hook is not None:
        return path("hooks", hook.id), "Show the job hook"
    if _is_used(request, job) or why_not(request, f"jobs.add_job{job.kind}"):
        return "", ""
    return f"/{job.kind}s/add?job={job.id}", f"Add a job {job.kind}"


def _is_used(request: Request, job: Job) -> bool:
    configuration = access_of(request).configuration
    used_by = configuration.hooks() if job.kind == "hook" else configuration.buttons()
    return any(each.job == job.id for each in used_by)


@page("/jobs/{name:str}/disable", EDIT)
async def ask_disable(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a job is to be disabled, where runs wait for it."""
    return await _ask(request, access_of(request).configuration.get_job(name), 200)


async def _ask(request: Request, job: Job, status: int) -> Response[Any]:
    return show(
        request,
        "jobs/disable.html",
        f"Disable {job.name}?",
        status=status,
        crumbs=[Crumb("Jobs", "/jobs"), Crumb(job.name, path("jobs", job.id))],
        job=job,
        waiting=await _waiting(request, job),
        most=MOST_WAITING,
        why_not=why_not(request, EDIT_PERMISSION, job),
    )


async def _waiting(request: Request, job: Job) -> list[JobResult]:
    query = ResultQuery(job=job.id, status=JobResultStatus.PENDING, limit=MOST_WAITING)
    return await access_of(request).history.results(query)


@form("/jobs/{name:str}/disable", EDIT)
async def disable(request: Request, name: FromPath[str]) -> Response[Any]:
    """Disable a job; where runs wait for it, that is asked first."""
    given = await form_of(request)
    configuration = access_of(request).configuration
    job = configuration.get_job(name)
    if "confirmed" not in given and not why_not(request, EDIT_PERMISSION, job) and await _waiting(request, job):
        return await _ask(request, job, 409)
    job = await configuration.disable_job(job.id)
    flash = Flash("success", f"{job.name} is disabled: nothing runs it any more.")
    return await _switched(request, job, flash, given.get("back"))


async def _switched(request: Request, job: Job, flash: Flash, back: str) -> Response[Any]:
    """The row as it is now, for the script; else back to where the switch stands, with what happened."""
    if FRAGMENT_HEADER in request.headers:
        (row,) = await _rows(request, access_of(request), [(job, _options(request, job))])
        return fragment(request, "jobs/row.html", row=row, flash=flash, back=back)
    return go(request, safe_path(back) if back else path("jobs", job.id), flash)


ROUTES: Final = (list_jobs, enable, ask_disable, disable)
