"""Sending a feed: server-sent events, until the asker may not see them any more, or goes, or the daemon stops.

The asker's rights are looked at before each piece. An idle feed waits for one event and costs nothing but that; every
few seconds something is sent, with the id to go on from, so that both ends know that the other lives.
"""

import asyncio
import time
from collections.abc import Iterable, Sequence
from typing import Any, Final

from litestar import Response
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Scope, Send

from buttonhook.access.access import Access
from buttonhook.errors import ObjectNotFound, PermissionDenied, RecordNotFound, StoreError
from buttonhook.http.asking import Asker
from buttonhook.http.feeds import BEAT_SECONDS, TRANSPORT, Feed
from buttonhook.http.shapes.feeds import EndReason, EndShape
from buttonhook.http.tails import Tail, encode, event
from buttonhook.ids import Microseconds, now

MEDIA_TYPE: Final = "text/event-stream"
RETRY_MILLISECONDS: Final = 2000
ASK_AGAIN: Final = 60_000_000
"""Microseconds after which it is asked again, though nothing that is known changed, whether a feed may go on."""
_SENTENCES: Final[dict[EndReason, str]] = {
    "done": "The run has ended, and all of its log was sent.",
    "stopping": "The daemon stops. Come back when it runs again, with the last id.",
    "logged-out": "The login or token ended. Log in, and come back with the last id.",
    "denied": "You may not see this any more.",
    "gone": "What this feed is about is gone, or you may not see it any more.",
    "unavailable": "The database cannot be read now. Come back with the last id.",
}


class FeedResponse(Response[bytes]):
    """The answer of a route that is a feed."""

    def __init__(self, asker: Asker, feed: Feed, tail: Tail) -> None:
        super().__init__(b"", media_type=MEDIA_TYPE, headers={"X-Accel-Buffering": "no"})
        self._streaming = _Streaming(asker, feed, tail)

    def to_asgi_response(self, app: Any, request: Any, **_: Any) -> ASGIResponse:
        """See Litestar."""
        return self._streaming


class _Streaming(ASGIResponse):
    """One feed while it is sent."""

    _should_set_content_length = False

    def __init__(self, asker: Asker, feed: Feed, tail: Tail) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers={"x-accel-buffering": "no"})
        self._asker, self._feed, self._tail = asker, feed, tail
        self._feeds = asker.daemon.feeds
        self._registry = asker.daemon.app.registry
        self._revision = -1

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope.get("buttonhook.is_head"):
            await self.start_response(send)
            return
        self._feeds.check_room(self._feed.user)
        self._feeds.add(self._feed, scope[TRANSPORT])  # type: ignore[typeddict-item]
        try:
            await self.start_response(send)
            await self._put(send, [b"retry: %d\n" % RETRY_MILLISECONDS, self._beat()])
            reason = await self._follow(send)
            if reason is not None:
                told = EndShape(reason=reason, detail=_SENTENCES[reason], last_id=self._tail.place)
                await send({"type": "http.response.body", "body": event("end", encode(told)), "more_body": False})
        finally:
            self._feeds.remove(self._feed)

    async def _follow(self, send: Send) -> EndReason | None:
        """Send what follows until it ends; why it ended, None where there is nobody to be told."""
        while not self._feed.is_gone:
            self._feed.wake.clear()
            if self._feeds.is_ending:
                return "stopping"
            access = self._access()
            if access is None:
                return "logged-out"
            try:
                piece = await self._tail.next(access)
            except (PermissionDenied, RecordNotFound, ObjectNotFound, StoreError) as exc:
                return _reason(exc)
            await self._tell(send, piece.events)
            if piece.is_last:
                return "done"
            if piece.has_more:
                await asyncio.sleep(0)  # others have their turn
            else:
                await asyncio.sleep(self._tail.pause_seconds if piece.events else 0)
                await self._feed.wake.wait()
        return None

    async def _tell(self, send: Send, events: Sequence[bytes]) -> None:
        """Send events; without any show life when it is time."""
        if events:
            await self._put(send, events)
        elif self._feed.beat_at <= time.monotonic():
            await self._put(send, [self._beat()])

    def _access(self) -> Access | None:
        """What the asker may see now; None where they are logged out."""
        moment = now()
        if self._revision != self._registry.revision or self._feed.check_at <= moment:
            asker = self._asker.renewed()
            if asker is None:
                return None
            self._asker, self._revision = asker, self._registry.revision
            ends = (asker.user.until, None if asker.login is None else asker.login.expires_at, moment + ASK_AGAIN)
            self._feed.check_at = Microseconds(min(each for each in ends if each is not None))
        return self._asker.access

    async def _put(self, send: Send, parts: Iterable[bytes]) -> None:
        self._feed.sending_since = time.monotonic()
        await send({"type": "http.response.body", "body": b"".join(parts), "more_body": True})
        self._feed.sending_since = None
        self._feed.beat_at = time.monotonic() + BEAT_SECONDS

    def _beat(self) -> bytes:
        """A comment, and the id to go on from: by the standard it is kept though it comes without data."""
        place = self._tail.place
        return b":\n\n" if place is None else b":\nid: %s\n\n" % place.encode()


def _reason(exc: Exception) -> EndReason:
    if isinstance(exc, PermissionDenied):
        return "denied"
    return "gone" if isinstance(exc, RecordNotFound | ObjectNotFound) else "unavailable"
