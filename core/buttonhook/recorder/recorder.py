"""The writer actor: collects what waits, has it committed as one batch, answers.

While one batch is being committed the next one gathers, so batches form by themselves and no timer is needed.
Accepting, claiming and finishing come first; log lines of runs that go on come after. Waiting work is bounded: more
transactions than `MAX_WAITING` make `commit` wait for room.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio

from buttonhook.bus.base import Bus
from buttonhook.errors import ButtonhookError, StorageLost, StorageUnavailable, StoreError
from buttonhook.ids import JobResultStatus, Microseconds
from buttonhook.matching import HookIndex, index_hooks
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.recorder.batch import Batch
from buttonhook.records import ConfigRecord, JobHook, JobResult, ObjectQuery, Origin, Outcome, StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import ReferenceKey, Store, UniqueKey, Written
from buttonhook.work import (
    Admission,
    AuditEntries,
    Claim,
    ConfigEdit,
    Finish,
    LogEntries,
    NewResults,
    Piece,
    Reindex,
    Transaction,
)

MAX_PIECES: Final = 256
"""How much goes into one batch: with hundreds waiting two batches alternate, one written while the other's runs run."""
MAX_WRITES: Final = 2048
MAX_WAITING: Final = 4096
RETRY_SECONDS: Final = 1.0
_KEPT: Final = (Claim, Finish, LogEntries, AuditEntries)
"""What is not refused when the disk is full or failing, but tried again: nobody would send it once more."""

_log = logging.getLogger("buttonhook.recorder")


