"""Users, groups, permissions and tokens: checked, committed, followed. Every edit is a change of its author.

Two things hold whatever permissions somebody has: there is always an owner, and only owners make or touch owners.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from buttonhook import credentials
from buttonhook.conditions import OPERATORS
from buttonhook.documents import split_path
from buttonhook.editing import Editing
from buttonhook.errors import PermissionDenied, QueryError, RecordConflict, UsageError
from buttonhook.ids import Microseconds, new_uuid7, now
from buttonhook.people import Constraint, GroupRecord, PermissionRecord, TokenRecord, UserRecord
from buttonhook.permissions import user_of
from buttonhook.receivers.user import User, permission_forms
from buttonhook.records import ConfigRecord

TOKEN_DAYS: Final = 90
"""How long a token lives unless somebody says otherwise."""
DAY: Final = 86_400_000_000
EDIT_USER: Final = "edit a user or set their password"
_LISTING: Final = "buttonhook users list"


class Administration(Editing):
    """Reads and edits the records of people."""

    # --- users ------------------------------------------------------------------------------------

    def users(self) -> list[UserRecord]:
        """All users, by name."""
        return self._visible("see users", self._registry.all(UserRecord))

    def get_user(self, name: str) -> UserRecord:
        """Raises: RecordNotFound."""
        user = self._registry.get_named(UserRecord, name, "user", _LISTING)
        return user if self._is_self(user.name) else self._see("see users", user, "user", _LISTING)

    async def add_user(self, name: str, *, is_owner: bool = False, groups: Iterable[str] = ()) -> UserRecord:
        """Add a user, without a password: one is set by `set_password`.

        Raises:
            RecordConflict, RecordNotFound: nothing was added.
        """
        self._require("add a user", f"add user {name!r}")
        self._check_free(UserRecord, name, "user")
        self._check_owner(name, touches=is_owner)
        user = UserRecord(id=name, name=name, is_owner=is_owner, groups=self._group_ids(groups))
        await self._edit([user])
        return user

    async def edit_user(
        self,
        name: str,
        *,
        is_owner: bool | None = None,
        is_disabled: bool | None = None,
        groups: Iterable[str] | None = None,
    ) -> UserRecord:
        """Change a user; what is None stays. A disabled user may do nothing, and their tokens do nothing.

        Raises:
            RecordConflict: it would leave nobody who may do everything.
        """
        user = self.get_user(name)
        edited = msgspec.structs.replace(
            user,
            is_owner=user.is_owner if is_owner is None else is_owner,
            is_disabled=user.is_disabled if is_disabled is None else is_disabled,
            groups=user.groups if groups is None else self._group_ids(groups),
        )
        self._require(EDIT_USER, f"edit user {name!r}", (user, edited))
        self._check_owner(name, touches=user.is_owner or edited.is_owner)
        everybody = self._registry.all(UserRecord)
        others = [each for each in everybody if each.is_owner and not each.is_disabled and each.id != user.id]
        if user.is_owner and not others and (edited.is_disabled or not edited.is_owner):
            raise RecordConflict("user", name, "is the last owner", "Make another user an owner first.")
        await self._edit([edited])
        return edited

    async def put_user(self, name: str, *, permissions: Iterable[str] = (), is_owner: bool = False) -> UserRecord:
        """Make a user, or replace what they themselves are given: one permission record of their name."""
        self._require("grant a permission", f"set the permissions of {name!r}")
        known = self._registry.find(UserRecord, name)
        user = known or await self.add_user(name, is_owner=is_owner)
        if user.is_owner != is_owner:
            user = await self.edit_user(name, is_owner=is_owner)
        own = self._registry.find_named(PermissionRecord, name)
        wanted = tuple(sorted({check_permission(each) for each in permissions}))
        if wanted:
            id_ = own.id if own is not None else new_uuid7()
            await self._edit([PermissionRecord(id=id_, name=name, permissions=wanted, users=(user.id,))])
        elif own is not None:
            await self._edit(removed=[(PermissionRecord, own.id)])
        return user

    async def set_password(self, name: str, password: str) -> UserRecord:
        """Give a user a password.

        Raises:
            RecordConflict: it is too easy to guess.
        """
        user = self.get_user(name)
        if not self._is_self(name):
            self._require(EDIT_USER, f"set the password of {name!r}", (user,))
            self._check_owner(name, touches=user.is_owner)
        credentials.check_password(name, password)
        hashed = await credentials.hash_password(password)
        edited = msgspec.structs.replace(user, password_hash=hashed, password_changed_at=now())
        await self._edit([edited])
        return edited

    async def log_in(self, name: str, password: str) -> User | None:
        """The user of a name and a password; None where they do not fit, after as long a time."""
        user = self._registry.find(UserRecord, name)
        stored = "" if user is None or user.is_disabled else user.password_hash
        return user_of(self._registry, name) if await credentials.verify_password(password, stored) else None

    # --- groups -----------------------------------------------------------------------------------

    def groups(self) -> list[GroupRecord]:
        """All groups, by name."""
        return self._visible("see groups", self._registry.all(GroupRecord))

    def get_group(self, name: str) -> GroupRecord:
        """Raises: RecordNotFound."""
        listing = "buttonhook users groups"
        return self._see("see groups", self._registry.get_named(GroupRecord, name, "group", listing), "group", listing)

    async def add_group(self, name: str) -> GroupRecord:
        self._require("add a group", f"add group {name!r}")
        self._check_free(GroupRecord, name, "group")
        group = GroupRecord(id=new_uuid7(), name=name)
        await self._edit([group])
        return group

    async def remove_group(self, name: str) -> GroupRecord:
        """Remove a group; its members lose what it gave them."""
        group = self.get_group(name)
        self._require("remove a group", f"remove group {name!r}", group)
        members = [each for each in self._registry.all(UserRecord) if group.id in each.groups]
        self._check_owner(name, touches=any(each.is_owner for each in members))
        edited: list[ConfigRecord] = [
            msgspec.structs.replace(each, groups=tuple(id_ for id_ in each.groups if id_ != group.id))
            for each in members
        ]
        removed: list[tuple[type[Any], str]] = [(GroupRecord, group.id)]
        for each in self._registry.all(PermissionRecord):
            if group.id in each.groups:
                left = msgspec.structs.replace(each, groups=tuple(id_ for id_ in each.groups if id_ != group.id))
                if left.groups or left.users:
                    edited.append(left)
                else:
                    removed.append((PermissionRecord, each.id))
        await self._edit(edited, removed)
        return group

    def _group_ids(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.get_group(each).id for each in names))

    # --- permissions ------------------------------------------------------------------------------

    def permissions(self) -> list[PermissionRecord]:
        """All permissions, by name."""
        return self._visible("see permissions", self._registry.all(PermissionRecord))

    def get_permission(self, name: str) -> PermissionRecord:
        """Raises: RecordNotFound."""
        listing = "buttonhook users permissions"
        record = self._registry.get_named(PermissionRecord, name, "permission", listing)
        return self._see("see permissions", record, "permission", listing)

    async def grant(
        self,
        permissions: Iterable[str],
        *,
        users: Iterable[str] = (),
        groups: Iterable[str] = (),
        constraints: Iterable[Constraint] = (),
        name: str | None = None,
    ) -> PermissionRecord:
        """Give permissions to users and groups, narrowed by constraints that all must be met.

        Raises:
            RecordConflict, RecordNotFound: nothing was given.
        """
        wanted = tuple(dict.fromkeys(check_permission(each) for each in permissions))
        self._require("grant a permission", f"grant {', '.join(wanted)}")
        user_ids = tuple(dict.fromkeys(self.get_user(each).id for each in users))
        group_names = tuple(dict.fromkeys(groups))
        group_ids = self._group_ids(group_names)
        rows = tuple(check_constraint(each) for each in constraints)
        if not wanted or not (user_ids or group_ids):
            raise RecordConflict(
                "permission", name or "", "names nobody or nothing", "Give a user or a group, and what they may do."
            )
        if name is None:
            name = self._name(wanted, [*user_ids, *group_names], rows)
        self._check_free(PermissionRecord, name, "permission")
        record = PermissionRecord(
            id=new_uuid7(), name=name, permissions=wanted, users=user_ids, groups=group_ids, constraints=rows
        )
        await self._edit([record])
        return record

    def _name(self, wanted: Sequence[str], whom: Sequence[str], rows: Sequence[Constraint]) -> str:
        """A name that says what it is: `ann: dcim.view_device where location = ams01`."""
        where = " and ".join(f"{each.path} {each.operator} {each.value}" for each in rows)
        base = f"{', '.join(whom)}: {', '.join(wanted)}{f' where {where}' if where else ''}"[:200]
        taken = {each.name for each in self._registry.all(PermissionRecord)}
        number = 2
        name = base
        while name in taken:
            name, number = f"{base} ({number})", number + 1
        return name

    async def revoke(
        self, permissions: Iterable[str], *, user: str | None = None, group: str | None = None
    ) -> list[PermissionRecord]:
        """Take permissions from a user or a group, wherever a record gives them these; returns the records touched.

        What others have by the same records stays theirs.

        Raises:
            RecordConflict: they are not given any of these.
        """
        gone = {check_permission(each) for each in permissions}
        self._require("revoke a permission", f"revoke {', '.join(sorted(gone))}")
        holder = self.get_user(user).id if user is not None else self.get_group(group or "").id
        field = "users" if user is not None else "groups"
        edited: list[ConfigRecord] = []
        removed: list[tuple[type[Any], str]] = []
        touched = [
            each
            for each in self._registry.all(PermissionRecord)
            if holder in getattr(each, field) and gone.intersection(each.permissions)
        ]
        if not touched:
            problem = f"is not given {', '.join(sorted(gone))} itself"
            raise RecordConflict(field[:-1], user or group or "", problem, "See: buttonhook users permissions")
        for each in touched:
            others = tuple(id_ for id_ in getattr(each, field) if id_ != holder)
            rest = tuple(name for name in each.permissions if name not in gone)
            without = msgspec.structs.replace(each, **{field: others})
            if without.users or without.groups:
                edited.append(without)
                if rest:
                    own = {"users": (), "groups": (), field: (holder,)}
                    name = self._name(rest, [user or group or ""], each.constraints)
                    edited.append(msgspec.structs.replace(each, id=new_uuid7(), name=name, permissions=rest, **own))
            elif rest:
                edited.append(msgspec.structs.replace(each, permissions=rest))
            else:
                removed.append((PermissionRecord, each.id))
        await self._edit(edited, removed)
        return touched

    async def remove_permission(self, name: str) -> PermissionRecord:
        record = self.get_permission(name)
        self._require("revoke a permission", f"remove permission {name!r}")
        await self._edit(removed=[(PermissionRecord, record.id)])
        return record

    # --- tokens -----------------------------------------------------------------------------------

    def tokens(self, user: str | None = None) -> list[TokenRecord]:
        """All tokens, or those of one user, by their public part; one's own are always seen."""
        found = [each for each in self._registry.all(TokenRecord) if user is None or each.user == user]
        seen = {each.id for each in self._visible("see others' tokens", found)}
        return [each for each in found if each.id in seen or self._is_self(each.user)]

    async def add_token(
        self,
        user: str,
        *,
        scopes: Iterable[str] | None = None,
        days: float | None = TOKEN_DAYS,
        description: str = "",
    ) -> tuple[TokenRecord, str]:
        """Make a token for a user; the second part is the token itself, which is told nowhere else, never again.

        `days` None: it does not expire.
        """
        owner = self.get_user(user)
        if not self._is_self(user):
            self._require("make a token for somebody else", f"make a token for {user!r}", owner)
            self._check_owner(user, touches=owner.is_owner)
        if days is not None and days <= 0:
            raise RecordConflict("token", user, f"cannot expire in {days:g} days", "Give a number above 0.")
        wanted = None if scopes is None else tuple(dict.fromkeys(check_permission(each) for each in scopes))
        text, public = credentials.new_token()
        moment = now()
        record = TokenRecord(
            id=new_uuid7(),
            name=public,
            user=owner.id,
            hash=credentials.hash_token(text),
            created_at=moment,
            expires_at=None if days is None else Microseconds(moment + int(days * DAY)),
            scopes=wanted,
            description=description,
        )
        await self._edit([record])
        return record, text

    async def remove_token(self, name: str) -> TokenRecord:
        record = self._registry.get_named(TokenRecord, name, "token", "buttonhook users tokens")
        if not self._is_self(record.user):
            self._require("remove somebody else's token", f"remove token {name!r}", record)
        await self._edit(removed=[(TokenRecord, record.id)])
        return record

    def user_of_token(self, text: str) -> User | None:
        """Whom a token acts for, within its scopes; None where it is unknown, expired, or its user is disabled."""
        record = self._registry.find_named(TokenRecord, credentials.public_part(text))
        if record is None or not credentials.is_token(text, record.hash):
            return None
        user = self._registry.find(UserRecord, record.user)
        is_over = record.expires_at is not None and record.expires_at <= now()
        if is_over or user is None or user.is_disabled:
            return None
        return user_of(self._registry, user.name).scoped(record.scopes)

    # --- what holds for all -----------------------------------------------------------------------

    def _is_self(self, name: str) -> bool:
        """Whether somebody acts on themselves, not through a token that may do less than they."""
        return self._user is not None and self._user.username == name and not self._user.is_scoped

    def _check_owner(self, name: str, *, touches: bool) -> None:
        """Owners are made and touched by owners only: else whoever may add users would be one."""
        if touches and self._user is not None and not self._user.is_owner:
            raise PermissionDenied(self._user.username, f"touch the owner {name!r}", "")


def check_permission(name: str) -> str:
    """A name under which a permission can be given: `app.action_model`, `app.action_*`, `app.*`.

    Raises:
        RecordConflict: it is none.
    """
    text = name.removesuffix("*") + ("any" if name.endswith("_*") else "view_any" if name.endswith(".*") else "")
    try:
        permission_forms(text)
    except UsageError as exc:
        raise RecordConflict(
            "permission",
            name,
            "is no permission",
            "Write app.action_model, app.action_* or app.*, as dcim.add_device.",
        ) from exc
    return name


def check_constraint(row: Constraint) -> Constraint:
    """Raises: RecordConflict: the path or the operator cannot be."""
    try:
        split_path(row.path)
    except QueryError as exc:
        raise RecordConflict("constraint", row.path, "is no path of a field", "Write it as in location.name.") from exc
    if row.operator not in OPERATORS:
        raise RecordConflict(
            "constraint", row.path, f"has an unknown operator {row.operator!r}", f"Known: {', '.join(OPERATORS)}."
        )
    return row
