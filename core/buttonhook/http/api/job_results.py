"""Job results: the runs of jobs, what led to them, what came of them; cancelling and rerunning."""

import time
from typing import Annotated, Final

import anyio
from litestar import Response
from litestar.params import FromPath, FromQuery, QueryParameter

from buttonhook.access.access import Access
from buttonhook.access.causes import Caused
from buttonhook.errors import RecordNotFound
from buttonhook.http.asking import access_of, asker_of, daemon_of
from buttonhook.http.declaring import act, get, post
from buttonhook.http.idempotency import IdempotencyKey, answer_of, once
from buttonhook.http.paging import (
    DEFAULT_LIMIT,
    CursorText,
    FieldNames,
    Limit,
    MomentText,
    OneFieldNames,
    Page,
    decode_cursor,
    encode_cursor,
    read_moment,
    sparse,
    sparse_item,
)
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request
from buttonhook.http.shapes.job_results import CausedShape, CausesShape, JobResultShape, ResultStatusShape, Status
from buttonhook.ids import JobResultStatus
from buttonhook.records import JobResult, ResultQuery

TAGS: Final = ["job results"]
SEE: Final = "see a job result"
TICK_SECONDS: Final = 0.5
"""How often a request that waits looks whether the daemon stops or its asker is logged out."""
WaitSeconds = Annotated[int, QueryParameter(ge=0, le=60, description="How long to wait at most.")]
ChangeNumber = Annotated[int | None, QueryParameter(ge=1, le=2**63 - 1, description="The change that fired it.")]


