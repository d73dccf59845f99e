"""Plugins are upgraded, removed and brought back; what they stored is read, told, mended and never lost."""

import sys
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

from buttonhook import App, FreeObject, InvalidDocument, JobButtonReceiver, JobHookReceiver, UniqueViolation, open_app
from buttonhook.errors import TypeNotInstalled, UnknownObjectType
from buttonhook.ids import ObjectChangeAction
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.session import Write
from buttonhook.old_data import find_old, upgrade
from buttonhook.settings import Settings
from tests.scenarios.old_racks import V1, V2, V3
from tests.scenarios.story import Stage, all_changes, all_results, hook_up, messages_of, only_result

TYPE = "acme.rack"
HERE = "tests.scenarios.test_old_data"


class Watcher(JobHookReceiver):
    """Tells which form it was given."""

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        differences = change.get_snapshots()["differences"]
        self.logger.info("%s %s %s", action.value, type(changed_object).__name__, sorted(differences["removed"] or ()))


class Taker(Watcher):
    """Takes what no struct accepts."""

    class Meta:
        free_documents = True


class Presser(JobButtonReceiver):
    """Tells what it was pressed on."""

    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info("pressed on %s", type(obj).__name__)


def opened(stage: Stage, version: str = "", *, dispatch: bool = True) -> AbstractAsyncContextManager[App]:
    """The app with this version of the plugin, or without it."""
    folder = stage.folder / "plugins"
    folder.mkdir(exist_ok=True)
    sys.modules.pop("acme_racks", None)
    (folder / "acme_racks.py").write_text(version, encoding="utf-8")
    settings = Settings(db=stage.database, allowed_plugins=(), plugins_dir=str(folder), lock_wait=0.0, user="ann")
    return open_app(settings=settings, receivers=[Watcher, Taker, Presser], dispatch=dispatch)


async def store(stage: Stage) -> None:
    """What version 1 leaves: racks a and c can be mended, b cannot; hooks and a button on them."""
    async with opened(stage, V1) as app:
        async with app.transaction():
            for pk, fields in {"a": {"room": "A1"}, "b": {"height": "tall"}, "c": {}}.items():
                await FreeObject(TYPE, {"name": f"r-{pk}", "height": "42", "unknown": [1, 1.0], **fields}, pk=pk).save()
            await FreeObject("acme.note", {"text": "hello"}, pk="n").save()
        for receiver in ("Watcher", "Taker"):
            await hook_up(app, f"{HERE}.{receiver}", TYPE)
        await app.configuration.enable_job(f"{HERE}.Presser")
        await app.configuration.add_button("Press", f"{HERE}.Presser", [TYPE], text="Press")


async def rename_but_run_nothing(stage: Stage, pk: str) -> None:
    async with opened(stage, V1, dispatch=False) as app:
        rack: Any = await app.objects(TYPE).get(pk)
        rack.name = "renamed"
        await rack.save()


async def old_things(app: App) -> dict[str, tuple[int, int, int]]:
    """By type: how many objects, how many can be mended, how many are invalid."""
    found = find_old(app.registry, app.reader)
    return {each.type.name: (each.objects, each.mendable, each.invalid) async for each in found}


# --- what a struct refuses ------------------------------------------------------------------------


async def test_every_way_to_read_gives_an_object_that_tells_what_is_wrong_with_it(stage: Stage):
    await store(stage)
    async with opened(stage, V2) as app:
        racks: Any = app.objects(TYPE)
        found = [await racks.get("a"), await racks.get(name="r-a"), await racks.find("a"), await racks.first()]
        found += [(await racks)[0], (await racks.page()).objects[0], await anext(aiter(racks))]
        for rack in found:
            assert type(rack) is FreeObject
            assert [(fault.path, fault.message) for fault in rack.invalid] == [("height", "expected `int`, got `str`")]
            assert rack.document["unknown"] == [1, 1.0]
        assert await racks.count() == 3
        assert await old_things(app) == {TYPE: (3, 0, 3)}


