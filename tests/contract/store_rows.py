"""Rows for the tests of stores: records with everything filled in but what a test is about."""

import json
from typing import Any

import msgspec

from buttonhook.ids import JobResultStatus, LogLevel, ObjectChangeAction
from buttonhook.records import ChangeRecord, JobLogEntry, JobResult, Outcome, StoredObject
from buttonhook.stores.base import Decision, Needs, Rows, Store, Written

TYPE = "dcim.device"


def stored(pk: str, document: Any = None, *, version: int = 1, object_type: str = TYPE) -> StoredObject:
    text = msgspec.json.encode({} if document is None else document).decode()
    return StoredObject(object_type, pk, text, version, "ann", 5)


def change(number: int, pk: str = "a", **fields: Any) -> ChangeRecord:
    given: dict[str, Any] = {
        "time": 10,
        "recorded_at": 20,
        "user_name": "ann",
        "request_id": f"r{number}",
        "action": "create",
        "object_type": TYPE,
        "object_repr": pk,
        "change_context": "app",
        "change_context_detail": "",
        "prechange": None,
        "postchange": "{}",
    }
    given |= fields
    given["action"] = ObjectChangeAction(given["action"])
    return ChangeRecord(id=number, object_pk=pk, **given)


def result(number: int, **fields: Any) -> JobResult:
    given: dict[str, Any] = {
        "id": f"result-{number}",
        "kind": "hook",
        "job": "acme.Guard",
        "job_name": "Guard",
        "occasion": "guard",
        "status": JobResultStatus.PENDING,
        "attempt": 0,
        "crashes": 0,
        "user_name": "ann",
        "object_type": TYPE,
        "object_pk": "a",
        "object_repr": "a",
        "change_ids": (),
        "lane": None,
        "created_at": 30,
    }
    return JobResult(number=number, **given | fields)


def outcome(number: int, attempt: int, status: str = "success", **fields: Any) -> Outcome:
    return Outcome(number=number, attempt=attempt, status=JobResultStatus(status), ended_at=99, **fields)


def entry(id_: int, number: int, seq: int, attempt: int = 1, **fields: Any) -> JobLogEntry:
    given: dict[str, Any] = {"time": 40, "level": LogLevel.INFO, "grouping": "main", "message": f"line {seq}"}
    return JobLogEntry(id=id_, number=number, attempt=attempt, seq=seq, **given | fields)


def numbered(*entries: JobLogEntry) -> list[tuple[int, JobLogEntry]]:
    return [(each.id, each) for each in entries]


def decide(rows: Rows) -> Decision:
    """A decision that needs to see nothing."""
    yield Needs()
    return rows


async def put(store: Store, **rows: Any) -> Written:
    """Write rows. Log entries are given as they are read, with their ids."""
    if "log_entries" in rows:
        rows["log_entries"] = numbered(*rows["log_entries"])
    return await store.write(decide(Rows(time=50, **rows)))


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)