@get("/api/job-results", act(SEE, or_own=True), tags=TAGS)
async def list_job_results(
    request: Request,
    status: FromQuery[Status | None] = None,
    job: FromQuery[str | None] = None,
    object_type: FromQuery[str | None] = None,
    object_pk: FromQuery[str | None] = None,
    user: FromQuery[str | None] = None,
    change: ChangeNumber = None,
    hook: FromQuery[str | None] = None,
    button: FromQuery[str | None] = None,
    since: MomentText = None,
    until: MomentText = None,
    after: Annotated[
        int | None, QueryParameter(ge=0, le=2**63 - 1, description="Behind this number; a `cursor` goes first.")
    ] = None,
    oldest_first: FromQuery[bool] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[JobResultShape]:
    """List job results, newest first.

    All filters but `hook` and `button` are answered from an index, at any depth; those two look through what the others
    leave, for two seconds at most: give `job`, too. `job`, `hook` and `button` are ids or names, `user` the name of who
    caused it; `since` (included) and `until` (not) bound when it was made.
    """
    access = access_of(request)
    question = ["job-results", status, job, object_type, object_pk, user, change, hook, button, since, until]
    question += [oldest_first, after]
    query = ResultQuery(
        status=None if status is None else JobResultStatus(status),
        job=job_id(access, job),
        object_type=object_type,
        object_pk=object_pk,
        user_name=user,
        change_id=change,
        occasion_id=occasion_id(access, hook, button),
        since=read_moment("since", since),
        until=read_moment("until", until),
        after=after if cursor is None else decode_cursor(question, cursor, tuple[int])[0],
        ascending=oldest_first,
        limit=limit + 1,
    )
    found = await access.history.results(query)
    following = encode_cursor(question, [found[limit - 1].number]) if len(found) > limit else None
    return sparse(Page([JobResultShape.of(each) for each in found[:limit]], following), fields)


def job_id(access: Access, name: str | None) -> str | None:
    """The path of a job that is named; one whose record is gone may still have results, and goes by its path."""
    if name is None:
        return None
    try:
        return access.configuration.get_job(name).id
    except RecordNotFound:
        return name


def occasion_id(access: Access, hook: str | None, button: str | None) -> str | None:
    """The id of a job hook or button that is named; one that is gone, or may not be seen, goes by its id."""
    if hook is not None and button is not None:
        raise Refused(400, "one-of", "Give `hook` or `button`, and not both.")
    try:
        if hook is not None:
            return access.configuration.get_hook(hook).id
        return None if button is None else access.configuration.get_button(button).id
    except RecordNotFound:
        return hook if hook is not None else button


@get("/api/job-results/{result:str}", act(SEE, or_own=True), tags=TAGS)
async def get_job_result(request: Request, result: FromPath[str], fields: OneFieldNames = None) -> JobResultShape:
    """Show a job result, by its id or number."""
    return sparse_item(JobResultShape.of(await access_of(request).history.get_result(result)), fields)


@post("/api/job-results/{result:str}/cancel", act("cancel a job result", or_own=True), tags=TAGS, status_code=200)
async def cancel_job_result(request: Request, result: FromPath[str]) -> ResultStatusShape:
    """Cancel a job result that waits, by its id or number, or end one that runs.

    What waits ends as `revoked` at once. A run is told to stop and ends as `revoked` shortly after, also one that does
    not listen; until then it is `started`. What has ended already is refused.
    """
    access = access_of(request)
    before = await access.runs.cancel(result)
    try:
        return ResultStatusShape.of(await access.history.get_result(before.id))
    except RecordNotFound:  # who may cancel it need not see it
        return ResultStatusShape.of(before)


@post("/api/job-results/{result:str}/rerun", act("rerun a job result"), tags=TAGS)
async def rerun_job_result(
    request: Request, result: FromPath[str], idempotency_key: IdempotencyKey = None
) -> Response[JobResultShape]:
    """Run a job result that has ended once more, by its id or number; answers the new one, at the end of its lane."""
    runs = access_of(request).runs

    async def rerun() -> tuple[JobResult, ...]:
        return (await runs.rerun(result),)

    return await once(request, rerun, lambda made: answer_of(JobResultShape.of(made[0]), 201))


@get("/api/job-results/{result:str}/wait", act(SEE, or_own=True), tags=TAGS)
async def wait_for_job_result(
    request: Request, result: FromPath[str], seconds: WaitSeconds = 30, fields: OneFieldNames = None
) -> JobResultShape:
    """Show a job result, by its id or number, as soon as it has ended, or as it is when the time is over.

    The status tells which: `pending`, `started` and `retry` go on. When the daemon stops it answers at once.
    """
    asker, daemon = asker_of(request), daemon_of(request)
    found = await asker.access.history.get_result(result)
    until = time.monotonic() + seconds
    with daemon.waits.for_end(found.number, asker.user.username) as ended:
        found = await asker.access.history.get_result(found.id)  # it may have ended before
        while not (found.status.is_final or daemon.stopping.is_set() or time.monotonic() >= until):
            with anyio.move_on_after(min(TICK_SECONDS, max(until - time.monotonic(), 0))):
                await ended.wait()
            renewed = asker.renewed()
            if renewed is None:
                raise Refused(401, "not-logged-in", "You were logged out while you waited. Log in again.")
            if ended.is_set() or time.monotonic() >= until:
                ended.clear()  # an outcome that came too late changes nothing
                found = await renewed.access.history.get_result(found.id)
    return sparse_item(JobResultShape.of(found), fields)


@get("/api/job-results/{result:str}/causes", act(SEE, or_own=True), tags=TAGS)
async def get_causes_of_job_result(request: Request, result: FromPath[str]) -> CausesShape:
    """Show what led to a job result and the tree of what came of it: changes, and the runs that they fired.

    The tree holds 1,000 changes and job results at most, and 100 below each; `has_more` says where there are more.
    """
    causes = access_of(request).causes
    before = (await causes.leading_to(result))[:-1]
    return CausesShape(
        before=[CausedShape.of(Caused(each, place - 1 if place else None)) for place, each in enumerate(before)],
        items=[CausedShape.of(each) for each in await causes.of_result(result)],
    )


@get("/api/object-changes/{change:str}/causes", act("see a change"), tags=TAGS)
async def get_causes_of_change(request: Request, change: FromPath[str]) -> CausesShape:
    """Show what led to a change and the tree of what came of it, as for a job result."""
    causes = access_of(request).causes
    number = int(change) if change.isascii() and change.isdecimal() and len(change) < 19 else 0
    before = (await causes.leading_to_change(number))[:-1]
    return CausesShape(
        before=[CausedShape.of(Caused(each, place - 1 if place else None)) for place, each in enumerate(before)],
        items=[CausedShape.of(each) for each in await causes.of_change(number)],
    )


ROUTES: Final = (
    list_job_results,
    get_job_result,
    cancel_job_result,
    rerun_job_result,
    wait_for_job_result,
    get_causes_of_job_result,
    get_causes_of_change,
)