async def test_an_invalid_object_is_mended_by_a_save_that_is_valid(stage: Stage):
    await store(stage)
    async with opened(stage, V2) as app:
        rack: Any = await app.objects(TYPE).get("a")
        rack.height = 45
        with pytest.raises(InvalidDocument, match="front-room"):
            await rack.save()
        assert rack.invalid
        rack["front-room"] = "A1"
        await rack.save()
        assert rack.invalid == ()
        mended: Any = await app.objects(TYPE).get("a")
        assert (type(mended).__name__, mended.front_room) == ("Rack", "A1")
        assert mended.document["unknown"] == [1, 1.0]


async def test_an_invalid_object_is_mended_by_update_or_create_in_a_block_and_seen_by_refresh(stage: Stage):
    await store(stage)
    async with opened(stage, V2) as app:
        rack, is_new = await app.objects(TYPE).update_or_create("c", defaults={"height": 1, "front_room": "C1"})
        assert (is_new, rack.invalid, rack.document["front-room"]) == (False, (), "C1")
        waiting: Any = await app.objects(TYPE).get("b")
        async with app.transaction():
            there: Any = await app.objects(TYPE).get("b")
            there.height, there["front-room"] = 2, "B1"
            await there.save()
        assert there.invalid == ()
        await waiting.refresh()
        assert (waiting.invalid, waiting.height) == ((), 2)


async def test_a_receiver_gets_an_invalid_object_only_if_it_takes_free_documents(stage: Stage):
    await store(stage)
    await rename_but_run_nothing(stage, "a")
    async with opened(stage, V2) as app:
        by_job = {each.job.rpartition(".")[2]: each for each in await all_results(app)}
        failed = by_job["Watcher"]
        assert (failed.status, failed.attempt, failed.traceback) == ("failure", 1, None)
        assert failed.error == (
            "acme.rack 'a' was not given to the receiver, for its type does not accept it: height: expected `int`, got "
            "`str`. Mend it with: buttonhook objects put acme.rack a --set FIELD=VALUE"
        )
        assert await messages_of(app, failed) == [failed.error]
        assert await messages_of(app, by_job["Taker"]) == ["update FreeObject ['name']"]


async def test_a_button_is_not_run_on_an_invalid_object_and_a_delete_is_as_ever(stage: Stage):
    await store(stage)
    async with opened(stage, V2) as app:
        await app.press("Press", TYPE, ["a"])
        pressed = await only_result(app)
        assert pressed.status == "failure"
        assert pressed.error is not None
        assert "acme.rack 'a' was not given to the receiver" in pressed.error
        await (await app.objects(TYPE).get("a")).delete()
        deleted = (await all_results(app))[1:]
        assert [each.status for each in deleted] == ["success", "success"]
        assert [await messages_of(app, each) for each in deleted] == [
            ["delete NoneType ['height', 'name', 'room', 'unknown']"]
        ] * 2


# --- types whose plugin is gone -------------------------------------------------------------------


async def test_objects_of_a_type_that_is_gone_are_read_and_deleted_but_not_written(stage: Stage):
    await store(stage)
    async with opened(stage) as app:
        racks: Any = app.objects(TYPE)
        rack: Any = await racks.get(name="r-a")
        assert [fault.message for fault in rack.invalid] == ["object type acme.rack is not installed"]
        assert await racks.count() == 3
        rack.height = "1"
        with pytest.raises(TypeNotInstalled, match=r"object type acme\.rack is not installed; install the package"):
            await rack.save()
        with pytest.raises(TypeNotInstalled):
            await app.objects("acme.note").create(text="more")
        await rack.delete()
        assert not await racks.exists("a")
        assert await old_things(app) == {TYPE: (2, 0, 0), "acme.note": (1, 0, 0)}
        assert (await app.check()).problems == []
        with pytest.raises(UnknownObjectType, match=r"Did you mean 'acme\.rack'"):
            app.objects("acme.rak")


