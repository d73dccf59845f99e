"""One change: what differs, what it caused and why, what else its request did, and how the object stands now."""

from typing import Any, Final

import anyio.to_thread
import msgspec
from litestar import Response
from litestar.params import FromPath
from msgspec import Struct

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied
from buttonhook.explain import is_of_set_up
from buttonhook.http.api.object_changes import get_change
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.differences import Comparison, compare
from buttonhook.http.pages.page import Crumb, fragment, page, show
from buttonhook.http.pages.templating import path, query
from buttonhook.http.reading import Request
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, ResultQuery, StoredObject

SEE: Final = act("see a change")
MOST_BESIDE: Final = 20
"""How many other changes of the same request are listed."""
MOST_RESULTS: Final = 100
LONG: Final = 40_000
TABS: Final = (("Difference", ""), ("Then and now", "now"), ("Documents", "documents"), ("Causes", "causes"))


class Place(Struct, frozen=True):
    """A change among those of its object. `now` is the object as it is, None where it is gone or not to be seen."""

    change: ChangeRecord
    older: ChangeRecord | None
    newer: ChangeRecord | None
    now: StoredObject | None
    is_hidden: bool
    """Whether the object may be there, but not for who asks."""

    @property
    def is_latest(self) -> bool:
        return self.now is not None and self.now.version == self.change.id


async def place_of(access: Access, change: ChangeRecord) -> Place:
    """Where a change stands among those of its object."""
    before = ChangeQuery(object_type=change.object_type, object_pk=change.object_pk, after=change.id, limit=1)
    older = await access.history.changes(before)
    newer = await access.history.changes(msgspec.structs.replace(before, ascending=True))
    is_hidden = is_of_set_up(change)
    stored = None
    if not is_hidden:
        try:
            stored = await access.session.read_object(change.object_type, change.object_pk)
        except PermissionDenied:
            is_hidden = True
    return Place(change, next(iter(older), None), next(iter(newer), None), stored, is_hidden)


async def show_part(
    request: Request, change: ChangeRecord, template: str, part: str = "", **context: Any
) -> Response[Any]:
    """A part of a change's page, with what stands above all of them."""
    here = path("changes", change.id)
    place = await place_of(access_of(request), change)

    def shown() -> Response[Any]:
        return show(
            request,
            template,
            f"{change.object_repr}: change {change.id}",
            crumbs=[Crumb("Changes", "/changes")],
            change=change,
            place=place,
            is_of_set_up=is_of_set_up(change),
            tabs_=[(label, f"{here}/{name}" if name else here, None) for label, name in _tabs(change)],
            tab=f"{here}/{part}" if part else here,
            **context,
        )

    is_long = len(change.prechange or "") + len(change.postchange or "") > LONG
    return await anyio.to_thread.run_sync(shown) if is_long or part == "causes" else shown()


def _tabs(change: ChangeRecord) -> list[tuple[str, str]]:
    return [each for each in TABS if not (is_of_set_up(change) and each[1] in ("now", "causes"))]


@page("/changes/{change:str}", SEE)
async def show_change(request: Request, change: FromPath[str]) -> Response[Any]:
    """A change: what differs, what came of it, and why."""
    access = access_of(request)
    record = await get_change(request, change)
    beside = await access.history.changes(
        ChangeQuery(request_id=record.request_id, ascending=True, limit=MOST_BESIDE + 2)
    )
    others = [each for each in beside if each.id != record.id]
    return await show_part(
        request,
        record,
        "changes/one.html",
        compared=await _compared(record.prechange, record.postchange),
        made_by=await _made_by(access, record),
        others=others[:MOST_BESIDE],
        of_request=f"/changes{query(request_id=record.request_id)}" if len(others) > MOST_BESIDE else "",
        **await _caused(access, record),
    )


@page("/changes/{change:str}/caused", SEE)
async def show_caused(request: Request, change: FromPath[str]) -> Response[Any]:
    """The runs of a change and why each job hook fired or did not, as a piece of its page."""
    record = await get_change(request, change)
    return fragment(request, "changes/caused.html", change=record, **await _caused(access_of(request), record))


async def _caused(access: Access, change: ChangeRecord) -> dict[str, Any]:
    found = await access.history.results(ResultQuery(change_id=change.id, ascending=True, limit=MOST_RESULTS + 1))
    explanation = await access.explain(change.id)
    return {
        "results": found[:MOST_RESULTS],
        "has_more_results": len(found) > MOST_RESULTS,
        "runs": {each.id: each for each in found},
        "explanation": explanation,
        "sees_all": access.user.is_owner,
        "is_live": any(not each.status.is_final for each in found),
        "mark": ".".join(f"{each.status.value}{each.attempt}" for each in found),
    }


async def _made_by(access: Access, change: ChangeRecord) -> JobResult | None:
    """The run whose code made it, as far as it may be seen."""
    if change.cause is None:
        return None
    return next(iter(await access.history.results(ResultQuery(id=change.cause, limit=1))), None)


async def _compared(before: str | None, after: str | None) -> Comparison:
    """What differs; of long documents it is found beside the loop."""
    if len(before or "") + len(after or "") < LONG:
        return compare(_document(before), _document(after))
    return await anyio.to_thread.run_sync(lambda: compare(_document(before), _document(after)))


def _document(text: str | None) -> dict[str, Any] | None:
    return None if text is None else dict(documents.decode(text))


@page("/changes/{change:str}/now", SEE)
async def show_then_and_now(request: Request, change: FromPath[str]) -> Response[Any]:
    """What differs between the object as the change left it and as it is now."""
    record = await get_change(request, change)
    stored = (await place_of(access_of(request), record)).now
    then = record.postchange if record.postchange is not None else record.prechange
    compared = None if stored is None else await _compared(then, stored.document)
    return await show_part(request, record, "changes/now.html", "now", compared=compared)


@page("/changes/{change:str}/documents", SEE)
async def show_documents(request: Request, change: FromPath[str]) -> Response[Any]:
    """The whole documents before and after."""
    record = await get_change(request, change)
    return await show_part(
        request,
        record,
        "changes/documents.html",
        "documents",
        before=_document(record.prechange),
        after=_document(record.postchange),
    )


ROUTES: Final = (show_change, show_caused, show_then_and_now, show_documents)
