"""Reading stored objects page by page, as they are stored: also those that their type no longer accepts."""

from collections.abc import AsyncIterator
from typing import Final

import msgspec

from buttonhook.cli.acting import UserApp
from buttonhook.records import ObjectQuery, StoredObject

PAGE: Final = 500


async def scan(app: UserApp, query: ObjectQuery) -> AsyncIterator[StoredObject]:
    """All objects that fit, in order."""
    after = query.after
    while True:
        page = await app.page(msgspec.structs.replace(query, after=after), PAGE)
        for stored in page.objects:
            yield stored
        if page.after is None:
            return
        after = page.after
