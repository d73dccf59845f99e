"""Users. They are never removed, since the history is told by their names; they are disabled."""

from typing import Final

from litestar import Response
from litestar.params import FromPath, JSONBody
from msgspec import UNSET

from buttonhook.http.asking import access_of, asker_of
from buttonhook.http.declaring import LOGIN, act, get, patch, post
from buttonhook.http.logging_in import begin, cookie, verify_current
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.people import PasswordInput, PermissionShape, UserChange, UserInput, UserShape

TAGS: Final = ["people"]


def group_names(request: Request) -> dict[str, str]:
    """The names of the groups that the asker may see, by id."""
    return {each.id: each.name for each in access_of(request).administration.groups()}


@get("/api/users", act("see users", or_own=True), tags=TAGS)
async def list_users(
    request: Request, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, fields: FieldNames = None
) -> Page[UserShape]:
    """List users, by name."""
    names = group_names(request)
    found = access_of(request).administration.users()
    return sparse(page_by_name("users", found, lambda each: UserShape.of(each, names), cursor, limit), fields)


@post("/api/users", act("add a user"), tags=TAGS)
async def add_user(request: Request, data: JSONBody[UserInput]) -> UserShape:
    """Add a user, who cannot log in until they get a password, and may do nothing until it is given to them."""
    people = access_of(request).administration
    user = await people.add_user(data.name, is_owner=data.is_owner, groups=data.groups)
    return UserShape.of(user, group_names(request))


@get("/api/users/{name:str}", act("see users", or_own=True), tags=TAGS)
async def get_user(request: Request, name: FromPath[str]) -> UserShape:
    """Show a user."""
    return UserShape.of(access_of(request).administration.get_user(name), group_names(request))


@patch("/api/users/{name:str}", act("edit a user, or set a password for them"), tags=TAGS)
async def edit_user(request: Request, name: FromPath[str], data: JSONBody[UserChange]) -> UserShape:
    """Change a user. A disabled one is logged out at once, and their tokens do nothing."""
    given = {each: getattr(data, each) for each in data.__struct_fields__ if getattr(data, each) is not UNSET}
    user = await access_of(request).administration.edit_user(name, **given)
    return UserShape.of(user, group_names(request))


@post(
    "/api/users/{name:str}/password",
    act("edit a user, or set a password for them", or_own=True),
    tags=TAGS,
    status_code=204,
)
async def set_password(request: Request, name: FromPath[str], data: JSONBody[PasswordInput]) -> Response[None]:
    """Give a user a password, which ends their sessions; to change one's own one must know it.

    Who changes their own goes on in a session that begins anew.
    """
    asker = asker_of(request)
    is_own = asker.login is not None and asker.user.username == name
    if is_own:
        await verify_current(asker, data.current_password)
    await asker.access.administration.set_password(name, data.password)
    if not is_own:
        return Response(None, status_code=204)
    text = await begin(asker, name)
    return Response(None, status_code=204, cookies=[cookie(request, asker.daemon, text)])


@get("/api/users/{name:str}/permissions", LOGIN, tags=TAGS)
async def list_permissions_of_user(request: Request, name: FromPath[str]) -> list[PermissionShape]:
    """List what a user is given, themselves and by their groups."""
    people = access_of(request).administration
    names = group_names(request)
    return [PermissionShape.of(each, names) for each in people.permissions_of(people.get_user(name))]


ROUTES: Final = (list_users, add_user, get_user, edit_user, set_password, list_permissions_of_user)
