"""SQLite files: which are trusted, which are refused with what message, who owns them, how they are set up."""

import fcntl
import json
import os
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from buttonhook.errors import DatabaseInUse, DatabaseRefused
from buttonhook.records import ChangeQuery
from buttonhook.stores.sqlite import opening
from buttonhook.stores.sqlite.store import SqliteStore
from tests.contract.store_rows import change, entry, put, result, stored


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inventory.db"


def lock_of(path: Path) -> Path:
    return Path(f"{path}.lock")


async def make(path: Path, last_change: int = 0) -> None:
    """Make a database that ends at a change."""
    async with SqliteStore(path).open() as store:
        for number in range(store.numbers.change + 1, last_change + 1):
            await put(store, changes=[change(number, f"o{number}")], objects=[stored(f"o{number}", version=number)])


async def refused(path: Path, **options: bool) -> str:
    """Open what must be refused, twice; nothing may change in the file."""
    before = path.read_bytes() if path.exists() else None
    messages = []
    for _ in range(2):
        with pytest.raises(DatabaseRefused) as caught:
            async with SqliteStore(path, lock_wait_seconds=0, **options).open():
                pass
        messages.append(str(caught.value))
        assert (path.read_bytes() if path.exists() else None) == before
    assert messages[0] == messages[1]
    assert str(path) in messages[0]
    return messages[0]


# --- which file -----------------------------------------------------------------------------------


async def test_a_missing_file_is_made_where_none_was_expected(path: Path):
    await make(path, last_change=2)
    async with SqliteStore(path).open() as store:
        assert store.numbers.change == 2


async def test_a_missing_file_is_refused_where_one_was_expected(path: Path):
    await make(path, last_change=3)
    path.unlink()
    message = await refused(path)
    assert "is missing, though change 3 was recorded in it" in message
    assert "--accept-older" in message
    async with SqliteStore(path, accept_older=True).open() as store:
        assert await store.reader.changes(ChangeQuery()) == []


async def test_an_empty_file_is_refused(path: Path):
    path.touch()
    assert "is an empty file" in await refused(path)


async def test_a_file_that_was_emptied_is_refused(path: Path):
    await make(path, last_change=1)
    path.write_bytes(b"")
    assert "is an empty file" in await refused(path)


@pytest.mark.parametrize("journal", ["DELETE", "WAL"])
async def test_the_database_of_another_program_is_refused_and_left_alone(path: Path, journal: str):
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"PRAGMA journal_mode = {journal}")
        other.execute("CREATE TABLE theirs (a)")
        other.execute("INSERT INTO theirs VALUES (1)")
        other.commit()
    assert "belongs to another program" in await refused(path)


async def test_a_database_without_tables_is_refused_too(path: Path):
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 1")
    assert "belongs to another program" in await refused(path)


@pytest.mark.parametrize("content", [b"hello world\n" * 100, b"\0" * 8192, b"SQLite format 3\0" + b"x" * 8192])
async def test_a_file_that_is_no_database_is_refused(path: Path, content: bytes):
    path.write_bytes(content)
    message = await refused(path)
    assert "is not a SQLite database" in message or "is damaged" in message


@pytest.mark.parametrize("keep", [0.9, 0.5, 0.1])
async def test_a_database_that_was_cut_short_is_refused(path: Path, keep: float):
    await make(path, last_change=1)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    message = await refused(path)
    assert "is cut short" in message or "is damaged" in message
    assert "Put a backup in its place." in message


async def test_a_directory_is_refused(path: Path):
    path.mkdir()
    with pytest.raises(DatabaseRefused, match="is not a file"):
        async with SqliteStore(path).open():
            pass


async def test_a_missing_folder_is_named(tmp_path: Path):
    with pytest.raises(DatabaseRefused, match="no-such-folder"):
        async with SqliteStore(tmp_path / "no-such-folder" / "x.db").open():
            pass


