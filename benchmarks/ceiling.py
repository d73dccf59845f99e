"""The raw ceiling: the rows of one life cycle, written by bare sqlite3 with executemany, nothing else.

One life cycle is an object, an object change, a job result (inserted as started, ended) and four log entries (two of
them the product's own first and last line), in the product's own schema, `synchronous=FULL`, 512 life cycles to a
transaction.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

from buttonhook.ids import (
    ChangeId,
    JobId,
    JobResultId,
    JobResultStatus,
    LogLevel,
    Microseconds,
    ObjectChangeAction,
    new_uuid7,
    now,
)
from buttonhook.records import ChangeRecord, JobLogEntry, JobResult, StoredObject
from buttonhook.stores.sqlite import rows
from buttonhook.stores.sqlite.opening import migrations

BATCH = 512


def life_cycles_a_second(path: Path, count: int) -> float:
    """Write `count` life cycles to a new database at `path`; return how many a second."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON", "cache_size = -32000"):
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript("".join(migrations()))
    batches = [_rows(start, min(BATCH, count - start)) for start in range(0, count, BATCH)]
    began = time.perf_counter()
    for batch in batches:
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in batch:
            connection.executemany(sql, values)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return count / seconds


def _rows(start: int, count: int) -> list[tuple[str, list[Any]]]:
    moment = now()
    text = '{"name":"device","serial":"FOC2149X0AB","status":"active"}'
    objects, changes, results, ended, lines = [], [], [], [], []
    for number in range(start + 1, start + count + 1):
        pk = f"device-{number}"
        objects.append(rows.from_object(StoredObject("bench.device", pk, text, number, "bench", moment)))
        changes.append(rows.from_change(_change(number, pk, text, moment)))
        results.append(rows.from_result(_result(number, pk, moment)))
        ended.append(("success", moment, number))
        for seq, message in enumerate(("Running job", f"line 1 of {pk}", f"line 2 of {pk}", "Job completed"), start=1):
            entry = JobLogEntry(
                number=number,
                attempt=1,
                seq=seq,
                time=moment,
                level=LogLevel.INFO,
                grouping="receive_job_hook",
                message=message,
            )
            lines.append(rows.from_log_entry(4 * number + seq, entry))
    return [
        (_insert("object", rows.OBJECT_COLUMNS), objects),
        (_insert("object_change", rows.CHANGE_COLUMNS), changes),
        (_insert("job_result", (*rows.RESULT_COLUMNS, "change_id")), results),
        ("UPDATE job_result SET status = ?, ended_at = ? WHERE number = ?", ended),
        (_insert("job_log_entry", rows.LOG_COLUMNS), lines),
    ]


def _change(number: int, pk: str, text: str, moment: Microseconds) -> ChangeRecord:
    return ChangeRecord(
        id=ChangeId(number),
        time=moment,
        recorded_at=moment,
        user_name="bench",
        request_id=new_uuid7(),
        action=ObjectChangeAction.CREATE,
        object_type="bench.device",
        object_pk=pk,
        object_repr=pk,
        change_context="app",
        change_context_detail="",
        prechange=None,
        postchange=text,
    )


def _result(number: int, pk: str, moment: Microseconds) -> JobResult:
    return JobResult(
        number=number,
        id=JobResultId(new_uuid7()),
        kind="hook",
        job=JobId("benchmarks.bench_dispatch.Noop"),
        job_name="Noop",
        occasion="noop",
        occasion_id=new_uuid7(),
        status=JobResultStatus.STARTED,
        attempt=1,
        user_name="bench",
        object_type="bench.device",
        object_pk=pk,
        object_repr=pk,
        change_ids=(ChangeId(number),),
        lane=f"hook:bench.device:{pk}",
        created_at=moment,
        started_at=moment,
        is_hooks=True,
        chain=(f"benchmarks.bench_dispatch.Noop bench.device {pk}",),
    )


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
