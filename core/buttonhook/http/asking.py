"""Who asks: found once a request, by the token or the cookie it carries, before its body is read.

A request with a token is that token's, whatever cookie it also carries; a token that fits nobody is refused. A request
by cookie that may change something must come from our own pages: it carries the session's CSRF token, and the
browser says where it comes from.
"""

import hashlib
import hmac
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

from litestar.connection import ASGIConnection, Request
from litestar.handlers import BaseRouteHandler

from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied
from buttonhook.http.daemon import DAEMON, Daemon
from buttonhook.http.declaring import DECLARED, FORM, Declaration, check_query
from buttonhook.http.problems import Refused
from buttonhook.http.reading import form_of
from buttonhook.objects.keys import check_object_type, object_permission
from buttonhook.people import LoginRecord
from buttonhook.permissions import RIGHTS, VIEW, user_of
from buttonhook.receivers.user import User

ASKER: Final = "buttonhook.asker"
CSRF_HEADER: Final = "x-csrf-token"
CSRF_FIELD: Final = "csrf_token"
"""Where it stands in a form of a page."""
USER_HEADER: Final = "buttonhook-user"
"""With the daemon's own token: whom the command line acts for, percent-encoded."""
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
Connection = ASGIConnection[Any, Any, Any, Any]

_WORDS: Final = {"view": "see", "add": "create", "change": "update", "delete": "delete"}
"""What a refusal calls the actions on objects."""


class Asker:
    """Who makes a request. `access` is what they may see and do, as it was when the request came."""

    def __init__(
        self,
        daemon: Daemon,
        user: User | None,
        kind: Literal["nobody", "login", "token", "local"],
        request: "Asked",
        login: LoginRecord | None = None,
        secret: str = "",
    ) -> None:
        self.daemon = daemon
        self.kind = kind
        self.address = request.address
        self.request_id = request.request_id
        self.login = login
        self._user = user
        self._secret = secret
        self._access: Access | None = None

    @property
    def user(self) -> User:
        """Raises: Refused: nobody is logged in."""
        if self._user is None:
            raise Refused(401, "not-logged-in", "Log in, or send a token.", headers={"WWW-Authenticate": "Bearer"})
        return self._user

    @property
    def is_known(self) -> bool:
        return self._user is not None

    @property
    def access(self) -> Access:
        """Raises: Refused: nobody is logged in."""
        if self._access is None:
            context: Literal["ui", "api", "cli"] = (
                "ui" if self.kind == "login" else "cli" if self.kind == "local" else "api"
            )
            self._access = self.daemon.app.access(self.user, context, self._detail(), self.request_id)
        return self._access

    @property
    def csrf_token(self) -> str:
        """What a page sends back with what it changes; empty where no cookie is used."""
        return "" if self.login is None else _csrf_token(self._secret)

    def renewed(self) -> "Asker | None":
        """The same asker with what they may do now, None where they are logged out: for answers that last."""
        asked = Asked(self.address, self.request_id)
        if self.kind == "nobody":
            return self
        if self.kind == "login":
            login = self.daemon.app.logins.find(self._secret)
            return None if login is None else _by_login(self.daemon, login, self._secret, asked)
        return _by_token(self.daemon, self._secret, self._user.username if self._user else "", asked)

    def with_login(self, text: str) -> "Asker":
        """Who the session of a cookie belongs to, asking the same request."""
        login = self.daemon.app.logins.find(text)
        asked = Asked(self.address, self.request_id)
        return self if login is None else _by_login(self.daemon, login, text, asked)

    def _detail(self) -> str:
        return f"token {self._secret[:13]}" if self.kind == "token" else ""


class Asked:
    """Where a request comes from."""

    def __init__(self, address: str, request_id: str) -> None:
        self.address, self.request_id = address, request_id


def note_denied(connection: Connection, exc: PermissionDenied) -> None:
    """Record what an asker was denied, wherever it was."""
    asker = connection.scope.get(ASKER)
    if isinstance(asker, Asker):
        asker.daemon.auditor.note("denied", exc.user_name, asker.address, str(exc), asker.request_id)


def asker_of(request: Connection) -> Asker:
    """Who makes this request."""
    asker = request.scope[ASKER]  # type: ignore[typeddict-item]
    assert isinstance(asker, Asker)  # noqa: S101 - put there by `authorize`, without which no route is reached
    return asker


def access_of(request: Connection) -> Access:
    """What who makes this request may see and do. Raises: Refused: nobody is logged in."""
    return asker_of(request).access


def daemon_of(request: Connection) -> Daemon:
    """The daemon that serves this request."""
    daemon = request.scope[DAEMON]  # type: ignore[typeddict-item]
    assert isinstance(daemon, Daemon)  # noqa: S101 - put there by the gate, without which no route is reached
    return daemon


