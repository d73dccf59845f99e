"""The SQL of every write, and of what a decision asks to see: one statement a table and batch.

Rows are bound as multi-row VALUES. Batches are cut into two or three pieces of the sizes of `_piece_size`, so that only
a few dozen different texts are ever prepared and each stays in the connection's statement cache. (INSERT ... SELECT
FROM json_each(?) was measured at two to three times the cost a row; executemany gives up the interpreter lock for each
row, and so does each row that a statement returns: beside a busy loop every one of them waits for a turn.)
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, Final

from buttonhook.stores.sqlite import rows as columns

SMALL: Final = 32
LARGE: Final = 256
MAX_VARIABLES: Final = 32_000
"""SQLite binds 32,766 values at most."""

Statement = tuple[str, list[Any]]

INSERT_CHANGES: Final = f"INSERT INTO object_change ({', '.join(columns.CHANGE_COLUMNS)}) VALUES {{values}}"
INSERT_RESULTS: Final = f"INSERT INTO job_result ({', '.join(columns.RESULT_COLUMNS)}, change_id) VALUES {{values}}"
INSERT_LOG: Final = f"INSERT INTO job_log_entry ({', '.join(columns.LOG_COLUMNS)}) VALUES {{values}}"
INSERT_REQUESTS: Final = "INSERT INTO request (request_id, recorded_at) VALUES {values}"
INSERT_UNIQUE: Final = "INSERT INTO object_unique (object_type, fields, value, pk) VALUES {values}"
UPSERT_OBJECTS: Final = (
    f"INSERT INTO object ({', '.join(columns.OBJECT_COLUMNS)}) VALUES {{values}} "
    "ON CONFLICT (object_type, pk) DO UPDATE SET document = excluded.document, version = excluded.version, "
    "updated_by = excluded.updated_by, updated_at = excluded.updated_at"
)
UPSERT_CONFIG: Final = (
    f"INSERT INTO config ({', '.join(columns.CONFIG_COLUMNS)}) VALUES {{values}} "
    "ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, document = excluded.document"
)
DELETE_OBJECTS: Final = "DELETE FROM object WHERE (object_type, pk) IN (VALUES {values})"
DELETE_UNIQUE: Final = "DELETE FROM object_unique WHERE (object_type, fields, value) IN (VALUES {values})"
CLEAR_UNIQUE: Final = "DELETE FROM object_unique WHERE object_type IN (VALUES {values})"
CLEAR_REFERENCES: Final = "DELETE FROM object_reference WHERE object_type IN (VALUES {values})"
_REFERENCE: Final = "target_type, target_pk, object_type, pk, field"
DELETE_REFERENCES: Final = f"DELETE FROM object_reference WHERE ({_REFERENCE}) IN (VALUES {{values}})"
INSERT_REFERENCES: Final = f"INSERT INTO object_reference ({_REFERENCE}) VALUES {{values}} ON CONFLICT DO NOTHING"
INSERT_AUDIT: Final = f"INSERT INTO audit_entry ({', '.join(columns.AUDIT_COLUMNS)}) VALUES {{values}}"
TRIM_AUDIT: Final = "DELETE FROM audit_entry WHERE id <= (SELECT max(id) FROM audit_entry) - ?"
PUT_RECEIPTS: Final = f"INSERT OR REPLACE INTO receipt ({', '.join(columns.RECEIPT_COLUMNS)}) VALUES {{values}}"
EXPIRE_RECEIPTS: Final = "DELETE FROM receipt WHERE recorded_at < ?"
DELETE_CONFIG: Final = "DELETE FROM config WHERE (kind, id) IN (VALUES {values})"

CLAIM: Final = (
    "WITH claim (number, started_at) AS (VALUES {values}) "
    "UPDATE job_result SET status = 'started', attempt = attempt + 1, started_at = claim.started_at, due_at = NULL "
    "FROM claim WHERE job_result.number = claim.number AND job_result.status IN ('pending', 'retry')"
)
"""Make waiting results started and count the attempt."""

END_STARTED: Final = (
    f"WITH outcome ({', '.join(columns.OUTCOME_COLUMNS)}) AS (VALUES {{values}}) "
    "UPDATE job_result SET status = outcome.status, failures = failures + (outcome.status = 'retry'), "
    "ended_at = outcome.ended_at, due_at = outcome.due_at, result = outcome.result, "
    "error = outcome.error, traceback = outcome.traceback FROM outcome WHERE job_result.number = outcome.number "
    "AND job_result.attempt = outcome.attempt AND job_result.status = 'started'"
)
"""Apply outcomes, each only where its attempt is still the started one."""

END_WAITING: Final = (
    f"WITH outcome ({', '.join(columns.OUTCOME_COLUMNS)}) AS (VALUES {{values}}) "
    "UPDATE job_result SET status = outcome.status, ended_at = outcome.ended_at, due_at = NULL, error = outcome.error "
    "FROM outcome WHERE job_result.number = outcome.number AND job_result.status IN ('pending', 'retry')"
)
"""End results that wait, without a run."""

FIND_STARTED: Final = (
    "WITH wanted (number, attempt) AS (VALUES {values}) SELECT json_group_array(job_result.number) FROM wanted "
    "CROSS JOIN job_result ON job_result.number = wanted.number AND job_result.attempt = wanted.attempt "
    "WHERE job_result.status = 'started'"
)
"""Which attempts are the started ones, as one JSON list of the numbers of their results."""
FIND_WAITING: Final = (
    "SELECT json_group_array(number) FROM job_result "
    "WHERE number IN (VALUES {values}) AND status IN ('pending', 'retry')"
)
"""Which results wait, as one JSON list of their numbers."""

_OBJECT: Final = ", ".join(f"object.{name}" for name in columns.OBJECT_COLUMNS)
FIND_OBJECTS: Final = (
    f"WITH wanted (object_type, pk) AS (VALUES {{values}}) SELECT {_OBJECT} FROM wanted CROSS JOIN object "
    "ON object.object_type = wanted.object_type AND object.pk = wanted.pk"
)
FIND_PRESENT: Final = (
    "WITH wanted (object_type, pk) AS (VALUES {values}) SELECT object.object_type, object.pk FROM wanted "
    "CROSS JOIN object ON object.object_type = wanted.object_type AND object.pk = wanted.pk"
)
FIND_REFERRERS: Final = (
    f"SELECT {_REFERENCE} FROM object_reference WHERE target_type = ? AND target_pk = ? "
    "AND (object_type, pk, field) > (?, ?, ?) ORDER BY object_type, pk, field LIMIT ?"
)
FIND_UNIQUE: Final = (
    "WITH wanted (object_type, fields, value) AS (VALUES {values}) "
    "SELECT held.object_type, held.fields, held.value, held.pk "
    "FROM wanted CROSS JOIN object_unique AS held ON held.object_type = wanted.object_type "
    "AND held.fields = wanted.fields AND held.value = wanted.value"
)
FIND_REQUESTS: Final = "SELECT request_id FROM request WHERE request_id IN (VALUES {values})"
FIND_RUNS: Final = "SELECT number, attempt, status FROM job_result WHERE number IN (VALUES {values})"
FIND_RECEIPTS: Final = (
    f"SELECT {', '.join(columns.RECEIPT_COLUMNS)} FROM receipt WHERE (user_name, key) IN (VALUES {{values}})"
)
FIND_RESULTS: Final = f"SELECT {', '.join(columns.RESULT_COLUMNS)} FROM job_result WHERE number IN (VALUES {{values}})"
FIND_CHANGES_OF: Final = (
    f"SELECT {', '.join(columns.CHANGE_COLUMNS)} FROM object_change WHERE id IN "
    "(SELECT each.value FROM job_result, json_each(job_result.change_ids) AS each WHERE number IN (VALUES {values}))"
)
"""The changes of job results."""
FIND_OBJECTS_OF: Final = (
    f"SELECT DISTINCT {_OBJECT} FROM job_result CROSS JOIN object ON object.object_type = job_result.object_type "
    "AND object.pk = job_result.object_pk WHERE job_result.number IN (VALUES {values})"
)
"""The objects of job results."""

RECOVER: Final = (
    "UPDATE job_result SET status = 'pending', crashes = crashes + 1 WHERE ended_at IS NULL AND status = 'started'"
)
"""Put what the dead process had started back to wait."""

INTERRUPT: Final = "UPDATE job_result SET status = 'failure', ended_at = ?, error = ? WHERE number = ?"
NOTE_INTERRUPTION: Final = (
    "INSERT INTO job_log_entry (id, number, attempt, seq, time, level, grouping, message, logger, "
    "object_type, object_pk, object_repr) "
    "SELECT ?1, ?2, ?3, coalesce(max(seq), 0) + 1, ?4, 30, 'outcome', ?5, '', '', '', '' "
    "FROM job_log_entry WHERE number = ?2 AND attempt = ?3"
)
"""Say in the log of an attempt that its process died, behind the lines it left."""


def pieces(template: str, rows: Sequence[Sequence[Any]]) -> Iterator[Statement]:
    """The statements that bind all rows."""
    start = 0
    while start < len(rows):
        width = len(rows[start])
        size = _piece_size(len(rows) - start, width)
        piece = rows[start : start + size] if size < len(rows) else rows
        yield _text(template, width, size), list(chain.from_iterable(piece))
        start += size


def _piece_size(count: int, width: int) -> int:
    """How many of `count` rows go into one statement: all up to 32, else whole thirty-twos, whole 256s above that."""
    count = min(count, MAX_VARIABLES // width)
    step = 1 if count <= SMALL else SMALL if count <= LARGE else LARGE
    return count - count % step


def single(values: Iterable[Any]) -> list[tuple[Any]]:
    """Values as rows of one column."""
    return [(value,) for value in values]


@cache
def _text(template: str, width: int, count: int) -> str:
    row = f"({', '.join('?' * width)})"
    return template.format(values=", ".join([row] * count))
