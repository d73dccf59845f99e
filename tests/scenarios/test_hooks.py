"""The job hook record: which may stand beside each other, in what order they fire, on whose authority they run.

Numbers such as 8.3 are those of the original's test cases; README.md here holds the whole table.
"""

import msgspec
import pytest

from buttonhook import JobResultStatus
from buttonhook.errors import BadCondition, RecordConflict, UnknownObjectType
from tests.scenarios.story import all_changes, all_results, hook_up, messages_of, only_result, put

SOURCE = """
    import asyncio
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    gate = asyncio.Event()

    class Note(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            self.logger.info("%s by %s", action, self.user)

    class Other(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            pass

    class Held(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            await gate.wait()

    class Ready(JobHookReceiver):
        class Meta:
            name = "Ready made"
            object_types = ("demo.thing",)
            actions = ("update",)
            conditions = ({"type": "preset", "preset": "field_changed", "values": {"field": "n"}},)

        async def receive_job_hook(self, change, action, changed_object):
            pass

    class Misled(JobHookReceiver):
        class Meta:
            object_types = ("demo.thing",)
            conditions = ({"type": "preset", "preset": "field_chnged", "values": {"field": "n"}},)

        async def receive_job_hook(self, change, action, changed_object):
            pass

    register_jobs(Note, Other, Held, Ready, Misled)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other", "demo.third"]
"""
N_CHANGED = {"type": "preset", "preset": "field_changed", "values": {"field": "n"}}


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        yield app


# --- which hooks may stand beside each other ------------------------------------------------------


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    ("job", "types", "actions", "clash"),
    [
        ("Other", ["demo.thing"], ["create"], None),
        ("Note", ["demo.thing"], ["delete"], None),
        ("Note", ["demo.other"], ["create", "update"], None),
        ("Note", ["demo.thing"], ["create", "delete"], "demo.thing create"),
        ("Note", ["demo.thing"], ["delete", "update", "create"], "demo.thing create, update"),
        ("Note", ["demo.third", "demo.other", "demo.thing"], ["update"], "demo.thing update"),
    ],
)
async def test_8_3_two_hooks_may_not_run_one_job_on_one_type_and_action(app, enabled, job, types, actions, clash):
    await app.configuration.add_hook("first", "Note", ["demo.thing"], ["create", "update"], enabled=enabled)
    if clash is None:
        await app.configuration.add_hook("second", job, types, actions)
        return
    with pytest.raises(RecordConflict) as refused:
        await app.configuration.add_hook("second", job, types, actions, enabled=not enabled)
    told = f"Job hook 'second' overlaps with 'first': both run 'Note' on {clash}. Edit that one."
    assert str(refused.value) == told
    assert [hook.name for hook in app.configuration.hooks()] == ["first"]


@pytest.mark.parametrize(
    "change",
    [
        {"object_types": ["demo.thing"]},
        {"object_types": ["demo.other", "demo.thing"], "enabled": False},
        {"name": "elsewhere", "object_types": ["demo.thing"]},
    ],
)
async def test_8_3_an_edit_is_held_to_the_same_rule(app, change):
    await app.configuration.add_hook("first", "Note", ["demo.thing"], ["create"])
    second = await app.configuration.add_hook("second", "Note", ["demo.other"])
    third = await app.configuration.add_hook("third", "Other", ["demo.thing"])
    with pytest.raises(RecordConflict, match=r"overlaps with 'first': both run 'Note' on demo.thing create"):
        await app.configuration.edit_hook("second", **change)
    with pytest.raises(RecordConflict, match="overlaps with 'first'"):
        await app.configuration.edit_hook("third", job="Note")
    assert app.configuration.hooks()[1:] == [second, third]


async def test_enabling_a_hook_again_is_no_way_around_the_rule(app):
    await app.configuration.add_hook("first", "Note", ["demo.thing"], ["create"], enabled=False)
    await app.configuration.add_hook("second", "Note", ["demo.thing"], ["update"])
    await app.configuration.edit_hook("first", enabled=True)
    with pytest.raises(RecordConflict, match="overlaps with 'second'"):
        await app.configuration.edit_hook("first", actions=["create", "update"])


async def test_enabling_a_job_makes_its_default_hook_once_with_the_conditions_of_its_meta(app):
    job, hook = await app.configuration.enable_job("Ready made")
    assert job.enabled
    assert (hook.name, hook.object_types, hook.actions) == ("Ready made", ("demo.thing",), ("update",))
    assert [msgspec.to_builtins(row)["values"] for row in hook.conditions] == [{"field": "n"}]
    await put(app, "a", n=1, m=1)
    await put(app, "a", m=2)
    await put(app, "a", n=2)
    assert (await only_result(app)).change_ids == (3,)
    await app.configuration.remove_hook("Ready made")
    await app.configuration.disable_job("Ready made")
    assert (await app.configuration.enable_job("Ready made"))[1] is None
    assert app.configuration.hooks() == []


