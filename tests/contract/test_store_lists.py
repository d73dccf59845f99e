"""Lists of changes and job results: bounded by time, and found by an index whatever one field they are narrowed by."""

import random
import sqlite3
from typing import Any

import msgspec
import pytest

from buttonhook.ids import JobResultStatus, LogLevel, Microseconds, ObjectChangeAction
from buttonhook.log_search import LogKey, LogQuery
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.stores.base import Store
from buttonhook.stores.sqlite import listing
from buttonhook.stores.sqlite.opening import migrations
from tests.contract.conftest import OpenStore
from tests.contract.store_rows import change, entry, put, result

NARROWED = [
    (listing.changes_sql, ChangeQuery(), "the default order"),
    (listing.changes_sql, ChangeQuery(least=100), "a window"),
    (
        listing.changes_sql,
        ChangeQuery(least=100, object_type="a.b", action=ObjectChangeAction.DELETE),
        "a typed window",
    ),
    (listing.results_sql, ResultQuery(least=100, user_name="ann"), "a window of a user"),
    (listing.changes_sql, ChangeQuery(object_type="dcim.device"), "a type"),
    (listing.changes_sql, ChangeQuery(object_type="dcim.device", object_pk="a"), "an object"),
    (listing.changes_sql, ChangeQuery(user_name="ann"), "a user"),
    (listing.changes_sql, ChangeQuery(request_id="r1"), "a request"),
    (listing.changes_sql, ChangeQuery(since=Microseconds(1), until=Microseconds(2)), "a time"),
    (listing.results_sql, ResultQuery(), "the default order"),
    (listing.results_sql, ResultQuery(job="acme.Guard"), "a job"),
    (listing.results_sql, ResultQuery(status=JobResultStatus.FAILURE), "a final status"),
    (listing.results_sql, ResultQuery(object_type="dcim.device"), "a type"),
    (listing.results_sql, ResultQuery(object_type="dcim.device", object_pk="a"), "an object"),
    (listing.results_sql, ResultQuery(user_name="ann"), "a user"),
    (listing.results_sql, ResultQuery(change_id=1), "a change"),
    (listing.results_sql, ResultQuery(cause="r1"), "a cause"),
    (listing.results_sql, ResultQuery(lane="job:acme.Guard", status=JobResultStatus.STARTED), "a lane"),
    (listing.changes_sql, ChangeQuery(cause="r1"), "a cause"),
    (listing.results_sql, ResultQuery(since=Microseconds(1), until=Microseconds(2)), "a time"),
]


@pytest.mark.parametrize("after", [None, 500], ids=["first page", "later page"])
@pytest.mark.parametrize(
    ("to_sql", "query", "_name"), NARROWED, ids=[f"{each[0].__name__} {each[2]}" for each in NARROWED]
)
def test_a_list_is_read_in_order_from_an_index_without_sorting(to_sql, query, _name, after):
    plan = plan_of(to_sql(msgspec.structs.replace(query, after=after)))
    assert not any("TEMP B-TREE" in step for step in plan), plan
    is_whole = after is None and query in (ChangeQuery(), ResultQuery())
    assert is_whole or plan[0].startswith("SEARCH"), plan


LOGS = [each for each in NARROWED if each[0] is listing.results_sql]


@pytest.mark.parametrize("after", [None, (500, 1, 7)], ids=["first page", "later page"])
@pytest.mark.parametrize(("_sql", "query", "_name"), LOGS, ids=[each[2] for each in LOGS])
def test_log_lines_of_many_results_are_read_in_order_from_an_index_without_sorting(_sql, query, _name, after):
    plan = plan_of(listing.log_sql(LogQuery(results=query, after=after, level=LogLevel.ERROR, search="x")))
    assert not any("TEMP B-TREE" in step for step in plan), plan
    outer, inner = [step for step in plan if "job_result" in step.split()[1:2] or "line" in step.split()[1:2]][-2:]
    assert outer.startswith("SEARCH job_result") or (after is None and query == ResultQuery()), plan
    assert inner.startswith("SEARCH line USING INDEX job_log_entry_result (number=?"), plan


@pytest.mark.parametrize("after", [None, (500, 1, 7)], ids=["first page", "later page"])
def test_the_lines_of_one_result_are_read_in_order_from_an_index_without_sorting(after):
    plan = plan_of(listing.log_sql(LogQuery(number=500, after=after)))
    assert not any("TEMP B-TREE" in step for step in plan), plan
    wanted = "number=?" if after is None else "number=? AND (attempt,seq)>(?,?)"
    assert plan[-1] == f"SEARCH line USING INDEX job_log_entry_result ({wanted})", plan


def plan_of(question: tuple[str, list[Any]]) -> list[str]:
    connection = sqlite3.connect(":memory:")
    connection.executescript("".join(migrations()))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {question[0]}", question[1])]
    connection.close()
    return plan


@pytest.mark.parametrize("gap", [1, 7], ids=["dense", "with gaps"])
async def test_changes_and_results_of_a_time_are_those_between_its_bounds(make_store: OpenStore, gap: int):
    source = random.Random(gap)
    moments, moment = {}, 100
    for number in range(1, 200, gap):
        moment += source.choice([0, 0, 1, 5])
        moments[number] = moment
    async with make_store().open() as store:
        await put(
            store,
            changes=[change(number, f"pk{number}", recorded_at=at) for number, at in moments.items()],
            results=[result(number, created_at=at) for number, at in moments.items()],
        )
        for _ in range(40):
            since, until = (Microseconds(each) for each in sorted(source.sample(range(95, moment + 5), 2)))
            wanted = [number for number, at in moments.items() if since <= at < until]
            found = await store.reader.changes(ChangeQuery(since=since, until=until, limit=1000, ascending=True))
            assert [each.id for each in found] == wanted
            runs = await store.reader.results(ResultQuery(since=since, until=until, limit=1000))
            assert [each.number for each in runs] == wanted[::-1]


