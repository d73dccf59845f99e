"""The trees of causes of a change and of a job result, drawn and as text; they go on while something runs.

A large tree is drawn in part, so that its page is there at once; a link draws as much of it as may be asked for.
"""

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any, Final

import anyio.to_thread
from litestar import Response
from litestar.params import FromPath, QueryParameter

from buttonhook.access.causes import MOST, Caused, Step
from buttonhook.http.api.object_changes import get_change
from buttonhook.http.asking import access_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.cause_drawing import draw
from buttonhook.http.pages.one_change import show_part
from buttonhook.http.pages.page import FRAGMENT_HEADER, Crumb, fragment, page, show
from buttonhook.http.pages.templating import path, query
from buttonhook.http.reading import Request
from buttonhook.ids import now
from buttonhook.records import JobResult

DRAWN: Final = 100
"""How many changes and runs are drawn unless all are asked for."""
All = Annotated[str, QueryParameter(max_length=3, description="Draw all that may be drawn.")]


@page("/changes/{change:str}/causes", act("see a change"))
async def show_causes_of_change(request: Request, change: FromPath[str], all: All = "") -> Response[Any]:
    """What led to a change, and all that came of it."""
    record = await get_change(request, change)
    causes = access_of(request).causes
    before = (await causes.leading_to_change(record.id))[:-1]
    told = _told(path("changes", record.id), all, before, await causes.of_change(record.id, MOST if all else DRAWN))
    if FRAGMENT_HEADER in request.headers:
        return await _beside(lambda: fragment(request, "causes/tree.html", **told))
    return await show_part(request, record, "causes/of_change.html", "causes", **told)


@page("/results/{result:str}/causes", act("see a job result", or_own=True))
async def show_causes_of_result(request: Request, result: FromPath[str], all: All = "") -> Response[Any]:
    """What led to a job result, and all that came of it."""
    causes = access_of(request).causes
    before = await causes.leading_to(result)
    own = before[-1]
    here = path("results", own.id)
    told = _told(here, all, before[:-1], await causes.of_result(result, MOST if all else DRAWN))
    if FRAGMENT_HEADER in request.headers:
        return await _beside(lambda: fragment(request, "causes/tree.html", **told))
    assert isinstance(own, JobResult)  # noqa: S101 - it was asked for
    return await _beside(
        lambda: show(
            request,
            "causes/of_result.html",
            f"{own.job_name} {own.number}: causes",
            crumbs=[Crumb("Job results", "/results")],
            result=own,
            tabs_=[("Result", here, None), ("Log", f"{here}/logs", None), ("Causes", f"{here}/causes", None)],
            **told,
        )
    )


async def _beside(draw_it: Callable[[], Response[Any]]) -> Response[Any]:
    """A large drawing takes long to write: it is written beside the loop."""
    return await anyio.to_thread.run_sync(draw_it)


def _told(here: str, is_all: str, before: list[Step], tree: list[Caused]) -> dict[str, Any]:
    """What the template draws. `first` is where the chain begins, unless that is what was asked for."""
    drawing = draw(before, tree, now())
    steps = [each.what for each in drawing.nodes]
    return {
        "drawing": drawing,
        "source": f"{here}/causes{query(all='yes' if is_all else '')}",
        "all": "" if is_all or not drawing.is_cut else f"{here}/causes?all=yes",
        "changes": sum(each is not None and not isinstance(each, JobResult) for each in steps),
        "statuses": Counter(each.status.value for each in steps if isinstance(each, JobResult)).most_common(),
        "first": before[0] if before else None,
    }


ROUTES = (show_causes_of_change, show_causes_of_result)
