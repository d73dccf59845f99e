"""Rows to records and back: the order of columns is said once, here.

The value of a word is read as `_value_`: `.value` is a call of Python code, for each of thousands of rows a second.
"""

from typing import Any, Final

import msgspec

from buttonhook.ids import ChangeId, JobId, JobResultId, JobResultStatus, LogLevel, Microseconds, ObjectChangeAction
from buttonhook.people import AuditEntry, ReceiptRecord
from buttonhook.records import (
    CONFIG_KINDS,
    ChangeRecord,
    ConfigRecord,
    Cut,
    JobLogEntry,
    JobResult,
    Outcome,
    StoredObject,
    config_kind,
)

OBJECT_COLUMNS: Final = ("object_type", "pk", "document", "version", "updated_by", "updated_at")
CHANGE_COLUMNS: Final = (
    "id",
    "time",
    "recorded_at",
    "user_name",
    "request_id",
    "action",
    "object_type",
    "object_pk",
    "object_repr",
    "change_context",
    "change_context_detail",
    "prechange",
    "postchange",
    "cause",
    "root",
    "depth",
    "saves",
    "cuts",
)
RESULT_COLUMNS: Final = (
    "number",
    "id",
    "kind",
    "job",
    "job_name",
    "occasion",
    "occasion_id",
    "status",
    "attempt",
    "failures",
    "crashes",
    "user_name",
    "object_type",
    "object_pk",
    "object_repr",
    "change_ids",
    "lane",
    "created_at",
    "started_at",
    "ended_at",
    "due_at",
    "result",
    "error",
    "traceback",
    "cause",
    "root",
    "depth",
    "is_hooks",
    "chain",
    "run_as",
    "rerun_of",
    "rerun_by",
)
LOG_COLUMNS: Final = (
    "id",
    "number",
    "attempt",
    "seq",
    "time",
    "level",
    "grouping",
    "message",
    "logger",
    "object_type",
    "object_pk",
    "object_repr",
)
OUTCOME_COLUMNS: Final = ("number", "attempt", "status", "ended_at", "due_at", "result", "error", "traceback")
AUDIT_COLUMNS: Final = ("time", "kind", "user_name", "address", "what", "request_id")
RECEIPT_COLUMNS: Final = ("user_name", "key", "fingerprint", "answer", "recorded_at")
CONFIG_COLUMNS: Final = ("kind", "id", "name", "document")

_encode = msgspec.json.Encoder().encode
_ints = msgspec.json.Decoder(tuple[int, ...])
_texts = msgspec.json.Decoder(tuple[str, ...])
_cuts = msgspec.json.Decoder(tuple[Cut, ...])
_config_decoders = {kind: msgspec.json.Decoder(struct) for kind, struct in CONFIG_KINDS.items()}


def from_audit(row: AuditEntry) -> tuple[Any, ...]:
    return row.time, row.kind, row.user_name, row.address, row.what, row.request_id


def to_audit(row: tuple[Any, ...]) -> AuditEntry:
    return AuditEntry(**dict(zip(("id", *AUDIT_COLUMNS), row, strict=True)))


def from_receipt(row: ReceiptRecord) -> tuple[Any, ...]:
    return row.user_name, row.key, row.fingerprint, row.answer, row.recorded_at


def to_receipt(row: tuple[Any, ...]) -> ReceiptRecord:
    return ReceiptRecord(**dict(zip(RECEIPT_COLUMNS, row, strict=True)))


def from_object(row: StoredObject) -> tuple[Any, ...]:
    return row.object_type, row.pk, row.document, row.version, row.updated_by, row.updated_at


def from_change(row: ChangeRecord) -> tuple[Any, ...]:
    return (
        row.id,
        row.time,
        row.recorded_at,
        row.user_name,
        row.request_id,
        row.action._value_,
        row.object_type,
        row.object_pk,
        row.object_repr,
        row.change_context,
        row.change_context_detail,
        row.prechange,
        row.postchange,
        row.cause,
        row.root,
        row.depth,
        row.saves,
        msgspec.json.encode(row.cuts).decode() if row.cuts else "[]",
    )


