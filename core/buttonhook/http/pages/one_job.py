"""One job: what it is and needs, its options and their overrides, what runs it, and how its last runs went."""

import statistics
from collections.abc import Sequence
from typing import Any, Final

import anyio
from litestar import Response
from litestar.params import FromPath
from msgspec import Struct

from buttonhook.errors import QueryTooSlow, RecordConflict
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages import job_options
from buttonhook.http.pages.charts import Bar, Chart, duration, percent, single
from buttonhook.http.pages.jobs import EDIT, EDIT_PERMISSION, why_not_switch
from buttonhook.http.pages.page import Crumb, form, go, page, show, why_not
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.ids import JobResultStatus
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import Job, JobResult, ResultQuery

LAST: Final = 50
"""How many runs are drawn."""
LISTED: Final = 8
SECONDS: Final = 2.0
"""How long the runs that one may see are looked for."""
BAD_SHARE: Final = 0.9
"""Where less than this went well, it is shown in the colour of failure."""
WELL: Final = JobResultStatus.SUCCESS
LEGEND: Final = (("success", "success"), ("failure", "failure"), ("started", "running"), ("revoked", "revoked"))


class Figures(Struct, frozen=True):
    """How the last runs went, as texts; empty where nothing is to be told."""

    runs: str
    share: str
    median: str
    p95: str
    is_bad: bool


@page("/jobs/{name:str}", act("see a job"))
async def show_job(request: Request, name: FromPath[str]) -> Response[Any]:
    """A job."""
    access = access_of(request)
    job = access.configuration.get_job(name)
    receiver = access.configuration.receiver_of(job)
    registry = daemon_of(request).app.registry
    results, refused = await _last_results(request, job)
    plugin = next((each for each in access.plugins() if receiver and each.name == receiver.plugin), None)
    meta = None if receiver is None else registry.options(job.id)
    return show(
        request,
        "jobs/one.html",
        job.name,
        crumbs=[Crumb("Jobs", "/jobs")],
        job=job,
        receiver=receiver,
        meta=meta,
        options=[] if receiver is None or meta is None else job_options.rows_of(meta, receiver.meta),
        types=_types(request, receiver),
        settings=[] if plugin is None else plugin.settings,
        plugin=plugin,
        makes=access.configuration.default_hook(job),
        hooks=[each for each in access.configuration.hooks() if each.job == job.id],
        buttons=[each for each in access.configuration.buttons() if each.job == job.id],
        results=results[:LISTED],
        refused=refused,
        figures=_figures(results),
        chart=_chart(results),
        why_not_switch=why_not_switch(request, job, is_installed=receiver is not None),
        why_not_edit=_why_not_edit(request, job, receiver),
        why_not_use=why_not(request, f"jobs.add_job{job.kind}"),
    )


def _why_not_edit(request: Request, job: Job, receiver: ReceiverType | None) -> str:
    return why_not(request, EDIT_PERMISSION, job) or ("" if receiver else "It is not installed")


def _types(request: Request, receiver: ReceiverType | None) -> list[tuple[str, bool, bool]]:
    """The object types that a receiver names: whether each is installed, and whether one may see objects of it."""
    registry = daemon_of(request).app.registry
    user = access_of(request).user
    named = () if receiver is None else receiver.meta.object_types
    return [(each, registry.is_installed(each), user.has_perm(each.replace(".", ".view_", 1))) for each in named]


async def _last_results(request: Request, job: Job) -> tuple[list[JobResult], str]:
    """The last runs that one may see, newest first, or why there are none."""
    try:
        with anyio.fail_after(SECONDS):
            return await access_of(request).history.results(ResultQuery(job=job.id, limit=LAST)), ""
    except (QueryTooSlow, TimeoutError):
        return [], "There are too many runs that you may not see to look for those that you may."


def _lasted(result: JobResult) -> float | None:
    """Seconds of the last attempt, where one began and ended."""
    if result.started_at is None or result.ended_at is None:
        return None
    return max(0, result.ended_at - result.started_at) / 1_000_000


def _figures(results: Sequence[JobResult]) -> Figures:
    over = [each for each in results if each.status in (WELL, JobResultStatus.FAILURE)]
    lasted = sorted(seconds for each in over if (seconds := _lasted(each)) is not None)
    well = sum(each.status is WELL for each in over)
    return Figures(
        runs=f"{len(results)}",
        share=percent(well, len(over)) if over else "",
        median=duration(statistics.median(lasted)) if lasted else "",
        p95=duration(lasted[min(len(lasted) - 1, round(0.95 * (len(lasted) - 1)))]) if lasted else "",
        is_bad=well < BAD_SHARE * len(over),
    )


def _chart(results: Sequence[JobResult]) -> Chart | None:
    """The last runs, oldest first, each as high as it lasted."""
    ran = [each for each in reversed(results) if each.started_at is not None]
    if not ran:
        return None
    bars = [
        Bar(
            f"Result {each.number}, {each.object_repr or each.object_pk}, {each.status.value}",
            each.status.value,
            _lasted(each) or 0.0,
            path("results", each.id),
        )
        for each in ran
    ]
    kinds = {each.status.value for each in ran}
    legend = [each for each in LEGEND if each[0] in kinds]
    title = f"Last {len(ran)} runs" if len(ran) > 1 else "The only run"
    return single(title, bars, legend=legend, ends=("older", "newer") if len(ran) > 1 else ())


# --- overriding options ---------------------------------------------------------------------------


@page("/jobs/{name:str}/edit", EDIT)
async def edit_page(request: Request, name: FromPath[str]) -> Response[Any]:
    """The form for the options of a job."""
    return await _edit_form(request, access_of(request).configuration.get_job(name))


async def _edit_form(
    request: Request, job: Job, given: Form | None = None, errors: dict[str, str] | None = None
) -> Response[Any]:
    receiver = access_of(request).configuration.receiver_of(job)
    why = _why_not_edit(request, job, receiver)
    told = errors or {}
    return show(
        request,
        "jobs/edit.html",
        f"Options of {job.name}",
        status=422 if told else 200,
        crumbs=[Crumb("Jobs", "/jobs"), Crumb(job.name, path("jobs", job.id))],
        job=job,
        fields=[] if receiver is None else job_options.fields_for(job, receiver.meta, given, told),
        errors=told,
        why_not=why,
    )


@form("/jobs/{name:str}/edit", EDIT)
async def edit(request: Request, name: FromPath[str]) -> Response[Any]:
    """Override options of a job, or let them follow the class again."""
    given = await form_of(request)
    configuration = access_of(request).configuration
    job = configuration.get_job(name)
    overrides, errors = job_options.read(job, given)
    if not errors and overrides:
        try:
            job = await configuration.edit_job(job.id, **overrides)
        except RecordConflict as exc:
            errors = {exc.field: job_options.plain_problem(exc)}
    if errors:
        return await _edit_form(request, job, given, errors)
    told = "Saved. It holds for what begins from now on." if overrides else "Nothing changed: it is so already."
    return go(request, path("jobs", job.id), Flash("success" if overrides else "info", told))


ROUTES: Final = (show_job, edit_page, edit)
