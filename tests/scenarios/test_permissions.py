"""What receivers may know of their user, on whose authority runs start, and what is asked again when they do."""

import asyncio

import pytest
from msgspec.structs import replace

from buttonhook import JobResultStatus, Ref
from buttonhook.errors import (
    ObjectNotFound,
    PermissionDenied,
    RecordConflict,
    RunNotFound,
    UsageError,
)
from buttonhook.objects.session import Write
from buttonhook.people import Constraint
from buttonhook.receivers.user import User
from buttonhook.records import ChangeQuery, ResultQuery
from tests.scenarios.story import (
    all_changes,
    all_results,
    hook_up,
    lines_of,
    messages_of,
    only_result,
    owner,
    presser,
    put,
    until,
)

SOURCE = """
    import asyncio
    from buttonhook import JobButtonReceiver, JobHookReceiver, RetryLater, hookimpl, register_jobs

    gate, begun, asked = asyncio.Event(), [], ["demo.add_thing"]

    def answers(self, change, changed_object):
        others = {"demo.other": {"site": "ams"}}
        subjects = (None, changed_object, change, {"site": "ams"}, {"site": "fra"}, others["demo.other"])
        told = [self.user.has_perm(asked[0], each) for each in subjects]
        self.logger.info("%s %s %s", self.user, self.user.known, " ".join(map(str, told)))

    class Async(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            answers(self, change, changed_object)

    class Plain(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            answers(self, change, changed_object)

    class Sync(JobHookReceiver):
        def receive_job_hook(self, change, action, changed_object):
            async def inner():
                answers(self, change, changed_object)
            asyncio.run(inner())

    class Slow(JobHookReceiver):
        class Meta:
            retries = 1
            retry_backoff = 0

        async def receive_job_hook(self, change, action, changed_object):
            before = self.user.has_perm("demo.add_thing")
            begun.append(self.attempt)
            if self.attempt == 1:
                await gate.wait()
            self.logger.info("%s %s", before, self.user.has_perm("demo.add_thing"))
            if self.attempt == 1:
                raise RetryLater(0)

    class Press(JobButtonReceiver):
        class Meta:
            is_singleton = True

        async def receive_job_button(self, obj):
            begun.append(obj.pk)
            await gate.wait()
            self.logger.info("pressed by %s", self.user)

    class Other(JobButtonReceiver):
        async def receive_job_button(self, obj):
            await self.enqueue(Press, obj)

    register_jobs(Async, Plain, Sync, Slow, Press, Other)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other"]
"""


@pytest.fixture
async def app(stage):
    stage.install("demo", SOURCE)
    async with stage.open() as app:
        yield app


@pytest.fixture
def plugin(app):
    import demo

    return demo


async def give(app, name, /, *permissions, **row):
    """A user, by now at the latest, who is given something, where a field is so if one is named."""
    if all(each.name != name for each in app.administration.users()):
        await app.administration.add_user(name)
    rows = [Constraint(path, "=", value) for path, value in row.items()]
    await app.administration.grant(permissions, users=[name], constraints=rows)
    return app.access(name)


async def save_as(app, user, **fields):
    async with app.transaction(user=user):
        return await app.objects("demo.thing").create(**fields)


# --- has_perm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", ["Async", "Plain", "Sync"])
async def test_a_receiver_asks_with_nothing_an_object_a_change_and_fields(app, job):
    await hook_up(app, job)
    people = app.administration
    await give(app, "free", "demo.add_thing")
    await give(app, "narrow", "demo.*", site="ams")
    await people.add_group("staff")
    await people.add_user("member", groups=["staff"])
    await people.grant(["demo.add_*"], groups=["staff"])
    await people.add_user("owns", is_owner=True)
    await give(app, "off", "demo.*")
    await people.edit_user("off", is_disabled=True)
    for name in ("free", "narrow", "member", "owns", "off", "import"):
        await save_as(app, name, site="ams")
    await save_as(app, "narrow", site="fra")
    assert [(await messages_of(app, each))[0] for each in await all_results(app)] == [
        "free True True True True True True True",
        "narrow True True True True True False True",
        "member True True True True True True True",
        "owns True True True True True True True",
        "off True False False False False False False",
        "import False False False False False False False",
        "narrow True True False False True False True",
    ]


