"""Reading beside the writing: changes, results, logs, what waits. Written against stores/base.py alone."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from buttonhook.ids import JobResultStatus, ObjectChangeAction
from buttonhook.records import ChangeQuery, JobLogEntry, PendingResult, ResultQuery
from buttonhook.stores.base import Store
from tests.contract.conftest import OpenStore
from tests.contract.store_rows import change, entry, put, result, stored

CHANGES = [
    change(1, "a", user_name="ann", request_id="r1"),
    change(2, "b", user_name="eve", request_id="r1"),
    change(3, "a", action="update", prechange="{}", request_id="r2"),
    change(4, "a", object_type="t.x", user_name="eve"),
    change(7, "a", action="delete", prechange="{}", postchange=None),
]
RESULTS = [
    result(1, change_ids=(1,), status=JobResultStatus.SUCCESS, ended_at=1, attempt=1),
    result(2, change_ids=(2, 3), object_pk="b", lane="l"),
    result(3, job="acme.Other", user_name="eve", status=JobResultStatus.STARTED, attempt=1, lane="l"),
    result(5, object_type="t.x", status=JobResultStatus.FAILURE, ended_at=1),
    result(6, lane="l"),
    result(8, lane="m"),
]


@pytest.fixture
async def store(make_store: OpenStore) -> AsyncIterator[Store]:
    async with make_store().open() as opened:
        await put(opened, changes=CHANGES, results=RESULTS)
        yield opened


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [7, 4, 3, 2, 1]),
        ({"ascending": True}, [1, 2, 3, 4, 7]),
        ({"object_type": "dcim.device"}, [7, 3, 2, 1]),
        ({"object_type": "dcim.device", "object_pk": "a"}, [7, 3, 1]),
        ({"request_id": "r1"}, [2, 1]),
        ({"user_name": "eve", "ascending": True}, [2, 4]),
        ({"action": ObjectChangeAction.CREATE}, [4, 2, 1]),
        ({"ids": (7, 2, 404)}, [7, 2]),
        ({"ids": ()}, []),
        ({"ids": (7, 2), "user_name": "eve"}, [2]),
        ({"after": 4}, [3, 2, 1]),
        ({"after": 4, "ascending": True}, [7]),
        ({"limit": 2}, [7, 4]),
        ({"limit": 0}, []),
    ],
)
async def test_changes_are_found_by_what_they_are(store: Store, query: dict[str, Any], expected: list[int]):
    assert [each.id for each in await store.reader.changes(ChangeQuery(**query))] == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [8, 6, 5, 3, 2, 1]),
        ({"ascending": True, "limit": 2}, [1, 2]),
        ({"id": "result-3"}, [3]),
        ({"job": "acme.Other"}, [3]),
        ({"status": JobResultStatus.PENDING}, [8, 6, 2]),
        ({"status": JobResultStatus.STARTED}, [3]),
        ({"status": JobResultStatus.SUCCESS}, [1]),
        ({"object_type": "t.x"}, [5]),
        ({"object_type": "dcim.device", "object_pk": "b"}, [2]),
        ({"user_name": "eve"}, [3]),
        ({"change_id": 1}, [1]),
        ({"change_id": 2}, [2]),
        ({"after": 5}, [3, 2, 1]),
        ({"after": 5, "ascending": True}, [6, 8]),
        ({"after": 8, "status": JobResultStatus.PENDING}, [6, 2]),
    ],
)
async def test_results_are_found_by_what_they_are(store: Store, query: dict[str, Any], expected: list[int]):
    assert [each.number for each in await store.reader.results(ResultQuery(**query))] == expected


async def test_what_waits_is_told_in_order_and_lane_by_lane(store: Store):
    assert await store.reader.pending(0, 10) == [
        PendingResult(2, "acme.Guard", "l"),
        PendingResult(6, "acme.Guard", "l"),
        PendingResult(8, "acme.Guard", "m"),
    ]
    assert [each.number for each in await store.reader.pending(2, 1)] == [6]
    assert [each.number for each in await store.reader.pending(0, 10, "l")] == [2, 6]
    assert [each.number for each in await store.reader.pending(2, 10, "l")] == [6]
    assert await store.reader.pending(0, 10, "none") == []


async def test_a_log_is_read_in_order_of_attempt_and_line_and_page_by_page(store: Store):
    lines = [entry(1, 1, 1), entry(2, 2, 1), entry(3, 1, 2), entry(4, 1, 1, attempt=2), entry(5, 1, 3)]
    await put(store, log_entries=lines)
    read = await store.reader.log_entries(1)
    assert [(each.attempt, each.seq) for each in read] == [(1, 1), (1, 2), (1, 3), (2, 1)]
    assert [each.id for each in await store.reader.log_entries(1, after_id=3)] == [5, 4]
    assert [each.id for each in await store.reader.log_entries(1, limit=2)] == [1, 3]
    assert [each.id for each in await store.reader.log_entries(1, after_id=1, by_id=True)] == [3, 4, 5]
    assert [each.id for each in await store.reader.log_entries(1, limit=2, by_id=True)] == [1, 3]
    assert await store.reader.log_entries(404) == []


@pytest.mark.parametrize("size", [1, 2, 3, 100])
async def test_the_pages_of_a_log_hold_each_line_once_also_when_attempts_log_beside_each_other(store: Store, size: int):
    """An attempt that was given up still logs when the next one does: the ids of the two are mixed."""
    lines = [entry(each, 1, each // 2 + 1, attempt=1 + each % 2) for each in range(1, 12)]
    await put(store, log_entries=[*lines, entry(12, 2, 1)])
    read: list[JobLogEntry] = []
    while page := await store.reader.log_entries(1, read[-1].id if read else 0, size):
        read += page
    assert [each.id for each in read] == [2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11]
    assert await store.reader.log_entries(2, after_id=3) == []


async def test_a_read_sees_what_was_committed_before_it(store: Store):
    for number in range(10, 30):
        await put(store, changes=[change(number)])
        assert [each.id for each in await store.reader.changes(ChangeQuery(limit=1))] == [number]


async def test_the_types_that_have_objects_are_told_by_name(store: Store):
    assert await store.reader.stored_types() == []
    for object_type in ("t.z", "t.a", "t.a_b", "a.z"):
        await put(store, objects=[stored(pk, object_type=object_type) for pk in ("1", "2")])
    assert await store.reader.stored_types() == ["a.z", "t.a", "t.a_b", "t.z"]
    await put(store, deleted=[("t.a", "1"), ("t.a", "2"), ("t.z", "1")])
    assert await store.reader.stored_types() == ["a.z", "t.a_b", "t.z"]


async def test_a_sound_store_has_no_problems_and_says_what_it_holds(store: Store):
    report = await store.reader.check()
    assert report.problems == []
    assert (report.counts["changes"], report.counts["job results"], report.counts["waiting job results"]) == (5, 6, 4)
