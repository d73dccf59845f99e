"""The contract of a store, in enough detail to write one from.

A store keeps rows. The recorder decides what is written, in a conversation with the rows that are there: a
`Decision` is a generator that yields what it needs to see (`Needs`), is sent what was found (`Found`), as often as it
likes, and returns the rows to write (`Rows`). The store holds the conversation and the writing in one transaction.
"""

from abc import ABC, abstractmethod
from collections.abc import Generator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, NamedTuple, cast

from msgspec import Struct, field

from buttonhook.ids import JobResultStatus, Microseconds, ObjectKey
from buttonhook.log_search import LogQuery
from buttonhook.people import AuditEntry, AuditQuery, ReceiptRecord
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    ClaimedResult,
    ConfigRecord,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    Outcome,
    PendingResult,
    ResultQuery,
    StoredObject,
)

UniqueKey = tuple[str, str, str]
"""(`object_type`, names of the fields, canonical JSON of their values)."""


Referrer = tuple[str, str, str]
"""(`object_type`, `pk`, `field`): the object that refers, and by which key of its document."""

ReferenceKey = tuple[str, str, str, str, str]
"""(`object_type` and `pk` of the target, then the referrer)."""

MAX_AUDIT = 10_000
"""How many audit entries are kept: who has no login must not be able to fill the disk."""

RECEIPT_SECONDS = 24 * 3600
"""How long an answer is kept for a request that comes again."""

REFERRERS_PAGE = 1000
"""How many referrers of one object are found at a time."""


class ReferrersAfter(NamedTuple):
    """Asks for a page of those who refer to an object: in order, those behind `after`."""

    target: ObjectKey
    after: Referrer = ("", "", "")


class Needs(Struct, kw_only=True):
    """What a decision must see before it can go on."""

    objects: Sequence[ObjectKey] = ()
    present: Sequence[ObjectKey] = ()
    """Objects of which it need only be known whether they exist."""
    referrers: Sequence[ReferrersAfter] = ()
    """Each of another target."""
    unique: Sequence[UniqueKey] = ()
    request_ids: Sequence[str] = ()
    runs: Sequence[int] = ()
    receipts: Sequence[tuple[str, str]] = ()
    """By user and key."""


class Found(Struct, kw_only=True):
    """What is there of what was needed; what is missing is absent from the dicts."""

    objects: dict[ObjectKey, StoredObject] = field(default_factory=dict)
    present: set[ObjectKey] = field(default_factory=set)
    referrers: dict[ObjectKey, list[Referrer]] = field(default_factory=dict)
    """By target, at most REFERRERS_PAGE of them, in order."""
    unique: dict[UniqueKey, str] = field(default_factory=dict)
    """The pk that holds each key."""
    request_ids: set[str] = field(default_factory=set)
    runs: dict[int, tuple[int, JobResultStatus]] = field(default_factory=dict)
    """Attempt and status of each job result, by number."""
    receipts: dict[tuple[str, str], ReceiptRecord] = field(default_factory=dict)


class Rows(Struct, kw_only=True):
    """What one batch writes. All of it, or none.

    `claims` makes pending results started and counts their attempt; `outcomes` is applied only where that attempt is
    still the started one; `removed_config` and `config` name (kind, id) and records.
    """

    objects: list[StoredObject] = field(default_factory=list)
    deleted: list[ObjectKey] = field(default_factory=list)
    index_cleared: list[str] = field(default_factory=list)
    """Object types whose unique keys and references are all given up first."""
    unique_removed: list[UniqueKey] = field(default_factory=list)
    unique_added: list[tuple[UniqueKey, str]] = field(default_factory=list)
    references_removed: list[ReferenceKey] = field(default_factory=list)
    references_added: list[ReferenceKey] = field(default_factory=list)
    changes: list[ChangeRecord] = field(default_factory=list)
    results: list[JobResult] = field(default_factory=list)
    log_entries: list[tuple[int, JobLogEntry]] = field(default_factory=list)
    """Each with the id it is given."""
    requests: list[str] = field(default_factory=list)
    claims: list[int] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    revoked: list[Outcome] = field(default_factory=list)
    """Outcomes of results that end without having been started."""
    removed_config: list[tuple[str, str]] = field(default_factory=list)
    config: list[ConfigRecord] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    """Their ids are given by the store; of all there are, the last MAX_AUDIT stay."""
    receipts: list[ReceiptRecord] = field(default_factory=list)
    """Those older than RECEIPT_SECONDS go when others come."""
    time: Microseconds = Microseconds(0)


Decision = Generator[Needs, Found, Rows]


def resumed(decision: Decision | None, last: Needs | Rows) -> Decision:
    """The rest of a decision that was begun elsewhere: the last it said, and what it says on the answer to that."""
    if isinstance(last, Rows) or decision is None:
        return cast(Rows, last)
    found = yield last
    while True:
        try:
            found = yield decision.send(found)
        except StopIteration as stop:
            return cast(Rows, stop.value)


