"""Users, groups and permissions as somebody may see them, and who of them is oneself: below all edits of people."""

from collections.abc import Iterable
from typing import Final

from buttonhook.editing import Editing
from buttonhook.errors import PermissionDenied
from buttonhook.grants import is_given
from buttonhook.people import GroupRecord, PermissionRecord, UserRecord

_LISTING: Final = "buttonhook users list"


class PeopleReading(Editing):
    """Finds users, groups and permissions."""

    def users(self) -> list[UserRecord]:
        """All users, by name."""
        return self._visible("see users", self._registry.all(UserRecord))

    def get_user(self, name: str) -> UserRecord:
        """Raises: RecordNotFound."""
        own = self._registry.find(UserRecord, name)
        return (
            own
            if own is not None and self._is_self(name)
            else self._get("see users", UserRecord, name, "user", _LISTING)
        )

    def groups(self) -> list[GroupRecord]:
        """All groups, by name."""
        return self._visible("see groups", self._registry.all(GroupRecord))

    def get_group(self, name: str) -> GroupRecord:
        """Raises: RecordNotFound."""
        return self._get("see groups", GroupRecord, name, "group", "buttonhook users groups")

    def permissions(self) -> list[PermissionRecord]:
        """All permissions, by name."""
        return self._visible("see permissions", self._registry.all(PermissionRecord))

    def permissions_of(self, user: UserRecord) -> list[PermissionRecord]:
        """What a user and their groups are given, as far as it may be seen; one's own may."""
        given = [each for each in self._registry.all(PermissionRecord) if is_given(each, user)]
        return given if self._is_self(user.name) else self._visible("see permissions", given)

    def get_permission(self, name: str) -> PermissionRecord:
        """Raises: RecordNotFound."""
        return self._get("see permissions", PermissionRecord, name, "permission", "buttonhook users permissions")

    def _group_ids(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.get_group(each).id for each in names))

    def _is_self(self, name: str) -> bool:
        """Whether somebody acts on themselves, not through a token that may do less than they."""
        if self._user is None or self._user.username != name or self._user.is_scoped:
            return False
        record = self._registry.find(UserRecord, name)
        return record is not None and not record.is_disabled

    def _check_owner(self, name: str, *, touches: bool) -> None:
        """Owners are made and touched by owners only: else whoever may add users would be one."""
        if touches and self._user is not None and not self._user.is_owner:
            raise PermissionDenied(self._user.username, f"touch the owner {name!r}", "")
