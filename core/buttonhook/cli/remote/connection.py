"""The connection to a daemon: requests with the token, answers read as what they must be, errors as the core's own."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec
from msgspec import Struct

from buttonhook.cli.finding import Place
from buttonhook.cli.remote.refusals import Refusal, error_of
from buttonhook.errors import DaemonError, ObjectNotFound, PermissionDenied, RecordNotFound, SettingsError
from buttonhook.permissions import require
from buttonhook.receivers.user import User

T = TypeVar("T")
CONNECT_SECONDS: Final = 10.0
ANSWER_SECONDS: Final = 120.0
FEED_SECONDS: Final = 60.0
"""A feed shows life more often than this."""
PAGE: Final = 1000
VERSION: Final = version("buttonhook")
_OTHER_VERSION: Final = f"This command is version {VERSION}; use the version of the daemon."
USER_HEADER: Final = "Buttonhook-User"
PROBLEM: Final = "application/problem+json"
JSON_TYPES: Final = ("application/json", "application/x-ndjson")
UNAUTHORIZED: Final = 401
BAD_TOKEN: Final = "bad-token"  # noqa: S105 - the kind of a refusal
Headers = Mapping[str, str]
FindAgain = Callable[[], Awaitable[Place | None]]
Query = Mapping[str, Any] | Sequence[tuple[str, Any]]


class Answer(Struct, frozen=True):
    """What came back: the body as it is, the status, and the id under which the daemon knows the request."""

    status: int
    body: bytes
    request_id: str
    headers: httpx.Headers


class Me(Struct, frozen=True):
    """Who asks, as the daemon knows them."""

    name: str
    is_owner: bool
    is_disabled: bool
    permissions: list[str]
    scopes: list[str] | None
    version: str
    broken_plugins: list[str] = []


class _Page(Struct, frozen=True):
    items: list[msgspec.Raw]
    next: str | None


class Connection:
    """Asks one daemon. Made by `connected`."""

    def __init__(self, place: Place, acts_as: str, find_again: FindAgain | None) -> None:
        self.place = place
        self._acts_as, self._find_again = acts_as, find_again
        self._client: httpx.AsyncClient
        self.user: User | None = None
        """Who asks, once that is known."""
        self.denied: set[str] = set()
        """Permissions that lists were asked for and that who asks does not hold."""

    async def open(self) -> None:
        """Be ready to ask. Raises: DaemonError, SettingsError: it cannot be asked so."""
        self._client = await _client_of(self.place, self._acts_as)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.aclose()

    async def look_again(self) -> bool:
        """Look for a daemon that went away: started anew, one on this machine has another address, and another token.

        Returns whether it is another one than before.
        """
        place = None if self._find_again is None else await self._find_again()
        if place is None or place == self.place:
            return False
        await self.close()
        self.place = place
        await self.open()
        return True

    async def get(self, path: str, wanted: type[T], query: Query | None = None) -> T:
        """Ask for something. Raises: as `ask`."""
        return self.read(await self.ask("GET", path, query=query), wanted)

    async def find(self, path: str, wanted: type[T], query: Query | None = None) -> T | None:
        """As `get`; None where there is no such thing, or not for the asker."""
        try:
            return await self.get(path, wanted, query)
        except (ObjectNotFound, RecordNotFound):
            return None

    async def send(self, method: str, path: str, wanted: type[T], body: Any = None) -> T:
        """Have something done. Raises: as `ask`."""
        return self.read(await self.ask(method, path, body=body), wanted)

    async def pages(
        self, path: str, wanted: type[T], query: Query | None = None, most: int | None = None
    ) -> AsyncIterator[T]:
        """The items of a list, or the first `most`, asked for page by page."""
        left, cursor = most, None
        while left is None or left > 0:
            size = PAGE if left is None else min(left, PAGE)
            page = await self.get(path, _Page, [*_pairs(query).multi_items(), ("limit", size), ("cursor", cursor)])
            for each in page.items[:left]:
                yield self.decode(bytes(each), wanted)
            left = None if left is None else left - len(page.items)
            cursor = page.next
            if cursor is None:
                return

    async def all(self, path: str, wanted: type[T], query: Query | None = None, most: int | None = None) -> list[T]:
        """As `pages`, in a list."""
        return [each async for each in self.pages(path, wanted, query, most)]

    async def seen(self, permission: str, path: str, wanted: type[T], query: Query | None = None) -> list[T]:
        """A list that only who holds a permission may see; for others it is empty, and `denied` notes it."""
        if self.user is not None and not self.user.has_perm(permission):
            self.denied.add(permission)
            return []
        try:
            return await self.all(path, wanted, query)
        except PermissionDenied:
            self.denied.add(permission)
            return []

    def require(self, act: str, what: str) -> None:
        """Refuse what who asks may do to nothing, as the core does: by its name. The daemon knows the act alone.

        Raises:
            PermissionDenied: naming the permission.
        """
        if self.user is not None:
            require(self.user, act, what)

    async def ask(
        self, method: str, path: str, *, query: Query | None = None, body: Any = None, headers: Headers | None = None
    ) -> Answer:
        """Send one request; a body that is not bytes goes as JSON.

        Raises:
            ButtonhookError: the error of the core that the daemon tells of.
            DaemonError: it cannot be reached, or does not answer as it should.
        """
        answer = await self._send(method, path, query, body, headers or {})
        if answer.status >= 300 or not _is_ours(answer):
            raise self._error(answer)
        return answer

    async def _send(self, method: str, path: str, query: Query | None, body: Any, headers: Headers) -> Answer:
        sent = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = msgspec.json.encode(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            response = await self._client.request(method, path, params=_pairs(query), content=body, headers=sent)
        except httpx.HTTPError as exc:
            raise self._trouble(exc, method) from exc
        return self._answer(response)

    @asynccontextmanager
    async def stream(self, path: str, query: Query | None, last_id: str | None) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a feed, as they come, behind an id. Raises: as `ask`."""
        sent = {"Accept": "text/event-stream"} | ({} if last_id is None else {"Last-Event-ID": last_id})
        timeout = httpx.Timeout(FEED_SECONDS, connect=CONNECT_SECONDS)
        try:
            request = self._client.stream("GET", path, params=_pairs(query), headers=sent, timeout=timeout)
            async with request as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise self._error(self._answer(response))
                yield (line.decode("utf-8", "replace") async for line in _lines(response))
        except httpx.HTTPError as exc:
            raise self._trouble(exc, "GET") from exc

    def is_gone(self, exc: DaemonError) -> bool:
        """Whether an error says that the daemon is not there at present."""
        return isinstance(exc.__cause__, httpx.HTTPError)

    def read(self, answer: Answer, wanted: type[T]) -> T:
        """An answer's body as what it must be. Raises: DaemonError: it is something else."""
        return self.decode(answer.body or b"null", wanted)

    async def exchange(
        self, path: str, pieces: AsyncIterator[bytes], media_type: str, query: Query | None
    ) -> AsyncIterator[bytes]:
        """Send a body piece by piece; then the lines of the answer, as they come. Raises: as `ask`."""
        sent = {"Content-Type": media_type}
        timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
        request = self._client.build_request(
            "POST", path, params=_pairs(query), content=pieces, headers=sent, timeout=timeout
        )
        try:
            response = await self._client.send(request, stream=True)
            try:
                if response.status_code >= 400:
                    await response.aread()
                    raise self._error(self._answer(response))
                async for line in _lines(response):
                    yield line
            finally:
                await response.aclose()
        except httpx.HTTPError as exc:
            raise self._trouble(exc, "POST") from exc

    def decode(self, text: bytes, wanted: type[T]) -> T:
        """JSON as what it must be. Raises: DaemonError: it is something else."""
        try:
            return msgspec.json.decode(text, type=wanted)
        except (msgspec.MsgspecError, UnicodeDecodeError) as exc:
            raise DaemonError(
                self.place.url,
                f"answers what this command cannot read ({exc})",
                _OTHER_VERSION,
            ) from exc

    def _answer(self, response: httpx.Response) -> Answer:
        return Answer(
            response.status_code, response.content, response.headers.get("x-request-id", ""), response.headers
        )

    def _is_problem(self, answer: Answer) -> bool:
        return bool(answer.request_id) and answer.headers.get("content-type", "").startswith(PROBLEM)

    def _error(self, answer: Answer) -> Exception:
        if self._is_problem(answer) and b'"about:blank"' in answer.body and answer.status in (404, 405):
            return DaemonError(self.place.url, "does not know what this command asks for", _OTHER_VERSION)
        if not self._is_problem(answer):
            elsewhere = answer.headers.get("location", "")[:200]
            kind = answer.headers.get("content-type", "nothing").partition(";")[0][:100]
            what = f"sends on to {elsewhere!r}" if elsewhere else f"answers with status {answer.status} and {kind!r}"
            return DaemonError(self.place.url, what, "Check that a Buttonhook daemon is there.")
        error = error_of(self.place.url, answer.status, answer.body)
        if isinstance(error, Refusal) and answer.status == UNAUTHORIZED:
            return self._unknown(error)
        return error

    def _unknown(self, error: Refusal) -> Refusal:
        """A refusal of the token, with a cure for who types commands."""
        if error.kind != BAD_TOKEN:
            return error
        cure = "Start the daemon anew." if self.place.is_local else "Make another there: buttonhook users token NAME."
        return Refusal(self.place.url, error.kind, f"{str(error).partition('. ')[0]}. {cure}")

    def _trouble(self, exc: httpx.HTTPError, method: str) -> DaemonError:
        if isinstance(exc, httpx.ConnectError | httpx.ConnectTimeout):
            return unreachable(self.place.url, exc)
        if isinstance(exc, httpx.TimeoutException):
            return DaemonError(
                self.place.url, f"did not answer within {ANSWER_SECONDS:g} s", "Look at its log: it may be busy."
            )
        cure = "Try again." if method == "GET" else "What it had committed stays: look before you try again."
        if isinstance(exc, httpx.RemoteProtocolError) and self.user is None and self.place.url.startswith("http:"):
            cure = "Check that a Buttonhook daemon is there; where it speaks TLS its address begins with https:."
        return DaemonError(self.place.url, f"went away in the middle of the answer: {reason_of(exc)}", cure)


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """The lines of an answer. Only a line feed ends one: httpx also breaks at U+2028 and others that JSON may hold."""
    rest: list[bytes] = []
    async for piece in response.aiter_bytes():
        first, *others = piece.split(b"\n")
        rest.append(first)
        for each in others:
            yield b"".join(rest).removesuffix(b"\r")
            rest = [each]
    if last := b"".join(rest):
        yield last


