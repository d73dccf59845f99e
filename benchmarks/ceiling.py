"""The raw ceiling: the rows of one life cycle, written by bare sqlite3 with executemany, nothing else.

One life cycle is an object, an object change, a job result (inserted, started, ended) and two log entries, in the
product's own schema, `synchronous=FULL`, so many life cycles to a transaction as the product's batches hold.
"""

import sqlite3
import time
from pathlib import Path
from typing import Any

from buttonhook.ids import new_uuid7, now
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
        pk, result_id, request_id = f"device-{number}", new_uuid7(), new_uuid7()
        objects.append(("bench.device", pk, text, number, "bench", moment))
        changes.append(
            (
                *(number, moment, moment, "bench", request_id, "create", "bench.device", pk, "device", "app", ""),
                *(None, text, None, None, 0, "[]"),
            )
        )
        results.append(
            (
                *(number, result_id, "hook", "bench.Noop", "Noop", "noop", "pending", 0, 0, "bench", "bench.device"),
                *(pk, "device", f"[{number}]", f"hook:bench.device:{pk}", moment),
                *(None,) * 8,
                *(0, number),
            )
        )
        ended.append(("success", moment, number))
        for seq in (1, 2):
            line = f"line {seq} of {pk}"
            lines.append((2 * number + seq - 2, number, 1, seq, moment, 20, "receive_job_hook", line, "", "", "", ""))
    return [
        (_insert("object", rows.OBJECT_COLUMNS), objects),
        (_insert("object_change", rows.CHANGE_COLUMNS), changes),
        (_insert("job_result", (*rows.RESULT_COLUMNS, "change_id")), results),
        (
            "UPDATE job_result SET status = 'started', attempt = 1, started_at = ? WHERE number = ?",
            [row[1:] for row in ended],
        ),
        ("UPDATE job_result SET status = ?, ended_at = ? WHERE number = ?", ended),
        (_insert("job_log_entry", rows.LOG_COLUMNS), lines),
    ]


def _insert(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