async def test_a_time_narrows_together_with_the_other_filters(make_store: OpenStore):
    async with make_store().open() as store:
        await put(
            store,
            changes=[
                change(1, "a", recorded_at=10),
                change(2, "b", recorded_at=20),
                change(3, "a", recorded_at=30, action="update", prechange="{}"),
            ],
        )
        query = ChangeQuery(since=Microseconds(15), user_name="ann", object_pk="a", object_type="dcim.device")
        found = await store.reader.changes(query)
        assert [(each.id, each.action) for each in found] == [(3, ObjectChangeAction.UPDATE)]
        assert await store.reader.changes(ChangeQuery(since=Microseconds(31))) == []
        assert await store.reader.changes(ChangeQuery(until=Microseconds(10))) == []


async def test_an_empty_store_has_no_time(make_store: OpenStore):
    async with make_store().open() as store:
        assert await store.reader.changes(ChangeQuery(since=Microseconds(1), until=Microseconds(9))) == []
        assert await store.reader.results(ResultQuery(since=Microseconds(1))) == []


async def lines(store: Store, query: LogQuery) -> list[LogKey]:
    """What a question finds, read two lines at a time."""
    found: list[LogKey] = []
    while True:
        page = await store.reader.find_log_entries(msgspec.structs.replace(query, limit=2))
        found += [(line.number, line.attempt, line.seq) for line, run in page if line.number == run.number]
        if len(page) < 2:
            return found
        query = msgspec.structs.replace(query, after=found[-1])


async def test_log_lines_are_found_page_by_page_by_result_level_text_and_what_the_run_was_about(make_store: OpenStore):
    async with make_store().open() as store:
        await put(
            store,
            results=[
                result(1, traceback="long", result="[]", error="no"),
                result(2, job="acme.Other"),
                result(3, user_name="bob"),
            ],
            log_entries=[
                entry(1, 1, 1),
                entry(2, 1, 1, attempt=2, level=LogLevel.ERROR),
                entry(3, 2, 1, message="50% ÄB_c"),
                entry(4, 1, 2),
                entry(5, 3, 1, level=LogLevel.WARNING),
                entry(6, 3, 2, message="Ab"),
                entry(7, 3, 3),
            ],
        )
        whole = [(3, 1, 3), (3, 1, 2), (3, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 1, 1)]
        assert await lines(store, LogQuery()) == whole
        assert await lines(store, LogQuery(number=1)) == [(1, 1, 1), (1, 1, 2), (1, 2, 1)]
        assert await lines(store, LogQuery(level=LogLevel.WARNING)) == [(3, 1, 1), (1, 2, 1)]
        assert await lines(store, LogQuery(level=LogLevel.ERROR, number=1)) == [(1, 2, 1)]
        assert await lines(store, LogQuery(search="b_C")) == [(2, 1, 1)]
        assert await lines(store, LogQuery(search="ab")) == [(3, 1, 2)]
        assert await lines(store, LogQuery(search="%")) == [(2, 1, 1)]
        assert await lines(store, LogQuery(results=ResultQuery(job="acme.Guard", user_name="ann"))) == whole[4:]
        assert await lines(store, LogQuery(results=ResultQuery(user_name="bob"), level=LogLevel.ERROR)) == []
        ((_, run), *_) = await store.reader.find_log_entries(LogQuery(number=1))
        assert (run.result, run.error, run.traceback) == (None, None, None)


async def test_what_a_run_caused_and_results_of_some_numbers_are_found(make_store: OpenStore):
    async with make_store().open() as store:
        await put(
            store,
            changes=[change(1), change(2, cause="result-1"), change(3, cause="result-1")],
            results=[result(1), result(2, cause="result-1", occasion_id="h1"), result(3, cause="result-2")],
        )
        assert [each.id for each in await store.reader.changes(ChangeQuery(cause="result-1"))] == [3, 2]
        assert [each.number for each in await store.reader.results(ResultQuery(cause="result-1"))] == [2]
        assert [each.number for each in await store.reader.results(ResultQuery(numbers=(3, 9, 1)))] == [3, 1]
        assert [each.number for each in await store.reader.results(ResultQuery(occasion_id="h1"))] == [2]
        lane = (await store.reader.results(ResultQuery(numbers=(1,))))[0].lane
        of_lane = await store.reader.results(ResultQuery(lane=lane))
        assert {each.lane for each in of_lane} == {lane}
        assert await store.reader.results(ResultQuery(lane="another")) == []


async def test_a_window_of_ids_and_several_causes_are_found(make_store: OpenStore):
    async with make_store().open() as store:
        causes = {number: f"c{number % 3}" for number in range(1, 8)}
        await put(
            store,
            changes=[change(number, change_context="cli", cause=cause) for number, cause in causes.items()],
            results=[result(number, cause=cause) for number, cause in causes.items()],
        )
        assert [each.id for each in await store.reader.changes(ChangeQuery(least=3, after=6))] == [5, 4, 3]
        assert [each.number for each in await store.reader.results(ResultQuery(least=3, after=6))] == [5, 4, 3]
        caused = await store.reader.changes(ChangeQuery(cause=("c0", "c1"), ascending=True))
        assert [each.id for each in caused] == [1, 3, 4, 6, 7]
        runs = await store.reader.results(ResultQuery(cause=("c2", "none"), ascending=True))
        assert [each.number for each in runs] == [2, 5]
        assert await store.reader.changes(ChangeQuery(context="ui")) == []
        assert len(await store.reader.changes(ChangeQuery(context="cli"))) == 7
