"""A recorder in memory that keeps the gateway's promises, and the types the import tests use."""

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from buttonhook import documents
from buttonhook.errors import (
    AlreadyRecorded,
    ButtonhookError,
    MultipleObjects,
    ObjectNotFound,
    UniqueViolation,
    UnknownObjectType,
)
from buttonhook.ids import ChangeId, Microseconds, ObjectChangeAction, ObjectKey
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeRecord

Document = dict[str, Any]


class Site(msgspec.Struct):
    name: str
    region: str = "none"


class Port(msgspec.Struct):
    name: str
    speed: int | UnsetType = UNSET


class Box(msgspec.Struct):
    name: str
    height: int | float | UnsetType = UNSET
    weight: float | UnsetType | None = UNSET
    is_full: bool | UnsetType = UNSET
    ports: list[Port] | UnsetType = UNSET
    site: Site | UnsetType = UNSET
    limits: dict[str, int] | UnsetType = UNSET


TYPES = {
    type_.name: type_
    for type_ in (
        ObjectType("test.free"),
        ObjectType("test.site", Site, unique=[("name",)], natural_key=("name",)),
        ObjectType("test.box", Box, natural_key=("name",)),
        ObjectType("test.port", Port),
    )
}


def resolve_type(name: str) -> ObjectType:
    if name not in TYPES:
        raise UnknownObjectType(name, list(TYPES))
    return TYPES[name]


class MemoryGateway:
    """Commits in the order of the calls, all or nothing, each answer some turns of the loop later.

    `fail_at` raises `failure` at that call (from 1); `gate` holds all answers back until it is set;
    `crowded` is set once 64 requests wait.
    """

    def __init__(self, turns: int = 3, types: Callable[[str], ObjectType] | None = None) -> None:
        self.resolve_type = types or resolve_type
        self.state: dict[ObjectKey, Document] = {}
        self.changes: list[ChangeRecord] = []
        self.requests: list[TransactionRequest] = []
        self.recorded: set[str] = set()
        self.turns = turns
        self.fail_at: int | None = None
        self.failure: Exception = OSError("the disk is gone")
        self.gate: asyncio.Event | None = None
        self.crowded = asyncio.Event()
        self.waiting = self.most_waiting = 0
        self._calls = 0

    async def commit(self, request: TransactionRequest) -> TransactionAnswer:
        self._calls += 1
        answer = self._apply(request)
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        if self.waiting >= 64:
            self.crowded.set()
        try:
            if self.gate is not None:
                await self.gate.wait()
            for _ in range(self.turns):
                await asyncio.sleep(0)
        finally:
            self.waiting -= 1
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _apply(self, request: TransactionRequest) -> TransactionAnswer | Exception:
        if self._calls == self.fail_at:
            return self.failure
        before, count = dict(self.state), len(self.changes)
        try:
            if request.once and request.origin.request_id in self.recorded:
                raise AlreadyRecorded(request.origin.request_id)
            touched = dict.fromkeys((write.object_type, write.pk) for write in request.writes)
            for write in request.writes:
                self._write(write)
            for key in touched:
                self._check_unique(key)
            for key in touched:
                self._record(request, key, before.get(key))
        except ButtonhookError as exc:
            self.state = before
            del self.changes[count:]
            return exc
        self.requests.append(request)
        self.recorded.add(request.origin.request_id)
        return TransactionAnswer(tuple(self.changes[count:]), dict.fromkeys(touched))

    def _write(self, write: Write) -> None:
        key = write.object_type, write.pk
        if write.kind == "delete":
            if self.state.pop(key, None) is None and not write.missing_ok:
                raise ObjectNotFound(write.object_type, repr(write.pk))
            return
        assert write.kind == "put"
        assert write.document is not None
        documents.check(write.document, write.pk)
        type_ = self.resolve_type(write.object_type)
        self.state[key] = type_.validate(write.document, write.pk, fill=write.fill)

    def _check_unique(self, key: ObjectKey) -> None:
        type_ = self.resolve_type(key[0])
        own = type_.unique_values(self.state.get(key, {}))
        if not own:
            return
        for other, document in self.state.items():
            if other[0] == key[0] and other != key:
                theirs = type_.unique_values(document)
                for fields, values in own.items():
                    if theirs.get(fields) == values:
                        raise UniqueViolation(key[0], key[1], fields, values, other[1])

    def _record(self, request: TransactionRequest, key: ObjectKey, before: Document | None) -> None:
        after = self.state.get(key)
        if documents.same(before, after):
            return
        action = ObjectChangeAction.UPDATE
        if before is None or after is None:
            action = ObjectChangeAction.CREATE if before is None else ObjectChangeAction.DELETE
        number = len(self.changes) + 1
        origin = request.origin
        self.changes.append(
            ChangeRecord(
                id=ChangeId(number),
                time=origin.time or Microseconds(0),
                recorded_at=Microseconds(number),
                user_name=origin.user_name,
                request_id=origin.request_id,
                action=action,
                object_type=key[0],
                object_pk=key[1],
                object_repr=key[1],
                change_context=origin.context,
                change_context_detail=origin.detail,
                prechange=None if before is None else documents.encode(before),
                postchange=None if after is None else documents.encode(after),
            )
        )

    async def find_by_natural_key(self, type_: ObjectType, values: tuple[Any, ...]) -> str | None:
        assert self.waiting == 0, "a lookup must see all that was sent before"
        await asyncio.sleep(0)
        found = [
            pk
            for (name, pk), document in self.state.items()
            if name == type_.name and type_.natural_values(document) == values
        ]
        if len(found) > 1:
            raise MultipleObjects(type_.name, f"with {values}")
        return found[0] if found else None

    def documents(self, object_type: str) -> dict[str, Document]:
        return {pk: document for (name, pk), document in self.state.items() if name == object_type}