async def test_all_goes_on_when_the_package_is_back(stage: Stage):
    await store(stage)
    await rename_but_run_nothing(stage, "a")
    async with opened(stage) as app:
        by_job = {each.job.rpartition(".")[2]: each for each in await all_results(app)}
        assert by_job["Watcher"].status == "failure"
        assert "Install the package that declares the type" in str(by_job["Watcher"].error)
        assert await messages_of(app, by_job["Taker"]) == ["update FreeObject ['name']"]
        await (await app.objects(TYPE).get("a")).delete()
        assert len(await all_results(app)) == 4
    async with opened(stage, V1) as app:
        await app.objects(TYPE).create(pk="d", name="renamed")  # the delete gave the unique name free
        with pytest.raises(UniqueViolation):
            await app.objects(TYPE).create(pk="e", name="r-b")
        assert [each.status for each in await all_results(app)][4:] == ["success", "success"]
        assert await old_things(app) == {}


async def test_a_type_that_is_gone_can_be_kept_as_a_free_one(stage: Stage):
    await store(stage)
    async with opened(stage) as app:
        await app.configuration.declare_type(TYPE)
        rack: Any = await app.objects(TYPE).get("b")
        assert rack.invalid == ()
        rack.height = {"any": "thing"}
        await rack.save()
    async with opened(stage, V1) as app:
        assert (await app.objects(TYPE).get("b")).invalid[0].path == "height"


# --- mending --------------------------------------------------------------------------------------


async def test_a_plugin_mends_on_reading_and_the_next_save_writes_it_down(stage: Stage):
    await store(stage)
    async with opened(stage, V3) as app:
        before = len(await all_changes(app))
        rack: Any = await app.objects(TYPE).get("a")
        assert (type(rack).__name__, rack.height, rack.front_room, rack.version) == ("Rack", 42, "A1", 1)
        assert rack.document["unknown"] == [1, 1.0]
        await rack.refresh()
        assert rack.height == 42
        assert len(await all_changes(app)) == before, "reading writes nothing"
        assert await app.objects(TYPE).filter(height=42).count() == 0, "filters look at what is stored"
        await rack.save()
        (change,) = await all_changes(app, object_type=TYPE, action=ObjectChangeAction.UPDATE)
        assert change.postchange == ('{"name":"r-a","height":42,"unknown":[1,1.0],"room":"A1","front-room":"A1"}')
        version = rack.version
        await rack.save()
        assert rack.version == version
        assert (await app.objects(TYPE).get("b")).invalid[0].path == "height"


async def test_a_mended_object_is_saved_with_its_edits_beside_those_of_others(stage: Stage):
    await store(stage)
    async with opened(stage, V3) as app:
        one: Any = await app.objects(TYPE).get("a")
        two: Any = await app.objects(TYPE).get("a")
        one.name = "mine"
        await one.save()
        two.front_room = "B2"
        with pytest.raises(Exception, match="'front-room' was unset when it was loaded"):
            await two.save()
        await two.refresh()
        two.front_room = "B2"
        async with app.transaction():
            three: Any = await app.objects(TYPE).get("c")
            three.height = 7
            await three.save()
            await three.refresh()
            assert three.height == 7
            await two.save()
        assert (three.height, three.document["front-room"], two.document["name"]) == (7, "none", "mine")


async def test_a_block_that_fails_leaves_a_mended_object_to_be_saved_again(stage: Stage):
    await store(stage)
    async with opened(stage, V3) as app:
        rack: Any = await app.objects(TYPE).get("a")
        block = app.transaction()
        await block.__aenter__()
        await rack.save()
        await block.__aexit__(ZeroDivisionError, ZeroDivisionError(), None)
        await rack.save()
        assert await old_things(app) == {TYPE: (3, 1, 1)}


