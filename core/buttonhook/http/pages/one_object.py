"""One object: its fields and buttons, its change log, what ran on it, who refers to it."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery
from msgspec import Struct

from buttonhook import documents
from buttonhook.errors import ObjectNotFound, PermissionDenied
from buttonhook.http.api.writing import find_stored
from buttonhook.http.asking import access_of, asker_of, daemon_of
from buttonhook.http.declaring import on_objects
from buttonhook.http.pages.change_steps import steps_of
from buttonhook.http.pages.columns import fields_of
from buttonhook.http.pages.page import Crumb, page, show
from buttonhook.http.pages.rows import names_of, row_of
from buttonhook.http.pages.templating import path, query
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor
from buttonhook.http.reading import Request
from buttonhook.ids import ObjectChangeAction
from buttonhook.objects.keys import object_permission, object_repr
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeQuery, ResultQuery, StoredObject

PAGE_SIZE: Final = 50


class Part(Struct, frozen=True):
    """One part of an object's page."""

    label: str
    name: str


PARTS: Final = (
    Part("Fields", ""),
    Part("Change log", "changes"),
    Part("Job results", "results"),
    Part("Referred to by", "referrers"),
)


async def _show_object(request: Request, object_type: str, pk: str, part: str = "", **context: Any) -> Response[Any]:
    access = access_of(request)
    type_ = daemon_of(request).app.registry.get_type(object_type)
    stored = await find_stored(access, object_type, pk)
    row = row_of(stored, type_)
    here = path("objects", object_type, pk)
    return show(
        request,
        f"objects/{part or 'fields'}.html",
        row.name,
        crumbs=[Crumb("Objects", "/objects"), Crumb(object_type, path("objects", object_type))],
        type_=type_,
        row=row,
        here=here,
        tabs_=[(each.label, f"{here}/{each.name}" if each.name else here, None) for each in PARTS],
        tab=f"{here}/{part}" if part else here,
        groups=await access.runs.shown_buttons(object_type, pk),
        why_not_edit=_why_not(request, stored, type_, "change"),
        why_not_delete=_why_not(request, stored, None, "delete"),
        **context,
    )


def _why_not(request: Request, stored: StoredObject, type_: ObjectType | None, action: str) -> str:
    """Why who asks may not change or delete this object."""
    if type_ is not None and not type_.is_installed:
        return "The type is not installed"
    permission = object_permission(stored.object_type, action)
    user = asker_of(request).user
    if user.has_perm(permission, stored):
        return ""
    return f"You hold {permission}, but not for this one" if user.has_perm(permission) else f"You lack {permission}"


@page("/objects/{object_type:str}/{pk:str}", on_objects("view"))
async def show_object(
    request: Request, object_type: FromPath[str], pk: FromPath[str], change: FromQuery[int | None] = None
) -> Response[Any]:
    """An object's fields; after an edit with the runs that it caused. Of one that was deleted, that it was."""
    access = access_of(request)
    type_ = daemon_of(request).app.registry.get_type(object_type)
    fields = fields_of(type_)
    stored = await access.session.read_object(object_type, pk)
    if stored is None:
        return await _show_gone(request, object_type, pk)
    row = row_of(stored, type_)
    shown = {each.key: each for each in fields}
    return await _show_object(
        request,
        object_type,
        pk,
        fields=shown,
        unset=[each.key for each in fields if each.key not in row.document],
        names=await names_of(access, [row], fields),
        change=change,
    )


async def _show_gone(request: Request, object_type: str, pk: str) -> Response[Any]:
    """The page of an object that was deleted.

    Raises:
        ObjectNotFound: there was none, or not for who asks.
    """
    _, found = await _seen(
        access_of(request).history.changes(ChangeQuery(object_type=object_type, object_pk=pk, limit=1))
    )
    if not found or found[0].action is not ObjectChangeAction.DELETE:
        raise ObjectNotFound(object_type, repr(pk))
    crumbs = [Crumb("Objects", "/objects"), Crumb(object_type, path("objects", object_type))]
    return show(request, "objects/gone.html", found[0].object_repr, status=404, crumbs=crumbs, change=found[0])


@page("/objects/{object_type:str}/{pk:str}/changes", on_objects("view"))
async def show_changes(
    request: Request, object_type: FromPath[str], pk: FromPath[str], cursor: CursorText = None
) -> Response[Any]:
    """What was recorded of an object, newest first."""
    question = ["changes of", object_type, pk]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
    asked = ChangeQuery(object_type=object_type, object_pk=pk, after=after, limit=PAGE_SIZE + 1)
    refused, found = await _seen(access_of(request).history.changes(asked))
    paged = _paged(request, question, found, lambda each: each.id)
    paged["items"] = [steps_of(each) for each in paged["items"]]
    return await _show_object(request, object_type, pk, "changes", refused=refused, **paged)


@page("/objects/{object_type:str}/{pk:str}/results", on_objects("view"))
async def show_results(
    request: Request, object_type: FromPath[str], pk: FromPath[str], cursor: CursorText = None
) -> Response[Any]:
    """What ran on an object, newest first."""
    question = ["results of", object_type, pk]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
    asked = ResultQuery(object_type=object_type, object_pk=pk, after=after, limit=PAGE_SIZE + 1)
    refused, found = await _seen(access_of(request).history.results(asked))
    paged = _paged(request, question, found, lambda each: each.number)
    return await _show_object(request, object_type, pk, "results", refused=refused, **paged)


@page("/objects/{object_type:str}/{pk:str}/referrers", on_objects("view"))
async def show_referrers(
    request: Request, object_type: FromPath[str], pk: FromPath[str], cursor: CursorText = None
) -> Response[Any]:
    """Which objects refer to this one."""
    access = access_of(request)
    question = ["referrers of", object_type, pk]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[str, str, str])
    await find_stored(access, object_type, pk)
    found = await access.session.referrers((object_type, pk), after, PAGE_SIZE + 1)
    paged = _paged(request, question, list(found), lambda each: each)
    names = {}
    for each_type, each_pk, _ in paged["items"]:
        stored = await access.session.read_object(each_type, each_pk)
        if stored is not None:
            names[each_type, each_pk] = object_repr(documents.decode(stored.document), each_type, each_pk)
    return await _show_object(request, object_type, pk, "referrers", names=names, **paged)


async def _seen(asked: Any) -> tuple[str, list[Any]]:
    """What a list holds for who asks, or why they see none of it."""
    try:
        return "", await asked
    except PermissionDenied as exc:
        return f"You lack {exc.permission}" if exc.permission else str(exc), []


def _paged(request: Request, question: Any, found: list[Any], keyset: Any) -> dict[str, Any]:
    shown, has_more = found[:PAGE_SIZE], len(found) > PAGE_SIZE
    last = keyset(shown[-1]) if shown else ()
    following = encode_cursor(question, last if isinstance(last, tuple) else (last,)) if has_more else None
    here = request.url.path
    return {
        "items": shown,
        "first": here if "cursor" in request.query_params else "",
        "next": here + query(cursor=following) if following else "",
    }


ROUTES: Final = (show_object, show_changes, show_results, show_referrers)
