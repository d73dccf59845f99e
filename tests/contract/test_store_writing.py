"""Writing: the conversation, all or nothing, claims, outcomes, recovery. Written against stores/base.py alone."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from buttonhook.errors import BatchBeforeLost, ButtonhookError, StoreError
from buttonhook.ids import JobResultStatus, LogLevel, Microseconds, ObjectChangeAction
from buttonhook.people import ReceiptRecord
from buttonhook.records import (
    ChangeQuery,
    Condition,
    Cut,
    DeclaredType,
    JobHook,
    ObjectQuery,
    ResultQuery,
    UserRecord,
)
from buttonhook.stores.base import RECEIPT_SECONDS, Decision, Found, Needs, Rows, Store
from tests.contract.conftest import OpenStore
from tests.contract.store_rows import TYPE, change, decide, entry, numbered, outcome, put, result, stored

ALL = ObjectQuery(object_type=TYPE)
KEY = (TYPE, "name", '["r1"]')


@pytest.fixture
async def store(make_store: OpenStore) -> AsyncIterator[Store]:
    async with make_store().open() as opened:
        yield opened


async def pks(store: Store) -> list[str]:
    return [each.pk for each, _ in await store.reader.objects(ALL)]


async def status_of(store: Store, number: int) -> JobResultStatus:
    return next(each for each in await store.reader.results(ResultQuery()) if each.number == number).status


# --- beside and behind each other -------------------------------------------------------------------


def rows_alone(**rows: Any) -> Decision:
    """A decision that asks for nothing at all, as those that are written behind others."""
    return Rows(time=50, **rows)
    yield  # a generator all the same


async def test_a_look_sees_what_is_committed(store: Store):
    assert await store.look(Needs()) == Found()
    await put(store, objects=[stored("a", {"n": 1})], unique_added=[(KEY, "a")], requests=["r1"], results=[result(7)])
    found = await store.look(Needs(objects=[(TYPE, "a"), (TYPE, "b")], unique=[KEY], request_ids=["r1"], runs=[7, 8]))
    assert found.objects == {(TYPE, "a"): stored("a", {"n": 1})}
    assert (found.unique, found.request_ids) == ({KEY: "a"}, {"r1"})
    assert found.runs == {7: (0, JobResultStatus.PENDING)}


async def test_a_look_does_not_wait_for_a_write_that_is_under_way(store: Store):
    await put(store, objects=[stored("a", {"n": 1})])

    def decision() -> Decision:
        yield Needs(objects=[(TYPE, "a")])
        seen.append(pending)  # within the transaction
        return Rows(objects=[stored("a", {"n": 2})])

    seen: list[Any] = []
    pending = asyncio.ensure_future(store.look(Needs(objects=[(TYPE, "a")])))
    await store.write(decision())
    assert seen == [pending]
    assert (await pending).objects[TYPE, "a"].document == '{"n":1}'


async def test_writes_that_are_called_for_at_once_are_made_in_order(store: Store):
    writes = [store.write(rows_alone(objects=[stored("a", {"n": n})]), is_behind=n > 0) for n in range(20)]
    await asyncio.gather(*writes)
    assert (await store.look(Needs(objects=[(TYPE, "a")]))).objects[TYPE, "a"].document == '{"n":19}'


async def test_nothing_is_written_behind_a_write_that_failed_until_somebody_begins_anew(store: Store):
    await put(store, results=[result(1)])
    writes = [
        store.write(rows_alone(objects=[stored("first")])),
        store.write(rows_alone(objects=[stored("bad")], results=[result(1)]), is_behind=True),
        store.write(rows_alone(objects=[stored("behind")]), is_behind=True),
        store.write(rows_alone(objects=[stored("further")]), is_behind=True),
    ]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each).__name__ for each in answers] == ["Written", "StoreError", "BatchBeforeLost", "BatchBeforeLost"]
    with pytest.raises(BatchBeforeLost):
        await store.write(rows_alone(objects=[stored("late")]), is_behind=True)
    await store.write(rows_alone(objects=[stored("anew")]))
    await store.write(rows_alone(objects=[stored("on")]), is_behind=True)
    assert await pks(store) == ["anew", "first", "on"]


async def test_nothing_is_written_behind_a_decision_that_raised(store: Store):
    def decision() -> Decision:
        raise KeyError("mine")
        yield  # a generator all the same

    writes = [store.write(decision()), store.write(rows_alone(objects=[stored("behind")]), is_behind=True)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert [type(each) for each in answers] == [KeyError, BatchBeforeLost]
    assert await pks(store) == []


# --- the conversation -----------------------------------------------------------------------------


async def test_each_need_is_answered_with_what_is_there_before_the_next_is_asked(store: Store):
    await put(store, objects=[stored("a", {"n": 1})], unique_added=[(KEY, "a")], requests=["r1"], results=[result(7)])
    heard: list[Found] = []

    def decision() -> Decision:
        heard.append((yield Needs(objects=[(TYPE, "a"), (TYPE, "b"), ("other.type", "a")])))
        heard.append((yield Needs(unique=[KEY, (TYPE, "name", '["r2"]')], request_ids=["r1", "r2"])))
        heard.append((yield Needs(runs=[7, 8])))
        heard.append((yield Needs()))
        return Rows(objects=[stored("b")])

    await store.write(decision())
    assert heard[0].objects == {(TYPE, "a"): stored("a", {"n": 1})}
    assert heard[1].unique == {KEY: "a"}
    assert heard[1].request_ids == {"r1"}
    assert heard[2].runs == {7: (0, JobResultStatus.PENDING)}
    assert heard[3] == Found()
    assert await pks(store) == ["a", "b"]


async def test_more_is_found_than_fits_into_one_statement(store: Store):
    many = [f"o{number:04}" for number in range(1500)]
    await put(store, objects=[stored(pk) for pk in many])
    heard: list[Found] = []

    def decision() -> Decision:
        heard.append((yield Needs(objects=[(TYPE, pk) for pk in many])))
        return Rows(deleted=[(TYPE, pk) for pk in many[1:]])

    await store.write(decision())
    assert len(heard[0].objects) == 1500
    assert await pks(store) == ["o0000"]


async def test_a_decision_that_needs_nothing_may_answer_at_once(store: Store):
    def decision() -> Decision:
        return Rows(objects=[stored("a")])
        yield  # a generator all the same

    await store.write(decision())
    assert await pks(store) == ["a"]


@pytest.mark.parametrize("after", [0, 1, 2])
async def test_what_a_decision_raises_passes_through_and_the_store_goes_on(store: Store, after: int):
    def decision() -> Decision:
        for _ in range(after):
            yield Needs(objects=[(TYPE, "a")])
        raise KeyError("mine")
        return Rows()

    for _ in range(2):
        with pytest.raises(KeyError, match="mine"):
            await store.write(decision())
    with pytest.raises(KeyError, match="mine"):
        await store.preview(decision(), ALL)
    await put(store, objects=[stored("b")])
    assert await pks(store) == ["b"]


async def test_rows_are_written_all_or_not_at_all(store: Store):
    await put(store, objects=[stored("a")], changes=[change(1)], results=[result(1)])
    good: dict[str, Any] = {
        "objects": [stored("b")],
        "deleted": [(TYPE, "a")],
        "unique_added": [(KEY, "b")],
        "changes": [change(2)],
        "requests": ["r"],
        "claims": [1],
        "config": [DeclaredType(id="x.y", name="x.y")],
    }
    bad: list[dict[str, Any]] = [
        {"changes": [change(2), change(1)]},
        {"results": [result(1)]},
        {"results": [result(9, id="result-1")]},
        {"log_entries": [entry(1, 404, 1)]},
        {"unique_added": [(KEY, "b"), (KEY, "c")]},
    ]
    for rows in bad:
        with pytest.raises(StoreError):
            await put(store, **good | rows)
        assert await pks(store) == ["a"]
        assert [each.id for each in await store.reader.changes(ChangeQuery())] == [1]
        assert await status_of(store, 1) is JobResultStatus.PENDING
        assert await store.reader.config() == []
    await put(store, **good)
    assert await pks(store) == ["b"]
    assert await status_of(store, 1) is JobResultStatus.STARTED


async def test_what_was_written_is_there_when_the_store_is_opened_again(make_store: OpenStore):
    full = change(
        3,
        "b",
        action="update",
        prechange='{"a":1}',
        postchange='{"a": 1.50}',
        cause="c",
        root="r",
        depth=2,
        cuts=(Cut("h", "x", "y"),),
    )
    record = result(4, change_ids=(3, 5), lane="l", cause="c", root="r", depth=3, kind="button")
    line = entry(9, 4, 1, level=LogLevel.FAILURE, logger="lib", object_type=TYPE, object_pk="b", object_repr="é")
    hook = JobHook(
        id="h", name="hook", job="acme.Guard", object_types=(TYPE,), actions=(ObjectChangeAction.CREATE,), enabled=False
    )
    async with make_store().open() as store:
        assert (store.numbers.change, store.numbers.result, store.numbers.log_entry) == (0, 0, 0)
        await put(store, objects=[stored("b", {"ü": '"'})], changes=[full], results=[record], log_entries=[line])
        await put(store, config=[hook, UserRecord(id="u", name="ann", groups=("g",))])
    async with make_store().open() as store:
        assert (store.numbers.change, store.numbers.result, store.numbers.log_entry) == (3, 4, 9)
        assert await store.reader.get_object((TYPE, "b")) == stored("b", {"ü": '"'})
        assert await store.reader.changes(ChangeQuery()) == [full]
        assert await store.reader.results(ResultQuery()) == [record]
        assert await store.reader.log_entries(4) == [line]
        assert sorted(map(repr, await store.reader.config())) == sorted(
            map(repr, [hook, UserRecord(id="u", name="ann", groups=("g",))])
        )


async def test_a_record_of_the_set_up_is_replaced_by_its_id_and_removed(store: Store):
    def user(name: str, id_: str = "u", **fields: Any) -> UserRecord:
        return UserRecord(id=id_, name=name, **fields)

    await put(store, config=[user("ann")])
    await put(store, config=[user("eve", is_owner=True)])
    assert await store.reader.config() == [user("eve", is_owner=True)]
    with pytest.raises(StoreError):
        await put(store, config=[user("eve", "other")])
    await put(store, removed_config=[("user", "u")], config=[user("eve", "other")])
    assert await store.reader.config() == [user("eve", "other")]


async def test_a_unique_key_is_freed_and_taken_in_one_batch(store: Store):
    other = (TYPE, "name", '["r2"]')
    await put(store, unique_added=[(KEY, "a"), (other, "b")])
    await put(store, unique_removed=[KEY, other], unique_added=[(KEY, "b"), (other, "a")])
    heard: list[Found] = []

    def decision() -> Decision:
        heard.append((yield Needs(unique=[KEY, other])))
        return Rows()

    await store.write(decision())
    assert heard[0].unique == {KEY: "b", other: "a"}


async def test_a_preview_answers_as_if_and_leaves_nothing(store: Store):
    await put(store, objects=[stored("a", {"n": 1}), stored("b", {"n": 2})])
    rows = Rows(objects=[stored("c", {"n": 3}), stored("a", {"n": 9})], deleted=[(TYPE, "b")], changes=[change(1)])
    query = ObjectQuery(object_type=TYPE, conditions=(Condition(("n",), "gt", 1),), order=((("n",), True),))
    found = await store.preview(decide(rows), query)
    assert [(each.pk, keys) for each, keys in found] == [("a", (9, "a")), ("c", (3, "c"))]
    assert await pks(store) == ["a", "b"]
    assert await store.reader.changes(ChangeQuery()) == []
    with pytest.raises(StoreError):
        await store.preview(decide(Rows(log_entries=numbered(entry(1, 404, 1)))), query)
    await put(store, objects=[stored("d")])
    assert await pks(store) == ["a", "b", "d"]


# --- runs -----------------------------------------------------------------------------------------


async def test_a_claim_starts_what_waits_and_brings_what_its_run_needs(store: Store):
    await put(
        store,
        objects=[stored("a", {"n": 2}, version=2)],
        changes=[change(1, "a"), change(2, "a")],
        results=[result(1, change_ids=(1, 2)), result(2, object_pk="gone", status=JobResultStatus.RETRY, attempt=3)],
    )
    claimed = (await put(store, claims=[2, 1, 404])).claimed
    assert [(each.result.number, each.result.attempt, each.result.started_at) for each in claimed] == [
        (1, 1, 50),
        (2, 4, 50),
    ]
    assert all(each.result.status is JobResultStatus.STARTED for each in claimed)
    assert [each.id for each in claimed[0].changes] == [1, 2]
    assert claimed[0].stored == stored("a", {"n": 2}, version=2)
    assert (claimed[1].changes, claimed[1].stored) == ((), None)


async def test_a_claim_sees_the_object_as_its_own_batch_leaves_it(store: Store):
    await put(store, objects=[stored("a", {"n": 1})], results=[result(1)])
    claimed = (await put(store, objects=[stored("a", {"n": 2})], claims=[1])).claimed
    assert claimed[0].stored == stored("a", {"n": 2})


@pytest.mark.parametrize("status", ["started", "success", "failure", "revoked"])
async def test_only_what_waits_can_be_claimed(store: Store, status: str):
    ended = None if status == "started" else 60
    await put(store, results=[result(1, status=JobResultStatus(status), attempt=1, ended_at=ended)])
    assert (await put(store, claims=[1])).claimed == []
    (kept,) = await store.reader.results(ResultQuery())
    assert (kept.status.value, kept.attempt) == (status, 1)


async def test_an_outcome_is_applied_to_its_own_attempt_alone_and_once(store: Store):
    await put(store, results=[result(1), result(2)])
    assert (await put(store, outcomes=[outcome(1, 0)])).ended == set()
    await put(store, claims=[1, 2])
    assert (await put(store, outcomes=[outcome(1, 2), outcome(2, 0)])).ended == set()
    applied = outcome(1, 1, "failure", error="boom", traceback="tb", result="[1]")
    assert (await put(store, outcomes=[applied, outcome(404, 1)])).ended == {1}
    assert (await put(store, outcomes=[outcome(1, 1, "success")])).ended == set()
    ended = (await store.reader.results(ResultQuery(id="result-1")))[0]
    assert (ended.status.value, ended.ended_at, ended.error, ended.traceback, ended.result) == (
        "failure",
        99,
        "boom",
        "tb",
        "[1]",
    )
    assert await status_of(store, 2) is JobResultStatus.STARTED


async def test_what_waits_can_end_without_a_run_and_what_runs_cannot(store: Store):
    await put(store, results=[result(1), result(2)])
    await put(store, claims=[2])
    revoked = [outcome(1, 0, "revoked", error="disabled"), outcome(2, 1, "revoked")]
    assert (await put(store, revoked=revoked)).ended == {1}
    assert await status_of(store, 1) is JobResultStatus.REVOKED
    assert await status_of(store, 2) is JobResultStatus.STARTED


async def test_a_run_that_died_waits_again_until_it_died_too_often(make_store: OpenStore):
    async with make_store().open() as store:
        await put(store, results=[result(1), result(2), result(3, job="acme.Once"), result(4)])
    for crash in (1, 2, 3):
        async with make_store().open() as store:
            claims = [1, 3] if crash == 1 else [1]
            claimed = (await put(store, claims=claims)).claimed
            assert claimed[0].result.attempt == crash
            await put(store, log_entries=[entry(store.numbers.log_entry + 1, 1, 1, attempt=crash)])
        async with make_store().open() as store:
            recovered = await store.recover(3, frozenset({"acme.Once"}))
            assert [(each.number, each.crashes) for each in recovered.pending] == ([(1, crash)] if crash < 3 else [])
            given_up = {1: [3], 2: [], 3: [1]}[crash]
            assert [each.number for each in recovered.interrupted] == given_up
            assert await store.recover(3, frozenset()) == type(recovered)()
            assert await status_of(store, 1) is (JobResultStatus.PENDING if crash < 3 else JobResultStatus.FAILURE)
    async with make_store().open() as store:
        ended = (await store.reader.results(ResultQuery(id="result-1")))[0]
        assert (ended.attempt, ended.crashes) == (3, 3)
        assert ended.error is not None
        assert ended.error.startswith("interrupted")
        lines = await store.reader.log_entries(1)
        assert [(line.attempt, line.seq, line.message.rpartition("; ")[2]) for line in lines] == [
            (1, 1, "line 1"),
            (1, 2, "it is run again"),
            (2, 1, "line 1"),
            (2, 2, "it is run again"),
            (3, 1, "line 1"),
            (3, 2, "it is not run again"),
        ]
        assert [each.number for each in await store.reader.pending(0, 10)] == [2, 4]
        assert (await store.reader.check()).problems == []


async def test_a_result_that_was_recovered_can_be_claimed_and_its_dead_attempt_cannot_end_it(store: Store):
    await put(store, results=[result(1)])
    await put(store, claims=[1])
    await store.recover(3, frozenset())
    assert (await put(store, outcomes=[outcome(1, 1)])).ended == set()
    assert [each.result.attempt for each in (await put(store, claims=[1])).claimed] == [2]
    assert (await put(store, outcomes=[outcome(1, 1)])).ended == set()
    assert (await put(store, outcomes=[outcome(1, 2)])).ended == {1}


async def test_an_error_of_the_store_is_one_of_ours(store: Store):
    with pytest.raises(ButtonhookError, match="refused a write"):
        await put(store, changes=[change(1), change(1)])


async def test_an_answer_that_was_kept_goes_when_others_come_after_its_time(store: Store):
    def receipt(key: str, moment: int) -> ReceiptRecord:
        return ReceiptRecord(user_name="ann", key=key, fingerprint="f", answer="{}", recorded_at=Microseconds(moment))

    age = RECEIPT_SECONDS * 1_000_000
    await store.write(decide(Rows(time=Microseconds(10), receipts=[receipt("a", 10)])))
    await store.write(decide(Rows(time=Microseconds(10 + age), receipts=[receipt("b", 10 + age)])))
    assert await store.reader.find_receipt("ann", "a") is not None
    await store.write(decide(Rows(time=Microseconds(11 + age), receipts=[receipt("c", 11 + age)])))
    kept = [await store.reader.find_receipt("ann", each) for each in ("a", "b", "c")]
    assert [each is not None for each in kept] == [False, True, True]
    assert await store.reader.find_receipt("bob", "b") is None
