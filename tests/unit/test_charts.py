"""The figures and the geometry of charts."""

import pytest

from buttonhook.http.pages import charts
from buttonhook.http.pages.charts import Bar, Series, duration, lines, nice_top, percent, short_number, single, stacked
from buttonhook.http.pages.templating import ENVIRONMENT

MOMENTS = ("2 min ago", "1 min ago", "now")


def drawn(made: charts.Chart, macro: str = "chart") -> str:
    template = ENVIRONMENT.from_string("{% from 'macros/charts.html' import chart, shares %}{{ " + macro + "(made) }}")
    return template.render(made=made)


def test_stacked_columns_stand_on_each_other_and_reach_to_the_top_of_the_axis() -> None:
    made = stacked(
        "Job results",
        MOMENTS,
        [Series("success", "success", [3, 0, 2]), Series("failure", "failure", [1, 0, None])],
        unit="a minute",
        ends=("2 min ago", "now"),
    )
    assert made.levels == ["4", "3", "2", "1", "0"]
    first, second, third = made.marks
    assert (first.kind, first.y, first.height) == ("success", 25.0, 75.0)
    assert (second.kind, second.y, second.height) == ("failure", 0.0, 25.0)
    assert third.height == 50.0
    assert made.rows == [["2 min ago", "3", "1"], ["now", "2", "0"]]
    assert [place.text for place in made.places] == [
        "2 min ago: 3 success, 1 failure",
        "1 min ago: nothing",
        "now: 2 success",
    ]
    assert made.told == "Job results, a minute: 5 success, 1 failure. At most 4 in one column."


def test_a_single_one_beside_many_is_still_seen() -> None:
    made = stacked("Changes", MOMENTS, [Series("update", "update", [100_000, 1, 0])], unit="a minute", ends=())
    assert made.marks[1].height == charts.LEAST_HEIGHT


def test_durations_are_drawn_by_powers_of_ten_and_broken_where_nothing_ran() -> None:
    made = lines(
        "Running", ("4", "3", "2", "1", "0"), [Series("p50", "a", [0.01, 0.1, None, 1.0, None])], ends=("4", "0")
    )
    assert made.levels == ["1 s", "100 ms", "10 ms"]
    assert made.lines[0].path == "M5 100.00 L15 50.00"
    assert made.lines[0].dots == [(35.0, 0.0)]
    assert made.rows[0] == ["4", "10 ms"]
    assert "from 10 ms to 1 s" in made.told


def test_what_took_next_to_nothing_does_not_stretch_the_scale() -> None:
    made = lines("Waiting", MOMENTS, [Series("p50", "a", [1e-6, 0.2, 130.0])], ends=())
    assert made.levels == ["1,000 s", "100 s", "10 s", "1 s", "100 ms", "10 ms", "≤ 1 ms"]
    assert made.lines[0].path.startswith("M5 100.00")


def test_runs_are_drawn_one_by_one_and_lead_to_their_pages() -> None:
    bars = [Bar("9:00 success", "success", 0.02, "/results/1"), Bar("9:01 <b>failure", "failure", 0.0, "/results/2")]
    made = single("Last runs", bars, legend=[("success", "success")])
    assert made.levels[0] == "20 ms"
    assert [mark.kind for mark in made.marks] == ["success"]
    html = drawn(made)
    assert 'href="/results/2"' in html
    assert "<b>" not in html


@pytest.mark.parametrize("made", [lines("Waiting", (), [], ends=()), single("Runs", [], legend=())])
def test_a_chart_of_nothing_is_drawn_as_well(made: charts.Chart) -> None:
    assert "chart-plot" in drawn(made)
    assert "<table" not in drawn(made)


def test_shares_fill_the_bar_and_say_their_counts() -> None:
    made = charts.shares("Runs", [("success", "succeeded", 999), ("failure", "failed", 1), ("revoked", "revoked", 0)])
    assert sum(mark.width for mark in made.marks) == pytest.approx(100)
    assert made.told == "Runs: 999 succeeded (over 99 %), 1 failed (under 1 %)."
    assert "999 succeeded" in drawn(made, "shares")


@pytest.mark.parametrize(
    ("most", "top"), [(0, 4), (1, 4), (5, 8), (41, 80), (100, 100), (101, 200), (999, 1000), (12_345, 20_000)]
)
def test_an_axis_of_counts_is_cut_into_round_whole_steps(most: int, top: int) -> None:
    assert nice_top(most, whole=True) == top


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0"), (2e-6, "2 µs"), (0.0025, "2.5 ms"), (1.0, "1 s"), (90, "1.5 min"), (7200, "2 h")]
)
def test_durations_are_told_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_numbers_and_shares_are_short() -> None:
    assert [short_number(each) for each in (7, 0.25, 1234, 45_678, 2_500_000)] == [
        "7",
        "0.25",
        "1,234",
        "45.7k",
        "2.5M",
    ]
    assert [percent(*each) for each in ((0, 0), (1, 1000), (999, 1000), (3, 4))] == [
        "0 %",
        "under 1 %",
        "over 99 %",
        "75 %",
    ]
