"""How the runs of this process ended, counted on the way of their outcomes."""

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol

from buttonhook.ids import JobResultStatus
from buttonhook.records import JobResult, Outcome
from buttonhook.work import Done, Finish, Piece

MAX_TALLIED: Final = 10_000


class Journal(Protocol):
    """Where claims, outcomes and log lines go on to."""

    def post(self, piece: Piece) -> None: ...


class Tally:
    """How the runs of this process ended. It stands before the recorder and counts what passes."""

    def __init__(self, journal: Journal | None = None) -> None:
        self.counts: Counter[JobResultStatus] = Counter()
        self.numbers: list[int] = []
        """The first `MAX_TALLIED` results, in the order of their ends."""
        self.failures: list[int] = []
        """As `numbers`, the failed ones alone."""
        self.on_end: Callable[[JobResult, Outcome], None] | None = None
        """Called with each attempt that ran and ended, as it began and as it ended, once that is committed."""
        self._journal = journal

    def post(self, piece: Piece) -> None:
        """Contract: `dispatcher.Journal`."""
        if isinstance(piece, Finish):
            piece.done = partial(self._ended, piece.outcome, piece.result, piece.done)
        if self._journal is not None:
            self._journal.post(piece)

    def _ended(self, outcome: Outcome, result: JobResult | None, done: Done, applied: Any) -> None:
        if applied is True:
            self._count(outcome)
            if self.on_end is not None and result is not None:
                self.on_end(result, outcome)
        done(applied)

    def _count(self, outcome: Outcome) -> None:
        if not outcome.status.is_final:
            return
        self.counts[outcome.status] += 1
        if len(self.numbers) < MAX_TALLIED:
            self.numbers.append(outcome.number)
        if outcome.status is JobResultStatus.FAILURE and len(self.failures) < MAX_TALLIED:
            self.failures.append(outcome.number)
