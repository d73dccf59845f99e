"""Objects in lists: the types, and the objects of each, with filters, order and presses on many."""

from collections.abc import Iterable
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from buttonhook import filters
from buttonhook.access.access import Access
from buttonhook.errors import QueryTooSlow
from buttonhook.http.api.objects import in_time, read_keyset, read_page
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import FILTER_PREFIX, LOGIN, on_objects
from buttonhook.http.pages.columns import columns_of, fields_of
from buttonhook.http.pages.finding import asked_of
from buttonhook.http.pages.navigation import visible_types
from buttonhook.http.pages.page import Crumb, go, page, show, why_not
from buttonhook.http.pages.rows import names_of, row_of
from buttonhook.http.pages.run_feed import MOST_RUNS
from buttonhook.http.pages.templating import query
from buttonhook.http.paging import CursorText, encode_cursor
from buttonhook.http.reading import Request
from buttonhook.objects.keys import object_permission
from buttonhook.objects.query import QUERY_OPERATORS
from buttonhook.objects.types import ObjectType
from buttonhook.records import ObjectQuery

PAGE_SIZE: Final = 50
MAX_COUNT: Final = 10_000
SIGNS: Final = {"ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "isnull": "is unset:"}
Search = Annotated[str, QueryParameter(max_length=200)]
Text = Annotated[str, QueryParameter(max_length=2000)]


class Chip(Struct, frozen=True):
    """A filter in force, and where it is not."""

    text: str
    remove: str


@page("/objects", LOGIN)
async def list_types(request: Request) -> Response[Any]:
    """The object types of which one sees something."""
    access = access_of(request)
    registry = daemon_of(request).app.registry
    rows = []
    for name in visible_types(access.user, registry):
        type_ = registry.get_type(name)
        rows.append((type_, await _count(access, ObjectQuery(object_type=name))))
    return show(request, "objects/types.html", "Objects", rows=rows)


async def _count(access: Access, asked: ObjectQuery) -> str:
    """How many objects fit, as far as it is quick to tell."""
    try:
        with in_time():
            count = await access.session.count(
                msgspec.structs.replace(asked, order=(), after=None, limit=MAX_COUNT + 1)
            )
    except QueryTooSlow:
        return ""
    return f"{MAX_COUNT:,}+" if count > MAX_COUNT else f"{count:,}"


@page("/objects/{object_type:str}", on_objects("view"), has_filters=True)
async def list_objects(
    request: Request,
    object_type: FromPath[str],
    q: Search = "",
    order: Text = "",
    cursor: CursorText = None,
    add_field: Text = "",
    add_op: Text = "",
    add_value: Text = "",
) -> Response[Any]:
    """Objects of a type, with filters and order, page by page."""
    type_ = daemon_of(request).app.registry.get_type(object_type)
    if add_field.strip():
        return go(request, _with_filter(request, type_, add_field.strip(), add_op, add_value))
    access = access_of(request)
    asked, question = asked_of(request, type_, q, order)
    if cursor is not None:
        asked = msgspec.structs.replace(asked, after=read_keyset(question, cursor, len(asked.order)))
    with in_time():
        found, has_more = await read_page(access.session, asked, PAGE_SIZE)
    rows = [row_of(stored, type_) for stored, _ in found]
    columns = columns_of(type_, [each.document for each in rows])
    kept = _kept(request)
    following = encode_cursor(question, found[-1][1]) if has_more else None
    return show(
        request,
        "objects/list.html",
        object_type,
        crumbs=[Crumb("Objects", "/objects")],
        type_=type_,
        rows=rows,
        columns=columns,
        names=await names_of(access, rows, columns),
        chips=_chips(request, kept),
        q=q,
        order=order,
        filters=[each for each in kept if each[0].startswith(FILTER_PREFIX)],
        fields=[each.key for each in fields_of(type_)] or [each.key for each in columns],
        operators=[(name, SIGNS.get(name, name)) for name in QUERY_OPERATORS],
        sort=lambda key: _sorted(request, kept, order, key),
        first=_at(request, kept) if cursor is not None else "",
        next=_at(request, [*kept, ("cursor", following)]) if following else "",
        buttons=access.runs.buttons_of_type(object_type),
        press_at=_at(request, kept),
        most_pressed=MOST_RUNS,
        why_not_add=_why_not_add(request, type_),
    )


def _kept(request: Request) -> list[tuple[str, str]]:
    """The query of a list without its place."""
    given = request.query_params.multi_items()
    return [(name, str(value)) for name, value in given if value and name != "cursor" and not name.startswith("add_")]


def _at(request: Request, kept: Iterable[tuple[str, str | None]]) -> str:
    pairs: dict[str, list[str]] = {}
    for name, value in kept:
        if value:
            pairs.setdefault(name, []).append(value)
    return request.url.path + query(**pairs)


def _with_filter(request: Request, type_: ObjectType, field: str, operator: str, value: str) -> str:
    """The list with one more filter.

    Raises:
        QueryError: it is no filter.
    """
    name = field.replace(".", "__") + ("" if operator in ("", "=") else f"__{operator}")
    filters.read_name(name, type_)
    return _at(request, [*_kept(request), (f"{FILTER_PREFIX}{name}", value or '""')])


def _chips(request: Request, kept: list[tuple[str, str]]) -> list[Chip]:
    chips = []
    for place, (name, value) in enumerate(kept):
        if not name.startswith(FILTER_PREFIX):
            continue
        *steps, last = name.removeprefix(FILTER_PREFIX).split("__")
        is_operator = steps and last in QUERY_OPERATORS
        field = ".".join(steps if is_operator else [*steps, last])
        sign = SIGNS.get(last, last) if is_operator else "="
        left = [each for at, each in enumerate(kept) if at != place]
        chips.append(Chip(f"{field} {sign} {value}", _at(request, left)))
    return chips


def _sorted(request: Request, kept: list[tuple[str, str]], order: str, key: str) -> dict[str, str]:
    """Where a column's heading leads, and how the list is ordered by it now."""
    now = {key: "ascending", f"-{key}": "descending"}.get(order, "")
    new = f"-{key}" if now == "ascending" else "" if now == "descending" else key
    rest = [each for each in kept if each[0] != "order"]
    return {"href": _at(request, [*rest, ("order", new)]), "now": now}


def _why_not_add(request: Request, type_: ObjectType) -> str:
    if not type_.is_installed:
        return "The type is not installed"
    return why_not(request, object_permission(type_.name, "add"))


ROUTES: Final = (list_types, list_objects)
