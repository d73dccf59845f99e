"""Reading stored objects page by page, as they are stored: also those that their type no longer accepts."""

from collections.abc import AsyncIterator
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.cli.acting import UserApp
from buttonhook.records import ObjectQuery, StoredObject

PAGE: Final = 500


class StoredPage(Struct, frozen=True):
    """One page of a query, and the keyset behind which the next one begins (None at the end)."""

    objects: list[StoredObject]
    after: tuple[Any, ...] | None


async def scan(app: UserApp, query: ObjectQuery) -> AsyncIterator[StoredObject]:
    """All objects that fit, in order."""
    after = query.after
    while True:
        page = await read_page(app, msgspec.structs.replace(query, after=after), PAGE)
        for stored in page.objects:
            yield stored
        if page.after is None:
            return
        after = page.after


async def read_page(app: UserApp, query: ObjectQuery, size: int) -> StoredPage:
    """At most `size` objects."""
    found = await app.objects(msgspec.structs.replace(query, limit=size + 1))
    following = found[size - 1][1] if len(found) > size else None
    return StoredPage([stored for stored, _ in found[:size]], following)
