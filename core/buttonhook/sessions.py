"""Sessions: how objects and queries reach the recorder and the store, and the transaction block.

A session says who writes and on what occasion. Every write outside a block is a transaction of its own; within a block
writes are staged in memory, seen by this session's own reads, and committed together at the block's end.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Protocol, TypeVar

import msgspec

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import ButtonhookError, NeverAwaited, ObjectExists, ObjectNotFound, UsageError
from buttonhook.ids import ObjectKey, new_uuid7
from buttonhook.objects.session import Holder, Operation, Write, current_session, run_or_bridge
from buttonhook.objects.tracked import FreeObject, TrackedObject, build
from buttonhook.objects.transactions import Gateway, TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.queries import StoredQuery
from buttonhook.records import ObjectQuery, Origin, StoredObject
from buttonhook.stores.base import Reader

T = TypeVar("T")
Found = tuple[StoredObject, tuple[Any, ...]]
_Kept = tuple[str | None, str | None, int | None, str | None]
"""What an instance knew of its row before a block: pk, text, version, the text as a plugin mended it."""

_current_block: ContextVar["Block | None"] = ContextVar("buttonhook_transaction", default=None)
_PRUNE_AT = 256


class TypeSource(Protocol):
    """Where a session looks types up."""

    def get_type(self, name: str) -> ObjectType: ...

    def find_type(self, name: str) -> ObjectType | None: ...


class PreviewGateway(Gateway, Protocol):
    """A gateway that can also answer questions as if staged writes were committed."""

    async def preview(self, request: TransactionRequest, query: ObjectQuery) -> list[Found]: ...


class StoreSession:
    """One author on one occasion. `run` is the (number, attempt) of the job that writes, if a job does."""

    def __init__(
        self,
        gateway: PreviewGateway,
        reader: Reader,
        types: TypeSource,
        loop: asyncio.AbstractEventLoop,
        origin: Origin,
        run: tuple[int, int] | None = None,
    ) -> None:
        self.origin = origin
        self.joins_blocks = False
        """Set for a host program's own session: what it does inside a block of another belongs to that block."""
        self._gateway = gateway
        self._reader = reader
        self._types = types
        self._loop = loop
        self._run = run
        self._operations: list[Operation[Any]] = []

    def perform(self, start: Callable[[], Coroutine[Any, Any, T]], what: str, right_form: str) -> Operation[T] | T:
        answer = run_or_bridge(start, self._loop, what, right_form)
        if self._run is not None and isinstance(answer, Operation):
            if len(self._operations) >= _PRUNE_AT:
                self._operations = [each for each in self._operations if not each.awaited]
            self._operations.append(answer)
        return answer

    def never_awaited(self) -> NeverAwaited | None:
        """The first operation of this session that nobody awaited, as an error."""
        for each in self._operations:
            if not each.awaited:
                return NeverAwaited(each.what, each.place, each.right_form)
        return None

    def objects(self, what: Any) -> StoredQuery[Any]:
        """Queries over a struct type or an `app.model`."""
        if isinstance(what, type) and issubclass(what, TrackedObject):
            if not hasattr(what, "__object_type__"):
                form = f"class {what.__name__}(TrackedObject, object_type='app.model')"
                raise UsageError(f"{what.__name__} has no object type. Declare it: {form}.")
            return StoredQuery(self, what.__object_type__)
        if not isinstance(what, str):
            raise UsageError(
                f"objects() takes an object type, as in objects(Device) or objects('dcim.device'), not {what!r}."
            )
        return StoredQuery(self, self._types.get_type(what))

    def build(self, stored: StoredObject) -> TrackedObject | FreeObject:
        """An instance that saves through this session."""
        return build(self._types.get_type(stored.object_type), stored, self)

    def find_type(self, name: str) -> ObjectType | None:
        """A type that is known, or None."""
        return self._types.find_type(name)

    def transaction(self) -> "Block":
        """A block whose writes are committed together."""
        return Block(self, self._loop)

    def request(self, writes: tuple[Write, ...]) -> TransactionRequest:
        """The request that commits `writes`.

        An origin without a request id gets one: a job's once for all of the run, others' anew each time.
        """
        origin = self.origin
        if not origin.request_id:
            origin = msgspec.structs.replace(origin, request_id=new_uuid7())
            if self._run is not None:
                self.origin = origin
        return TransactionRequest(origin=origin, writes=writes, run=self._run)

    async def write(self, write: Write, holder: Holder | None = None) -> StoredObject | None:
        block = self._block()
        if block is not None:
            block.stage(write, holder)
            return None
        if write.changes is not None and not write.changes:
            return None
        if holder is not None:
            holder._state.pk = write.pk  # before the answer: who repeats a save that was cut off means the same object
        answer = await self._gateway.commit(self.request((write,)))
        stored = answer.objects[write.object_type, write.pk]
        if holder is not None:
            before = answer.changes[0].prechange if answer.changes else stored and stored.document
            if stored is not None and write.changes is not None and before != holder._state.text:
                holder._follow(stored, changed(documents.decode(holder._state.text or "{}"), write.changes))
            holder._state.take(stored)
            holder._accept()
        return stored

    async def read_object(self, object_type: str, pk: str) -> StoredObject | None:
        block = self._block()
        if block is not None and (object_type, pk) in block.staged:
            return block.stored((object_type, pk))
        return await self._reader.get_object((object_type, pk))

    async def fetch(self, query: ObjectQuery) -> list[Found]:
        block = self._block()
        if block is not None and block.writes:
            found = await self._gateway.preview(self.request(tuple(block.writes)), query)
            return [(_unnumbered(stored) if stored.key in block.staged else stored, keys) for stored, keys in found]
        return await self._reader.objects(query)

    async def count(self, query: ObjectQuery) -> int:
        block = self._block()
        if block is not None and block.writes:
            return len(await self._gateway.preview(self.request(tuple(block.writes)), query))
        return await self._reader.count_objects(query)

    async def commit(self, writes: tuple[Write, ...]) -> dict[ObjectKey, StoredObject | None]:
        return (await self._gateway.commit(self.request(writes))).objects

    def _block(self) -> "Block | None":
        block = _current_block.get()
        return block if block is not None and not block.is_over and self._joins(block.session) else None

    def _joins(self, other: "StoreSession") -> bool:
        """Whether writes of this session belong to a block of the other: its own, or any when it `joins_blocks`."""
        return self is other or (self.joins_blocks and self._gateway is other._gateway)


