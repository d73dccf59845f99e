"""Groups: users who are given permissions together."""

from typing import Final

from litestar.params import FromPath, JSONBody

from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, delete, get, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.people import GroupInput, GroupShape

TAGS: Final = ["people"]


@get("/api/groups", act("see groups"), tags=TAGS)
async def list_groups(
    request: Request, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, fields: FieldNames = None
) -> Page[GroupShape]:
    """List groups, by name."""
    people = access_of(request).administration
    users = people.users()
    return sparse(
        page_by_name("groups", people.groups(), lambda each: GroupShape.of(each, users), cursor, limit), fields
    )


@post("/api/groups", act("add a group"), tags=TAGS)
async def add_group(request: Request, data: JSONBody[GroupInput]) -> GroupShape:
    """Add a group. Users are put into it by changing them."""
    return GroupShape.of(await access_of(request).administration.add_group(data.name), [])


@get("/api/groups/{name:str}", act("see groups"), tags=TAGS)
async def get_group(request: Request, name: FromPath[str]) -> GroupShape:
    """Show a group, by its id or name."""
    people = access_of(request).administration
    return GroupShape.of(people.get_group(name), people.users())


@delete("/api/groups/{name:str}", act("remove a group"), tags=TAGS)
async def remove_group(request: Request, name: FromPath[str]) -> None:
    """Remove a group; its members lose what it gave them."""
    await access_of(request).administration.remove_group(name)


ROUTES: Final = (list_groups, add_group, get_group, remove_group)
