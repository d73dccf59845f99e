"""Permissions: what users and groups are given."""

from typing import Final

from litestar.params import FromPath, JSONBody

from buttonhook.http.api.users import group_names
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act, delete, get, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.problems import ProblemError, Refused
from buttonhook.http.reading import Request
from buttonhook.http.shapes.people import PermissionInput, PermissionShape, RevokeInput

TAGS: Final = ["people"]


@get("/api/permissions", act("see permissions"), tags=TAGS)
async def list_permissions(
    request: Request, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None, fields: FieldNames = None
) -> Page[PermissionShape]:
    """List permissions, by name."""
    names = group_names(request)
    found = access_of(request).administration.permissions()
    page = page_by_name("permissions", found, lambda each: PermissionShape.of(each, names), cursor, limit)
    return sparse(page, fields)


@post("/api/permissions", act("grant a permission"), tags=TAGS)
async def grant_permission(request: Request, data: JSONBody[PermissionInput]) -> PermissionShape:
    """Give permissions to users and groups."""
    record = await access_of(request).administration.grant(
        data.permissions,
        users=data.users,
        groups=data.groups,
        constraints=[each.record() for each in data.constraints],
        name=data.name,
    )
    return PermissionShape.of(record, group_names(request))


@post("/api/permissions/revoke", act("revoke a permission"), tags=TAGS, status_code=200)
async def revoke_permission(request: Request, data: JSONBody[RevokeInput]) -> list[PermissionShape]:
    """Take permissions from one user or one group, wherever they are given these; answers the records as they were."""
    if (data.user is None) == (data.group is None):
        fault = ProblemError("user", "give a user or a group, and not both")
        raise Refused(422, "one-of", "Give `user` or `group`, and not both.", faults=[fault])
    people = access_of(request).administration
    names = group_names(request)
    touched = await people.revoke(data.permissions, user=data.user, group=data.group)
    return [PermissionShape.of(each, names) for each in touched]


@get("/api/permissions/{name:str}", act("see permissions"), tags=TAGS)
async def get_permission(request: Request, name: FromPath[str]) -> PermissionShape:
    """Show a permission, by its id or name."""
    return PermissionShape.of(access_of(request).administration.get_permission(name), group_names(request))


@delete("/api/permissions/{name:str}", act("revoke a permission"), tags=TAGS)
async def remove_permission(request: Request, name: FromPath[str]) -> None:
    """Remove a permission, by its id or name, from all who have it."""
    await access_of(request).administration.remove_permission(name)


ROUTES: Final = (list_permissions, grant_permission, revoke_permission, get_permission, remove_permission)
