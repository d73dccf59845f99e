"""Lists of changes and job results: bounded by time, and found by an index whatever one field they are narrowed by."""

import random
import sqlite3

import msgspec
import pytest

from buttonhook.ids import JobResultStatus, Microseconds, ObjectChangeAction
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.stores.sqlite import select
from buttonhook.stores.sqlite.opening import migrations
from tests.contract.conftest import OpenStore
from tests.contract.store_rows import change, put, result

NARROWED = [
    (select.changes_sql, ChangeQuery(), "the default order"),
    (select.changes_sql, ChangeQuery(object_type="dcim.device"), "a type"),
    (select.changes_sql, ChangeQuery(object_type="dcim.device", object_pk="a"), "an object"),
    (select.changes_sql, ChangeQuery(user_name="ann"), "a user"),
    (select.changes_sql, ChangeQuery(request_id="r1"), "a request"),
    (select.changes_sql, ChangeQuery(since=Microseconds(1), until=Microseconds(2)), "a time"),
    (select.results_sql, ResultQuery(), "the default order"),
    (select.results_sql, ResultQuery(job="acme.Guard"), "a job"),
    (select.results_sql, ResultQuery(status=JobResultStatus.FAILURE), "a final status"),
    (select.results_sql, ResultQuery(object_type="dcim.device"), "a type"),
    (select.results_sql, ResultQuery(object_type="dcim.device", object_pk="a"), "an object"),
    (select.results_sql, ResultQuery(user_name="ann"), "a user"),
    (select.results_sql, ResultQuery(change_id=1), "a change"),
    (select.results_sql, ResultQuery(since=Microseconds(1), until=Microseconds(2)), "a time"),
]


@pytest.mark.parametrize("after", [None, 500], ids=["first page", "later page"])
@pytest.mark.parametrize(
    ("to_sql", "query", "_name"), NARROWED, ids=[f"{each[0].__name__} {each[2]}" for each in NARROWED]
)
def test_a_list_is_read_in_order_from_an_index_without_sorting(to_sql, query, _name, after):
    connection = sqlite3.connect(":memory:")
    connection.executescript("".join(migrations()))
    sql, values = to_sql(msgspec.structs.replace(query, after=after))
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
    connection.close()
    assert not any("TEMP B-TREE" in step for step in plan), plan
    is_whole = after is None and query in (ChangeQuery(), ResultQuery())
    assert is_whole or plan[0].startswith("SEARCH"), plan


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
