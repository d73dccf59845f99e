"""Jobs: the receivers that can run. They run only when somebody enabled them."""

from typing import Final

from litestar.params import FromPath, FromQuery, JSONBody

from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act, get, patch, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.jobs import EnabledJobShape, JobChange, JobShape
from buttonhook.ids import ResultKind
from buttonhook.records import Job

TAGS: Final = ["jobs"]
EDIT: Final = "enable, disable or edit a job"


def shape(request: Request, job: Job) -> JobShape:
    """A job with its options in force."""
    registry = daemon_of(request).app.registry
    receiver = registry.receivers.get(job.id)
    return JobShape.of(job, receiver, None if receiver is None else registry.options(job.id))


@get("/api/jobs", act("see a job"), tags=TAGS)
async def list_jobs(
    request: Request,
    kind: FromQuery[ResultKind | None] = None,
    enabled: FromQuery[bool | None] = None,
    hidden: FromQuery[bool] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[JobShape]:
    """List jobs, by name; those that ask to be hidden only with `hidden=true`."""
    shapes = [shape(request, each) for each in access_of(request).configuration.jobs()]
    found = [
        each
        for each in shapes
        if kind in (None, each.kind)
        and enabled in (None, each.enabled)
        and (hidden or each.meta is None or not each.meta["hidden"])
    ]
    question = ["jobs", kind, enabled, hidden]
    return sparse(page_by_name(question, found, lambda each: each, cursor, limit), fields)


@get("/api/jobs/{name:str}", act("see a job"), tags=TAGS)
async def get_job(request: Request, name: FromPath[str]) -> JobShape:
    """Show a job, by the path of its class, the class's name or the job's name."""
    return shape(request, access_of(request).configuration.get_job(name))


@post("/api/jobs/{name:str}/enable", act(EDIT), tags=TAGS, status_code=200)
async def enable_job(request: Request, name: FromPath[str]) -> EnabledJobShape:
    """Enable a job. The first time the job hook that its package asks for is made, too."""
    job, hook = await access_of(request).configuration.enable_job(name)
    return EnabledJobShape.with_hook(shape(request, job), hook)


@post("/api/jobs/{name:str}/disable", act(EDIT), tags=TAGS, status_code=200)
async def disable_job(request: Request, name: FromPath[str]) -> JobShape:
    """Disable a job: nothing fires it any more, and what waits for it is revoked."""
    return shape(request, await access_of(request).configuration.disable_job(name))


@patch("/api/jobs/{name:str}", act(EDIT), tags=TAGS)
async def edit_job(request: Request, name: FromPath[str], data: JSONBody[JobChange]) -> JobShape:
    """Override options of a job."""
    return shape(request, await access_of(request).configuration.edit_job(name, **data.overrides))


ROUTES: Final = (list_jobs, get_job, enable_job, disable_job, edit_job)
