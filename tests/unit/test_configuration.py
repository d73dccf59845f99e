"""The set-up through an open app: jobs, hooks, buttons, types."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook import App, JobButtonReceiver, JobHookReceiver, open_app
from buttonhook.errors import ButtonhookError, InvalidKey, RecordConflict, RecordNotFound, UnknownObjectType


class Guard(JobHookReceiver):
    class Meta:
        name = "Serial guard"
        object_types = ("t.a",)
        actions = ("create",)

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None: ...


class Ping(JobButtonReceiver):
    class Meta:
        name = "Ping"

    async def receive_job_button(self, obj: Any) -> None: ...


def opened(path: Path, receivers: tuple[type[Any], ...] = (Guard, Ping)) -> Any:
    return open_app(str(path / "a.db"), receivers=receivers, object_types=["t.a", "t.b"], load_plugins=False)


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with opened(tmp_path) as each:
        yield each


GUARD = f"{__name__}.Guard"


async def test_jobs_begin_disabled_and_are_found_by_path_name_and_class(app: App):
    setup = app.configuration
    assert [(job.name, job.enabled, job.kind) for job in setup.jobs()] == [
        ("Ping", False, "button"),
        ("Serial guard", False, "hook"),
    ]
    assert setup.get_job("Serial guard") == setup.get_job("Guard") == setup.get_job(setup.get_job("Guard").id)
    with pytest.raises(RecordNotFound, match=r"No job 'Serial gard' exists. Did you mean 'Serial guard'\?"):
        setup.get_job("Serial gard")


async def test_the_first_enabling_makes_the_default_hook_and_later_ones_do_not(app: App):
    setup = app.configuration
    job, hook = await setup.enable_job("Guard")
    assert job.enabled
    assert hook is not None
    assert (hook.name, hook.object_types, hook.actions) == ("Serial guard", ("t.a",), ("create",))
    await setup.remove_hook(hook.name)
    await setup.disable_job("Guard")
    assert (await setup.enable_job("Guard"))[1] is None
    assert setup.hooks() == []


async def test_a_job_that_has_a_hook_already_gets_no_default_one(app: App):
    await app.configuration.add_hook("mine", "Guard", ["t.a"])
    assert (await app.configuration.enable_job("Guard"))[1] is None


async def test_a_default_hook_whose_name_is_taken_gets_another(tmp_path: Path):
    class Other(Guard):
        class Meta:
            name = "Other"

    async with opened(tmp_path, (Guard, Other)) as app:
        await app.configuration.add_hook("Serial guard", "Other", ["t.b"])
        _, hook = await app.configuration.enable_job("Guard")
    assert hook is not None
    assert hook.name == "Serial guard (2)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("x", "Nothing", ["t.a"]), RecordNotFound, "No job 'Nothing' exists"),
        (("x", "Ping", ["t.a"]), RecordConflict, "is a job button receiver"),
        (("x", "Guard", []), RecordConflict, "names no object type"),
        (("x", "Guard", ["t.z"]), UnknownObjectType, "'t.z' is not known"),
        (("x", "Guard", ["t.a"], []), RecordConflict, "names no action"),
        (("x", "Guard", ["t.a"], ["explode"]), RecordConflict, "Known: create, update, delete"),
        (("", "Guard", ["t.b"]), RecordConflict, "has an unfit name"),
        ((" x", "Guard", ["t.b"]), RecordConflict, "has an unfit name"),
        (("taken", "Guard", ["t.b"]), RecordConflict, "exists already"),
        (("x", "Guard", ["t.a"], ["create"]), RecordConflict, "overlaps with 'taken'"),
    ],
)
async def test_a_hook_that_cannot_be_is_refused(app: App, arguments: Any, error: type[ButtonhookError], message: str):
    await app.configuration.add_hook("taken", "Guard", ["t.a"])
    with pytest.raises(error, match=message):
        await app.configuration.add_hook(*arguments)
    assert [hook.name for hook in app.configuration.hooks()] == ["taken"]


async def test_a_hook_is_edited_field_by_field_and_does_not_overlap_with_itself(app: App):
    setup = app.configuration
    made = await setup.add_hook("one", "Guard", ["t.a"], ["create", "create"])
    edited = await setup.edit_hook("one", name="two", actions=["create", "update"], enabled=False)
    assert (edited.id, edited.name, edited.object_types, edited.enabled) == (made.id, "two", ("t.a",), False)
    assert made.actions == ("create",)
    with pytest.raises(RecordNotFound):
        setup.get_hook("one")
    assert setup.get_hook("two") == setup.get_hook(made.id) == edited


async def test_buttons_are_checked_and_listed_by_group_weight_and_name(app: App):
    setup = app.configuration
    await setup.add_button("z", "Ping", ["t.a"], group="a", weight=1)
    await setup.add_button("b", "Ping", ["t.a"], "Press", group="a", weight=2)
    await setup.add_button("a", "Ping", ["t.a"], group="b")
    assert [(button.name, button.text) for button in setup.buttons()] == [("z", "z"), ("b", "Press"), ("a", "a")]
    edited = await setup.edit_button("b", name="bb", group="c", confirmation=False)
    assert (edited.name, edited.text, edited.group, edited.confirmation) == ("bb", "Press", "c", False)
    for arguments, fields, message in (
        (("x", "Guard", ["t.a"]), {}, "is a job hook receiver"),
        (("x", "Ping", ["t.a"]), {"style": "loud"}, "unknown style 'loud'"),
        (("a", "Ping", ["t.a"]), {}, "exists already"),
        (("x", "Ping", []), {}, "names no object type"),
    ):
        with pytest.raises(RecordConflict, match=message):
            await setup.add_button(*arguments, **fields)
    assert len(setup.buttons()) == 3


async def test_types_are_declared_once_and_under_fit_names(app: App):
    await app.configuration.declare_type("t.new")
    await app.objects("t.new").create(n=1)
    for name, error in (
        ("t.new", RecordConflict),
        ("t.a", RecordConflict),
        ("New", InvalidKey),
        ("jobs.x", InvalidKey),
    ):
        with pytest.raises(error):
            await app.configuration.declare_type(name)


async def test_the_set_up_outlives_the_app_and_follows_what_is_installed(tmp_path: Path):
    async with opened(tmp_path) as app:
        await app.configuration.enable_job("Guard")
        await app.configuration.declare_type("t.new")
        await app.administration.put_user("ann", permissions=["t.view_a", "t.view_a"])
    async with opened(tmp_path, (Ping,)) as app:
        guard = app.configuration.get_job("Serial guard")
        assert (guard.enabled, guard.installed) == (True, False)
        assert app.registry.find_type("t.new") is not None
        assert [each.permissions for each in app.administration.permissions() if each.name == "ann"] == [("t.view_a",)]
        with pytest.raises(RecordConflict, match="is not installed"):
            await app.configuration.enable_job("Serial guard")
    async with opened(tmp_path) as app:
        assert app.configuration.get_job("Guard").installed
        assert [hook.name for hook in app.configuration.hooks()] == ["Serial guard"]
