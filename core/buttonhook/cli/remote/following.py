"""Live feeds of a daemon: server-sent events, taken up again where they broke off.

A feed that the daemon ends because it stops, or that the network cuts, is asked for again with the last id that was
seen, so nothing is missed or told twice; after `PATIENCE_SECONDS` without an answer it is given up.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from msgspec import Struct

from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.recorded import CHANGES, RESULTS, change_of, entry_of
from buttonhook.errors import DaemonError
from buttonhook.ids import JobResultStatus
from buttonhook.records import ChangeQuery, ChangeRecord, JobLogEntry, JobResult

PATIENCE_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 0.5
AGAIN: Final = ("stopping", "unavailable")


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
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        trouble = None
        try:
            async with connection.stream(path, query, last_id) as lines:
                async for event, id_ in _parsed(lines):
                    last_id = id_ or last_id
                    until = time.monotonic() + PATIENCE_SECONDS
                    if event is None:
                        continue
                    if event.kind != "end":
                        yield event
                        continue
                    end = connection.decode(event.text.encode(), _End)
                    if end.reason == "done":
                        return
                    if end.reason not in AGAIN:
                        raise DaemonError(connection.place.url, f"ended the feed: {end.detail}", "")
        except DaemonError as exc:
            if not connection.is_gone(exc) or time.monotonic() > until:
                raise
            trouble = exc
        if time.monotonic() > until:
            raise trouble or DaemonError(connection.place.url, "ended the feed, and does not come back", "")
        await asyncio.sleep(PAUSE_SECONDS)


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