def _pairs(query: Query | None) -> httpx.QueryParams:
    """The parameters that are given, as text."""
    given = query.items() if isinstance(query, Mapping) else query or ()
    return httpx.QueryParams([(name, str(value)) for name, value in given if value is not None])


def reason_of(exc: BaseException) -> str:
    """The innermost reason of an error, in a few words."""
    while (inner := exc.__cause__ or exc.__context__) is not None:
        exc = inner
    text = (exc.strerror if isinstance(exc, OSError) else "") or str(exc) or type(exc).__name__
    text = text.partition(" (_ssl.c")[0].rpartition("] ")[2].rstrip(".")
    return text[0].lower() + text[1:]


def unreachable(url: str, exc: BaseException) -> DaemonError:
    """What to tell where no connection can be made."""
    reason = reason_of(exc)
    cure = "Check that it runs, and where."
    if "wrong version number" in reason:
        reason, cure = "it does not speak TLS", "Check that it is there; plain HTTP is for this machine alone."
    elif "certificate verify failed" in reason:
        cure = "Give the certificates that vouch for it with --ca FILE, and call it by the name that stands in its own."
    return DaemonError(url, f"cannot be reached: {reason}", cure)


def _is_ours(answer: Answer) -> bool:
    """Whether an answer can be one of a daemon's to a question."""
    return not answer.body or answer.headers.get("content-type", "").startswith(JSON_TYPES)


