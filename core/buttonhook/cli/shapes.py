"""Records as JSON: what `--json` prints.

An object has the fields of the record it shows, with these differences: a time is RFC 3339 text in UTC
(`2026-11-23T02:57:01.000123Z`), a status, level or action is a word, a document or a returned value is the JSON value
itself and not its text.

    change      id, time, recorded_at, user_name, request_id, action, object_type, object_pk, object_repr,
                change_context, change_context_detail, prechange, postchange, cause, root, depth, saves,
                and cuts, a list of {hook_id, hook, reason}
    result      number, id, kind, job, job_name, occasion, occasion_id, status, attempt, failures, crashes, user_name,
                object_type, object_pk, object_repr, change_ids, lane, created_at, started_at, ended_at, due_at, result,
                error, traceback, cause, root, depth, is_hooks, run_as, rerun_of, rerun_by
    log entry   attempt, seq, time, level, grouping, message, logger, object_type, object_pk, object_repr
    object      object_type, pk, version, updated_by, updated_at, document; and `invalid`, a list of {path, message},
                where its type no longer accepts the document. One that a plugin mends is shown mended
    job         id, name, kind, enabled, installed, was_enabled, package, overrides; and the options of its Meta under
                `meta`, null where it is not installed
    job hook    id, name, job, object_types, actions, enabled, conditions, run_as, allow_job_hook_changes, edited_at
    job button  id, name, job, object_types, text, group, weight, style, confirmation, enabled, conditions
    source      id, name, kind, acts_as, prefix, enabled, description, signature_header, algorithm, timestamp_header,
                window_seconds, echo_users, secret_file, secret_variable, secret_changed_at
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from buttonhook import times
from buttonhook.cli.acting import JobOptions
from buttonhook.ids import JobId, LogLevel
from buttonhook.objects.types import Reading
from buttonhook.people import SourceRecord
from buttonhook.receivers.registration import ReceiverType
from buttonhook.records import ChangeRecord, Job, JobButton, JobHook, JobLogEntry, JobResult, StoredObject
from buttonhook.registry import Registry

_TIMES = frozenset(
    {
        *("time", "recorded_at", "created_at", "started_at", "ended_at", "due_at", "updated_at", "edited_at"),
        "secret_changed_at",
    }
)
_DOCUMENTS = frozenset({"prechange", "postchange", "result", "document"})


def _plain(record: msgspec.Struct) -> dict[str, Any]:
    shape = msgspec.structs.asdict(record)
    for name, value in shape.items():
        if value is None:
            continue
        if name in _TIMES:
            shape[name] = times.to_text(value)
        elif name in _DOCUMENTS:
            shape[name] = msgspec.Raw(value.encode())
    return shape


def change(record: ChangeRecord) -> dict[str, Any]:
    return _plain(record)


def result(record: JobResult) -> dict[str, Any]:
    """A job result. The keys of its chain, by which loops are found, may be of objects that are hidden."""
    shape = _plain(record)
    del shape["chain"]
    return shape


def log_entry(record: JobLogEntry) -> dict[str, Any]:
    shape = _plain(record)
    del shape["number"], shape["id"]
    shape["level"] = record.level.word
    return shape


def stored_object(record: StoredObject, reading: Reading) -> dict[str, Any]:
    shape = _plain(record)
    shape["document"] = shape.pop("document")  # last: it is the longest
    if reading.is_mended:
        shape["document"] = reading.document
    if reading.faults:
        shape["invalid"] = [{"path": fault.path, "message": fault.message} for fault in reading.faults]
    return shape


def job(record: Job, options: dict[str, Any] | None) -> dict[str, Any]:
    return {**_plain(record), "meta": options}


def meta(receiver: ReceiverType) -> dict[str, Any]:
    """The options of a receiver, all of them."""
    options = msgspec.structs.asdict(receiver.meta)
    options["name"] = receiver.name
    options["log_level"] = LogLevel(receiver.meta.log_level).word
    return options


def options_of(registry: Registry, job: Job) -> JobOptions | None:
    """How a job of a registry runs, None where it is not installed."""
    receiver = registry.receivers.get(job.id)
    if receiver is None:
        return None
    return JobOptions(meta(receiver), registry.options(JobId(job.id)).hidden, receiver.is_async)


def job_hook(record: JobHook) -> dict[str, Any]:
    return _plain(record)


def job_button(record: JobButton) -> dict[str, Any]:
    return _plain(record)


def source(record: SourceRecord) -> dict[str, Any]:
    """A source without its secret."""
    shape = _plain(record)
    del shape["secret"]
    return shape


def all_of(records: Iterable[Any], shape: Any) -> list[dict[str, Any]]:
    """The shapes of several records of a kind."""
    return [shape(each) for each in records]
