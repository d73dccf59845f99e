"""The daemon's own log, on standard error: a line each, as text or as JSON. What jobs log is in the jobs' logs.

Secrets are redacted, and no text can forge a line: what is not printable is shown by its code.
"""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from buttonhook import times
from buttonhook.capture import current_capture
from buttonhook.cli.context import Cli
from buttonhook.ids import Microseconds


@contextmanager
def logging_daemon(cli: Cli, form: str) -> Iterator[None]:
    """Write log records in the daemon's form, in the place of the command line's warnings."""
    handler = _DaemonLog(cli, is_json=form == "json")
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [handler]
    quiet = logging.getLogger("uvicorn.error")
    level = quiet.level
    quiet.setLevel(logging.WARNING)
    try:
        yield
    finally:
        root.handlers[:] = before
        quiet.setLevel(level)


class _DaemonLog(logging.Handler):
    def __init__(self, cli: Cli, *, is_json: bool) -> None:
        super().__init__(logging.INFO)
        self._cli, self._is_json = cli, is_json

    def emit(self, record: logging.LogRecord) -> None:
        if current_capture.get() is not None:
            return
        try:
            line = self._as_json(record) if self._is_json else self._as_text(record)
            self._cli.out.stderr.write(line + "\n")
            self._cli.out.stderr.flush()
        except Exception:  # noqa: BLE001 - as logging does: a line that cannot be written ends nothing
            self.handleError(record)

    def _told(self, text: str) -> str:
        return self._cli.out.redactor.redact(text)

    def _as_text(self, record: logging.LogRecord) -> str:
        message = _on_one_line(self._told(record.getMessage()))
        lines = [f"{_time(record)} {record.levelname.lower()} {record.name}: {message}"]
        lines.extend(f"  {_on_one_line(each)}" for each in _trace(record, self._told).splitlines())
        return "\n".join(lines)

    def _as_json(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self._told(record.getMessage()),
        }
        trace = _trace(record, self._told)
        if trace:
            told["traceback"] = trace
        text = msgspec.json.encode({name: str(each).encode("utf-8", "replace").decode() for name, each in told.items()})
        return text.decode()


def _time(record: logging.LogRecord) -> str:
    return times.to_text(Microseconds(int(record.created * 1_000_000)))


def _trace(record: logging.LogRecord, told: Any) -> str:
    if not record.exc_info or record.exc_info[1] is None:
        return ""
    return str(told("".join(traceback.format_exception(record.exc_info[1]))))


def _on_one_line(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)
