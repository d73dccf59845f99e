"""One's own account: who one is and what one may, password, tokens."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath

from buttonhook.errors import RecordConflict
from buttonhook.http.asking import access_of, asker_of
from buttonhook.http.declaring import LOGIN, act
from buttonhook.http.flashes import Flash
from buttonhook.http.logging_in import begin, cookie, verify_current
from buttonhook.http.pages.page import form, go, page, show
from buttonhook.http.pages.token_days import days_of
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.people import UserRecord


@page("/account", LOGIN)
async def account(request: Request) -> Response[Any]:
    """One's own page."""
    return _account(request)


def _account(
    request: Request, status: int = 200, errors: dict[str, str] | None = None, given: Form | None = None
) -> Response[Any]:
    asker = asker_of(request)
    record = asker.daemon.app.registry.find(UserRecord, asker.user.username)
    people = asker.access.administration
    held = [] if record is None else people.permissions_of(record)
    return show(
        request,
        "account.html",
        "Your account",
        status=status,
        permissions=sorted({name for each in held if not each.is_disabled for name in each.permissions}),
        tokens=people.tokens(asker.user.username),
        errors=errors or {},
        given=given or Form(),
    )


@form("/account/password", LOGIN)
async def change_password(request: Request) -> Response[Any]:
    """Change one's own password, which ends all other sessions."""
    given = await form_of(request)
    asker = asker_of(request)
    password, name = given.get("password"), asker.user.username
    if password != given.get("again"):
        return _account(request, 422, {"again": "The two passwords differ. Type the same one twice."})
    try:
        await verify_current(asker, given.get("current"))
        await asker.access.administration.set_password(name, password)
    except Refused as exc:
        return _account(request, exc.status_code, {"current": exc.detail})
    except RecordConflict as exc:
        return _account(request, 422, {"password": str(exc)})
    text = await begin(asker, name)
    to = asker.with_login(text)
    if to.login is not None:
        asker.daemon.flashes.add(to.login.id, Flash("success", "Your password is changed. Other sessions have ended."))
    return go(request, "/account", cookies=[cookie(request, asker.daemon, text)])


@form("/account/tokens", LOGIN)
async def add_own_token(request: Request) -> Response[Any]:
    """Make a token for oneself; it is shown once, on the page that follows."""
    given = await form_of(request)
    scopes = given.get("scopes").replace(",", " ").split()
    try:
        days = days_of(given.get("days"))
        _, text = await access_of(request).administration.add_token(
            asker_of(request).user.username,
            scopes=scopes or None,
            days=days,
            description=given.get("description")[:200],
        )
    except RecordConflict as exc:
        return _account(request, 422, {"scopes" if exc.kind == "permission" else "days": str(exc)}, given)
    told = "This is your new token. Copy it now: it is not shown again."
    return go(request, "/account", Flash("success", told, secret=text))


@form("/account/tokens/{name:str}/remove", act("remove somebody else's token", or_own=True))
async def remove_own_token(request: Request, name: FromPath[str]) -> Response[Any]:
    """Remove a token: nobody acts by it any more."""
    await access_of(request).administration.remove_token(name)
    return go(request, "/account", Flash("success", f"Token {name} is removed."))


ROUTES: Final = (account, change_password, add_own_token, remove_own_token)
