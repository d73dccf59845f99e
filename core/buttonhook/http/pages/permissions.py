"""Permissions: what users and groups are given, on which objects, and who could do what by it."""

from typing import Any, Final

import msgspec
from litestar import Response
from litestar.params import FromPath, FromQuery

from buttonhook.errors import RecordConflict
from buttonhook.grants import check_permission
from buttonhook.http.api.users import group_names
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import Crumb, form, go, page, show, why_not
from buttonhook.http.pages.permission_forms import Wanted, preview, read_form, rights_table
from buttonhook.http.pages.refusals import REFUSALS, faults
from buttonhook.http.pages.templating import path
from buttonhook.http.paging import CursorText, page_by_name
from buttonhook.http.reading import Request, form_of
from buttonhook.people import PermissionRecord
from buttonhook.permissions import missing

PAGE: Final = 100
CRUMBS: Final = (Crumb("Permissions", "/permissions"),)
GRANT: Final = act("grant a permission")
REVOKE: Final = act("revoke a permission")
FIELDS: Final = {"permission": "others", "user": "users", "group": "groups", "constraint": "constraints"}
"""In which field of the form each kind of thing is typed."""


@page("/permissions", act("see permissions"))
async def list_permissions(request: Request, cursor: CursorText = None) -> Response[Any]:
    """The permissions."""
    found = access_of(request).administration.permissions()
    shown = page_by_name("permissions", found, lambda each: each, cursor, PAGE)
    return show(
        request,
        "people/permissions.html",
        "Permissions",
        records=shown.items,
        next=shown.next,
        cursor=cursor,
        groups=group_names(request),
        why_not_add=why_not(request, "users.add_permission"),
    )


@page("/permissions/new", GRANT)
async def new_permission(request: Request, user: FromQuery[str] = "", group: FromQuery[str] = "") -> Response[Any]:
    """The form for a permission that is new."""
    wanted = Wanted(users=[user] if user else [], groups=[group] if group else [])
    return await _form(request, wanted)


async def _form(
    request: Request,
    wanted: Wanted,
    record: PermissionRecord | None = None,
    errors: dict[str, str] | None = None,
    *,
    shows_preview: bool = False,
) -> Response[Any]:
    access = access_of(request)
    title = "Give a permission" if record is None else f"Edit {record.name}"
    crumbs = CRUMBS if record is None else [*CRUMBS, Crumb(record.name, path("permissions", record.id))]
    return show(
        request,
        "people/permission_form.html",
        title,
        status=422 if errors else 200,
        crumbs=crumbs,
        record=record,
        wanted=wanted,
        table=rights_table(daemon_of(request).app.registry, wanted.permissions),
        user_names=[each.name for each in access.administration.users()],
        group_choices=[(each.name, each.name) for each in access.administration.groups()],
        errors=errors or {},
        seen=await preview(access, daemon_of(request).app.registry, wanted) if shows_preview and not errors else None,
    )


@form("/permissions/new", GRANT)
async def grant(request: Request) -> Response[Any]:
    """Give a permission, or show what it would give."""
    given = await form_of(request)
    wanted, errors = read_form(given)
    if given.get("act") == "preview" or errors:
        return await _form(request, wanted, None, errors or _wrong(wanted), shows_preview=True)
    try:
        record = await access_of(request).administration.grant(
            wanted.permissions,
            users=wanted.users,
            groups=wanted.groups,
            constraints=wanted.constraints,
            name=wanted.name or None,
        )
    except REFUSALS as exc:
        return await _form(request, wanted, None, _faults(exc, wanted))
    return go(request, path("permissions", record.id), Flash("success", "It is given, and holds from now on."))


