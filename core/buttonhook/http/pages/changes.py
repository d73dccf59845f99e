"""The list of changes: filters, pages, and the mark of new ones.

A page takes the time of a page, whatever it is asked: where no index helps it says how far back it looked, and a link
looks on for longer.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import QueryParameter
from msgspec import Struct

from buttonhook import diffs, documents
from buttonhook.access.looking import Looked
from buttonhook.errors import QueryError
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.change_filters import ACTIONS, CONTEXTS, PERIODS, Filters
from buttonhook.http.pages.navigation import visible_types
from buttonhook.http.pages.page import fragment, go, page, show
from buttonhook.http.pages.templating import query
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor
from buttonhook.http.reading import Request
from buttonhook.objects.keys import object_permission
from buttonhook.permissions import VIEW
from buttonhook.records import RECORD_TYPES, ChangeRecord

SEE: Final = act("see a change")
PAGE_SIZE: Final = 50
QUICK_SECONDS: Final = 0.02
FAR_SECONDS: Final = 2.0
MOST_NEW: Final = 100
MOST_FIELDS: Final = 3
MOST_READ: Final = 40_000
"""Longer documents are not read for a row of a list."""
Text = Annotated[str, QueryParameter(max_length=300)]


class Line(Struct, frozen=True):
    """A change in a list, with the names of some fields that differ, and how many more do."""

    change: ChangeRecord
    fields: Sequence[str] = ()
    more: int = 0


@page("/changes", SEE)
async def list_changes(
    request: Request,
    object_type: Text = "",
    object_pk: Text = "",
    action: Text = "",
    user: Text = "",
    context: Text = "",
    period: Text = "",
    since: Text = "",
    until: Text = "",
    request_id: Text = "",
    cause: Text = "",
    cursor: CursorText = None,
    far: Text = "",
) -> Response[Any]:
    """Changes that fit, newest first."""
    filters = Filters.of(request)
    here, given = request.url.path, filters.given
    if "" in request.query_params.values():  # a form sends its empty fields, too
        return go(request, here + query(**given))
    question = ["changes", given]
    refused = ""
    looked: Looked[ChangeRecord] = Looked((), 0)
    try:
        after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
        asked = msgspec.structs.replace(filters.asked(), after=after, limit=PAGE_SIZE + 1)
        seconds = FAR_SECONDS if far else QUICK_SECONDS
        looked = await access_of(request).history.look_for_changes(asked, seconds)
    except QueryError as exc:
        refused = str(exc)
    shown = looked.found[:PAGE_SIZE]
    following = encode_cursor(question, [shown[-1].id]) if len(looked.found) > PAGE_SIZE else ""
    on = encode_cursor(question, [looked.reached]) if looked.reached is not None else ""
    return show(
        request,
        "changes/list.html",
        "Changes",
        status=422 if refused else 200,
        refused=refused,
        lines=[_line(each) for each in shown],
        filters=filters,
        chips=[(filters.told(name), here + query(**filters.without(name))) for name in given if name != "action"],
        segments=[(word, here + query(**{**given, "action": word})) for word in ("", *ACTIONS)],
        kept=given,
        types=_types(request),
        contexts=[("", "Any way"), *((each, each) for each in CONTEXTS)],
        periods=[("", "Any time"), *((name, label) for name, (label, _) in PERIODS.items())],
        first=here + query(**given) if cursor is not None else "",
        next=here + query(**given, cursor=following) if following else "",
        on=here + query(**given, cursor=on, far="yes") if on else "",
        reached=looked.reached,
        news="" if cursor is not None or refused else f"/changes/new{query(**given, after=looked.newest)}",
    )


def _types(request: Request) -> list[str]:
    """The types of which one sees something, those of the set-up last."""
    access = access_of(request)
    of_set_up = [each for each in RECORD_TYPES.values() if access.user.has_perm(object_permission(each, VIEW))]
    return [*visible_types(access.user, daemon_of(request).app.registry), *of_set_up]


def _line(change: ChangeRecord) -> Line:
    """A change for the list: of an update with the names of what differs."""
    before, after = change.prechange, change.postchange
    if before is None or after is None or len(before) + len(after) > MOST_READ:
        return Line(change)
    keys = diffs.changed_keys(documents.decode(before), documents.decode(after))
    return Line(change, keys[:MOST_FIELDS], max(0, len(keys) - MOST_FIELDS))


@page("/changes/new", SEE)
async def count_new(
    request: Request,
    after: Annotated[int, QueryParameter(ge=0, le=2**62)],
    object_type: Text = "",
    object_pk: Text = "",
    action: Text = "",
    user: Text = "",
    context: Text = "",
    period: Text = "",
    since: Text = "",
    until: Text = "",
    request_id: Text = "",
    cause: Text = "",
) -> Response[Any]:
    """How many changes that fit were made since a page was shown: the bar above its list."""
    filters = Filters.of(request)
    asked = msgspec.structs.replace(filters.asked(), least=after + 1, limit=MOST_NEW)
    looked = await access_of(request).history.look_for_changes(asked, QUICK_SECONDS)
    count = len(looked.found)
    told = f"{count}{'+' if count >= MOST_NEW or looked.reached is not None else ''}"
    return fragment(request, "changes/new.html", count=count, told=told, href=f"/changes{query(**filters.given)}")


ROUTES: Final = (list_changes, count_new)
