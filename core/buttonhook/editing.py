"""What all edits of the set-up share: the author, their rights, names, and the commit as a change."""

import asyncio
import functools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import msgspec

from buttonhook.errors import RecordConflict, RecordNotFound
from buttonhook.ids import new_uuid7
from buttonhook.people import GroupRecord, PermissionRecord, SourceRecord, TokenRecord, UserRecord
from buttonhook.permissions import missing, require
from buttonhook.receivers.user import User
from buttonhook.records import ConfigRecord, Job, JobButton, JobHook, Origin
from buttonhook.registry import Registry

R = TypeVar("R", Job, JobHook, JobButton, UserRecord, GroupRecord, PermissionRecord, TokenRecord, SourceRecord)
E = TypeVar("E", bound="Editing")
P = ParamSpec("P")
T = TypeVar("T")
Removed = tuple[type[Any], str]


class Editor(Protocol):
    """Commits records of the set-up; with an origin as changes of its author."""

    async def edit(
        self, records: Sequence[ConfigRecord] = (), removed: Sequence[Removed] = (), origin: Origin | None = None
    ) -> None: ...


def one_at_a_time(
    method: Callable[Concatenate[E, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[E, P], Coroutine[Any, Any, T]]:
    """An edit that nobody else's comes between: what it was judged by is still so when it is committed.

    Cancelling the wait for it neither ends it nor lets the next one begin before its commit.
    """

    @functools.wraps(method)
    async def edit(self: E, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._registry.editing.acquire()
        work = asyncio.create_task(method(self, *args, **kwargs), name=f"edit {method.__name__}")
        work.add_done_callback(lambda _: self._registry.editing.release())
        return await asyncio.shield(work)

    return edit


class Editing:
    """Reads and edits records.

    With an `author` edits are recorded as changes. With a `user` each call asks that user's permissions, and what they
    may not see is not there for them; without one nothing is asked: for the host program itself.
    """

    def __init__(
        self, registry: Registry, editor: Editor, author: Origin | None = None, user: User | None = None
    ) -> None:
        self._registry = registry
        self._editor = editor
        self._author = author
        self._user = user

    async def _edit(self, records: Sequence[ConfigRecord] = (), removed: Sequence[Removed] = ()) -> None:
        origin = self._author
        if origin is not None and not origin.request_id:
            origin = msgspec.structs.replace(origin, request_id=new_uuid7())
        await self._editor.edit(records, removed, origin)

    def _require(self, act: str, what: str, *subjects: Any) -> None:
        """Raises: PermissionDenied: the user may not."""
        if self._user is not None:
            require(self._user, act, what, *subjects)

    def _visible(self, act: str, records: Sequence[R]) -> list[R]:
        """Those that the user may see."""
        return [each for each in records if self._user is None or missing(self._user, act, each) is None]

    def _get(self, act: str, kind: type[R], name: str, noun: str, listing: str) -> R:
        """The record of a name or an id, for a user who may see it; for others there is none, nor a hint at one.

        Raises:
            RecordNotFound: with the nearest name that they may see.
        """
        record = self._registry.find_named(kind, name)
        if record is not None and self._visible(act, [record]):
            return record
        seen = self._visible(act, self._registry.all(kind))
        raise RecordNotFound(noun, name, [word for each in seen for word in (each.name, each.id)], listing)

    def _check_free(self, kind: type[R], name: str, noun: str, replaces: ConfigRecord | None = None) -> None:
        """Refuse a name that cannot be, or that another record of the kind has.

        Raises:
            RecordConflict: naming it.
        """
        check_name(noun, name)
        other = self._registry.find_named(kind, name)
        if other is not None and (replaces is None or other.id != replaces.id):
            raise RecordConflict(noun, name, "exists already", "Choose another name or edit that one.", field="name")


def check_name(noun: str, name: str) -> None:
    """Raises: RecordConflict: it is no name for a record."""
    if not name or name != name.strip() or len(name) > 255 or not name.isprintable():
        cure = "Use 1 to 255 characters without outer blanks."
        raise RecordConflict(noun, name, "has an unfit name", cure, field="name")


def is_form_of(name: str, base: str) -> bool:
    """Whether a name is the base or the base made distinct by a number."""
    return name == base or (
        name.startswith(f"{base} (") and name.endswith(")") and name[len(base) + 2 : -1].isdecimal()
    )


def distinct(name: str, taken: set[str]) -> str:
    """The name, or `name (2)`, `name (3)` where another record has it."""
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
