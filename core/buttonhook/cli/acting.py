"""The app as a command uses it: as one named user, each call asked for.

On a local database this is a convenience and an audit trail, and no barrier: who can open the file can do everything.
"""

import shlex

import click

from buttonhook.app import App
from buttonhook.errors import ObjectNotFound, PermissionDenied
from buttonhook.objects.keys import object_permission
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.objects.types import ObjectType
from buttonhook.people import UserRecord
from buttonhook.records import ChangeRecord, ObjectQuery, StoredObject
from buttonhook.sessions import Found


def require_known(app: App) -> None:
    """Refuse who is not known here, or may do nothing, before anything runs.

    Raises:
        click.ClickException: naming the user, and how they are let in.
    """
    name = app.user_name
    record = app.registry.find(UserRecord, name)
    if record is None:
        cure = f"Add them as somebody who may: buttonhook users add {shlex.quote(name)}"
        raise click.ClickException(f"User {name!r} is not known in this database. {cure}")
    if record.is_disabled:
        cure = f"Enable them as somebody who may: buttonhook users enable {shlex.quote(name)}"
        raise click.ClickException(f"User {name!r} is disabled. {cure}")


class UserApp:
    """What one user may see and do of an open app. `whole` is all of it: for opening, waiting and counting."""

    def __init__(self, whole: App) -> None:
        self.whole = whole
        self.access = whole.access(context="cli")
        self.user = self.access.user
        self.registry = whole.registry
        self.configuration = self.access.configuration
        self.administration = self.access.administration
        self.runs = self.access.runs
        self.changes = self.access.history.changes
        self.results = self.access.history.results
        self.log_entries = self.access.history.log_entries

    def require_any(self, what: str, permission: str) -> None:
        """Have who may see nothing of a list told so, not shown an empty one.

        Raises:
            PermissionDenied: the permission is held for nothing.
        """
        if not self.user.has_perm(permission):
            raise PermissionDenied(self.user.username, f"see {what}", permission)

    # --- objects ----------------------------------------------------------------------------------

    async def objects(self, query: ObjectQuery) -> list[Found]:
        """Stored objects that fit and may be seen, each with the keyset behind it."""
        return await self.access.session.fetch(query)

    async def count_objects(self, query: ObjectQuery) -> int:
        """How many of those there are."""
        return await self.access.session.count(query)

    async def find_object(self, object_type: str, pk: str) -> StoredObject | None:
        """The stored object, or None where there is none for this user."""
        return await self.access.session.read_object(object_type, pk)

    async def get_object(self, object_type: str, pk: str) -> StoredObject:
        """Raises: ObjectNotFound."""
        stored = await self.find_object(object_type, pk)
        if stored is None:
            raise ObjectNotFound(object_type, repr(pk))
        return stored

    def may_see_type(self, object_type: str) -> bool:
        """Whether some objects of a type may be seen, should there be any."""
        return self.user.has_perm(object_permission(object_type, "view"))

    def may_see(self, what: StoredObject | ChangeRecord) -> bool:
        """Whether an object, or every state of it that a change holds, may be seen."""
        return self.user.has_perm(object_permission(what.object_type, "view"), what)

    async def commit(self, *writes: Write) -> TransactionAnswer:
        """Commit object writes together, if the user may make them all."""
        session = self.access.session
        return await session.writer.commit(session.request(writes))

    async def find_by_natural_key(self, type_: ObjectType, values: tuple[object, ...]) -> str | None:
        """The pk of the object of a natural key.

        Raises:
            PermissionDenied: there is one, and it may not be seen.
        """
        pk = await self.whole.find_by_natural_key(type_, values)
        if pk is None or (self.may_see_type(type_.name) and await self.find_object(type_.name, pk) is not None):
            return pk
        named = ", ".join(f"{key} = {value!r}" for key, value in zip(type_.natural_key, values, strict=True))
        permission = object_permission(type_.name, "view")
        narrowed = self.user.has_perm(permission)
        raise PermissionDenied(
            self.user.username, f"import over the {type_.name} with {named}", permission, is_narrowed=narrowed
        )
