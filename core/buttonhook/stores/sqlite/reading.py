"""The reading side: a small pool of read-only connections, each call posted whole, each with a deadline."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiosqlite
import anyio

from buttonhook import documents
from buttonhook.errors import DatabaseRefused, QueryTooSlow
from buttonhook.ids import ObjectKey
from buttonhook.log_search import LogQuery
from buttonhook.people import AuditEntry, AuditQuery, ReceiptRecord
from buttonhook.records import (
    ChangeQuery,
    ChangeRecord,
    ConfigRecord,
    JobLogEntry,
    JobResult,
    ObjectQuery,
    PendingResult,
    ResultQuery,
    StoredObject,
)
from buttonhook.stores.base import CheckReport, Reader, Referrer
from buttonhook.stores.sqlite import checking, listing, opening, rows, select
from buttonhook.stores.sqlite.statements import FIND_OBJECTS, FIND_RECEIPTS, FIND_REFERRERS, pieces

POOL_SIZE: Final = 4
CHECK_DEADLINE_SECONDS: Final = 3600.0
SCAN_DEADLINE_SECONDS: Final = 2.0
"""For what no index finds: it may look at every row."""


class SqliteReader(Reader):
    """Reads on connections of its own. A cancelled call leaves its connection usable: the next one queues behind it."""

    def __init__(self, deadline_seconds: float) -> None:
        self._deadline_seconds = deadline_seconds
        self._idle: asyncio.LifoQueue[aiosqlite.Connection] = asyncio.LifoQueue()

    @asynccontextmanager
    async def open(self, path: Path) -> AsyncIterator["SqliteReader"]:
        connections: list[aiosqlite.Connection] = []
        try:
            for _ in range(POOL_SIZE):
                connection = await opening.open_reader(path)
                connections.append(connection)
                await connection.create_function("buttonhook_same", 2, same_json, deterministic=True)
                self._idle.put_nowait(connection)
            yield self
        finally:
            with anyio.CancelScope(shield=True):
                for connection in connections:
                    await connection.close()

    async def objects(self, query: ObjectQuery) -> list[tuple[StoredObject, tuple[Any, ...]]]:
        found = await self._fetch(*select.objects_sql(query))
        return [(rows.to_object(row), (*row[6:], row[1])) for row in found]

    async def count_objects(self, query: ObjectQuery) -> int:
        return int((await self._fetch(*select.count_sql(query)))[0][0])

    async def stored_types(self) -> list[str]:
        return [name for (name,) in await self._fetch(select.STORED_TYPES, [])]

    async def get_object(self, key: ObjectKey) -> StoredObject | None:
        for sql, values in pieces(FIND_OBJECTS, [key]):
            for row in await self._fetch(sql, values):
                return rows.to_object(row)
        return None

    async def referrers(self, key: ObjectKey, after: Referrer | None = None, limit: int = 50) -> list[Referrer]:
        found = await self._fetch(FIND_REFERRERS, [*key, *(after or ("", "", "")), limit])
        return [(row[2], row[3], row[4]) for row in found]

    async def changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        return [rows.to_change(row) for row in await self._fetch(*listing.changes_sql(query))]

    async def results(self, query: ResultQuery) -> list[JobResult]:
        deadline = None if query.occasion_id is None else SCAN_DEADLINE_SECONDS
        return [rows.to_result(row) for row in await self._fetch(*listing.results_sql(query), deadline)]

    async def log_entries(
        self, number: int, after_id: int = 0, limit: int = 1000, *, by_id: bool = False
    ) -> list[JobLogEntry]:
        where, order, values = "", "attempt, seq", [number]
        if by_id:
            where, order = "AND id > ?", "+id"  # +: by the index of results, not through all rows
            values.append(after_id)
        elif after_id:
            where = "AND (attempt, seq) > (SELECT attempt, seq FROM job_log_entry WHERE id = ? AND number = ?)"
            values += [after_id, number]
        sql = (
            f"SELECT {', '.join(rows.LOG_COLUMNS)} FROM job_log_entry WHERE number = ? {where} ORDER BY {order} LIMIT ?"
        )
        return [rows.to_log_entry(row) for row in await self._fetch(sql, [*values, limit])]

    async def find_log_entries(self, query: LogQuery) -> list[tuple[JobLogEntry, JobResult]]:
        looks_at_all = query.level is not None or query.search is not None
        found = await self._fetch(*listing.log_sql(query), SCAN_DEADLINE_SECONDS if looks_at_all else None)
        width = len(rows.LOG_COLUMNS)
        lines: list[tuple[JobLogEntry, JobResult]] = []
        for row in found:  # the lines of one result stand together
            entry = rows.to_log_entry(row[:width])
            is_same = lines and lines[-1][0].number == entry.number
            lines.append((entry, lines[-1][1] if is_same else rows.to_result(row[width:])))
        return lines

    async def pending(self, after: int, limit: int, lane: str | None = None) -> list[PendingResult]:
        chosen = "" if lane is None else "lane = ? AND "
        sql = (
            f"SELECT number, job, lane, due_at FROM job_result WHERE {chosen}ended_at IS NULL AND number > ? "
            "AND status IN ('pending', 'retry') ORDER BY number LIMIT ?"
        )
        values = [after, limit] if lane is None else [lane, after, limit]
        return [PendingResult(*row) for row in await self._fetch(sql, values)]

    async def audit_entries(self, query: AuditQuery) -> list[AuditEntry]:
        return [rows.to_audit(row) for row in await self._fetch(*listing.audit_sql(query))]

    async def find_receipt(self, user_name: str, key: str) -> ReceiptRecord | None:
        for sql, values in pieces(FIND_RECEIPTS, [(user_name, key)]):
            for row in await self._fetch(sql, values):
                return rows.to_receipt(row)
        return None

    async def config(self) -> list[ConfigRecord]:
        found = await self._fetch(f"SELECT {', '.join(rows.CONFIG_COLUMNS)} FROM config ORDER BY kind, name", [])
        return [rows.to_config(row) for row in found]

    async def check(self) -> CheckReport:
        problems: list[str] = []
        for describe, sql in checking.PROBLEMS:
            problems.extend(describe(row) for row in await self._fetch(sql, [], CHECK_DEADLINE_SECONDS))
        counts = {name: (await self._fetch(sql, [], CHECK_DEADLINE_SECONDS))[0][0] for name, sql in checking.COUNTS}
        return CheckReport(problems=problems, counts=counts)

    async def _fetch(self, sql: str, values: Sequence[Any], deadline_seconds: float | None = None) -> list[Any]:
        seconds = self._deadline_seconds if deadline_seconds is None else deadline_seconds
        connection = await self._idle.get()
        try:
            with anyio.fail_after(seconds):
                return list(await connection.execute_fetchall(sql, values))
        except TimeoutError as exc:
            await connection.interrupt()
            raise QueryTooSlow(seconds) from exc
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await connection.interrupt()
            raise
        except sqlite3.DatabaseError as exc:
            raise DatabaseRefused(str(exc), "cannot be read", "Look it over with: buttonhook check.") from exc
        finally:
            self._idle.put_nowait(connection)


def same_json(left: str | None, right: str) -> bool:
    """Whether two JSON texts hold the same value; for SQL."""
    return left is not None and documents.same(documents.decode(left), documents.decode(right))