def _unnumbered(stored: StoredObject) -> StoredObject:
    """A staged object has no version yet: the number seen in a preview may become that of another change."""
    return msgspec.structs.replace(stored, version=0)


class Block:
    """A transaction block: `async with` on the loop, `with` in a plain function in a worker thread.

    An exception in the block, a cancellation or a time limit leaves no trace. Blocks do not nest: an inner one of
    the same session joins the outer one.
    """

    def __init__(self, session: StoreSession, loop: asyncio.AbstractEventLoop) -> None:
        self.session = session
        self.writes: list[Write] = []
        self.staged: dict[ObjectKey, dict[str, Any] | None] = {}
        self._loop = loop
        self._holders: dict[int, tuple[Holder, ObjectKey, _Kept]] = {}
        self.is_over = False
        self._tokens: list[tuple[Token[Any], Token[Any]]] = []
        self._outer: Block | None = None

    def stage(self, write: Write, holder: Holder | None) -> None:
        """Take a write in memory and let its holder see it as done."""
        if self._outer is not None:
            self._outer.stage(write, holder)
            return
        key = (write.object_type, write.pk)
        if holder is not None:
            state = holder._state
            self._holders.setdefault(id(holder), (holder, key, (state.pk, state.text, state.version, state.mended)))
        document = self._applied(write, key, holder)
        self.writes.append(write)
        self.staged[key] = document
        if holder is not None:
            state.pk = write.pk
            state.text = None if document is None else documents.encode(document)
            state.mended = None
            state.version = None if document is None else (state.version or 0)

    def _applied(self, write: Write, key: ObjectKey, holder: Holder | None) -> dict[str, Any] | None:
        if write.kind == "delete":
            if key in self.staged and self.staged[key] is None:
                raise ObjectNotFound(write.object_type, repr(write.pk))
            return None
        if write.kind == "create" and self.staged.get(key) is not None:
            raise ObjectExists(write.object_type, write.pk)
        if write.changes is None:
            document = write.document or {}
            documents.check(document, f"{write.object_type} {write.pk!r}")
            return document
        base = self.staged.get(key)
        if base is None:
            text = None if holder is None else holder._state.text
            base = {} if text is None else documents.decode(text)
        return changed(base, write.changes)

    def stored(self, key: ObjectKey) -> StoredObject | None:
        """A staged object as it would be read after the commit."""
        document = self.staged[key]
        if document is None:
            return None
        origin = self.session.origin
        return StoredObject(*key, documents.encode(document), 0, origin.user_name, origin.time or 0)  # type: ignore[arg-type]

    async def __aenter__(self) -> None:
        self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        await self._finish(exc)

    def __enter__(self) -> None:
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is not None:
            raise UsageError("A transaction in an async function is written: async with self.transaction():")
        self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        asyncio.run_coroutine_threadsafe(self._finish(exc), self._loop).result()

    def _begin(self) -> None:
        outer = _current_block.get()
        self._outer = outer if outer is not None and outer.session is self.session else None
        self._tokens.append((_current_block.set(self._outer or self), current_session.set(self.session)))

    def _end(self) -> None:
        """From here on a task that was started in the block and goes on writes on its own."""
        self.is_over = not self._tokens[1:]
        block, session = self._tokens.pop()
        _current_block.reset(block)
        current_session.reset(session)

    async def _finish(self, exc: BaseException | None) -> None:
        if self._outer is not None or (exc is None and not self.writes):
            return
        if exc is not None:
            self._restore()
            return
        try:
            objects = await self._bridged_commit()
        except ButtonhookError:
            self._restore()
            raise
        except BaseException:  # cut off: whether it was committed is not known, so the keys stay
            self._restore(with_pk=False)
            raise
        for holder, key, _ in self._holders.values():
            stored, state = objects[key], holder._state
            if stored is not None and state.text is not None and stored.document != state.text:
                holder._follow(stored, documents.decode(state.text))
            state.take(stored)
            holder._accept()

    async def _bridged_commit(self) -> dict[ObjectKey, StoredObject | None]:
        """Commit on the app's loop, also when the block runs on a loop of its own in a worker thread."""
        commit = self.session.commit(tuple(self.writes))
        if asyncio.get_running_loop() is self._loop:
            return await commit
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(commit, self._loop))

    def _restore(self, *, with_pk: bool = True) -> None:
        for holder, _, (pk, text, version, mended) in self._holders.values():
            state = holder._state
            state.text, state.version, state.mended = text, version, mended
            if with_pk:
                state.pk = pk


def changed(document: dict[str, Any], changes: Mapping[str, tuple[Any, Any]]) -> dict[str, Any]:
    """A document with changes (old, new) brought in."""
    after = {name: new for name, (_, new) in changes.items()}
    return {name: value for name, value in {**document, **after}.items() if value is not ABSENT}
