"""What an object asks of the session it belongs to, and the awaitable it gets back.

Every call that reaches the store is an `Operation`. On a loop's thread it is awaitable; in a plain function
in a worker thread it has already been carried out and its plain value is returned. Which of the two is decided by
whether a loop runs in the calling thread.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar
from types import CodeType
from typing import Any, Generic, Literal, Protocol, TypeVar

from msgspec import Struct

from buttonhook.errors import NoSession
from buttonhook.records import StoredObject

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

WriteKind = Literal["create", "update", "put", "delete"]
Place = tuple[CodeType, int]
"""A function and which of its instructions: its line is worked out only for a message."""


class Write(Struct, frozen=True, kw_only=True):
    """One write of one object, as a session sends it.

    `create` and `put` carry the whole `document`; `update` carries `changes`, for each changed top-level key the
    value it had when the object was loaded and the new one (ABSENT for none). `version` is what the object was loaded
    at; with `strict` a row that moved on is refused whatever changed in it. `fill` adds the defaults of the type;
    `checked` says that the document was read by `documents.parse`, `accepted_by` which object type took it as it
    stands: that one is not asked again. `missing_ok` lets a delete of nothing pass. `before` is what the object is said
    to have been where it is not known here yet: then the change is told from there.
    """

    kind: WriteKind
    object_type: str
    pk: str
    document: dict[str, Any] | None = None
    changes: dict[str, tuple[Any, Any]] | None = None
    version: int | None = None
    strict: bool = False
    fill: bool = True
    checked: bool = False
    accepted_by: object = None
    missing_ok: bool = False
    before: dict[str, Any] | None = None


class Session(Protocol):
    """The door from an object to its store: who writes, on what occasion, and the way in."""

    def perform(self, start: Callable[[], Coroutine[Any, Any, T]], what: str, right_form: str) -> "Operation[T] | T":
        """Carry `start()` out on the app's loop, blocking or awaitable by the caller's thread."""
        ...

    async def write(self, write: Write, holder: "Holder | None" = None) -> StoredObject | None:
        """Commit one write, or stage it in the transaction block around the caller."""
        ...

    async def read_object(self, object_type: str, pk: str) -> StoredObject | None:
        """Read one object, with this transaction block's own writes."""
        ...

    def objects(self, what: Any) -> Any:
        """Queries over a struct type or an `app.model`."""
        ...

    def build(self, stored: StoredObject) -> Any:
        """An instance of a stored row that saves through this session."""
        ...


class Holder(Protocol):
    """An instance that holds an object."""

    _state: "ObjectState"

    def _follow(self, stored: StoredObject, seen: dict[str, Any]) -> None:
        """Show a row that holds more than the write did: `seen` is what this instance was shown and wrote."""
        ...

    def _accept(self) -> None:
        """What this instance holds was committed, so its type accepts it."""
        ...


class ObjectState:
    """What an instance knows of its row: session, key, version, and the stored text it was made from.

    `mended` is that text as a plugin brought it up to date, where one did; the next save writes the difference.
    """

    __slots__ = ("mended", "pk", "session", "text", "version")

    def __init__(self, pk: str | None, session: Session | None, text: str | None, version: int | None) -> None:
        self.pk = pk
        self.session = session
        self.text = text
        self.version = version
        self.mended: str | None = None

    def take(self, stored: StoredObject | None) -> None:
        """Follow the row: after a save its key, new text and version, after a delete no text and no version."""
        if stored is not None:
            self.pk = stored.pk
        self.text = stored.document if stored else None
        self.mended = None
        self.version = stored.version if stored else None


current_session: ContextVar[Session | None] = ContextVar("buttonhook_session", default=None)


def require_session(state: ObjectState, what: str) -> Session:
    """The object's own session, else the current job's or block's."""
    session = state.session or current_session.get()
    if session is None:
        raise NoSession(what)
    state.session = session
    return session


class Operation(Coroutine[Any, Any, T_co], Generic[T_co]):
    """An awaitable that remembers where it was made, so that one that nobody awaits can be named.

    It is a coroutine in every respect: `await`, `asyncio.gather`, `create_task` and `start_soon` take it. Nothing
    happens before it is awaited.
    """

    __slots__ = ("_inner", "_place", "_start", "awaited", "right_form", "what")

    def __init__(
        self, start: Callable[[], Coroutine[Any, Any, T_co]], what: str, place: "Place", right_form: str
    ) -> None:
        self._start = start
        self._inner: Coroutine[Any, Any, T_co] | None = None
        self.what, self._place, self.right_form = what, place, right_form
        self.awaited = False

    @property
    def place(self) -> str:
        """Where it was made, as `file:line`."""
        code, instruction = self._place
        line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
        return f"{code.co_filename.rpartition('/')[2]}:{line or code.co_firstlineno}"

    def _begin(self) -> Coroutine[Any, Any, T_co]:
        if self._inner is None:
            self.awaited = True
            self._inner = self._start()
        return self._inner

    def __await__(self) -> Any:
        return self._begin().__await__()

    def send(self, value: Any) -> Any:
        return self._begin().send(value)

    def throw(self, *args: Any) -> Any:
        return self._begin().throw(*args)

    def close(self) -> None:
        self.awaited = True
        if self._inner is not None:
            self._inner.close()


def run_or_bridge(
    start: Callable[[], Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop, what: str, right_form: str
) -> "Operation[T] | T":
    """Carry `start()` out on `loop`: from its own thread and from other loops awaitable, from plain threads at once."""
    try:
        running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
    except RuntimeError:
        running = None
    if running is None:
        return asyncio.run_coroutine_threadsafe(start(), loop).result()
    if running is loop:
        return Operation(start, what, caller_place(), right_form)

    async def bridged() -> T:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(start(), loop))

    return Operation(bridged, what, caller_place(), right_form)


def caller_place() -> Place:
    """The place in the nearest frame outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("buttonhook."):
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def as_awaitable(value: Any) -> Awaitable[Any]:
    """For the typed interface: what `perform` returns is awaitable wherever a type checker looks."""
    return value  # type: ignore[no-any-return]
