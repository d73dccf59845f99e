"""Numbers of results in addresses."""

import pytest

from buttonhook.http.pages.result_rows import read_numbers, write_numbers
from buttonhook.http.problems import Refused


def test_numbers_are_written_as_spans_and_read_back():
    numbers = (3, 4, 5, 9, 11, 12)
    assert write_numbers(reversed(numbers)) == "3-5.9.11-12"
    assert read_numbers("3-5.9.11-12", 6) == numbers
    assert read_numbers("", 6) == ()


@pytest.mark.parametrize("text", ["a", "1..2", "-3", "4-", "5-1", "1-2-3", "1-99999999999999999999", "²", "1-7"])
def test_what_is_no_numbers_or_too_many_is_refused(text: str):
    with pytest.raises(Refused):
        read_numbers(text, 6)