class Written(Struct, kw_only=True):
    """What came of a batch, beyond that it was committed."""

    claimed: list[ClaimedResult] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)
    """Numbers of the results whose outcome was applied; the others' attempt was over already."""


class Numbers(Struct, kw_only=True):
    """The last numbers given; the recorder goes on from them."""

    change: int
    result: int
    log_entry: int


class Recovered(Struct, kw_only=True):
    """What start-up found of a process that died: results put back to wait, and those that were given up."""

    pending: list[JobResult] = field(default_factory=list)
    interrupted: list[JobResult] = field(default_factory=list)


class CheckReport(Struct, kw_only=True):
    """What `check` found: problems of the store (empty when it is sound), and figures to show."""

    problems: list[str]
    counts: dict[str, int]


class Reader(ABC):
    """Reading, beside the writing: each call sees one committed state and holds no transaction afterwards.

    Every method may raise `QueryTooSlow` after the store's deadline.
    """

    @abstractmethod
    async def objects(self, query: ObjectQuery) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        """The objects that fit, in order, each with its keyset."""

    @abstractmethod
    async def count_objects(self, query: ObjectQuery) -> int:
        """How many objects fit."""

    @abstractmethod
    async def stored_types(self) -> list[str]:
        """The types that have objects, by name; costs a look-up a type, however many objects there are."""

    @abstractmethod
    async def get_object(self, key: ObjectKey) -> StoredObject | None:
        """One object."""

    @abstractmethod
    async def referrers(self, key: ObjectKey, after: Referrer | None = None, limit: int = 50) -> list[Referrer]:
        """Who refers to an object, in order, those behind `after`; the cost does not grow with their number."""

    @abstractmethod
    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """The changes that fit."""

    @abstractmethod
    async def results(self, query: ResultQuery) -> list[JobResult]:
        """The job results that fit."""

    @abstractmethod
    async def log_entries(
        self, number: int, after_id: int = 0, limit: int = 1000, *, by_id: bool = False
    ) -> list[JobLogEntry]:
        """Log entries of one job result behind the one with the id `after_id`, 0: from the first one.

        In order of (attempt, seq), or as they came in. The orders differ where an attempt that was given up logs beside
        the next one, so the id to go on from is that of the last entry of the page, not the highest one.
        """

    @abstractmethod
    async def find_log_entries(self, query: LogQuery) -> list[tuple[JobLogEntry, JobResult]]:
        """The log entries that fit, each with its result but for what that returned, its error and its traceback."""

    @abstractmethod
    async def pending(self, after: int, limit: int, lane: str | None = None) -> list[PendingResult]:
        """Results that wait, in order of number, above `after`; with `lane` those of that lane alone."""

    @abstractmethod
    async def audit_entries(self, query: AuditQuery) -> list[AuditEntry]:
        """The audit entries that fit."""

    @abstractmethod
    async def find_receipt(self, user_name: str, key: str) -> ReceiptRecord | None:
        """What a user's request with this idempotency key was answered, however long ago."""

    @abstractmethod
    async def config(self) -> list[ConfigRecord]:
        """All records of the set-up."""

    @abstractmethod
    async def check(self) -> CheckReport:
        """Look the whole store over. Slow; meant for `buttonhook check`."""


class Store(ABC):
    """Writing, one batch at a time, by one caller; and the way to the reader."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager["Store"]:
        """Own the database for as long as the block lasts; refuse one that cannot be trusted.

        Raises:
            DatabaseInUse: another process owns it.
            DatabaseRefused: it is missing, foreign, damaged, older than what was acknowledged, or newer.
        """

    @property
    @abstractmethod
    def reader(self) -> Reader:
        """The reading side."""

    @property
    @abstractmethod
    def numbers(self) -> Numbers:
        """The last numbers in the store when it was opened."""

    @abstractmethod
    async def look(self, needs: Needs) -> Found:
        """What is there of what is needed, as committed; it does not wait for a `write` that is under way.

        Whether the rows of such a write are seen is not said: who asks knows them.

        Raises:
            StorageUnavailable, StoreError: as `write`.
        """

    @abstractmethod
    async def write(self, decision: Decision, *, is_behind: bool = False) -> Written:
        """Hold the conversation and write its rows in one transaction; durable on return.

        What the decision raises passes through, and nothing is written. A write whose decision needs to see nothing may
        be called for while others are under way: they are written in the order of the calls. One that `is_behind`
        another is written only if the one called for before it was.

        Raises:
            StorageUnavailable: nothing was written, and it may work later.
            StorageLost: whether it was written is not known; the store must not be used any more.
            BatchBeforeLost: nothing was written, for the one before was not.
            StoreError: nothing was written.
        """

    @abstractmethod
    async def preview(self, decision: Decision, query: ObjectQuery) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        """Answer a query as if the decision's rows were written; nothing is."""

    @abstractmethod
    async def recover(self, max_crashes: int, no_rerun: frozenset[str]) -> Recovered:
        """Put every started result back to wait, its crash counted; those at `max_crashes` and those of jobs in
        `no_rerun` end as failures, "interrupted". To be called once, before the first claim."""
