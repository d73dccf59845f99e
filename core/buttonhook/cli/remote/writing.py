"""Object writes through the API: one by its own address, several as one transaction.

An `update` is sent with the version that it was made from, so nothing that somebody wrote meanwhile is lost; what was
not meant strictly is read and made again by the command.
"""

import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.reading import record_of, wire
from buttonhook.cli.remote.refusals import Refusal
from buttonhook.documents import ABSENT
from buttonhook.errors import ButtonhookError, ObjectExists, StaleObject
from buttonhook.ids import Microseconds, ObjectChangeAction, ObjectKey
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.old_data import MAX_SHOWN, Upgraded
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


class _Bulk(Struct, frozen=True):
    made: list[_Made]


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
    headers = {"Content-Type": NDJSON}
    try:
        answer = await connection.ask("POST", OBJECTS, query={"made": "true"}, body=lines, headers=headers)
    except ButtonhookError as exc:
        raise _without_line(exc, len(writes)) from exc.__cause__
    made = tuple(_change(each, user) for each in connection.read(answer, _Bulk).made)
    return TransactionAnswer(made, {(each.object_type, each.pk): None for each in writes})


def _without_line(exc: ButtonhookError, count: int) -> ButtonhookError:
    """The lines were this module's: what is told of one goes without its number."""
    if isinstance(exc, Refusal) and exc.kind == "too-many-lines":
        exc.args = (f"{count:,} objects are more than a daemon takes in one transaction. Give 2,000 at most.",)
    else:
        exc.args = (re.sub(r"\ALine \d+: ", "", str(exc)),)
    return exc


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
    # The write's own change stands first, also where its author may not see it; what a deleted one takes along goes
    # before it.
    is_first = write.kind != "delete"
    made = sorted(written.changes, key=lambda each: (is_first and each.id != written.change, each.id))
    if written.change is not None and not any(each.id == written.change for each in made):
        action = ObjectChangeAction(written.action)
        made.insert(0 if is_first else len(made), _Made(written.change, action, write.object_type, write.pk, ""))
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


class _Upgraded(Upgraded):
    """What came of one page."""

    changes: list[int]
    next: str | None


async def upgrade(
    connection: Connection, object_type: str, take_changes: Callable[[Iterable[int]], None], *, is_dry: bool
) -> AsyncGenerator[Upgraded, None]:
    """Have the objects of a type saved as their plugin mends them; tells how far it is after each page."""
    path, cursor = f"/api/object-types/{segment(object_type)}/upgrade", None
    done = Upgraded(object_type=object_type)
    while True:
        query = {"dry_run": "true" if is_dry else None, "cursor": cursor}
        page = connection.read(await connection.ask("POST", path, query=query), _Upgraded)
        take_changes(page.changes)
        for name in ("objects", "mendable", "saved", "refused"):
            setattr(done, name, getattr(done, name) + getattr(page, name))
        done.errors = (done.errors + page.errors)[:MAX_SHOWN]
        yield done
        cursor = page.next
        if cursor is None:
            return


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
