"""Users: the list, one user with what they may do, and every edit of one. Users are disabled, never removed."""

from typing import Annotated, Any, Final

from litestar import Response
from litestar.params import FromPath, QueryParameter
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.administration import EDIT_USER
from buttonhook.credentials import check_password
from buttonhook.errors import RecordConflict
from buttonhook.http.api.users import group_names
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import Crumb, form, go, page, show, why_not
from buttonhook.http.pages.refusals import REFUSALS, faults
from buttonhook.http.pages.templating import path
from buttonhook.http.paging import CursorText, page_by_name
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.people import PermissionRecord, UserRecord
from buttonhook.permissions import missing

EDIT: Final = act(EDIT_USER)
PAGE: Final = 100
CRUMBS: Final = (Crumb("Users", "/users"),)
Search = Annotated[str, QueryParameter(max_length=255)]


class Held(Struct, frozen=True):
    """What a user has by one record, and by which of their groups."""

    record: PermissionRecord
    groups: tuple[str, ...]
    is_own: bool


@page("/users", act("see users"))
async def list_users(request: Request, q: Search = "", cursor: CursorText = None) -> Response[Any]:
    """The users."""
    return _list(request, q, cursor)


def _list(
    request: Request,
    q: str = "",
    cursor: str | None = None,
    errors: dict[str, str] | None = None,
    given: Form | None = None,
) -> Response[Any]:
    people = access_of(request).administration
    found = [each for each in people.users() if q.casefold() in each.name.casefold()]
    shown = page_by_name(["users", q], found, lambda each: each, cursor, PAGE)
    return show(
        request,
        "people/users.html",
        "Users",
        status=422 if errors else 200,
        users=shown.items,
        next=shown.next,
        cursor=cursor,
        q=q,
        groups=group_names(request),
        group_choices=[(each, each) for each in sorted(group_names(request).values())],
        errors=errors or {},
        given=given or Form(),
        why_not_add=why_not(request, "users.add_user"),
        may_make_owner=access_of(request).user.is_owner,
    )


@form("/users", act("add a user"))
async def add_user(request: Request) -> Response[Any]:
    """Add a user, with a password where one is given."""
    given = await form_of(request)
    people = access_of(request).administration
    name, password = given.get("name").strip(), given.get("password")
    try:
        if password:
            check_password(name, password)
    except RecordConflict as exc:
        return _list(request, errors=faults(exc, {"user": "password"}), given=given)
    try:
        user = await people.add_user(name, is_owner=given.get("is_owner") == "yes", groups=given.all("groups"))
    except REFUSALS as exc:
        return _list(request, errors=faults(exc, {"user": "name", "group": "groups"}), given=given)
    to = path("users", user.name)
    if password:
        try:
            await people.set_password(user.name, password)
        except REFUSALS as exc:
            return go(request, to, Flash("warning", f"{user.name} is added, but without a password. {exc}"))
    told = f"{user.name} is added" + ("." if password else ", who cannot log in until they get a password.")
    return go(request, to, Flash("success", told))


@page("/users/{name:str}", act("see users", or_own=True))
async def show_user(request: Request, name: FromPath[str]) -> Response[Any]:
    """One user, and what they may do."""
    return _user(request, name)


def _user(
    request: Request, name: str, errors: dict[str, str] | None = None, given: Form | None = None
) -> Response[Any]:
    access = access_of(request)
    people = access.administration
    user = people.get_user(name)
    names = group_names(request)
    return show(
        request,
        "people/user.html",
        user.name,
        status=422 if errors else 200,
        crumbs=CRUMBS,
        user=user,
        groups=names,
        held=_held(people.permissions_of(user), user, names),
        tokens=people.tokens(user.name),
        errors=errors or {},
        given=given or Form(),
        is_self=user.name == access.user.username,
        why_not_edit=_why_not_edit(access, user),
        may_make_owner=access.user.is_owner,
    )


