"""Cases of the original's own tests that no other file here tells; README.md holds the whole table.

Each test's name begins with the numbers of the case.
"""

import pytest

from buttonhook import JobResultStatus, ObjectChangeAction
from buttonhook.errors import ButtonhookError
from buttonhook.ids import ChangeId
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.types import ObjectType
from buttonhook.records import ResultQuery
from tests.scenarios.story import all_changes, all_results, hook_up, messages_of, only_result, put, until

SOURCE = """
    import asyncio
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    imported = []
    gate = asyncio.Event()

    class Tells(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("change: %s created by %s", change.object_repr, change.user_name)
            self.logger.info("action: %s", action)
            self.logger.info("user: %s", self.job_result.user_name)
            self.logger.info(changed_object.name)

    class Held(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await gate.wait()

    class Levels(JobButtonReceiver):
        async def receive_job_button(self, obj):
            for level, times in (("success", 1), ("info", 2), ("warning", 2), ("failure", 1), ("error", 2)):
                for _ in range(times):
                    getattr(self.logger, level)("a line")

    class Atomic(JobButtonReceiver):
        async def receive_job_button(self, obj):
            async with self.transaction():
                self.logger.info("before the save")
                await self.objects("demo.thing").create(pk=f"made by {obj.pk}")
                self.logger.info("after the save")
                if obj.pk == "fails":
                    raise RuntimeError("rolled back")

    class AtomicPlain(JobButtonReceiver):
        def receive_job_button(self, obj):
            with self.transaction():
                self.logger.info("before the save")
                self.objects("demo.thing").create(pk=f"made by {obj.pk}")
                self.logger.info("after the save")
                if obj.pk == "fails":
                    raise RuntimeError("rolled back")

    imported.append("once")
    register_jobs(Tells, Held, Levels, Atomic, AtomicPlain)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        yield app


async def press(app, job, pk):
    await app.configuration.enable_job(job)
    await app.configuration.add_button(job, job, ["demo.thing"])
    await put(app, pk)
    (pressed,) = await app.press(job, "demo.thing", [pk])
    return await only_result(app, id=pressed.id)


async def delete(app, *pks):
    for pk in pks:
        await (await app.objects("demo.thing").get(pk)).delete()


async def snapshots(app):
    type_ = ObjectType("demo.thing")
    return [ObjectChange(change, type_).get_snapshots() for change in await all_changes(app)]


# --- 8.1 hook receivers and dispatch --------------------------------------------------------------


async def test_8_1_8_a_create_runs_the_hook_and_its_log_is_exactly_this(app):
    await hook_up(app, "Tells")
    async with app.transaction(user="bob"):
        await put(app, "a", name="Test Site 1")
    log = await app.log_entries(await only_result(app))
    assert [(entry.level.word, entry.message) for entry in log] == [
        ("info", "Running job"),
        ("info", "change: Test Site 1 created by bob"),
        ("info", "action: create"),
        ("info", "user: bob"),
        ("info", "Test Site 1"),
        ("success", "Job completed"),
    ]


async def test_8_1_9_a_tag_that_is_added_alone_is_one_update_with_the_tags_on_both_sides(app):
    await put(app, "a", name="a", tags=["x"])
    await hook_up(app, "Tells")
    device = await app.objects("demo.thing").get("a")
    device.tags = [*device.tags, "y"]
    await device.save()
    result = await only_result(app)
    assert "action: update" in await messages_of(app, result)
    assert (await snapshots(app))[-1]["differences"] == {"removed": {"tags": ["x"]}, "added": {"tags": ["x", "y"]}}


# --- 8.5 change logging ---------------------------------------------------------------------------


async def test_8_5_2_4_and_5_a_transaction_leaves_one_change_of_each_object_with_its_snapshots(app):
    async with app.transaction():
        await put(app, "a", n=1)
        await put(app, "a", n=2)
    async with app.transaction():
        await put(app, "a", n=3)
        await delete(app, "a")
    created, deleted = await snapshots(app)
    assert [change.action for change in await all_changes(app)] == ["create", "delete"]
    assert created["prechange"] is None
    assert created["differences"] == {"removed": None, "added": {"n": 2}}
    assert (deleted["prechange"], deleted["postchange"]) == ({"n": 2}, None)
    assert deleted["differences"] == {"removed": {"n": 2}, "added": None}


async def test_8_5_3_create_and_delete_in_one_transaction_fire_for_both_in_order(app):
    await hook_up(app, "Held")
    import demo as plugin

    plugin.gate.set()
    async with app.transaction():
        await put(app, "a")
        await delete(app, "a")
    assert [change.action for change in await all_changes(app)] == ["create", "delete"]
    assert [result.change_ids for result in await all_results(app)] == [(1,), (2,)]


async def test_8_5_6_delete_and_create_anew_under_the_same_pk_are_one_update_of_what_differs(app):
    await put(app, "a", name="a", description="old", kept=1)
    async with app.transaction():
        await delete(app, "a")
        await app.objects("demo.thing").create(pk="a", name="a", description="new", kept=1)
    assert [change.action for change in await all_changes(app)] == ["create", "update"]
    assert (await snapshots(app))[1]["differences"] == {
        "removed": {"description": "old"},
        "added": {"description": "new"},
    }


@pytest.mark.parametrize("context", ["api", "ui", "cli", "import", "webhook", "app"])
async def test_8_5_7_and_20_and_24_and_34_context_and_detail_are_kept(app, context):
    async with app.transaction(user="ann", context=context, detail="dcim:location_add", request_id="r-1"):
        await put(app, "a")
    (change,) = await all_changes(app)
    assert (change.change_context, change.change_context_detail) == (context, "dcim:location_add")
    assert (change.user_name, change.request_id) == ("ann", "r-1")


async def test_8_5_9_an_exception_in_the_block_comes_out_as_it_is_and_nothing_is_recorded(app):
    await hook_up(app, "Held")
    error = ValueError("the user's own")

    async def save_and_raise():
        async with app.transaction():
            await put(app, "a")
            raise error

    with pytest.raises(ValueError, match="the user's own") as raised:
        await save_and_raise()
    assert raised.value is error
    assert await all_changes(app) == []
    assert await all_results(app) == []


async def test_8_5_10_a_block_of_another_author_in_a_block_commits_on_its_own_and_both_are_recorded(app):
    outer = app.session("ann", request_id="outer")
    inner = app.session("bob", request_id="inner")
    async with outer.transaction():
        await outer.objects("demo.thing").create(pk="a")
        async with inner.transaction():
            await inner.objects("demo.thing").create(pk="b")
        assert [change.object_pk for change in await all_changes(app)] == ["b"]
        await outer.objects("demo.thing").create(pk="c")
    told = [(change.object_pk, change.user_name, change.request_id) for change in await all_changes(app)]
    assert told == [("b", "bob", "inner"), ("a", "ann", "outer"), ("c", "ann", "outer")]


async def test_8_5_13_and_14_deletes_in_bulk_carry_the_user_and_one_request(app):
    for pk in "abc":
        await put(app, pk, name=pk.upper())
    async with app.transaction(user="bob"):
        await delete(app, "a", "b", "c")
    deleted = await all_changes(app, user_name="bob")
    assert [(change.action, change.object_repr) for change in deleted] == [("delete", each) for each in "ABC"]
    assert len({change.request_id for change in deleted}) == 1


async def test_8_5_18_an_edit_in_bulk_fires_once_for_each_object_and_imports_the_jobs_once(app):
    for pk in "abc":
        await put(app, pk, name=pk, status="planned")
    await hook_up(app, "Tells")
    async with app.transaction(user="bob"):
        for pk in "abc":
            await put(app, pk, status="active")
    results = await all_results(app)
    assert [(result.object_pk, result.user_name, result.status.value) for result in results] == [
        (pk, "bob", "success") for pk in "abc"
    ]
    for each in (await snapshots(app))[3:]:
        assert each["prechange"]["status"] == "planned"  # the original has null here, having logged nothing before
        assert each["differences"] == {"removed": {"status": "planned"}, "added": {"status": "active"}}
    import demo as plugin

    assert plugin.imported == ["once"]


async def test_8_5_21_to_23_and_27_to_30_a_life_is_recorded_whole_and_its_name_outlives_it(app):
    async with app.transaction(user="ann"):
        await put(app, "a", name="Site", fields={"cf": 1}, tags=["x"])
    async with app.transaction(user="bob"):
        await put(app, "a", fields={"cf": 2})
    async with app.transaction(user="eve"):
        await delete(app, "a")
    told = [(each.action.value, each.user_name, each.object_repr) for each in await all_changes(app)]
    assert told == [("create", "ann", "Site"), ("update", "bob", "Site"), ("delete", "eve", "Site")]
    first, second, last = await snapshots(app)
    assert first["postchange"] == second["prechange"] == {"name": "Site", "fields": {"cf": 1}, "tags": ["x"]}
    assert second["postchange"] == last["prechange"] == {"name": "Site", "fields": {"cf": 2}, "tags": ["x"]}


async def test_8_5_26_changes_of_a_type_that_is_gone_are_still_read(demo):
    async with demo.open() as app:
        await put(app, "a", name="a")
    async with demo.open(plugins=[]) as app:
        assert not app.registry.is_installed("demo.thing")
        (change,) = await all_changes(app)
        assert (change.object_type, change.object_repr) == ("demo.thing", "a")
        assert (await app.explainer.explain(change.id)).verdicts == ()


async def test_8_5_35_and_36_a_field_and_a_list_in_one_save_are_one_change_with_both(app):
    await put(app, "a", name="a", tags=["x"])
    await put(app, "a", name="b", tags=["x", "y"])
    assert [change.action for change in await all_changes(app)] == ["create", "update"]
    assert (await snapshots(app))[1]["differences"] == {
        "removed": {"name": "a", "tags": ["x"]},
        "added": {"name": "b", "tags": ["x", "y"]},
    }


async def test_8_5_filters_changes_are_found_by_who_what_and_which(app):
    async with app.transaction(user="bob"):
        await put(app, "a")
    await put(app, "a", n=1)
    await put(app, "b")
    for query, ids in (
        ({"user_name": "bob"}, [1]),
        ({"object_type": "demo.thing", "object_pk": "a"}, [1, 2]),
        ({"action": ObjectChangeAction.UPDATE}, [2]),
        ({"ids": (ChangeId(3), ChangeId(1))}, [1, 3]),
    ):
        assert [change.id for change in await all_changes(app, **query)] == ids


# --- 8.6 running ----------------------------------------------------------------------------------


async def test_8_6_4_while_it_runs_a_result_is_started_and_tells_since_when(app):
    import demo as plugin

    await hook_up(app, "Held")
    await put(app, "a")
    running = ResultQuery(status=JobResultStatus.STARTED)

    async def is_running():
        return bool(await app.results(running))

    await until(is_running)
    (result,) = await app.results(running)
    assert (result.status, result.ended_at) == (JobResultStatus.STARTED, None)
    assert result.started_at is not None
    plugin.gate.set()
    ended = await only_result(app)
    assert ended.started_at == result.started_at <= ended.ended_at


@pytest.mark.parametrize("job", ["Atomic", "AtomicPlain"])
@pytest.mark.parametrize("pk", ["passes", "fails"])
async def test_8_6_7_a_transaction_is_kept_or_rolled_back_and_the_log_lines_stay(app, job, pk):
    result = await press(app, job, pk)
    made = await app.objects("demo.thing").exists(f"made by {pk}")
    messages = [entry.message for entry in await app.log_entries(result)]
    if pk == "passes":
        assert (result.status, made) == (JobResultStatus.SUCCESS, True)
        assert messages == ["Running job", "before the save", "after the save", "Job completed"]
    else:
        assert (result.status, made, result.error) == (JobResultStatus.FAILURE, False, "RuntimeError: rolled back")
        assert messages == ["Running job", "before the save", "after the save", "RuntimeError: rolled back"]


async def test_8_6_10_lines_are_counted_by_level(app):
    result = await press(app, "Levels", "a")
    words = [entry.level.word for entry in await app.log_entries(result)]
    counts = {word: words.count(word) for word in ("debug", "success", "info", "warning", "failure", "error")}
    assert counts == {"debug": 0, "success": 2, "info": 3, "warning": 2, "failure": 1, "error": 2}


async def test_8_6_12_the_latest_result_of_a_job_is_the_first_one_told(app):
    await hook_up(app, "Tells")
    for n in range(3):
        await put(app, "a", name="a", n=n)
    await app.drain()
    (latest,) = await app.results(ResultQuery(job="demo.Tells", limit=1))
    assert latest.change_ids == (3,)


async def test_8_7_a_disabled_and_an_unknown_job_cannot_be_pressed(app):
    with pytest.raises(ButtonhookError, match="No job 'Nothing' exists"):
        await app.configuration.add_button("x", "Nothing", ["demo.thing"])
    await put(app, "a")
    await app.configuration.add_button("x", "Levels", ["demo.thing"])
    with pytest.raises(ButtonhookError, match="its job 'Levels' is disabled"):
        await app.press("x", "demo.thing", ["a"])
