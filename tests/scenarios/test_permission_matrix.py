"""Every act of the table of rights, by everybody who may not and by one who may exactly that.

The cells are made from `RIGHTS`: an act that is added there without a way to do it here fails.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from buttonhook import App, JobButtonReceiver, JobHookReceiver, JobResultStatus, open_app
from buttonhook.access.access import Access
from buttonhook.errors import ObjectNotFound, PermissionDenied, RecordNotFound, RunNotFound
from buttonhook.ids import now
from buttonhook.objects.session import Write
from buttonhook.people import (
    AuditEntry,
    AuditQuery,
    Constraint,
)
from buttonhook.permissions import RIGHTS, VIEW
from buttonhook.receivers.user import User
from buttonhook.records import (
    ChangeQuery,
    ResultQuery,
)
from buttonhook.settings import Settings
from buttonhook.sources import SourceDraft
from tests.scenarios.story import all_results, until

HIDDEN = "sesame"
"""Stands in everything that nobody of the matrix names, so that no message may hold it."""
REFUSALS = (PermissionDenied, RecordNotFound, ObjectNotFound, RunNotFound)
FINDS = {
    "enable, disable or edit a job": ("jobs.view_job",),
    "add a job hook": ("jobs.view_job",),
    "edit a job hook": ("jobs.view_job", "jobs.view_jobhook"),
    "remove a job hook": ("jobs.view_jobhook",),
    "add a job button": ("jobs.view_job",),
    "edit a job button": ("jobs.view_job", "jobs.view_jobbutton"),
    "remove a job button": ("jobs.view_jobbutton",),
    "edit a source": ("jobs.view_source",),
    "remove a source": ("jobs.view_source",),
    "make a change in another user's name": ("demo.add_thing",),
    "say which run caused a change": ("jobs.view_jobresult", "demo.view_thing", "demo.add_thing"),
    "edit a user, or set a password for them": ("users.view_user",),
    "remove a group": ("users.view_group",),
    "grant a permission": ("users.view_user",),
    "revoke a permission": ("users.view_user", "users.view_permission"),
    "make a token for somebody else": ("users.view_user",),
}
"""What must be seen to name what the act is about, or be held besides."""


class Greet(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info(HIDDEN)


class Held(JobButtonReceiver):
    gate = asyncio.Event()

    async def receive_job_button(self, obj: Any) -> None:
        await self.gate.wait()


class Note(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        pass


class Spare(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        pass


@dataclass
class Scene:
    """An app with one of everything, and what the acts need to name it."""

    app: App
    ids: dict[str, Any] = field(default_factory=dict)

    async def state(self) -> tuple[Any, ...]:
        """All that an act could change."""
        changes = await self.app.changes(ChangeQuery(limit=1))
        results = await self.app.results(ResultQuery(limit=1))
        return [each.id for each in changes], [each.number for each in results], dict(self.app.registry._records)


async def set_up(app: App) -> Scene:
    scene = Scene(app)
    setup, people = app.configuration, app.administration
    for pk in ("a", "b", "other"):
        await app.objects("demo.thing").create(pk=pk, name=HIDDEN)
    for job in ("Greet", "Held", "Note"):
        await setup.enable_job(job)
    await setup.add_button("Greet them", "Greet", ["demo.thing"], text=HIDDEN)
    await setup.add_button("Hold them", "Held", ["demo.thing"], text=HIDDEN)
    await setup.add_hook("As author", "Note", ["demo.fired"], run_as="author")
    await setup.add_hook(HIDDEN, "Spare", ["demo.thing"])
    await app.sources.add("nautobot")
    await app.sources.add(HIDDEN, SourceDraft(kind="netbox"))
    await people.add_group("staff")
    await people.add_group(HIDDEN)
    await people.add_user("vic", groups=["staff"])
    await people.add_user("all", groups=[HIDDEN])
    await people.grant(["demo.view_x"], users=["vic"], name="vic's")
    await people.grant(["demo.view_x"], users=["all"], name=HIDDEN)
    token, _ = await people.add_token("vic", description=HIDDEN)
    app.audit(AuditEntry(time=now(), kind="denied", user_name="vic", what=HIDDEN))
    done = await app.press("Greet them", "demo.thing", ["a"])
    held = await app.press("Hold them", "demo.thing", ["a"])
    await until(lambda: _has_ended(app, done[0].id))
    (change,) = await app.changes(ChangeQuery(object_type="demo.thing", object_pk="a"))
    scene.ids = {"change": change.id, "done": done[0].id, "held": held[0].id, "token": token.name}
    return scene


async def _has_ended(app: App, id_: str) -> bool:
    (result,) = await app.results(ResultQuery(id=id_))
    return result.status.is_final


@asynccontextmanager
async def opened(folder: Any) -> AsyncIterator[Scene]:
    settings = Settings(db=f"sqlite:///{folder / 'matrix.db'}", user="ann", lock_wait=0.0)
    async with open_app(
        settings=settings,
        receivers=[Greet, Held, Note, Spare],
        object_types=["demo.thing", "demo.fired"],
        load_plugins=False,
    ) as app:
        Held.gate = asyncio.Event()
        scene = await set_up(app)
        yield scene
        Held.gate.set()


@pytest.fixture(scope="module")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One scene for everybody who is refused: nothing changes in it."""
    async with opened(tmp_path_factory.mktemp("matrix")) as scene:
        yield scene


