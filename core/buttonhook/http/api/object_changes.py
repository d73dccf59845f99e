"""Object changes: the record of who changed what, from what into what, and what came of it."""

from typing import Annotated, Final

import msgspec
from litestar.params import FromPath, FromQuery, PathParameter, QueryParameter
from msgspec import UNSET

from buttonhook.access.history import History
from buttonhook.errors import RecordNotFound
from buttonhook.http.api.objects import CHUNK, PAGE_BYTES, in_time
from buttonhook.http.api.writing import check_path
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, get
from buttonhook.http.paging import (
    DEFAULT_LIMIT,
    CursorText,
    FieldNames,
    Limit,
    MomentText,
    Page,
    decode_cursor,
    encode_cursor,
    read_moment,
    sparse,
)
from buttonhook.http.reading import Request
from buttonhook.http.shapes.changes import ChangeShape, ExplanationShape
from buttonhook.http.shapes.job_results import JobResultShape
from buttonhook.ids import ObjectChangeAction
from buttonhook.objects.keys import TYPE_NAME_PATTERN, check_type_name
from buttonhook.records import ChangeQuery, ChangeRecord, ResultQuery

TAGS: Final = ["object changes"]
SEE: Final = "see a change"
OldestFirst = Annotated[bool, QueryParameter(description="In the order in which they were made.")]
Snapshots = Annotated[bool, QueryParameter(description="With the states before and after.")]
Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@get("/api/object-changes", act(SEE), tags=TAGS)
async def list_object_changes(
    request: Request,
    object_type: FromQuery[str | None] = None,
    object_pk: FromQuery[str | None] = None,
    user: FromQuery[str | None] = None,
    action: FromQuery[ObjectChangeAction | None] = None,
    request_id: FromQuery[str | None] = None,
    since: MomentText = None,
    until: MomentText = None,
    oldest_first: OldestFirst = False,
    snapshots: Snapshots = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[ChangeShape]:
    """List object changes, newest first, edits of the set-up among them.

    All filters but `action`, and `object_pk` without `object_type`, are answered from an index, at any depth; those
    look through what the others leave, for two seconds at most. `since` (included) and `until` (not) bound
    `recorded_at`. A page of large documents ends early.
    """
    query = ChangeQuery(
        object_type=object_type,
        object_pk=object_pk,
        user_name=user,
        action=action,
        request_id=request_id,
        since=read_moment("since", since),
        until=read_moment("until", until),
        ascending=oldest_first,
        limit=limit,
    )
    return await _page(request, query, cursor, fields, has_snapshots=snapshots)


@get("/api/objects/{object_type:str}/{pk:str}/changes", act(SEE), tags=TAGS)
async def list_changes_of_object(
    request: Request,
    object_type: Annotated[str, PathParameter(schema_extra={"pattern": TYPE_NAME_PATTERN})],
    pk: FromPath[str],
    oldest_first: OldestFirst = False,
    snapshots: Snapshots = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[ChangeShape]:
    """List the changes of one object, newest first, also when it is gone."""
    check_path(request)
    check_type_name(object_type)
    query = ChangeQuery(object_type=object_type, object_pk=pk, ascending=oldest_first, limit=limit)
    return await _page(request, query, cursor, fields, has_snapshots=snapshots)


async def _page(
    request: Request, query: ChangeQuery, cursor: str | None, fields: str | None, *, has_snapshots: bool
) -> Page[ChangeShape]:
    question = ["object-changes", msgspec.to_builtins(msgspec.structs.replace(query, limit=0))]
    if cursor is not None:
        query = msgspec.structs.replace(query, after=decode_cursor(question, cursor, tuple[Id])[0])
    with in_time():
        found, has_more = await _read(access_of(request).history, query)
    following = encode_cursor(question, [found[-1].id]) if has_more else None
    page = Page([ChangeShape.of(each, has_snapshots=has_snapshots) for each in found], following)
    told = sparse(page, fields)
    for item in told.items if fields is not None else ():
        if isinstance(item, dict) and item.get("snapshots") is UNSET:
            del item["snapshots"]
    return told


async def _read(history: History, query: ChangeQuery) -> tuple[list[ChangeRecord], bool]:
    """At most `limit` changes, fewer where their documents are large, and whether there are more."""
    found: list[ChangeRecord] = []
    size = 0
    limit = query.limit
    while True:
        wanted = min(CHUNK, limit + 1 - len(found))
        part = await history.changes(msgspec.structs.replace(query, limit=wanted))
        for each in part:
            size += len(each.prechange or "") + len(each.postchange or "")
            if len(found) == limit or (found and size > PAGE_BYTES):
                return found, True
            found.append(each)
        if len(part) < wanted:
            return found, False
        query = msgspec.structs.replace(query, after=part[-1].id)


async def get_change(request: Request, change: str) -> ChangeRecord:
    """The change of a number.

    Raises:
        RecordNotFound: there is none, or not for this asker.
    """
    if not (change.isascii() and change.isdecimal() and len(change) < 19):
        raise RecordNotFound("change", change[:40], (), "/api/object-changes")
    return await access_of(request).history.get_change(int(change))


@get("/api/object-changes/{change:str}", act(SEE), tags=TAGS)
async def get_object_change(request: Request, change: FromPath[str]) -> ChangeShape:
    """Show a change, with the exact states before and after and what differs between them."""
    return ChangeShape.of(await get_change(request, change))


@get("/api/object-changes/{change:str}/explain", act(SEE), tags=TAGS)
async def explain_object_change(request: Request, change: FromPath[str]) -> ExplanationShape:
    """Tell of every job hook why it did or did not fire on a change."""
    record = await get_change(request, change)
    return ExplanationShape.of(await access_of(request).explain(record.id))


@get("/api/object-changes/{change:str}/results", act(SEE), tags=TAGS)
async def list_results_of_object_change(
    request: Request,
    change: FromPath[str],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[JobResultShape]:
    """List the job results that a change fired, of those that the asker may see, in order."""
    record = await get_change(request, change)
    question = ["results-of-change", record.id]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[Id])[0]
    query = ResultQuery(change_id=record.id, ascending=True, after=after, limit=limit + 1)
    with in_time():
        found = await access_of(request).history.results(query)
    following = encode_cursor(question, [found[limit - 1].number]) if len(found) > limit else None
    return sparse(Page([JobResultShape.of(each) for each in found[:limit]], following), fields)


ROUTES: Final = (
    list_object_changes,
    list_changes_of_object,
    get_object_change,
    explain_object_change,
    list_results_of_object_change,
)
