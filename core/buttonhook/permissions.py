"""Who an author is: the user a receiver sees, made from the user records."""

from buttonhook.receivers.user import User
from buttonhook.records import UserRecord


def user_of(user_name: str, record: UserRecord | None) -> User:
    """A snapshot of an author; one without a record is not known and may do nothing."""
    if record is None:
        return User(user_name)
    return User(user_name, known=True, is_owner=record.is_owner, permissions=frozenset(record.permissions))
