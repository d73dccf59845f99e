"""A client of feeds for the tests: it reads server-sent events as the standard has it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx
import msgspec

WAIT_SECONDS = 20


class Event(NamedTuple):
    """One event: its kind, what it tells, and the last id that came with it or before it."""

    kind: str
    data: Any
    id: str | None


class Following:
    """An open feed. `last_id` is what the standard calls the last event id."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.last_id: str | None = None
        self._lines = answer.aiter_lines()

    async def block(self) -> Event | None:
        """What comes next: an event, or None for a comment or an id alone."""
        kind, data = "message", []
        async for line in self._lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if line == "":
                return Event(kind, msgspec.json.decode("\n".join(data)), self.last_id) if data else None
            if name == "id":
                self.last_id = value
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
        raise EOFError

    async def next(self) -> Event:
        """The next event."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                event = await self.block()
                if event is not None:
                    return event

    async def take(self, count: int) -> list[Event]:
        return [await self.next() for _ in range(count)]

    async def rest(self) -> list[Event]:
        """All until it ends."""
        events = []
        try:
            while True:
                events.append(await self.next())
        except EOFError:
            return events


@asynccontextmanager
async def following(
    client: httpx.AsyncClient, path: str, last_id: str | None = None, **params: Any
) -> AsyncIterator[Following]:
    """Follow a feed; at the first moment it is open and its place is known."""
    headers = {} if last_id is None else {"Last-Event-ID": last_id}
    async with client.stream("GET", path, params=params, headers=headers) as answer:
        if answer.status_code != 200:
            await answer.aread()
            raise AssertionError(f"{answer.status_code}: {answer.text}")
        assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
        feed = Following(answer)
        assert await feed.block() is None
        yield feed


async def refused(client: httpx.AsyncClient, path: str) -> httpx.Response:
    """The answer to who may not follow a feed."""
    async with client.stream("GET", path) as answer:
        assert answer.status_code != 200, "the feed was opened"
        await answer.aread()
        return answer
