"""Moments: text and microseconds are two forms of one thing."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import times

MOMENTS = st.datetimes(timezones=st.just(UTC))


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (1, "1970-01-01T00:00:00.000001Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (1_795_400_221_000_123, "2026-11-23T02:17:01.000123Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
    ],
)
def test_a_moment_leaves_with_six_decimals_and_z(moment: int, text: str):
    assert times.to_text(moment) == text
    assert times.from_text(text) == moment


@given(MOMENTS)
def test_a_moment_comes_back_from_its_text_and_its_datetime(moment: datetime):
    number = times.from_datetime(moment)
    assert times.from_text(times.to_text(number)) == number
    assert times.to_datetime(number) == moment
    assert times.to_datetime(number).tzinfo is UTC


@given(MOMENTS, MOMENTS)
def test_texts_sort_as_moments_do(one: datetime, two: datetime):
    a, b = times.from_datetime(one), times.from_datetime(two)
    assert (times.to_text(a) < times.to_text(b)) is (a < b)


@pytest.mark.parametrize(
    "text",
    ["2026-11-23T02:00:00+02:00", "2026-11-23T00:00:00Z", "2026-11-23T00:00:00", "2026-11-23", "20261122T230000-0100"],
)
def test_an_offset_is_taken_into_account_and_none_means_utc(text: str):
    assert times.to_text(times.from_text(text)) == "2026-11-23T00:00:00.000000Z"


def test_a_naive_datetime_is_utc_and_an_aware_one_is_converted():
    naive = datetime(2026, 1, 1, 12)  # noqa: DTZ001 - is what is tested
    aware = datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    assert times.from_datetime(naive) == times.from_datetime(aware)


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "2026-02-30T00:00:00Z", "1795400221"])
def test_what_is_no_time_is_a_value_error(text: str):
    with pytest.raises(ValueError, match=r".+"):
        times.from_text(text)
