"""The SQLite store: one connection writes and checkpoints, the others only read.

A batch is one transaction: BEGIN IMMEDIATE, one statement a table, COMMIT. What a decision needs to see is mostly
looked up before, on a connection of its own, while the batch before is written; else in the transaction. All statements
of a step are queued at once on the connection's thread; only the step's end waits for their answers.
"""

import sqlite3
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from pathlib import Path
from typing import Any, Final, cast

import aiosqlite
import anyio

from buttonhook.errors import BatchBeforeLost, StorageLost, StorageUnavailable, StoreError
from buttonhook.ids import JobResultStatus, now
from buttonhook.records import ClaimedResult, ObjectQuery, StoredObject
from buttonhook.stores.base import (
    MAX_AUDIT,
    RECEIPT_SECONDS,
    REFERRERS_PAGE,
    Decision,
    Found,
    Needs,
    Numbers,
    Recovered,
    Rows,
    Store,
    Written,
)
from buttonhook.stores.sqlite import opening, rows, select
from buttonhook.stores.sqlite import statements as sql
from buttonhook.stores.sqlite.lock import DatabaseLock
from buttonhook.stores.sqlite.reading import SqliteReader, same_json
from buttonhook.stores.sqlite.statements import Statement, pieces, single

_STORAGE_CODES: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_READONLY}
)
_BEGIN: Final[Statement] = ("BEGIN IMMEDIATE", [])
_COMMIT: Final[Statement] = ("COMMIT", [])
_BEHIND: Final[Statement] = (opening.BEHIND, [])
_FLUSH_CODES: Final = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
INTERRUPTED: Final = "interrupted: the process that ran it ended"


