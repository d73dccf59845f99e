"""Which daemon a command asks, and what it says when that cannot be."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.api.served import Started
from tests.cli.conftest import LAB_SETTINGS, Beside, Command
from tests.command_line import CommandLine, clean_env


@pytest.fixture
def way() -> str:
    return "daemon"


def the_one_error(done: Any) -> str:
    """What a command says that failed: one line, and nothing on standard output."""
    assert (done.code, done.out, len(done.err.splitlines())) == (1, "", 1), done
    return str(done.err)


def test_commands_find_the_daemon_and_have_the_database_again_when_it_is_gone(
    run: Command, beside: Beside, lab_folder: Path
):
    run("jobs", "enable", "Ping")
    instance = lab_folder / "buttonhook.db.instance"
    assert instance.stat().st_mode & 0o777 == 0o600
    assert run("jobs", "show", "Ping", "--json").json()["enabled"]
    beside.stop()
    assert not instance.exists()
    assert run("jobs", "show", "Ping", "--json").json()["enabled"]


def test_the_file_of_a_killed_daemon_is_removed(run: Command, beside: Beside, lab_folder: Path):
    run("users", "groups", "add", "before")
    beside.started.process.kill()
    beside.started.process.wait(20)
    instance = lab_folder / "buttonhook.db.instance"
    assert instance.exists()
    assert run("users", "groups").rows() == [["before", ""]]
    assert not instance.exists()


def test_the_file_of_a_killed_daemon_is_not_believed_where_another_process_has_its_pid(
    run: Command, beside: Beside, lab_folder: Path, cli: CommandLine
):
    run("jobs", "enable", "Gate")
    beside.started.process.kill()
    beside.started.process.wait(20)
    instance = lab_folder / "buttonhook.db.instance"
    left = json.loads(instance.read_text())
    other = cli.start("objects", "put", "lab.gated", "g", "--create", "--set", "n=1", env=LAB_SETTINGS)
    assert other.stdout is not None
    assert other.stdout.readline().startswith("Created ")
    assert not instance.exists()
    instance.touch(0o600)
    instance.write_text(json.dumps({**left, "pid": other.pid}))
    told = the_one_error(run("--lock-wait", "0.1", "hooks", "list", code=1))
    assert told.startswith(f"Error: Database 'buttonhook.db' is in use by process {other.pid} (buttonhook objects put")


def test_an_instance_file_that_others_can_read_is_not_used(run: Command, beside: Beside, lab_folder: Path):
    assert beside.started
    (lab_folder / "buttonhook.db.instance").chmod(0o644)
    told = the_one_error(run("hooks", "list", code=1))
    assert "has an instance file that is open to others (mode 0644), so they may know its token" in told
    assert "Start the daemon anew." in told


def test_an_instance_file_that_is_none_is_not_believed(run: Command, beside: Beside, lab_folder: Path):
    assert beside.started
    instance = lab_folder / "buttonhook.db.instance"
    instance.write_text("{}")
    told = the_one_error(run("--lock-wait", "0.1", "hooks", "list", code=1))
    assert told.startswith("Error: Database 'buttonhook.db' is in use by process ")
    moved = lab_folder / "elsewhere"
    moved.write_text("{}")
    moved.chmod(0o600)
    instance.unlink()
    instance.symlink_to(moved)
    assert "Remove that file" in the_one_error(run("hooks", "list", code=1))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_an_instance_file_of_somebody_else_is_not_used(run: Command, beside: Beside, lab_folder: Path):
    assert beside.started
    os.chown(lab_folder / "buttonhook.db.instance", 12345, -1)
    told = the_one_error(run("hooks", "list", code=1))
    assert "has an instance file of user 12345, who does not own the database" in told


def test_a_command_waits_for_a_daemon_that_is_starting(run: Command, lab_folder: Path, beside: Beside):
    assert beside.started
    instance = lab_folder / "buttonhook.db.instance"
    hidden = lab_folder / "not yet"
    instance.rename(hidden)
    back = threading.Timer(0.3, hidden.rename, [instance])
    back.start()
    run("hooks", "list")
    back.join()


SERVES = {"litestar", "uvicorn", "jinja2", "buttonhook.http.application"}
OPENS = {"buttonhook.app", "buttonhook.cli.embedded", "aiosqlite", "yaml", "pygments"}


@pytest.mark.parametrize("way", ["embedded", "daemon"])
def test_a_command_loads_only_what_it_takes(run: Command, beside: Beside | None, way: str, lab_folder: Path):
    """So that it starts quickly: no server where it serves nothing, and no database where a daemon has it."""
    run("jobs", "enable", "Ping")
    call = "import sys; from buttonhook.cli.main import run_command; code = run_command(sys.argv[1:])"
    call += "; print(*sys.modules, file=sys.stderr); sys.exit(code)"
    for words in ("jobs list", "changes list", "objects list lab.rack", "objects put lab.rack r --create --set name=x"):
        command = [sys.executable, "-c", call, *words.split()]
        done = subprocess.run(command, cwd=lab_folder, env=clean_env(LAB_SETTINGS), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        loaded = set(done.stderr.split())
        assert "buttonhook.cli.running" in loaded
        assert loaded & (SERVES if beside is None else SERVES | OPENS) == set(), words


def test_a_user_whom_the_daemon_does_not_know_is_told_so(run: Command, beside: Beside):
    for command in ("jobs list", "plugins", "config", "users list"):
        told = the_one_error(run("--user", "zoë", *command.split(), code=1))
        assert told.startswith("Error: User 'zoë' is not known in this database. Add them as somebody who may:")


def test_a_job_that_the_daemon_has_not_loaded_yet_is_told_with_the_cure(run: Command, beside: Beside, lab_folder: Path):
    assert beside.started
    file = Path(LAB_SETTINGS["BUTTONHOOK_PLUGINS_DIR"]) / "late.py"
    (lab_folder / file).write_text("import buttonhook\n")
    told = run("--plugins-dir", "drafts", "jobs", "show", "Late", code=1).err
    assert "Warning: --plugins-dir is not used: a daemon does the work. Give it to: buttonhook serve" in told
    assert "Warning: Plugin late: It was installed after the start. Restart the daemon to load it." in told
    assert "Error: No job 'Late' exists." in told


# --- a daemon that is named -----------------------------------------------------------------------


@pytest.fixture
def elsewhere(run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run commands in a folder where there is nothing."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BUTTONHOOK_USER")
    monkeypatch.delenv("BUTTONHOOK_PLUGINS_DIR")
    return run


def test_a_named_daemon_lets_in_by_a_token_whose_user_acts(
    run: Command, beside: Beside, elsewhere: Command, monkeypatch
):
    monkeypatch.chdir("..")
    run("users", "add", "bob", "--user", "ann")
    run("--user", "ann", "users", "grant", "bob", "jobs.view_job", "jobs.change_job")
    token = run("--user", "ann", "users", "token", "bob").out.strip()
    monkeypatch.chdir("elsewhere")
    assert len(elsewhere("jobs", "list", "--server", beside.started.url, "--token", token).rows()) == 5
    monkeypatch.setenv("BUTTONHOOK_SERVER", beside.started.url)
    monkeypatch.setenv("BUTTONHOOK_TOKEN", token)
    assert elsewhere("jobs", "disable", "Note").out == "Disabled Note (lab_tools.Note)\n"
    denied = elsewhere("hooks", "list", code=1).err
    assert denied.startswith("Error: User 'bob' may not see job hooks: that needs jobs.view_jobhook.")
    shown = elsewhere("config", "--json").json()
    assert shown["token"] == {"value": "[redacted]", "origin": "environment BUTTONHOOK_TOKEN"}
    assert shown["server"]["value"] == beside.started.url
    assert not list(Path.cwd().iterdir()), "no database was made"


def test_a_named_daemon_that_cannot_be_asked_so_is_told(run: Command, beside: Beside, elsewhere: Command):
    wrong = elsewhere("--server", beside.started.url, "--token", "bh_wrong_token", "jobs", "list", code=1)
    told = the_one_error(wrong)
    assert "The token is unknown or expired, or its user is disabled. Make another there: buttonhook users" in told
    for args, words in (
        (["--server", beside.started.url], "Setting 'token' is not set"),
        (["--server", "ftp://x", "--token", "t"], "Write it as https://HOST or https://HOST:PORT."),
        (["--server", "https://h/path", "--token", "t"], "Write it as https://HOST"),
        (["--server", "http://example.com", "--token", "t"], "anybody on the way could read the token. Use https."),
        (["--server", beside.started.url, "--token", "t", "--user", "ann"], "the token says who acts"),
        (["--server", beside.started.url, "--token", "t", "--db", "sqlite:///x.db"], "has a database of its own"),
        (["--server", "https://localhost:1", "--token", "t", "--ca", "none.pem"], "which holds no certificates"),
    ):
        done = elsewhere(*args, "jobs", "list", code=2)
        assert words in done.err, done
        assert len(done.err.splitlines()) == 1
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
        told = the_one_error(elsewhere("--server", nobody, "--token", "t", "jobs", "list", code=1))
    assert told.startswith(f"Error: Daemon '{nobody}' cannot be reached: ")


def test_what_speaks_no_tls_is_told(run: Command, beside: Beside, elsewhere: Command):
    url = beside.started.url.replace("http:", "https:")
    told = the_one_error(elsewhere("--server", url, "--token", "t", "jobs", "list", code=1))
    assert told.startswith(f"Error: Daemon '{url}' cannot be reached: it does not speak TLS.")


def test_a_token_may_stand_in_a_file(run: Command, beside: Beside, elsewhere: Command, monkeypatch):
    monkeypatch.chdir("..")
    token = run("--user", "ann", "users", "token", "ann").out
    monkeypatch.chdir("elsewhere")
    Path("token").write_text(token)
    asked = ["--server", beside.started.url, "--token-file", "token"]
    assert len(elsewhere(*asked, "jobs", "list").rows()) == 5
    for content, args, words in (
        (token, ["--token", "t"], "is set beside 'token'"),
        ("", [], "which holds no token. Put the token into it, and nothing else."),
        ("two words", [], "holds no token"),
        ("\xff", [], "holds no token"),
        (None, [], "which cannot be read: No such file or directory"),
    ):
        Path("token").unlink()
        if content is not None:
            Path("token").write_text(content, encoding="latin-1")
        done = elsewhere(*asked, *args, "jobs", "list", code=2)
        assert words in done.err
        assert token.strip() not in done.err
        Path("token").touch()


# --- what is no daemon of ours --------------------------------------------------------------------


@contextmanager
def other_server(*answers: tuple[int, str, bytes]) -> Iterator[str]:
    """Something that speaks HTTP and gives these answers, one a request, then closes."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not left:
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, media_type, body = left.pop(0)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("X-Request-Id", "1")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


