"""A second process, a full disk, a foreign file: one clear message, and what was acknowledged stays."""

import asyncio
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from buttonhook import open_app
from buttonhook.errors import DatabaseInUse, DatabaseRefused
from buttonhook.settings import Settings
from tests.command_line import clean_env

ROOT = Path(__file__).resolve().parent.parent.parent

HOLDER = """
import asyncio, sys
from buttonhook import open_app

async def main():
    async with open_app(sys.argv[1], load_plugins=False, object_types=["demo.thing"]) as app:
        await app.objects("demo.thing").create(pk="a")
        print("open", flush=True)
        await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""

FILLER = """
import asyncio, json, resource, sys
from buttonhook import JobHookReceiver, open_app
from buttonhook.errors import StorageUnavailable

class Logs(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        self.logger.info("x" * 2000)

async def main(path, way):
    acked, refused = [], []
    async with open_app(path, load_plugins=False, receivers=[Logs], object_types=["demo.thing"]) as app:
        await app.configuration.enable_job("Logs")
        await app.configuration.add_hook("Logs", "Logs", ["demo.thing"])
        fill, free = WAYS[way](app, path)
        await fill()
        for n in range(2000):
            try:
                await app.objects("demo.thing").create(pk=str(n), text="x" * 3000)
                acked.append(str(n))
            except StorageUnavailable as exc:
                refused.append(str(exc))
                if len(refused) == 3:
                    break
        readable = await app.objects("demo.thing").count()
        await free()
        await app.objects("demo.thing").create(pk="after")
        drained = await app.drain(30)
        problems = (await app.check()).problems
    print(json.dumps([acked, refused, readable, drained, problems]))

def by_file_size(app, path):
    async def fill():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_500_000, resource.RLIM_INFINITY))
    async def free():
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return fill, free

def by_page_count(app, path):
    connection = app._recorder._store._connection
    async def fill():
        await connection.execute_fetchall("PRAGMA max_page_count = 150")
    async def free():
        await connection.execute_fetchall("PRAGMA max_page_count = 100000")
    return fill, free

WAYS = {"file size": by_file_size, "page count": by_page_count}
asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.parametrize("way", ["file size", "page count"])
def test_on_a_full_disk_what_was_acknowledged_is_readable_and_work_goes_on_when_there_is_room(tmp_path, way):
    database = tmp_path / "full.db"
    done = subprocess.run(
        [sys.executable, "-c", FILLER, str(database), way],
        cwd=ROOT,
        env=clean_env(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    acked, refused, readable, drained, problems = json.loads(done.stdout)
    assert len(acked) > 10
    assert len(refused) == 3
    assert all(
        str(database) in message and "free space or mend the disk, then try again" in message for message in refused
    )
    assert readable == len(acked)
    assert drained
    assert problems == []
    with closing(sqlite3.connect(database)) as db:
        assert {pk for (pk,) in db.execute("SELECT pk FROM object")} == {*acked, "after"}
        assert db.execute("SELECT DISTINCT status FROM job_result").fetchall() == [("success",)]
        assert db.execute("SELECT count(*) FROM job_result").fetchone() == (len(acked) + 1,)
        assert db.execute("SELECT count(*) FROM job_log_entry").fetchone() == (3 * (len(acked) + 1),)


@pytest.fixture
def holder(tmp_path):
    """Another process that has the database open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path / "held.db")],
        cwd=ROOT,
        env=clean_env(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout.readline() == b"open\n"
        yield process
        process.kill()


def open_now(path: Path):
    settings = Settings(db=f"sqlite:///{path}", lock_wait=0.0)
    return open_app(settings=settings, load_plugins=False, object_types=["demo.thing"])


def test_a_second_process_is_refused_naming_the_first_and_may_go_on_after_its_death(tmp_path, holder):
    async def look():
        async with open_now(tmp_path / "held.db") as app:
            return await app.objects("demo.thing").exists("a")

    with pytest.raises(DatabaseInUse, match=rf"is in use by process {holder.pid} .*--lock-wait"):
        asyncio.run(look())
    holder.kill()
    holder.wait()
    assert asyncio.run(look())


def test_a_second_process_that_is_told_to_wait_gets_the_database_when_the_first_ends(tmp_path, holder):
    async def look():
        settings = Settings(db=f"sqlite:///{tmp_path / 'held.db'}", lock_wait=60.0)
        async with open_app(settings=settings, load_plugins=False, object_types=["demo.thing"]) as app:
            return await app.objects("demo.thing").exists("a")

    async def end_then_look():
        looking = asyncio.create_task(look())
        await asyncio.sleep(0)
        holder.stdin.close()
        return await looking

    assert asyncio.run(end_then_look())


def test_a_second_command_is_refused_with_exit_code_1_and_the_cure(tmp_path, holder, cli):
    done = cli("--db", f"sqlite:///{tmp_path / 'held.db'}", "--lock-wait", "0", "jobs", "list")
    assert done.returncode == 1, done
    assert f"is in use by process {holder.pid}" in done.stderr
    assert "--lock-wait" in done.stderr
    assert "Traceback" not in done.stderr


def of_another_program(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (x)")


def of_another_kind(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def put_back_an_older_copy(path: Path) -> None:
    path.write_bytes(path.with_suffix(".old").read_bytes())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (of_another_kind, "is not a SQLite database"),
        (emptied, "is an empty file"),
        (removed, "is missing, though change 20 was recorded in it"),
        (cut_short, "is cut short|is damaged"),
        (put_back_an_older_copy, "ends at change 10, but change 20 was recorded in it"),
    ],
)
def test_a_database_that_lost_what_was_acknowledged_is_refused_and_not_replaced(tmp_path, damage, message):
    path = tmp_path / "story.db"

    async def write(names):
        async with open_now(path) as app:
            for name in names:
                await app.objects("demo.thing").create(pk=str(name), text="x" * 5000)

    asyncio.run(write(range(10)))
    path.with_suffix(".old").write_bytes(path.read_bytes())
    asyncio.run(write(range(10, 20)))
    damage(path)
    left = path.read_bytes() if path.exists() else None
    with pytest.raises(DatabaseRefused, match=message):
        asyncio.run(write([99]))
    assert (path.read_bytes() if path.exists() else None) == left


def test_a_database_of_another_program_is_refused_and_left_as_it_was(tmp_path):
    path = tmp_path / "theirs.db"
    of_another_program(path)
    before = path.read_bytes()

    async def look():
        async with open_now(path):
            pass

    with pytest.raises(DatabaseRefused, match="belongs to another program"):
        asyncio.run(look())
    assert path.read_bytes() == before