async def test_upgrading_saves_what_can_be_mended_once_and_fires_hooks(stage: Stage):
    await store(stage)
    async with opened(stage, V3) as app:
        type_ = app.registry.get_type(TYPE)
        dry = [each async for each in upgrade(type_, app.reader, app, app.session(), is_dry=True)][-1]
        assert (dry.mendable, dry.saved) == (2, 0)
        done = [each async for each in upgrade(type_, app.reader, app, app.session())][-1]
        assert (done.objects, done.mendable, done.saved, done.refused) == (3, 2, 2, 0)
        assert [each.status for each in await all_results(app)] == ["success"] * 4
        again = [each async for each in upgrade(type_, app.reader, app, app.session())][-1]
        assert (again.mendable, again.saved) == (0, 0)
        assert await old_things(app) == {TYPE: (3, 0, 1)}


async def test_upgrading_leaves_alone_what_breaks_a_rule_and_tells_it(stage: Stage):
    await store(stage)
    clash = V3.replace('**data, "height"', '**data, "name": "same", "height"')
    async with opened(stage, clash) as app:
        type_ = app.registry.get_type(TYPE)
        done = [each async for each in upgrade(type_, app.reader, app, app.session())][-1]
        assert (done.mendable, done.saved, done.refused) == (2, 1, 1)
        (error,) = done.errors
        assert error.startswith("acme.rack 'c' cannot have name = 'same': acme.rack 'a' has it already.")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise ValueError('no idea')", "ValueError: no idea"),
        ("raise SystemExit('no idea')", "SystemExit: no idea"),
        ("return 7", "TypeError: buttonhook_upgrade_object gave int, not a dict"),
        ("return {'name': 1}", "what it gave does not fit: name: expected `str`, got `int`"),
        ("return {**data, 'height': float('nan')}", "what it gave is not valid: height: nan is not a JSON number"),
        ("data.clear()\n    return {}", "what it gave does not fit: Object missing required field `name`"),
    ],
)
async def test_a_plugin_that_cannot_mend_is_named_in_the_reasons(stage: Stage, body: str, told: str):
    await store(stage)
    head = V3.partition("    if object_type")[0]
    async with opened(stage, f"{head}    {body}\n") as app:
        rack: Any = await app.objects(TYPE).get("a")
        assert [fault.message for fault in rack.invalid] == [
            "expected `int`, got `str`",
            f"plugin 'acme_racks' could not bring it up to date: {told}",
        ]
        assert rack.document["name"] == "r-a"


@pytest.mark.parametrize(("raised", "told"), [("KeyError('u')", "KeyError: 'u'"), ("SystemExit(3)", "SystemExit: 3")])
async def test_an_object_is_read_and_told_as_invalid_though_the_code_of_its_struct_fails(
    stage: Stage, raised: str, told: str
):
    await store(stage)
    fails = f"    def __post_init__(self):\n        if self.name != 'new': raise {raised}\n"
    async with opened(stage, V1.replace('    height: str = "42"\n', f'    height: str = "42"\n{fails}')) as app:
        rack: Any = await app.objects(TYPE).get("a")
        assert [fault.message for fault in rack.invalid] == [told]
        assert await old_things(app) == {TYPE: (3, 0, 3)}
        write = Write(kind="create", object_type=TYPE, pk="n", document={"name": "other"})
        with pytest.raises(InvalidDocument, match=told):
            await app.commit(app.session().request((write,)))


async def test_history_is_shown_as_it_was_and_not_mended(stage: Stage):
    await store(stage)
    async with opened(stage, V3) as app:
        record = (await all_changes(app, object_type=TYPE))[0]
        then: Any = ObjectChange(record, app.registry.get_type(TYPE)).object()
        assert (type(then), then.height) == (FreeObject, "42")


async def test_a_hookimpl_that_is_async_is_told_at_load(stage: Stage):
    await store(stage)
    async with opened(stage, V3.replace("def buttonhook_upgrade", "async def buttonhook_upgrade")) as app:
        (report,) = [each for each in app.plugins if each.name == "acme_racks"]
        assert "buttonhook_upgrade_object as an async function" in report.errors[0]
        assert (await app.objects(TYPE).get("a")).invalid
