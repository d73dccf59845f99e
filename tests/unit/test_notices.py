"""Notices of commits: told in order to whoever listens, whatever becomes of the listeners."""

import logging

import pytest

from buttonhook.notices import Notices
from buttonhook.stores.base import Rows


def test_each_listener_is_told_until_it_leaves_also_beside_one_that_fails(caplog: pytest.LogCaptureFixture):
    notices = Notices(last_change=7)
    told: list[Rows] = []
    first, second = Rows(), Rows()

    def failing(_: Rows) -> None:
        raise RuntimeError("broken")

    notices.tell(Rows(), 7)
    notices.listen(failing)
    notices.listen(told.append)
    with caplog.at_level(logging.ERROR):
        notices.tell(first, 8)
        notices.tell(second, 9)
    assert (told, notices.last_change) == ([first, second], 9)
    assert "A listener to commits failed" in caplog.text
    notices.leave(told.append)
    notices.tell(Rows(), 10)
    assert (len(told), notices.last_change) == (2, 10)