async def test_no_default_hook_is_made_beside_one_of_the_same_job_so_none_can_overlap(app):
    mine = await app.configuration.add_hook("mine", "Ready", ["demo.other"], ["delete"], enabled=False)
    assert (await app.configuration.enable_job("Ready"))[1] is None
    assert app.configuration.hooks() == [mine]


async def test_a_default_hook_that_cannot_be_is_told_and_the_job_stays_disabled(app):
    with pytest.raises(BadCondition, match=r"Job hook 'Misled', condition 1: .* did you mean 'field_changed'"):
        await app.configuration.enable_job("Misled")
    assert not app.configuration.get_job("Misled").enabled
    await app.configuration.add_hook("by hand", "Misled", ["demo.thing"])
    assert (await app.configuration.enable_job("Misled"))[0].enabled


# --- the record -----------------------------------------------------------------------------------


async def test_8_3_a_hook_is_added_read_edited_and_removed_and_outlives_the_app(demo):
    async with demo.open() as app:
        made = await app.configuration.add_hook(
            "one",
            "Note",
            ["demo.thing", "demo.other", "demo.thing"],
            ["delete", "create"],
            enabled=False,
            conditions=[{**N_CHANGED, "negate": True}],
            run_as="author",
            allow_job_hook_changes=True,
        )
        assert made.object_types == ("demo.thing", "demo.other")
    async with demo.open() as app:
        assert app.configuration.get_hook("one") == app.configuration.get_hook(made.id) == made
        edited = await app.configuration.edit_hook(
            "one", conditions=[], object_types=["demo.third"], run_as="installer"
        )
        assert (edited.id, edited.conditions, edited.object_types) == (made.id, (), ("demo.third",))
        assert (edited.run_as, edited.allow_job_hook_changes, edited.actions) == ("installer", True, made.actions)
    async with demo.open() as app:
        assert app.configuration.hooks() == [edited]
        await app.configuration.remove_hook("one")
    async with demo.open() as app:
        assert app.configuration.hooks() == []


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"run_as": "root"}, "Job hook 'x' cannot run as 'root'. Known: installer, author."),
        ({"conditions": [{"type": "expression", "source": "1"}]}, "Job hook 'x', condition 1: expressions are not"),
        ({"conditions": {"all": []}}, "conditions must be a list of rows"),
    ],
)
async def test_a_hook_that_cannot_be_is_refused_when_it_is_added_and_when_it_is_edited(app, fields, message):
    with pytest.raises((RecordConflict, BadCondition)) as refused:
        await app.configuration.add_hook("x", "Note", ["demo.thing"], **fields)
    assert message in str(refused.value)
    made = await app.configuration.add_hook("x", "Note", ["demo.thing"])
    with pytest.raises((RecordConflict, BadCondition)) as refused:
        await app.configuration.edit_hook("x", **fields)
    assert message in str(refused.value)
    assert app.configuration.hooks() == [made]


async def test_a_hook_whose_type_is_not_installed_can_still_be_disabled_and_renamed(demo):
    async with demo.open() as app:
        await app.configuration.add_hook("one", "Note", ["demo.thing"])
    async with demo.open(plugins=[]) as app:
        edited = await app.configuration.edit_hook("one", enabled=False, name="uno")
        assert (edited.enabled, edited.name, edited.object_types) == (False, "uno", ("demo.thing",))
        with pytest.raises(UnknownObjectType):
            await app.configuration.edit_hook("uno", object_types=["demo.other"])


# --- firing ---------------------------------------------------------------------------------------


async def test_8_5_3_hooks_fire_in_the_order_of_their_names_change_by_change(app):
    for name, job in (("b", "Note"), ("a 2", "Other"), ("a 10", "Held"), ("C", "Ready")):
        await app.configuration.enable_job(job)
        for hook in app.configuration.hooks():
            if hook.name not in ("b", "a 2", "a 10"):
                await app.configuration.remove_hook(hook.name)
        await app.configuration.add_hook(name, job, ["demo.thing"])
    import demo as plugin

    plugin.gate.set()
    async with app.transaction():
        await put(app, "x")
        await put(app, "y")
    fired = [(result.object_pk, result.occasion) for result in await all_results(app)]
    assert fired == [(pk, name) for pk in ("x", "y") for name in ("C", "a 10", "a 2", "b")]


async def test_a_disabled_job_is_passed_over_with_the_reason_kept_and_the_others_fire(app):
    await hook_up(app, "Note")
    await hook_up(app, "Other")
    await app.configuration.disable_job("Note")
    await put(app, "a")
    assert (await only_result(app)).job == "demo.Other"
    (change,) = await all_changes(app)
    (cut,) = change.cuts
    assert (cut.hook_id, cut.hook) == (app.configuration.get_hook("on Note").id, "on Note")
    assert cut.reason == "job 'Note' is disabled"


