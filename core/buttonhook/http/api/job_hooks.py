"""Job hooks: the rules that run a job when objects change."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery, JSONBody

from buttonhook.access.access import Access
from buttonhook.configuration import HookDraft
from buttonhook.http.api.occasions import Narrowing, added, shape_of, shapes_of
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, delete, get, patch, post
from buttonhook.http.idempotency import IdempotencyKey
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.conditions import fields_of
from buttonhook.http.shapes.job_hooks import (
    JobHookChange,
    JobHookInput,
    JobHookShape,
    SavedTrialInput,
    TrialInput,
    TrialsShape,
    TriedChanges,
    TriedChangeShape,
)
from buttonhook.records import JobHook

TAGS: Final = ["job hooks"]
NOT_SAVED: Final = "(not saved)"
TRIED: Final = ("change", "last")


@get("/api/job-hooks", act("see a job hook"), tags=TAGS)
async def list_job_hooks(
    request: Request,
    job: FromQuery[str | None] = None,
    object_type: FromQuery[str | None] = None,
    enabled: FromQuery[bool | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[JobHookShape]:
    """List job hooks, in the order in which they fire: by name.

    `job` is the path or the name of a job.
    """
    access, narrowing = access_of(request), Narrowing(job, object_type, enabled)
    found = shapes_of(access, access.configuration.hooks(), JobHookShape.of, narrowing)
    question = ["job-hooks", *narrowing.question]
    return sparse(page_by_name(question, found, lambda each: each, cursor, limit), fields)


@post("/api/job-hooks", act("add a job hook"), tags=TAGS)
async def add_job_hook(
    request: Request, data: JSONBody[JobHookInput], idempotency_key: IdempotencyKey = None
) -> Response[JobHookShape]:
    """Add a job hook. It holds from the next change on; nothing runs while its job is disabled."""
    return await added(request, data, access_of(request).configuration.add_hook, JobHookShape.of)


@get("/api/job-hooks/{name:str}", act("see a job hook"), tags=TAGS)
async def get_job_hook(request: Request, name: FromPath[str]) -> JobHookShape:
    """Show a job hook, by its id or name."""
    access = access_of(request)
    return shape_of(access, access.configuration.get_hook(name), JobHookShape.of)


@patch("/api/job-hooks/{name:str}", act("edit a job hook"), tags=TAGS)
async def edit_job_hook(request: Request, name: FromPath[str], data: JSONBody[JobHookChange]) -> JobHookShape:
    """Change a job hook, by its id or name. What it has fired already still runs."""
    access = access_of(request)
    return shape_of(access, await access.configuration.edit_hook(name, **fields_of(data)), JobHookShape.of)


@delete("/api/job-hooks/{name:str}", act("remove a job hook"), tags=TAGS)
async def remove_job_hook(request: Request, name: FromPath[str]) -> None:
    """Remove a job hook, by its id or name. What it has fired already still runs."""
    await access_of(request).configuration.remove_hook(name)


@post("/api/job-hooks/try", act("see a change"), tags=TAGS, status_code=200)
async def try_new_job_hook(request: Request, data: JSONBody[TrialInput]) -> TrialsShape:
    """Try a job hook that is not saved: on which of the last changes it would have fired, and why not on the others.

    Nothing runs and nothing is saved.
    """
    access = access_of(request)
    draft = HookDraft(name=NOT_SAVED, **fields_of(data, *TRIED))
    return await _trials(access, access.configuration.new_hook(draft, checks_overlap=False), data)


@post("/api/job-hooks/{name:str}/try", act("see a change"), tags=TAGS, status_code=200)
async def try_job_hook(request: Request, name: FromPath[str], data: JSONBody[SavedTrialInput]) -> TrialsShape:
    """Try a saved job hook, by its id or name, as it is or with other fields.

    Nothing runs and nothing is saved.
    """
    access = access_of(request)
    hook = access.configuration.get_hook(name)
    own: dict[str, Any] = {each: getattr(hook, each) for each in HookDraft.__struct_fields__}
    draft = HookDraft(**{**own, **fields_of(data, *TRIED)})
    return await _trials(access, access.configuration.new_hook(draft, hook, checks_overlap=False), data)


async def _trials(access: Access, hook: JobHook, asked: TriedChanges) -> TrialsShape:
    tried = await access.try_out_on(hook, asked.change, asked.last)
    return TrialsShape(
        items=[TriedChangeShape.of(each) for each in tried],
        would_fire=sum(each.trial.would_fire for each in tried),
        notes=list(access.notes_on(hook)),
    )


ROUTES: Final = (
    list_job_hooks,
    add_job_hook,
    get_job_hook,
    edit_job_hook,
    remove_job_hook,
    try_new_job_hook,
    try_job_hook,
)