@pytest.fixture
async def fresh(tmp_path: Any) -> AsyncIterator[Scene]:
    async with opened(tmp_path) as scene:
        yield scene


# --- the acts -------------------------------------------------------------------------------------


async def fire(who: Access, scene: Scene) -> Any:
    """A change by its author; the hook's run is what is asked for, so a revoked one is a refusal."""
    async with scene.app.transaction(user=who.user.username):
        made = await scene.app.objects("demo.fired").create()
    (change,) = await scene.app.changes(ChangeQuery(object_pk=made.pk, limit=1))
    result = (await scene.app.results(ResultQuery(change_id=change.id)))[0]
    await until(lambda: _has_ended(scene.app, result.id))
    (result,) = await scene.app.results(ResultQuery(id=result.id))
    if result.status is JobResultStatus.REVOKED:
        raise PermissionDenied(who.user.username, str(result.error), "")
    return result


async def write_as(who: Access, scene: Scene) -> Any:
    """As an import does whose file names its authors."""
    request = who.session.request((Write(kind="put", object_type="demo.thing", pk="by vic", document={}),))
    origin = replace(request.origin, user_name="vic")
    return await who.session.writer.commit(replace(request, origin=origin))


async def write_because(who: Access, scene: Scene) -> Any:
    """As an outer system does that a run has told of something."""
    session = (await who.because_of(scene.ids["done"])).session
    write = Write(kind="put", object_type="demo.thing", pk="because", document={})
    return await session.writer.commit(session.request((write,)))


async def edit_and_set(who: Access, scene: Scene) -> Any:
    await who.administration.edit_user("vic", groups=[])
    return await who.administration.set_password("vic", "correct horse battery")


async def read_log(who: Access, scene: Scene) -> Any:
    (result,) = await scene.app.results(ResultQuery(id=scene.ids["done"]))
    return await who.history.log_entries(result)


async def listed(found: list[Any], name: str) -> list[Any]:
    return [each for each in found if each.name == name]


def metrics(who: Access) -> str:
    who.history.require_metrics()
    return "seen"


def settings(who: Access) -> str:
    who.history.require_settings()
    return "seen"


