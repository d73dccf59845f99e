"""The question for log entries, of one job result or across many."""

from msgspec import Struct

from buttonhook.ids import LogLevel
from buttonhook.records import ResultQuery

LogKey = tuple[int, int, int]
"""Where a log entry stands: the number of its job result, its attempt, its seq."""


class LogQuery(Struct, frozen=True, kw_only=True):
    """A question for log entries: of one job result in order, else of those that fit `results`, newest result first.

    With `results` the lines of a result come last line first; its own `after` and `limit` say nothing. `after` is the
    key of the last line seen. `level` is the least one, `search` a text that the message holds, in any case; both look
    at every line.
    """

    number: int | None = None
    results: ResultQuery = ResultQuery()
    level: LogLevel | None = None
    search: str | None = None
    after: LogKey | None = None
    limit: int = 50