async def test_8_3_code_that_is_gone_leaves_job_and_hook_in_place_and_they_work_again_when_it_is_back(demo):
    async with demo.open() as app:
        await hook_up(app, "Note")
    async with demo.open(plugins=[], object_types=["demo.thing"]) as app:
        job = app.configuration.get_job("Note")
        assert (job.installed, job.enabled) == (False, True)
        assert app.configuration.get_hook("on Note").enabled
        await put(app, "a", n=1)
        (change,) = await all_changes(app)
        assert [cut.reason for cut in change.cuts] == ["job demo.Note is not installed"]
    async with demo.open() as app:
        await put(app, "a", n=2)
        assert (await only_result(app)).change_ids == (2,)


async def test_a_disabled_hook_is_passed_over_without_a_word_in_the_change(app):
    await hook_up(app, "Note")
    await app.configuration.edit_hook("on Note", enabled=False)
    await put(app, "a")
    assert await all_results(app) == []
    assert [change.cuts for change in await all_changes(app)] == [()]


async def test_an_edit_of_a_hook_holds_from_the_next_change_on(app):
    await hook_up(app, "Note", "demo.thing", actions=["create"])
    await put(app, "a", n=1)
    await app.configuration.edit_hook("on Note", actions=["update"])
    await put(app, "b", n=1)
    await put(app, "b", n=2)
    await app.configuration.remove_hook("on Note")
    await put(app, "b", n=3)
    assert [result.change_ids for result in await all_results(app)] == [(1,), (3,)]


async def test_an_override_that_the_job_no_longer_takes_fails_no_save_and_the_class_is_followed(app, caplog):
    await hook_up(app, "Note")
    job = app.configuration.get_job("Note")
    outdated = msgspec.structs.replace(
        job, overrides={"ordering": "sideways", "no_such_option": 1, "retries": 3, "time_limit": -1}
    )
    await app.configuration._editor.edit([outdated])
    await put(app, "a")
    assert (await only_result(app)).status is JobResultStatus.SUCCESS
    options = app.registry.options(job.id)
    assert (options.ordering, options.time_limit, options.retries) == ("object", 600, 3)
    told = [line for line in caplog.messages if "does not fit" in line]
    assert any("Job demo.Note follows its class in 'ordering': its override 'sideways'" in line for line in told)
    assert any("'no_such_option'" in line for line in told)


# --- on whose authority ---------------------------------------------------------------------------


async def save_as(app, user, **fields):
    async with app.transaction(user=user):
        await put(app, user, **fields)


async def test_a_hook_runs_on_its_installers_authority_unless_told_otherwise(app):
    await hook_up(app, "Note")
    await save_as(app, "nobody-knows")
    result = await only_result(app)
    assert (result.status, result.run_as, result.user_name) == (JobResultStatus.SUCCESS, "installer", "nobody-knows")
    assert "create by nobody-knows" in await messages_of(app, result)


async def test_a_hook_that_runs_as_the_author_runs_only_for_one_who_may_run_jobs(app):
    await hook_up(app, "Note")
    await app.configuration.edit_hook("on Note", run_as="author")
    await app.administration.put_user("may", permissions=["jobs.run_job"])
    await app.administration.put_user("owns", is_owner=True)
    await app.administration.put_user("may-not", permissions=["demo.add_thing", "jobs.view_job"])
    for user in ("may", "owns", "may-not", "import"):
        await save_as(app, user)
    told = {result.user_name: (result.status.value, result.error) for result in await all_results(app)}
    assert told == {
        "may": ("success", None),
        "owns": ("success", None),
        "may-not": ("revoked", "its hook runs with its author's permission, and 'may-not' lacks jobs.run_job"),
        "import": ("revoked", "its hook runs with its author's permission, and 'import' is not a known user"),
    }
    for result in await all_results(app, status=JobResultStatus.REVOKED):
        assert result.run_as == "author"
        assert await messages_of(app, result) == [f"Not run: {result.error}"]


async def test_a_permission_that_is_taken_away_between_the_commit_and_the_start_counts(app):
    import demo as plugin

    await hook_up(app, "Held")
    await app.configuration.edit_hook("on Held", run_as="author")
    await app.administration.put_user("bob", permissions=["jobs.run_job"])
    for n in range(3):
        await save_as(app, "bob", n=n)
    await app.administration.put_user("bob", permissions=[])
    plugin.gate.set()
    first, *others = await all_results(app)
    assert first.status is JobResultStatus.SUCCESS
    assert {(each.status, each.error) for each in others} == {
        (JobResultStatus.REVOKED, "its hook runs with its author's permission, and 'bob' lacks jobs.run_job")
    }
