"""Id types and the closed words of the field.

Everything here is a plain value: it may be imported from every floor and imports nothing of ours.
The words are those of the product's glossary (core/docs/words.md); the numbers of the log levels are
those of the standard library, with `success` and `failure` between them.
"""

import os
import random
import threading
import time
from enum import IntEnum, StrEnum
from typing import Literal, NewType

ObjectKey = tuple[str, str]
"""(`object_type`, `pk`): what names one object."""

ChangeId = NewType("ChangeId", int)
JobResultId = NewType("JobResultId", str)
JobId = NewType("JobId", str)
"""A job is named by the path of its class: `package.module.ClassName`."""

Microseconds = NewType("Microseconds", int)
"""A moment as whole microseconds since 1970-01-01T00:00:00Z."""

Ordering = Literal["object", "none"]
ChangeContext = Literal["api", "ui", "cli", "import", "webhook", "job", "job-hook", "app"]
ResultKind = Literal["hook", "button", "enqueue"]
AuditKind = Literal["login", "login_failed", "logout", "token_refused", "denied", "setup", "storage"]
RunAs = Literal["installer", "author"]
MAX_DEPTH = 8
"""How many runs one chain of causes may hold."""


class ObjectChangeAction(StrEnum):
    """What happened to an object. `ACTION_CREATE` and so on are the original's spellings."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    ACTION_CREATE = "create"
    ACTION_UPDATE = "update"
    ACTION_DELETE = "delete"

    __hash__ = str.__hash__  # an Enum's own is a call of Python code, for every look into a dict


class JobResultStatus(StrEnum):
    """Where one run of a job stands; `success`, `failure` and `revoked` are final."""

    PENDING = "pending"
    STARTED = "started"
    RETRY = "retry"
    SUCCESS = "success"
    FAILURE = "failure"
    REVOKED = "revoked"

    __hash__ = str.__hash__

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATUSES


FINAL_STATUSES = frozenset({JobResultStatus.SUCCESS, JobResultStatus.FAILURE, JobResultStatus.REVOKED})


class LogLevel(IntEnum):
    """The seven levels of a job log entry, by their numbers in `logging`."""

    DEBUG = 10
    INFO = 20
    SUCCESS = 25
    WARNING = 30
    FAILURE = 35
    ERROR = 40
    CRITICAL = 50

    __hash__ = int.__hash__

    @property
    def word(self) -> str:
        return self.name.lower()

    @classmethod
    def at_most(cls, number: int) -> "LogLevel":
        """The nearest level not above `number`; what is below DEBUG counts as DEBUG."""
        exact = _LEVEL_OF.get(number)
        return exact or next((level for level in reversed(LogLevel) if level <= number), cls.DEBUG)


_LEVEL_OF = {int(level): level for level in LogLevel}
_source = random.Random(os.urandom(32))  # noqa: S311 - ids are unique, not secret; seeding once saves a system call an id
_last = 0
_uuid_lock = threading.Lock()
os.register_at_fork(after_in_child=lambda: _source.seed(os.urandom(32)))


def new_uuid7() -> str:
    """Make a UUIDv7 (RFC 9562 section 5.7), greater than every one made before in this process.

    The 12 bits behind the clock hold a counter, so ids made within one millisecond sort by making.
    """
    global _last  # noqa: PLW0603 - the generator's whole state
    with _uuid_lock:
        moment = time.time_ns() // 1_000_000 << 12
        if moment <= _last:
            moment = _last + 1
        _last = moment
        tail = _source.getrandbits(62)
    return "%08x-%04x-7%03x-%04x-%012x" % (  # noqa: UP031 - a fifth faster than a format string, on the hot path
        moment >> 28,
        moment >> 12 & 0xFFFF,
        moment & 0xFFF,
        tail >> 48 | 0x8000,
        tail & 0xFFFFFFFFFFFF,
    )


def now() -> Microseconds:
    """The present moment of the wall clock."""
    return Microseconds(time.time_ns() // 1000)
