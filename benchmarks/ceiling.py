"""The raw ceiling: the rows of life cycles, written by bare sqlite3 with executemany, and nothing else.

What makes the ratio honest: it is the product's own schema and settings (`synchronous=FULL` among them), and the very
rows that the product writes. One life cycle is an object, an object change, and for each job hook a job result
(inserted as started, then ended) and four log entries (two of them the product's own first and last line).
`tests/house/test_benchmarks.py` compares the tables that both leave, row for row and byte for byte. All rows are made
before the clock starts; each batch of `batch` life cycles is one transaction, where the product needs at least three.
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
from buttonhook.stores.sqlite.opening import APPLICATION_ID, migrations

BATCH = 512
"""Life cycles a transaction at most: more make it no faster."""

TYPE = "bench.device"
USER = "bench"
JOB = "benchmarks.receivers.Noop"
SETTINGS = (
    "auto_vacuum = INCREMENTAL",  # first: it holds only while the file is empty
    f"application_id = {APPLICATION_ID}",
    "journal_mode = WAL",
    "synchronous = FULL",
    "foreign_keys = ON",
    "trusted_schema = OFF",
    "cell_size_check = ON",
    "mmap_size = 0",
    "temp_store = MEMORY",
    "cache_size = -32000",
    "journal_size_limit = 134217728",
    "wal_autocheckpoint = 1000",
)

Write = tuple[str, list[Any]]


def life_cycles_a_second(path: Path, count: int, batch: int = BATCH, hooks: int = 1) -> float:
    """Write `count` life cycles to a new database at `path`; return how many a second."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in SETTINGS:
        connection.execute(f"PRAGMA {pragma}")
    connection.executescript("".join(migrations()))
    batches = [_writes(start, min(batch, count - start), hooks) for start in range(0, count, batch)]
    began = time.perf_counter()
    for writes in batches:
        connection.execute("BEGIN IMMEDIATE")
        for sql, values in writes:
            connection.executemany(sql, values)
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return count / seconds


def _writes(start: int, count: int, hooks: int) -> list[Write]:
    moment = now()
    objects, changes, results, ended, lines = [], [], [], [], []
    for change_id in range(start + 1, start + count + 1):
        pk = device_pk(change_id)
        text = f'{{"name":"{pk}","serial":"FOC2149X0AB","status":"active"}}'
        objects.append(rows.from_object(StoredObject(TYPE, pk, text, change_id, USER, moment)))
        changes.append(rows.from_change(_change(change_id, pk, text, moment)))
        for hook in range(hooks):
            number = (change_id - 1) * hooks + hook + 1
            results.append(rows.from_result(_result(number, hook, change_id, pk, moment)))
            ended.append((moment, number))
            lines.extend(_lines(number, pk, moment))
    return [
        (_insert("object", rows.OBJECT_COLUMNS), objects),
        (_insert("object_change", rows.CHANGE_COLUMNS), changes),
        (_insert("job_result", (*rows.RESULT_COLUMNS, "change_id")), results),
        ("UPDATE job_result SET status = 'success', ended_at = ? WHERE number = ?", ended),
        (_insert("job_log_entry", rows.LOG_COLUMNS), lines),
    ]


def device_pk(number: int) -> str:
    """The pk of the device of one life cycle; as long as those that bench_dispatch makes."""
    return f"run-{number:07d}"


def _change(number: int, pk: str, text: str, moment: Microseconds) -> ChangeRecord:
    return ChangeRecord(
        id=ChangeId(number),
        time=moment,
        recorded_at=moment,
        user_name=USER,
        request_id=new_uuid7(),
        action=ObjectChangeAction.CREATE,
        object_type=TYPE,
        object_pk=pk,
        object_repr=pk,
        change_context="app",
        change_context_detail="",
        prechange=None,
        postchange=text,
    )


def _result(number: int, hook: int, change_id: int, pk: str, moment: Microseconds) -> JobResult:
    occasion_id = "0199c0de-0000-7000-8000-000000000000"
    job = JobId(f"{JOB}{hook or ''}")
    return JobResult(
        number=number,
        id=JobResultId(new_uuid7()),
        kind="hook",
        job=job,
        job_name=f"Noop{hook or ''}",
        occasion=f"noop-{hook}",
        occasion_id=occasion_id,
        status=JobResultStatus.STARTED,
        attempt=1,
        user_name=USER,
        object_type=TYPE,
        object_pk=pk,
        object_repr=pk,
        change_ids=(ChangeId(change_id),),
        lane=f"{occasion_id}:{TYPE}:{pk}",
        created_at=moment,
        started_at=moment,
        is_hooks=True,
        chain=(f"{job} {TYPE} {pk}",),
    )


def _lines(number: int, pk: str, moment: Microseconds) -> list[tuple[Any, ...]]:
    said = (
        (LogLevel.INFO, "initialization", "Running job"),
        (LogLevel.INFO, "receive_job_hook", f"line 1 of {pk}"),
        (LogLevel.INFO, "receive_job_hook", f"line 2 of {pk}"),
        (LogLevel.SUCCESS, "post_run", "Job completed"),
    )
    return [
        rows.from_log_entry(
            4 * (number - 1) + seq,
            JobLogEntry(
                number=number,
                attempt=1,
                seq=seq,
                time=moment,
                level=level,
                grouping=grouping,
                message=message,
            ),
        )
        for seq, (level, grouping, message) in enumerate(said, start=1)
    ]


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