def from_result(row: JobResult) -> tuple[Any, ...]:
    """The columns of a job result, then the first of its changes, which has an index."""
    return (
        row.number,
        row.id,
        row.kind,
        row.job,
        row.job_name,
        row.occasion,
        row.occasion_id,
        row.status._value_,
        row.attempt,
        row.failures,
        row.crashes,
        row.user_name,
        row.object_type,
        row.object_pk,
        row.object_repr,
        _encode(row.change_ids).decode(),
        row.lane,
        row.created_at,
        row.started_at,
        row.ended_at,
        row.due_at,
        row.result,
        row.error,
        row.traceback,
        row.cause,
        row.root,
        row.depth,
        int(row.is_hooks),
        _encode(row.chain).decode(),
        row.run_as,
        row.rerun_of,
        row.rerun_by,
        row.change_ids[0] if row.change_ids else None,
    )


def from_log_entry(id_: int, row: JobLogEntry) -> tuple[Any, ...]:
    return (
        id_,
        row.number,
        row.attempt,
        row.seq,
        row.time,
        int(row.level),
        row.grouping,
        row.message,
        row.logger,
        row.object_type,
        row.object_pk,
        row.object_repr,
    )


def from_outcome(row: Outcome) -> tuple[Any, ...]:
    return row.number, row.attempt, row.status._value_, row.ended_at, row.due_at, row.result, row.error, row.traceback


def from_config(row: ConfigRecord) -> tuple[Any, ...]:
    return config_kind(type(row)), row.id, row.name, msgspec.json.encode(row).decode()


def to_object(row: tuple[Any, ...]) -> StoredObject:
    return StoredObject(*row[:6])


def to_change(row: tuple[Any, ...]) -> ChangeRecord:
    return ChangeRecord(
        id=ChangeId(row[0]),
        time=Microseconds(row[1]),
        recorded_at=Microseconds(row[2]),
        user_name=row[3],
        request_id=row[4],
        action=ObjectChangeAction(row[5]),
        object_type=row[6],
        object_pk=row[7],
        object_repr=row[8],
        change_context=row[9],
        change_context_detail=row[10],
        prechange=row[11],
        postchange=row[12],
        cause=row[13],
        root=row[14],
        depth=row[15],
        saves=row[16],
        cuts=_cuts.decode(row[17]) if row[17] != "[]" else (),
    )


def to_result(row: tuple[Any, ...]) -> JobResult:
    return JobResult(
        number=row[0],
        id=JobResultId(row[1]),
        kind=row[2],
        job=JobId(row[3]),
        job_name=row[4],
        occasion=row[5],
        occasion_id=row[6],
        status=JobResultStatus(row[7]),
        attempt=row[8],
        failures=row[9],
        crashes=row[10],
        user_name=row[11],
        object_type=row[12],
        object_pk=row[13],
        object_repr=row[14],
        change_ids=_ints.decode(row[15]),  # type: ignore[arg-type] # ints are ChangeIds
        lane=row[16],
        created_at=row[17],
        started_at=row[18],
        ended_at=row[19],
        due_at=row[20],
        result=row[21],
        error=row[22],
        traceback=row[23],
        cause=row[24],
        root=row[25],
        depth=row[26],
        is_hooks=bool(row[27]),
        chain=_texts.decode(row[28]),
        run_as=row[29],
        rerun_of=row[30],
        rerun_by=row[31],
    )


def to_log_entry(row: tuple[Any, ...]) -> JobLogEntry:
    return JobLogEntry(
        id=row[0],
        number=row[1],
        attempt=row[2],
        seq=row[3],
        time=row[4],
        level=LogLevel(row[5]),
        grouping=row[6],
        message=row[7],
        logger=row[8],
        object_type=row[9],
        object_pk=row[10],
        object_repr=row[11],
    )


def to_numbers(row: tuple[Any, ...]) -> tuple[int, ...]:
    """Numbers that were found as one JSON list."""
    return _ints.decode(row[0])


def to_config(row: tuple[Any, ...]) -> ConfigRecord:
    return _config_decoders[row[0]].decode(row[3])  # type: ignore[no-any-return]
