"""`buttonhook serve` as a process: it starts only where that is safe, is found, stops in time and loses nothing."""

import contextlib
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.api.served import CERTIFICATES, PASSWORD, Started
from tests.command_line import CommandLine

Start = Callable[..., Started]

PLUGIN = """
import asyncio
import time
from pathlib import Path

from buttonhook import JobHookReceiver, hookimpl, register_jobs


class Slow(JobHookReceiver):
    class Meta:
        object_types = ["lab.slow"]

    async def receive_job_hook(self, change, action, changed_object):
        Path("begun").touch()
        while not Path("gate").exists():
            await asyncio.sleep(0.02)


class Deaf(JobHookReceiver):
    class Meta:
        object_types = ["lab.deaf"]

    async def receive_job_hook(self, change, action, changed_object):
        Path("begun").touch()
        while True:
            try:
                await asyncio.sleep(60)
            except BaseException:
                pass


class Stuck(JobHookReceiver):
    class Meta:
        object_types = ["lab.stuck"]

    def receive_job_hook(self, change, action, changed_object):
        Path("begun").touch()
        time.sleep(600)


@hookimpl
def buttonhook_object_types():
    return ["lab.slow", "lab.deaf", "lab.stuck"]


register_jobs(Slow, Deaf, Stuck)
"""
LAB = {"BUTTONHOOK_ALLOWED_PLUGINS": "none", "BUTTONHOOK_PLUGINS_DIR": "plugins", "BUTTONHOOK_USER": "ann"}


@pytest.fixture
def folder(cli: CommandLine) -> Path:
    (cli.folder / "plugins").mkdir()
    (cli.folder / "plugins" / "lab.py").write_text(PLUGIN)
    return cli.folder


def instance_of(folder: Path) -> dict[str, str]:
    return dict(json.loads((folder / "buttonhook.db.instance").read_text()))


