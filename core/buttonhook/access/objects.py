"""Objects as one user may see and change them: a session that leaves out what they may not see.

Writes carry the user to the recorder, which asks for every change it makes of them, cascades included, in the same
transaction that makes it.
"""

import time
from typing import Any, Final

import msgspec

from buttonhook.access.parts import Asker, Parts
from buttonhook.errors import PermissionDenied, QueryTooSlow
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionRequest
from buttonhook.permissions import VIEW
from buttonhook.records import ObjectQuery, StoredObject
from buttonhook.sessions import StoreSession

Found = tuple[StoredObject, tuple[Any, ...]]
PAGE: Final = 500
DEADLINE_SECONDS: Final = 10.0
"""How long a search for what a user may see goes through what they may not."""


class GuardedSession(StoreSession):
    """A session that asks the user's permissions: viewing for reads, adding, changing, deleting for writes."""

    def __init__(self, parts: Parts, asker: Asker) -> None:
        super().__init__(parts.writer, parts.reader, parts.registry, parts.loop, asker.origin)
        self._user = asker.user

    def request(self, writes: tuple[Write, ...]) -> TransactionRequest:
        return msgspec.structs.replace(super().request(writes), authority=self._user)

    async def read_object(self, object_type: str, pk: str) -> StoredObject | None:
        permission = self._view(object_type)
        stored = await super().read_object(object_type, pk)
        return stored if stored is not None and self._user.has_perm(permission, stored) else None

    async def fetch(self, query: ObjectQuery) -> list[Found]:
        permission = self._view(query.object_type)
        if not self._user.is_limited(permission):
            return await super().fetch(query)
        until = time.monotonic() + DEADLINE_SECONDS
        visible: list[Found] = []
        while True:
            page = await super().fetch(msgspec.structs.replace(query, limit=PAGE))
            visible.extend(each for each in page if self._user.has_perm(permission, each[0]))
            if len(page) < PAGE or (query.limit is not None and len(visible) >= query.limit):
                return visible[: query.limit]
            if time.monotonic() > until:
                raise QueryTooSlow(DEADLINE_SECONDS)
            query = msgspec.structs.replace(query, after=page[-1][1])

    async def count(self, query: ObjectQuery) -> int:
        if not self._user.is_limited(self._view(query.object_type)):
            return await super().count(query)
        return len(await self.fetch(query))

    def _view(self, object_type: str) -> str:
        """Raises: PermissionDenied: the user may see no object of the type."""
        permission = object_permission(object_type, VIEW)
        if not self._user.has_perm(permission):
            raise PermissionDenied(self._user.username, f"see {object_type} objects", permission)
        return permission
