"""Pressing a button on one object or many, and every press that is refused."""

import pytest

from buttonhook import JobResultStatus, ObjectNotFound
from buttonhook.errors import PressRefused, RecordConflict, RecordNotFound, UnknownObjectType
from tests.scenarios.story import all_results, hook_up, messages_of, presser, put

SOURCE = """
    import asyncio
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    gate = asyncio.Event()

    class Greet(JobButtonReceiver):
        class Meta:
            name = "Greeting"

        async def receive_job_button(self, obj):
            self.logger.info("Hello %s from %s", obj.name, self.user, extra={"object": obj})
            return {"greeted": obj.pk}

    class Wait(JobButtonReceiver):
        async def receive_job_button(self, obj):
            await gate.wait()
            return obj.name

    class Hook(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            pass

    register_jobs(Greet, Wait, Hook)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other"]
"""


@pytest.fixture
async def app(stage):
    stage.install("demo", SOURCE)
    async with stage.open() as app:
        for name in ("a", "b", "c"):
            await put(app, name, name=name.upper())
        await app.configuration.enable_job("Greeting")
        await app.configuration.add_button("Greet", "Greeting", ["demo.thing"])
        yield app


async def test_a_press_on_one_object_runs_the_receiver_on_it_in_the_pressers_name(app):
    (pressed,) = await app.press("Greet", "demo.thing", ["a"], user=await presser(app, "bob"))
    assert (pressed.status, pressed.occasion) == (JobResultStatus.PENDING, "Greet")
    (result,) = await all_results(app)
    assert (result.id, result.status, result.result) == (pressed.id, JobResultStatus.SUCCESS, '{"greeted":"a"}')
    assert await messages_of(app, result) == ["Hello A from bob"]


async def test_a_press_on_many_makes_one_result_each_and_one_only_for_an_object_named_twice(app):
    pressed = await app.press("Greet", "demo.thing", ["b", "a", "b", "c"])
    assert [result.object_pk for result in pressed] == ["b", "a", "c"]
    assert len({result.id for result in pressed}) == 3
    assert {result.status for result in await all_results(app)} == {JobResultStatus.SUCCESS}


async def test_a_press_on_a_missing_object_is_refused_whole(app):
    with pytest.raises(ObjectNotFound, match=r"No demo.thing 'nobody' exists"):
        await app.press("Greet", "demo.thing", ["a", "nobody"])
    assert await all_results(app) == []


async def test_a_press_on_another_type_is_refused(app):
    await put(app, "x", "demo.other")
    with pytest.raises(PressRefused, match=r"'Greet' cannot be pressed: it is for demo.thing, not for demo.other"):
        await app.press("Greet", "demo.other", ["x"])
    with pytest.raises(UnknownObjectType):
        await app.press("Greet", "demo.nothing", ["x"])


async def test_a_disabled_button_or_job_is_not_pressed_and_the_message_tells_how_to_enable_it(app):
    await app.configuration.edit_button("Greet", enabled=False)
    with pytest.raises(PressRefused, match=r"it is disabled. Enable it: buttonhook buttons edit 'Greet' --enabled"):
        await app.press("Greet", "demo.thing", ["a"])
    await app.configuration.edit_button("Greet", enabled=True)
    await app.configuration.disable_job("Greeting")
    with pytest.raises(PressRefused, match=r"its job 'Greeting' is disabled. Enable it: buttonhook jobs enable"):
        await app.press("Greet", "demo.thing", ["a"])
    assert await all_results(app) == []


async def test_an_unknown_button_is_answered_with_the_nearest_name(app):
    with pytest.raises(RecordNotFound, match=r"No job button 'Gret' exists. Did you mean 'Greet'"):
        await app.press("Gret", "demo.thing", ["a"])


async def test_a_run_whose_object_is_gone_when_it_begins_fails_with_the_reason(stage):
    stage.install("demo", SOURCE)
    async with stage.open(max_running=1) as app:
        import demo as plugin

        await put(app, "a", name="A")
        await put(app, "b", name="B")
        await app.configuration.enable_job("Wait")
        await app.configuration.add_button("Wait", "Wait", ["demo.thing"])
        await app.press("Wait", "demo.thing", ["a", "b"])
        await (await app.objects("demo.thing").get("b")).delete()
        plugin.gate.set()
        first, second = await all_results(app)
        assert (first.status, first.result) == (JobResultStatus.SUCCESS, '"A"')
        assert (second.status, second.error) == (JobResultStatus.FAILURE, "demo.thing 'b' does not exist any more")


async def test_a_button_whose_package_is_gone_is_not_pressed(stage):
    stage.install("demo", SOURCE)
    async with stage.open() as app:
        await put(app, "a")
        await app.configuration.enable_job("Greeting")
        await app.configuration.add_button("Greet", "Greeting", ["demo.thing"])
    async with stage.open(plugins=[], object_types=["demo.thing"]) as app:
        with pytest.raises(PressRefused, match=r"its job demo.Greet is not installed"):
            await app.press("Greet", "demo.thing", ["a"])


async def test_a_button_needs_a_button_receiver_and_a_hook_a_hook_receiver(app):
    with pytest.raises(RecordConflict, match="is a job hook receiver"):
        await app.configuration.add_button("Wrong", "Hook", ["demo.thing"])
    with pytest.raises(RecordConflict, match="is a job button receiver"):
        await hook_up(app, "Greeting")
