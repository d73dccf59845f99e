"""Object writes through the API: one by its own address, several as one transaction.

An `update` is sent with the version that it was made from, so nothing that somebody wrote meanwhile is lost; what was
not meant strictly is read and made again by the command.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.reading import record_of, wire
from buttonhook.documents import ABSENT
from buttonhook.errors import ObjectExists, StaleObject
from buttonhook.ids import Microseconds, ObjectChangeAction, ObjectKey
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.records import ChangeRecord, StoredObject

OBJECTS: Final = "/api/objects"
JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"


class _Made(Struct, frozen=True):
    """A change as the answer to a write tells of it."""

    id: int
    action: ObjectChangeAction
    object_type: str
    object_pk: str
    object_repr: str


class _Written(Struct, frozen=True):
    action: str
    change: int | None
    object: msgspec.Raw
    changes: list[_Made]


class _Line(Struct, frozen=True):
    object_type: str
    pk: str
    action: str
    change: int | None


class _Bulk(Struct, frozen=True):
    lines: list[_Line]
    changes: int


def object_path(object_type: str, pk: str) -> str:
    """The address of an object."""
    return f"{OBJECTS}/{segment(object_type)}/{segment(pk)}"


async def commit(connection: Connection, writes: Sequence[Write], user: str) -> TransactionAnswer:
    """Commit writes together, or none of them. The changes told are those that the user may see, and the writes' own.

    Raises:
        ObjectError, PermissionDenied: nothing was written.
    """
    if len(writes) == 1:
        return await _commit_one(connection, writes[0], user)
    lines = b"\n".join(msgspec.json.encode(_line(each)) for each in writes)
    answer = await connection.ask("POST", OBJECTS, body=lines, headers={"Content-Type": NDJSON})
    bulk = connection.read(answer, _Bulk)
    made = [
        _change(_Made(each.change, ObjectChangeAction(each.action), each.object_type, each.pk, ""), user)
        for each in bulk.lines
        if each.change is not None
    ]
    return TransactionAnswer(tuple(made), {each.key: None for each in map(_gone, writes)})


def _gone(write: Write) -> StoredObject:
    return StoredObject(write.object_type, write.pk, "{}", 0, "", Microseconds(0))


def _line(write: Write) -> dict[str, Any]:
    version = {} if write.version is None else {"version": write.version}
    return {"op": write.kind, "object_type": write.object_type, "pk": write.pk, **version}


async def _commit_one(connection: Connection, write: Write, user: str) -> TransactionAnswer:
    path = object_path(write.object_type, write.pk)
    method, body = await _request_of(connection, write, path)
    headers = {} if body is None else {"Content-Type": JSON}
    if write.kind == "create":
        headers["If-None-Match"] = "*"
    elif write.version is not None:
        headers["If-Match"] = f'"{write.version}"'
    content = None if body is None else documents.encode(body).encode()
    try:
        answer = await connection.ask(method, path, body=content, headers=headers)
    except StaleObject as exc:
        raise _stale(write, str(exc)) from exc
    except ObjectExists as exc:
        raise ObjectExists(write.object_type, write.pk) from exc
    written = connection.read(answer, _Written)
    stored = None
    if bytes(written.object) != b"null":
        stored = record_of(StoredObject, msgspec.json.decode(written.object, type=wire(StoredObject)))
    # The write's own change stands first, also where its author may not see it.
    made = sorted(written.changes, key=lambda each: (each.id != written.change, each.id))
    if written.change is not None and not any(each.id == written.change for each in made):
        action = ObjectChangeAction(written.action)
        made.insert(0, _Made(written.change, action, write.object_type, write.pk, ""))
    key: ObjectKey = (write.object_type, write.pk)
    return TransactionAnswer(tuple(_change(each, user) for each in made), {key: stored})


async def _request_of(connection: Connection, write: Write, path: str) -> tuple[str, dict[str, Any] | None]:
    """Method and body of one write. Taking fields away is told by the whole document, of the very version."""
    if write.kind == "delete":
        return "DELETE", None
    if write.kind in ("create", "put"):
        return "PUT", write.document or {}
    after = {key: new for key, (_, new) in (write.changes or {}).items()}
    if not any(value is ABSENT for value in after.values()):
        return "PATCH", after
    stored = await connection.get(path, wire(StoredObject))
    whole = {**documents.decode(bytes(stored.document).decode()), **after}
    return "PUT", {key: value for key, value in whole.items() if value is not ABSENT}


def _stale(write: Write, sentence: str) -> StaleObject:
    """The core's own error again: its cure is the command's."""
    _, _, rest = sentence.partition(" is stale: ")
    detail = (rest or sentence).partition(". Get it again")[0]
    return StaleObject(write.object_type, write.pk, detail)


def _change(made: _Made, user: str) -> ChangeRecord:
    """A change as far as a write's answer tells of it."""
    return ChangeRecord(
        id=made.id,  # type: ignore[arg-type]
        time=Microseconds(0),
        recorded_at=Microseconds(0),
        user_name=user,
        request_id="",
        action=made.action,
        object_type=made.object_type,
        object_pk=made.object_pk,
        object_repr=made.object_repr,
        change_context="cli",
        change_context_detail="",
        prechange=None,
        postchange=None,
    )
