# ruff: noqa: PT012 - what raises at the end of a block is the block
"""Transactions through an open app: the net effect, unique values, staleness, blocks, batches, the history."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buttonhook import (
    App,
    FreeObject,
    InvalidDocument,
    JobHookReceiver,
    ObjectNotFound,
    StaleObject,
    TrackedObject,
    UniqueViolation,
    documents,
    open_app,
)
from buttonhook.errors import InvalidKey, ObjectExists, QueryError
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionRequest
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeQuery, ChangeRecord, Origin, ResultQuery

FREE = "t.thing"


class Port(msgspec.Struct):
    name: str
    speed: int = 1


class Rack(TrackedObject, object_type="t.rack", unique=("name", ("site", "slot"))):
    name: str | None = None
    site: str | msgspec.UnsetType = msgspec.UNSET
    slot: int | float | None = None
    note: str = ""
    ports: list[Port] = []
    labels: dict[int, str] = {}


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with open_app(str(tmp_path / "a.db"), object_types=[Rack, FREE], load_plugins=False) as opened:
        yield opened


async def history(app: App) -> list[tuple[str, str, Any, Any]]:
    changes = await app.changes(ChangeQuery(ascending=True, limit=1000))
    return [(each.action.value, each.object_pk, load(each.prechange), load(each.postchange)) for each in changes]


def load(text: str | None) -> Any:
    return None if text is None else json.loads(text)


async def thing(app: App, pk: str, **fields: Any) -> Any:
    return await app.objects(FREE).create(pk=pk, **fields)


# --- the net effect (one change an object at most) ------------------------------------------------


async def test_create_and_update_are_one_create(app: App):
    async with app.transaction():
        obj = await FreeObject(FREE, {"n": 1}, pk="a").save()
        obj.n = 2
        await obj.save()
    assert await history(app) == [("create", "a", None, {"n": 2})]
    assert obj.version == 1


async def test_update_and_update_are_one_update_from_the_first_to_the_last(app: App):
    await thing(app, "a", n=1)
    session = app.session()
    async with session.transaction():
        mine = await session.objects(FREE).get("a")
        for value in (2, 3):
            mine.n = value
            await mine.save()
    assert (await history(app))[1:] == [("update", "a", {"n": 1}, {"n": 3})]


async def test_update_and_delete_are_one_delete_of_what_was_before(app: App):
    await thing(app, "a", n=1)
    session = app.session()
    async with session.transaction():
        obj = await session.objects(FREE).get("a")
        obj.n = 2
        await obj.save()
        await obj.delete()
    assert (await history(app))[1:] == [("delete", "a", {"n": 1}, None)]
    assert obj.version is None


async def test_create_and_delete_leave_both(app: App):
    async with app.transaction():
        obj = await FreeObject(FREE, {"n": 1}, pk="a").save()
        await obj.delete()
    assert await history(app) == [("create", "a", None, {"n": 1}), ("delete", "a", {"n": 1}, None)]
    assert await app.objects(FREE).find("a") is None


@pytest.mark.parametrize(("again", "expected"), [({"n": 2}, [("update", "a", {"n": 1}, {"n": 2})]), ({"n": 1.0}, [])])
async def test_delete_and_create_anew_are_an_update_or_nothing(app: App, again: dict[str, Any], expected: list[Any]):
    await thing(app, "a", n=1)
    session = app.session()
    async with session.transaction():
        await (await session.objects(FREE).get("a")).delete()
        assert not await session.objects(FREE).exists("a")
        await FreeObject(FREE, again, pk="a").save()
    assert (await history(app))[1:] == expected


async def test_a_save_that_changes_nothing_writes_nothing(app: App):
    obj = await thing(app, "a", n=1, inner={"x": 1, "y": [1]})
    obj.n = 1.0
    obj.inner = {"y": [1], "x": 1}
    await obj.save()
    async with app.transaction():
        await obj.save()
    assert len(await history(app)) == 1
    assert obj.version == 1


async def test_every_change_of_a_transaction_has_its_author_and_one_request(app: App):
    async with app.transaction(user="eve"):
        for pk in "abc":
            await FreeObject(FREE, {}, pk=pk).save()
    changes = await app.changes(ChangeQuery(ascending=True))
    assert [each.object_pk for each in changes] == ["a", "b", "c"]
    assert {each.user_name for each in changes} == {"eve"}
    assert len({(each.request_id, each.recorded_at) for each in changes}) == 1


# --- unique values --------------------------------------------------------------------------------


async def test_two_unique_values_can_be_swapped_in_one_transaction(app: App):
    await app.objects(Rack).create(pk="a", name="x")
    await app.objects(Rack).create(pk="b", name="y")
    session = app.session()
    async with session.transaction():
        a, b = await session.objects(Rack).get("a"), await session.objects(Rack).get("b")
        a.name, b.name = "y", "x"
        await a.save()
        await b.save()
    assert [(await app.objects(Rack).get(pk)).name for pk in "ab"] == ["y", "x"]
    with pytest.raises(UniqueViolation):
        await app.objects(Rack).create(pk="c", name="x")


@pytest.mark.parametrize("fields", [{"name": "x"}, {"site": "s", "slot": 1}])
async def test_a_value_that_is_taken_is_refused_naming_who_holds_it(app: App, fields: dict[str, Any]):
    await app.objects(Rack).create(pk="a", **fields)
    with pytest.raises(UniqueViolation) as refused:
        await app.objects(Rack).create(pk="b", **fields)
    assert (refused.value.pk, refused.value.holder, refused.value.fields) == ("b", "a", tuple(fields))
    assert "t.rack 'a' has it already" in str(refused.value)
    other = await app.objects(Rack).create(pk="c")
    for field, value in fields.items():
        setattr(other, field, value)
    with pytest.raises(UniqueViolation, match="'a' has it already"):
        await other.save()
    with pytest.raises(UniqueViolation, match="'d' has it already"):
        async with app.transaction():
            await Rack(name="new", pk="d").save()
            await Rack(name="new", pk="e").save()
    assert len(await history(app)) == 2


async def test_unset_and_null_never_collide(app: App):
    for pk in "abcd":
        await app.objects(Rack).create(pk=pk, site="s")
        await app.objects(Rack).create(pk=f"{pk}{pk}", slot=1)


async def test_a_value_is_freed_by_delete_and_by_change(app: App):
    racks = app.objects(Rack)
    first = await racks.create(pk="a", name="x")
    await first.delete()
    second = await racks.create(pk="b", name="x")
    second.name = "y"
    await second.save()
    await racks.create(pk="c", name="x")
    with pytest.raises(UniqueViolation):
        await racks.create(pk="d", name="y")


# --- staleness ------------------------------------------------------------------------------------


async def test_a_field_that_somebody_else_changed_is_not_overwritten(app: App):
    await thing(app, "a", n=1, m=1)
    mine = await app.objects(FREE).get("a")
    theirs = await app.session(user="eve").objects(FREE).get("a")
    theirs.n = 2
    await theirs.save()
    mine.n, mine.m = 3, 3
    with pytest.raises(StaleObject) as stale:
        await mine.save()
    message = str(stale.value)
    assert "field 'n' was 1 when it was loaded and is 2 now (changed by eve), so 3 was not written" in message
    assert (await app.objects(FREE).get("a")).document == {"n": 2, "m": 1}
    await mine.refresh()
    mine.n = 3
    await mine.save()


@pytest.mark.parametrize("in_block", [False, True])
async def test_another_field_is_merged_onto_the_newer_row_and_the_holder_shows_it(app: App, in_block: bool):
    await app.objects(Rack).create(pk="a", name="x", slot=1)
    await thing(app, "a", n=1, m=1)
    session = app.session()
    rack, free = await session.objects(Rack).get("a"), await session.objects(FREE).get("a")
    for object_type, field in ((Rack, "slot"), (FREE, "m")):
        theirs = await app.objects(object_type).get("a")
        setattr(theirs, field, 7)
        await theirs.save()
    rack.name, free.n = "y", 5
    if in_block:
        async with session.transaction():
            await rack.save()
            await free.save()
    else:
        await rack.save()
        await free.save()
    assert (rack.name, rack.slot, free.n, free.m) == ("y", 7, 5, 7)
    rack.name, free.n = "z", 6
    await rack.save()
    await free.save()
    assert (await app.objects(Rack).get("a")).slot == 7
    assert (await app.objects(FREE).get("a")).document == {"n": 6, "m": 7}


async def test_what_was_set_while_a_merged_save_was_under_way_stays_set(app: App):
    await thing(app, "a", n=1, m=1, k=1)
    session = app.session()
    mine = await session.objects(FREE).get("a")
    theirs = await app.objects(FREE).get("a")
    theirs.m = 2
    await theirs.save()
    async with session.transaction():
        mine.n = 2
        await mine.save()
        mine.k = 9
    assert mine.document == {"n": 2, "m": 2, "k": 9}
    assert (await app.objects(FREE).get("a")).document == {"n": 2, "m": 2, "k": 1}


async def test_setting_what_somebody_else_set_too_is_no_conflict(app: App):
    await thing(app, "a", n=1)
    one, two = await app.objects(FREE).get("a"), await app.objects(FREE).get("a")
    one.n = two.n = 2
    await one.save()
    await two.save()
    assert len(await history(app)) == 2


async def test_a_default_that_was_only_shown_conflicts_with_nobody(app: App):
    origin = Origin(user_name="old", context="app", request_id="r")
    old = Write(kind="put", object_type="t.rack", pk="a", document={"name": "x"}, fill=False)
    await app.commit(TransactionRequest(origin=origin, writes=(old,)))
    one, two = await app.objects(Rack).get("a"), await app.objects(Rack).get("a")
    one.note = "theirs"
    await one.save()
    two.slot = 1
    await two.save()
    assert (await history(app))[-1][3] == {"name": "x", "note": "theirs", "slot": 1}


async def test_a_stale_object_refuses_its_whole_transaction(app: App):
    await thing(app, "a", n=1)
    session = app.session()
    mine = await session.objects(FREE).get("a")
    with pytest.raises(StaleObject):
        async with session.transaction():
            await FreeObject(FREE, {}, pk="b").save()
            mine.n = 2
            await mine.save()
            theirs = await app.session().objects(FREE).get("a")
            theirs.n = 3
            await theirs.save()
    assert [entry[:2] for entry in await history(app)] == [("create", "a"), ("update", "a")]
    assert (mine.version, mine.n) == (1, 2)


async def test_what_is_gone_cannot_be_saved_deleted_or_made_twice(app: App):
    obj, same = await thing(app, "a", n=1), await app.objects(FREE).get("a")
    with pytest.raises(ObjectExists):
        await thing(app, "a")
    await obj.delete()
    same.n = 2
    for call in (same.save, same.delete, same.refresh):
        with pytest.raises(ObjectNotFound):
            await call()
    obj.n = 5
    await obj.save()
    assert (await app.objects(FREE).get("a")).n == 5


# --- reading one's own writes ---------------------------------------------------------------------


async def test_a_block_sees_its_own_writes_and_nobody_else_does(app: App):
    await thing(app, "a", n=1)
    await thing(app, "gone", n=1)
    session = app.session()
    things = session.objects(FREE)
    async with session.transaction():
        a = await things.get("a")
        a.n = 5
        await a.save()
        await FreeObject(FREE, {"n": 6}, pk="new").save()
        await (await things.get("gone")).delete()
        assert (await things.get("a")).n == (await things.find("a")).n == 5
        assert (await things.get("new")).n == 6
        assert await things.find("gone") is None
        assert [await things.exists(pk) for pk in ("a", "new", "gone")] == [True, True, False]
        assert [each.pk for each in await things.filter(n__gte=5).order_by("-n")] == ["new", "a"]
        assert await things.filter(n=1).count() == 0
        assert [each.pk async for each in things] == ["a", "new"]
        assert (await things.find(n=6)).pk == "new"
        assert (await a.refresh()).n == 5
        assert [each.pk for each in await app.session().objects(FREE).filter(n=1)] == ["a", "gone"]
        assert [each.pk for each in await app.objects(FREE)] == ["a", "new"]
    assert [each.pk for each in await app.objects(FREE)] == ["a", "new"]


async def test_what_is_set_after_a_save_and_not_saved_is_not_committed(app: App):
    session = app.session()
    async with session.transaction():
        free = await FreeObject(FREE, {"n": 1, "tags": ["x"]}, pk="a").save()
        rack = await Rack(name="r", ports=[Port("p")], pk="a").save()
        free.n = 2
        free.tags.append("unsaved")
        rack.ports.append(Port("unsaved"))
        rack.labels[1] = "unsaved"
    assert [entry[3] for entry in await history(app)] == [
        {"n": 1, "tags": ["x"]},
        {"name": "r", "slot": None, "note": "", "ports": [{"name": "p", "speed": 1}], "labels": {}},
    ]


async def test_a_filter_in_a_block_tells_what_the_commit_would_refuse(app: App):
    await app.objects(Rack).create(pk="a", name="x")
    session = app.session()
    with pytest.raises(UniqueViolation):
        async with session.transaction():
            await Rack(name="x", pk="b").save()
            await session.objects(Rack).filter(name="x").all()


async def test_an_object_read_in_a_block_that_was_undone_never_passes_for_the_newest(app: App):
    await thing(app, "a", n=1, m=1)
    session = app.session()
    with pytest.raises(KeyError):
        async with session.transaction():
            mine = await session.objects(FREE).get("a")
            mine.n = 2
            await mine.save()
            (seen,) = await session.objects(FREE).filter(n=2)
            raise KeyError
    theirs = await app.objects(FREE).get("a")
    theirs.m = 5
    await theirs.save()
    seen.m = 6
    with pytest.raises(StaleObject):
        await seen.save()


# --- leaving no trace -----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyError("mine"), InvalidDocument("x", ()), asyncio.CancelledError()])
async def test_an_exception_leaves_no_trace_and_the_holders_as_they_were(app: App, error: BaseException):
    old = await thing(app, "a", n=1)
    session = app.session()
    with pytest.raises(type(error)):
        async with session.transaction():
            mine = await session.objects(FREE).get("a")
            mine.n = 2
            await mine.save()
            new = await FreeObject(FREE, {"n": 3}).save()
            gone = await session.objects(FREE).get("a")
            await gone.delete()
            raise error
    assert len(await history(app)) == 1
    assert (mine.version, new.version, new.pk) == (old.version, None, None)
    await mine.save()
    await new.save()
    assert [entry[0] for entry in await history(app)] == ["create", "update", "create"]


async def test_a_time_limit_in_a_block_leaves_no_trace(app: App):
    with anyio.move_on_after(0.01):
        async with app.transaction():
            await FreeObject(FREE, {}, pk="a").save()
            await anyio.sleep_forever()
    assert await history(app) == []


@pytest.mark.parametrize("steps", range(6))
async def test_a_filter_that_was_cancelled_in_a_block_harms_nobody(app: App, steps: int):
    session = app.session()

    async def ask() -> None:
        async with session.transaction():
            await FreeObject(FREE, {"n": 1}, pk="never").save()
            await session.objects(FREE).filter(n=1).all()
            await anyio.sleep_forever()

    task = asyncio.create_task(ask())
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await thing(app, "a")
    assert [entry[:2] for entry in await history(app)] == [("create", "a")]


async def test_a_task_that_outlives_the_block_it_was_started_in_writes_on_its_own(app: App):
    over = anyio.Event()

    async def later() -> None:
        await over.wait()
        await FreeObject(FREE, {}, pk="later").save()

    async with anyio.create_task_group() as tasks:
        async with app.transaction():
            await FreeObject(FREE, {}, pk="a").save()
            tasks.start_soon(later)
        over.set()
    assert [entry[1] for entry in await history(app)] == ["a", "later"]


async def test_an_inner_block_joins_the_outer_one(app: App):
    session = app.session()
    with pytest.raises(KeyError):
        async with session.transaction():
            async with session.transaction():
                await FreeObject(FREE, {}, pk="a").save()
            assert await history(app) == []
            await FreeObject(FREE, {}, pk="b").save()
            raise KeyError
    assert await history(app) == []


# --- from threads ---------------------------------------------------------------------------------


async def test_in_a_worker_thread_everything_blocks_and_returns_plain_values(app: App):
    session = app.session()
    things = session.objects(FREE)

    def work() -> list[Any]:
        obj: Any = things.create(pk="a", n=1)
        obj.n = 2
        assert obj.save() is obj
        with session.transaction():
            FreeObject(FREE, {"n": 3}, pk="b").save()  # type: ignore[unused-awaitable]
            found = [each.pk for each in things.filter(n__gt=1)]
        with pytest.raises(KeyError), session.transaction():
            obj.delete()
            raise KeyError
        assert [each.pk for each in things] == ["a", "b"]
        return [found, things.count(), things.first().pk, things.exists("c"), things.page(1).next is not None]

    assert await anyio.to_thread.run_sync(work) == [["a", "b"], 2, "a", False, True]


async def test_in_a_loop_of_its_own_in_a_thread_everything_is_awaited(app: App):
    session = app.session()
    things = session.objects(FREE)

    async def inner() -> list[Any]:
        obj = await things.create(pk="a", n=1)
        obj.n = 2
        await obj.save()
        async with session.transaction():
            await FreeObject(FREE, {"n": 3}, pk="b").save()
            found = [each.pk async for each in things.filter(n__gt=1).order_by("n")]
        many = await asyncio.gather(*(things.filter(n=2) for _ in range(20)), return_exceptions=True)
        assert [[each.pk for each in one] for one in many] == [["a"]] * 20
        return [found, await things.count(), [each.pk for each in await things]]

    async def others() -> None:  # keep the pool busy from the app's own loop meanwhile
        for _ in range(20):
            await asyncio.gather(*(app.objects(FREE).count() for _ in range(10)))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        answer = await anyio.to_thread.run_sync(lambda: asyncio.run(inner()))
    assert answer == [["a", "b"], 2, ["a", "b"]]


class Forgetful(JobHookReceiver):
    class Meta:
        object_types = (FREE,)

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        changed_object.n = 2
        changed_object.save()


async def test_an_awaitable_that_nobody_awaited_fails_the_job_and_names_the_place(tmp_path: Path):
    async with open_app(str(tmp_path / "a.db"), receivers=[Forgetful], object_types=[FREE], load_plugins=False) as app:
        await app.configuration.enable_job("Forgetful")
        await thing(app, "a", n=1)
        await app.drain()
        (result,) = await app.results(ResultQuery())
    assert result.status == "failure"
    assert result.error is not None
    assert f"save() of {FREE} a at test_transactions.py:" in result.error
    assert "was never awaited. Write: await obj.save()" in result.error


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("pk", ["", "a/b", " a", "a\n", "x" * 201, "e\u0301"])
async def test_a_pk_that_cannot_be_is_refused_at_every_door(app: App, pk: str):
    with pytest.raises(InvalidKey):
        await thing(app, pk)
    origin = Origin(user_name="x", context="api", request_id="r")
    put = Write(kind="put", object_type=FREE, pk=pk, document={})
    with pytest.raises(InvalidKey):
        await app.commit(TransactionRequest(origin=origin, writes=(put,)))
    assert await history(app) == []


async def test_a_page_cannot_follow_a_limit(app: App):
    with pytest.raises(QueryError, match="cannot follow limit"):
        await app.objects(FREE).limit(1).page(10)


async def test_a_limit_of_none_at_all_holds_for_first_and_exists(app: App):
    await thing(app, "a")
    nothing = app.objects(FREE).limit(0)
    assert (await nothing.first(), await nothing.exists(), await nothing, await nothing.count()) == (None, False, [], 0)


async def test_of_many_transactions_at_once_only_the_invalid_ones_fail(app: App):
    async def one(number: int) -> BaseException | None:
        kind = number % 4
        try:
            if kind == 0:
                await app.objects(Rack).create(pk=f"r{number}", name=f"name{number}")
            elif kind == 1:
                await app.objects(Rack).create(pk=f"r{number}", name=f"name{number - 1}")
            elif kind == 2:
                await app.objects(Rack).create(pk=f"r{number}", slot="wrong")
            else:
                await thing(app, f"t{number}", big="x" * (1_000_001 if number % 8 == 3 else 1))
        except (UniqueViolation, InvalidDocument) as exc:
            return exc
        return None

    answers = await asyncio.gather(*(one(number) for number in range(200)))
    for number, answer in enumerate(answers):
        expected = (type(None), UniqueViolation, InvalidDocument, InvalidDocument if number % 8 == 3 else type(None))
        assert isinstance(answer, expected[number % 4]), (number, answer)
    assert await app.objects(Rack).count() == 50
    assert await app.objects(FREE).count() == 25
    assert len(await history(app)) == 75
    assert (await app.check()).problems == []


# --- against a model ------------------------------------------------------------------------------

VALUES = st.sampled_from([0, 1, 1.0, True, None, "x", [1], {"k": 1}])
STEPS = st.tuples(
    st.sampled_from(["create", "put", "set", "drop", "delete"]), st.sampled_from("abc"), st.sampled_from("nm"), VALUES
)
TRANSACTIONS = st.lists(st.lists(STEPS, min_size=1, max_size=5), max_size=8)


class Refused(Exception):
    """The model refuses a transaction."""


def play(model: dict[str, dict[str, Any]], steps: list[Any]) -> dict[str, dict[str, Any]]:
    after = dict(model)
    for kind, pk, key, value in steps:
        present = after.get(pk)
        if (kind == "create") is (present is not None) and kind != "put":
            raise Refused
        if kind in ("create", "put"):
            after[pk] = {key: value}
        elif kind == "delete":
            del after[pk]
        elif present is not None:
            kept = {name: old for name, old in present.items() if name != key}
            after[pk] = kept if kind == "drop" else {**present, key: value}
    return after


def write_of(step: Any, versions: dict[str, int]) -> Write:
    kind, pk, key, value = step
    if kind in ("create", "put"):
        return Write(kind=kind, object_type=FREE, pk=pk, document={key: value})
    if kind == "delete":
        return Write(kind="delete", object_type=FREE, pk=pk)
    wanted = msgspec.UNSET if kind == "drop" else value
    return Write(kind="update", object_type=FREE, pk=pk, changes={key: (None, wanted)}, version=versions.get(pk))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=settings.default.max_examples // 2)
@given(transactions=TRANSACTIONS)
def test_random_transactions_leave_the_model_s_state_and_an_unbroken_history(
    tmp_path_factory: pytest.TempPathFactory, transactions: list[list[Any]]
):
    async def run() -> None:
        path = tmp_path_factory.mktemp("model") / "a.db"
        model: dict[str, dict[str, Any]] = {}
        states = [model]
        versions: dict[str, int] = {}
        async with open_app(str(path), object_types=[FREE], load_plugins=False) as app:
            for number, steps in enumerate(transactions):
                origin = Origin(user_name="x", context="api", request_id=f"r{number}")
                request = TransactionRequest(origin=origin, writes=tuple(write_of(step, versions) for step in steps))
                try:
                    model = play(model, steps)
                except Refused:
                    with pytest.raises((ObjectExists, ObjectNotFound)):
                        await app.commit(request)
                else:
                    answer = await app.commit(request)
                    versions.update((pk, row.version) for (_, pk), row in answer.objects.items() if row is not None)
                states.append(model)
            found = {each.pk: each.document for each in await app.objects(FREE)}
            changes = await app.changes(ChangeQuery(ascending=True, limit=1000))
            problems = (await app.check()).problems
        assert problems == []
        assert documents.same(found, model)
        follow(changes, states)

    anyio.run(run)


def follow(changes: list[ChangeRecord], states: list[dict[str, dict[str, Any]]]) -> None:
    """Each change begins where the one before it ended, and each transaction ends in its state."""
    last: dict[str, Any] = {}
    for number, state in enumerate(states[1:]):
        own = [each for each in changes if each.request_id == f"r{number}"]
        for each in own:
            assert documents.same(load(each.prechange), last.get(each.object_pk))
            assert not documents.same(load(each.prechange), load(each.postchange))
            last[each.object_pk] = load(each.postchange)
        assert len(own) - len({each.object_pk for each in own}) <= sum(each.action == "create" for each in own)
        assert documents.same({pk: document for pk, document in last.items() if document is not None}, state)


async def test_what_another_declaration_of_the_type_accepted_is_asked_again(app: App):
    origin = Origin(user_name="ann", context="app", request_id="r1")
    write = Write(
        kind="put",
        object_type="t.rack",
        pk="a",
        document={"name": 7},
        checked=True,
        accepted_by=ObjectType("t.rack"),
    )
    with pytest.raises(InvalidDocument, match="name"):
        await app.commit(TransactionRequest(origin=origin, writes=(write,)))
    assert await history(app) == []
