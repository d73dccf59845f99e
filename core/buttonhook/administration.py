"""Users, groups, permissions and tokens: checked, committed, followed. Every edit is a change of its author.

Two things hold whatever permissions somebody has: there is always an owner, and only owners make or touch owners.
"""

import hmac
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from buttonhook import credentials
from buttonhook.editing import distinct, one_at_a_time
from buttonhook.errors import BeyondToken, RecordConflict
from buttonhook.grants import check_constraint, check_look, check_permission, covers, find_twin, grant_name
from buttonhook.ids import Microseconds, new_uuid7, now
from buttonhook.people import Constraint, GroupRecord, PermissionRecord, TokenRecord, UserRecord
from buttonhook.people_reading import PeopleReading
from buttonhook.permissions import user_of
from buttonhook.receivers.user import User
from buttonhook.records import ConfigRecord

TOKEN_DAYS: Final = 90
"""How long a token lives unless somebody says otherwise."""
DAY: Final = 86_400_000_000
EDIT_USER: Final = "edit a user, or set a password for them"


class Administration(PeopleReading):
    """Reads and edits the records of people."""

    # --- users ------------------------------------------------------------------------------------

    @one_at_a_time
    async def add_user(self, name: str, *, is_owner: bool = False, groups: Iterable[str] = ()) -> UserRecord:
        """Add a user, without a password: one is set by `set_password`.

        Raises:
            RecordConflict, RecordNotFound: nothing was added.
        """
        self._require("add a user", f"add user {name!r}")
        self._check_free(UserRecord, name, "user")
        check_look(name)
        twin = find_twin(name, (each.name for each in self._registry.all(UserRecord)))
        if twin is not None:
            raise RecordConflict(
                "user", name, "differs from one that exists in nothing but case", "Choose another name."
            )
        self._check_owner(name, touches=is_owner)
        user = UserRecord(id=name, name=name, is_owner=is_owner, groups=self._group_ids(groups))
        self._require("add a user", f"add user {name!r}", user)
        await self._edit([user])
        return user

    @one_at_a_time
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
        self._require("revoke a permission", f"set the permissions of {name!r}")
        known = self._registry.find(UserRecord, name)
        user = known or await self.add_user(name, is_owner=is_owner)
        if user.is_owner != is_owner:
            user = await self.edit_user(name, is_owner=is_owner)
        await self._give_own(user, tuple(sorted({check_permission(each) for each in permissions})))
        return user

    @one_at_a_time
    async def _give_own(self, user: UserRecord, wanted: tuple[str, ...]) -> None:
        own = self._registry.find_named(PermissionRecord, user.name)
        if own is not None and (own.users != (user.id,) or own.groups):
            raise RecordConflict("permission", own.name, "is given to others too", "See: buttonhook users permissions")
        what = f"set the permissions of {user.name!r}"
        if own is not None:
            self._require("revoke a permission", what, own)
        if wanted:
            id_ = own.id if own is not None else new_uuid7()
            record = PermissionRecord(id=id_, name=user.name, permissions=wanted, users=(user.id,))
            self._require("grant a permission", what, record)
            await self._edit([record])
        elif own is not None:
            await self._edit(removed=[(PermissionRecord, own.id)])

    async def set_password(self, name: str, password: str) -> UserRecord:
        """Give a user a password.

        Raises:
            RecordConflict: it is too easy to guess.
        """
        user = self._get_for_password(name)
        credentials.check_password(name, password)
        return await self._keep_password(user.name, await credentials.hash_password(password))

    def _get_for_password(self, name: str) -> UserRecord:
        """A user whose password may be set."""
        user = self.get_user(name)
        if self._user is not None and self._user.is_token and self._user.username == name:
            raise BeyondToken(name, "set their own password")
        if not self._is_self(name):
            self._require(EDIT_USER, f"set the password of {name!r}", (user,))
            self._check_owner(name, touches=user.is_owner)
        return user

    @one_at_a_time
    async def _keep_password(self, name: str, hashed: str) -> UserRecord:
        """Into the record as it is now: hashing takes long enough for the user to be disabled or made an owner."""
        user = self._get_for_password(name)
        edited = msgspec.structs.replace(user, password_hash=hashed, password_changed_at=now())
        await self._edit([edited])
        return edited

    async def log_in(self, name: str, password: str) -> User | None:
        """The user of a name and a password; None where they do not fit, after as long a time."""
        user = self._registry.find(UserRecord, name)
        stored = "" if user is None or user.is_disabled else user.password_hash
        fits = await credentials.verify_password(password, stored)
        # Hashing takes long enough for somebody to disable the user or to set another password.
        return user_of(self._registry, name) if fits and self._registry.find(UserRecord, name) == user else None

    # --- groups -----------------------------------------------------------------------------------

    @one_at_a_time
    async def add_group(self, name: str) -> GroupRecord:
        self._require("add a group", f"add group {name!r}")
        self._check_free(GroupRecord, name, "group")
        group = GroupRecord(id=new_uuid7(), name=name)
        self._require("add a group", f"add group {name!r}", group)
        await self._edit([group])
        return group

    @one_at_a_time
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

    # --- permissions ------------------------------------------------------------------------------

    @one_at_a_time
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
        self._require("grant a permission", f"grant {', '.join(wanted)}", record)
        await self._edit([record])
        return record

    def _name(self, wanted: Sequence[str], whom: Sequence[str], rows: Sequence[Constraint]) -> str:
        return distinct(grant_name(wanted, whom, rows), {each.name for each in self._registry.all(PermissionRecord)})

    @one_at_a_time
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
        self._require("revoke a permission", f"revoke {', '.join(sorted(gone))}", tuple(touched))
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

    @one_at_a_time
    async def edit_permission(
        self,
        name: str,
        *,
        permissions: Iterable[str],
        users: Iterable[str] = (),
        groups: Iterable[str] = (),
        constraints: Iterable[Constraint] = (),
        is_disabled: bool = False,
    ) -> PermissionRecord:
        """Replace what a record gives and to whom, in one commit; its name stays.

        Raises:
            RecordConflict, RecordNotFound: nothing was changed.
        """
        before = self.get_permission(name)
        what = f"edit permission {name!r}"
        self._require("revoke a permission", what, before)
        wanted = tuple(dict.fromkeys(check_permission(each) for each in permissions))
        edited = msgspec.structs.replace(
            before,
            permissions=wanted,
            users=tuple(dict.fromkeys(self.get_user(each).id for each in users)),
            groups=self._group_ids(groups),
            constraints=tuple(check_constraint(each) for each in constraints),
            is_disabled=is_disabled,
        )
        if not wanted or not (edited.users or edited.groups):
            raise RecordConflict(
                "permission", name, "names nobody or nothing", "Give a user or a group, and what they may do."
            )
        self._require("grant a permission", what, edited)
        await self._edit([edited])
        return edited

    @one_at_a_time
    async def remove_permission(self, name: str) -> PermissionRecord:
        record = self.get_permission(name)
        self._require("revoke a permission", f"remove permission {name!r}", record)
        await self._edit(removed=[(PermissionRecord, record.id)])
        return record

    # --- tokens -----------------------------------------------------------------------------------

    def tokens(self, user: str | None = None) -> list[TokenRecord]:
        """All tokens, or those of one user, by their public part; one's own are always seen."""
        found = [each for each in self._registry.all(TokenRecord) if user is None or each.user == user]
        seen = {each.id for each in self._visible("see others' tokens", found)}
        return [each for each in found if each.id in seen or self._is_self(each.user)]

    @one_at_a_time
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
        moment = now()
        expires_at = None if days is None else Microseconds(moment + int(days * DAY))
        self._check_reach(user, wanted, expires_at)
        text, public = credentials.new_token()
        record = TokenRecord(
            id=new_uuid7(),
            name=public,
            user=owner.id,
            hash=credentials.hash_token(text),
            created_at=moment,
            expires_at=expires_at,
            scopes=wanted,
            description=description,
        )
        await self._edit([record])
        return record, text

    @one_at_a_time
    async def remove_token(self, name: str) -> TokenRecord:
        act, what = "remove somebody else's token", f"remove token {name!r}"
        known = self._registry.find_named(TokenRecord, name)
        is_own = known is not None and self._is_self(known.user)
        if not is_own:
            self._require(act, what)
        if known is not None and (is_own or self._visible(act, [known])):
            record = known
        else:  # who may neither remove it nor see it is not told that it is there
            record = self._get("see others' tokens", TokenRecord, name, "token", "buttonhook users tokens")
            self._require(act, what, record)
        holder = self._registry.find(UserRecord, record.user)
        if holder is not None and not self._is_self(record.user):
            self._check_owner(holder.name, touches=holder.is_owner)
        await self._edit(removed=[(TokenRecord, record.id)])
        return record

    def user_of_token(self, text: str) -> User | None:
        """Whom a token acts for, within its scopes; None where it is unknown, expired, or its user is disabled."""
        digest = credentials.hash_token(text)
        known = self._registry.derived.get(("token", digest))  # what any change of records makes forget
        user = known if isinstance(known, User) else self._find_by_token(text, digest)
        return None if user is None or (user.until is not None and user.until <= now()) else user

    def _find_by_token(self, text: str, digest: str) -> User | None:
        record = self._registry.find_named(TokenRecord, credentials.public_part(text))
        if record is None or not hmac.compare_digest(digest, record.hash):
            return None
        holder = self._registry.find(UserRecord, record.user)
        if holder is None or holder.is_disabled:
            return None
        user = user_of(self._registry, holder.name).scoped(record.scopes, record.expires_at)
        self._registry.derived["token", digest] = user
        return user

    # --- what holds for all -----------------------------------------------------------------------

    def _check_reach(self, name: str, wanted: tuple[str, ...] | None, expires_at: Microseconds | None) -> None:
        """Who acts through a token makes none that reaches further or lives longer."""
        until = None if self._user is None else self._user.until
        if self._user is not None and until is not None and (expires_at is None or expires_at > until):
            raise BeyondToken(self._user.username, f"make a token for {name!r} that outlives this one")
        own = None if self._user is None else self._user.scopes
        if self._user is None or own is None:
            return
        wider = ["everything"] if wanted is None else [each for each in wanted if not covers(own, each)]
        if wider:
            raise BeyondToken(self._user.username, f"make a token for {name!r} with the scope {wider[0]}")