class Recorder:
    """Owns the writing side of the store. All methods belong to the loop's thread."""

    def __init__(self, store: Store, registry: Registry, bus: Bus) -> None:
        self._store = store
        self._registry = registry
        self._bus = bus
        self._numbers = store.numbers
        self._first: deque[Piece] = deque()
        self._later: dict[int, list[LogEntries]] = {}
        """By the number of their job result."""
        self._wake = asyncio.Event()
        self._room = asyncio.Semaphore(MAX_WAITING)
        self._writing = asyncio.Lock()
        self._hooks: HookIndex = {}
        self._hooks_revision = -1
        self._time = Microseconds(0)
        self._is_closing = False
        self._unanswered: tuple[Batch, Written] | None = None
        """A batch that is committed and whose pieces have not been told: that is done while the next one is written."""
        self._lost: StorageLost | None = None
        self.trouble: StorageUnavailable | None = None
        """Why the last write failed, until one works again."""
        self.admission: Admission | None = None
        """Who lets new results begin at once; None leaves them all pending."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Recorder"]:
        """Write for as long as the block lasts; at its end everything posted has been written."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._write_all, name="recorder")
            try:
                yield self
            finally:
                self._is_closing = True
                self._wake.set()

    async def commit(self, request: TransactionRequest) -> TransactionAnswer:
        """See `objects.transactions.Gateway`."""
        await self._room.acquire()
        answer: asyncio.Future[TransactionAnswer] = asyncio.get_running_loop().create_future()

        def done(outcome: Any) -> None:
            self._room.release()
            _answer(answer, outcome)

        self.post(Transaction(request, done))
        return await answer

    async def edit(
        self,
        records: Sequence[ConfigRecord] = (),
        removed: Sequence[tuple[type[Any], str]] = (),
        origin: Origin | None = None,
    ) -> None:
        """Commit records of the set-up and follow them in the registry; with an origin as changes of its author."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.post(ConfigEdit(records, removed, lambda outcome: _answer(answer, outcome), origin))
        await answer

    async def reindex(
        self,
        object_type: str,
        keys: Sequence[tuple[UniqueKey, str]],
        references: Sequence[ReferenceKey],
        record: ConfigRecord,
    ) -> None:
        """Replace the unique keys and references of one type. Meant for start-up, before anything is written."""
        answer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.post(Reindex(object_type, keys, references, record, lambda outcome: _answer(answer, outcome)))
        await answer

    async def add_results(self, results: Sequence[JobResult]) -> tuple[JobResult, ...]:
        """Commit pending job results and announce them."""
        answer: asyncio.Future[tuple[JobResult, ...]] = asyncio.get_running_loop().create_future()
        self.post(NewResults(results, lambda outcome: _answer(answer, outcome)))
        return await answer

    async def preview(
        self, request: TransactionRequest, query: ObjectQuery
    ) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        """Answer a query as if the request were committed."""
        async with self._writing:
            return await self._store.preview(self._batch((), None).preview(request), query)

    def post(self, piece: Piece) -> None:
        """Take a piece of work; its `done` is called after the commit."""
        if self._lost is not None:
            piece.done(self._lost)
            return
        if isinstance(piece, LogEntries):
            number = piece.entries[0].number if piece.entries else 0
            self._later.setdefault(number, []).append(piece)
        else:
            self._first.append(piece)
        self._wake.set()

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits and nothing is being written."""
        return not self._first and not self._later and not self._writing.locked() and self._unanswered is None

    async def _write_all(self) -> None:
        while True:
            await self._wake.wait()
            while self._first or self._later:
                async with self._writing:
                    await self._write(self._collect())
                if not self._first and not self._later:
                    self._answer_last()
            if self._is_closing:
                return
            self._wake.clear()

    def _collect(self) -> list[Piece]:
        """What goes into the next batch, in order; log lines fill what room is left, but go before their run's end."""
        pieces: list[Piece] = []
        writes = 0
        while (self._first or self._later) and len(pieces) < MAX_PIECES and writes < MAX_WRITES:
            taken: list[Piece] = []
            if self._first:
                piece = self._first.popleft()
                if isinstance(piece, Finish):
                    taken.extend(self._later.pop(piece.outcome.number, ()))
                taken.append(piece)
            else:
                taken.extend(self._later.pop(next(iter(self._later))))
            pieces.extend(taken)
            writes += sum(_size(each) for each in taken)
        return pieces

    def _batch(self, pieces: Sequence[Piece], admission: Admission | None) -> Batch:
        if self._hooks_revision != self._registry.revision:
            self._hooks = index_hooks(self._registry.all(JobHook))
            self._hooks_revision = self._registry.revision
        batch = Batch(pieces, self._registry, self._hooks, self._numbers, admission)
        self._time = batch.rows.time = max(batch.rows.time, self._time)  # numbers and times go up together
        return batch

    async def _write(self, pieces: list[Piece]) -> None:
        batch = self._batch(pieces, self.admission)
        try:
            written = await self._store.write(batch.decide(), self._answer_last)
        except Exception as exc:
            self._answer_last()
            self._withdraw(batch)
            if isinstance(exc, StorageLost):
                self._end(pieces, exc)
                raise
            if isinstance(exc, StorageUnavailable):
                await self._wait_for_storage(pieces, exc)
            else:
                await self._write_singly(pieces, exc)
            return
        self._answer_last()
        self.trouble = None
        self._numbers = batch.numbers
        for piece in batch.pieces:  # before the next batch is decided
            if isinstance(piece, ConfigEdit):
                self._registry.put(piece.records, piece.removed)
            elif isinstance(piece, Reindex):
                self._registry.put([piece.record])
        if batch.pending:  # else the next batch could let a result begin before one that waits in its lane
            self._bus.announce(batch.pending)
        self._unanswered = batch, written

    def _answer_last(self) -> None:
        """Start what the last batch lets begin, and tell everybody who waits for it."""
        if self._unanswered is None:
            return
        (batch, written), self._unanswered = self._unanswered, None
        claimed = {each.result.number: each for each in written.claimed}
        if self.admission is not None:
            for started in batch.started:
                self.admission.start(started)
        for place, piece in enumerate(batch.pieces):
            if isinstance(piece, Claim):
                piece.done(claimed.get(piece.number))
            elif isinstance(piece, Finish):
                piece.done(piece.outcome.number in written.ended)
            else:
                piece.done(batch.answers.get(place))

    def _end(self, pieces: Sequence[Piece], exc: StorageLost) -> None:
        """Nothing can be written any more: answer everybody who waits, and who comes later at once."""
        _log.critical("%s", exc)
        self._lost = exc
        waiting = [*pieces, *self._first, *(each for entries in self._later.values() for each in entries)]
        self._first.clear()
        self._later.clear()
        for piece in waiting:
            piece.done(exc)

    def _withdraw(self, batch: Batch) -> None:
        if self.admission is not None:
            for pending in batch.admitted:
                self.admission.withdraw(pending)

    async def _wait_for_storage(self, pieces: Sequence[Piece], exc: StorageUnavailable) -> None:
        """Refuse transactions now; keep what belongs to runs and try it again: it must not be lost."""
        self.trouble = exc
        kept = [piece for piece in pieces if isinstance(piece, _KEPT)]
        for piece in pieces:
            if not isinstance(piece, _KEPT):
                piece.done(exc)
        if not kept:
            return
        _log.error("%s %d writes of runs are kept and tried again", exc, len(kept))
        self._first.extendleft(reversed(kept))
        if self._is_closing:
            left = [piece for piece in self._first if not isinstance(piece, _KEPT)]
            self._first.clear()
            for piece in left:
                piece.done(exc)
            _log.error("Closing with %d writes of runs not stored; these runs will be repeated", len(kept))
            return
        await anyio.sleep(RETRY_SECONDS)

    async def _write_singly(self, pieces: list[Piece], exc: Exception) -> None:
        """One piece spoilt the batch: write each alone, so that only that one is refused."""
        if len(pieces) > 1:
            for piece in pieces:
                await self._write([piece])
            return
        piece = pieces[0]
        error = exc if isinstance(exc, ButtonhookError) else StoreError(f"A write failed: {type(exc).__name__}: {exc}.")
        _log.error("%s was refused: %s", type(piece).__name__, error, exc_info=exc)
        if isinstance(piece, Finish) and (piece.entries or piece.outcome.result or piece.outcome.traceback):
            bare = Outcome(
                number=piece.outcome.number,
                attempt=piece.outcome.attempt,
                status=JobResultStatus.FAILURE,
                ended_at=piece.outcome.ended_at,
                error="its outcome could not be stored; see the daemon's log",
            )
            await self._write([Finish(bare, (), piece.done, piece.was_started)])
            return
        piece.done(error)


def _size(piece: Piece) -> int:
    """About how much a piece writes, counted in objects."""
    if isinstance(piece, Transaction):
        return len(piece.request.writes)
    return len(piece.entries) // 4 if isinstance(piece, Finish | LogEntries) else 0


def _answer(future: "asyncio.Future[Any]", outcome: Any) -> None:
    """Hand the outcome over, unless the waiter has gone."""
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
