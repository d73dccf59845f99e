"""The writer actor: collects what waits, has it committed as one batch, answers.

While one batch is being written the next ones are decided, on the rows as those before will leave them, and sent after
it; what comes then gathers: batches form by themselves and no timer is needed. With a batch that fails those behind it
come back, to be decided anew. Accepting, claiming and finishing come first; log lines of runs that go on come after.
Waiting work is bounded: more transactions than `MAX_WAITING` make `commit` wait for room.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, cast

import anyio

from buttonhook.bus.base import Bus
from buttonhook.errors import BatchBeforeLost, ButtonhookError, StorageLost, StorageUnavailable, StoreError
from buttonhook.ids import JobResultStatus, Microseconds
from buttonhook.notices import Notices
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.recorder.batch import Batch
from buttonhook.recorder.firing import Triggers, index_triggers
from buttonhook.recorder.flights import MAX_FLIGHTS, Flights
from buttonhook.records import ConfigRecord, JobResult, ObjectQuery, Origin, Outcome, StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import Decision, ReferenceKey, Store, UniqueKey, Written, resumed
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
    hand_over,
    take_receipt,
)

MAX_PIECES: Final = 256
"""How much goes into one batch: with hundreds waiting batches alternate, one written while the other's runs run."""
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
        self.notices = Notices(store.numbers.change)
        self._first: deque[Piece] = deque()
        self._later: dict[int, list[LogEntries]] = {}
        """By the number of their job result."""
        self._wake = asyncio.Event()
        self._room = anyio.Semaphore(MAX_WAITING)
        self._loop = asyncio.get_running_loop()
        self._triggers: Triggers = {}
        self._triggers_revision = -1
        self._time = Microseconds(0)
        self._is_closing = False
        self._is_busy = False
        self._flights = Flights(store, self._committed)
        self._crashes = 0
        """How many batches failed; what was decided behind one of them does not count."""
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
        try:
            self._room.acquire_nowait()
        except anyio.WouldBlock:
            await self._room.acquire()
        answer: asyncio.Future[TransactionAnswer] = self._loop.create_future()
        self.post(Transaction(request, partial(self._answer_with_room, answer), take_receipt(answer)))
        return await answer

    async def edit(
        self,
        records: Sequence[ConfigRecord] = (),
        removed: Sequence[tuple[type[Any], str]] = (),
        origin: Origin | None = None,
    ) -> None:
        """Commit records of the set-up and follow them in the registry; with an origin as changes of its author."""
        answer: asyncio.Future[None] = self._loop.create_future()
        self.post(ConfigEdit(records, removed, partial(hand_over, answer), origin, take_receipt(answer)))
        await answer

    async def reindex(
        self,
        object_type: str,
        keys: Sequence[tuple[UniqueKey, str]],
        references: Sequence[ReferenceKey],
        record: ConfigRecord,
    ) -> None:
        """Replace the unique keys and references of one type. Meant for start-up, before anything is written."""
        answer: asyncio.Future[None] = self._loop.create_future()
        self.post(Reindex(object_type, keys, references, record, partial(hand_over, answer)))
        await answer

    async def add_results(self, results: Sequence[JobResult]) -> tuple[JobResult, ...]:
        """Commit pending job results and announce them."""
        answer: asyncio.Future[tuple[JobResult, ...]] = self._loop.create_future()
        self.post(NewResults(results, partial(hand_over, answer), take_receipt(answer)))
        return await answer

    async def preview(
        self, request: TransactionRequest, query: ObjectQuery
    ) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        """Answer a query as if the request were committed."""
        async with self._flights.stopped():
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
        return not self._first and not self._later and not self._flights and not self._is_busy

    def _answer_with_room(self, answer: "asyncio.Future[Any]", outcome: Any) -> None:
        self._room.release()
        hand_over(answer, outcome)

    async def _write_all(self) -> None:
        try:
            while not (self._is_closing and self.is_idle):
                await self._wake.wait()
                self._wake.clear()
                self._is_busy = True
                if self._flights.is_one_over:
                    await self._land(1)
                while self._first or self._later:
                    pieces = self._collect()
                    try:
                        await self._send(pieces)
                    except StorageLost as exc:  # of a batch before these
                        for piece in pieces:
                            piece.done(exc)
                        raise
                self._is_busy = False
        finally:
            await self._flights.abandon()

    async def _send(self, pieces: list[Piece]) -> None:
        """Decide one batch and send it after those that are being written."""
        if any(each.must_be_seen for each in self._flights.batches) or any(map(self._must_see, pieces)):
            await self._land(len(self._flights))
        await self._land(len(self._flights) - MAX_FLIGHTS + 1)
        batch, crashes = self._batch(pieces, self.admission), self._crashes
        decision = await self._decide(batch)
        if isinstance(decision, Exception) or not batch.is_decided:
            await self._land(len(self._flights))
        if self._crashes != crashes:
            self._withdraw(batch)
            self._first.extendleft(reversed(pieces))
        elif isinstance(decision, Exception):
            self._withdraw(batch)
            await self._failed(pieces, decision)
        else:
            await self._flights.send(batch, decision, self._wake.set)

    def _must_see(self, piece: Piece) -> bool:
        """Whether a piece is judged on more than a batch tells of those before it."""
        if isinstance(piece, Finish):
            return not piece.was_started
        targets = self._registry.reference_targets
        if not targets or not isinstance(piece, Transaction):
            return False
        return any(write.kind == "delete" and write.object_type in targets for write in piece.request.writes)

    async def _decide(self, batch: Batch) -> Decision | Exception:
        """What is left of a batch's decision, mostly its rows alone; or why it cannot be decided."""
        decision = batch.decide(self._flights.batches)
        try:
            found = await self._store.look(next(decision))
            return resumed(decision, decision.send(found))
        except StopIteration as stop:
            return resumed(None, stop.value)
        except Exception as exc:  # noqa: BLE001 - told to those whose pieces they are
            return exc

    async def _land(self, count: int) -> None:
        """Wait for the first `count` batches that are being written, and see to the pieces of one that failed."""
        flights = await self._flights.land(count)
        if not flights:
            return
        self._crashes += 1
        errors = [each.error for each in flights]
        for flight in reversed(flights):
            self._withdraw(flight.batch)
        for flight in reversed(flights[1:]):
            self._first.extendleft(reversed(flight.batch.pieces))
        await self._failed(flights[0].batch.pieces, cast(Exception, errors[0]))

    def _collect(self) -> list[Piece]:
        """What goes into the next batch, in order; log lines fill what room is left, but go before their run's end."""
        pieces: list[Piece] = []
        writes = 0
        first, later = self._first, self._later
        while first and len(pieces) < MAX_PIECES and writes < MAX_WRITES:
            piece = first.popleft()
            if later and isinstance(piece, Finish):
                lines = later.pop(piece.outcome.number, [])
                pieces.extend(lines)
                writes += sum(map(_size, lines))
            pieces.append(piece)
            writes += _size(piece)
        while later and len(pieces) < MAX_PIECES and writes < MAX_WRITES:
            lines = later.pop(next(iter(later)))
            pieces.extend(lines)
            writes += sum(map(_size, lines))
        return pieces

    def _batch(self, pieces: Sequence[Piece], admission: Admission | None) -> Batch:
        if self._triggers_revision != self._registry.revision:
            self._triggers = index_triggers(self._registry)
            self._triggers_revision = self._registry.revision
        numbers = flying[-1].numbers if (flying := self._flights.batches) else self._numbers
        batch = Batch(pieces, self._registry, self._triggers, numbers, admission)
        self._time = batch.rows.time = max(batch.rows.time, self._time)  # numbers and times go up together
        return batch

    def _committed(self, batch: Batch, written: Written) -> None:
        """Follow a batch that is committed: start what it lets begin, and tell everybody who waits for it."""
        self.trouble = None
        self._numbers = batch.numbers
        self.notices.tell(batch.rows, batch.numbers.change)
        for edit in batch.edits:
            if isinstance(edit, ConfigEdit):
                self._registry.put(edit.records, edit.removed)
            else:
                self._registry.put([edit.record])
        if batch.pending:  # first: no later batch may let a result begin before one that waits in its lane
            self._bus.announce(batch.pending)
        if self.admission is not None:
            for started in batch.started:
                self.admission.start(started)
            if batch.edits:
                self.admission.reconsider()
        claimed = {each.result.number: each for each in written.claimed}
        answers, ended = batch.answers, written.ended
        for place, piece in enumerate(batch.pieces):
            if isinstance(piece, Finish):
                piece.done(piece.outcome.number in ended)
            elif isinstance(piece, Claim):
                piece.done(claimed.get(piece.number))
            else:
                piece.done(answers.get(place))

    async def _failed(self, pieces: Sequence[Piece], exc: Exception) -> None:
        """See to pieces whose batch was not written."""
        if isinstance(exc, StorageLost):
            self._end(pieces, exc)
            raise exc
        if isinstance(exc, StorageUnavailable):
            await self._wait_for_storage(pieces, exc)
        elif isinstance(exc, BatchBeforeLost):
            self._first.extendleft(reversed(pieces))
        else:
            await self._write_singly(pieces, exc)

    async def _write_alone(self, piece: Piece) -> None:
        """Decide and write a batch of one that nothing goes beside."""
        batch = self._batch([piece], self.admission)
        await self._flights.send(batch, batch.decide(), self._wake.set)
        await self._land(1)

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

    async def _write_singly(self, pieces: Sequence[Piece], exc: Exception) -> None:
        """One piece spoilt the batch: write each alone, so that only that one is refused."""
        if len(pieces) > 1:
            for piece in pieces:
                await self._write_alone(piece)
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
            await self._write_alone(Finish(bare, (), piece.done, piece.was_started))
            return
        piece.done(error)


def _size(piece: Piece) -> int:
    """About how much a piece writes, counted in objects."""
    if isinstance(piece, Transaction):
        return len(piece.request.writes)
    return len(piece.entries) // 4 if isinstance(piece, (Finish, LogEntries)) else 0
