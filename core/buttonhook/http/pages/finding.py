"""Finding objects by key or name: the search over all types, and what a reference stands for."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import FromPath, QueryParameter

from buttonhook.access.access import Access
from buttonhook.errors import ObjectNotFound, QueryError, QueryTooSlow
from buttonhook.http.api.objects import in_time, read_query
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import LOGIN, on_objects
from buttonhook.http.pages.columns import name_key
from buttonhook.http.pages.navigation import visible_types
from buttonhook.http.pages.page import fragment, go, page, show
from buttonhook.http.pages.rows import Row, row_of
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Request
from buttonhook.objects.types import ObjectType
from buttonhook.queries import condition
from buttonhook.records import ObjectQuery

MOST_FOUND: Final = 8
MOST_OPTIONS: Final = 50
Search = Annotated[str, QueryParameter(max_length=200)]


@page("/search", LOGIN)
async def search(request: Request, q: Search = "") -> Response[Any]:
    """Objects of all types by key or part of the name."""
    access = access_of(request)
    registry = daemon_of(request).app.registry
    groups, slow = [], []
    for name in visible_types(access.user, registry) if q.strip() else []:
        type_ = registry.get_type(name)
        try:
            rows = await find_named(access, type_, q.strip(), MOST_FOUND)
        except QueryTooSlow:
            slow.append(name)
            continue
        if rows:
            groups.append((name, rows, len(rows) == MOST_FOUND))
    if len(groups) == 1 and len(groups[0][1]) == 1:
        stored = groups[0][1][0].stored
        return go(request, path("objects", stored.object_type, stored.pk))
    return show(request, "objects/search.html", "Search", q=q, groups=groups, slow=slow)


async def find_named(access: Access, type_: ObjectType, text: str, limit: int) -> list[Row]:
    """Objects whose key is the text, or whose name holds it; first those whose whole name it is.

    Raises:
        QueryTooSlow: there are too many to look through.
    """
    exact = await access.session.read_object(type_.name, text) if _may_be_pk(text) else None
    find_type = access.session.find_type
    asked = ObjectQuery(
        object_type=type_.name,
        conditions=(condition((name_key(type_),), "icontains", text, type_, find_type),),
        limit=limit,
    )
    with in_time():
        found = [stored for stored, _ in await access.session.fetch(asked)]
    kept = {each.pk: each for each in ([exact] if exact else []) + found}
    rows = [row_of(each, type_) for each in list(kept.values())[:limit]]
    return sorted(rows, key=lambda row: text.casefold() not in (row.name.casefold(), row.stored.pk.casefold()))


def asked_of(request: Request, type_: ObjectType, q: str, order: str) -> tuple[ObjectQuery, list[Any]]:
    """The question in the address of a list of objects: filters, order, part of the name; and what its cursor is of.

    Raises:
        QueryError: it cannot be.
    """
    asked, question = read_query(request, type_, order)
    if q.strip():
        find_type = daemon_of(request).app.registry.find_type
        named = condition((name_key(type_),), "icontains", q.strip(), type_, find_type)
        asked = msgspec.structs.replace(asked, conditions=(*asked.conditions, named), unique=None)
    return asked, [*question, q]


def _may_be_pk(text: str) -> bool:
    return len(text) <= 200 and text.isprintable() and "/" not in text


@page("/options/{object_type:str}", on_objects("view"))
async def list_options(request: Request, object_type: FromPath[str], q: Search = "") -> Response[Any]:
    """Suggestions for a reference, as options of a list."""
    type_ = daemon_of(request).app.registry.get_type(object_type)
    rows = await find_named(access_of(request), type_, q.strip(), MOST_OPTIONS)
    return fragment(request, "objects/options.html", rows=rows)


async def find_reference(access: Access, type_: ObjectType, text: str) -> str:
    """The key of the object that a key or a name stands for.

    Raises:
        ObjectNotFound, QueryError: none has it, or several.
    """
    if _may_be_pk(text) and await access.session.read_object(type_.name, text) is not None:
        return text
    asked = condition((name_key(type_),), "=", text, type_, access.session.find_type)
    unique = type_.unique_key({name_key(type_): text})
    with in_time():
        found = await access.session.fetch(
            ObjectQuery(object_type=type_.name, conditions=(asked,), limit=2, unique=unique)
        )
    if not found:
        raise ObjectNotFound(type_.name, repr(text))
    if len(found) > 1:
        raise QueryError(text, f"is the name of several {type_.name} objects", "Give the key of the one you mean.")
    return found[0][0].pk


ROUTES: Final = (search, list_options)