Act = Callable[[Access, Scene], Awaitable[Any]]
ACTS: dict[str, list[Act]] = {
    "press a job button": [
        lambda who, scene: who.runs.press("Greet them", "demo.thing", ["a"]),
        lambda who, scene: who.runs.press("Greet them", "demo.thing", ["a", "b"]),
    ],
    "fire a job hook as its author": [fire],
    "rerun a job result": [lambda who, scene: who.runs.rerun(scene.ids["done"])],
    "cancel a job result": [lambda who, scene: who.runs.cancel(scene.ids["held"])],
    "see a change": [
        lambda who, scene: who.history.get_change(scene.ids["change"]),
        lambda who, scene: who.history.changes(ChangeQuery(ids=(scene.ids["change"],))),
        lambda who, scene: who.explain(scene.ids["change"]),
    ],
    "see a job result": [
        lambda who, scene: who.history.get_result(scene.ids["done"]),
        lambda who, scene: who.history.results(ResultQuery(id=scene.ids["done"])),
    ],
    "see a job log": [read_log],
    "see an object": [
        lambda who, scene: who.objects("demo.thing").get("a"),
        lambda who, scene: who.objects("demo.thing").filter(pk="a").first(),
        lambda who, scene: who.runs.shown_buttons("demo.thing", "a"),
        lambda who, scene: who.objects("demo.thing").filter(pk__in=["a", "b"]).all(),
    ],
    "make a change in another user's name": [write_as],
    "say which run caused a change": [write_because],
    "see plugins": [lambda who, scene: asyncio.to_thread(who.plugins)],
    "see a job": [
        lambda who, scene: listed(who.configuration.jobs(), "Greet"),
        lambda who, scene: asyncio.to_thread(who.configuration.get_job, "Greet"),
    ],
    "enable, disable or edit a job": [
        lambda who, scene: who.configuration.enable_job("Spare"),
        lambda who, scene: who.configuration.edit_job("Greet", retries=1),
        lambda who, scene: who.configuration.disable_job("Greet"),
    ],
    "see a job hook": [
        lambda who, scene: listed(who.configuration.hooks(), "As author"),
        lambda who, scene: asyncio.to_thread(who.configuration.get_hook, "As author"),
    ],
    "add a job hook": [lambda who, scene: who.configuration.add_hook("New", "Note", ["demo.thing"])],
    "edit a job hook": [lambda who, scene: who.configuration.edit_hook("As author", actions=["create"])],
    "remove a job hook": [lambda who, scene: who.configuration.remove_hook("As author")],
    "see a job button": [
        lambda who, scene: listed(who.configuration.buttons(), "Greet them"),
        lambda who, scene: asyncio.to_thread(who.configuration.get_button, "Greet them"),
    ],
    "add a job button": [lambda who, scene: who.configuration.add_button("New", "Greet", ["demo.thing"])],
    "edit a job button": [lambda who, scene: who.configuration.edit_button("Greet them", weight=5)],
    "remove a job button": [lambda who, scene: who.configuration.remove_button("Greet them")],
    "see a source": [
        lambda who, scene: listed(who.sources.all(), "nautobot"),
        lambda who, scene: asyncio.to_thread(who.sources.get, "nautobot"),
    ],
    "add a source": [lambda who, scene: who.sources.add("netbox")],
    "edit a source": [lambda who, scene: who.sources.edit("nautobot", SourceDraft(enabled=False))],
    "remove a source": [lambda who, scene: who.sources.remove("nautobot")],
    "declare an object type": [lambda who, scene: who.configuration.declare_type("demo.new")],
    "see users": [
        lambda who, scene: listed(who.administration.users(), "vic"),
        lambda who, scene: asyncio.to_thread(who.administration.get_user, "vic"),
    ],
    "add a user": [lambda who, scene: who.administration.add_user("new")],
    "edit a user, or set a password for them": [
        edit_and_set,
        lambda who, scene: who.administration.set_password("vic", "correct horse battery"),
    ],
    "see groups": [
        lambda who, scene: listed(who.administration.groups(), "staff"),
        lambda who, scene: asyncio.to_thread(who.administration.get_group, "staff"),
    ],
    "add a group": [lambda who, scene: who.administration.add_group("new")],
    "remove a group": [lambda who, scene: who.administration.remove_group("staff")],
    "see permissions": [
        lambda who, scene: listed(who.administration.permissions(), "vic's"),
        lambda who, scene: asyncio.to_thread(who.administration.get_permission, "vic's"),
    ],
    "grant a permission": [lambda who, scene: who.administration.grant(["demo.add_x"], users=["vic"])],
    "revoke a permission": [
        lambda who, scene: who.administration.revoke(["demo.view_x"], user="vic"),
    ],
    "see others' tokens": [lambda who, scene: listed(who.administration.tokens(), scene.ids["token"])],
    "make a token for somebody else": [lambda who, scene: who.administration.add_token("vic")],
    "see the audit log": [lambda who, scene: who.history.audit_entries(AuditQuery())],
    "see metrics": [lambda who, scene: asyncio.to_thread(metrics, who)],
    "see settings": [lambda who, scene: asyncio.to_thread(settings, who)],
    "remove somebody else's token": [lambda who, scene: who.administration.remove_token(scene.ids["token"])],
}
NEEDS = [(act, place) for act, needs in RIGHTS.items() for place in range(len(needs))]
WAYS = [(act, way) for act, ways in ACTS.items() for way in range(len(ways))]


def test_every_act_of_the_table_has_its_cells():
    assert set(ACTS) == set(RIGHTS)
    assert set(FINDS) <= set(RIGHTS)


# --- who may not ----------------------------------------------------------------------------------

_number = iter(range(1_000_000))


def asked(act: str) -> list[str]:
    return ["demo.view_thing" if need.permission == VIEW else need.permission for need in RIGHTS[act]]


