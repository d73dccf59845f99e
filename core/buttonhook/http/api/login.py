"""Logging in and out, who one is, and the first owner."""

from importlib.metadata import version
from typing import Final

from litestar import Response
from litestar.params import JSONBody

from buttonhook.http.asking import Asker, asker_of, daemon_of
from buttonhook.http.declaring import LOGIN, PUBLIC, get, post
from buttonhook.http.logging_in import cookie, log_in, set_up, show
from buttonhook.http.reading import Request
from buttonhook.http.shapes.people import LoginInput, MeShape, NewTokenShape, SetUpInput, TokenLoginInput
from buttonhook.people import UserRecord

TAGS: Final = ["logging in"]
VERSION: Final = version("buttonhook")


def me_shape(asker: Asker) -> MeShape:
    """Who asks, and what they may."""
    user, access = asker.user, asker.access
    record = asker.daemon.app.registry.find(UserRecord, user.username)
    given = [] if record is None else access.administration.permissions_of(record)
    return MeShape(
        name=user.username,
        kind="token" if asker.kind == "token" else "local" if asker.kind == "local" else "login",
        is_owner=user.is_owner,
        is_disabled=record is not None and record.is_disabled,
        version=VERSION,
        permissions=sorted({name for each in given if not each.is_disabled for name in each.permissions}),
        scopes=None if user.scopes is None else sorted(user.scopes),
        broken_plugins=[each.name for each in asker.access.plugins() if each.errors],
        csrf_token=asker.csrf_token,
    )


@post("/api/login", PUBLIC, tags=TAGS, status_code=200)
async def log_in_by_password(request: Request, data: JSONBody[LoginInput]) -> Response[MeShape]:
    """Log in with a password; the answer sets the cookie of a session.

    A session ends when it is not used for 12 hours, after 7 days, at logout, and when its user is disabled or gets
    another password.
    """
    asker = asker_of(request)
    text = await log_in(asker, data.name, data.password)
    return _logged_in(request, text)


@post("/api/login/token", PUBLIC, tags=TAGS)
async def make_token_by_password(request: Request, data: JSONBody[TokenLoginInput]) -> NewTokenShape:
    """Make a token for oneself with a password, for programs: no cookie, no CSRF token. It is shown this once."""
    asker = asker_of(request)
    user = await show(asker, data.name, data.password)
    people = asker.daemon.app.access(user, "api", "by password", asker.request_id).administration
    record, text = await people.add_token(
        user.username, scopes=data.scopes, days=data.days, description=data.description
    )
    asker.daemon.auditor.note(
        "login", user.username, asker.address, f"made token {record.name} by password", asker.request_id
    )
    return NewTokenShape.with_text(record, text)


def _logged_in(request: Request, text: str) -> Response[MeShape]:
    asker = asker_of(request).with_login(text)
    return Response(me_shape(asker), cookies=[cookie(request, asker.daemon, text)])


@post("/api/logout", LOGIN, tags=TAGS, status_code=204)
async def log_out(request: Request) -> Response[None]:
    """End the session of the cookie. With a token there is nothing to end."""
    asker, daemon = asker_of(request), daemon_of(request)
    if asker.login is None:
        return Response(None, status_code=204)
    await daemon.app.logins.end(asker.login)
    daemon.auditor.note("logout", asker.user.username, asker.address, "logged out", asker.request_id)
    return Response(None, status_code=204, cookies=[cookie(request, daemon, "")])


@get("/api/me", LOGIN, tags=TAGS)
async def me(request: Request) -> MeShape:
    """Who asks, and what they may."""
    return me_shape(asker_of(request))


@post("/api/setup", PUBLIC, tags=TAGS, status_code=200)
async def set_up_first_owner(request: Request, data: JSONBody[SetUpInput]) -> Response[MeShape]:
    """Make the first owner who can log in, by the one-time code that the daemon prints at its start.

    It works while no owner can log in. A user who exists is made an owner and gets the password.
    """
    return _logged_in(request, await set_up(asker_of(request), data.code, data.name, data.password))


ROUTES: Final = (log_in_by_password, make_token_by_password, log_out, me, set_up_first_owner)
