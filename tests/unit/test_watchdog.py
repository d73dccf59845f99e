"""The watchdog's words for where the loop's thread stands."""

import sys
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from buttonhook.watchdog import _where


def stand() -> FrameType:
    return sys._getframe()


def test_a_frame_between_two_lines_is_told_by_the_first_line_of_its_function():
    stand.__code__ = stand.__code__.replace(co_linetable=b"")
    with ThreadPoolExecutor(1) as pool:  # where none of the frames of the tests stand above it
        frame = pool.submit(stand).result()
    assert frame.f_lineno is None  # as it is for a moment in any function
    place, call = _where(frame)
    assert place == "test_watchdog.py:10 in stand()"
    assert call == "`def stand() -> FrameType:`"
