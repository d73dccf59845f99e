"""What is posted to the recorder: each piece is decided and written with whatever else waits, in one commit.

A piece tells its outcome by its `done`, called on the loop's thread after the commit, or with the error that
refused it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Protocol

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


offered: ContextVar[Receipt | None] = ContextVar("buttonhook_receipt", default=None)
"""The receipt of the request that is being answered, for its first write."""


@contextmanager
def taken_receipt() -> Iterator[Receipt | None]:
    """The offered receipt, for one write; offered again where that fails."""
    receipt = offered.get()
    if receipt is None or receipt.is_taken:
        yield None
        return
    receipt.is_taken = True
    try:
        yield receipt
    except BaseException:
        receipt.is_taken = False
        raise


class Piece:
    """One piece of work. `done` gets its answer, or the exception that refused it.

    With a `receipt` that is known already it is refused (`AlreadyAnswered`).
    """

    __slots__ = ("done", "receipt")

    def __init__(self, done: Done) -> None:
        self.done = done
        self.receipt: Receipt | None = None


class Transaction(Piece):
    """Object writes. Answer: `TransactionAnswer`."""

    __slots__ = ("request",)

    def __init__(self, request: TransactionRequest, done: Done) -> None:
        super().__init__(done)
        self.request = request


class Claim(Piece):
    """Make a waiting result started. Answer: `ClaimedResult`, or None when it no longer waits."""

    __slots__ = ("number",)

    def __init__(self, number: int, done: Callable[[ClaimedResult | BaseException | None], None]) -> None:
        super().__init__(done)
        self.number = number


class Finish(Piece):
    """End a result, with the rest of its log. Answer: whether this attempt was still the started one.

    With `was_started` false the result ends without a run; else `result` is it as its attempt began, where it is known.
    """

    __slots__ = ("entries", "outcome", "result", "was_started")

    def __init__(
        self, outcome: Outcome, entries: Sequence[JobLogEntry], done: Callable[[Any], None], was_started: bool = True
    ) -> None:
        super().__init__(done)
        self.outcome = outcome
        self.entries = entries
        self.was_started = was_started
        self.result: JobResult | None = None


class LogEntries(Piece):
    """Log lines of a run that goes on. Answer: None."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[JobLogEntry], done: Done) -> None:
        super().__init__(done)
        self.entries = entries


class ConfigEdit(Piece):
    """Records of the set-up to put and to remove. Answer: None.

    With an `origin` it is somebody's edit, and recorded as changes; without one it is bookkeeping.
    """

    __slots__ = ("origin", "records", "removed")

    def __init__(
        self,
        records: Sequence[ConfigRecord],
        removed: Sequence[tuple[type[Any], str]],
        done: Done,
        origin: Origin | None = None,
    ) -> None:
        super().__init__(done)
        self.records = records
        self.removed = removed
        self.origin = origin


class Reindex(Piece):
    """The unique keys and references of all objects of one type, to replace those that are kept. Answer: None."""

    __slots__ = ("keys", "object_type", "record", "references")

    def __init__(
        self,
        object_type: str,
        keys: Sequence[tuple[tuple[str, str, str], str]],
        references: Sequence[tuple[str, str, str, str, str]],
        record: ConfigRecord,
        done: Done,
    ) -> None:
        super().__init__(done)
        self.object_type = object_type
        self.keys = keys
        self.references = references
        self.record = record


class AuditEntries(Piece):
    """What is to be told apart from changes. Answer: None."""

    __slots__ = ("entries",)

    def __init__(self, entries: Sequence[AuditEntry], done: Done) -> None:
        super().__init__(done)
        self.entries = entries


class NewResults(Piece):
    """Job results that no change fired (button presses); their numbers are given here. Answer: the numbered results."""

    __slots__ = ("results",)

    def __init__(self, results: Sequence[JobResult], done: Done) -> None:
        super().__init__(done)
        self.results = results
