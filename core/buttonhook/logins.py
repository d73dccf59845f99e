"""Login sessions: begun, found, ended. They are kept in the store, so that a restart of the daemon ends none.

A session is over when it expires, when it was not used for hours, when its user logs out, is disabled or gets another
password: each is looked at with every request, so none of them takes time to work.
"""

import logging
import secrets
from typing import Final

import msgspec

from buttonhook import credentials
from buttonhook.editing import Editor
from buttonhook.errors import StoreError
from buttonhook.ids import Microseconds, new_uuid7, now
from buttonhook.people import LoginRecord, UserRecord
from buttonhook.registry import Registry

MINUTE: Final = 60_000_000
LIFE: Final = 7 * 24 * 60 * MINUTE
"""How long a session lives at most."""
IDLE: Final = 12 * 60 * MINUTE
"""How long a session lives when nobody uses it."""
SEEN_EVERY: Final = 10 * MINUTE
"""How often it is noted that a session is used."""
MOST_OF_ONE: Final = 50
"""Sessions of one user; the one that was not used for the longest time makes room."""

_log = logging.getLogger("buttonhook.logins")


class Logins:
    """The login sessions of one database. All methods belong to the loop's thread."""

    def __init__(self, registry: Registry, editor: Editor) -> None:
        self._registry = registry
        self._editor = editor
        self._noting: set[str] = set()

    async def begin(self, user_name: str, address: str) -> tuple[LoginRecord, str]:
        """Begin a session of a user whose password was checked; the second part is the cookie's value."""
        id_ = new_uuid7()
        text = f"{id_}.{secrets.token_urlsafe(32)}"
        moment = now()
        record = LoginRecord(
            id=id_,
            name=id_,
            user=user_name,
            hash=credentials.hash_token(text),
            created_at=moment,
            seen_at=moment,
            expires_at=Microseconds(moment + LIFE),
            address=address,
        )
        await self._editor.edit([record], [(LoginRecord, each.id) for each in self._to_remove(user_name)])
        return record, text

    def find(self, text: str) -> LoginRecord | None:
        """The session of a cookie, if it is not over."""
        record = self._registry.find(LoginRecord, text.partition(".")[0])
        if record is None or not credentials.is_token(text, record.hash) or self._is_over(record):
            return None
        return record

    def is_open(self, record: LoginRecord) -> bool:
        """Whether a session that was found before goes on: for answers that last."""
        known = self._registry.find(LoginRecord, record.id)
        return known is not None and not self._is_over(known)

    async def note_use(self, record: LoginRecord) -> None:
        """Note now and then that a session is used. That a full disk keeps us from it is not its user's trouble."""
        if now() - record.seen_at < SEEN_EVERY or record.id in self._noting:
            return
        self._noting.add(record.id)
        try:
            await self._editor.edit([msgspec.structs.replace(record, seen_at=now())])
        except StoreError as exc:
            _log.warning("The use of a login session of %s could not be noted: %s", record.user, exc)
        finally:
            self._noting.discard(record.id)

    async def end(self, record: LoginRecord) -> None:
        """End a session for good."""
        await self._editor.edit(removed=[(LoginRecord, record.id)])

    def _is_over(self, record: LoginRecord) -> bool:
        user = self._registry.find(UserRecord, record.user)
        moment = now()
        return (
            user is None
            or user.is_disabled
            or not user.password_hash
            or record.created_at < user.password_changed_at
            or record.expires_at <= moment
            or record.seen_at + IDLE <= moment
        )

    def _to_remove(self, user_name: str) -> list[LoginRecord]:
        """Sessions that are over, and those that would be too many for one user."""
        everybodys = self._registry.all(LoginRecord)
        over = [each for each in everybodys if self._is_over(each)]
        own = [each for each in everybodys if each.user == user_name and not self._is_over(each)]
        own.sort(key=lambda each: each.seen_at, reverse=True)
        return [*over, *own[MOST_OF_ONE - 1 :]]
