"""Why a hook ran on a change or why not: every fate, as it was judged then, and hooks tried on past changes."""

import pytest

from buttonhook.configuration import HookDraft
from buttonhook.errors import RecordNotFound
from tests.scenarios.story import all_changes, all_results, hook_up, owner, put

SOURCE = """
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    class A(JobHookReceiver):
        class Meta:
            name = "Job A"

        async def receive_job_hook(self, change, action, changed_object):
            if changed_object and not changed_object.get("seen"):
                changed_object.seen = True
                await changed_object.save()

    class B(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            pass

    class C(B):
        pass

    register_jobs(A, B, C)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other"]
"""
N_IS_5 = [{"type": "preset", "preset": "field_compare", "values": {"field": "n", "operator": "=", "value": 5}}]


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        yield app


async def fates(app, change_id):
    explained = await app.explainer.explain(change_id)
    return {verdict.hook: (verdict.fate, verdict.reason) for verdict in explained.verdicts}


async def test_a_hook_that_fired_is_told_with_its_job_and_all_its_runs(app):
    await hook_up(app, "B")
    await put(app, "a")
    (result,) = await all_results(app)
    again = await (await owner(app, "ann")).runs.rerun(result.id)
    await app.drain()
    (verdict,) = (await app.explainer.explain(1)).verdicts
    assert (verdict.hook, verdict.job, verdict.fate, verdict.reason) == ("on B", "B", "fired", "it fired")
    assert verdict.results == (result.id, again.id)


async def test_every_hook_there_is_has_its_fate_in_the_order_of_names(app):
    setup = app.configuration
    for job in ("A", "B", "C"):
        await setup.enable_job(job)
    await setup.add_hook("1 fires", "A", ["demo.thing"], ["update"])
    await setup.add_hook("2 other type", "B", ["demo.other"])
    await setup.add_hook("3 other actions", "C", ["demo.thing"], ["create", "delete"])
    await setup.add_hook("4 disabled", "C", ["demo.thing"], ["update"], enabled=False)
    await setup.add_hook("5 condition", "B", ["demo.thing"], ["update"], conditions=N_IS_5)
    await put(app, "a", n=1)
    await put(app, "a", n=2)
    assert await fates(app, 2) == {
        "1 fires": ("fired", "it fired"),
        "2 other type": ("not covered", "it is for demo.other, not for demo.thing"),
        "3 other actions": ("not covered", "it is for create, delete, not for update"),
        "4 disabled": ("disabled", "the job hook is disabled"),
        "5 condition": (
            "cut",
            "condition field_compare does not hold: field n is 2, compared with = 5",
        ),
    }
    assert list(await fates(app, 2)) == sorted(await fates(app, 2))


async def test_what_was_judged_at_the_commit_is_told_as_it_was_also_when_everything_is_different_now(app):
    await hook_up(app, "B")
    await put(app, "a", n=1)
    await app.configuration.disable_job("B")
    await put(app, "a", n=2)
    await app.drain()
    await app.configuration.enable_job("B")
    await app.configuration.edit_hook("on B", name="new name", conditions=N_IS_5, enabled=False)
    assert await fates(app, 1) == {"new name": ("fired", "it fired")}
    assert await fates(app, 2) == {"new name": ("cut", "job 'B' is disabled")}


async def test_a_job_that_was_not_installed_is_named(demo):
    async with demo.open() as app:
        await hook_up(app, "A")
    async with demo.open(plugins=[], object_types=["demo.thing"]) as app:
        await put(app, "a")
        (verdict,) = (await app.explainer.explain(1)).verdicts
        assert (verdict.job, verdict.fate, verdict.reason) == ("Job A", "cut", "job demo.A is not installed")


async def test_a_change_by_a_hooks_job_tells_the_cut_and_whose_change_it_was(app):
    await hook_up(app, "A")
    await put(app, "a")
    await app.drain()
    explained = await app.explainer.explain(2)
    (verdict,) = explained.verdicts
    assert verdict.fate == "cut"
    assert verdict.reason == "the change was made by a job hook's job, and the hook does not allow such changes"
    assert explained.notes == ("the change was made by a job, 1 run down its chain of causes",)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        ({"enabled": True}, "would fire"),
        ({"enabled": True, "conditions": N_IS_5}, "would not: condition field_compare does not hold: field n is 1"),
    ],
)
async def test_a_hook_that_was_added_or_edited_since_is_told_with_what_it_would_do_now(app, edit, told):
    await put(app, "a", n=1)
    await hook_up(app, "B")
    added = (await fates(app, 1))["on B"]
    assert added == ("edited since", "it was added or edited after this change; now it would fire")
    await app.configuration.edit_hook("on B", enabled=False)
    await put(app, "b", n=1)
    await app.configuration.edit_hook("on B", **edit)
    fate, reason = (await fates(app, 2))["on B"]
    assert fate == "edited since"
    assert reason.startswith(f"it was added or edited after this change; now it {told}")
    await app.configuration.disable_job("B")
    assert (await fates(app, 2))["on B"][1].endswith("now it would not: job 'B' is disabled")
    assert await all_results(app) == []


