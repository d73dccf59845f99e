"""Who owns a database: an flock on `<db>.lock`, held for life.

The file also keeps the last change id that was acknowledged, written after each commit and not synced, so that a
database that went back in time, or is gone, is noticed at the next start.
"""

import fcntl
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio
import msgspec
from msgspec import Struct

from buttonhook.errors import DatabaseInUse, DatabaseRefused

_SIZE: Final = 1024
_POLL_SECONDS: Final = 0.05


class LockState(Struct, omit_defaults=True):
    """What the lock file says. `is_making` is set while the database is being made for the first time, `is_made` after.

    `holder` is made anew each time somebody takes the lock: pids come again. `accepted` is where an older copy ended
    that was accepted with its loss.
    """

    pid: int = 0
    boot_id: str = ""
    holder: str = ""
    command: str = ""
    last_change: int = 0
    is_making: bool = False
    is_made: bool = False
    accepted: int = -1


class DatabaseLock:
    """The lock file of one database."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = Path(f"{database}.lock")
        self._fd = -1
        self.state = LockState()

    async def acquire(self, wait_seconds: float) -> None:
        """Take the lock, waiting for another owner at most so long; `state` then says what the last owner left.

        Raises:
            DatabaseInUse: somebody else still holds it.
        """
        try:
            fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            folder = self._path.parent
            raise DatabaseRefused(
                str(self._database),
                f"cannot be locked: {self._path.name}: {exc.strerror}",
                f"Check that the folder {str(folder)!r} exists and that you may write in it.",
            ) from exc
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = _read(fd)
                    os.close(fd)
                    raise DatabaseInUse(str(self._database), _describe(holder)) from None
                await anyio.sleep(_POLL_SECONDS)
        self._fd = fd
        self.state = _read(fd)
        self.state.pid = os.getpid()
        self.state.boot_id = _boot_id()
        self.state.holder = secrets.token_hex(16)
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:200]
        self.state.command = "".join(each if each.isprintable() else "?" for each in command)
        self._write()

    def note_making(self) -> None:
        """Say that an empty database file is expected until `note` is first called."""
        self.state.is_making = True
        self.state.accepted = 0
        self._write()

    def note(self, last_change: int) -> None:
        """Keep the last acknowledged change id."""
        self.state.last_change = last_change
        self.state.is_making = False
        self.state.is_made = True
        self._write()

    def accept(self, last_change: int) -> None:
        """Accept a database that ends here. Numbers given before are not given again."""
        self.state.accepted = last_change
        self._write()

    def release(self) -> None:
        """Give the database up. The file stays: it says what was acknowledged."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _write(self) -> None:
        os.pwrite(self._fd, msgspec.json.encode(self.state).ljust(_SIZE), 0)


def find_holder(database: Path) -> LockState | None:
    """What the process says of itself that has a database, None where nobody has it or that cannot be known."""
    with _looked_at(database) as fd:
        return None if fd < 0 or _is_free(fd) else _read(fd)


def while_free(database: Path, act: Callable[[], None]) -> bool:
    """Do something that whoever takes the database must not come into the midst of; whether nobody has it."""
    with _looked_at(database) as fd:
        if fd < 0 or not _is_free(fd):
            return False
        act()
        return True


@contextmanager
def _looked_at(database: Path) -> Iterator[int]:
    """The open lock file, -1 where there is none that can be read. To close it lets go of it."""
    try:
        fd = os.open(f"{database}.lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield -1
        return
    try:
        yield fd
    finally:
        os.close(fd)


def _is_free(fd: int) -> bool:
    """Whether nobody has the lock; then nobody takes it until the file is closed."""
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(fd: int) -> LockState:
    try:
        return msgspec.json.decode(os.pread(fd, _SIZE, 0), type=LockState)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return LockState()


def _describe(holder: LockState) -> str:
    return f"process {holder.pid} ({holder.command})" if holder.pid else "another process"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""
