"""The filters of the list of changes, as they stand in the query of its pages."""

from collections.abc import Mapping, Sequence
from typing import Final, get_args

import msgspec
from msgspec import Struct

from buttonhook import times
from buttonhook.errors import QueryError
from buttonhook.http.paging import read_moment
from buttonhook.http.reading import Request
from buttonhook.ids import ChangeContext, Microseconds, ObjectChangeAction, now
from buttonhook.records import ChangeQuery

HOUR: Final = 3_600_000_000
PERIODS: Final[Mapping[str, tuple[str, int]]] = {
    "hour": ("Last hour", HOUR),
    "day": ("Last 24 hours", 24 * HOUR),
    "week": ("Last 7 days", 7 * 24 * HOUR),
}
ACTIONS: Final = tuple(each.value for each in ObjectChangeAction)
CONTEXTS: Final = get_args(ChangeContext)
LABELS: Final = {
    "object_type": "type",
    "object_pk": "object",
    "user": "by",
    "context": "by way of",
    "since": "from",
    "request_id": "request",
    "cause": "made by run",
}


class Filters(Struct, frozen=True):
    """The filters as they stand in the query; empty ones are not in force."""

    object_type: str = ""
    object_pk: str = ""
    action: str = ""
    user: str = ""
    context: str = ""
    period: str = ""
    since: str = ""
    until: str = ""
    request_id: str = ""
    cause: str = ""

    @classmethod
    def of(cls, request: Request) -> "Filters":
        given = {name: request.query_params.get(name, "").strip() for name in cls.__struct_fields__}
        return cls(**given)

    @property
    def given(self) -> dict[str, str]:
        return {name: value for name, value in msgspec.structs.asdict(self).items() if value}

    def without(self, name: str) -> dict[str, str]:
        """What is left when one is taken away; a key names nothing without its type."""
        gone = {name, "object_pk"} if name == "object_type" else {name}
        return {each: value for each, value in self.given.items() if each not in gone}

    def told(self, name: str) -> str:
        """One of them in words."""
        value = self.given[name]
        if name == "period":
            return PERIODS[value][0] if value in PERIODS else value
        return f"{LABELS.get(name, name)} {value}"

    def asked(self) -> ChangeQuery:
        """The question these put.

        Raises:
            QueryError: one of them cannot be.
        """
        if self.object_pk and not self.object_type:
            raise QueryError(self.object_pk, "is a key, which names no object without a type", "Choose the type, too.")
        _check("context", self.context, CONTEXTS)
        _check("action", self.action, ACTIONS)
        _check("period", self.period, list(PERIODS))
        since = _moment("since", self.since)
        if self.period:
            since = Microseconds(max(now() - PERIODS[self.period][1], since or 0))
        return ChangeQuery(
            object_type=self.object_type or None,
            object_pk=self.object_pk or None,
            action=ObjectChangeAction(self.action) if self.action else None,
            user_name=self.user or None,
            context=self.context or None,  # type: ignore[arg-type] # looked at above
            request_id=self.request_id or None,
            cause=self.cause or None,
            since=since,
            until=_moment("until", self.until),
        )

    @property
    def moments(self) -> dict[str, str]:
        """The times as fields for times hold them, in UTC."""
        told = {}
        for name in ("since", "until"):
            try:
                moment = _moment(name, getattr(self, name))
            except QueryError:
                moment = None
            told[name] = "" if moment is None else times.to_text(moment)[:16]
        return told


def _check(name: str, word: str, known: Sequence[str]) -> None:
    if word and word not in known:
        raise QueryError(f"{name}={word}", "cannot be", f"Known: {', '.join(known)}.")


def _moment(name: str, text: str) -> Microseconds | None:
    return read_moment(name, text.replace(" ", "+") or None)  # a plus sign that was not encoded
