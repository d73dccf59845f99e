"""A served app with one of everything in it, for tests that walk all routes.

The canary stands in everything that somebody may not see who holds every permission for all that is plain (`watcher`):
in the object `demo.thing hidden`, its changes, the log, the result and the error of runs on it, and in the names of
job hooks, groups and the like.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from buttonhook import JobButtonReceiver, JobHookReceiver
from buttonhook.ids import now
from buttonhook.people import AuditEntry, Constraint, GroupRecord, PermissionRecord
from buttonhook.records import ChangeQuery, JobButton, JobHook, ResultQuery
from buttonhook.sources import SourceDraft
from tests.api.served import Served, served_app

CANARY = "sesame7410"
THING = "demo.thing"
OTHER = "demo.other"
THIRD = "demo.third"


class Greet(JobButtonReceiver):
    async def receive_job_button(self, obj: Any) -> str:
        self.logger.info("Hello %s", obj.name, extra={"object": obj})
        return f"greeted {obj.name}"


class Held(JobButtonReceiver):
    gate = asyncio.Event()

    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info("waiting for %s", obj.name)
        await self.gate.wait()


class Note(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        name = change.object_data.get("name", "")
        self.logger.info("%s of %s", action, name)
        if name == CANARY:
            raise ValueError(f"{name} cannot be noted")


class Spare(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        pass


class Concealed(JobHookReceiver):
    class Meta:
        name = f"Concealed {CANARY}"

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        pass


@dataclass(frozen=True)
class Things:
    """What a part of a path may name: something plain, something hidden by its id, something that is not there."""

    plain: str
    hidden: str
    missing: str
    make: Callable[[], Awaitable[str]] | None = None
    """Another plain one, for what takes it away."""


class World:
    """The served app, and by kind the names of what is in it."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.app = served.app
        self.folder = folder
        self.things: dict[str, Things] = {}
        self.held = ""
        """A job result that runs until somebody ends it."""
        self.hidden_number = 0
        """That of a job result on the hidden object."""
        self._number = count()
        self._clients: dict[Any, httpx.AsyncClient] = {}

    async def fill(self) -> None:
        setup, people = self.app.configuration, self.app.administration
        for each in (THING, OTHER, THIRD):
            await setup.declare_type(each)
        for job in ("Greet", "Held", "Note", "Spare"):
            await setup.enable_job(job)
        await setup.add_button("Greet them", "Greet", [THING], text="Greet {name}")
        await setup.add_button("Hold them", "Held", [THING])
        await setup.add_button(f"Hidden {CANARY}", "Held", [OTHER], text=CANARY)
        await setup.add_hook("Note them", "Note", [THING])
        await setup.add_hook(f"Hidden {CANARY}", "Spare", [THING])
        for pk, name in (("a", "alpha"), ("b", "beta"), ("hidden", CANARY)):
            await self.app.objects(THING).create(pk=pk, name=name)
        hidden = await self.app.objects(THING).get("hidden")
        hidden.comments = f"{CANARY} too"
        await hidden.save()
        await people.add_group("staff")
        await people.add_group(f"hidden {CANARY}")
        await people.add_user("vic", groups=["staff", f"hidden {CANARY}"])
        await people.add_user(f"hidden-{CANARY}", groups=[f"hidden {CANARY}"])
        await people.grant(
            ["demo.view_x"],
            users=["vic"],
            groups=["staff", f"hidden {CANARY}"],
            constraints=[Constraint("name", "=", "x")],
            name="vic's",
        )
        await people.grant(["demo.view_y"], users=["vic"], name="revoked")
        await people.grant(["demo.view_x"], users=[f"hidden-{CANARY}"], name=CANARY)
        await self.app.sources.add("plain", SourceDraft(kind="nautobot", acts_as="vic"))
        await self.app.sources.add("hidden", SourceDraft(kind="nautobot", description=CANARY))
        self.app.audit(AuditEntry(time=now(), kind="denied", user_name="vic", what=CANARY))
        await self._run()

    async def _run(self) -> None:
        (done,) = await self.app.press("Greet them", THING, ["a"])
        (secret,) = await self.app.press("Greet them", THING, ["hidden"])
        await self.app.drain(20)
        (held,) = await self.app.press("Hold them", THING, ["a"])
        self.held = held.id
        changes = await self.app.changes(ChangeQuery(object_type=THING, object_pk="a"))
        unseen = await self.app.changes(ChangeQuery(object_type=THING, object_pk="hidden"))
        people, name_it = self.app.administration, self._named
        await self.owner()
        token, _ = await people.add_token("vic", description="plain")
        unseen_token, _ = await people.add_token(f"hidden-{CANARY}", description=CANARY)
        self.hidden_number = secret.number
        none = "01900000-0000-7000-8000-000000000000"
        self.things = {
            "types": Things(THING, OTHER, "demo.none"),
            "objects": Things("a", "hidden", "hiddem", self._object),
            "changes": Things(str(changes[0].id), str(unseen[0].id), "999999"),
            "results": Things(done.id, secret.id, none, self._held),
            "jobs": Things(self._id_of_job("Greet"), self._id_of_job("Concealed"), "tests.api.world.None", self._job),
            "hooks": Things("Note them", name_it(JobHook), none, self._hook),
            "buttons": Things(self._named(JobButton, "Greet them"), name_it(JobButton), none, self._button),
            "users": Things("vic", f"hidden-{CANARY}", f"hiddem-{CANARY}", self._user),
            "groups": Things("staff", name_it(GroupRecord), none, self._group),
            "permissions": Things("vic's", name_it(PermissionRecord), none, self._permission),
            "tokens": Things(token.name, unseen_token.name, "bh_none", self._token),
            "sources": Things("plain", "hidden", "hiddem", self._source),
            "plugins": Things("dcim", "examples", "none"),
            "schema": Things("none", "none", "none"),
            "static": Things("none", "none", "none"),
        }

    def _named(self, kind: type[Any], name: str = "") -> str:
        records = self.app.registry.all(kind)
        return next(each.id for each in records if each.name == name or (not name and CANARY in each.name))

    def _id_of_job(self, name: str) -> str:
        return next(each for each in self.app.registry.receivers if each.endswith(f".{name}"))

    # --- who asks ---------------------------------------------------------------------------------

    async def owner(self) -> httpx.AsyncClient:
        if "owner" not in self._clients:
            self._clients["owner"] = await self.served.owner()
        return self._clients["owner"]

    async def nobody(self) -> httpx.AsyncClient:
        if "nobody" not in self._clients:
            self._clients["nobody"] = await self.served.client()
        return self._clients["nobody"]

    async def who(self, *held: tuple[str, Sequence[Constraint]]) -> httpx.AsyncClient:
        """A user who holds these permissions, each within its constraints; nothing where there are none."""
        key = repr(sorted(held, key=repr))
        if key not in self._clients:
            name = f"asker{len(self._clients)}"
            client = await self.served.user(name)
            for permission, constraints in held:
                await self.app.administration.grant([permission], users=[name], constraints=constraints)
            self._clients[key] = client
        return self._clients[key]

    # --- others of their kind ---------------------------------------------------------------------

    async def _object(self) -> str:
        return (await self.app.objects(THING).create(name="another")).pk

    async def _held(self) -> str:
        (held,) = await self.app.press("Hold them", THING, ["b"])
        return held.id

    async def _job(self) -> str:
        await self.app.configuration.enable_job("Note")
        return "Note"

    async def _hook(self) -> str:
        number, setup = next(self._number), self.app.configuration  # two of one job on one type would be refused
        await setup.declare_type(f"demo.kind{number}")
        return (await setup.add_hook(f"hook {number}", "Note", [f"demo.kind{number}"])).id

    async def _button(self) -> str:
        return (await self.app.configuration.add_button(f"button {next(self._number)}", "Greet", [THING])).id

    async def _user(self) -> str:
        return (await self.app.administration.add_user(f"user{next(self._number)}")).name

    async def _group(self) -> str:
        return (await self.app.administration.add_group(f"group{next(self._number)}")).name

    async def _permission(self) -> str:
        name = f"permission{next(self._number)}"
        return (await self.app.administration.grant(["demo.view_y"], users=["vic"], name=name)).name

    async def _token(self) -> str:
        return (await self.app.administration.add_token("vic"))[0].name

    async def _source(self) -> str:
        source, _ = await self.app.sources.add(
            f"source{next(self._number)}", SourceDraft(kind="nautobot", acts_as="vic")
        )
        return source.name

    async def state(self) -> tuple[Any, ...]:
        """All that a request could change, but for the audit log."""
        changes = await self.app.changes(ChangeQuery(limit=1))
        results = await self.app.results(ResultQuery(limit=1))
        return [each.id for each in changes], [each.number for each in results], dict(self.app.registry._records)


@asynccontextmanager
async def opened_world(folder: Path) -> AsyncIterator[World]:
    Held.gate = asyncio.Event()
    async with served_app(folder, receivers=[Greet, Held, Note, Spare, Concealed]) as served:
        world = World(served, folder)
        await world.fill()
        yield world
        Held.gate.set()
