"""The pages for logging in and out, for the first owner, and the switch between light and dark."""

from typing import Any, Final

from litestar import Response
from litestar.datastructures import Cookie
from litestar.params import FromQuery

from buttonhook.errors import RecordConflict
from buttonhook.http.asking import asker_of, daemon_of
from buttonhook.http.declaring import LOGIN, PUBLIC
from buttonhook.http.logging_in import cookie, log_in, set_up
from buttonhook.http.pages.page import THEME_COOKIE, THEMES, form, go, page, safe_path, show
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Request, form_of

YEAR_SECONDS: Final = 365 * 24 * 3600


@page("/login", PUBLIC)
async def login_page(request: Request, next: FromQuery[str] = "/") -> Response[Any]:
    """The page for logging in."""
    if asker_of(request).login is not None:
        return go(request, safe_path(next))
    return _login(request, next)


@form("/login", PUBLIC)
async def log_in_by_form(request: Request) -> Response[Any]:
    """Log in and go where one wanted to."""
    given = await form_of(request)
    name, to = given.get("name"), given.get("next", "/")
    asker = asker_of(request)
    try:
        text = await log_in(asker, name, given.get("password"))
    except Refused as exc:
        return _login(request, to, name, exc)
    return go(request, safe_path(to), cookies=[cookie(request, asker.daemon, text)])


def _login(request: Request, to: str, name: str = "", refused: Refused | None = None) -> Response[Any]:
    made = show(
        request,
        "login.html",
        "Log in",
        status=200 if refused is None else refused.status_code,
        next=safe_path(to),
        name=name,
        error="" if refused is None else refused.detail,
        is_set_up_needed=daemon_of(request).setup.is_needed,
    )
    if refused is not None and refused.headers and "Retry-After" in refused.headers:
        made.headers["Retry-After"] = refused.headers["Retry-After"]
    return made


@form("/logout", LOGIN)
async def log_out_by_form(request: Request) -> Response[Any]:
    """End the session."""
    asker, daemon = asker_of(request), daemon_of(request)
    if asker.login is not None:
        await daemon.app.logins.end(asker.login)
        daemon.auditor.note("logout", asker.user.username, asker.address, "logged out", asker.request_id)
    return go(request, "/login", cookies=[cookie(request, daemon, "")])


@page("/setup", PUBLIC)
async def setup_page(request: Request) -> Response[Any]:
    """The page behind the set-up link; the code stands behind the `#`, which no browser sends."""
    return _setup(request)


@form("/setup", PUBLIC)
async def set_up_by_form(request: Request) -> Response[Any]:
    """Make the first owner, who is logged in then."""
    given = await form_of(request)
    code, name, password = given.get("code").strip(), given.get("name").strip(), given.get("password")
    if password != given.get("again"):
        return _setup(request, 422, code, name, "The two passwords differ. Type the same one twice.")
    asker = asker_of(request)
    try:
        text = await set_up(asker, code, name, password)
    except Refused as exc:
        return _setup(request, exc.status_code, code, name, exc.detail)
    except RecordConflict as exc:
        return _setup(request, 422, code, name, str(exc))
    return go(request, "/", cookies=[cookie(request, asker.daemon, text)])


def _setup(request: Request, status: int = 200, code: str = "", name: str = "", error: str = "") -> Response[Any]:
    is_needed = daemon_of(request).setup.is_needed
    return show(request, "setup.html", "Set up", status=status, code=code, name=name, error=error, is_needed=is_needed)


@form("/theme", PUBLIC)
async def choose_theme(request: Request) -> Response[Any]:
    """Light, dark, or as the system is; kept in a cookie of the browser."""
    given = await form_of(request)
    theme = given.get("theme")
    if theme not in THEMES:
        raise Refused(422, "theme", f"There is no look {theme[:20]!r}. Choose one of: {', '.join(THEMES)}.")
    chosen = Cookie(
        THEME_COOKIE, value=theme, max_age=YEAR_SECONDS, samesite="lax", secure=request.scope["scheme"] == "https"
    )
    return go(request, safe_path(given.get("back")), cookies=[chosen])


ROUTES: Final = (
    login_page,
    log_in_by_form,
    log_out_by_form,
    setup_page,
    set_up_by_form,
    choose_theme,
)