class SqliteStore(Store):
    """One database file, owned for as long as it is open."""

    def __init__(
        self,
        path: Path,
        *,
        durability: str = "full",
        lock_wait_seconds: float = 10.0,
        accept_older: bool = False,
        read_deadline_seconds: float = 10.0,
    ) -> None:
        self._path = path
        self._durability = durability
        self._lock_wait_seconds = lock_wait_seconds
        self._accept_older = accept_older
        self._lock = DatabaseLock(path)
        self._reader = SqliteReader(read_deadline_seconds)
        self._numbers = Numbers(change=0, result=0, log_entry=0)
        self._connection: aiosqlite.Connection
        self._looking: aiosqlite.Connection
        """Sees what is committed while the other one writes."""

    @asynccontextmanager
    async def open(self) -> AsyncIterator["SqliteStore"]:
        await self._lock.acquire(self._lock_wait_seconds)
        try:
            self._connection = await opening.open_writer(
                self._path, self._lock, durability=self._durability, accept_older=self._accept_older
            )
            try:
                await self._connection.create_function("buttonhook_same", 2, same_json, deterministic=True)
                self._numbers = await self._read_numbers()
                self._lock.note(self._numbers.change)
                self._looking = await opening.open_reader(self._path)
                try:
                    async with self._reader.open(self._path):
                        yield self
                finally:
                    with anyio.CancelScope(shield=True):
                        await self._looking.close()
            finally:
                with anyio.CancelScope(shield=True):
                    await self._connection.close()
        finally:
            self._lock.release()

    @property
    def reader(self) -> SqliteReader:
        return self._reader

    @property
    def numbers(self) -> Numbers:
        return self._numbers

    async def look(self, needs: Needs) -> Found:
        questions = _questions(needs)
        if not questions:
            return Found()
        try:
            answers: Any = await self._looking.execute_fetchall(opening.ALL, [each for _, each in questions])
        except sqlite3.Error as exc:
            raise self._translate(exc) from exc
        return _found([(kind, answer) for (kind, _), answer in zip(questions, answers, strict=True)])

    async def write(self, decision: Decision, *, is_behind: bool = False) -> Written:
        try:
            begin, batch = await self._converse(decision, is_behind=is_behind)
            written = await self._put(batch, begin, [_COMMIT])
        except BaseException as exc:
            await self._roll_back()
            if isinstance(exc, sqlite3.Error):
                raise self._translate(exc) from exc
            raise
        if batch.changes:
            self._lock.note(batch.changes[-1].id)
        return written

    async def preview(self, decision: Decision, query: ObjectQuery) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        try:
            begin, batch = await self._converse(decision)
            await self._put(batch, begin)
            found = await self._run(*select.objects_sql(query))
        except sqlite3.Error as exc:
            raise self._translate(exc) from exc
        finally:
            await self._roll_back()
        return [(rows.to_object(row), (*row[6:], row[1])) for row in found]

    async def recover(self, max_crashes: int, no_rerun: frozenset[str]) -> Recovered:
        columns = ", ".join(rows.RESULT_COLUMNS)
        recovered = Recovered()
        try:
            await self._run("BEGIN IMMEDIATE")
            found = await self._run(f"{sql.RECOVER} RETURNING {columns}")
            for result in sorted(map(rows.to_result, found), key=lambda each: each.number):
                is_over = result.crashes >= max_crashes or result.job in no_rerun
                (recovered.interrupted if is_over else recovered.pending).append(result)
            for result in recovered.interrupted:
                await self._run(sql.INTERRUPT, [now(), INTERRUPTED, result.number])
            given_up = {result.number for result in recovered.interrupted}
            for result in (*recovered.pending, *recovered.interrupted):
                again = "it is not run again" if result.number in given_up else "it is run again"
                message = f"Attempt {result.attempt} was interrupted: the process that ran it ended; {again}"
                self._numbers.log_entry += 1
                await self._run(
                    sql.NOTE_INTERRUPTION, [self._numbers.log_entry, result.number, result.attempt, now(), message]
                )
            await self._run("COMMIT")
        except sqlite3.Error as exc:
            await self._roll_back()
            raise self._translate(exc) from exc
        return recovered

    async def _converse(self, decision: Decision, *, is_behind: bool = False) -> tuple[list[Statement], Rows]:
        """Begin, answer what the decision needs to see, and return the rows it wants written.

        A decision that needs to see nothing leaves the beginning to who writes its rows.
        """
        begin: list[Statement] = [_BEHIND, _BEGIN] if is_behind else [_BEGIN]
        try:
            needs = next(decision)
            while True:
                questions = _questions(needs)
                statements = [each for _, each in questions]
                answers = (await self._run_all(begin + statements))[len(begin) :]
                begin = []
                needs = decision.send(
                    _found([(kind, answer) for (kind, _), answer in zip(questions, answers, strict=True)])
                )
        except StopIteration as stop:
            return begin, cast(Rows, stop.value)

    async def _put(self, batch: Rows, begin: Sequence[Statement], then: Sequence[Statement] = ()) -> Written:
        """Write rows in one go, with what the runs of claimed results need as of this transaction."""
        claims = single(batch.claims)
        asked = (
            ("", begin),
            ("", _writes(batch)),
            ("claimed", pieces(sql.FIND_WAITING, claims)),
            ("", pieces(sql.CLAIM, [(number, batch.time) for number in batch.claims])),
            ("ended", pieces(sql.FIND_STARTED, [(each.number, each.attempt) for each in batch.outcomes])),
            ("", pieces(sql.END_STARTED, [rows.from_outcome(each) for each in batch.outcomes])),
            ("ended", pieces(sql.FIND_WAITING, single(each.number for each in batch.revoked))),
            ("", pieces(sql.END_WAITING, [rows.from_outcome(each) for each in batch.revoked])),
            ("results", pieces(sql.FIND_RESULTS, claims)),
            ("changes", pieces(sql.FIND_CHANGES_OF, claims)),
            ("objects", pieces(sql.FIND_OBJECTS_OF, claims)),
            ("", then),
        )
        statements = [(word, statement) for word, some in asked for statement in some]
        answers = await self._run_all([each for _, each in statements])
        found: dict[str, list[Any]] = {word: [] for word, _ in asked}
        for (word, _), answer in zip(statements, answers, strict=True):
            found[word].extend(answer)
        return Written(claimed=_claimed(found), ended=set(_numbers(found["ended"])))

    async def _run(self, text: str, values: Iterable[Any] = ()) -> list[Any]:
        return list(await self._connection.execute_fetchall(text, values))

    async def _run_all(self, statements: Sequence[Statement]) -> list[list[Any]]:
        """Run statements one after the other, the thread of the connection entered once; the first error ends them."""
        return await self._run(opening.ALL, statements) if statements else []

    async def _roll_back(self) -> None:
        """Leave no transaction open. After some errors SQLite has rolled back already.

        Statements that a cancelled step queued are still to come, BEGIN among them: this is queued behind them.
        """
        with anyio.CancelScope(shield=True):
            await self._run(opening.ROLL_BACK)

    async def _read_numbers(self) -> Numbers:
        found = await self._run(
            "SELECT (SELECT coalesce(max(id), 0) FROM object_change), "
            "(SELECT coalesce(max(number), 0) FROM job_result), (SELECT coalesce(max(id), 0) FROM job_log_entry)"
        )
        change, result, log_entry = found[0]
        return Numbers(change=max(change, self._lock.state.last_change), result=result, log_entry=log_entry)

    def _translate(self, exc: sqlite3.Error) -> StoreError:
        if isinstance(exc, opening.BeforeNotWrittenError):
            return BatchBeforeLost()
        code = getattr(exc, "sqlite_errorcode", 0)
        if code in _FLUSH_CODES:
            return StorageLost(str(self._path), str(exc))
        if code & 0xFF in _STORAGE_CODES:
            return StorageUnavailable(str(self._path), str(exc))
        return StoreError(f"Database {str(self._path)!r} refused a write: {exc}.")


