"""Tokens: what acts for a user over the API. A token is shown once, when it is made."""

from typing import Final

from litestar.params import FromPath, FromQuery, JSONBody

from buttonhook.http.asking import access_of, asker_of
from buttonhook.http.declaring import LOGIN, act, delete, get, post
from buttonhook.http.paging import DEFAULT_LIMIT, CursorText, FieldNames, Limit, Page, page_by_name, sparse
from buttonhook.http.reading import Request
from buttonhook.http.shapes.people import NewTokenShape, TokenInput, TokenShape

TAGS: Final = ["people"]


@get("/api/tokens", act("see others' tokens", or_own=True), tags=TAGS)
async def list_tokens(
    request: Request,
    user: FromQuery[str | None] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    fields: FieldNames = None,
) -> Page[TokenShape]:
    """List one's own tokens, and those of others that one may see, by their public part."""
    found = access_of(request).administration.tokens(user)
    return sparse(page_by_name(["tokens", user], found, TokenShape.of, cursor, limit), fields)


@post("/api/tokens", LOGIN, tags=TAGS)
async def add_token(request: Request, data: JSONBody[TokenInput]) -> NewTokenShape:
    """Make a token, for oneself unless another user is named. It is shown this once.

    No token makes one that reaches further or lives longer than itself.
    """
    asker = asker_of(request)
    record, text = await asker.access.administration.add_token(
        data.user or asker.user.username, scopes=data.scopes, days=data.days, description=data.description
    )
    return NewTokenShape.with_text(record, text)


@delete("/api/tokens/{name:str}", act("remove somebody else's token", or_own=True), tags=TAGS)
async def remove_token(request: Request, name: FromPath[str]) -> None:
    """Remove a token, by its public part: nobody acts by it any more."""
    await access_of(request).administration.remove_token(name)


ROUTES: Final = (list_tokens, add_token, remove_token)
