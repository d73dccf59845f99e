"""What the daemon holds beside the app: who it is, what it was told to serve, how it stands, whether it is to stop."""

import asyncio
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import anyio

from buttonhook.app import App
from buttonhook.credentials import hash_token, is_token
from buttonhook.errors import StorageUnavailable
from buttonhook.http.deliveries import Deliveries
from buttonhook.http.feeds import Feeds
from buttonhook.http.flashes import Flashes
from buttonhook.http.last_hour import LastHour
from buttonhook.http.metrics import Metrics
from buttonhook.http.throttle import Throttle
from buttonhook.http.waits import Waits
from buttonhook.ids import AuditKind, new_uuid7, now
from buttonhook.people import (
    AuditEntry,
    UserRecord,
)

DAEMON: Final = "buttonhook.daemon"
"""Where a request tells which one serves it."""
AUDIT_A_SECOND: Final = 20.0
AUDIT_BURST: Final = 200.0
SETTLE_SECONDS: Final = 2.0
TRIES_OF_ADDRESS: Final = 20
"""Failed logins that one address has before it must wait; several people may share it."""


class Auditor:
    """Records what was denied, but no faster than the disk should be troubled with: the rest is counted."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._left = AUDIT_BURST
        self._last = time.monotonic()
        self._skipped = 0

    def note(self, kind: AuditKind, user_name: str, address: str, what: str, request_id: str) -> None:
        """Record one entry; `what` is a sentence."""
        moment = time.monotonic()
        self._left = min(AUDIT_BURST, self._left + (moment - self._last) * AUDIT_A_SECOND)
        self._last = moment
        if self._left < 1:
            self._skipped += 1
            return
        self._left -= 1
        if self._skipped:
            what, self._skipped = f"{what} ({self._skipped:,} entries before it were left out: too many at once)", 0
        text = (
            self._app.registry.redactor.redact(what)[:1000].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        )
        name = user_name[:255].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        self._app.audit(
            AuditEntry(time=now(), kind=kind, user_name=name, address=address, what=text, request_id=request_id)
        )

    async def settle(self) -> None:
        """Wait until what was noted so far can be read; a disk that takes no writes is not waited for long."""
        written = asyncio.Event()
        self._app.audit(done=lambda _: written.set())
        with anyio.move_on_after(SETTLE_SECONDS):
            await written.wait()


class SetUp:
    """The one-time code by which the first owner sets a password. It works only while no owner can log in."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._hash = ""
        self.lock = asyncio.Lock()

    @property
    def is_needed(self) -> bool:
        """Whether no owner can log in."""
        users = self._app.registry.all(UserRecord)
        return not any(each.is_owner and not each.is_disabled and each.password_hash for each in users)

    def new_code(self) -> str:
        """A code; the one before it works no more."""
        code = secrets.token_urlsafe(24)
        self._hash = hash_token(code)
        return code

    def fits(self, code: str) -> bool:
        return bool(self._hash) and self.is_needed and is_token(code, self._hash)

    def use_up(self) -> None:
        self._hash = ""


def _file_of(path: Path) -> tuple[int, int] | None:
    """Which file a path leads to, None where to none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class Daemon:
    """One daemon on one app. `stopping` is set when it is to end: feeds watch it, and nothing new is begun."""

    def __init__(self, app: App, port: int = 0, origins: Mapping[str, str] | None = None) -> None:
        self.app = app
        self.origins = dict(origins or {})
        """Where each setting came from, where that is known."""
        self.port = port
        self._file = _file_of(app.settings.database_path)
        self.pid = os.getpid()
        self.began_at = now()
        self.boot_id = new_uuid7()
        self.own_token = f"bhlocal_{secrets.token_urlsafe(32)}"
        """Lets in who can read the instance file, which is who owns the database."""
        self.stopping = asyncio.Event()
        self.feeds = Feeds(app.notices, self.stopping)
        self.waits = Waits(app.notices)
        self.last_hour = LastHour()
        self.auditor = Auditor(app)
        self.setup = SetUp(app)
        self.by_name = Throttle()
        self.by_address = Throttle(TRIES_OF_ADDRESS)
        self.by_source = Throttle(TRIES_OF_ADDRESS)
        self.metrics = Metrics(app, lambda: self.feeds.count)
        self._is_probing = False
        self.flashes = Flashes()
        self.deliveries = Deliveries()
        self.checking = asyncio.Lock()
        """Held while the database is looked over, which reads all of it."""
        self.logging_in = 0
        """How many logins are being looked at."""

    def cookie_name(self, scheme: str) -> str:
        """Over TLS one that the browser binds to this host; else one of its own for each port, which cookies ignore."""
        return "__Host-buttonhook" if scheme == "https" else f"buttonhook_{self.port}"

    def note_storage(self, exc: StorageUnavailable) -> None:
        """A write was refused: an audit entry that is tried again until it works shows when writing works again."""
        if not self._is_probing:
            self._is_probing = True
            what = f"the database could not be written: {exc.reason}"
            entry = AuditEntry(time=now(), kind="storage", user_name="", what=what)
            self.app.audit(entry, done=self._storage_works)

    def _storage_works(self, _: object) -> None:
        self._is_probing = False

    @property
    def why_not_ready(self) -> str | None:
        """Why no work should be sent here now, None when it can be."""
        if self.stopping.is_set():
            return "stopping"
        trouble = self.app.trouble or self._lost_file()
        return None if trouble is None else f"storage: {trouble}"

    def _lost_file(self) -> str | None:
        """What became of the database's file, None while it is where it was: without it writes go on, into nowhere."""
        found = _file_of(self.app.settings.database_path)
        if found == self._file:
            return None
        return "its file is gone" if found is None else "another file is in the place of its own"
