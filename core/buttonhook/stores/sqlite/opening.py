"""Whether a database file may be trusted, and making a new one where none was expected.

Nothing here opens the file but SQLite itself: a plain `open().close()` in this process would drop SQLite's locks.
"""

import sqlite3
from importlib import resources
from pathlib import Path
from typing import Final

import aiosqlite

from buttonhook.errors import DatabaseRefused
from buttonhook.stores.sqlite.lock import DatabaseLock

APPLICATION_ID: Final = 0x62686F6B
"""`bhok`, in the file's header: the file is Buttonhook's."""

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
    expected = lock.state.last_change
    is_new = not path.exists()
    if is_new and expected and not accept_older:
        raise DatabaseRefused(
            str(path),
            f"is missing, though change {expected:,} was recorded in it",
            "Put the file back (or a backup of it), or start with --accept-older to begin with an empty one.",
        )
    if not is_new and path.stat().st_size == 0 and (expected or lock.state.is_made or not lock.state.command):
        is_empty_by_a_kill = not lock.state.is_made and not expected and path.with_name(path.name + "-wal").exists()
        if not is_empty_by_a_kill and not accept_older:
            raise DatabaseRefused(
                str(path), "is an empty file", "Remove it if you want a new database, or put a backup in its place."
            )
    if is_new:
        lock.note_making()
    connection = await _connect(path, "rwc" if is_new else "rw")
    try:
        await _prepare(connection, path, durability)
        await _migrate(connection, path, is_new)
        last_change = await _scalar(connection, "SELECT coalesce(max(id), 0) FROM object_change")
        if last_change < expected and not accept_older:
            raise DatabaseRefused(
                str(path),
                f"ends at change {last_change:,}, but change {expected:,} was recorded in it: it is an older copy",
                "Put the newest file back, or accept the loss with --accept-older.",
            )
        if accept_older and last_change < expected:
            lock.note(last_change)
    except sqlite3.DatabaseError as exc:
        await connection.close()
        raise _damaged(path, exc) from exc
    except BaseException:
        await connection.close()
        raise
    path.chmod(0o600)
    return connection


async def open_reader(path: Path) -> aiosqlite.Connection:
    """A connection that cannot write and never checkpoints."""
    connection = await _connect(path, "ro")
    for pragma in ("busy_timeout = 10000", "wal_autocheckpoint = 0", "trusted_schema = OFF", "cache_size = -8000"):
        await connection.execute_fetchall(f"PRAGMA {pragma}")
    return connection


async def _connect(path: Path, mode: str) -> aiosqlite.Connection:
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    try:
        return await aiosqlite.connect(uri, uri=True, isolation_level=None, cached_statements=512)
    except sqlite3.OperationalError as exc:
        raise DatabaseRefused(
            str(path), f"cannot be opened: {exc}", "Check that the folder exists and that you may read and write in it."
        ) from exc


async def _prepare(connection: aiosqlite.Connection, path: Path, durability: str) -> None:
    await connection.execute_fetchall("PRAGMA busy_timeout = 10000")
    application_id = await _scalar(connection, "PRAGMA application_id")
    tables = await _scalar(connection, "SELECT count(*) FROM sqlite_master")
    if application_id != APPLICATION_ID and tables:
        raise DatabaseRefused(
            str(path),
            "belongs to another program",
            "Name another file with --db sqlite:///FILE, as in sqlite:///buttonhook.db.",
        )
    pages = await _scalar(connection, "PRAGMA page_count") * await _scalar(connection, "PRAGMA page_size")
    if tables and path.stat().st_size < pages and not path.with_name(path.name + "-wal").exists():
        raise DatabaseRefused(str(path), "is cut short", "Put a backup in its place.")
    if not tables:
        await connection.execute_fetchall("PRAGMA auto_vacuum = INCREMENTAL")
    mode = await _scalar(connection, "PRAGMA journal_mode = WAL")
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


async def _migrate(connection: aiosqlite.Connection, path: Path, is_new: bool) -> None:
    scripts = migrations()
    version = await _scalar(connection, "PRAGMA user_version")
    if version > len(scripts):
        raise DatabaseRefused(
            str(path),
            f"has schema version {version}, newer than this program's {len(scripts)}",
            "Use the newer Buttonhook that wrote it.",
        )
    for number, script in enumerate(scripts[version:], start=version + 1):
        mark = f"PRAGMA application_id = {APPLICATION_ID};" if number == 1 else ""
        await connection.executescript(f"BEGIN IMMEDIATE; {mark} {script} PRAGMA user_version = {number}; COMMIT;")
    if is_new:
        await connection.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")


async def _scalar(connection: aiosqlite.Connection, sql: str) -> int | str:
    rows = list(await connection.execute_fetchall(sql))
    return rows[0][0]  # type: ignore[no-any-return]


def _damaged(path: Path, exc: sqlite3.DatabaseError) -> DatabaseRefused:
    if "not a database" in str(exc):
        return DatabaseRefused(
            str(path),
            "is not a SQLite database",
            "Name another file with --db sqlite:///FILE, as in sqlite:///buttonhook.db.",
        )
    if "readonly" in str(exc):
        return DatabaseRefused(str(path), "cannot be written", "Check the permissions of the file and its folder.")
    return DatabaseRefused(str(path), f"is damaged: {exc}", "Put a backup in its place.")