def segment(text: str) -> str:
    """Text as one step of a path."""
    return quote(text, safe="")


@asynccontextmanager
async def connected(place: Place, user: str, find_again: FindAgain | None = None) -> AsyncIterator[Connection]:
    """A connection for as long as the block lasts; `user`: whom the daemon on this machine lets it act for.

    `find_again` tells where it is after it was started anew.

    Raises:
        DaemonError, SettingsError: it cannot be made so.
    """
    connection = Connection(place, user, find_again)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


async def _client_of(place: Place, user: str) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {place.token}", "User-Agent": f"buttonhook/{VERSION}"}
    if place.is_local:
        headers[USER_HEADER] = quote(user, safe="")
    return httpx.AsyncClient(
        base_url=place.url,
        headers=headers,
        verify=await _trust(place),
        trust_env=not place.is_local,
        timeout=httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS),
        follow_redirects=False,
    )


async def _trust(place: Place) -> ssl.SSLContext | bool:
    """What certificates are believed. Of a local daemon's TLS only the very certificate that its file tells of."""
    if place.url.startswith("http:"):
        return False
    if not place.fingerprint:
        try:
            return ssl.create_default_context(cafile=place.ca)
        except (OSError, ssl.SSLError) as exc:
            raise SettingsError("ca", f"is {place.ca!r}, which holds no certificates: {reason_of(exc)}") from exc
    parts = urlsplit(place.url)
    where = parts.hostname or "", parts.port or 443
    try:
        pem = await asyncio.to_thread(ssl.get_server_certificate, where, timeout=CONNECT_SECONDS)
    except (OSError, ssl.SSLError) as exc:
        raise unreachable(place.url, exc) from exc
    if hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() != place.fingerprint:
        raise DaemonError(
            place.url, "shows another certificate than its instance file tells of", "Start the daemon anew."
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # this one certificate is believed, whatever name stands in it
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=pem)
    return context
