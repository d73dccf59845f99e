"""Groups: users who are given permissions together."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath

from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import Crumb, form, go, page, show, why_not
from buttonhook.http.pages.refusals import REFUSALS, faults
from buttonhook.http.pages.templating import path
from buttonhook.http.paging import CursorText, page_by_name
from buttonhook.http.reading import Request, form_of
from buttonhook.permissions import missing

PAGE: Final = 100
MOST_MEMBERS: Final = 500
CRUMBS: Final = (Crumb("Groups", "/groups"),)
REMOVE: Final = act("remove a group")


@page("/groups", act("see groups"))
async def list_groups(request: Request, cursor: CursorText = None) -> Response[Any]:
    """The groups."""
    return _list(request, cursor)


def _list(
    request: Request, cursor: str | None = None, errors: dict[str, str] | None = None, name: str = ""
) -> Response[Any]:
    people = access_of(request).administration
    shown = page_by_name("groups", people.groups(), lambda each: each, cursor, PAGE)
    users, records = people.users(), people.permissions()
    return show(
        request,
        "people/groups.html",
        "Groups",
        status=422 if errors else 200,
        groups=shown.items,
        next=shown.next,
        cursor=cursor,
        members={each.id: sum(each.id in user.groups for user in users) for each in shown.items},
        records={each.id: sum(each.id in record.groups for record in records) for each in shown.items},
        errors=errors or {},
        name=name,
        why_not_add=why_not(request, "users.add_group"),
    )


@form("/groups", act("add a group"))
async def add_group(request: Request) -> Response[Any]:
    """Add a group."""
    name = (await form_of(request)).get("name").strip()
    try:
        group = await access_of(request).administration.add_group(name)
    except REFUSALS as exc:
        return _list(request, errors=faults(exc, {"group": "name"}), name=name)
    return go(request, path("groups", group.name), Flash("success", f"Group {group.name} is added. Give it something."))


@page("/groups/{name:str}", act("see groups"))
async def show_group(request: Request, name: FromPath[str]) -> Response[Any]:
    """One group: who is in it, what it gives."""
    access = access_of(request)
    people = access.administration
    group = people.get_group(name)
    need = missing(access.user, "remove a group", group)
    return show(
        request,
        "people/group.html",
        group.name,
        crumbs=CRUMBS,
        group=group,
        members=[each for each in people.users() if group.id in each.groups][:MOST_MEMBERS],
        others=[each.name for each in people.users() if group.id not in each.groups][:MOST_MEMBERS],
        held=[each for each in people.permissions() if group.id in each.groups],
        why_not_remove="" if need is None else f"You lack {need.permission}",
        why_not_edit=why_not(request, "users.change_user"),
    )


@form("/groups/{name:str}/members", act("edit a user, or set a password for them"))
async def edit_members(request: Request, name: FromPath[str]) -> Response[Any]:
    """Put a user into a group, or take one out."""
    given = await form_of(request)
    people = access_of(request).administration
    group = people.get_group(name)
    user_name, is_in = given.get("user").strip(), given.get("act") != "remove"
    names = {each.id: each.name for each in people.groups()}
    to = path("groups", group.name)
    try:
        user = people.get_user(user_name)
        if any(id_ not in names for id_ in user.groups):
            told = f"{user.name} is in groups that you may not see, so you cannot change their groups."
            return go(request, to, Flash("failure", told))
        others = [names[id_] for id_ in user.groups if id_ != group.id]
        await people.edit_user(user.name, groups=[*others, group.name] if is_in else others)
    except REFUSALS as exc:
        return go(request, to, Flash("failure", faults(exc).popitem()[1]))
    return go(request, to, Flash("success", f"{user.name} is {'in' if is_in else 'no longer in'} {group.name}."))


@page("/groups/{name:str}/remove", REMOVE)
async def ask_remove(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a group is to be removed, where there is no dialog for it."""
    group = access_of(request).administration.get_group(name)
    crumbs = [*CRUMBS, Crumb(group.name, path("groups", group.name))]
    return show(request, "people/remove_group.html", f"Remove {group.name}?", crumbs=crumbs, group=group)


@form("/groups/{name:str}/remove", REMOVE)
async def remove_group(request: Request, name: FromPath[str]) -> Response[Any]:
    """Remove a group; its members lose what it gave them."""
    group = await access_of(request).administration.remove_group(name)
    return go(request, "/groups", Flash("success", f"Group {group.name} is removed."))


ROUTES: Final = (list_groups, add_group, show_group, edit_members, ask_remove, remove_group)
