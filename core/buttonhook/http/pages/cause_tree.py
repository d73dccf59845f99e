"""The trees of causes of a change and of a job result, drawn and as text; they go on while something runs."""

from collections import Counter
from typing import Any

from litestar import Response
from litestar.params import FromPath

from buttonhook.access.causes import Caused, Step
from buttonhook.http.api.object_changes import get_change
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.cause_drawing import draw
from buttonhook.http.pages.one_change import show_part
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, fragment, page, show
from buttonhook.http.pages.templating import path
from buttonhook.http.reading import Request
from buttonhook.ids import now
from buttonhook.records import JobResult


@page("/changes/{change:str}/causes", act("see a change"))
async def show_causes_of_change(request: Request, change: FromPath[str]) -> Response[Any]:
    """What led to a change, and all that came of it."""
    record = await get_change(request, change)
    causes = access_of(request).causes
    told = _told((await causes.leading_to_change(record.id))[:-1], await causes.of_change(record.id))
    told["source"] = path("changes", record.id, "causes")
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "causes/tree.html", **told)
    return await show_part(request, record, "causes/of_change.html", "causes", **told)


@page("/results/{result:str}/causes", act("see a job result", or_own=True))
async def show_causes_of_result(request: Request, result: FromPath[str]) -> Response[Any]:
    """What led to a job result, and all that came of it."""
    causes = access_of(request).causes
    before = await causes.leading_to(result)
    told = _told(before[:-1], await causes.of_result(result))
    own = before[-1]
    told["source"] = path("results", own.id, "causes")
    if FRAGMENT_HEADER in request.headers:
        return fragment(request, "causes/tree.html", **told)
    assert isinstance(own, JobResult)  # noqa: S101 - it was asked for
    return show(
        request,
        "causes/of_result.html",
        f"Cause tree of result {own.number}",
        crumbs=[Crumb("Job results", "/results"), Crumb(f"{own.job_name} {own.number}", path("results", own.id))],
        result=own,
        **told,
    )


def _told(before: list[Step], tree: list[Caused]) -> dict[str, Any]:
    """What the template draws. `first` is where the chain begins, unless that is what was asked for."""
    drawing = draw(before, tree, now())
    steps = [each.what for each in drawing.nodes]
    return {
        "drawing": drawing,
        "changes": sum(each is not None and not isinstance(each, JobResult) for each in steps),
        "statuses": Counter(each.status.value for each in steps if isinstance(each, JobResult)).most_common(),
        "first": before[0] if before else None,
    }


ROUTES = (show_causes_of_change, show_causes_of_result)
