"""The figures of the last hour: counted by minute and object type, and nothing else kept."""

from typing import Any

import pytest

from buttonhook.http.last_hour import MINUTE, MINUTES, LastHour
from buttonhook.ids import ChangeId, JobId, JobResultId, JobResultStatus, Microseconds, ObjectChangeAction
from buttonhook.records import ChangeRecord, JobResult, Outcome
from buttonhook.stores.base import Rows

START = 1_000_000 * MINUTE + 17


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> Microseconds:
        return Microseconds(self.now)


def change(moment: int, object_type: str = "dcim.device", action: str = "update") -> ChangeRecord:
    return ChangeRecord(
        id=ChangeId(1),
        time=Microseconds(moment),
        recorded_at=Microseconds(moment),
        user_name="ann",
        request_id="r",
        action=ObjectChangeAction(action),
        object_type=object_type,
        object_pk="r1",
        object_repr="r1",
        change_context="api",
        change_context_detail="",
        prechange="{}",
        postchange="{}",
    )


def result(created: int, **given: Any) -> JobResult:
    fields: dict[str, Any] = {
        "number": 1,
        "id": JobResultId("i"),
        "kind": "hook",
        "job": JobId("a.B"),
        "job_name": "B",
        "occasion": "B",
        "status": JobResultStatus.STARTED,
        "attempt": 1,
        "user_name": "ann",
        "object_type": "dcim.device",
        "object_pk": "r1",
        "object_repr": "r1",
        "change_ids": (),
        "lane": None,
        "created_at": Microseconds(created),
    }
    return JobResult(**{**fields, **given})


def ended(moment: int, status: JobResultStatus = JobResultStatus.SUCCESS) -> Outcome:
    return Outcome(number=1, attempt=1, status=status, ended_at=Microseconds(moment))


def everything(_: str) -> bool:
    return True


def test_changes_and_runs_stand_in_their_minutes() -> None:
    clock = Clock()
    hour = LastHour(clock)
    hour.hear(Rows(changes=[change(START), change(START, action="create")]))
    hour.note_end(result(START, started_at=Microseconds(START + 2000)), ended(START + 1_002_000))
    clock.now += 2 * MINUTE
    hour.hear(Rows(changes=[change(clock.now)]))
    shown = hour.figures(everything, everything)
    assert shown.changes["update"][-3:] == [1, 0, 1]
    assert shown.changes["create"][-3:] == [1, 0, 0]
    assert shown.ended["success"][-3:] == [1, 0, 0]
    assert shown.waited.half[-3] == pytest.approx(0.002, rel=0.08)
    assert shown.ran.most[-3] == pytest.approx(1.0, rel=0.08)
    assert shown.ran.half[-1] is None


def test_half_and_nearly_all_are_told_apart() -> None:
    hour = LastHour(Clock())
    for milliseconds in [10] * 90 + [2000] * 10:
        hour.note_end(result(START, started_at=Microseconds(START)), ended(START + milliseconds * 1000))
    shown = hour.figures(everything, everything).ran
    assert shown.half[-1] == pytest.approx(0.010, rel=0.08)
    assert shown.most[-1] == pytest.approx(2.0, rel=0.08)


def test_what_is_older_than_an_hour_is_forgotten() -> None:
    clock = Clock()
    hour = LastHour(clock)
    hour.hear(Rows(changes=[change(START, "a.old")]))
    clock.now += (MINUTES + 1) * MINUTE
    hour.hear(Rows(changes=[change(clock.now, "a.new")]))
    assert hour.object_types() == {"a.new"}
    assert sum(hour.figures(everything, everything).changes["update"]) == 1


def test_what_a_user_may_not_see_is_not_counted() -> None:
    hour = LastHour(Clock())
    for object_type in ("dcim.device", "secret.vault"):
        hour.hear(Rows(changes=[change(START, object_type)]))
        hour.note_end(result(START, object_type=object_type, started_at=Microseconds(START)), ended(START + 1000))
    shown = hour.figures(lambda name: name == "dcim.device", lambda name: False)
    assert shown.changes["update"][-1] == 1
    assert (shown.ended["success"][-1], shown.ran.half[-1]) == (0, None)


def test_a_retry_counts_and_what_was_put_back_does_not() -> None:
    clock = Clock()
    hour = LastHour(clock)
    begun = result(START, started_at=Microseconds(START))
    hour.note_end(begun, Outcome(number=1, attempt=1, status=JobResultStatus.RETRY, ended_at=None))
    hour.note_end(begun, Outcome(number=1, attempt=1, status=JobResultStatus.PENDING, ended_at=None))
    shown = hour.figures(everything, everything)
    assert {status: counts[-1] for status, counts in shown.ended.items()} == {
        "success": 0,
        "failure": 0,
        "retry": 1,
        "revoked": 0,
    }


def test_waiting_is_told_of_first_attempts_alone() -> None:
    hour = LastHour(Clock())
    hour.note_end(result(START - 9 * MINUTE, attempt=2, started_at=Microseconds(START)), ended(START + 5000))
    shown = hour.figures(everything, everything)
    assert (shown.waited.half[-1], shown.ran.half[-1]) == (None, pytest.approx(0.005, rel=0.08))
