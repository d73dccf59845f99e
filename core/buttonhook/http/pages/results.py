"""Job results in a list: filters, and what is new since the page was made."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import Response
from litestar.params import QueryParameter
from msgspec import Struct

from buttonhook import times
from buttonhook.access.access import Access
from buttonhook.errors import QueryError, RecordNotFound
from buttonhook.http.api.job_results import job_id, occasion_id
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import act
from buttonhook.http.pages.navigation import visible_types
from buttonhook.http.pages.page import fragment, page, show
from buttonhook.http.pages.result_rows import Numbers, read_numbers, result_rows
from buttonhook.http.pages.templating import query
from buttonhook.http.paging import CursorText, decode_cursor, encode_cursor, read_moment
from buttonhook.http.reading import Request
from buttonhook.ids import JobResultStatus, Microseconds, now
from buttonhook.records import JobButton, JobHook, JobResult, ResultQuery

SEE: Final = act("see a job result", or_own=True)
PAGE_SIZE: Final = 50
MOST_NEW: Final = 50
QUICK_SECONDS: Final = 0.02
FAR_SECONDS: Final = 2.0
STATUSES: Final = tuple(each.value for each in JobResultStatus)
HOUR: Final = 3_600_000_000
PERIODS: Final[Mapping[str, tuple[str, int]]] = {
    "hour": ("Last hour", HOUR),
    "day": ("Last 24 hours", 24 * HOUR),
    "week": ("Last 7 days", 7 * 24 * HOUR),
}
LABELS: Final[Mapping[str, str]] = {
    "job": "job",
    "object_type": "type",
    "object_pk": "object",
    "user": "by",
    "hook": "job hook",
    "button": "job button",
    "change": "change",
    "since": "from",
    "until": "until",
}
Text = Annotated[str, QueryParameter(max_length=300)]


class Asked(Struct, frozen=True):
    """The filters of the list, as they stand in the address; empty ones are not in force."""

    status: str = ""
    job: str = ""
    object_type: str = ""
    object_pk: str = ""
    user: str = ""
    hook: str = ""
    button: str = ""
    change: str = ""
    period: str = ""
    since: str = ""
    until: str = ""

    @property
    def given(self) -> dict[str, str]:
        """Those in force."""
        return {name: value for name in self.__struct_fields__ if (value := getattr(self, name))}

    def to_query(self, access: Access) -> ResultQuery:
        """Raises: QueryError, Refused: a filter makes no sense."""
        if self.status and self.status not in STATUSES:
            raise QueryError(f"status={self.status}", "is no status", f"Known: {', '.join(STATUSES)}.")
        if self.object_pk and not self.object_type:
            raise QueryError("object_pk", "names no object without a type", "Give the object's type, too.")
        if self.change and not (self.change.isascii() and self.change.isdecimal() and len(self.change) < 19):
            raise QueryError(f"change={self.change}", "is no number of a change")
        return ResultQuery(
            status=JobResultStatus(self.status) if self.status else None,
            job=job_id(access, self.job or None),
            object_type=self.object_type or None,
            object_pk=self.object_pk or None,
            user_name=self.user or None,
            change_id=int(self.change) if self.change else None,
            occasion_id=occasion_id(access, self.hook or None, self.button or None),
            since=self._since(),
            until=read_moment("until", self.until or None),
            limit=PAGE_SIZE + 1,
        )

    def _since(self) -> Microseconds | None:
        if self.period and self.period not in PERIODS:
            raise QueryError(f"period={self.period}", "is no period", f"Known: {', '.join(PERIODS)}.")
        given = read_moment("since", self.since or None)
        began = now() - PERIODS[self.period][1] if self.period else None
        return given if began is None else Microseconds(max(began, given or 0))


def _asked(request: Request) -> Asked:
    """The filters of the address."""
    given = dict(request.query_params.multi_items())
    return Asked(**{name: given.get(name, "").strip() for name in Asked.__struct_fields__})


# The names are read by `_asked`; they stand here so that others are refused.
@page("/results", SEE)
async def list_results(
    request: Request,
    status: Text = "",
    job: Text = "",
    object_type: Text = "",
    object_pk: Text = "",
    user: Text = "",
    hook: Text = "",
    button: Text = "",
    change: Text = "",
    period: Text = "",
    since: Text = "",
    until: Text = "",
    cursor: CursorText = None,
    far: Text = "",
) -> Response[Any]:
    """The job results that one may see, newest first. Where no index helps it says how far back it looked."""
    access, asked = access_of(request), _asked(request)
    question = ["results", *asked.given.items()]
    after = None if cursor is None else decode_cursor(question, cursor, tuple[int])[0]
    wanted = msgspec.structs.replace(asked.to_query(access), after=after)
    looked = await access.history.look_for_results(wanted, FAR_SECONDS if far else QUICK_SECONDS)
    shown, has_more = looked.found[:PAGE_SIZE], len(looked.found) > PAGE_SIZE
    following = encode_cursor(question, [shown[-1].number]) if has_more else None
    return show(
        request,
        "results/list.html",
        "Job results",
        rows=await result_rows(access, shown),
        asked=asked,
        kept=asked.given,
        chips=_chips(access, asked),
        segments=[(word, "/results" + query(**{**asked.given, "status": word})) for word in ("", *STATUSES)],
        periods=[("", "Any time"), *((name, label) for name, (label, _) in PERIODS.items())],
        types=visible_types(access.user, daemon_of(request).app.registry),
        jobs=[each.name for each in access.configuration.jobs()],
        news=_news_address(asked, shown, has_more),
        is_first=cursor is None,
        moments={name: _minute(getattr(asked, name)) for name in ("since", "until")},
        first="/results" + query(**asked.given) if cursor else "",
        next="/results" + query(**asked.given, cursor=following) if following else "",
        reached=looked.reached,
        on="/results" + query(**asked.given, cursor=encode_cursor(question, [looked.reached]), far="yes"),
    )


def _minute(text: str) -> str:
    """A time of the address as a field for times holds it, in UTC."""
    moment = read_moment("time", text or None)
    return "" if moment is None else times.to_text(moment)[:16]


def _news_address(asked: Asked, shown: Sequence[JobResult], has_more: bool) -> str:
    """Where the page's script asks what is new: above the last one shown, where the list goes on behind it."""
    return "/results/news" + query(**asked.given, above=shown[-1].number if has_more else 0)


