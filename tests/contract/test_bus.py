"""Buses: news reach every listener, in order."""

import pytest

from buttonhook.bus.base import Bus
from buttonhook.bus.local import LocalBus
from buttonhook.records import PendingResult


@pytest.fixture(params=[LocalBus], ids=["local"])
def bus(request: pytest.FixtureRequest) -> Bus:
    return request.param()


def test_news_that_nobody_listens_to_are_no_error(bus: Bus):
    bus.announce([PendingResult(1, "acme.Guard", None)])


def test_every_listener_hears_every_announcement_in_order(bus: Bus):
    heard: list[tuple[str, int]] = []
    bus.listen(lambda pending: heard.extend(("first", each.number) for each in pending))
    bus.listen(lambda pending: heard.extend(("second", each.number) for each in pending))
    bus.announce([PendingResult(1, "acme.Guard", None), PendingResult(2, "acme.Guard", "lane")])
    bus.announce([PendingResult(3, "acme.Guard", None)])
    assert [number for who, number in heard if who == "first"] == [1, 2, 3]
    assert [number for who, number in heard if who == "second"] == [1, 2, 3]
