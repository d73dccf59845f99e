"""Lanes in memory: of a long one only the first are held, and none is forgotten while others are loaded."""

from buttonhook.dispatcher.lanes import LANE_SIZE, Lanes
from buttonhook.records import PendingResult


def result(number):
    return PendingResult(number, "demo.A", "lane")


def long_lane():
    """A lane whose followers in memory have run, while those behind them are still to be loaded."""
    lanes = Lanes()
    for number in range(1, LANE_SIZE + 3):
        lanes.accept(result(number))
    wanted = None
    while wanted is None:
        lanes.take()
        wanted = lanes.release("lane")
    return lanes, wanted


def test_what_joins_a_lane_while_nothing_is_found_behind_it_is_looked_for_again():
    lanes, wanted = long_lane()
    assert wanted == ("lane", LANE_SIZE + 1)
    asked = lanes.asked("lane")
    lanes.accept(result(500))  # committed when the question was answered: that all others have been cancelled
    assert lanes.loaded("lane", [], asked) == ("lane", LANE_SIZE + 2)
    assert lanes.loaded("lane", [result(500)], lanes.asked("lane")) is None
    assert [each.number for each in lanes.ready] == [500]


def test_a_lane_behind_which_nothing_is_left_is_free_again():
    lanes, _ = long_lane()
    assert lanes.loaded("lane", [], lanes.asked("lane")) is None
    assert lanes.occupy("lane")