def _occasion(access: Access, asked: Asked) -> JobHook | JobButton | None:
    """The job hook or job button that is asked for, where it is there and may be seen."""
    try:
        if asked.hook:
            return access.configuration.get_hook(asked.hook)
        return access.configuration.get_button(asked.button) if asked.button else None
    except RecordNotFound:
        return None


def _chips(access: Access, asked: Asked) -> list[tuple[str, str]]:
    """What each filter in force says, and where it is not."""
    chips = []
    for name, value in asked.given.items():
        if name == "status":
            continue
        left = {each: told for each, told in asked.given.items() if each != name}
        if name == "object_type":
            left.pop("object_pk", None)
        if name in ("hook", "button") and (record := _occasion(access, asked)) is not None:
            value = record.name  # noqa: PLW2901 - told by its name
        if name in ("since", "until"):
            value = f"{_minute(value).replace('T', ' ')} UTC"  # noqa: PLW2901 - told as people write it
        text = PERIODS[value][0] if name == "period" else f"{LABELS[name]} {value}"
        chips.append((text, "/results" + query(**left)))
    return chips


@page("/results/news", SEE)
async def list_news(
    request: Request,
    shown: Numbers = "",
    rows: Numbers = "",
    above: Annotated[int, QueryParameter(ge=0, le=2**63 - 1)] = 0,
    status: Text = "",
    job: Text = "",
    object_type: Text = "",
    object_pk: Text = "",
    user: Text = "",
    hook: Text = "",
    button: Text = "",
    change: Text = "",
    period: Text = "",
    since: Text = "",
    until: Text = "",
) -> Response[Any]:
    """For the list's script: some of its rows as they are now, and how many results it does not show yet."""
    access, asked = access_of(request), _asked(request)
    known, wanted = read_numbers(shown, PAGE_SIZE), read_numbers(rows, PAGE_SIZE)
    changed = await access.history.results(ResultQuery(numbers=wanted, limit=PAGE_SIZE)) if wanted else []
    matching = msgspec.structs.replace(asked.to_query(access), limit=PAGE_SIZE + MOST_NEW + 1)
    found = (await access.history.look_for_results(matching, QUICK_SECONDS)).found
    new = sum(each.number > above and each.number not in known for each in found)
    return fragment(
        request,
        "results/news.html",
        rows=await result_rows(access, changed),
        new=f"{MOST_NEW} or more" if new > MOST_NEW else str(new or ""),
        here="/results" + query(**asked.given),
    )


ROUTES: Final = (list_results, list_news)
