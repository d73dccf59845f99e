"""Object types: those that plugins bring, those that are declared here, and those whose plugin is gone."""

from typing import Annotated, Any, Final

from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET

from buttonhook.access.access import Access
from buttonhook.errors import UnknownObjectType
from buttonhook.http.api.objects import MAX_COUNT, in_time
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import LOGIN, act, get, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import ObjectTypeName, Request
from buttonhook.http.shapes.object_types import ObjectTypeDetail, ObjectTypeInput, ObjectTypeShape, Right
from buttonhook.http.type_schemas import document_schema, example_of
from buttonhook.objects.keys import object_permission
from buttonhook.objects.types import ObjectType
from buttonhook.records import ObjectQuery

TAGS: Final = ["object types"]
RIGHTS: Final[tuple[Right, ...]] = ("view", "add", "change", "delete")
Count = Annotated[bool, QueryParameter(description="Tell how many objects there are, up to 10,000.")]


def rights_on(access: Access, type_: ObjectType) -> list[Right]:
    """What the asker may do with some objects of a type at least."""
    return [each for each in RIGHTS if access.user.has_perm(object_permission(type_.name, each))]


def is_shown(access: Access, type_: ObjectType) -> bool:
    """Types that are installed are no secret; that there are objects of one that is gone is told by them alone."""
    return type_.is_installed or "view" in rights_on(access, type_)


async def add_count(access: Access, shape: ObjectTypeShape) -> None:
    """Tell how many objects there are, where the asker may see any."""
    if "view" in shape.rights:
        with in_time():
            total = await access.session.count(ObjectQuery(object_type=shape.object_type, limit=MAX_COUNT + 1))
        shape.count, shape.is_capped = min(total, MAX_COUNT), total > MAX_COUNT


@get("/api/object-types", LOGIN, tags=TAGS)
async def list_object_types(
    request: Request,
    count: Count = False,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[ObjectTypeShape]:
    """List object types, by name."""
    access = access_of(request)
    found = [each for each in daemon_of(request).app.registry.list_types() if is_shown(access, each)]
    page = page_by_name(
        "object-types", found, lambda each: ObjectTypeShape.of(each, rights_on(access, each)), cursor, limit
    )
    if count:
        for shape in page.items:
            await add_count(access, shape)
    told = sparse(page, fields)
    for item in told.items if fields is not None else ():
        _drop_unset(item)
    return told


def _drop_unset(item: Any) -> None:
    for name in [name for name, value in item.items() if value is UNSET]:
        del item[name]


@post("/api/object-types", act("declare an object type"), tags=TAGS)
async def declare_object_type(request: Request, data: JSONBody[ObjectTypeInput]) -> ObjectTypeDetail:
    """Declare a free type, whose objects are any JSON objects."""
    access = access_of(request)
    await access.configuration.declare_type(data.object_type)
    return whole(access, daemon_of(request).app.registry.get_type(data.object_type))


@get("/api/object-types/{object_type:str}", LOGIN, tags=TAGS)
async def get_object_type(request: Request, object_type: ObjectTypeName, count: Count = False) -> ObjectTypeDetail:
    """Show an object type with the JSON schema of its documents."""
    access = access_of(request)
    registry = daemon_of(request).app.registry
    type_ = registry.find_type(object_type)
    if type_ is None or not is_shown(access, type_):
        raise UnknownObjectType(object_type, [each.name for each in registry.list_types() if is_shown(access, each)])
    shape = whole(access, type_)
    if count:
        await add_count(access, shape)
    return shape


def whole(access: Access, type_: ObjectType) -> ObjectTypeDetail:
    """A type with its schema."""
    schema, parts = document_schema(type_)
    told = {**schema, "$defs": parts} if parts else schema
    return ObjectTypeDetail.whole(type_, rights_on(access, type_), told, example_of(type_))


ROUTES: Final = (list_object_types, declare_object_type, get_object_type)
