"""Whether a database file may be trusted, and making a new one where none was expected.

Nothing here opens the file but SQLite itself: a plain `open().close()` in this process would drop SQLite's locks.
"""

import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any, Final

import aiosqlite

from buttonhook.errors import DatabaseRefused
from buttonhook.stores.sqlite.lock import DatabaseLock

APPLICATION_ID: Final = 0x62686F6B
"""`bhok`, in the file's header: the file is Buttonhook's."""

_OTHER_FILE: Final = "Name another file with --db sqlite:///FILE, as in sqlite:///buttonhook.db."
_MIGRATIONS: Final = resources.files("buttonhook.stores.sqlite") / "migrations"


def migrations() -> list[str]:
    """The scripts in order; the schema version is how many have been applied."""
    files = sorted((each for each in _MIGRATIONS.iterdir() if each.name.endswith(".sql")), key=lambda each: each.name)
    return [each.read_text(encoding="utf-8") for each in files]


async def open_writer(path: Path, lock: DatabaseLock, *, durability: str, accept_older: bool) -> aiosqlite.Connection:
    """Open (or make) the database for writing, its schema brought up to date.

    Raises:
        DatabaseRefused: it cannot be trusted; nothing was changed.
    """
    is_new = _judge_file(path, lock, accept_older)
    if is_new:
        lock.note_making()
    connection = await _connect(path, "rwc" if is_new else "rw")
    try:
        await _prepare(connection, path, durability, is_expected_empty=is_new)
        await _migrate(connection, path)
        if is_new:
            await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        await _judge_age(connection, path, lock, accept_older)
    except sqlite3.DatabaseError as exc:
        await connection.close()
        raise _damaged(path, exc) from exc
    except BaseException:
        await connection.close()
        raise
    return connection


def _judge_file(path: Path, lock: DatabaseLock, accept_older: bool) -> bool:
    """Whether the database is to be made; a file that is not what it should be is refused."""
    expected = lock.state.last_change
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        if (expected or lock.state.is_made) and not accept_older:
            raise DatabaseRefused(
                str(path),
                f"is missing, though change {expected:,} was recorded in it" if expected else "is missing",
                "Put the file back (or a backup of it), or start with --accept-older to begin with an empty one.",
            ) from None
        return True
    if not path.is_file():
        raise DatabaseRefused(str(path), "is not a file", "Name a file with --db sqlite:///FILE.")
    if lock.state.is_making:
        return True
    if size == 0 and not accept_older:
        raise DatabaseRefused(
            str(path), "is an empty file", "Remove it if you want a new database, or put a backup in its place."
        )
    return size == 0


async def _judge_age(connection: aiosqlite.Connection, path: Path, lock: DatabaseLock, accept_older: bool) -> None:
    """Refuse a database that ends before the last change that was acknowledged."""
    expected = lock.state.last_change
    last_change = await _number(connection, "SELECT coalesce(max(id), 0) FROM object_change")
    if last_change >= expected or last_change == lock.state.accepted:
        return
    if not accept_older:
        raise DatabaseRefused(
            str(path),
            f"ends at change {last_change:,}, but change {expected:,} was recorded in it: it is an older copy",
            "Put the newest file back, or accept the loss with --accept-older.",
        )
    lock.accept(last_change)


async def open_reader(path: Path) -> aiosqlite.Connection:
    """A connection that cannot write and never checkpoints."""
    connection = await _connect(path, "ro")
    for pragma in ("busy_timeout = 10000", "wal_autocheckpoint = 0", "trusted_schema = OFF", "cache_size = -8000"):
        await connection.execute_fetchall(f"PRAGMA {pragma}")
    return connection


ALL: Final = "-- all of these"
"""Stands for a statement where several are to be run in one go."""


BEHIND: Final = "-- only behind a batch that was committed"
ROLL_BACK: Final = "-- roll back what is open"


class BeforeNotWrittenError(sqlite3.OperationalError):
    """A batch that was to be written behind another one, which was not."""


class Answers:
    """What several statements answered, in the form of a cursor: a row is the rows of one statement."""

    def __init__(self, rows: list[list[Any]]) -> None:
        self._rows = rows

    def fetchall(self) -> list[list[Any]]:
        return self._rows


class SeveralConnection(sqlite3.Connection):
    """A connection that takes several statements as one."""

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """One statement; or, as `ALL`, the statements that `parameters` holds, up to the first that fails."""
        if sql == ALL:
            return Answers([self.execute(*each).fetchall() for each in parameters])
        return super().execute(sql, parameters)