async def test_hooks_that_were_removed_since_are_told_whether_they_fired_or_were_cut(app):
    await hook_up(app, "B")
    await app.configuration.enable_job("C")
    await app.configuration.add_hook("on C", "C", ["demo.thing"], conditions=N_IS_5)
    await put(app, "a", n=1)
    (result,) = await all_results(app)
    await app.configuration.remove_hook("on B")
    await app.configuration.remove_hook("on C")
    told = {verdict.hook: verdict for verdict in (await app.explainer.explain(1)).verdicts}
    assert (told["on B"].fate, told["on B"].results) == ("fired", (result.id,))
    assert told["on B"].reason == "it fired; the job hook has been removed since"
    assert told["on C"].fate == "cut"
    assert told["on C"].reason == (
        "condition field_compare does not hold: field n is 1, compared with = 5; the job hook has been removed since"
    )


async def test_saves_that_were_merged_into_one_change_are_told_as_such(app):
    await hook_up(app, "B")
    async with app.transaction():
        for n in range(3):
            await put(app, "a", n=n)
    assert (await app.explainer.explain(1)).notes == (
        "3 writes of one transaction were merged into this change; hooks see it once",
    )
    await put(app, "a", n=9)
    assert (await app.explainer.explain(2)).notes == ()


async def test_a_save_that_changes_nothing_leaves_no_change_and_the_message_says_so(app):
    await hook_up(app, "B")
    await put(app, "a", n=1)
    await put(app, "a", n=1)
    assert len(await all_changes(app)) == 1
    with pytest.raises(RecordNotFound) as unknown:
        await app.explainer.explain(2)
    assert str(unknown.value) == (
        "No change '2' exists. See them with: buttonhook changes list. "
        "A save that changed nothing is not recorded and fires nothing"
    )


# --- trying a hook on a past change ---------------------------------------------------------------


def draft(app, **fields):
    wanted = {"name": "draft", "job": "B", "object_types": ("demo.thing",), **fields}
    return app.configuration.new_hook(HookDraft(**wanted))


async def test_a_hook_that_is_not_saved_is_tried_row_by_row_and_nothing_runs(app):
    await put(app, "a", n=1)
    await put(app, "a", n=5)
    changed = {"type": "preset", "preset": "field_changed", "values": {"field": "n"}}
    by_bob = {"type": "preset", "preset": "user_is", "values": {"username": "bob"}}
    trial = await app.explainer.try_out(draft(app, conditions=(changed, by_bob, *N_IS_5)), 2)
    assert not trial.would_fire
    assert trial.reason == "condition user_is does not hold: the author is ann, wanted bob"
    assert [(row.preset, row.passed) for row in trial.rows] == [
        ("field_changed", True),
        ("user_is", False),
        ("field_compare", True),
    ]
    trial = await app.explainer.try_out(draft(app, conditions=(changed, *N_IS_5)), 2)
    assert (trial.would_fire, trial.reason) == (True, "it would fire")
    assert app.configuration.hooks() == []
    assert await all_results(app) == []
    assert len(await all_changes(app)) == 2


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"object_types": ("demo.other",)}, "it is for demo.other, not for demo.thing"),
        ({"actions": ("delete", "update")}, "it is for delete, update, not for create"),
    ],
)
async def test_a_hook_that_would_not_cover_the_change_says_so_first(app, fields, reason):
    await put(app, "a", n=5)
    trial = await app.explainer.try_out(draft(app, conditions=tuple(N_IS_5), **fields), 1)
    assert (trial.would_fire, trial.reason) == (False, reason)
    assert [row.passed for row in trial.rows] == [True]


async def test_a_saved_hook_can_be_tried_and_so_can_an_edit_of_it(app):
    saved = await hook_up(app, "B")
    await put(app, "a", n=1)
    assert (await app.explainer.try_out(saved, 1)).would_fire
    edit = app.configuration.new_hook(
        HookDraft(name="on B", job="B", object_types=("demo.thing",), conditions=tuple(N_IS_5)), replaces=saved
    )
    assert not (await app.explainer.try_out(edit, 1)).would_fire
    assert app.configuration.get_hook("on B") == saved
    with pytest.raises(RecordNotFound, match="No change '7' exists"):
        await app.explainer.try_out(saved, 7)


async def test_a_trial_judges_the_chain_of_causes_as_the_commit_would_have(app):
    await hook_up(app, "A")
    await put(app, "a")
    await app.drain()
    trial = await app.explainer.try_out(draft(app), 2)
    told = "the change was made by a job hook's job, and the hook does not allow such changes"
    assert (trial.would_fire, trial.reason) == (False, told)
    assert (await app.explainer.try_out(draft(app, allow_job_hook_changes=True), 2)).would_fire
    own = app.configuration.new_hook(
        HookDraft(name="again", job="A", object_types=("demo.thing",), allow_job_hook_changes=True),
        checks_overlap=False,
    )
    trial = await app.explainer.try_out(own, 2)
    assert trial.reason == "its job has run on this object in this chain of causes already"


async def test_what_keeps_a_hook_from_firing_at_all_is_noted_beside_its_trials(app):
    saved = await hook_up(app, "B")
    assert app.explainer.notes_on(saved) == ()
    await app.configuration.disable_job("B")
    off = await app.configuration.edit_hook("on B", enabled=False)
    assert app.explainer.notes_on(off) == ("the job hook is disabled", "job 'B' is disabled")