def _held(records: list[PermissionRecord], user: UserRecord, names: dict[str, str]) -> list[Held]:
    return [
        Held(
            each,
            tuple(names[id_] for id_ in each.groups if id_ in user.groups and id_ in names),
            user.id in each.users,
        )
        for each in records
    ]


def _why_not_edit(access: Access, user: UserRecord) -> str:
    """Why this user may not be edited by who asks, empty where they may."""
    need = missing(access.user, EDIT_USER, (user, user))
    if need is not None:
        return f"You lack {need.permission}" + (" for this user" if access.user.has_perm(need.permission) else "")
    return "Only owners edit owners" if user.is_owner and not access.user.is_owner else ""


@form("/users/{name:str}/edit", EDIT)
async def edit_user(request: Request, name: FromPath[str]) -> Response[Any]:
    """Put a user into groups, and make them an owner or not."""
    given = await form_of(request)
    people = access_of(request).administration
    is_owner = given.get("is_owner") == "yes" if "has_owner" in given else None
    try:
        known = group_names(request)
        kept = [id_ for id_ in people.get_user(name).groups if id_ not in known]  # groups that may not be seen stay
        if kept:
            told = {"groups": "They are in groups that you may not see, so you cannot change their groups."}
            return _user(request, name, told, given)
        user = await people.edit_user(name, is_owner=is_owner, groups=given.all("groups"))
    except REFUSALS as exc:
        return _user(request, name, faults(exc, {"user": "is_owner", "group": "groups"}), given)
    return go(request, path("users", user.name), Flash("success", "Saved."))


@page("/users/{name:str}/disable", EDIT)
async def ask_disable(request: Request, name: FromPath[str]) -> Response[Any]:
    """The page that asks whether a user is to be disabled, where there is no dialog for it."""
    user = access_of(request).administration.get_user(name)
    crumbs = [*CRUMBS, Crumb(user.name, path("users", user.name))]
    return show(request, "people/disable.html", f"Disable {user.name}?", crumbs=crumbs, user=user)


@form("/users/{name:str}/disable", EDIT)
async def disable_user(request: Request, name: FromPath[str]) -> Response[Any]:
    """Let a user do nothing any more."""
    return await _set_disabled(request, name, is_disabled=True)


@form("/users/{name:str}/enable", EDIT)
async def enable_user(request: Request, name: FromPath[str]) -> Response[Any]:
    """Let a user do again what they may."""
    return await _set_disabled(request, name, is_disabled=False)


async def _set_disabled(request: Request, name: str, *, is_disabled: bool) -> Response[Any]:
    try:
        user = await access_of(request).administration.edit_user(name, is_disabled=is_disabled)
    except REFUSALS as exc:
        return _user(request, name, {"": str(exc)})
    told = "is disabled: logged out everywhere, and their tokens do nothing" if is_disabled else "is enabled again"
    return go(request, path("users", user.name), Flash("success", f"{user.name} {told}."))


@form("/users/{name:str}/password", EDIT)
async def set_password(request: Request, name: FromPath[str]) -> Response[Any]:
    """Give another user a password, which ends their sessions; one's own is changed on one's account page."""
    given = await form_of(request)
    access = access_of(request)
    if name == access.user.username:
        return go(request, "/account")
    if given.get("password") != given.get("again"):
        return _user(request, name, {"again": "The two passwords differ. Type the same one twice."})
    try:
        await access.administration.set_password(name, given.get("password"))
    except REFUSALS as exc:
        return _user(request, name, faults(exc, {"user": "password", "password": "password"}))
    told = f"{name} has a new password. Tell it to them in a safe way; they can change it on their account page."
    return go(request, path("users", name), Flash("success", told))


ROUTES: Final = (
    list_users,
    add_user,
    show_user,
    edit_user,
    ask_disable,
    disable_user,
    enable_user,
    set_password,
)