async def authorize(connection: Connection, handler: BaseRouteHandler) -> None:
    """Litestar's guard of every route: who asks, whether the request is their own, and whether they may at all.

    Raises:
        Refused, PermissionDenied: the request goes no further.
    """
    daemon = daemon_of(connection)
    declared = handler.opt.get(DECLARED)
    asker = find_asker(daemon, connection)
    connection.scope[ASKER] = asker  # type: ignore[typeddict-unknown-key]
    check_own_site(connection, asker)
    if asker.login is not None and connection.scope.get("method") not in SAFE_METHODS:
        check_csrf(asker, await _csrf_given(connection, handler))
    if not isinstance(declared, Declaration):  # Litestar's answer to OPTIONS
        return
    if declared.kind != "public":
        check_declared(asker.user, declared, connection.path_params)
    if connection.scope.get("query_string"):
        wrong = check_query(handler.opt, list(connection.query_params.multi_items()))
        if wrong is not None:
            raise Refused(400, "bad-parameter", wrong)
    if asker.login is not None and declared.kind != "public":
        await daemon.app.logins.note_use(asker.login)


def find_asker(daemon: Daemon, connection: Connection) -> Asker:
    """Raises: Refused: it carries a token that fits nobody."""
    client = connection.scope.get("client")
    asked = Asked(client[0] if client else "", connection.scope["buttonhook.request_id"])  # type: ignore[typeddict-item]
    header = connection.headers.get("authorization")
    if header is not None:
        scheme, _, token = header.partition(" ")
        asker = _by_token(daemon, token.strip(), connection.headers.get(USER_HEADER, ""), asked)
        if scheme.lower() != "bearer" or asker is None:
            daemon.auditor.note(
                "token_refused", "", asked.address, "a token that fits nobody was sent", asked.request_id
            )
            raise Refused(
                401,
                "bad-token",
                "The token is unknown or expired, or its user is disabled. Send it as: Authorization: Bearer TOKEN.",
                headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
            )
        return asker
    text = connection.cookies.get(daemon.cookie_name(connection.scope["scheme"]), "")
    login = daemon.app.logins.find(text) if text else None
    if login is None:
        return Asker(daemon, None, "nobody", asked)
    return _by_login(daemon, login, text, asked)


def _by_login(daemon: Daemon, login: LoginRecord, secret: str, asked: Asked) -> Asker:
    return Asker(daemon, user_of(daemon.app.registry, login.user), "login", asked, login, secret)


def _by_token(daemon: Daemon, token: str, name: str, asked: Asked) -> Asker | None:
    if hmac.compare_digest(token.encode("utf-8", "surrogatepass"), daemon.own_token.encode()):
        user = user_of(daemon.app.registry, unquote(name) or daemon.app.user_name)
        if not user.known:
            raise Refused(401, "unknown-user", f"User {user.username!r} is not known in this database.")
        return Asker(daemon, user, "local", asked, secret=token)
    found = daemon.app.administration.user_of_token(token)
    return None if found is None else Asker(daemon, found, "token", asked, secret=token)


def check_declared(user: User, declared: Declaration, path: dict[str, Any]) -> None:
    """Turn away who may do the act to nothing at all.

    Raises:
        PermissionDenied: naming the permission.
    """
    if declared.kind == "act":
        for need in RIGHTS[declared.act]:
            asked = need.permission != VIEW and not need.or_own and not declared.or_own
            if asked and not user.has_perm(need.permission):
                raise PermissionDenied(user.username, declared.act, need.permission)
    elif declared.kind == "objects":
        object_type = check_object_type(path["object_type"])
        permissions = [object_permission(object_type, action) for action in declared.actions]
        if not any(map(user.has_perm, permissions)):
            what = f"{_WORDS[declared.actions[0]]} {object_type} objects"
            raise PermissionDenied(user.username, what, permissions[0])


def check_own_site(connection: Connection, asker: Asker) -> None:
    """Refuse what another site makes a browser send. A token is sent by nobody's browser unasked.

    Raises:
        Refused: the request may be forged.
    """
    if connection.scope.get("method") in SAFE_METHODS or asker.kind in ("token", "local"):
        return
    headers = connection.headers
    site = headers.get("sec-fetch-site", "same-origin")
    origin = headers.get("origin")
    host = headers.get("host", "").lower()
    is_ours = origin is None or urlsplit(origin).netloc.lower() == host
    if site != "same-origin" or not is_ours:
        raise Refused(403, "cross-site", "The request comes from another site. Send it from a page of this daemon.")


async def _csrf_given(connection: Connection, handler: BaseRouteHandler) -> str:
    """The token that a request by cookie carries: in a header, or among the fields of a page's form."""
    header = connection.headers.get(CSRF_HEADER)
    if header is None and handler.opt.get(FORM) and isinstance(connection, Request):
        return (await form_of(connection)).get(CSRF_FIELD)
    return header or ""


def check_csrf(asker: Asker, given: str) -> None:
    """Raises: Refused: the request may be forged."""
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), asker.csrf_token.encode()):
        detail = "The CSRF token is missing or wrong. Send `csrf_token` of /api/me in the header X-CSRF-Token."
        raise Refused(403, "csrf", detail)


def _csrf_token(secret: str) -> str:
    return hashlib.sha256(b"csrf " + secret.encode("utf-8", "surrogatepass")).hexdigest()