def local_client(folder: Path) -> httpx.Client:
    told = instance_of(folder)
    headers = {"Authorization": f"Bearer {told['token']}"}
    return httpx.Client(base_url=told["url"], headers=headers, trust_env=False, timeout=20, verify=CERTIFICATES)


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has a file open."""
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            if each.readlink() == path:
                return True
    return False


def wait_for(path: Path) -> None:
    until = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < until, f"{path.name} never came"
        time.sleep(0.01)


def wait_for_refusal(folder: Path) -> None:
    with local_client(folder) as client:
        while True:
            try:
                client.get("/healthz")
            except httpx.TransportError:
                return


def begin_run(folder: Path, job: str) -> None:
    """Have the daemon run a job."""
    with local_client(folder) as client:
        assert client.post(f"/api/jobs/{job}/enable").status_code == 200
        put = client.put(f"/api/objects/lab.{job.lower()}/a", json={"n": 1})
        assert put.status_code == 201, put.text
    wait_for(folder / "begun")


def test_the_set_up_link_makes_the_first_owner_who_then_has_a_token_and_reads(cli: CommandLine, daemon: Start):
    started = daemon()
    with httpx.Client(base_url=started.url, trust_env=False) as client:
        body = {"code": started.set_up_code(), "name": "ann", "password": PASSWORD}
        me = client.post("/api/setup", json=body).json()
        client.headers["X-CSRF-Token"] = me["csrf_token"]
        token = client.post("/api/tokens", json={"days": 1}).json()["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{started.url}/api/me", headers=bearer, trust_env=False).json()["name"] == "ann"
    started.process.terminate()
    assert started.process.wait(20) == 0
    again = daemon()
    assert "Nobody can log in" not in again.told
    assert httpx.get(f"{again.url}/api/me", headers=bearer, trust_env=False).json()["name"] == "ann"
    again.process.terminate()
    assert "Nobody can log in" not in again.rest()


def test_the_instance_file_is_its_owners_alone_and_gone_after_the_stop(cli: CommandLine, daemon: Start):
    before = os.umask(0)
    try:
        started = daemon()
    finally:
        os.umask(before)
    path = cli.folder / "buttonhook.db.instance"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = instance_of(cli.folder)
    assert (told["url"], told["pid"], told["fingerprint"]) == (started.url, started.process.pid, "")
    with local_client(cli.folder) as client:
        me = client.get("/api/me").json()
        assert (me["kind"], me["is_owner"]) == ("local", True)
        assert client.post("/api/users", json={"name": "bob"}).status_code == 201
        assert client.get("/api/me", headers={"Buttonhook-User": "bob"}).json()["is_owner"] is False
        assert client.get("/api/me", headers={"Buttonhook-User": "nobody"}).status_code == 401
    assert [each for each in cli.folder.iterdir() if stat.S_IMODE(each.stat().st_mode) & 0o077] == []
    started.process.send_signal(signal.SIGINT)
    assert started.process.wait(20) == 0
    assert not path.exists()


def test_a_killed_daemons_instance_file_is_replaced(cli: CommandLine, daemon: Start):
    first = daemon()
    left = instance_of(cli.folder)
    first.process.kill()
    first.process.wait()
    assert instance_of(cli.folder) == left
    daemon()
    assert instance_of(cli.folder)["boot_id"] != left["boot_id"]


def test_a_stop_lets_what_runs_end_and_begins_nothing(folder: Path, cli: CommandLine, daemon: Start):
    started = daemon("--grace", "20", env=LAB)
    begin_run(folder, "Slow")
    started.process.terminate()
    wait_for_refusal(folder)
    (folder / "gate").touch()
    assert started.process.wait(10) == 0
    (result,) = cli("results", "list", "--json", env=LAB).json()
    assert (result["status"], result["attempt"]) == ("success", 1)


@pytest.mark.parametrize("job", ["Slow", "Deaf", "Stuck"])
def test_what_does_not_end_in_the_grace_is_cut_off_and_its_attempt_is_not_counted(
    folder: Path, cli: CommandLine, daemon: Start, job: str
):
    started = daemon("--grace", "1", env=LAB)
    begin_run(folder, job)
    began = time.monotonic()
    started.process.terminate()
    assert started.process.wait(20) == 0
    assert time.monotonic() - began < 3
    (result,) = cli("results", "list", "--json", env=LAB).json()
    assert (result["crashes"], result["failures"]) == (0, 0)
    assert result["status"] in ("pending", "started")


def test_a_second_signal_ends_the_grace(folder: Path, cli: CommandLine, daemon: Start):
    started = daemon("--grace", "60", env=LAB)
    begin_run(folder, "Slow")
    began = time.monotonic()
    started.process.terminate()
    assert started.process.stderr is not None
    while "Stopping" not in started.process.stderr.readline():
        pass
    started.process.terminate()
    assert started.process.wait(20) == 0
    assert time.monotonic() - began < 3
    (result,) = cli("results", "list", "--json", env=LAB).json()
    assert (result["status"], result["crashes"]) == ("pending", 0)


def test_a_stop_while_it_waits_for_the_database_ends_it(cli: CommandLine, daemon: Start):
    daemon()
    second = cli.start("serve", "--port", "0", "--lock-wait", "60")
    lock = cli.folder / "buttonhook.db.lock"
    until = time.monotonic() + 20
    while True:
        if has_open(second.pid, lock):
            break
        assert time.monotonic() < until
        time.sleep(0.01)
    second.terminate()
    assert second.wait(5) == 0


def test_two_daemons_do_not_serve_one_database(cli: CommandLine, daemon: Start):
    first = daemon()
    second = cli("serve", "--port", "0", "--lock-wait", "0.1")
    assert second.returncode == 1
    (told,) = second.stderr.splitlines()
    assert f"Database 'buttonhook.db' is in use by process {first.process.pid} (buttonhook serve" in told
    assert instance_of(cli.folder)["url"] == first.url
    assert httpx.get(f"{first.url}/readyz", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--host", "0.0.0.0"), "which other machines reach. Give a certificate"),
        (("--host", "0.0.0.0", "--proxy", "127.0.0.1"), "No owner can log in yet"),
        (("--host", "192.0.2.1"), "cannot be listened on"),
        (("--host", "no such host"), "Setting 'host'"),
        (("--proxy", "here"), "Write addresses or networks"),
        (("--tls-cert", "missing.pem"), "which cannot be used"),
        (("--tls-key", "missing.pem"), "is set without a certificate"),
        (("--port", "70000"), "It must be at most 65535"),
        (("--grace", "-1"), "It must be at least 0"),
        (("--log-format", "xml"), "Setting 'log_format'"),
    ],
)
def test_it_does_not_start_where_that_is_not_safe_or_cannot_be(cli: CommandLine, words: tuple[str, ...], told: str):
    done = cli("serve", "--port", "0", *words, timeout_seconds=30)
    assert done.returncode == 2, done
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_told_with_the_cure(cli: CommandLine):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = cli("serve", "--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "Choose another one with --port" in done.stderr
    assert not (cli.folder / "buttonhook.db").exists()


def test_over_tls_it_is_reached_from_elsewhere_with_a_cookie_bound_to_it(cli: CommandLine, daemon: Start):
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -keyout key.pem -out cert.pem "
    words += "-subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    made = subprocess.run(["openssl", *words.split()], cwd=cli.folder, capture_output=True)
    assert made.returncode == 0, made.stderr
    assert cli("users", "add", "boss", "--owner", "--password-stdin", stdin=PASSWORD + "\n").returncode == 0
    started = daemon("--host", "0.0.0.0", "--tls-cert", "cert.pem", "--tls-key", "key.pem")
    assert started.url.startswith("https://127.0.0.1:")
    shown = subprocess.run(
        ["openssl", "x509", "-in", "cert.pem", "-noout", "-fingerprint", "-sha256"],
        cwd=cli.folder,
        capture_output=True,
        text=True,
    ).stdout
    assert instance_of(cli.folder)["fingerprint"] == shown.partition("=")[2].strip().replace(":", "").lower()
    context = ssl.create_default_context(cafile=str(cli.folder / "cert.pem"))
    with httpx.Client(base_url=started.url, verify=context, trust_env=False) as client:
        answer = client.post("/api/login", json={"name": "boss", "password": PASSWORD})
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Host-buttonhook=")
        assert "secure" in cookie.lower()
        assert answer.headers["strict-transport-security"] == "max-age=31536000"


def test_what_a_proxy_says_is_believed_of_a_trusted_one_only(cli: CommandLine, daemon: Start):
    forwarded = {"X-Forwarded-For": "192.0.2.9", "X-Forwarded-Proto": "https"}
    for words, address in (((), "127.0.0.1"), (("--proxy", "127.0.0.0/8"), "192.0.2.9")):
        started = daemon(*words)
        with local_client(cli.folder) as client:
            body = {"name": "nobody", "password": "x"}
            nobody = httpx.post(f"{started.url}/api/login", json=body, headers=forwarded, trust_env=False)
            assert nobody.status_code == 401
            assert ("strict-transport-security" in nobody.headers) is (address != "127.0.0.1")
            entries = [{"request_id": ""}]
            while entries[0]["request_id"] != nobody.headers["x-request-id"]:  # it is written beside the answer
                found = client.get("/api/audit", params={"kind": "login_failed"}).json()["items"]
                entries = found or entries
        assert entries[0]["address"] == address
        started.process.terminate()
        assert started.process.wait(20) == 0


def test_its_log_is_json_where_that_is_asked_for_and_no_text_can_forge_a_line(cli: CommandLine):
    process = cli.start("serve", "--port", "0", "--log-format", "json")
    assert process.stderr is not None
    told = json.loads(process.stderr.readline())
    assert (told["level"], told["logger"]) == ("info", "buttonhook.daemon")
    assert told["message"].startswith("Serving ")
    process.stderr.readline()
    process.terminate()
    lines = [json.loads(line) for line in process.stderr.read().splitlines()]
    assert [each["message"] for each in lines] == ["Stopping"]
    assert process.wait(20) == 0
