"""Saving for good what plugins mend whenever they read it, a page of objects at a time."""

from typing import Annotated, Any, Final

from litestar.params import QueryParameter

from buttonhook.access.objects import GuardedSession
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import on_objects, post
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor
from buttonhook.http.reading import ObjectTypeName, Request
from buttonhook.http.shapes.object_types import UpgradeShape
from buttonhook.old_data import Upgrade
from buttonhook.records import ObjectQuery
from buttonhook.sessions import Found

TAGS: Final = ["object types"]
DryRun = Annotated[bool, QueryParameter(description="Count them, and write nothing.")]


@post("/api/object-types/{object_type:str}/upgrade", on_objects("view"), tags=TAGS, status_code=200)
async def upgrade_objects(
    request: Request, object_type: ObjectTypeName, dry_run: DryRun = False, cursor: CursorText = None
) -> UpgradeShape:
    """Save objects of a type as its plugin mends them, some of those that you may see.

    A call takes up to 500 objects and saves what is mended of them, as ordinary updates that fire job hooks; go on with
    `next` until it is null. An object that cannot be saved is left as it is. Doing it again changes nothing.
    """
    access = access_of(request)
    type_ = daemon_of(request).app.registry.get_type(object_type)
    question = ["upgrade", object_type]
    after: tuple[Any, ...] | None = None if cursor is None else decode_cursor(question, cursor, tuple[str])
    session = access.session
    work = Upgrade(type_, _Seen(session), session.writer, session, is_dry=dry_run)
    behind = await work.page(after)
    following = None if behind is None else encode_cursor(question, behind)
    return UpgradeShape.of(work.done, work.changes, following)


class _Seen:
    """The objects that who asks may see (contract: `old_data.Pages`)."""

    def __init__(self, session: GuardedSession) -> None:
        self._session = session

    async def objects(self, query: ObjectQuery) -> list[Found]:
        return await self._session.fetch(query)


ROUTES: Final = (upgrade_objects,)
