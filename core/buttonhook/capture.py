"""Capture: every log record made inside a job lands in that job's log, in order.

The job is found by a ContextVar, so child tasks belong to it by themselves; while an App is open threads and thread
pools started inside a job carry it too, loggers that do not propagate are heard, and `warnings` are taken as lines.
The host's handlers, levels and filters stay as they are: records are seen on their way to the handlers.
"""

import contextvars
import logging
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures.thread import _worker as _pool_worker
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from buttonhook.documents import clean
from buttonhook.ids import LogLevel, now
from buttonhook.objects.keys import MAX_PK_LENGTH
from buttonhook.receivers.logger import format_exc_info, record_text
from buttonhook.records import JobLogEntry
from buttonhook.redaction import Redactor

MAX_LINES: Final = 10_000
MAX_BYTES: Final = 1_000_000
MAX_MESSAGE: Final = 64_000
MAX_GROUPING: Final = 100
MAX_REPR: Final = 200
MAX_LOGGER: Final = 200
NOTE_LOGGER: Final = "buttonhook.capture"
REFUSAL_SEQ: Final = 999_999_999
_OWN: Final = "buttonhook"
_NOTHING: Final = ("", "", "")

current_capture: ContextVar["JobCapture | None"] = ContextVar("buttonhook_capture", default=None)

_log = logging.getLogger(NOTE_LOGGER)


