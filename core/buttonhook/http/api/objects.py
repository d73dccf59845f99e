"""Objects: reading, writing and listing them. All of it goes by what the asker may see and do."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Final, cast

import anyio
import msgspec
from litestar import Response
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, QueryParameter

from buttonhook import documents, filters
from buttonhook.access.access import Access
from buttonhook.errors import QueryError, QueryTooSlow
from buttonhook.http.api.bulk import MAX_BYTES, write_lines
from buttonhook.http.api.writing import (
    JSON,
    MERGE_PATCH,
    NDJSON,
    CauseHeader,
    IfMatch,
    IfNoneMatch,
    check_path,
    commit,
    etag,
    expected,
    find_stored,
    media_type_of,
    patched,
    read_document,
    read_etag,
)
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import FILTER_PREFIX, delete, get, on_objects, patch, post, put
from buttonhook.http.idempotency import IdempotencyKey
from buttonhook.http.paging import (
    DEFAULT_LIMIT,
    CursorText,
    FieldNames,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
    pick,
    sparse,
)
from buttonhook.http.problems import Problem
from buttonhook.http.reading import ObjectTypeName, Request
from buttonhook.http.shapes.objects import BulkShape, ObjectPage, ObjectShape, ReferrerShape, WriteShape
from buttonhook.ids import new_uuid7
from buttonhook.objects.keys import check_pk
from buttonhook.objects.session import Write
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import differing
from buttonhook.queries import implied_unique
from buttonhook.records import ObjectQuery, StoredObject

TAGS: Final = ["objects"]
MAX_COUNT: Final = 10_000
SECONDS: Final = 2.0
"""How long a list may be looked for."""
CHUNK: Final = 250
PAGE_BYTES: Final = 8_000_000
"""How much a page holds: one of large documents ends before its limit."""
UNREAL: Final = {
    422: ResponseSpec(
        Problem,
        description="The path names what cannot be an object.",
        media_type="application/problem+json",
        generate_examples=False,
    )
}
UNCHANGED: Final = {304: ResponseSpec(None, description="It is as `If-None-Match` says.")}
MADE: Final = {201: ResponseSpec(WriteShape, description="It did not exist and was made.", generate_examples=False)}
Found = tuple[StoredObject, tuple[Any, ...]]


def type_of(request: Request, object_type: str) -> ObjectType:
    """Raises: UnknownObjectType."""
    return daemon_of(request).app.registry.get_type(object_type)


@contextmanager
def in_time() -> Iterator[None]:
    """Raises: QueryTooSlow: what is done in the block takes longer than a list may."""
    try:
        with anyio.fail_after(SECONDS):
            yield
    except TimeoutError as exc:
        raise QueryTooSlow(SECONDS) from exc


# --- lists ----------------------------------------------------------------------------------------


@get("/api/objects/{object_type:str}", on_objects("view"), tags=TAGS, has_filters=True, responses=UNREAL)
async def list_objects(
    request: Request,
    object_type: ObjectTypeName,
    order: Annotated[
        str | None, QueryParameter(description="By these fields, as in `name,-u_height`; by `pk` unless given.")
    ] = None,
    count: Annotated[bool, QueryParameter(description="Tell how many there are, up to 10,000.")] = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> ObjectPage:
    """List objects of a type.

    Filters are `f.PATH__OPERATOR=value`, all of which must hold: `f.status=active`, `f.u_height__gt=1`,
    `f.location.name__startswith=AMS` (over one reference), `f.name__in=a,b`. Pages by `pk` cost the same at any depth;
    other orders and filters look at every object, for 2 seconds at most. `fields` may name parts of the document:
    `fields=pk,document.name`. A page of large documents ends early.
    """
    type_ = type_of(request, object_type)
    session = access_of(request).session
    query, question = read_query(request, type_, order)
    if cursor is not None:
        query = msgspec.structs.replace(query, after=read_keyset(question, cursor, len(query.order)))
    with in_time():
        found, has_more = await read_page(session, query, limit)
        total = None
        if count:
            total = await session.count(msgspec.structs.replace(query, order=(), after=None, limit=MAX_COUNT + 1))
    page = ObjectPage(
        items=[ObjectShape.of(stored, type_) for stored, _ in found],
        next=encode_cursor(question, found[-1][1]) if has_more else None,
    )
    if total is not None:
        page.count, page.is_capped = min(total, MAX_COUNT), total > MAX_COUNT
    return page if fields is None else sparse_objects(page, fields)


def read_query(request: Request, type_: ObjectType, order: str | None) -> tuple[ObjectQuery, list[Any]]:
    """The question in a request's filters and order, and what a cursor of it belongs to.

    Raises:
        QueryError: it cannot be.
    """
    given = [(name, value) for name, value in request.query_params.multi_items() if name.startswith(FILTER_PREFIX)]
    rows = [(*filters.read_name(name.removeprefix(FILTER_PREFIX), type_), value) for name, value in given]
    conditions = filters.conditions(rows, type_, daemon_of(request).app.registry.find_type)
    query = ObjectQuery(
        object_type=type_.name,
        conditions=conditions,
        order=filters.read_order(order or "", type_),
        unique=implied_unique(conditions, type_),
    )
    return query, ["objects", type_.name, sorted(given), order or ""]


def read_keyset(question: list[Any], text: str, width: int) -> tuple[Any, ...]:
    """The keyset of a cursor: a value for each field of the order, then the pk.

    Raises:
        QueryError: it is none.
    """
    keyset: tuple[Any, ...] = decode_cursor(question, text, tuple[str | int | float | None, ...])
    is_sound = all(not isinstance(each, int) or -(2**63) <= each < 2**63 for each in keyset)
    if len(keyset) != width + 1 or not isinstance(keyset[-1], str) or not is_sound:
        raise QueryError(text[:40], "is no cursor", "Take `next` of a page as it is.")
    return keyset


async def read_page(session: Any, query: ObjectQuery, limit: int) -> tuple[list[Found], bool]:
    """At most `limit` objects, fewer where their documents are large, and whether there are more."""
    found: list[Found] = []
    size = 0
    while True:
        wanted = min(CHUNK, limit + 1 - len(found))
        part = await session.fetch(msgspec.structs.replace(query, limit=wanted))
        for each in part:
            size += len(each[0].document)
            if len(found) == limit or (found and size > PAGE_BYTES):
                return found, True
            found.append(each)
        if len(part) < wanted:
            return found, False
        query = msgspec.structs.replace(query, after=part[-1][1])


def sparse_objects(page: ObjectPage, fields: str) -> ObjectPage:
    """The page with some fields of each object only; `document.NAME` is one field of the document.

    Raises:
        QueryError: an object has no such field.
    """
    named = [each.strip() for each in fields.split(",")]
    parts = [each.removeprefix("document.") for each in named if each.startswith("document.")]
    plain = [each for each in named if not each.startswith("document.")]
    if "document" in plain:
        parts = []
    items = []
    for each in page.items:
        item = pick(each, plain)
        if item.get("invalid") is msgspec.UNSET:
            del item["invalid"]
        if parts:
            document = msgspec.json.decode(msgspec.json.encode(each.document))  # it may stand there as text
            item["document"] = {name: document[name] for name in parts if name in document}
        items.append(item)
    page.items = cast(list[ObjectShape], items)
    return page


# --- one object -----------------------------------------------------------------------------------


@get("/api/objects/{object_type:str}/{pk:str}", on_objects("view"), tags=TAGS, responses={**UNREAL, **UNCHANGED})
async def get_object(
    request: Request,
    object_type: ObjectTypeName,
    pk: FromPath[str],
    if_none_match: Annotated[
        str | None,
        HeaderParameter(
            name="If-None-Match",
            description="An `ETag`, or some, divided by commas: answer 304 if it is still so.",
            schema_extra={"pattern": r'^\*$|^(W/)?"[0-9]+"( *, *(W/)?"[0-9]+")*$'},
        ),
    ] = None,
) -> Response[ObjectShape]:
    """Show an object. Its `ETag` is its version."""
    check_path(request)
    type_ = type_of(request, object_type)
    stored = await find_stored(access_of(request), object_type, pk)
    headers = {"ETag": etag(stored.version), "Cache-Control": "private, no-cache"}
    if if_none_match is not None and is_known(if_none_match, stored.version):
        return Response(cast(Any, None), status_code=304, headers=headers)
    return Response(ObjectShape.of(stored, type_), headers=headers)


def is_known(header: str, version: int) -> bool:
    """Whether an If-None-Match names this version, alone or among others."""
    return header.strip() == "*" or version in [read_etag(each, "If-None-Match") for each in header.split(",")]


@post(
    "/api/objects/{object_type:str}",
    on_objects("add", "change", "delete"),
    tags=TAGS,
    request_max_body_size=MAX_BYTES,
    responses={
        200: ResponseSpec(BulkShape, description="The lines were carried out.", generate_examples=False),
    },
)
async def create_object(
    request: Request,
    object_type: ObjectTypeName,
    idempotency_key: IdempotencyKey = None,
    buttonhook_cause: CauseHeader = None,
) -> Response[WriteShape]:
    """Make an object of the document in the body, or write many, a JSON object a line.

    As `application/json` the body is the document of a new object, whose `pk` is given here; to choose it, PUT with
    `If-None-Match: *`. As `application/x-ndjson` it is lines as `/api/objects` takes them, all of this type.
    """
    type_ = type_of(request, object_type)
    if media_type_of(request) == NDJSON:
        return await write_lines(request, type_)
    document = await read_document(request, JSON, NDJSON)
    write = Write(kind="create", object_type=object_type, pk=new_uuid7(), document=document, checked=True)

    async def make(access: Access) -> Write:
        return write

    return await commit(request, make)


@put("/api/objects/{object_type:str}/{pk:str}", on_objects("add", "change"), tags=TAGS, responses=MADE)
async def put_object(
    request: Request,
    object_type: ObjectTypeName,
    pk: FromPath[str],
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
    idempotency_key: IdempotencyKey = None,
    buttonhook_cause: CauseHeader = None,
) -> Response[WriteShape]:
    """Make an object, or replace the one there is; the body is its whole document."""
    check_path(request)
    check_pk(pk)
    type_of(request, object_type)
    document = await read_document(request)
    wanted = expected(request)

    async def make(access: Access) -> Write:
        version = wanted.version
        if wanted.exists and version is None:
            version = (await find_stored(access, object_type, pk)).version
        return Write(
            kind="create" if wanted.exists is False else "put",
            object_type=object_type,
            pk=pk,
            document=document,
            version=version,
            strict=version is not None,
            checked=True,
        )

    return await commit(request, make)


@patch("/api/objects/{object_type:str}/{pk:str}", on_objects("change"), tags=TAGS)
async def patch_object(
    request: Request,
    object_type: ObjectTypeName,
    pk: FromPath[str],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    buttonhook_cause: CauseHeader = None,
) -> Response[WriteShape]:
    """Change fields of an object; the others stay as they are, also those that somebody changes meanwhile.

    As `application/json` each field in the body takes the place of the one there is, and null is a value. As
    `application/merge-patch+json` (RFC 7396) objects are merged at every depth, and null takes a field away.
    """
    check_path(request)
    type_ = type_of(request, object_type)
    given = await read_document(request, JSON, MERGE_PATCH)
    is_merge = media_type_of(request) == MERGE_PATCH
    wanted = expected(request)

    async def make(access: Access) -> Write:
        stored = await find_stored(access, object_type, pk)
        before: dict[str, Any] = documents.decode(stored.document)
        after = patched(type_.read(before).document, given, is_merge=is_merge)
        return Write(
            kind="update",
            object_type=object_type,
            pk=pk,
            changes=differing(before, after),
            version=stored.version if wanted.version is None else wanted.version,
            strict=wanted.version is not None,
        )

    return await commit(request, make)


@delete("/api/objects/{object_type:str}/{pk:str}", on_objects("delete"), tags=TAGS, status_code=200)
async def delete_object(
    request: Request,
    object_type: ObjectTypeName,
    pk: FromPath[str],
    if_match: IfMatch = None,
    idempotency_key: IdempotencyKey = None,
    buttonhook_cause: CauseHeader = None,
) -> Response[WriteShape]:
    """Delete an object. Refused where others refer to it, unless their reference says what becomes of them."""
    check_path(request)
    type_of(request, object_type)
    version = expected(request).version

    async def make(access: Access) -> Write:
        strict = version is not None
        return Write(kind="delete", object_type=object_type, pk=pk, version=version, strict=strict)

    return await commit(request, make)


@get("/api/objects/{object_type:str}/{pk:str}/referrers", on_objects("view"), tags=TAGS, responses=UNREAL)
async def list_referrers(
    request: Request,
    object_type: ObjectTypeName,
    pk: FromPath[str],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[ReferrerShape]:
    """List the objects that refer to an object, each with the field by which it does."""
    check_path(request)
    type_of(request, object_type)
    question = ["referrers", object_type, pk]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[str, str, str])
    with in_time():
        found = await access_of(request).session.referrers((object_type, pk), after, limit + 1)
    shown = found[:limit]
    items = [ReferrerShape(object_type=each[0], pk=each[1], field=each[2]) for each in shown]
    following = encode_cursor(question, shown[-1]) if len(found) > limit else None
    return sparse(Page(items, following), fields)


ROUTES: Final = (
    list_objects,
    create_object,
    get_object,
    put_object,
    patch_object,
    delete_object,
    list_referrers,
)
