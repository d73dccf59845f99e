"""The secrets of sources: where each stands, read when it is asked for, and known to the redaction.

One that stands in a file is read again when the file was changed. The files of the database are never opened here: to
close one again would drop the locks that SQLite holds on it.
"""

import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from buttonhook.errors import RecordConflict
from buttonhook.people import SourceRecord
from buttonhook.redaction import Redactor

PREFIX: Final = "bhs_"
MIN_LENGTH: Final = 16
MOST_BYTES: Final = 4096
_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}\Z")
_SETTINGS: Final = "BUTTONHOOK_"
_Stamp = tuple[int, int, int, int]


def new_secret() -> str:
    """A secret of 256 random bits, recognisable by its prefix."""
    return f"{PREFIX}{secrets.token_urlsafe(32)}"


class SourceSecrets:
    """Gives the secret of a source."""

    def __init__(self, redactor: Redactor, database: Path, environ: Mapping[str, str] | None = None) -> None:
        self._redactor = redactor
        self._database = database
        self._environ = os.environ if environ is None else environ
        self._files: dict[str, tuple[_Stamp, bytes]] = {}

    def get(self, source: SourceRecord) -> bytes:
        """The secret, from now on redacted wherever it stands.

        Raises:
            RecordConflict: it is not where it should be, or is none; the message does not hold it.
        """
        if source.secret_file:
            return self._from_file(source, source.secret_file)
        if not source.secret_variable:
            self._register(source, source.secret)
            return source.secret.encode()
        name = source.secret_variable
        if not _VARIABLE.match(name) or name.startswith(_SETTINGS):
            raise _error(source, f"cannot have its secret in the variable {name!r}", "Choose another name for it.")
        text = self._environ.get(name)
        if text is None:
            raise _error(source, f"has its secret in the variable {name!r}, which is not set")
        self._register(source, text)
        return text.encode("utf-8", "surrogateescape")

    def _from_file(self, source: SourceRecord, named: str) -> bytes:
        try:
            found = os.stat(named)  # noqa: PTH116 - the whole of it is compared
            if not stat.S_ISREG(found.st_mode) or self._is_database(found):
                raise _error(source, f"names {named!r} as the file of its secret, which cannot be one")
            stamp = (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size)
            known = self._files.get(named)
            if known is not None and known[0] == stamp:
                return known[1]
            with Path(named).open("rb") as file:
                raw = file.read(MOST_BYTES + 1)
            text = raw.decode("utf-8")
        except (OSError, ValueError) as exc:
            why = exc.strerror if isinstance(exc, OSError) else "it is no text in UTF-8"
            raise _error(source, f"names {named!r} as the file of its secret, which cannot be read: {why}") from None
        if len(raw) > MOST_BYTES:
            raise _error(source, f"names {named!r} as the file of its secret, which holds more than {MOST_BYTES} bytes")
        text = text.removesuffix("\n").removesuffix("\r")
        self._register(source, text)
        self._files[named] = stamp, text.encode()
        return text.encode()

    def _is_database(self, found: os.stat_result) -> bool:
        for ending in ("", "-wal", "-shm", "-journal", ".lock"):
            path = self._database.with_name(f"{self._database.name}{ending}")
            if path.exists() and os.path.samestat(found, path.stat()):
                return True
        return False

    def _register(self, source: SourceRecord, text: str) -> None:
        if len(text) < MIN_LENGTH:
            raise _error(source, f"has a secret of fewer than {MIN_LENGTH} characters", "Use a longer one.")
        if self._redactor.redact(text) == text:
            try:
                self._redactor.register(text)
            except ValueError as exc:
                raise _error(source, f"has a secret that cannot be used: {exc}") from None


def _error(source: SourceRecord, problem: str, cure: str = "") -> RecordConflict:
    return RecordConflict("source", source.name, problem, cure)