@pytest.mark.parametrize(
    "name", ["add thing", "demo.thing", "demo.add_", "demo.*", "Demo.add_thing", "demo.add_thing\n"]
)
async def test_a_malformed_name_fails_the_job_with_what_to_write(app, plugin, name):
    await hook_up(app, "Async")
    plugin.asked[0] = name
    await save_as(app, "ann")
    result = await only_result(app)
    message = f"{name!r} is no permission. Write app.action_model, as in 'dcim.add_device'."
    assert (result.status, result.error) == (JobResultStatus.FAILURE, f"UsageError: {message}")
    assert await lines_of(app, result) == [("failure", f"UsageError: {message}")]


async def test_what_is_taken_away_during_a_run_counts_from_the_next_attempt_on(app, plugin):
    await hook_up(app, "Slow")
    await give(app, "bob", "demo.add_thing")
    await save_as(app, "bob")
    await until(lambda: plugin.begun)
    await app.administration.revoke(["demo.add_thing"], user="bob")
    plugin.gate.set()
    result = await only_result(app)
    assert result.attempt == 2
    told = [line for line in await messages_of(app, result) if line.split()[0] in ("True", "False")]
    assert told == ["True True", "False False"]


# --- run_as ---------------------------------------------------------------------------------------


async def test_a_hook_runs_as_its_author_where_a_constraint_reaches_this_job_and_the_result_says_so(app):
    await hook_up(app, "Async")
    await app.configuration.edit_hook("on Async", run_as="author")
    await give(app, "this", "jobs.run_job", pk="demo.Async")
    await give(app, "other", "jobs.run_job", pk="demo.Plain")
    await give(app, "none", "demo.*")
    for name in ("this", "other", "none", "import"):
        await save_as(app, name)
    reason = "its hook runs with its author's permission, and "
    assert {each.user_name: (each.status.value, each.error, each.run_as) for each in await all_results(app)} == {
        "this": ("success", None, "author"),
        "other": ("revoked", f"{reason}'other' holds jobs.run_job, but not for this one", "author"),
        "none": ("revoked", f"{reason}'none' lacks jobs.run_job", "author"),
        "import": ("revoked", f"{reason}'import' is not a known user", "author"),
    }


# --- asked again at the start ---------------------------------------------------------------------


async def held_press(app, plugin):
    """bob's press waits behind another run of the same singleton."""
    for pk in ("first", "a"):
        await put(app, pk, site="ams")
    await app.configuration.enable_job("Press")
    await app.configuration.add_button("Push", "Press", ["demo.thing"])
    await give(app, "bob", "jobs.run_job")
    bob = await give(app, "bob", "demo.view_thing", site="ams")
    await app.press("Push", "demo.thing", ["first"])
    await until(lambda: plugin.begun)
    (pressed,) = await bob.runs.press("Push", "demo.thing", ["a"])
    return pressed


async def disable(app):
    await app.administration.edit_user("bob", is_disabled=True)


async def take_away(app):
    await app.administration.revoke(["jobs.run_job"], user="bob")


async def move_out(app):
    await put(app, "a", site="fra")


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (disable, "'bob' lacks jobs.run_job"),
        (take_away, "'bob' lacks jobs.run_job"),
        (move_out, "'bob' holds demo.view_thing, but not for this one"),
    ],
)
async def test_a_press_that_waits_is_revoked_when_its_presser_may_no_longer(app, plugin, happens, reason):
    pressed = await held_press(app, plugin)
    await happens(app)
    plugin.gate.set()
    result = await only_result(app, id=pressed.id)
    assert (result.status, result.error) == (JobResultStatus.REVOKED, reason)
    assert await messages_of(app, result) == [f"Not run: {reason}"]
    assert plugin.begun == ["first"]


async def test_a_rerun_and_what_was_enqueued_run_in_the_name_of_who_orders_the_rerun(app, plugin):
    plugin.gate.set()
    await put(app, "a")
    for job in ("Press", "Other"):
        await app.configuration.enable_job(job)
        await app.configuration.add_button(job, job, ["demo.thing"])
    await (await owner(app, "boss")).runs.press("Other", "demo.thing", ["a"])
    pressed, enqueued = await all_results(app)
    bob = app.access(await presser(app, "bob", "jobs.view_jobresult"))
    for old in (pressed, enqueued):
        again = await bob.runs.rerun(old.id)
        assert (old.user_name, again.user_name, again.rerun_by) == ("boss", "bob", "bob")
    assert all(each.status is JobResultStatus.SUCCESS for each in await all_results(app))


