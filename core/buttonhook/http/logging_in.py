"""Logging in, with guessing made slow; and the first owner, who comes by the set-up link."""

import math
from typing import Any, Final

from litestar.datastructures import Cookie

from buttonhook.credentials import check_password
from buttonhook.http.asking import Asker, Connection
from buttonhook.http.daemon import Daemon
from buttonhook.http.problems import Refused
from buttonhook.logins import LIFE
from buttonhook.people import UserRecord
from buttonhook.receivers.user import User

MOST_AT_ONCE: Final = 16
"""Passwords that are looked at or wait for it; each takes a place among the few that hash."""


async def log_in(asker: Asker, name: str, password: str) -> str:
    """Begin a login session; returns its cookie's value. Raises: as `show`."""
    user = await show(asker, name, password)
    return await begin(asker, user.username)


async def show(asker: Asker, name: str, password: str) -> User:
    """Somebody shows by a password who they are.

    What is told of a failure, and how long it takes, does not depend on whether there is such a user.

    Raises:
        Refused: name and password do not fit, or there were too many tries.
    """
    daemon = asker.daemon
    keys = (daemon.by_name, name.casefold()), (daemon.by_address, asker.address)
    check_patience(keys, daemon)
    for throttle, key in keys:
        throttle.fail(key)  # before it is known: tries that run at once are counted, too
    user = await _look_at(daemon, name, password)
    if user is None:
        daemon.auditor.note("login_failed", name, asker.address, "name and password do not fit", asker.request_id)
        raise Refused(401, "login-failed", "Name or password is wrong.", headers={"WWW-Authenticate": "Bearer"})
    for throttle, key in keys:
        throttle.succeed(key)
    return user


async def _look_at(daemon: Daemon, name: str, password: str) -> User | None:
    """Whom name and password fit; as long as it takes, one of the `MOST_AT_ONCE`."""
    daemon.logging_in += 1
    try:
        return await daemon.app.administration.log_in(name, password)
    finally:
        daemon.logging_in -= 1


async def begin(asker: Asker, name: str) -> str:
    """Begin a session of a user who has shown who they are; one that the browser had before ends."""
    daemon = asker.daemon
    if asker.login is not None:
        await daemon.app.logins.end(asker.login)
    _, text = await daemon.app.logins.begin(name, asker.address)
    daemon.auditor.note("login", name, asker.address, "logged in", asker.request_id)
    return text


async def verify_current(asker: Asker, password: str) -> None:
    """Who changes their own password shows that they know it: a browser left open must not be enough.

    Raises:
        Refused: it does not fit, or there were too many tries.
    """
    daemon, name = asker.daemon, asker.user.username
    keys = ((daemon.by_name, name.casefold()),)
    check_patience(keys, daemon)
    daemon.by_name.fail(name.casefold())
    if await _look_at(daemon, name, password) is None:
        what = "a wrong current password was given to change it"
        daemon.auditor.note("login_failed", name, asker.address, what, asker.request_id)
        raise Refused(403, "current-password", "The current password is wrong.")
    daemon.by_name.succeed(name.casefold())


async def set_up(asker: Asker, code: str, name: str, password: str) -> str:
    """Make the first owner who can log in, and log them in; returns the cookie's value.

    Raises:
        Refused: the code does not fit, or was used.
        RecordConflict: the name or the password cannot be; the code stays good.
    """
    daemon = asker.daemon
    keys = ((daemon.by_address, f"setup {asker.address}"),)
    check_patience(keys, daemon)
    async with daemon.setup.lock:
        if not daemon.setup.fits(code):
            daemon.by_address.fail(keys[0][1])
            daemon.auditor.note("denied", name, asker.address, "a wrong set-up code was sent", asker.request_id)
            detail = (
                "The set-up code is wrong, or was used. Start the daemon again for a new one, if nobody can log in."
            )
            raise Refused(403, "setup-code", detail)
        check_password(name, password)  # before there is a user without one
        people = daemon.app.administration
        known = daemon.app.registry.find(UserRecord, name)
        if known is None:
            await people.add_user(name, is_owner=True)
        elif known.is_disabled or not known.is_owner:
            await people.edit_user(name, is_owner=True, is_disabled=False)
        await people.set_password(name, password)
        daemon.setup.use_up()
    daemon.auditor.note("setup", name, asker.address, "became an owner by the set-up link", asker.request_id)
    return await begin(asker, name)


def check_patience(keys: Any, daemon: Daemon) -> None:
    """Raises: Refused: one of the keys must wait, or too many are at it."""
    seconds = max(throttle.wait_seconds(key) for throttle, key in keys)
    if seconds > 0:
        wait = str(math.ceil(seconds))
        detail = f"Too many tries. Wait {wait} s, then try again."
        raise Refused(429, "too-many-tries", detail, headers={"Retry-After": wait})
    if daemon.logging_in >= MOST_AT_ONCE:
        detail = "Too many log in at once. Try again in a few seconds."
        raise Refused(503, "too-many-logins", detail, headers={"Retry-After": "2"})


def cookie(connection: Connection, daemon: Daemon, value: str) -> Cookie:
    """The cookie of a session; an empty value removes it."""
    scheme = connection.scope["scheme"]
    return Cookie(
        daemon.cookie_name(scheme),
        value=value,
        max_age=LIFE // 1_000_000 if value else 0,
        path="/",
        secure=scheme == "https",
        httponly=True,
        samesite="lax",
    )
