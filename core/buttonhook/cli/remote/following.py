"""Live feeds of a daemon: server-sent events, taken up again where they broke off.

A feed that the daemon ends because it stops, or that the network cuts, is asked for again with the last id that was
seen, so nothing is missed or told twice; after `PATIENCE_SECONDS` without an answer it is given up.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.recorded import CHANGES, RESULTS, change_of, entry_of
from buttonhook.cli.remote.refusals import Refusal
from buttonhook.errors import DaemonError
from buttonhook.ids import JobResultStatus
from buttonhook.records import ChangeQuery, ChangeRecord, JobLogEntry, JobResult

PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.2
AGAIN: Final = ("stopping", "unavailable")

_log = logging.getLogger("buttonhook.cli")


class Event(Struct):
    """One event as it came."""

    kind: str
    text: str


class _End(Struct, frozen=True):
    reason: str
    detail: str


class _Status(Struct, frozen=True):
    status: JobResultStatus


async def follow_log(connection: Connection, result: JobResult) -> AsyncIterator[JobLogEntry]:
    """The log of a job result from its beginning, until its run has ended."""
    place = 0
    async for event in _events(connection, f"{RESULTS}/{segment(result.id)}/logs/feed", {}):
        if event.kind == "entry":
            place += 1
            yield entry_of(event.text.encode(), result.number, place)


async def follow_changes(connection: Connection, query: ChangeQuery) -> AsyncIterator[ChangeRecord]:
    """Changes that fit, behind `query.after`, as they are made."""
    parameters = {"object_type": query.object_type, "object_pk": query.object_pk, "user": query.user_name}
    async for event in _events(connection, f"{CHANGES}/feed", {**parameters, "after": query.after}):
        if event.kind == "change":
            yield change_of(event.text.encode())


async def _events(connection: Connection, path: str, query: dict[str, Any]) -> AsyncIterator[Event]:
    """Events until the feed ends for good.

    Raises:
        DaemonError: it ended before its time, and does not come back.
    """
    last_id: str | None = None
    patience = _Patience(connection)
    while True:
        trouble = None
        try:
            async with connection.stream(path, query, last_id) as lines:
                async for event, id_ in _parsed(lines):
                    last_id = id_ or last_id
                    patience.begin_anew()
                    if event is not None and event.kind != "end":
                        yield event
                    elif event is not None and _is_over(connection, event):
                        return
        except DaemonError as exc:
            if not (_may_pass(connection, exc) or await connection.look_again()):
                raise
            trouble = exc
        await patience.wait(trouble)


def _is_over(connection: Connection, event: Event) -> bool:
    """Whether the feed's end is that of what it is about. Raises: Refusal: it goes on, but not for who asks."""
    end = connection.decode(event.text.encode(), _End)
    if end.reason != "done" and end.reason not in AGAIN:
        raise Refusal(connection.place.url, end.reason, end.detail)
    return end.reason == "done"


def _may_pass(connection: Connection, exc: DaemonError) -> bool:
    """Whether an error says no more than that the daemon is not there at present."""
    return connection.is_gone(exc) or (isinstance(exc, Refusal) and exc.kind in AGAIN)


class _Patience:
    """Waits for a daemon that went away, but not for ever."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.begin_anew()

    def begin_anew(self) -> None:
        """The daemon showed life."""
        self._until = time.monotonic() + PATIENCE_SECONDS
        self._is_told = False

    async def wait(self, trouble: DaemonError | None) -> None:
        """Raises: DaemonError: it was waited for long enough."""
        url = self._connection.place.url
        if time.monotonic() > self._until:
            raise trouble or DaemonError(url, "stopped, and does not come back", "Start it again.")
        if not self._is_told:
            _log.warning("Daemon %r is gone. It is waited for, %d s at most.", url, PATIENCE_SECONDS)
            self._is_told = True
        await asyncio.sleep(PAUSE_SECONDS)
        with suppress(DaemonError):  # what it says now may be of the one that stops
            await self._connection.look_again()


async def _parsed(lines: AsyncIterator[str]) -> AsyncIterator[tuple[Event | None, str | None]]:
    """Events and ids of a stream (WHATWG HTML, server-sent events); an id may come alone."""
    kind, parts, id_ = "message", list[str](), None
    async for line in lines:
        if not line:
            yield (Event(kind, "\n".join(parts)) if parts else None), id_
            kind, parts, id_ = "message", [], None
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            parts.append(value)
        elif name == "id":
            id_ = value