@page("/permissions/{name:str}", act("see permissions"))
async def show_permission(request: Request, name: FromPath[str]) -> Response[Any]:
    """One permission: what it gives, to whom, on what."""
    access = access_of(request)
    record = access.administration.get_permission(name)
    names = group_names(request)
    reasons = [missing(access.user, each, record) for each in ("grant a permission", "revoke a permission")]
    return show(
        request,
        "people/permission.html",
        record.name,
        crumbs=CRUMBS,
        record=record,
        groups=names,
        seen=await preview(access, daemon_of(request).app.registry, _wanted(record, names)),
        why_not_edit=next((f"You lack {each.permission}" for each in reasons if each is not None), ""),
        why_not_remove="" if reasons[1] is None else f"You lack {reasons[1].permission}",
    )


def _wanted(record: PermissionRecord, names: dict[str, str]) -> Wanted:
    rows = msgspec.to_builtins(record.constraints)
    return Wanted(
        name=record.name,
        permissions=list(record.permissions),
        users=list(record.users),
        groups=[names[each] for each in record.groups if each in names],
        constraints=list(record.constraints),
        text=msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() if rows else "",
        is_disabled=record.is_disabled,
    )


@page("/permissions/{name:str}/edit", GRANT)
async def edit_page(request: Request, name: FromPath[str]) -> Response[Any]:
    """The form for a permission that there is."""
    record = access_of(request).administration.get_permission(name)
    return await _form(request, _wanted(record, group_names(request)), record)


@form("/permissions/{name:str}/edit", GRANT)
async def edit(request: Request, name: FromPath[str]) -> Response[Any]:
    """Replace what a permission gives and to whom, or show what it would give."""
    given = await form_of(request)
    people = access_of(request).administration
    record = people.get_permission(name)
    wanted, errors = read_form(given)
    names = group_names(request)
    hidden = [each for each in record.groups if each not in names]
    if hidden:
        errors["groups"] = "It is given to groups that you may not see, so you cannot edit it."
    if given.get("act") == "preview" or errors:
        return await _form(request, wanted, record, errors or _wrong(wanted), shows_preview=True)
    try:
        await people.edit_permission(
            record.name,
            permissions=wanted.permissions,
            users=wanted.users,
            groups=wanted.groups,
            constraints=wanted.constraints,
            is_disabled=wanted.is_disabled,
        )
    except REFUSALS as exc:
        return await _form(request, wanted, record, _faults(exc, wanted))
    return go(request, path("permissions", record.id), Flash("success", "Saved. It holds from now on."))


def _wrong(wanted: Wanted) -> dict[str, str]:
    """What would be refused whoever asks."""
    try:
        for each in wanted.permissions:
            check_permission(each)
    except RecordConflict as exc:
        return faults(exc, FIELDS)
    return {}


def _faults(exc: Any, wanted: Wanted) -> dict[str, str]:
    """Beside the field at fault; that nobody or nothing is named belongs to the field that is empty."""
    if isinstance(exc, RecordConflict) and "names nobody or nothing" in exc.problem:
        empty = "permissions" if not wanted.permissions else "users"
        return {empty: "Choose at least one." if wanted.permissions == [] else "Choose a user or a group."}
    return faults(exc, FIELDS)


@page("/permissions/{name:str}/remove", REVOKE)
async def ask_remove(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a permission is to be removed, where there is no dialog for it."""
    record = access_of(request).administration.get_permission(name)
    crumbs = [*CRUMBS, Crumb(record.name, path("permissions", record.id))]
    return show(request, "people/remove_permission.html", "Remove this permission?", crumbs=crumbs, record=record)


@form("/permissions/{name:str}/remove", REVOKE)
async def remove(request: Request, name: FromPath[str]) -> Response[Any]:
    """Remove a permission from all who have it."""
    record = await access_of(request).administration.remove_permission(name)
    return go(request, "/permissions", Flash("success", f"{record.name} is removed."))


ROUTES: Final = (
    list_permissions,
    new_permission,
    grant,
    show_permission,
    edit_page,
    edit,
    ask_remove,
    remove,
)
