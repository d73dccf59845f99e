"""Edits of the set-up are changes: one for each record edited, by its author, with before and after, and no secret."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from buttonhook import credentials, open_app
from buttonhook.errors import PermissionDenied, RecordConflict, UnknownObjectType
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.settings import Settings
from tests.scenarios.story import Stage

SOURCE = """
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    class Hook(JobHookReceiver):
        class Meta:
            object_types = ["demo.thing"]

        async def receive_job_hook(self, change, action, changed_object):
            pass

    class Button(JobButtonReceiver):
        async def receive_job_button(self, obj):
            pass

    register_jobs(Hook, Button)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other"]
"""
PASSWORD = "correct horse battery staple"


@pytest.fixture
async def app(stage: Stage):
    """An app whose own edits are recorded, as they are outside of stories."""
    stage.install("demo", SOURCE)
    async with stage.open() as app:
        await app.administration.add_user("boss", is_owner=True)
        yield app


async def told(app, after=0):
    """The changes since, as (author, action, type, name, what differs)."""
    found = await app.changes(ChangeQuery(ascending=True, after=after or None, limit=1000))
    lines = []
    for change in found:
        before, now = (None if text is None else json.loads(text) for text in (change.prechange, change.postchange))
        both = {**(before or {}), **(now or {})}
        differs = {key for key in both if (before or {}).get(key) != (now or {}).get(key)}
        shown = differs if before and now else set()
        lines.append((change.user_name, change.action.value, change.object_type, change.object_repr, shown))
    return lines


async def test_every_edit_leaves_one_change_for_each_record_it_edits(app):
    setup, people = app.access("boss").configuration, app.access("boss").administration
    for edit in (
        lambda: setup.enable_job("Hook"),
        lambda: setup.edit_job("Hook", retries=2),
        lambda: setup.disable_job("Hook"),
        lambda: setup.add_hook("other", "Hook", ["demo.other"]),
        lambda: setup.edit_hook("other", enabled=False),
        lambda: setup.remove_hook("other"),
        lambda: setup.add_button("push", "Button", ["demo.thing"]),
        lambda: setup.edit_button("push", weight=5),
        lambda: setup.remove_button("push"),
        lambda: setup.declare_type("demo.new"),
        lambda: people.add_group("staff"),
        lambda: people.add_user("bob"),
        lambda: people.edit_user("bob", groups=["staff"]),
        lambda: people.set_password("bob", PASSWORD),
        lambda: people.grant(["demo.view_thing"], users=["bob"], name="bob's"),
        lambda: people.revoke(["demo.view_thing"], user="bob"),
        lambda: people.add_token("bob", description="for the script"),
    ):
        await edit()
    (token,) = people.tokens()
    await people.remove_token(token.name)
    await people.remove_group("staff")
    expected = [
        ("update", "jobs.job", "Hook", {"enabled"}),
        ("create", "jobs.jobhook", "Hook", set()),
        ("update", "jobs.job", "Hook", {"overrides"}),
        ("update", "jobs.job", "Hook", {"enabled"}),
        ("create", "jobs.jobhook", "other", set()),
        ("update", "jobs.jobhook", "other", {"enabled"}),
        ("delete", "jobs.jobhook", "other", set()),
        ("create", "jobs.jobbutton", "push", set()),
        ("update", "jobs.jobbutton", "push", {"weight"}),
        ("delete", "jobs.jobbutton", "push", set()),
        ("create", "jobs.objecttype", "demo.new", set()),
        ("create", "users.group", "staff", set()),
        ("create", "users.user", "bob", set()),
        ("update", "users.user", "bob", {"groups"}),
        ("update", "users.user", "bob", {"password_changed_at"}),
        ("create", "users.permission", "bob's", set()),
        ("delete", "users.permission", "bob's", set()),
        ("create", "users.token", token.name, set()),
        ("delete", "users.token", token.name, set()),
        ("delete", "users.group", "staff", set()),
        ("update", "users.user", "bob", {"groups"}),
    ]
    assert await told(app) == [("boss", *each) for each in expected]
    assert await app.results(ResultQuery()) == []
    for change in await app.changes(ChangeQuery(limit=1000)):
        states = [json.loads(text) for text in (change.prechange, change.postchange) if text is not None]
        assert all(not {"hash", "password_hash"} & set(state) for state in states)
        assert "argon2" not in repr(change)
        assert change.cuts == ()


async def test_an_edit_that_changes_nothing_and_one_that_is_refused_leave_no_change(app):
    setup, people = app.access("boss").configuration, app.access("boss").administration
    await setup.enable_job("Hook")
    last = (await app.changes(ChangeQuery(limit=1)))[0].id
    await setup.enable_job("Hook")
    await setup.edit_hook("Hook", enabled=True)
    await people.edit_user("boss", is_owner=True)
    with pytest.raises(UnknownObjectType):
        await setup.add_hook("x", "Hook", ["demo.nothing"])
    assert await told(app, last) == []


async def test_edits_of_one_record_in_one_batch_keep_their_order_each_with_the_state_before_it(app):
    people = app.administration
    await people.add_user("bob")
    bob = people.get_user("bob")
    origin = app.access("boss").configuration._author
    edits = [replace(bob, groups=(str(n),)) for n in range(20)]
    # Beside the editing lock, so that all stand in the same batch.
    await asyncio.gather(*(app._recorder.edit([each], origin=origin) for each in edits))
    found = await app.changes(ChangeQuery(object_type="users.user", ascending=True, limit=100))
    states = [(json.loads(each.prechange)["groups"], json.loads(each.postchange)["groups"]) for each in found]
    assert states == [([str(n - 1)] if n else [], [str(n)]) for n in range(20)]


@pytest.mark.parametrize("object_type", ["jobs.jobhook", "jobs.job", "users.user", "users.token"])
async def test_a_job_hook_or_button_for_the_set_up_cannot_be_made(app, object_type):
    await app.configuration.enable_job("Hook")
    with pytest.raises(UnknownObjectType):
        await app.configuration.add_hook("spy", "Hook", [object_type])
    with pytest.raises(UnknownObjectType):
        await app.configuration.add_button("spy", "Button", [object_type])


async def test_the_apps_own_edits_are_recorded_in_the_name_of_its_user_and_start_up_is_nobodys_edit(tmp_path):
    path = f"sqlite:///{tmp_path / 'own.db'}"
    async with open_app(path, load_plugins=False, object_types=["demo.thing"]) as app:
        assert await told(app) == []
        await app.configuration.declare_type("demo.new")
        assert await told(app) == [(app.user_name, "create", "jobs.objecttype", "demo.new", set())]


async def test_an_edit_of_the_set_up_is_seen_by_who_may_see_the_record(app):
    people = app.access("boss").administration
    await people.add_user("bob")
    await people.add_user("eve")
    await people.grant(["jobs.view_objectchange"], users=["bob"])
    await people.grant(["users.view_user"], users=["bob"], constraints=[Constraint("name", "=", "eve")])
    seen = await app.access("bob").history.changes(ChangeQuery())
    assert [(each.object_type, each.object_pk) for each in seen] == [("users.user", "eve")]


async def test_passwords_and_tokens_stand_nowhere_in_the_database_and_only_fit_as_they_are(app, tmp_path):
    people = app.administration
    await people.add_user("bob")
    await people.set_password("bob", PASSWORD)
    record, token = await people.add_token("bob", scopes=["demo.view_*"])
    assert people.get_user("bob").password_hash.startswith("$argon2id$v=19$")
    assert (await people.log_in("bob", PASSWORD)).username == "bob"
    for name, password in (
        ("bob", PASSWORD[:-1]),
        ("bob", ""),
        ("bob", "\ud800" * 12),
        ("nobody", PASSWORD),
        ("ann", ""),
    ):
        assert await people.log_in(name, password) is None
    user = people.user_of_token(token)
    assert (user.username, user.is_scoped) == ("bob", True)
    for wrong in (token[:-1], token.upper(), record.name, f"{record.name}_", "", "bh_", record.id, f"{token}\ud800"):
        assert people.user_of_token(wrong) is None
    await people.edit_user("bob", is_disabled=True)
    assert people.user_of_token(token) is None
    assert await people.log_in("bob", PASSWORD) is None
    await people.edit_user("bob", is_disabled=False)
    await people.remove_token(record.name)
    assert people.user_of_token(token) is None
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert record.name.encode() in written
    for secret in (PASSWORD, token, token.removeprefix(f"{record.name}_")):
        assert secret.encode() not in written


class Slow:
    """Hashing that takes until it is let go, however quick the machine is."""

    def __init__(self, real: Callable[..., Any]) -> None:
        self._real = real
        self.has_begun = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def __call__(self, *words: str) -> Any:
        self.has_begun.set()
        await self.goes_on.wait()
        return await self._real(*words)


async def test_a_login_that_is_on_its_way_when_the_user_is_disabled_does_not_succeed(app, monkeypatch):
    await app.administration.add_user("bob")
    await app.administration.set_password("bob", PASSWORD)
    slow = Slow(credentials.verify_password)
    monkeypatch.setattr(credentials, "verify_password", slow)
    login = asyncio.create_task(app.administration.log_in("bob", PASSWORD))
    await slow.has_begun.wait()
    await app.administration.edit_user("bob", is_disabled=True)
    slow.goes_on.set()
    assert await login is None


async def test_a_password_that_is_on_its_way_when_the_user_is_made_an_owner_is_not_set(app, monkeypatch):
    people = app.administration
    for name in ("bob", "eve"):
        await people.add_user(name)
    await people.grant(["users.*"], users=["bob"])
    slow = Slow(credentials.hash_password)
    monkeypatch.setattr(credentials, "hash_password", slow)
    setting = asyncio.create_task(app.access("bob").administration.set_password("eve", PASSWORD))
    await slow.has_begun.wait()
    await people.edit_user("eve", is_owner=True)
    slow.goes_on.set()
    with pytest.raises(PermissionDenied, match="only an owner may"):
        await setting
    assert people.get_user("eve").password_hash == ""


async def test_an_edit_whose_caller_was_cancelled_is_over_before_the_next_one_is_judged(app):
    people = app.administration
    (other,) = [each.name for each in people.users() if each.is_owner and each.name != "boss"]
    first = asyncio.create_task(people.edit_user("boss", is_disabled=True))
    for _ in range(2):  # it is judged and posted, and not committed yet
        await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(RecordConflict, match="is the last owner"):
        await people.edit_user(other, is_disabled=True)
    assert first.cancelled()
    assert people.get_user("boss").is_disabled


async def test_who_is_disabled_does_not_even_do_what_is_their_own(app):
    people = app.administration
    await people.add_user("bob")
    bob = app.access("bob").administration
    await bob.set_password("bob", PASSWORD)
    await bob.add_token("bob")
    await people.edit_user("bob", is_disabled=True)
    assert bob.tokens() == []
    for call in (bob.set_password("bob", PASSWORD), bob.add_token("bob")):
        with pytest.raises(Exception, match=r"^No user 'bob' exists"):
            await call


async def test_a_token_makes_no_token_that_reaches_further_than_itself(app):
    people = app.administration
    await people.add_user("bob")
    await people.grant(["users.*", "demo.*"], users=["bob"])
    scoped = app.access(app.access("bob").user.scoped(["users.add_token", "users.view_user", "demo.view_*"]))
    for user in ("bob", "ann"):
        for scopes in (None, ["demo.add_thing"], ["demo.*"], ["users.*"]):
            with pytest.raises(Exception, match=r"may not (make a token|touch the owner)"):
                await scoped.administration.add_token(user, scopes=scopes)
    made, _ = await scoped.administration.add_token("bob", scopes=["demo.view_thing", "demo.view_*"])
    assert made.scopes == ("demo.view_thing", "demo.view_*")
    with pytest.raises(Exception, match=r"set their own password, acting through a token"):
        await scoped.administration.set_password("bob", PASSWORD)


async def test_only_owners_touch_owners_and_one_always_stays(app):
    people = app.administration
    await people.add_user("bob")
    await people.grant(["users.*"], users=["bob"])
    _, token = await people.add_token("boss")
    bob = app.access("bob").administration
    public = people.tokens("boss")[0].name
    for call in (
        bob.add_user("eve", is_owner=True),
        bob.edit_user("bob", is_owner=True),
        bob.edit_user("boss", is_disabled=True),
        bob.set_password("boss", PASSWORD),
        bob.add_token("boss"),
        bob.remove_token(public),
    ):
        with pytest.raises(Exception, match=r"only an owner may"):
            await call
    assert people.user_of_token(token).is_owner


async def test_no_token_makes_one_that_outlives_it_nor_sets_its_user_s_own_password(tmp_path):
    async with open_app(str(tmp_path / "a.db"), load_plugins=False, settings=Settings(user="ann")) as app:
        _, text = await app.administration.add_token("ann", days=1)
        through = app.administration.user_of_token(text)
        assert through is not None
        people = app.access(through).administration
        for days in (2, None):
            with pytest.raises(PermissionDenied, match="outlives"):
                await people.add_token("ann", days=days)
        shorter, _ = await people.add_token("ann", days=0.5)
        assert shorter.expires_at is not None
        with pytest.raises(PermissionDenied, match="own password, acting through a token"):
            await people.set_password("ann", "a long enough password")
        assert app.administration.get_user("ann").password_hash == ""


async def test_a_later_owner_by_the_file_is_a_change_of_their_own(tmp_path):
    path = str(tmp_path / "a.db")
    async with open_app(path, load_plugins=False, settings=Settings(user="ann")) as app:
        assert await app.changes(ChangeQuery()) == []
    async with open_app(path, load_plugins=False) as app:
        (change,) = await app.changes(ChangeQuery())
        assert (change.object_type, change.action, change.user_name) == ("users.user", "create", app.user_name)
        assert change.object_pk == app.user_name != "ann"
