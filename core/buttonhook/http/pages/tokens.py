"""Tokens of everybody: what acts for whom over the API, made and removed. A token is shown once."""

from typing import Any, Final

from litestar import Response
from litestar.params import FromPath, FromQuery

from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.flashes import Flash
from buttonhook.http.pages.page import form, go, page, show, why_not
from buttonhook.http.pages.refusals import REFUSALS, faults
from buttonhook.http.pages.token_days import days_of
from buttonhook.http.paging import CursorText, page_by_name
from buttonhook.http.reading import Form, Request, form_of
from buttonhook.ids import now

PAGE: Final = 100
FIELDS: Final = {"permission": "scopes", "token": "days", "user": "user"}


@page("/tokens", act("see others' tokens"))
async def list_tokens(request: Request, user: FromQuery[str] = "", cursor: CursorText = None) -> Response[Any]:
    """The tokens."""
    return _list(request, user, cursor)


def _list(
    request: Request,
    user: str = "",
    cursor: str | None = None,
    errors: dict[str, str] | None = None,
    given: Form | None = None,
) -> Response[Any]:
    access = access_of(request)
    found = access.administration.tokens(user or None)
    shown = page_by_name(["tokens", user], found, lambda each: each, cursor, PAGE)
    moment = now()
    return show(
        request,
        "people/tokens.html",
        "Tokens",
        status=422 if errors else 200,
        tokens=shown.items,
        next=shown.next,
        cursor=cursor,
        user=user,
        expired={each.id for each in shown.items if each.expires_at is not None and each.expires_at <= moment},
        user_names=[each.name for each in access.administration.users()],
        errors=errors or {},
        given=given or Form(),
        why_not_add=why_not(request, "users.add_token"),
        why_not_remove=why_not(request, "users.delete_token"),
    )


@form("/tokens", act("make a token for somebody else"))
async def add_token(request: Request) -> Response[Any]:
    """Make a token for a user; it is shown once, on the page that follows."""
    given = await form_of(request)
    scopes = given.get("scopes").replace(",", " ").split()
    name = given.get("user").strip()
    try:
        _, text = await access_of(request).administration.add_token(
            name, scopes=scopes or None, days=days_of(given.get("days")), description=given.get("description")[:200]
        )
    except REFUSALS as exc:
        return _list(request, errors=faults(exc, FIELDS), given=given)
    told = f"This is the new token of {name}. Copy it now: it is not shown again."
    return go(request, "/tokens", Flash("success", told, secret=text))


@form("/tokens/{name:str}/remove", act("remove somebody else's token", or_own=True))
async def remove_token(request: Request, name: FromPath[str]) -> Response[Any]:
    """Remove a token: nobody acts by it any more."""
    await access_of(request).administration.remove_token(name)
    return go(request, "/tokens", Flash("success", f"Token {name} is removed."))


ROUTES: Final = (list_tokens, add_token, remove_token)
