"""What a job button that is edited looks like: on one object, and on how many of the others it would be shown."""

from collections.abc import Sequence
from typing import Any, Final

import anyio
from msgspec import Struct

from buttonhook import buttons
from buttonhook.conditions import Payload, judge
from buttonhook.errors import PermissionDenied, QueryTooSlow
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.pages.bindings import types_of
from buttonhook.http.pages.condition_words import in_words
from buttonhook.http.pages.finding import find_named
from buttonhook.http.pages.rows import Row, row_of
from buttonhook.http.reading import Request
from buttonhook.objects.types import ObjectType
from buttonhook.records import ConditionRow, ObjectQuery

LAST: Final = 100
SECONDS: Final = 0.5


class Seen(Struct, frozen=True):
    """An object, the text that the button has there, and why it is not shown, empty where it is."""

    row: Row
    text: str
    why_not: str
    told: str


class Hidden(Struct, frozen=True):
    """The objects on which it is not shown, for one reason."""

    text: str
    seen: Sequence[Seen]


class Preview(Struct, frozen=True, kw_only=True):
    """`sample` is the object it is drawn on; `unfilled` the paths of its text that have nothing there."""

    sample: Seen | None = None
    unfilled: Sequence[str] = ()
    shown: Sequence[Seen] = ()
    hidden: Sequence[Hidden] = ()
    total: int = 0
    refused: str = ""


async def preview(
    request: Request, text: str, rows: Sequence[ConditionRow], object_types: Sequence[str], wanted: str
) -> Preview:
    """A button on the objects of some types, drawn on the one that is wanted, by key or name, or on the first."""
    types = types_of(request, object_types)
    if not types:
        return Preview(refused="Choose an object type: then it is shown on one of its objects.")
    found: list[Row] = []
    denied = ""
    with anyio.move_on_after(SECONDS):
        for type_ in types:
            try:
                found += await _objects(request, type_, wanted)
            except PermissionDenied as exc:
                denied = f"You lack {exc.permission}, so there are no objects to show it on."
    if not found:
        return Preview(refused=denied or "There is no object of these types yet to show it on.")
    seen = [_seen(request, each, text, rows) for each in found]
    sample = _sample(seen, wanted)
    groups: dict[str, list[Seen]] = {}
    for each in seen:
        groups.setdefault(each.why_not, []).append(each)
    shown = groups.pop("", [])
    hidden = sorted((Hidden(why, some) for why, some in groups.items()), key=lambda each: -len(each.seen))
    return Preview(
        sample=sample,
        unfilled=_unfilled(text, sample.row.document),
        shown=shown,
        hidden=hidden,
        total=len(seen),
    )


async def _objects(request: Request, type_: ObjectType, wanted: str) -> list[Row]:
    """Objects of a type: what is wanted first, where there is such a one."""
    access = access_of(request)
    try:
        found = await find_named(access, type_, wanted, 1) if wanted else []
    except QueryTooSlow:
        found = []  # then it is looked for among the others
    rest = await access.session.fetch(ObjectQuery(object_type=type_.name, limit=LAST))
    known = {each.stored.pk for each in found}
    return [*found, *(row_of(stored, type_) for stored, _ in rest if stored.pk not in known)][:LAST]


def _sample(seen: Sequence[Seen], wanted: str) -> Seen:
    """The one that is wanted, else the first on which it is shown."""
    words = wanted.casefold()
    named = [each for each in seen if words and words in f"{each.row.stored.pk}\n{each.row.name}".casefold()]
    exact = [each for each in named if words in (each.row.stored.pk.casefold(), each.row.name.casefold())]
    return next(iter([*exact, *named, *(each for each in seen if not each.why_not), *seen]))


def _seen(request: Request, row: Row, text: str, rows: Sequence[ConditionRow]) -> Seen:
    presets = daemon_of(request).app.registry.presets
    filled = buttons.fill_text(text, row.document)
    verdicts = judge(rows, Payload(None, access_of(request).user.username, None, row.document), presets)
    failed = next((at for at, each in enumerate(verdicts) if not each.passed), None)
    if failed is not None:
        return Seen(row, filled, f"does not hold: {in_words(rows[failed])}", verdicts[failed].reason)
    return Seen(row, filled, "" if filled else "its text is empty there", "")


def _unfilled(text: str, document: dict[str, Any]) -> list[str]:
    return [each for each in buttons.placeholders(text) if not buttons.fill_text(f"{{{each}}}", document)]