class WritingConnection(SeveralConnection):
    """A connection that writes only within a transaction.

    A full or failing disk makes SQLite roll back by itself. What is written behind that would be committed statement by
    statement: half a batch. It keeps in mind whether the last batch was committed, for the one behind it.
    """

    _was_written = True

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        """As `SeveralConnection`; `BEHIND` fails where the last batch was not committed, `ROLL_BACK` never."""
        if sql == ALL:
            try:
                return super().execute(sql, parameters)
            except BaseException:
                self._was_written = False
                raise
        if sql == ROLL_BACK:
            self._was_written = False
            return super().execute("ROLLBACK" if self.in_transaction else "SELECT 1")
        if sql == BEHIND:
            if not self._was_written:
                raise BeforeNotWrittenError("the batch before was not written")
            return Answers([])
        if not self.in_transaction and sql.startswith(("INSERT", "UPDATE", "DELETE", "WITH")):
            raise sqlite3.OperationalError("the transaction of this statement is over")
        answer = super().execute(sql, parameters)
        if sql == "COMMIT":
            self._was_written = True
        return answer


async def _connect(path: Path, mode: str) -> aiosqlite.Connection:
    uri = f"{_uri(path)}?mode={mode}"
    try:
        factory = SeveralConnection if mode == "ro" else WritingConnection
        return await aiosqlite.connect(uri, uri=True, isolation_level=None, cached_statements=2048, factory=factory)
    except sqlite3.OperationalError as exc:
        raise DatabaseRefused(
            str(path), f"cannot be opened: {exc}", "Check that the folder exists and that you may read and write in it."
        ) from exc


async def _prepare(connection: aiosqlite.Connection, path: Path, durability: str, *, is_expected_empty: bool) -> None:
    await connection.execute_fetchall("PRAGMA busy_timeout = 10000")
    application_id = await _number(connection, "PRAGMA application_id")
    tables = await _number(connection, "SELECT count(*) FROM sqlite_master")
    if application_id != APPLICATION_ID and (tables or not is_expected_empty):
        raise DatabaseRefused(str(path), "belongs to another program", _OTHER_FILE)
    if tables:
        pages = await _number(connection, "PRAGMA page_count") * await _number(connection, "PRAGMA page_size")
        if _is_cut_short(path, pages):
            raise DatabaseRefused(str(path), "is cut short", "Put a backup in its place.")
    else:
        await connection.execute_fetchall("PRAGMA auto_vacuum = INCREMENTAL")
    _close_to_others(path)
    mode = next(iter(await connection.execute_fetchall("PRAGMA journal_mode = WAL")))[0]
    if mode != "wal":
        raise DatabaseRefused(str(path), f"cannot use a write-ahead log here ({mode})", "Keep it on a local disk.")
    synchronous = "FULL" if durability == "full" else "NORMAL"
    for pragma in (
        f"synchronous = {synchronous}",
        "foreign_keys = ON",
        "trusted_schema = OFF",
        "cell_size_check = ON",
        "mmap_size = 0",
        "temp_store = MEMORY",
        "cache_size = -32000",
        "journal_size_limit = 134217728",
        "wal_autocheckpoint = 1000",
    ):
        await connection.execute_fetchall(f"PRAGMA {pragma}")


async def _migrate(connection: aiosqlite.Connection, path: Path) -> None:
    scripts = migrations()
    version = await _number(connection, "PRAGMA user_version")
    if version > len(scripts):
        raise DatabaseRefused(
            str(path),
            f"has schema version {version}, newer than this program's {len(scripts)}",
            "Use the newer Buttonhook that wrote it.",
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        mark = f"PRAGMA application_id = {APPLICATION_ID};" if number == 1 else ""
        await connection.executescript(f"BEGIN IMMEDIATE; {mark} {script} PRAGMA user_version = {number}; COMMIT;")


def _uri(path: Path) -> str:
    return path.absolute().as_uri()


def _close_to_others(path: Path) -> None:
    """The log and shared-memory files get the mode of the database."""
    path.chmod(0o600)


def _is_cut_short(path: Path, size: int) -> bool:
    """Whether the file lacks pages; what is still in the write-ahead log may be missing from it."""
    return path.stat().st_size < size and not path.with_name(f"{path.name}-wal").exists()


async def _number(connection: aiosqlite.Connection, sql: str) -> int:
    return int(next(iter(await connection.execute_fetchall(sql)))[0])


def _damaged(path: Path, exc: sqlite3.DatabaseError) -> DatabaseRefused:
    if "not a database" in str(exc):
        return DatabaseRefused(str(path), "is not a SQLite database", _OTHER_FILE)
    code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return DatabaseRefused(str(path), "is locked by another program", "Close what has it open, then try again.")
    if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        return DatabaseRefused(str(path), f"cannot be written: {exc}", "Free space or mend the disk, then try again.")
    if "readonly" in str(exc):
        return DatabaseRefused(str(path), "cannot be written", "Check the permissions of the file and its folder.")
    return DatabaseRefused(str(path), f"is damaged: {exc}", "Put a backup in its place.")
