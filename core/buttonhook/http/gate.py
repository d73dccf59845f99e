"""The outermost layer: what holds for every request, whatever route it is for, and for those that are for none.

It gives the request an id, refuses hosts that are not ours (DNS rebinding), answers HEAD as GET without a body, puts
the security headers on every answer, counts it, and turns whatever got through all else into a problem document.
"""

import asyncio
import ipaddress
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from buttonhook.http import problems
from buttonhook.http.daemon import DAEMON, Daemon
from buttonhook.ids import new_uuid7

BODY_SECONDS: Final = 30
"""How long may pass between two pieces of a body."""
MOST_ALLOWED: Final = 1000
REQUEST_ID: Final = "buttonhook.request_id"
IS_HEAD: Final = "buttonhook.is_head"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
HEADERS: Final = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_OURS: Final = frozenset(name for name, _ in HEADERS)
_NO_STORE: Final = (b"cache-control", b"no-store")
_STRICT_TRANSPORT: Final = (b"strict-transport-security", b"max-age=31536000")


class Hosts:
    """By which names the daemon may be called. An address is no name: nobody can make it point elsewhere."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(["localhost", *(name.lower() for name in names)])
        self._allowed: set[str] = set()
        """What was allowed before, as it was written; not more of it than any client needs."""

    def allow(self, host: str) -> bool:
        """Whether a Host header names us."""
        if host in self._allowed:
            return True
        is_allowed = self._names_us(host)
        if is_allowed and len(self._allowed) < MOST_ALLOWED:
            self._allowed.add(host)
        return is_allowed

    def _names_us(self, host: str) -> bool:
        name = host.lower()
        name = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        return name in self._names or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Gate:
    """An ASGI application around the routes."""

    def __init__(
        self, inner: ASGIApp, daemon: Daemon, hosts: Hosts, methods_of: Callable[[str], Sequence[str]]
    ) -> None:
        self._inner, self._daemon, self._hosts, self._methods_of = inner, daemon, hosts, methods_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._inner(scope, receive, send)
            return
        passage = _Passage(scope, receive, send, self._daemon)
        host = next((value for name, value in scope["headers"] if name == b"host"), b"").decode("latin-1")
        try:
            if not self._hosts.allow(host):
                detail = f"This daemon is not called {host[:100]!r}. Add the name to the setting allowed_hosts."
                await passage.refuse(problems.Refused(421, "unknown-host", detail))
            elif scope["method"] == "OPTIONS" and (methods := self._methods_of(scope["path"])):
                await passage.tell_methods(methods)
            else:
                await self._inner(passage.scope, passage.receive, passage.send)
        except Exception as exc:  # noqa: BLE001 - the boundary of the request
            await passage.fail(exc)


class _Passage:
    """One request on its way through."""

    def __init__(self, scope: Any, receive: Receive, send: Send, daemon: Daemon) -> None:
        self.scope, self._receive, self._send, self._daemon = scope, receive, send, daemon
        self._began = time.monotonic()
        self._method = scope["method"]
        self._is_started = False
        self._is_done = False
        self._is_read = False
        self.request_id = scope[REQUEST_ID] = new_uuid7()
        scope[DAEMON] = daemon
        if self._method == "HEAD":  # a scope of its own: the server must know that no body follows
            self.scope = {**scope, "method": "GET", IS_HEAD: True}

    async def receive(self) -> Any:
        if self._is_done:
            return {"type": "http.disconnect"}
        if self._is_read:
            return await self._receive()
        try:
            async with asyncio.timeout(BODY_SECONDS):
                message = await self._receive()
        except TimeoutError as exc:
            raise problems.Refused(408, "slow-body", f"No more of the body came for {BODY_SECONDS} s.") from exc
        self._is_read = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        if self._is_done:
            return
        if message["type"] == "http.response.start":
            self._is_started = True
            message["headers"] = [*message["headers"], *self._headers(message["headers"])]
            self._daemon.metrics.count(self._method, message["status"], time.monotonic() - self._began)
        await self._send(message)
        if self._method == "HEAD" and message["type"] == "http.response.start":
            self._is_done = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    def _headers(self, given: Any) -> list[tuple[bytes, bytes]]:
        names = {name.lower() for name, _ in given}
        more = [(b"x-request-id", self.request_id.encode())]
        more += HEADERS if names.isdisjoint(_OURS) else [each for each in HEADERS if each[0] not in names]
        if b"cache-control" not in names:
            more.append(_NO_STORE)
        if self.scope["scheme"] == "https":
            more.append(_STRICT_TRANSPORT)
        return more

    async def tell_methods(self, methods: Sequence[str]) -> None:
        """Answer OPTIONS. There is nothing else to tell: other sites' scripts are not let in."""
        allow = (b"allow", ", ".join(methods).encode())
        await self.send({"type": "http.response.start", "status": 204, "headers": [allow]})
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def refuse(self, refused: problems.Refused) -> None:
        await self._answer(problems.of_http(refused))

    async def fail(self, exc: Exception) -> None:
        """Answer what should have been answered further in; an answer that has begun is cut off."""
        problem = problems.log_bug(exc, self.request_id, f"{self._method} {self.scope['path']}")
        if not self._is_started:
            await self._answer(problem)

    async def _answer(self, problem: problems.Problem) -> None:
        response = problems.answer(problem, self.request_id).to_asgi_response(app=None, request=None)  # type: ignore[arg-type]
        await response(self.scope, self._receive, self.send)
