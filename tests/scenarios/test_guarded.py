"""What one user's way in tells of what they may not see, and does not ask of what stays as it is."""

import pytest
from msgspec.structs import replace

from buttonhook.access import objects as guarded
from buttonhook.errors import PressRefused, QueryTooSlow, RecordNotFound, UniqueViolation
from buttonhook.objects.session import Write
from buttonhook.people import Constraint
from buttonhook.records import Job
from tests.scenarios.story import hook_up, only_result, put

SOURCE = """
    from buttonhook import JobButtonReceiver, JobHookReceiver, Ref, TrackedObject, hookimpl, register_jobs

    class Site(TrackedObject, object_type="lab.site"):
        name: str = ""

    class Box(TrackedObject, object_type="lab.box", unique=("name",)):
        name: str
        site: Ref[Site] | None = None
        rack: str = ""

    class Listens(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            pass

    class Press(JobButtonReceiver):
        async def receive_job_button(self, obj):
            pass

    register_jobs(Listens, Press)

    @hookimpl
    def buttonhook_object_types():
        return [Site, Box]
"""


@pytest.fixture
async def app(stage):
    stage.install("lab", SOURCE)
    async with stage.open() as app:
        yield app


async def give(app, *permissions, **fields):
    """What bob may do from now on besides what he could; `fields` narrow it."""
    if not any(each.name == "bob" for each in app.administration.users()):
        await app.administration.add_user("bob")
    rows = [Constraint(name, "=", value) for name, value in fields.items()]
    await app.administration.grant(permissions, users=["bob"], constraints=rows)
    return app.access("bob")


async def test_those_who_refer_are_found_behind_many_that_may_not_be_seen_or_it_is_said_that_it_takes_too_long(
    app, monkeypatch
):
    await put(app, "s1", "lab.site")
    for number in range(7):
        await put(app, f"b{number}", "lab.box", name=str(number), site="s1", rack="mine" if number > 4 else "")
    await give(app, "lab.view_site")
    bob = await give(app, "lab.view_box", rack="mine")
    monkeypatch.setattr(guarded, "PAGE", 2)
    assert [each[1] for each in await bob.session.referrers(("lab.site", "s1"))] == ["b5", "b6"]
    assert [each[1] for each in await bob.session.referrers(("lab.site", "s1"), limit=1)] == ["b5"]
    behind = await bob.session.referrers(("lab.site", "s1"), after=("lab.box", "b5", "site"))
    assert [each[1] for each in behind] == ["b6"]
    monkeypatch.setattr(guarded, "DEADLINE_SECONDS", -1.0)
    with pytest.raises(QueryTooSlow):
        await bob.session.referrers(("lab.site", "s1"))


async def test_who_writes_two_objects_with_the_same_value_is_told_which_they_are(app):
    bob = await give(app, "lab.add_box", "lab.view_box")
    writes = [Write(kind="create", object_type="lab.box", pk=pk, document={"name": "same"}) for pk in ("b1", "b2")]
    with pytest.raises(UniqueViolation) as refused:
        await bob.session.commit(tuple(writes))
    assert (refused.value.pk, refused.value.holder) == ("b2", "b1")


async def test_an_explanation_names_no_run_that_may_not_be_seen(app):
    await hook_up(app, "Listens", "lab.box")
    await put(app, "b1", "lab.box", name="one")
    await app.drain()
    result = await only_result(app)
    bob = await give(app, "jobs.view_objectchange", "jobs.view_jobhook", "lab.view_box")
    (verdict,) = (await bob.explain(result.change_ids[0])).verdicts
    assert (verdict.fate, verdict.results) == ("fired", ())
    bob = await give(app, "jobs.view_jobresult")
    (verdict,) = (await bob.explain(result.change_ids[0])).verdicts
    assert verdict.results == (result.id,)


async def test_who_edits_a_hook_or_button_need_not_see_the_job_that_stays(app):
    await hook_up(app, "Listens", "lab.box")
    await app.configuration.add_button("Go", "Press", ["lab.box"])
    hook = app.configuration.hooks()[0]
    await give(app, "jobs.change_jobhook", "jobs.change_jobbutton")
    bob = await give(app, "jobs.view_jobhook", "jobs.view_jobbutton")
    assert not (await bob.configuration.edit_hook(hook.name, enabled=False)).enabled
    assert (await bob.configuration.edit_button("Go", text="Now")).text == "Now"
    for edit in (bob.configuration.edit_hook(hook.name, job="Press"), bob.configuration.edit_button("Go", job="Go")):
        with pytest.raises(RecordNotFound, match=r"^No job"):
            await edit


async def test_a_button_whose_job_became_another_kind_of_receiver_is_not_pressed(app):
    await put(app, "b1", "lab.box", name="one")
    await app.configuration.enable_job("Press")
    await app.configuration.add_button("Go", "Press", ["lab.box"])
    (job,) = [each for each in app.registry.all(Job) if each.name == "Press"]
    app.registry.put([replace(job, kind="hook")])
    with pytest.raises(PressRefused, match="'Press' is a job hook receiver now"):
        await app.access().runs.press("Go", "lab.box", ["b1"])
