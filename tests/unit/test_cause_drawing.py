"""The drawing of a tree of causes: places, bars, what is hidden, and that it stays quick."""

import time
from typing import Any

from buttonhook.access.causes import Caused, Step
from buttonhook.http.pages.cause_drawing import MOST_STEPS, ROW, draw
from buttonhook.ids import ChangeId, JobId, JobResultId, JobResultStatus, Microseconds, ObjectChangeAction
from buttonhook.records import ChangeRecord, JobResult

T = 1_700_000_000_000_000


def change(number: int, at: int = 0, **fields: Any) -> ChangeRecord:
    return ChangeRecord(
        id=ChangeId(number),
        time=Microseconds(T + at),
        recorded_at=Microseconds(T + at),
        user_name="ann",
        request_id="q",
        action=ObjectChangeAction.CREATE,
        object_type="dcim.device",
        object_pk=str(number),
        object_repr=f"r{number}",
        change_context="app",
        change_context_detail="",
        prechange=None,
        postchange="{}",
        **fields,
    )


def run(
    number: int, created: int = 0, started: int | None = None, ended: int | None = None, **fields: Any
) -> JobResult:
    given: dict[str, Any] = {
        "kind": "hook",
        "status": JobResultStatus.SUCCESS if ended is not None else JobResultStatus.PENDING,
        "change_ids": (ChangeId(1),),
        **fields,
    }
    return JobResult(
        number=number,
        id=JobResultId(f"id-{number}"),
        job=JobId("a.B"),
        job_name="B",
        occasion="hook",
        attempt=1,
        user_name="ann",
        object_type="dcim.device",
        object_pk="1",
        object_repr="r1",
        lane=None,
        created_at=Microseconds(T + created),
        started_at=None if started is None else Microseconds(T + started),
        ended_at=None if ended is None else Microseconds(T + ended),
        **given,
    )


def tree(*pairs: tuple[Step, int | None]) -> list[Caused]:
    return [Caused(what, parent) for what, parent in pairs]


def now(after: int) -> Microseconds:
    return Microseconds(T + after)


def test_each_row_stands_below_its_cause_and_further_to_the_right():
    made = draw(
        [],
        tree(
            (change(1), None),
            (run(1, 0, 10, 20), 0),
            (run(2, 0, 10, 20), 0),
            (change(2, 15, cause="id-1"), 1),
        ),
        now(100),
    )
    assert [(each.what and each.what.id, each.depth, each.parent) for each in made.nodes] == [
        (1, 0, None),
        ("id-1", 1, 0),
        (2, 2, 1),
        ("id-2", 1, 0),
    ]
    assert [each.y for each in made.nodes] == sorted({each.y for each in made.nodes})
    assert made.nodes[1].x > made.nodes[0].x
    assert all(bool(each.link) == (each.parent is not None) for each in made.nodes)
    assert not made.is_live


def test_bars_tell_how_long_a_run_waited_and_ran():
    made = draw([], tree((change(1), None), (run(1, 0, 25_000, 100_000), 0)), now(10**9))
    assert made.nodes[1].waits == (0.0, 25.0)
    assert made.nodes[1].runs == (25.0, 75.0)
    assert [each.text for each in made.ticks] == ["0", "50 ms", "100 ms"]


def test_what_still_runs_goes_on_to_the_present_moment():
    going = run(1, 0, 50_000, status=JobResultStatus.STARTED)
    made = draw([], tree((change(1), None), (going, 0)), now(200_000))
    assert made.is_live
    assert made.nodes[1].runs == (25.0, 75.0)
    later = draw([], tree((change(1), None), (going, 0)), now(400_000))
    assert made.mark != later.mark
    waiting = draw([], tree((change(1), None), (run(1, 0), 0)), now(200_000))
    assert (waiting.nodes[1].waits, waiting.nodes[1].runs) == ((0.0, 100.0), None)


def test_all_at_one_moment_is_drawn_too():
    made = draw([], tree((change(1), None), (run(1, 0, 0, 0), 0)), now(0))
    assert made.nodes[1].runs is not None
    assert made.nodes[1].runs[1] > 0


def test_what_led_to_it_comes_first_and_it_is_marked():
    before = [change(1), run(1, 0, 5, 20)]
    made = draw(before, tree((change(2, 10, cause="id-1"), None), (run(3, 11, 12, 13, change_ids=(2,)), 0)), now(50))
    assert [each.depth for each in made.nodes] == [0, 1, 2, 3]
    assert [each.is_asked for each in made.nodes] == [False, False, True, False]


def test_what_may_not_be_seen_has_a_row_without_a_name():
    hidden_run = draw([], tree((change(2, 10, cause="id-1"), None)), now(50))
    assert [(each.kind, each.note) for each in hidden_run.nodes] == [("hidden", "A run"), ("change", "")]
    hidden_change = draw([], tree((run(1, 0, 5, 20), None), (run(2, 9, 10, 11, cause="id-1"), 0)), now(50))
    assert [(each.kind, each.depth) for each in hidden_change.nodes] == [
        ("hidden", 0),
        ("result", 1),
        ("hidden", 2),
        ("result", 3),
    ]
    pressed = draw([], tree((run(1, 0, 5, 20, kind="button", change_ids=()), None)), now(50))
    assert [each.kind for each in pressed.nodes] == ["result"]


def test_deep_rows_are_not_pushed_out_of_the_page():
    steps: list[tuple[Step, int | None]] = [(change(1), None)]
    steps += [
        (change(n, n, cause=f"id-{n - 1}") if n % 2 else run(n, n, n, n, change_ids=(n - 1,)), n - 2)
        for n in range(2, 40)
    ]
    made = draw([], tree(*steps), now(50))
    assert made.nodes[-1].depth == 38
    assert len({each.x for each in made.nodes}) == MOST_STEPS + 1


def test_a_thousand_rows_are_drawn_soon():
    steps: list[tuple[Step, int | None]] = [(change(1), None)]
    steps += [(run(n, n, n + 5, n + 9), 0) for n in range(1, 1_000)]
    began = time.monotonic()
    made = draw([], tree(*steps), now(5_000))
    assert time.monotonic() - began < 0.5
    assert made.height > 1_000 * ROW


def test_the_steps_of_time_are_round_at_any_length():
    for span, told in (
        (1_000, ["0", "500 µs", "1 ms"]),
        (3_000_000, ["0", "1 s", "2 s", "3 s"]),
        (400_000_000, ["0", "2 min", "4 min", "6 min"]),
        (9 * 86_400_000_000, ["0", "3 d", "6 d", "9 d"]),
    ):
        made = draw([], tree((change(1), None), (run(1, 0, 0, span), 0)), now(span))
        assert [each.text for each in made.ticks] == told
