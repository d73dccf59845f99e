"""Objects as one user may see and change them: a session that leaves out what they may not see.

Writes carry the user to the recorder, which asks for every change it makes of them, cascades included, in the same
transaction that makes it. What it refuses is told without what the user may not see.
"""

import time
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import msgspec

from buttonhook.access.parts import Asker, Parts
from buttonhook.errors import (
    ObjectError,
    ObjectNotFound,
    PermissionDenied,
    QueryTooSlow,
    StaleObject,
    StillReferenced,
    UniqueViolation,
)
from buttonhook.ids import ObjectKey
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.people import UserRecord
from buttonhook.permissions import VIEW, require
from buttonhook.receivers.user import User
from buttonhook.records import ObjectQuery, StoredObject
from buttonhook.sessions import StoreSession
from buttonhook.stores.base import Referrer

Found = tuple[StoredObject, tuple[Any, ...]]
PAGE: Final = 500
DEADLINE_SECONDS: Final = 10.0
"""How long a search for what a user may see goes through what they may not."""
_ACTIONS: Final = {"create": ("create",), "put": ("create", "update"), "update": ("update",), "delete": ("delete",)}
"""What each kind of write may come to."""


def check_may_write(user: User, writes: Sequence[Write]) -> None:
    """Raises: PermissionDenied: to no object of a type may the user do what a write would do."""
    for object_type, kind in {(each.object_type, each.kind): None for each in writes}:
        permissions = [object_permission(object_type, action) for action in _ACTIONS[kind]]
        if not any(map(user.has_perm, permissions)):
            pk = next(each.pk for each in writes if (each.object_type, each.kind) == (object_type, kind))
            what = f"{kind} {object_type} objects"
            raise PermissionDenied(user.username, what, permissions[-1], key=(object_type, pk))


class GuardedWriter:
    """The way into the recorder for one user (contract: `objects.transactions.Gateway`)."""

    def __init__(self, parts: Parts, asker: Asker) -> None:
        self._writer = parts.writer
        self._reader = parts.reader
        self._registry = parts.registry
        self._user = asker.user

    async def commit(self, request: TransactionRequest) -> TransactionAnswer:
        """Commit what the user may write.

        Raises:
            PermissionDenied: some of it they may not; nothing was written.
        """
        self._check(request)
        try:
            return await self._writer.commit(msgspec.structs.replace(request, authority=self._user))
        except (ObjectError, PermissionDenied) as exc:
            await self._raise_seen(exc, {(each.object_type, each.pk) for each in request.writes})

    async def preview(self, request: TransactionRequest, query: ObjectQuery) -> list[Found]:
        """What a query would find were the request committed: asked as for the commit, else a look would show more.

        Raises:
            PermissionDenied: some of it the user may not write.
        """
        self._check(request)
        try:
            return await self._writer.preview(msgspec.structs.replace(request, authority=self._user), query)
        except (ObjectError, PermissionDenied) as exc:
            await self._raise_seen(exc, {(each.object_type, each.pk) for each in request.writes})

    def _check(self, request: TransactionRequest) -> None:
        """Refuse what the user may do to no object of a type, before a rule it breaks can tell of others."""
        self._check_author(request.origin.user_name)
        check_may_write(self._user, request.writes)

    def may_write_as(self, name: str) -> bool:
        """Whether the user may make changes in somebody's name."""
        try:
            self._check_author(name)
        except PermissionDenied:
            return False
        return True

    def _check_author(self, name: str) -> None:
        """Whose change it is to be: a name lends its user's rights to the runs it fires, so not all may use it."""
        record = None if name == self._user.username else self._registry.find(UserRecord, name)
        if record is not None:
            what = f"make a change in the name of {name!r}"
            require(self._user, "make a change in another user's name", what, record)
            if record.is_owner and not self._user.is_owner:
                raise PermissionDenied(self._user.username, what, "")

    async def _raise_seen(self, exc: Exception, named: set[ObjectKey]) -> NoReturn:
        """Raise an error without what it tells of objects that the user may not see and did not name."""
        if isinstance(exc, UniqueViolation):
            holder = exc.object_type, exc.holder
            if holder not in named and not await self.sees(holder):
                raise UniqueViolation(exc.object_type, exc.pk, exc.fields, exc.values, "") from None
        if isinstance(exc, StaleObject) and not await self.sees((exc.object_type, exc.pk)):
            raise ObjectNotFound(exc.object_type, repr(exc.pk)) from None
        if isinstance(exc, StillReferenced):
            seen = [each for each in exc.referrers if await self.sees(each[:2])]
            if len(seen) < len(exc.referrers) or len(exc.path) > 1:
                raise StillReferenced(exc.path[:1], seen) from None
        if isinstance(exc, PermissionDenied) and exc.key not in named and not await self.sees(exc.key):
            what = "do that, for what would change along with it"
            raise PermissionDenied(exc.user_name, what, exc.permission, is_narrowed=exc.is_narrowed) from None
        raise exc

    async def sees(self, key: ObjectKey) -> bool:
        """Whether the user may see an object, should it exist."""
        permission = object_permission(key[0], VIEW) if key[0] else ""
        if not permission or not self._user.has_perm(permission):
            return False
        stored = await self._reader.get_object(key)
        return stored is not None and self._user.has_perm(permission, stored)