async def test_the_schema_of_a_newer_program_is_refused(path: Path):
    await make(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("PRAGMA user_version = 99")
    assert "has schema version 99, newer than this program's" in await refused(path)


async def test_an_older_copy_is_refused_and_can_be_accepted(path: Path, tmp_path: Path):
    await make(path, last_change=2)
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    await make(path, last_change=5)
    shutil.copyfile(copy, path)
    message = await refused(path)
    assert "ends at change 2, but change 5 was recorded in it: it is an older copy" in message
    async with SqliteStore(path, accept_older=True).open() as store:
        assert [each.id for each in await store.reader.changes(ChangeQuery())] == [2, 1]
    await make(path, last_change=3)


async def test_a_copy_that_lost_nothing_is_accepted(path: Path, tmp_path: Path):
    await make(path, last_change=2)
    copy = tmp_path / "copy.db"
    shutil.copyfile(path, copy)
    path.unlink()
    shutil.copyfile(copy, path)
    await make(path, last_change=3)


@pytest.mark.parametrize("left", [None, b""])
async def test_a_creation_that_was_killed_is_begun_again(path: Path, left: bytes | None):
    lock_of(path).write_text(json.dumps({"pid": 1, "command": "buttonhook", "is_making": True}), encoding="utf-8")
    if left is not None:
        path.write_bytes(left)
    await make(path, last_change=1)
    assert json.loads(lock_of(path).read_text(encoding="utf-8")).get("is_making", False) is False


async def test_a_creation_that_was_killed_between_its_header_and_its_tables_is_begun_again(path: Path):
    with closing(sqlite3.connect(path)) as half:
        half.execute("PRAGMA journal_mode = WAL")
        half.execute("PRAGMA user_version = 0")
    lock_of(path).write_text(json.dumps({"pid": 1, "command": "buttonhook", "is_making": True}), encoding="utf-8")
    await make(path, last_change=1)


# --- who owns it ----------------------------------------------------------------------------------


@pytest.fixture
def hold(path: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock as another process would; calling it gives it up."""
    fd = os.open(lock_of(path), os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.pwrite(fd, json.dumps({"pid": 4242, "command": "buttonhook serve"}).encode(), 0)
    given_up: list[bool] = []

    def release() -> None:
        if not given_up:
            given_up.append(True)
            os.close(fd)

    yield release
    release()


async def test_a_second_owner_is_refused_and_told_who_the_first_is(path: Path, hold: Callable[[], None]):
    with pytest.raises(DatabaseInUse) as caught:
        async with SqliteStore(path, lock_wait_seconds=0.1).open():
            pass
    assert "is in use by process 4242 (buttonhook serve)" in str(caught.value)
    assert not path.exists()


async def test_a_second_owner_waits_for_the_first_to_leave(path: Path, hold: Callable[[], None]):
    opened: list[bool] = []

    async def open_it() -> None:
        async with SqliteStore(path, lock_wait_seconds=60).open():
            opened.append(True)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(open_it)
        await anyio.wait_all_tasks_blocked()
        assert not opened
        hold()
    assert opened


async def test_a_store_in_this_process_owns_its_database_too(path: Path):
    async with SqliteStore(path).open():
        with pytest.raises(DatabaseInUse, match=str(os.getpid())):
            async with SqliteStore(path, lock_wait_seconds=0).open():
                pass
    await make(path, last_change=1)


@pytest.mark.parametrize(
    "garbage", [b"\xff\xfe", b"[" * 1024, b"null", b'{"pid": "x"}', b"{" * 5000, b'{"last_change": 1e999}']
)
async def test_garbage_in_the_lock_file_does_not_keep_a_sound_database_closed(path: Path, garbage: bytes):
    await make(path, last_change=1)
    lock_of(path).write_bytes(garbage)
    await make(path, last_change=2)
    path.unlink()
    assert "change 2 was recorded" in await refused(path)


@pytest.mark.parametrize("arguments", [["buttonhook", "\udcff"], ["x" * 5000], ["\x01" * 500, "é" * 500], [""]])
async def test_whatever_the_command_line_is_the_lock_stays_readable(
    path: Path, arguments: list[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "argv", arguments)
    await make(path, last_change=1)
    path.unlink()
    assert "change 1 was recorded" in await refused(path)


# --- how it is set up -----------------------------------------------------------------------------


async def test_nobody_else_may_read_the_files_whatever_the_umask(path: Path):
    before = os.umask(0)
    try:
        async with SqliteStore(path).open() as store:
            await put(store, changes=[change(1)])
            modes = {each.name: each.stat().st_mode & 0o777 for each in path.parent.iterdir()}
    finally:
        os.umask(before)
    assert set(modes) == {path.name + suffix for suffix in ("", "-wal", "-shm", ".lock")}
    assert set(modes.values()) == {0o600}


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with SqliteStore(path).open() as opened:
        yield opened


async def test_every_table_is_strict(store: SqliteStore):
    tables = await store._run("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    own = {name: strict for name, strict in tables if not name.startswith("sqlite_")}
    assert len(own) >= 7
    assert set(own.values()) == {1}


@pytest.mark.parametrize(("durability", "synchronous"), [("full", 2), ("normal", 1)])
async def test_the_writer_is_set_up_for_durability(path: Path, durability: str, synchronous: int):
    async with SqliteStore(path, durability=durability).open() as store:
        found = {
            name: (await store._run(f"PRAGMA {name}"))[0][0]
            for name in ("synchronous", "foreign_keys", "journal_mode", "user_version", "application_id")
        }
    assert found == {
        "synchronous": synchronous,
        "foreign_keys": 1,
        "journal_mode": "wal",
        "user_version": len(opening.migrations()),
        "application_id": opening.APPLICATION_ID,
    }


async def test_a_reader_cannot_write(store: SqliteStore, path: Path):
    reader = await opening.open_reader(path)
    try:
        for statement in ("DELETE FROM object", "CREATE TABLE x (a)", "PRAGMA user_version = 9"):
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                await reader.execute_fetchall(statement)
        assert list(await reader.execute_fetchall("PRAGMA wal_autocheckpoint")) == [(0,)]
    finally:
        await reader.close()


# --- check ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("UPDATE object SET version = 7 WHERE pk = 'o1'", "dcim.device 'o1' has version 7, but its last change is 1"),
        ("UPDATE object SET document = '{\"x\":1}' WHERE pk = 'o2'", "dcim.device 'o2' is not what change 2 left"),
        ("DELETE FROM job_log_entry WHERE seq = 1", "the log of job result number 1, attempt 1 lacks entries: 1 of 2"),
        (
            "INSERT INTO object_unique VALUES ('dcim.device', 'name', '[1]', 'gone')",
            "the unique value of dcim.device name is held by 'gone', which does not exist",
        ),
        (
            "UPDATE job_result SET change_id = 404",
            "job result result-1 names change 404, which does not exist",
        ),
        (
            "PRAGMA foreign_keys = OFF; UPDATE job_log_entry SET number = 77",
            "refers to a missing job_result",
        ),
    ],
)
async def test_check_tells_what_is_inconsistent(path: Path, damage: str, problem: str):
    await make(path, last_change=2)
    async with SqliteStore(path).open() as store:
        await put(store, results=[result(1, change_ids=(2,))], log_entries=[entry(1, 1, 1), entry(2, 1, 2)])
        assert (await store.reader.check()).problems == []
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(damage)
    async with SqliteStore(path).open() as store:
        problems = (await store.reader.check()).problems
    assert [each for each in problems if problem in each], problems


async def test_check_tells_of_a_damaged_index(path: Path):
    await make(path, last_change=50)
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'object_change_request'")
    async with SqliteStore(path).open() as store:
        assert any(each.startswith("integrity:") for each in (await store.reader.check()).problems)