async def test_ones_own_press_is_seen_and_cancelled_without_more_but_not_somebody_elses_rerun_of_it(app, plugin):
    pressed = await held_press(app, plugin)
    bob = app.access("bob")
    assert [each.id for each in await bob.history.results(ResultQuery())] == [pressed.id]
    await bob.history.log_entries(await bob.history.get_result(pressed.id))
    await bob.runs.cancel(pressed.id)
    plugin.gate.set()
    await app.drain()
    again = await app.access("ann").runs.rerun(pressed.id)
    await app.drain()
    assert [each.id for each in await bob.history.results(ResultQuery())] == [pressed.id]
    for call in (bob.runs.rerun(again.id), bob.runs.cancel(again.id), bob.runs.cancel("no-such-result")):
        with pytest.raises(RunNotFound, match="does not exist"):
            await call


async def test_a_tokens_scopes_reach_its_users_own_presses_only_where_they_say_so(app, plugin):
    pressed = await held_press(app, plugin)
    bob = app.access("bob").user
    blind = app.access(bob.scoped(["demo.view_thing", "jobs.run_job"]))
    assert await blind.history.results(ResultQuery()) == []
    with pytest.raises(RunNotFound):
        await blind.runs.cancel(pressed.id)
    seeing = app.access(bob.scoped(["demo.view_thing", "jobs.view_jobresult"]))
    assert len(await seeing.history.results(ResultQuery())) == 1
    with pytest.raises(PermissionDenied, match=r"that needs jobs.cancel_jobresult"):
        await seeing.runs.cancel(pressed.id)
    plugin.gate.set()


# --- objects and changes --------------------------------------------------------------------------


async def test_nobody_moves_an_object_out_of_what_is_theirs_nor_into_it(app):
    bob = await give(
        app, "bob", "demo.view_thing", "demo.change_thing", "demo.add_thing", "demo.delete_thing", site="ams"
    )
    await put(app, "mine", site="ams")
    await put(app, "theirs", site="fra")
    before = len(await all_changes(app))
    mine = await bob.objects("demo.thing").get("mine")
    mine["site"] = "fra"
    with pytest.raises(
        PermissionDenied, match=r"may not update demo.thing 'mine': demo.change_thing is held, but not for"
    ):
        await mine.save()
    with pytest.raises(PermissionDenied, match=r"may not create demo.thing 'new': demo.add_thing is held, but not for"):
        await bob.objects("demo.thing").create(pk="new", site="fra")
    assert await bob.objects("demo.thing").find("theirs") is None
    theirs = await app.objects("demo.thing").get("theirs")
    theirs._state.session = bob.session
    theirs["site"] = "ams"
    for write in (theirs.save, theirs.delete):
        with pytest.raises(ObjectNotFound, match=r"No demo.thing 'theirs' exists"):
            await write()
    assert len(await all_changes(app)) == before
    assert (await app.objects("demo.thing").get("mine"))["site"] == "ams"


async def test_a_look_at_what_is_staged_in_a_block_shows_nothing_that_a_commit_would_refuse(app):
    looks = await give(app, "bob", "demo.view_thing", site="ams")
    narrow = await give(app, "eve", "demo.change_thing", "demo.view_thing", site="ams")
    await put(app, "theirs", site="fra", secret="sesame")
    seen = []

    async def move_and_look(who):
        async with who.transaction():
            change = {"site": ("fra", "ams")}
            await who.session.write(Write(kind="update", object_type="demo.thing", pk="theirs", changes=change))
            seen.extend(await who.objects("demo.thing").all())

    for who, refusal in ((looks, PermissionDenied), (narrow, ObjectNotFound)):
        with pytest.raises(refusal):
            await move_and_look(who)
    assert seen == []


async def test_a_grant_that_is_disabled_gives_nothing(app):
    bob = await give(app, "bob", "demo.view_thing")
    (grant,) = app.administration.permissions()
    await app._recorder.edit([replace(grant, is_disabled=True)])
    assert bob.user.has_perm("demo.view_thing")
    assert not app.access("bob").user.has_perm("demo.view_thing")


async def test_a_job_is_not_edited_out_of_what_is_ones_own(app):
    await give(app, "bob", "jobs.view_job")
    bob = await give(app, "bob", "jobs.change_job", enabled=False)
    await bob.configuration.edit_job("Async", retries=1)
    with pytest.raises(
        PermissionDenied, match=r"may not enable job 'Async': jobs.change_job is held, but not for this"
    ):
        await bob.configuration.enable_job("Async")


