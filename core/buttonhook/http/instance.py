"""The instance file beside the database: how the command line finds the daemon that has it.

Only the file's owner can read it (0600): its token lets in as the daemon's own user. It is written as a whole and
removed at the stop. One that a killed daemon left is stale: the database's lock is free then.
"""

import hashlib
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec
from msgspec import Struct


class Instance(Struct, frozen=True, kw_only=True):
    """A running daemon. `fingerprint` is SHA-256 of its certificate, in hexadecimal; empty: no TLS."""

    url: str
    pid: int
    boot_id: str
    holder: str
    """As the lock of the database says, whose it is."""
    token: str
    fingerprint: str = ""


def instance_path(database: Path) -> Path:
    """Where a database's instance file is."""
    return database.with_name(f"{database.name}.instance")


def find_instance(database: Path) -> Instance | None:
    """What the file says, None where there is none or it says nothing. Whether the daemon lives is not looked at."""
    try:
        return msgspec.json.decode(instance_path(database).read_bytes(), type=Instance)
    except (OSError, msgspec.MsgspecError, ValueError):
        return None


@contextmanager
def announced(database: Path, instance: Instance) -> Iterator[None]:
    """Keep the instance file for as long as the block lasts."""
    path = instance_path(database)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.fchmod(fd, 0o600)  # whatever the umask
        os.write(fd, msgspec.json.encode(instance))
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(path)
    try:
        yield
    finally:
        found = find_instance(database)
        if found is not None and found.boot_id == instance.boot_id:
            with suppress(OSError):
                path.unlink()


def fingerprint_of(certificate: Path) -> str:
    """SHA-256 of the first certificate in a PEM file."""
    text = certificate.read_text(encoding="ascii")
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    first = f"{begin}{text.partition(begin)[2].partition(end)[0]}{end}\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
