"""The logger of one run: the standard library's interface, all seven levels, no LogRecord on the way.

A line goes to the run's own log; the standard logger `buttonhook.jobs.<job>` gets it too where the host has set up
handlers for it. A call that cannot be formatted becomes one line that says so.
"""

import logging
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Protocol

from buttonhook.ids import LogLevel

logging.addLevelName(LogLevel.SUCCESS, "SUCCESS")
logging.addLevelName(LogLevel.FAILURE, "FAILURE")

MIRROR_NAME = "buttonhook.jobs"
_SELDOM: Mapping[str, Callable[[], Any]] = {"filters": list, "handlers": list, "_cache": dict}
_LOGGING_FILES = frozenset((__file__, logging.Logger.info.__code__.co_filename))


class LogSink(Protocol):
    """Where a run's lines go."""

    def add(self, level: int, message: str, grouping: str, about: object, logger: str) -> None:
        """Take one line, from any thread."""
        ...

    def frame(self, level: LogLevel, message: str, grouping: str) -> None:
        """Take one of the product's own lines."""
        ...

    def redact(self, text: str) -> str:
        """The text without what is secret in it."""
        ...


class JobLogger(logging.Logger):
    """`self.logger` of a receiver.

    `extra={"object": obj}` links a line to an object, `"grouping": "text"` groups it (else the calling function's
    name does), `"skip_db_logging": True` keeps it out of the job's log.
    """

    parent = None
    propagate = True
    disabled = False
    level = logging.NOTSET

    def __init__(self, job: str, sink: LogSink) -> None:
        self.name = f"{MIRROR_NAME}.{job}"
        self._sink = sink
        self._mirror = _mirror_of(self.name)

    def __getattr__(self, name: str) -> Any:
        """What the standard logger has besides, and hardly anybody asks the logger of one run for."""
        if name not in _SELDOM:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = self.__dict__[name] = _SELDOM[name]()
        return made

    def isEnabledFor(self, level: int) -> bool:
        return level >= self.level

    def getEffectiveLevel(self) -> int:
        return self.level or logging.DEBUG

    def hasHandlers(self) -> bool:
        return True

    def getChild(self, suffix: str) -> "JobLogger":
        """A logger of the same run under a longer name."""
        child = JobLogger(f"{self.name}.{suffix}".removeprefix(f"{MIRROR_NAME}."), self._sink)
        child.setLevel(self.level)
        return child

    def frame(self, level: LogLevel, message: str, grouping: str) -> None:
        """Log one of the product's own lines around a run; it is plain text already."""
        self._sink.frame(level, message, grouping)
        if self._mirror.isEnabledFor(level):
            self._reflect(level, message, grouping)

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        if self.level <= LogLevel.INFO:
            self._log(LogLevel.INFO, msg, args, **kwargs)

    def success(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at SUCCESS (25)."""
        if self.level <= LogLevel.SUCCESS:
            self._log(LogLevel.SUCCESS, msg, args, **kwargs)

    def failure(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at FAILURE (35). The run goes on and its outcome does not change; `self.fail()` changes it."""
        if self.level <= LogLevel.FAILURE:
            self._log(LogLevel.FAILURE, msg, args, **kwargs)

    def warn(self, msg: object, *args: object, **kwargs: Any) -> None:
        if self.level <= LogLevel.WARNING:
            self._log(LogLevel.WARNING, msg, args, **kwargs)

    def exception(self, msg: object, *args: object, exc_info: Any = True, **kwargs: Any) -> None:
        self._log(LogLevel.ERROR, msg, args, exc_info=exc_info, **kwargs)

    def handle(self, record: logging.LogRecord) -> None:
        """Take a record somebody made, as the standard logger's does."""
        grouping = getattr(record, "grouping", None) or record.funcName or "main"
        self._sink.add(record.levelno, record_text(record), grouping, getattr(record, "object", None), "")

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Mapping[str, object] | None = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        message = format_message(msg, args)
        if exc_info:
            message = f"{message}\n{format_exc_info(exc_info)}"
        if stack_info:
            message = f"{message}\n{''.join(traceback.format_stack(sys._getframe(2)))}"
        if extra:
            grouping = extra.get("grouping")
            where = _function_name(stacklevel) if grouping is None else str(grouping)
            if not extra.get("skip_db_logging"):
                self._sink.add(level, message, where, extra.get("object"), "")
        else:
            where = _function_name(stacklevel)
            self._sink.add(level, message, where, None, "")
        if self._mirror.isEnabledFor(level):
            self._reflect(level, message, where)

    def _reflect(self, level: int, message: str, grouping: str) -> None:
        """Hand the line to the host's logging, where the host has set it up."""
        mirror = self._mirror
        if mirror.hasHandlers():
            record = logging.LogRecord(
                self.name, level, "", 0, self._sink.redact(message), (), None, self._sink.redact(grouping)
            )
            record.skip_db_logging = True
            mirror.handle(record)


@lru_cache(maxsize=1024)
def _mirror_of(name: str) -> logging.Logger:
    """The standard logger of a name: they last as long as the process, and looking one up takes a lock."""
    return logging.getLogger(name)


def format_message(msg: object, args: Any) -> str:
    """The text of a log call; a call whose parts do not fit is told in its own line, never raised."""
    try:
        text = msg if type(msg) is str else str(msg)
        if args:
            if type(args) is tuple and (len(args) > 1 or type(args[0]) is str):
                return text % args
            # A single mapping stands for itself; in a record of `logging` it already does.
            first = args if isinstance(args, Mapping) else args[0]
            fields = first if (first is args or len(args) == 1) and isinstance(first, Mapping) and first else args
            text = text % fields
    except Exception as exc:  # noqa: BLE001 - whatever the caller's objects raise
        return (
            f"{_safe(msg)} {_safe(args)} (the log call does not fit its arguments: {type(exc).__name__}: {_safe(exc)})"
        )
    return text


def record_text(record: logging.LogRecord) -> str:
    """The text of a record, with its traceback."""
    text = format_message(record.msg, record.args)
    if record.exc_info:
        text = f"{text}\n{format_exc_info(record.exc_info)}"
    return text


def format_exc_info(exc_info: Any) -> str:
    """A traceback as text, whatever a log call gave as `exc_info`."""
    if isinstance(exc_info, BaseException):
        exc_info = (type(exc_info), exc_info, exc_info.__traceback__)
    elif not isinstance(exc_info, tuple):
        exc_info = sys.exc_info()
    if exc_info[0] is None:
        return "(no exception)"
    try:
        return "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    except Exception as exc:  # noqa: BLE001 - an exception whose __str__ raises
        return f"(a traceback that cannot be shown: {type(exc).__name__})"


def _function_name(stacklevel: int) -> str:
    """The name of the calling function, `stacklevel` frames out of the logging calls themselves."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename in _LOGGING_FILES:
        frame = frame.f_back
    while frame.f_back is not None and stacklevel > 1:
        frame, stacklevel = frame.f_back, stacklevel - 1
    return frame.f_code.co_name


def _safe(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - whatever a foreign __str__ raises
        return f"<{type(value).__name__} that cannot be shown>"
