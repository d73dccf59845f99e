"""The demo's daemon: a process that prints where it is and who may log in, has an hour of life, and leaves nothing."""

import re
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx

from buttonhook.cli.demo_past import CONFIG_TIMES, TIMES, Spell, move_back
from buttonhook.stores.sqlite.store import SqliteStore
from tests.command_line import CommandLine


def test_the_demo_serves_an_hour_of_life_to_two_logins_and_leaves_nothing(cli: CommandLine):
    place = cli.folder / "tmp"
    place.mkdir()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        process = cli.start("demo", "--port", str(port), env={"TMPDIR": str(place)})
        assert process.stdout is not None
        told = ""
        while "Ctrl-C" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
    url = re.search(r"runs at (\S+)", told)
    passwords = dict(re.findall(r"log in as (\w+) +with (\S+)", told))
    assert url is not None
    assert f"port {port} is taken" in told
    assert not url[1].endswith(f":{port}")
    for name, sees_people in (("admin", 200), ("olga", 403)):
        with httpx.Client(base_url=url[1], trust_env=False, timeout=20) as browser:
            assert browser.post("/api/login", json={"name": name, "password": passwords[name]}).status_code == 200
            assert "Failed lately" in browser.get("/").text
            assert browser.get("/users").status_code == sees_people
            if name == "admin":
                results = browser.get("/api/job-results?limit=200").json()["items"]
                plugins = browser.get("/api/plugins").json()["items"]
    assert {each["status"] for each in results} >= {"success", "failure", "started", "pending"}
    assert [each["name"] for each in plugins if each["state"] == "broken"] == ["sync_inventory"]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "its database is gone" in rest
    assert list(place.iterdir()) == []


def test_a_demo_that_is_stopped_while_it_is_made_leaves_nothing(cli: CommandLine):
    place = cli.folder / "tmp"
    place.mkdir()
    process = cli.start("demo", "--port", "0", env={"TMPDIR": str(place)})
    while not list(place.glob("*/demo.db")):
        assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    told, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (0, "")
    assert "its database is gone" in told
    assert list(place.iterdir()) == []


async def test_every_time_that_the_store_keeps_can_be_moved_back(tmp_path: Path):
    async with SqliteStore(tmp_path / "x.db").open():
        pass
    with closing(sqlite3.connect(tmp_path / "x.db")) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        columns = {
            (table, each[1])
            for table in tables
            for each in connection.execute(f"PRAGMA table_info({table})")
            if each[1].endswith("_at") or each[1] == "time"
        }
    known = {(table, name) for table, names in TIMES for name in names} | {("receipt", "recorded_at")}
    assert columns == known
    assert "edited_at" in CONFIG_TIMES
    move_back(tmp_path / "x.db", [Spell(0, 0, 1.0)])
