"""Users, groups, permissions and tokens through the API. The daemon checks; here nothing is judged.

Names stand for ids: the API tells by name which groups somebody is in.
"""

from collections.abc import Iterable
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct

from buttonhook import times
from buttonhook.administration import TOKEN_DAYS, Administration
from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.mirror import given
from buttonhook.cli.remote.set_up import NoEditor
from buttonhook.ids import Microseconds
from buttonhook.people import Constraint, GroupRecord, PermissionRecord, TokenRecord, UserRecord
from buttonhook.registry import Registry

R = TypeVar("R", UserRecord, GroupRecord, PermissionRecord, TokenRecord)
USERS: Final = "/api/users"
GROUPS: Final = "/api/groups"
PERMISSIONS: Final = "/api/permissions"
TOKENS: Final = "/api/tokens"


class _User(Struct, frozen=True):
    name: str
    is_owner: bool
    is_disabled: bool
    groups: tuple[str, ...]
    has_password: bool


class _Group(Struct, frozen=True):
    id: str
    name: str


class _Token(Struct, frozen=True):
    name: str
    user: str
    created_at: str
    expires_at: str | None
    scopes: tuple[str, ...] | None
    description: str
    token: str = ""


class RemoteAdministration(Administration):
    """Reads and edits the records of people of a daemon (contract: `Administration`). `load` comes before reading."""

    def __init__(self, registry: Registry, connection: Connection) -> None:
        super().__init__(registry, NoEditor())
        self._connection = connection

    async def load(self, own: str) -> None:
        """Take over what the user may see of people; `own`: their name, as they may see themselves in any case."""
        for group in await self._connection.seen("users.view_group", GROUPS, _Group):
            self._take_group(group)
        for user in await self._connection.all(USERS, _User):
            self._take_user(user)
        for record in await self._connection.seen("users.view_permission", PERMISSIONS, PermissionRecord):
            self._take_permission(record)
        for token in await self._connection.all(TOKENS, _Token):
            self._take_token(token)
        if self._registry.find(UserRecord, own) is None:
            self._take_user(await self._connection.get(f"{USERS}/{segment(own)}", _User))
        if "users.view_permission" in self._connection.denied:
            for each in await self._connection.get(f"{USERS}/{segment(own)}/permissions", list[PermissionRecord]):
                self._take_permission(each)

    def _group_id(self, name: str) -> str:
        found = self._registry.find_named(GroupRecord, name)
        return name if found is None else found.id

    def _take_group(self, came: Any) -> GroupRecord:
        return self._keep(GroupRecord(id=came.id, name=came.name))

    def _take_user(self, came: Any) -> UserRecord:
        return self._keep(
            UserRecord(
                id=came.name,
                name=came.name,
                is_owner=came.is_owner,
                is_disabled=came.is_disabled,
                groups=tuple(self._group_id(each) for each in came.groups),
                password_hash="set" if came.has_password else "",
            )
        )

    def _take_permission(self, came: PermissionRecord) -> PermissionRecord:
        groups = tuple(self._group_id(each) for each in came.groups)
        return self._keep(msgspec.structs.replace(came, groups=groups))

    def _take_token(self, came: Any) -> TokenRecord:
        return self._keep(
            TokenRecord(
                id=came.name,
                name=came.name,
                user=came.user,
                hash="",
                created_at=times.from_text(came.created_at),
                expires_at=None if came.expires_at is None else times.from_text(came.expires_at),
                scopes=came.scopes,
                description=came.description,
            )
        )

    def _keep(self, record: R) -> R:
        self._registry.put([record])
        return record

    async def _remove(self, record: R, path: str) -> R:
        await self._connection.ask("DELETE", path)
        self._registry.put([], [(type(record), record.id)])
        return record

    # --- users ------------------------------------------------------------------------------------

    async def add_user(self, name: str, *, is_owner: bool = False, groups: Iterable[str] = ()) -> UserRecord:
        self._connection.require("add a user", f"add user {name!r}")
        body = {"name": name, "is_owner": is_owner, "groups": list(groups)}
        return self._take_user(await self._connection.send("POST", USERS, _User, body))

    async def edit_user(
        self,
        name: str,
        *,
        is_owner: bool | None = None,
        is_disabled: bool | None = None,
        groups: Iterable[str] | None = None,
    ) -> UserRecord:
        self.get_user(name)
        body = given(is_owner=is_owner, is_disabled=is_disabled, groups=None if groups is None else list(groups))
        return self._take_user(await self._connection.send("PATCH", f"{USERS}/{segment(name)}", _User, body))

    async def set_password(self, name: str, password: str) -> UserRecord:
        self.get_user(name)
        await self._connection.ask("POST", f"{USERS}/{segment(name)}/password", body={"password": password})
        return self._take_user(await self._connection.get(f"{USERS}/{segment(name)}", _User))

    # --- groups -----------------------------------------------------------------------------------

    async def add_group(self, name: str) -> GroupRecord:
        self._connection.require("add a group", f"add group {name!r}")
        return self._take_group(await self._connection.send("POST", GROUPS, _Group, {"name": name}))

    async def remove_group(self, name: str) -> GroupRecord:
        group = self.get_group(name)
        return await self._remove(group, f"{GROUPS}/{segment(group.id)}")

    # --- permissions ------------------------------------------------------------------------------

    async def grant(
        self,
        permissions: Iterable[str],
        *,
        users: Iterable[str] = (),
        groups: Iterable[str] = (),
        constraints: Iterable[Constraint] = (),
        name: str | None = None,
    ) -> PermissionRecord:
        wanted = list(dict.fromkeys(permissions))
        self._connection.require("grant a permission", f"grant {', '.join(wanted)}")
        body = {
            "permissions": wanted,
            "users": list(users),
            "groups": list(groups),
            "constraints": list(constraints),
            "name": name,
        }
        return self._take_permission(await self._connection.send("POST", PERMISSIONS, PermissionRecord, body))

    async def revoke(
        self, permissions: Iterable[str], *, user: str | None = None, group: str | None = None
    ) -> list[PermissionRecord]:
        wanted = list(dict.fromkeys(permissions))
        self._connection.require("revoke a permission", f"revoke {', '.join(sorted(wanted))}")
        body = {"permissions": wanted, **given(user=user, group=group)}
        touched = await self._connection.send("POST", f"{PERMISSIONS}/revoke", list[PermissionRecord], body)
        return [self._take_permission(each) for each in touched]

    async def remove_permission(self, name: str) -> PermissionRecord:
        record = self.get_permission(name)
        return await self._remove(record, f"{PERMISSIONS}/{segment(record.id)}")

    # --- tokens -----------------------------------------------------------------------------------

    async def add_token(
        self,
        user: str,
        *,
        scopes: Iterable[str] | None = None,
        days: float | None = TOKEN_DAYS,
        description: str = "",
    ) -> tuple[TokenRecord, str]:
        body = {
            "user": user,
            "scopes": None if scopes is None else list(scopes),
            "days": days,
            "description": description,
        }
        came = await self._connection.send("POST", TOKENS, _Token, body)
        return self._take_token(came), came.token

    async def remove_token(self, name: str) -> TokenRecord:
        known = self._registry.find_named(TokenRecord, name)
        if known is None:  # the daemon says why not
            known = TokenRecord(id=name, name=name, user="somebody", hash="", created_at=Microseconds(0))
        return await self._remove(known, f"{TOKENS}/{segment(name)}")