class GuardedSession(StoreSession):
    """A session that asks the user's permissions: viewing for reads, adding, changing, deleting for writes."""

    def __init__(self, parts: Parts, asker: Asker) -> None:
        self.writer = GuardedWriter(parts, asker)
        super().__init__(self.writer, parts.reader, parts.registry, parts.loop, asker.origin)
        self._user = asker.user

    async def read_object(self, object_type: str, pk: str) -> StoredObject | None:
        permission = self._view(object_type)
        stored = await super().read_object(object_type, pk)
        return stored if stored is not None and self._user.has_perm(permission, stored) else None

    async def fetch(self, query: ObjectQuery) -> list[Found]:
        permission = self._view_asked(query)
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

    async def check_match(self, type_: ObjectType, values: tuple[object, ...], pk: str | None) -> str | None:
        """The pk of the object that a natural key led to, for an import over it.

        Raises:
            PermissionDenied: there is one, and it may not be seen.
        """
        permission = object_permission(type_.name, VIEW)
        if pk is None or (self._user.has_perm(permission) and await self.read_object(type_.name, pk) is not None):
            return pk
        named = ", ".join(f"{key} = {value!r}" for key, value in zip(type_.natural_key, values, strict=True))
        narrowed = self._user.has_perm(permission)
        raise PermissionDenied(
            self._user.username, f"import over the {type_.name} with {named}", permission, is_narrowed=narrowed
        )

    async def referrers(self, key: ObjectKey, after: Referrer | None = None, limit: int = 50) -> list[Referrer]:
        """Who refers to an object, of those that the user may see, in order, behind `after`.

        Raises:
            ObjectNotFound: there is no such object for this user.
            QueryTooSlow: too many that they may not see stand before those that they may.
        """
        if await self.read_object(*key) is None:
            raise ObjectNotFound(key[0], repr(key[1]))
        until = time.monotonic() + DEADLINE_SECONDS
        visible: list[Referrer] = []
        while True:
            page = await self._reader.referrers(key, after, PAGE)
            for each in page:
                if len(visible) >= limit:
                    return visible
                if await self.writer.sees(each[:2]):
                    visible.append(each)
                elif time.monotonic() > until:
                    raise QueryTooSlow(DEADLINE_SECONDS)
            if len(page) < PAGE:
                return visible
            after = page[-1]

    async def count(self, query: ObjectQuery) -> int:
        if not self._user.is_limited(self._view_asked(query)):
            return await super().count(query)
        return len(await self.fetch(query))

    def _view_asked(self, query: ObjectQuery) -> str:
        """The permission for a query's objects; what it asks of the objects they refer to must all be open too."""
        for each in query.conditions:
            if each.crossing is not None and each.path != ("pk",):
                permission = self._view(each.crossing.target)
                if self._user.is_limited(permission):
                    what = f"filter by fields of {each.crossing.target} objects"
                    raise PermissionDenied(self._user.username, what, permission, is_narrowed=True)
        return self._view(query.object_type)

    def _view(self, object_type: str) -> str:
        """Raises: PermissionDenied: the user may see no object of the type."""
        permission = object_permission(object_type, VIEW)
        if not self._user.has_perm(permission):
            raise PermissionDenied(self._user.username, f"see {object_type} objects", permission)
        return permission
