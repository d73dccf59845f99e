"""Questions about what was recorded to SQL: changes, job results, log lines, audit entries, in the order of their keys.

Each filter that has an index is answered by it at any depth; those of a time become a range of numbers first.
"""

from typing import Any, Final

import msgspec

from buttonhook.ids import Microseconds
from buttonhook.log_search import LogQuery
from buttonhook.people import AuditQuery
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.stores.sqlite import rows as columns

_CHANGE: Final = ", ".join(columns.CHANGE_COLUMNS)
_RESULT: Final = ", ".join(columns.RESULT_COLUMNS)

_LINE: Final = ", ".join(f"line.{name}" for name in columns.LOG_COLUMNS)
_LONG: Final = frozenset({"result", "error", "traceback"})
_SHORT_RESULT: Final = ", ".join("NULL" if name in _LONG else f"job_result.{name}" for name in columns.RESULT_COLUMNS)
_AFTER_LINE: Final = "(line.attempt, line.seq) > (?, ?)"
_BEFORE_LINE: Final = "job_result.number <= ? AND (job_result.number < ? OR (line.attempt, line.seq) < (?, ?))"

Sql = tuple[str, list[Any]]


def changes_sql(query: ChangeQuery) -> Sql:
    fixed = {
        "object_type": query.object_type,
        "object_pk": query.object_pk,
        "request_id": query.request_id,
        "user_name": query.user_name,
        "action": query.action and query.action.value,
        "change_context": query.context,
        "cause": query.cause,
    }
    where, values = _fixed(fixed, "id", query.after, query.ascending)
    where, values = _within(where, values, "object_change", ("id", "recorded_at"), (query.since, query.until))
    if query.least is not None:
        where, values = f"{where} AND id >= ?", [*values, query.least]
    if query.ids is not None:
        where += f" AND id IN ({', '.join('?' * len(query.ids))})"
        values.extend(query.ids)
    order = "ASC" if query.ascending else "DESC"
    return f"SELECT {_CHANGE} FROM object_change WHERE {where} ORDER BY id {order} LIMIT ?", [*values, query.limit]


def audit_sql(query: AuditQuery) -> Sql:
    where, values = _fixed({"kind": query.kind, "user_name": query.user_name}, "id", query.after, False)
    names = ", ".join(("id", *columns.AUDIT_COLUMNS))
    return f"SELECT {names} FROM audit_entry WHERE {where} ORDER BY id DESC LIMIT ?", [*values, query.limit]


def results_sql(query: ResultQuery) -> Sql:
    where, values = _results_where(query)
    order = "ASC" if query.ascending else "DESC"
    return f"SELECT {_RESULT} FROM job_result WHERE {where} ORDER BY number {order} LIMIT ?", [*values, query.limit]


def _results_where(query: ResultQuery) -> Sql:
    fixed = {
        "job_result.id": query.id,
        "job_result.job": query.job,
        "job_result.status": query.status and query.status.value,
        "job_result.object_type": query.object_type,
        "job_result.object_pk": query.object_pk,
        "job_result.user_name": query.user_name,
        "job_result.occasion_id": query.occasion_id,
        "job_result.cause": query.cause,
        "job_result.lane": query.lane,
        "job_result.change_id": query.change_id,
    }
    where, values = _fixed(fixed, "job_result.number", query.after, query.ascending)
    where, values = _within(where, values, "job_result", ("number", "created_at"), (query.since, query.until))
    if query.least is not None:
        where, values = f"{where} AND job_result.number >= ?", [*values, query.least]
    if query.numbers is not None:
        where += f" AND job_result.number IN ({', '.join('?' * len(query.numbers))})"
        values = [*values, *query.numbers]
    if query.status is not None:
        where += " AND ended_at IS NOT NULL" if query.status.is_final else " AND ended_at IS NULL"
    return where, values


def log_sql(query: LogQuery) -> Sql:
    """Rows of the log columns, then those of the result columns; the long ones among the latter are null."""
    attempt, seq = ("attempt", "seq") if query.number is not None else ("attempt DESC", "seq DESC")
    where = "job_result.number = ?"
    values: list[Any] = [query.number]
    if query.number is None:
        where, values = _results_where(msgspec.structs.replace(query.results, after=None))
    if query.after is not None:
        number, *place = query.after
        where += f" AND ({_AFTER_LINE if query.number is not None else _BEFORE_LINE})"
        values = [*values, *([] if query.number is not None else [number, number]), *place]
    if query.level is not None:
        where, values = f"{where} AND line.level >= ?", [*values, int(query.level)]
    if query.search is not None:
        where, values = f"{where} AND instr(lower(line.message), lower(?)) > 0", [*values, query.search]
    # CROSS JOIN: the results outside, in the order of an index, so that no page is sorted
    text = (
        f"SELECT {_LINE}, {_SHORT_RESULT} FROM job_result CROSS JOIN job_log_entry AS line "
        f"ON line.number = job_result.number WHERE {where} "
        f"ORDER BY job_result.number DESC, line.{attempt}, line.{seq} LIMIT ?"
    )
    return text, [*values, query.limit]


def _fixed(fixed: dict[str, Any], key: str, after: int | None, ascending: bool) -> Sql:
    parts: list[str] = []
    values: list[Any] = []
    for name, value in fixed.items():
        if isinstance(value, tuple):
            parts.append(f"{name} IN ({', '.join('?' * len(value))})")
            values.extend(value)
        elif value is not None:
            parts.append(f"{name} = ?")
            values.append(value)
    parts = parts or ["1"]
    if after is not None:
        parts.append(f"{key} {'>' if ascending else '<'} ?")
        values.append(after)
    return " AND ".join(parts), values


def _within(
    where: str,
    values: list[Any],
    table: str,
    columns: tuple[str, str],
    bounds: tuple[Microseconds | None, Microseconds | None],
) -> Sql:
    """Rows of a time: rows are numbered in order of time, so the number where it begins is found by halving."""
    number, moment = columns
    for sign, bound in zip((">=", "<"), bounds, strict=True):
        if bound is not None:
            where += f" AND {table}.{number} {sign} ({_FIRST_SINCE.format(table=table, number=number, moment=moment)})"
            values = [*values, bound, bound]
    return where, values


_FIRST_SINCE: Final = (
    "WITH RECURSIVE halved (low, high) AS (SELECT 1, coalesce((SELECT max({number}) FROM {table}), 0) + 1 UNION ALL "
    "SELECT CASE WHEN (SELECT {moment} FROM {table} WHERE {number} >= (low + high) / 2 ORDER BY {number} LIMIT 1) < ? "
    "THEN (low + high) / 2 + 1 ELSE low END, "
    "CASE WHEN (SELECT {moment} FROM {table} WHERE {number} >= (low + high) / 2 ORDER BY {number} LIMIT 1) < ? "
    "THEN high ELSE (low + high) / 2 END FROM halved WHERE low < high) SELECT max(low) FROM halved"
)
"""The lowest number a row of this moment or later can have."""
