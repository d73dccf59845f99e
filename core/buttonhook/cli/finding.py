"""Whether a command asks a daemon, and which: the one that is named, or the one that has the database.

The daemon that has a database wrote where it is into the instance file beside it. That file is believed only while the
process that wrote it holds the database's lock, and only where nobody but its owner could have written or read it.
"""

import asyncio
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from buttonhook.errors import DaemonError, SettingsError
from buttonhook.http.instance import Instance, find_instance, instance_path
from buttonhook.settings import LoadedSettings, Settings
from buttonhook.stores.sqlite.lock import find_holder, while_free

POLL_SECONDS: Final = 0.05
SCHEMES: Final = ("http", "https")
MOST_TOKEN_BYTES: Final = 1000


class Place(Struct, frozen=True, kw_only=True):
    """Where a daemon is, and by what it lets in.

    `fingerprint`: of the one certificate that is believed; empty: what the system trusts, and `ca`. `is_local`: the
    token is the instance file's, and the command says for whom it acts.
    """

    url: str
    token: str
    is_local: bool
    fingerprint: str = ""
    ca: str | None = None


class Found(Struct, frozen=True):
    """The daemon to be asked, or none; then `lock_wait` is what is left of the time to wait for the database."""

    place: Place | None
    lock_wait: float


async def find_daemon(loaded: LoadedSettings, *, waits: bool = True) -> Found:
    """The daemon that a command is to ask, if there is one. With `waits` one that is starting is waited for.

    Raises:
        SettingsError, DaemonError: it cannot be asked so.
    """
    settings = loaded.values
    if settings.server is not None:
        return Found(_named(loaded), settings.lock_wait)
    database = settings.database_path
    began = time.monotonic()
    while (holder := find_holder(database)) is not None:
        instance = find_instance(database) if _is_ours(database) else None
        if instance is not None and instance.holder == holder.holder != "":
            return Found(_of_instance(instance), settings.lock_wait)
        if not waits or time.monotonic() - began >= settings.lock_wait:
            return Found(None, 0)
        await asyncio.sleep(POLL_SECONDS)
    with suppress(OSError):  # what cannot be removed is not believed either
        while_free(database, lambda: instance_path(database).unlink(missing_ok=True))  # a killed daemon's
    return Found(None, max(0.0, settings.lock_wait - (time.monotonic() - began)))


def _of_instance(instance: Instance) -> Place:
    return Place(url=instance.url, token=instance.token, is_local=True, fingerprint=instance.fingerprint)


def _is_ours(database: Path) -> bool:
    """Whether there is an instance file that can be believed.

    Raises:
        DaemonError: there is one that cannot.
    """
    path = instance_path(database)
    try:
        found = path.lstat()
        owner = database.stat().st_uid
    except OSError:
        return False
    name = str(path)
    if not stat.S_ISREG(found.st_mode) or found.st_uid not in (os.geteuid(), owner, 0):
        problem = f"has an instance file of user {found.st_uid}, who does not own the database"
        raise DaemonError(name, problem, "Remove that file, and start the daemon anew.")
    if found.st_mode & 0o077:
        mode = f"{stat.S_IMODE(found.st_mode):04o}"
        problem = f"has an instance file that is open to others (mode {mode}), so they may know its token"
        raise DaemonError(name, problem, "Start the daemon anew.")
    if not os.access(path, os.R_OK):
        problem = f"has an instance file that its owner alone can read (user {found.st_uid})"
        raise DaemonError(name, problem, "Act as that user, or ask the daemon with --server URL and a token.")
    return True


def _named(loaded: LoadedSettings) -> Place:
    """The daemon of the setting `server`.

    Raises:
        SettingsError: it cannot be asked so.
    """
    settings = loaded.values
    url = check_url(settings, loaded.origins["server"])
    for name in ("db", "user"):
        if loaded.origins[name] == "flag":
            why = "the token says who acts" if name == "user" else "the daemon has a database of its own"
            raise SettingsError(name, f"is given beside a server, but {why}", "flag", "Leave one of the two out.")
    token = settings.token if settings.token_file is None else _token_of(loaded)
    if not token:
        cure = "Make one there: buttonhook users token NAME. Give it as BUTTONHOOK_TOKEN, or in a file by --token-file."
        raise SettingsError("token", f"is not set, and {url} asks for one", "", cure)
    return Place(url=url, token=token, is_local=False, ca=settings.ca)


def _token_of(loaded: LoadedSettings) -> str:
    """What the file of the token holds.

    Raises:
        SettingsError: it holds none.
    """
    settings, origin = loaded.values, loaded.origins["token_file"]
    if settings.token is not None:
        raise SettingsError("token_file", "is set beside 'token'", origin, "Leave one of the two out.")
    try:
        with Path(settings.token_file or "").open("rb") as file:
            text = file.read(MOST_TOKEN_BYTES + 1).decode("ascii").strip()
    except OSError as exc:
        problem = f"is {settings.token_file!r}, which cannot be read: {exc.strerror}"
        raise SettingsError("token_file", problem, origin) from exc
    except UnicodeDecodeError:
        text = ""
    if not text.isprintable() or not text or " " in text or len(text) > MOST_TOKEN_BYTES:
        problem = f"is {settings.token_file!r}, which holds no token"
        raise SettingsError("token_file", problem, origin, "Put the token into it, and nothing else.")
    return text


def check_url(settings: Settings, origin: str) -> str:
    """The address of the server, without a path.

    Raises:
        SettingsError: it is none, or would carry the token in the open.
    """
    given = settings.server or ""
    try:
        parts = urlsplit(given)
        fits = parts.scheme in SCHEMES and bool(parts.hostname) and parts.path in ("", "/")
        fits = fits and not (parts.query or parts.fragment or parts.username) and (parts.port or 1) > 0
    except ValueError:
        fits = False
    if not fits:
        raise SettingsError("server", f"is {given!r}", origin, "Write it as https://HOST or https://HOST:PORT.")
    if parts.scheme == "http" and not _is_this_machine(parts.hostname or ""):
        raise SettingsError("server", f"is {given!r}: anybody on the way could read the token", origin, "Use https.")
    return given.rstrip("/")


def _is_this_machine(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
