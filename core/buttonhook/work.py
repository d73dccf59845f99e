"""What is posted to the recorder: each piece is decided and written with whatever else waits, in one commit.

A piece tells its outcome by its `done`, called on the loop's thread after the commit, or with the error that
refused it.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from msgspec import Struct

from buttonhook.objects.transactions import TransactionRequest
from buttonhook.people import AuditEntry
from buttonhook.records import (
    ClaimedResult,
    ConfigRecord,
    JobLogEntry,
    JobResult,
    Origin,
    Outcome,
    PendingResult,
)

Done = Callable[[Any], None]


def hand_over(answer: "asyncio.Future[Any]", outcome: Any) -> None:
    """Give a waiter the outcome of a piece, or raise it there; one that has gone is not told."""
    if answer.done():
        return
    if isinstance(outcome, BaseException):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)


class Admission(Protocol):
    """Lets a new job result begin at once: it is then committed as started, and needs no claim of its own."""

    def admit(self, pending: PendingResult) -> bool:
        """Whether there is room and nothing before it in its lane; if so, both are taken."""
        ...

    def withdraw(self, pending: PendingResult) -> None:
        """An admitted result was not committed: give its room back."""
        ...

    def start(self, claimed: ClaimedResult) -> None:
        """An admitted result was committed: run it."""
        ...

    def reconsider(self) -> None:
        """The set-up has changed: what waits for a limit of its job may begin."""
        ...


class Receipt:
    """Has a request that comes again answered as the first time: what it was answered is committed with its write.

    `tell` makes the text of the answer from the recorder's; it is called while the batch is decided, so it must be
    quick, and may be called again if that batch fails. `text` is the answer, once the write is decided.
    """

    def __init__(self, user_name: str, key: str, fingerprint: str, tell: Callable[[Any], str]) -> None:
        self.user_name, self.key, self.fingerprint = user_name, key, fingerprint
        self.tell = tell
        self.text = ""
        self.is_taken = False

    @property
    def id(self) -> tuple[str, str]:
        return self.user_name, self.key

    def follow(self, answer: "asyncio.Future[Any]") -> None:
        """The write that took this has its answer: where there is none for it, another write may take it."""
        if answer.cancelled() or answer.exception() is not None:
            self.is_taken = False


offered: ContextVar[Receipt | None] = ContextVar("buttonhook_receipt", default=None)
"""The receipt of the request that is being answered, for its first write."""


def take_receipt(answer: "asyncio.Future[Any]") -> Receipt | None:
    """The offered receipt, for the write that `answer` is the answer of; offered again where that fails."""
    receipt = offered.get()
    if receipt is None or receipt.is_taken:
        return None
    receipt.is_taken = True
    answer.add_done_callback(receipt.follow)
    return receipt


class Transaction(Struct, eq=False):
    """Object writes. Answer: `TransactionAnswer`."""

    request: TransactionRequest
    done: Done
    receipt: Receipt | None = None


class Claim(Struct, eq=False):
    """Make a waiting result started. Answer: `ClaimedResult`, or None when it no longer waits."""

    number: int
    done: Callable[[ClaimedResult | BaseException | None], None]
    receipt: None = None


class Finish(Struct, eq=False):
    """End a result, with the rest of its log. Answer: whether this attempt was still the started one.

    With `was_started` false the result ends without a run; else `result` is it as its attempt began, where it is known.
    """

    outcome: Outcome
    entries: Sequence[JobLogEntry]
    done: Done
    was_started: bool = True
    result: JobResult | None = None
    receipt: None = None


class LogEntries(Struct, eq=False):
    """Log lines of a run that goes on. Answer: None."""

    entries: Sequence[JobLogEntry]
    done: Done
    receipt: None = None


class ConfigEdit(Struct, eq=False):
    """Records of the set-up to put and to remove. Answer: None.

    With an `origin` it is somebody's edit, and recorded as changes; without one it is bookkeeping.
    """

    records: Sequence[ConfigRecord]
    removed: Sequence[tuple[type[Any], str]]
    done: Done
    origin: Origin | None = None
    receipt: Receipt | None = None


class Reindex(Struct, eq=False):
    """The unique keys and references of all objects of one type, to replace those that are kept. Answer: None."""

    object_type: str
    keys: Sequence[tuple[tuple[str, str, str], str]]
    references: Sequence[tuple[str, str, str, str, str]]
    record: ConfigRecord
    done: Done
    receipt: None = None


class AuditEntries(Struct, eq=False):
    """What is to be told apart from changes. Answer: None."""

    entries: Sequence[AuditEntry]
    done: Done
    receipt: None = None


class NewResults(Struct, eq=False):
    """Job results that no change fired (button presses); their numbers are given here. Answer: the numbered results."""

    results: Sequence[JobResult]
    done: Done
    receipt: Receipt | None = None


Piece = Transaction | Claim | Finish | LogEntries | ConfigEdit | Reindex | AuditEntries | NewResults
"""One piece of work. `done` gets its answer, or the exception that refused it.

With a `receipt` that is known already it is refused (`AlreadyAnswered`).
"""
