"""What Litestar does for each request, done once for each route: its handlers, and answers that are ready to be sent.

Litestar finds out anew for each request which handlers of errors a route has, copies the route for each guard, and
makes three objects of each answer. With the settings that all our routes have it comes to the same.
"""

from typing import Any, Final

import msgspec
from litestar import Litestar, Request, Response
from litestar.connection import ASGIConnection
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, ExceptionHandlersMap, Receive, Scope, Send
from msgspec import Struct

JSON: Final = "application/json"
_NO_BODY: Final = frozenset({204, 304})


class Sent:
    """An answer whose bytes are known."""

    __slots__ = ("_body", "_headers", "_status")

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self._status, self._headers, self._body = status, headers, body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self._status, "headers": self._headers})
        await send({"type": "http.response.body", "body": self._body, "more_body": False})


class Route(HTTPRouteHandler):
    """Litestar's route, quicker."""

    def on_registration(self, app: Litestar) -> None:
        super().on_registration(app)
        self._handlers_of_errors = super().resolve_exception_handlers()

    def resolve_exception_handlers(self) -> ExceptionHandlersMap:
        return self._handlers_of_errors

    async def authorize_connection(self, connection: ASGIConnection[Any, Any, Any, Any]) -> None:
        for guard in self.resolve_guards():
            await guard(connection, self)  # type: ignore[misc]

    async def to_response(self, app: Litestar, data: Any, request: Request[Any, Any, Any]) -> ASGIApp:
        sent = self._sent(data)
        return await super().to_response(app, data, request) if sent is None else sent

    def _sent(self, data: Any) -> Sent | None:
        """The answer, where it is plain JSON; None where Litestar is to make it."""
        if isinstance(data, Struct) and self.media_type in (None, JSON):
            return _json(self.status_code, msgspec.json.encode(data), {})
        if type(data) is not Response or data.cookies or data.background is not None:
            return None
        status = data.status_code or self.status_code
        if data.media_type not in (None, JSON) or status in _NO_BODY:
            return None
        body = data.content
        if isinstance(body, Struct):
            body = msgspec.json.encode(body)
        return _json(status, body, data.headers) if isinstance(body, bytes) else None


def _json(status: int, body: bytes, headers: dict[str, Any]) -> Sent:
    told = [(name.lower().encode("latin-1"), str(value).encode("latin-1")) for name, value in headers.items()]
    told.append((b"content-type", b"application/json"))
    told.append((b"content-length", b"%d" % len(body)))
    return Sent(status, told, body)