async def test_a_change_is_seen_by_who_may_see_the_object_before_and_after_it(app):
    await give(app, "bob", "jobs.view_objectchange")
    bob = await give(app, "bob", "demo.view_thing", site="ams")
    await give(app, "both", "jobs.view_objectchange")
    for site in ("ams", "fra"):
        both = await give(app, "both", "demo.view_thing", site=site)
    await put(app, "a", site="ams", n=1)
    await put(app, "a", site="ams", n=2)
    await put(app, "a", site="fra")
    await put(app, "a", site="ams")
    await put(app, "b", site="fra")
    assert [each.id for each in await bob.history.changes(ChangeQuery(ascending=True))] == [1, 2]
    assert len(await both.history.changes(ChangeQuery())) == 5


async def test_a_permission_on_changes_is_narrowed_by_the_changes_own_fields(app):
    await give(app, "carl", "jobs.view_objectchange", user_name="$user")
    carl = await give(app, "carl", "demo.view_thing")
    await save_as(app, "carl", user_name="ann")
    await save_as(app, "ann", user_name="carl")
    assert [each.user_name for each in await carl.history.changes(ChangeQuery())] == ["carl"]


async def test_a_change_names_no_hook_that_may_not_be_seen_and_neither_does_its_explanation(app):
    for job in ("Async", "Plain"):
        await hook_up(app, job)
        await app.configuration.disable_job(job)
    await give(app, "bob", "jobs.view_objectchange", "demo.view_thing")
    bob = await give(app, "bob", "jobs.view_jobhook", name="on Plain")
    await put(app, "a")
    await app.configuration.remove_hook("on Async")
    (change,) = await bob.history.changes(ChangeQuery())
    assert [cut.hook for cut in change.cuts] == ["on Plain"]
    told = await bob.explain(change.id)
    assert [each.hook for each in told.verdicts] == ["on Plain"]
    assert "on Async" not in repr(told)


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("bob", "exists already"),
        ("BOB", "in nothing but case"),
        ("b\N{CYRILLIC SMALL LETTER O}b", "mixes letters that look alike"),
        ("\N{LATIN SMALL LIGATURE FI}nn", "not in Unicode form NFKC"),
        ("e\N{COMBINING ACUTE ACCENT}ve", "not in Unicode form NFKC"),
        ("bob ", "unfit name"),
        ("b\N{ZERO WIDTH SPACE}ob", "unfit name"),
        ("", "unfit name"),
    ],
)
async def test_a_user_is_not_added_under_a_name_that_could_be_anothers(app, name, problem):
    await app.administration.add_user("bob")
    with pytest.raises(RecordConflict, match=problem):
        await app.administration.add_user(name)
    assert [each.name for each in app.administration.users()] == ["ann", "bob"]


@pytest.mark.parametrize(
    "name", ["*", "*.*", "demo", "demo.add", "demo.add_dev*", "demo.a*", "demo.**", "", "demo.*_thing"]
)
async def test_what_is_no_permission_is_not_granted(app, name):
    with pytest.raises(RecordConflict, match="is no permission"):
        await app.administration.grant([name], users=["ann"])


async def test_edits_at_the_same_time_do_not_undo_each_other(app):
    people = app.administration
    await people.add_user("bob")
    await people.add_user("eve", is_owner=True)
    await people.add_group("staff")
    await asyncio.gather(
        people.set_password("bob", "correct horse battery"),
        people.edit_user("bob", is_disabled=True),
        people.edit_user("bob", groups=["staff"]),
    )
    bob = people.get_user("bob")
    assert (bob.is_disabled, len(bob.groups), bob.password_hash[:9]) == (True, 1, "$argon2id")
    gone = await asyncio.gather(
        people.edit_user("ann", is_owner=False), people.edit_user("eve", is_owner=False), return_exceptions=True
    )
    assert [type(each).__name__ for each in gone] == ["UserRecord", "RecordConflict"]
    twins = await asyncio.gather(people.add_group("g"), people.add_group("g"), return_exceptions=True)
    assert [type(each).__name__ for each in twins] == ["GroupRecord", "RecordConflict"]