def _claimed(found: dict[str, list[Any]]) -> list[ClaimedResult]:
    """The results that were claimed, in order, each with its changes and its object."""
    claimed = set(_numbers(found["claimed"]))
    changes = {row[0]: rows.to_change(row) for row in found["changes"]}
    objects = {(row[0], row[1]): rows.to_object(row) for row in found["objects"]}
    results = sorted(map(rows.to_result, found["results"]), key=lambda each: each.number)
    return [
        ClaimedResult(
            result,
            tuple(changes[number] for number in result.change_ids if number in changes),
            objects.get((result.object_type, result.object_pk)),
        )
        for result in results
        if result.number in claimed
    ]


def _numbers(found: list[Any]) -> Iterable[int]:
    """The numbers in rows of one JSON list each."""
    return chain.from_iterable(rows.to_numbers(row) for row in found)


def _questions(needs: Needs) -> list[tuple[str, Statement]]:
    """The statements that find what is needed, each with the word for what it finds."""
    asked = (
        ("objects", sql.FIND_OBJECTS, needs.objects),
        ("present", sql.FIND_PRESENT, needs.present),
        ("unique", sql.FIND_UNIQUE, needs.unique),
        ("requests", sql.FIND_REQUESTS, single(needs.request_ids)),
        ("runs", sql.FIND_RUNS, single(needs.runs)),
        ("receipts", sql.FIND_RECEIPTS, needs.receipts),
    )
    found = [(kind, statement) for kind, template, keys in asked for statement in pieces(template, keys)]
    bound = [[*each.target, *each.after, REFERRERS_PAGE] for each in needs.referrers]
    return [*found, *(("referrers", (sql.FIND_REFERRERS, values)) for values in bound)]


def _found(answers: Iterable[tuple[str, list[Any]]]) -> Found:
    found = Found()
    for kind, answer in answers:
        if kind == "objects":
            found.objects.update(((row[0], row[1]), rows.to_object(row)) for row in answer)
        elif kind == "present":
            found.present.update((row[0], row[1]) for row in answer)
        elif kind == "referrers":
            for row in answer:
                found.referrers.setdefault((row[0], row[1]), []).append((row[2], row[3], row[4]))
        elif kind == "unique":
            found.unique.update(((row[0], row[1], row[2]), row[3]) for row in answer)
        elif kind == "requests":
            found.request_ids.update(row[0] for row in answer)
        elif kind == "receipts":
            found.receipts.update(((row[0], row[1]), rows.to_receipt(row)) for row in answer)
        else:
            found.runs.update((row[0], (row[1], JobResultStatus(row[2]))) for row in answer)
    return found


def _writes(batch: Rows) -> Iterable[Statement]:
    """Everything that is put or removed, in an order that holds the constraints at every step."""
    yield from pieces(sql.DELETE_OBJECTS, batch.deleted)
    yield from pieces(sql.UPSERT_OBJECTS, [rows.from_object(each) for each in batch.objects])
    yield from pieces(sql.CLEAR_UNIQUE, single(batch.index_cleared))
    yield from pieces(sql.CLEAR_REFERENCES, single(batch.index_cleared))
    yield from pieces(sql.DELETE_UNIQUE, batch.unique_removed)
    yield from pieces(sql.INSERT_UNIQUE, [(*key, pk) for key, pk in batch.unique_added])
    yield from pieces(sql.DELETE_REFERENCES, batch.references_removed)
    yield from pieces(sql.INSERT_REFERENCES, batch.references_added)
    yield from pieces(sql.INSERT_CHANGES, [rows.from_change(each) for each in batch.changes])
    yield from pieces(sql.INSERT_RESULTS, [rows.from_result(each) for each in batch.results])
    yield from pieces(sql.INSERT_LOG, [rows.from_log_entry(*each) for each in batch.log_entries])
    yield from pieces(sql.INSERT_REQUESTS, [(each, batch.time) for each in batch.requests])
    yield from pieces(sql.DELETE_CONFIG, batch.removed_config)
    yield from pieces(sql.UPSERT_CONFIG, [rows.from_config(each) for each in batch.config])
    if batch.audit:
        yield from pieces(sql.INSERT_AUDIT, [rows.from_audit(each) for each in batch.audit])
        yield sql.TRIM_AUDIT, [MAX_AUDIT]
    if batch.receipts:
        yield sql.EXPIRE_RECEIPTS, [batch.time - RECEIPT_SECONDS * 1_000_000]
        yield from pieces(sql.PUT_RECEIPTS, [rows.from_receipt(each) for each in batch.receipts])