ME = {"name": "ann", "is_owner": True, "is_disabled": False, "permissions": [], "scopes": None, "version": "9.9.0"}


@pytest.mark.parametrize("way", ["embedded"])
@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (
            [(200, "text/html", b"<h1>It works</h1>")],
            "answers with status 200 and 'text/html'. Check that a Buttonhook",
        ),
        ([(502, "text/html", b"<h1>Bad gateway</h1>")], "answers with status 502 and 'text/html'. Check that a"),
        ([(200, "application/json", b"not JSON")], "answers what this command cannot read"),
        ([(200, "application/json", b'{"name": "ann"}')], "use the version of the daemon"),
        ([(200, "application/json", json.dumps(ME).encode())], "is version 9.9.0, and this command version "),
        ([], "went away in the middle of the answer"),
    ],
)
def test_an_answer_that_is_none_is_told(run: Command, answers: list[Any], words: str, monkeypatch):
    monkeypatch.delenv("BUTTONHOOK_USER")
    with other_server(*answers) as url:
        told = the_one_error(run("--server", url, "--token", "t", "jobs", "list", code=1))
    assert told.startswith(f"Error: Daemon '{url}' ")
    assert words in told


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody vouches for, for a name that is not that of this machine, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    for name, host in (("daemon", "buttonhook.example"), ("other", "localhost")):
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
                *("-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.crt"), "-days", "2"),
                *("-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host},IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
    return folder


@pytest.mark.parametrize("way", ["embedded"])
def test_a_local_daemon_is_known_by_its_certificate_and_a_remote_one_by_who_vouches_for_it(
    run: Command, cli: CommandLine, certificate: Path, lab_folder: Path, monkeypatch
):
    files = ["--tls-cert", str(certificate / "daemon.crt"), "--tls-key", str(certificate / "daemon.key")]
    daemon = Started(cli.start("serve", "--port", "0", "--grace", "0", *files, env=LAB_SETTINGS))
    assert daemon.url.startswith("https://")
    run("jobs", "enable", "Ping")
    token = run("users", "token", "ann").out.strip()

    instance = lab_folder / "buttonhook.db.instance"
    told = json.loads(instance.read_text())
    told["fingerprint"] = "0" * 64
    instance.write_text(json.dumps(told))
    assert "shows another certificate than its instance file tells of" in the_one_error(run("jobs", "list", code=1))

    monkeypatch.delenv("BUTTONHOOK_USER")
    asked = ["--server", daemon.url, "--token", token]
    assert "cannot be reached: " in the_one_error(run(*asked, "jobs", "list", code=1)), "nobody vouches for it"
    assert run(*asked, "--ca", str(certificate / "daemon.crt"), "jobs", "list").rows()
    refused = run(*asked, "--ca", str(certificate / "other.crt"), "jobs", "list", code=1)
    assert "certificate verify failed" in the_one_error(refused)
    assert "Give the certificates that vouch for it with --ca FILE" in refused.err
    plain = ["--server", daemon.url.replace("https:", "http:"), "--token", token]
    assert "where it speaks TLS its address begins with https:" in the_one_error(run(*plain, "jobs", "list", code=1))