async def test_a_removed_group_takes_what_it_gave_and_leaves_what_others_have_by_the_same_grant(app):
    people = app.administration
    await people.add_group("staff")
    await people.add_user("bob", groups=["staff"])
    await people.add_user("eve")
    await people.grant(["demo.view_thing"], users=["eve"], groups=["staff"])
    await people.grant(["demo.add_thing"], groups=["staff"])
    assert app.access("bob").user.has_perm("demo.view_thing")
    await people.remove_group("staff")
    await people.add_group("staff")
    assert not app.access("bob").user.has_perm("demo.view_thing")
    assert app.access("eve").user.has_perm("demo.view_thing")
    assert [each.permissions for each in people.permissions()] == [("demo.view_thing",)]


async def test_a_permission_is_edited_as_a_whole_by_who_may_both_give_and_take_it(app):
    people = app.administration
    await people.add_group("staff")
    for name in ("bob", "eve"):
        await people.add_user(name)
    record = await people.grant(["demo.view_thing"], users=["bob"])
    edited = await people.edit_permission(
        record.id, permissions=["demo.add_thing"], users=["eve"], constraints=[Constraint("site", "=", "ams")]
    )
    assert (edited.id, edited.name) == (record.id, record.name)
    assert not app.access("bob").user.has_perm("demo.view_thing")
    assert app.access("eve").user.has_perm("demo.add_thing", {"site": "ams"})
    assert not app.access("eve").user.has_perm("demo.add_thing", {"site": "fra"})
    await people.edit_permission(record.id, permissions=["demo.add_thing"], users=["eve"], is_disabled=True)
    assert not app.access("eve").user.has_perm("demo.add_thing")
    with pytest.raises(RecordConflict, match="names nobody or nothing"):
        await people.edit_permission(record.id, permissions=["demo.add_thing"])
    for held in ("users.add_permission", "users.delete_permission"):
        who = await give(app, f"has {held}", "users.view_permission", "users.view_user", held)
        with pytest.raises(PermissionDenied, match="may not edit permission"):
            await who.administration.edit_permission(record.id, permissions=["demo.*"], users=["eve"])


async def test_a_hint_at_a_name_never_tells_one_that_may_not_be_seen(app):
    await hook_up(app, "Async")
    await app.configuration.enable_job("Press")
    await app.configuration.add_button("Push it", "Press", ["demo.thing"])
    await give(app, "bob", "jobs.run_job", "demo.view_thing", "jobs.add_jobhook")
    bob = await give(app, "bob", "jobs.view_job", pk="demo.Async")
    calls = {
        "on Async": lambda: bob.configuration.get_hook("on Asyn"),
        "Press": lambda: bob.configuration.get_job("Pres"),
        "Push it": lambda: bob.configuration.get_button("Push i"),
        "ann": lambda: bob.administration.get_user("anna"),
    }
    for hidden, call in calls.items():
        with pytest.raises(Exception, match=r"^No .* exists\. See them") as told:
            call()
        assert f"{hidden!r}" not in str(told.value)
    with pytest.raises(Exception, match=r"No job button 'Push i' exists\. See them"):
        await bob.runs.press("Push i", "demo.thing", ["a"])
    with pytest.raises(RecordConflict, match="overlaps with one that you may not see"):
        await bob.configuration.add_hook("New", "Async", ["demo.thing"])


async def test_fields_may_hold_references_and_objects_as_an_object_would(app):
    await put(app, "ams")
    site = await app.objects("demo.thing").get("ams")
    bob = User("bob", known=True, grants={"demo.add_thing": [(Constraint("site", "=", "ams"),)]})
    for named in ("ams", Ref("ams"), site):
        assert bob.has_perm("demo.add_thing", {"site": named})
    for other in ("fra", Ref("fra"), None):
        assert not bob.has_perm("demo.add_thing", {"site": other})


def test_a_user_is_asked_about_nothing_else_than_objects_changes_records_and_fields():
    user = User("bob", known=True, grants={"demo.add_thing": [(Constraint("a", "=", 1),)]})
    for wrong in (1, "a", [], object()):
        with pytest.raises(UsageError, match="takes an object, a change, a record or a mapping"):
            user.has_perm("demo.add_thing", wrong)


async def test_the_asker_stands_alone_in_a_constraint(app):
    with pytest.raises(RecordConflict, match="in a list, where it is plain text"):
        await app.administration.grant(
            ["demo.view_thing"], users=[app.user_name], constraints=[Constraint("owner", "in", ["$user", "team"])]
        )
