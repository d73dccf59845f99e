"""Job buttons: what people press on objects."""

from typing import Final

from litestar import Response
from litestar.params import FromPath, FromQuery, JSONBody

from buttonhook.buttons import Prepared
from buttonhook.http.api.occasions import Narrowing, added, shape_of, shapes_of
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, delete, get, on_objects, patch, post
from buttonhook.http.idempotency import IdempotencyKey, answer_of, once
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Order, Page, page_in_order, sparse
from buttonhook.http.reading import ObjectTypeName, Request
from buttonhook.http.shapes.conditions import fields_of
from buttonhook.http.shapes.job_buttons import (
    BulkPressInput,
    BulkPressShape,
    ButtonGroupShape,
    JobButtonChange,
    JobButtonInput,
    JobButtonShape,
    PressInput,
)
from buttonhook.http.shapes.job_results import JobResultShape
from buttonhook.records import JobResult

TAGS: Final = ["job buttons"]
Key = tuple[str, int, str]
ORDER: Final = Order[JobButtonShape, Key](Key, lambda each: (each.group, each.weight, each.name))


@get("/api/job-buttons", act("see a job button"), tags=TAGS)
async def list_job_buttons(
    request: Request,
    job: FromQuery[str | None] = None,
    object_type: FromQuery[str | None] = None,
    enabled: FromQuery[bool | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[JobButtonShape]:
    """List job buttons, by group, weight and name.

    `job` is the path or the name of a job.
    """
    access, narrowing = access_of(request), Narrowing(job, object_type, enabled)
    found = shapes_of(access, access.configuration.buttons(), JobButtonShape.of, narrowing)
    question = ["job-buttons", *narrowing.question]
    return sparse(page_in_order(question, found, lambda each: each, ORDER, cursor, limit), fields)


@post("/api/job-buttons", act("add a job button"), tags=TAGS)
async def add_job_button(
    request: Request, data: JSONBody[JobButtonInput], idempotency_key: IdempotencyKey = None
) -> Response[JobButtonShape]:
    """Add a job button."""
    return await added(request, data, access_of(request).configuration.add_button, JobButtonShape.of)


@get("/api/job-buttons/{name:str}", act("see a job button"), tags=TAGS)
async def get_job_button(request: Request, name: FromPath[str]) -> JobButtonShape:
    """Show a job button, by its id or name."""
    access = access_of(request)
    return shape_of(access, access.configuration.get_button(name), JobButtonShape.of)


@patch("/api/job-buttons/{name:str}", act("edit a job button"), tags=TAGS)
async def edit_job_button(request: Request, name: FromPath[str], data: JSONBody[JobButtonChange]) -> JobButtonShape:
    """Change a job button, by its id or name."""
    access = access_of(request)
    return shape_of(access, await access.configuration.edit_button(name, **fields_of(data)), JobButtonShape.of)


@delete("/api/job-buttons/{name:str}", act("remove a job button"), tags=TAGS)
async def remove_job_button(request: Request, name: FromPath[str]) -> None:
    """Remove a job button, by its id or name. What was pressed already still runs."""
    await access_of(request).configuration.remove_button(name)


@post("/api/job-buttons/{name:str}/press", act("press a job button"), tags=TAGS)
async def press_job_button(
    request: Request, name: FromPath[str], data: JSONBody[PressInput], idempotency_key: IdempotencyKey = None
) -> Response[JobResultShape]:
    """Press a job button, by its id or name, on one object.

    The answer is the job result, which waits to run; `/api/job-results/{id}/wait` waits for its end.
    """
    runs = access_of(request).runs
    return await once(
        request,
        lambda: runs.press(name, data.object_type, [data.pk]),
        lambda pressed: answer_of(JobResultShape.of(pressed[0]), 201),
    )


@post("/api/job-buttons/{name:str}/press-many", act("press a job button"), tags=TAGS, status_code=200)
async def press_job_button_on_many(
    request: Request, name: FromPath[str], data: JSONBody[BulkPressInput], idempotency_key: IdempotencyKey = None
) -> Response[BulkPressShape]:
    """Press a job button, by its id or name, on each of some objects.

    Each object has its own answer: the job result, which waits to run, or why there is none. The job results are stored
    together.
    """
    runs = access_of(request).runs
    prepared: list[Prepared] = []

    async def press() -> tuple[JobResult, ...]:
        prepared[:] = await runs.prepare_each(name, data.object_type, data.pks)
        return await runs.press_prepared(prepared)

    return await once(request, press, lambda pressed: answer_of(BulkPressShape.of(prepared, pressed)))


@get("/api/objects/{object_type:str}/{pk:str}/job-buttons", on_objects("view"), tags=TAGS)
async def list_buttons_of_object(
    request: Request, object_type: ObjectTypeName, pk: FromPath[str]
) -> list[ButtonGroupShape]:
    """List the job buttons that an object's page shows to the asker, in their groups, as they stand there.

    Left out are disabled ones, those whose conditions do not hold and those without text. `disabled` says why one that
    is shown cannot be pressed.
    """
    return [ButtonGroupShape.of(each) for each in await access_of(request).runs.shown_buttons(object_type, pk)]


ROUTES: Final = (
    list_job_buttons,
    add_job_button,
    get_job_button,
    edit_job_button,
    remove_job_button,
    press_job_button,
    press_job_button_on_many,
    list_buttons_of_object,
)
