"""What all pages share: what they declare, the frame around them, redirects with a message, errors as pages.

@page("/things", act("see a thing"))
async def list_things(request: Request) -> Response[Any]:
    return show(request, "things/list.html", "Things", things=access_of(request).things())

@form("/things", act("add a thing"))
async def add_thing(request: Request) -> Response[Any]:
    given = await form_of(request)
    ...
    return go(request, "/things", Flash("success", "Added it."))
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlsplit

from litestar import Response
from litestar.datastructures import Cookie
from litestar.exceptions import HTTPException
from msgspec import Struct

from buttonhook.errors import PermissionDenied, RecordNotFound, StorageUnavailable
from buttonhook.http.asking import ASKER, Asker, asker_of, daemon_of, note_denied
from buttonhook.http.declaring import Declaration, get, post
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.navigation import NavGroup, menu
from buttonhook.http.pages.templating import render
from buttonhook.http.problems import Problem, of_any
from buttonhook.http.reading import Request
from buttonhook.receivers.user import User

HTML: Final = "text/html; charset=utf-8"
THEME_COOKIE: Final = "buttonhook_theme"
THEMES: Final = ("auto", "light", "dark")
FORM_BYTES: Final = 8_000_000
"""A form may hold a document of the largest size twice, encoded."""
FRAGMENT_HEADER: Final = "x-fragment"
"""Sent by our scripts, which want a piece of a page: errors come as a piece, too."""

_TITLES: Final[Mapping[int, str]] = {
    400: "That request makes no sense",
    403: "You may not do that",
    404: "There is nothing here",
    409: "That contradicts what is stored",
    413: "That is too large",
    422: "That cannot be so",
    429: "Too many tries",
    500: "Something went wrong inside",
    503: "Not possible right now",
    507: "The disk is full",
}


class Crumb(Struct, frozen=True):
    """One step of the way to a page."""

    label: str
    href: str


class Frame(Struct, frozen=True):
    """What stands around every page."""

    title: str
    path: str
    here: str
    """Path and query: where a form may come back to."""
    theme: str
    user: User | None
    csrf_token: str
    menu: Sequence[NavGroup]
    flashes: Sequence[Flash]
    crumbs: Sequence[Crumb]


def page(path: str, declared: Declaration, **given: Any) -> Callable[[Callable[..., Any]], Any]:
    """A page: a route whose errors are pages, too."""
    return get(path, declared, **_OF_PAGES, **given)


def form(path: str, declared: Declaration, **given: Any) -> Callable[[Callable[..., Any]], Any]:
    """Where a form of a page is sent to; see `reading.form_of`. The guard has looked at its CSRF token."""
    return post(path, declared, is_form=True, status_code=200, request_max_body_size=FORM_BYTES, **_OF_PAGES, **given)


def show(
    request: Request, template: str, title: str, *, status: int = 200, crumbs: Sequence[Crumb] = (), **context: Any
) -> Response[Any]:
    """A page made of a template of `templates/`."""
    body = render(template, frame=_frame(request, title, crumbs), **context)
    return Response(body, status_code=status, media_type=HTML)


def fragment(request: Request, template: str, *, status: int = 200, **context: Any) -> Response[Any]:
    """A piece of a page, for our scripts."""
    body = render(template, csrf_token=asker_of(request).csrf_token, **context)
    return Response(body, status_code=status, media_type=HTML)


def go(request: Request, to: str, flash: Flash | None = None, *, cookies: Sequence[Cookie] = ()) -> Response[Any]:
    """Redirect to another page of ours, which shows the message."""
    asker = asker_of(request)
    if flash is not None and asker.login is not None:
        asker.daemon.flashes.add(asker.login.id, flash)
    return Response("", status_code=303, headers={"Location": to}, media_type=HTML, cookies=list(cookies))


def safe_path(text: str) -> str:
    """A path of ours to go to, as given by a browser; the first page where it leads elsewhere."""
    parts = urlsplit(text)
    is_ours = not parts.scheme and not parts.netloc and text.startswith("/") and text[1:2] not in ("/", "\\")
    is_plain = text.isprintable() and text.isascii()
    return text if is_ours and is_plain else "/"


def why_not(request: Request, permission: str, about: object = None) -> str:
    """Why who asks may not do something, empty where they may: to one thing, or to something at least."""
    user = asker_of(request).user
    if user.has_perm(permission, about):
        return ""
    return f"You hold {permission}, but not for this one" if user.has_perm(permission) else f"You lack {permission}"


def _frame(request: Request, title: str, crumbs: Sequence[Crumb]) -> Frame:
    asker = request.scope.get(ASKER)
    known = asker if isinstance(asker, Asker) and asker.is_known else None
    login = None if known is None else known.login
    here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    theme = request.cookies.get(THEME_COOKIE, "auto")
    return Frame(
        title=title,
        path=request.url.path,
        here=here if request.method == "GET" else request.url.path,
        theme=theme if theme in THEMES else "auto",
        user=None if known is None else known.user,
        csrf_token="" if known is None else known.csrf_token,
        menu=() if known is None else menu(known.user, known.daemon.app.registry),
        flashes=() if known is None or login is None else known.daemon.flashes.take(login.id),
        crumbs=crumbs,
    )


# --- errors ---------------------------------------------------------------------------------------


def on_page_error(request: Request, exc: Exception) -> Response[Any]:
    """Any error of a page: nobody is sent to log in; all else is a page that tells the error's own sentence."""
    request_id = str(request.scope.get("buttonhook.request_id", ""))
    if isinstance(exc, PermissionDenied):
        note_denied(request, exc)
    if isinstance(exc, StorageUnavailable):
        daemon_of(request).note_storage(exc)
    told = of_any(exc, request_id, f"{request.method} {request.url.path}")
    wants_fragment = FRAGMENT_HEADER in request.headers
    headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}
    headers.pop("WWW-Authenticate", None)
    if told.status == 401 and not wants_fragment:
        return Response("", status_code=303, headers={"Location": _login_path(request)}, media_type=HTML)
    if told.status in (503, 507):
        headers.setdefault("Retry-After", "5")
    context = {"problem": told, "detail": _detail(told, exc), "request_id": request_id}
    if wants_fragment:
        body = render("error_fragment.html", **context)
    else:
        body = render("error.html", frame=_frame(request, _TITLES.get(told.status, told.title), ()), **context)
    return Response(body, status_code=told.status, media_type=HTML, headers=headers)


def wants_page(request: Any) -> bool:
    """Whether an answer for which there is no route is read by a person."""
    is_ours = not request.url.path.startswith(("/api/", "/static/"))
    return is_ours and "text/html" in request.headers.get("accept", "")


def _login_path(request: Request) -> str:
    here = request.url.path
    if request.method == "GET" and request.url.query:
        here = f"{here}?{request.url.query}"
    return "/login" if here == "/" else f"/login?next={quote(here, safe='/')}"


def _detail(problem: Problem, exc: Exception) -> str:
    """The sentence, without a cure that is for the command line or for programs."""
    if problem.type.endswith(":csrf"):
        return "This page was made before you last logged in. Go back, reload it, and try again."
    if isinstance(exc, RecordNotFound):
        return problem.detail.partition(" See them with:")[0]
    return problem.detail


_OF_PAGES: Final[Mapping[str, Any]] = {
    "include_in_schema": False,
    "exception_handlers": dict.fromkeys(
        (Exception, HTTPException, PermissionDenied, StorageUnavailable), on_page_error
    ),
}
