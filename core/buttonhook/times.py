"""Moments: whole microseconds UTC inside, RFC 3339 with exactly six decimals and `Z` outside."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from buttonhook.ids import Microseconds

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_text(moment: int) -> str:
    """`2026-11-23T02:57:01.000123Z`."""
    seconds, microseconds = divmod(moment, 1_000_000)
    return f"{_second_to_text(seconds)}.{microseconds:06d}Z"


@lru_cache(maxsize=1024)
def _second_to_text(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).replace(tzinfo=None).isoformat()


def to_datetime(moment: int) -> datetime:
    """An aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=moment)


def from_text(text: str) -> Microseconds:
    """Read RFC 3339 (or ISO 8601 with an offset); a time without an offset is taken as UTC.

    Raises:
        ValueError: it is no such time.
    """
    return from_datetime(datetime.fromisoformat(text))


def from_datetime(moment: datetime) -> Microseconds:
    """Whole microseconds since the epoch; a naive datetime is taken as UTC."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return Microseconds((aware - _EPOCH) // timedelta(microseconds=1))