class JobCapture:
    """The log of one attempt: a sink for lines from any thread, drained by the dispatcher.

    Half of each cap is kept from the beginning and half from the end; a line between them says how much was dropped.
    Secrets are redacted before anything is cut, so that no cut lays half of one open.
    """

    __slots__ = (
        *("_bytes_left", "_is_closed", "_lines_left", "_lock", "_ready", "_seq", "_tail", "attempt", "level"),
        *("max_bytes", "max_lines", "number", "redactor"),
    )

    def __init__(
        self,
        number: int,
        attempt: int,
        level: int,
        max_lines: int = MAX_LINES,
        max_bytes: int = MAX_BYTES,
        redactor: Redactor | None = None,
    ) -> None:
        self.number = number
        self.attempt = attempt
        self.level = level
        self.max_lines = max_lines
        self.max_bytes = max_bytes
        self.redactor = redactor or Redactor()
        self._lock = threading.Lock()
        self._seq = 0
        self._lines_left = max_lines // 2
        self._bytes_left = max_bytes // 2
        self._ready: list[JobLogEntry] = []
        self._tail: _Tail | None = None
        """What came when the beginning was full."""
        self._is_closed = False

    def add(self, level: int, message: str, grouping: str, about: object, logger: str) -> None:
        """Take one line, from any thread. Lines that come after the end are told to the daemon's own log."""
        redactor = self.redactor
        text = self.redact(message)
        if len(text) > MAX_MESSAGE:
            text = f"{text[:MAX_MESSAGE]}... ({max(len(message), len(text)) - MAX_MESSAGE:,} characters cut)"
        subject = _NOTHING
        if about is not None:
            object_type, object_pk, name = describe(about)
            subject = (object_type, object_pk, redactor.head(name, MAX_REPR)[:MAX_REPR])
        logger = redactor.label(logger)[:MAX_LOGGER] if logger else ""
        self._take(LogLevel.at_most(level), text, redactor.label(grouping)[:MAX_GROUPING], subject, logger)

    def frame(self, level: LogLevel, message: str, grouping: str) -> None:
        """Take one of the product's own lines around a run: plain, short, and without secrets."""
        self._take(level, message, grouping, _NOTHING, "")

    def _take(self, level: LogLevel, text: str, grouping: str, about: tuple[str, str, str], logger: str) -> None:
        with self._lock:
            if not self._is_closed:
                self._seq += 1
                entry = JobLogEntry(
                    number=self.number,
                    attempt=self.attempt,
                    seq=self._seq,
                    time=now(),
                    level=level,
                    grouping=grouping,
                    message=text,
                    logger=logger,
                    object_type=about[0],
                    object_pk=about[1],
                    object_repr=about[2],
                )
                size = len(text)
                if self._lines_left > 0 and self._bytes_left >= size and self._tail is None:
                    self._lines_left -= 1
                    self._bytes_left -= size
                    self._ready.append(entry)
                else:
                    self._keep_last(entry)
                return
        _log.warning("Job result number %d logged after its end: %s", self.number, text[:200])

    def redact(self, text: str) -> str:
        """A line as it may be shown; of a huge one as much as is kept, and no less."""
        text = clean(text)
        return self.redactor.redact(text) if len(text) <= MAX_MESSAGE else self.redactor.head(text, MAX_MESSAGE)

    def _keep_last(self, entry: JobLogEntry) -> None:
        if self._tail is None:
            self._tail = _Tail(self.max_lines - self.max_lines // 2, self.max_bytes - self.max_bytes // 2)
        self._tail.keep(entry)

    @property
    def has_ready(self) -> bool:
        """Whether `take` would return something."""
        return bool(self._ready)

    def take(self) -> list[JobLogEntry]:
        """The lines that can be stored now, each returned once."""
        with self._lock:
            ready, self._ready = self._ready, []
            return ready

    def close(self) -> list[JobLogEntry]:
        """End the log and return all that was not taken yet."""
        with self._lock:
            self._is_closed = True
            rest, self._ready = self._ready, []
            if self._tail is not None:
                rest.extend(self._tail.close())
                self._tail = None
            return rest


class _Tail:
    """The last lines of a long log, as many as there is room for, and how much was dropped before them."""

    def __init__(self, max_lines: int, max_bytes: int) -> None:
        self._max_lines = max_lines
        self._max_bytes = max_bytes
        self._entries: deque[JobLogEntry] = deque()
        self._size = 0
        self._dropped = 0
        self._dropped_bytes = 0
        self._first_dropped: JobLogEntry | None = None

    def keep(self, entry: JobLogEntry) -> None:
        """Take a line, and drop the oldest ones where there is no room for all."""
        self._entries.append(entry)
        self._size += len(entry.message)
        while len(self._entries) > self._max_lines or (self._size > self._max_bytes and len(self._entries) > 1):
            oldest = self._entries.popleft()
            self._size -= len(oldest.message)
            self._dropped += 1
            self._dropped_bytes += len(oldest.message)
            if self._first_dropped is None:
                self._first_dropped = oldest

    def close(self) -> list[JobLogEntry]:
        """The lines that are kept, behind one that tells of those that are not."""
        first = self._first_dropped
        if first is None:
            return list(self._entries)
        note = JobLogEntry(
            number=first.number,
            attempt=first.attempt,
            seq=first.seq,
            time=first.time,
            level=LogLevel.WARNING,
            grouping="log limit",
            message=(
                f"{self._dropped:,} lines ({self._dropped_bytes:,} characters) were dropped here: "
                "the log of one run is limited, its beginning and its end are kept"
            ),
            logger=NOTE_LOGGER,
        )
        return [note, *self._entries]


def describe(about: object) -> tuple[str, str, str]:
    """What a line is about: (`object_type`, `pk`, name in full length); of anything else its text alone."""
    try:
        name = clean(str(about))
    except Exception:  # noqa: BLE001 - a foreign __str__ may raise anything
        name = f"<{type(about).__name__}>"
    object_type = getattr(about, "object_type", None)
    pk = getattr(about, "pk", None) or getattr(about, "object_pk", None)
    if isinstance(object_type, str) and isinstance(pk, str):
        return clean(object_type)[:MAX_PK_LENGTH], clean(pk)[:MAX_PK_LENGTH], name
    return "", "", name


_open_count = 0
_originals: dict[str, Any] = {}
_left: dict[str, Any] = {}
"""What stood in our places when we left them to somebody else, who may call us from there."""
_install_lock = threading.Lock()


@contextmanager
def installed() -> Iterator[None]:
    """Listen for as long as the block lasts. Blocks may overlap; the last one to end undoes the listening."""
    global _open_count  # noqa: PLW0603 - process-wide by nature: it counts open apps
    with _install_lock:
        _open_count += 1
        if _open_count == 1:
            _install()
    try:
        yield
    finally:
        with _install_lock:
            _open_count -= 1
            if _open_count == 0:
                _uninstall()


def _install() -> None:
    """Take the places, but those where somebody else still calls us since the last time."""
    for owner, name, ours in _places():
        present = getattr(owner, name)
        if present is not ours and present is not _left.pop(name, None):
            _originals[name] = present
            setattr(owner, name, ours)


def _uninstall() -> None:
    """Put back what was there, unless somebody else has replaced it since."""
    for owner, name, ours in _places():
        present = getattr(owner, name)
        if present is ours:
            setattr(owner, name, _originals[name])
        elif present is not _originals[name]:
            _left[name] = present


def _places() -> tuple[tuple[Any, str, Any], ...]:
    return (
        (logging.Logger, "callHandlers", _call_handlers),
        (threading.Thread, "start", _start),
        (ThreadPoolExecutor, "submit", _submit),
        (warnings, "showwarning", _show_warning),
    )


def _call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
    capture = current_capture.get()
    if (
        capture is not None
        and record.levelno >= capture.level
        and not getattr(record, "skip_db_logging", False)
        and not (record.name == _OWN or record.name.startswith("buttonhook."))
    ):
        grouping = getattr(record, "grouping", None) or record.funcName or "main"
        capture.add(record.levelno, record_text(record), str(grouping), getattr(record, "object", None), record.name)
    _originals["callHandlers"](logger, record)


def _start(thread: threading.Thread) -> None:
    """Let a thread started inside a job carry it. A pool's own threads serve everybody: their calls carry it."""
    if current_capture.get() is not None and getattr(thread, "_target", None) is not _pool_worker:
        context, run = contextvars.copy_context(), thread.run
        thread.run = lambda: context.run(run)  # type: ignore[method-assign]
    _originals["start"](thread)


def _submit(pool: ThreadPoolExecutor, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    if current_capture.get() is None:
        return _originals["submit"](pool, fn, *args, **kwargs)
    return _originals["submit"](pool, contextvars.copy_context().run, fn, *args, **kwargs)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    capture = current_capture.get()
    if capture is not None and file is None:
        text = f"{category.__name__}: {message} ({filename.rpartition('/')[2]}:{lineno})"
        capture.add(LogLevel.WARNING, text, "warnings", None, "py.warnings")
        return
    _originals["showwarning"](message, category, filename, lineno, file, line)


def note_of_refusal(number: int, attempt: int, reason: str) -> JobLogEntry:
    """The one line in the log of a result that ended without a run.

    Its `seq` is beyond all others: the run may have been started in the meantime, and its lines must find their place.
    """
    return JobLogEntry(
        number=number,
        attempt=attempt,
        seq=REFUSAL_SEQ,
        time=now(),
        level=LogLevel.WARNING,
        grouping="outcome",
        message=f"Not run: {reason}",
        logger=NOTE_LOGGER,
    )


def capture_exception(capture: JobCapture, exc: BaseException, grouping: str) -> None:
    """One line for an exception that ended a run, with its traceback."""
    capture.add(LogLevel.ERROR, format_exc_info(exc), grouping, None, "")