async def user_with(scene: Scene, act: str, *, without: int | None = None, narrow: tuple[int, ...] = ()) -> Access:
    """A new user with what an act asks for: all, all but one, or some of it for another object only."""
    people = scene.app.administration
    name = f"user{next(_number)}"
    await people.add_user(name)
    for place, permission in enumerate(asked(act)):
        rows = [Constraint("pk", "=", "other")] if place in narrow else []
        if place != without:
            await people.grant([permission], users=[name], constraints=rows)
    # A need may ask what a look-up asks too: what is left out or narrowed must not come back that way.
    held_back = {asked(act)[place] for place in (*narrow, *(() if without is None else (without,)))}
    finds = [each for each in FINDS.get(act, ()) if each not in held_back]
    if finds:
        await people.grant(finds, users=[name])
    return scene.app.access(name)


async def nobodies(scene: Scene) -> Iterator[tuple[str, Access]]:
    people = scene.app.administration
    everything = [f"{app}.*" for app in ("demo", "jobs", "users")]
    for name in ("off", "late"):
        if all(each.name != name for each in people.users()):
            await people.add_user(name)
            await people.grant(everything, users=[name])
    await people.edit_user("off", is_disabled=True)
    _, token = await people.add_token("late", days=1e-9)
    assert people.user_of_token(token) is None
    unknown = scene.app.access("nobody-knows")
    return iter(
        [("unknown", unknown), ("disabled", scene.app.access("off")), ("expired", scene.app.access(User("expired")))]
    )


async def assert_refused(scene: Scene, who: Access, act: str) -> None:
    """Nothing is shown, nothing happens, and the message holds no more than what the caller named."""
    for do in ACTS[act]:
        before = await scene.state()
        try:
            answer = await do(who, scene)
        except REFUSALS as exc:
            assert HIDDEN not in str(exc)  # noqa: PT017 - some are refused by an empty list
        else:
            assert answer in ([], None), f"{who.user.username} may {act}"
        if do is not fire:
            assert await scene.state() == before


@pytest.mark.parametrize("act", RIGHTS)
async def test_nobody_may(closed, act):
    for _, who in await nobodies(closed):
        await assert_refused(closed, who, act)


@pytest.mark.parametrize("act", RIGHTS)
async def test_a_user_without_permissions_may_not(closed, act):
    name = f"user{next(_number)}"
    await closed.app.administration.add_user(name)
    await assert_refused(closed, closed.app.access(name), act)


@pytest.mark.parametrize("act", RIGHTS)
async def test_a_user_who_may_with_another_object_only_may_not(closed, act):
    narrow = tuple(range(len(RIGHTS[act])))
    await assert_refused(closed, await user_with(closed, act, narrow=narrow), act)


@pytest.mark.parametrize(("act", "place"), NEEDS)
async def test_a_user_who_lacks_one_of_the_needs_may_not(closed, act, place):
    await assert_refused(closed, await user_with(closed, act, without=place), act)
    await assert_refused(closed, await user_with(closed, act, narrow=(place,)), act)


@pytest.mark.parametrize("act", RIGHTS)
async def test_a_token_whose_scopes_lack_one_of_the_needs_may_not_even_for_an_owner(closed, act):
    for left_out in asked(act):
        scopes = [each for each in (*asked(act), *FINDS.get(act, ())) if each != left_out]
        if act != "fire a job hook as its author":  # a token fires nothing: it writes, and the author is its user
            await assert_refused(closed, closed.app.access(User("ann", known=True, is_owner=True, scopes=scopes)), act)


# --- who may --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("act", "way"), WAYS)
async def test_a_user_who_has_just_what_the_table_says_may(fresh, act, way):
    who = await user_with(fresh, act)
    before = await fresh.state()
    assert await ACTS[act][way](who, fresh) not in ([], None)
    if not act.startswith("see") and act != "cancel a job result":
        assert await fresh.state() != before
    Held.gate.set()
    await fresh.app.drain()
    assert all(each.status is not JobResultStatus.FAILURE for each in await all_results(fresh.app))


async def test_one_hidden_object_among_many_refuses_the_whole_press(fresh):
    people = fresh.app.administration
    await people.add_user("bob")
    await people.grant(["jobs.run_job"], users=["bob"])
    await people.grant(["demo.view_thing"], users=["bob"], constraints=[Constraint("pk", "=", "a")])
    before = await fresh.state()
    with pytest.raises(ObjectNotFound, match=r"No demo.thing 'b' exists"):
        await fresh.app.access("bob").runs.press("Greet them", "demo.thing", ["a", "b"])
    assert await fresh.state() == before
