"""Live feeds, as server-sent events: object changes, the log of a run, and notices of what changed."""

from typing import Annotated, Final

from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, QueryParameter

from buttonhook.http.asking import asker_of, daemon_of
from buttonhook.http.declaring import LOGIN, act, get
from buttonhook.http.feeds import Feed
from buttonhook.http.problems import Problem, Refused
from buttonhook.http.reading import Request
from buttonhook.http.streaming import MEDIA_TYPE, FeedResponse
from buttonhook.http.tails import ChangeFilter, ChangeTail, LogTail, NoticeTail

TAGS: Final = ["feeds"]
MAX_ID: Final = 2**63 - 1
_EVENTS: Final = {
    200: ResponseSpec(str, description="Events, until it ends.", media_type=MEDIA_TYPE, generate_examples=False)
}
_NO_PLACE: Final = ResponseSpec(
    Problem,
    description="There is no such change yet.",
    media_type="application/problem+json",
    generate_examples=False,
)

LastId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID",
        description="The last id seen: goes on behind it.",
        schema_extra={"pattern": "^([0-9]{0,18}|[0-8][0-9]{18})$"},
    ),
]
After = Annotated[int | None, QueryParameter(ge=0, le=MAX_ID, description="As `Last-Event-ID`, which goes first.")]


@get(
    "/api/object-changes/feed",
    act("see a change"),
    tags=TAGS,
    media_type=MEDIA_TYPE,
    responses={**_EVENTS, 409: _NO_PLACE},
)
async def follow_changes(
    request: Request,
    object_type: Annotated[str | None, QueryParameter(description="Of this type only.")] = None,
    object_pk: Annotated[str | None, QueryParameter(description="Of this object only; needs `object_type`.")] = None,
    user: Annotated[str | None, QueryParameter(description="Made by this user only.")] = None,
    after: After = None,
    last_id: LastId = None,
) -> FeedResponse:
    """Follow object changes, in order.

    Each event `change` is a change as `/api/object-changes/{id}` gives it, with its id. The feed begins behind
    `Last-Event-ID` or `after`, 0 being the beginning; with neither, now. Each change behind it that the asker may see
    comes once. `end` tells why it ends, and with which id to come back.
    """
    asker, daemon = asker_of(request), daemon_of(request)
    daemon.feeds.check_room(asker.user.username)
    if object_pk is not None and object_type is None:
        raise Refused(400, "bad-parameter", "object_pk names no object without object_type. Give both.")
    place = _place(last_id, after)
    last = daemon.app.notices.last_change
    if place is not None and place > last:
        raise Refused(409, "unknown-place", f"There is no change {place} yet: the last is {last}. Begin behind that.")
    wanted = ChangeFilter(object_type, object_pk, user)
    tail = ChangeTail(daemon.app.reader, daemon.feeds, wanted, last if place is None else place)
    return FeedResponse(asker, Feed(asker.user.username, "changes", object_type), tail)


@get(
    "/api/job-results/{id:str}/logs/feed",
    act("see a job log", or_own=True),
    tags=TAGS,
    media_type=MEDIA_TYPE,
    responses=_EVENTS,
)
async def follow_log(request: Request, id: FromPath[str], after: After = None, last_id: LastId = None) -> FeedResponse:
    """Follow the log of a job result until its run ends.

    Each event `entry` is a log entry with its id, in the order in which they came in; `status` tells how the run
    stands, at first and whenever that changes. The feed begins behind `Last-Event-ID` or `after`; with neither, at the
    first entry. When the run has ended and all was sent, `end` comes with the reason `done`.
    """
    asker, daemon = asker_of(request), daemon_of(request)
    daemon.feeds.check_room(asker.user.username)
    result = await asker.access.history.get_result(id)
    await asker.access.history.log_entries(result, limit=1)  # whether the log may be seen
    tail = LogTail(result, _place(last_id, after) or 0)
    return FeedResponse(asker, Feed(asker.user.username, "runs", results=[result.number], logs=[result.number]), tail)


@get("/api/notices", LOGIN, tags=TAGS, media_type=MEDIA_TYPE, responses=_EVENTS)
async def follow_notices(request: Request) -> FeedResponse:
    """Follow what lists show: of which types objects changed, and which job results began or ended.

    An event `notice` gathers half a second, and tells what the asker may see; with `is_all` it was more than is told.
    Nothing is told of what was before: load what you show once the feed is open.
    """
    asker, daemon = asker_of(request), daemon_of(request)
    daemon.feeds.check_room(asker.user.username)
    tail = NoticeTail(daemon.app.reader, daemon.feeds)
    return FeedResponse(asker, Feed(asker.user.username, "notices"), tail)


def _place(last_id: str | None, after: int | None) -> int | None:
    """Where to go on. Raises: Refused: the header holds no id."""
    if last_id is None or last_id == "":
        return after
    if not (last_id.isascii() and last_id.isdigit() and int(last_id) <= MAX_ID):
        raise Refused(400, "bad-parameter", "Last-Event-ID is no id of this feed. Send the last `id` as it came.")
    return int(last_id)


ROUTES: Final = (follow_changes, follow_log, follow_notices)
