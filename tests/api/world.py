"""A served app with one of everything in it, for tests that walk all routes.

The canary stands in everything that is about one object, `demo.thing hidden`: its document, its changes, the log, the
result and the error of runs on it, and in job hooks, groups and the like that only the owner may see.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from buttonhook import JobButtonReceiver, JobHookReceiver
from buttonhook.ids import now
from buttonhook.people import AuditEntry
from buttonhook.records import ChangeQuery, ResultQuery
from tests.api.served import Served, served_app

CANARY = "sesame7410"
THING = "demo.thing"


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
        self.logger.info("%s of %s", action, change.object_data["name"])
        if change.object_pk in ("hidden", "broken"):
            raise ValueError(f"{change.object_data['name']} cannot be noted")


class Spare(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        pass


class World:
    """The served app and the names of what is in it: `ids["done"]` is a job result that ended."""

    def __init__(self, served: Served, folder: Path) -> None:
        self.served = served
        self.folder = folder
        self.app = served.app
        self.ids: dict[str, Any] = {}

    async def fill(self) -> None:
        setup, people = self.app.configuration, self.app.administration
        for each in (THING, "demo.other"):
            await setup.declare_type(each)
        for job in ("Greet", "Held", "Note"):
            await setup.enable_job(job)
        await setup.add_button("Greet them", "Greet", [THING], text="Greet {name}")
        await setup.add_button("Hold them", "Held", [THING])
        await setup.add_button(f"Hidden {CANARY}", "Held", ["demo.other"], text=CANARY)
        await setup.add_hook("Note them", "Note", [THING])
        await setup.add_hook(f"Hidden {CANARY}", "Spare", ["demo.other"])
        for pk, name in (("a", "alpha"), ("b", "beta"), ("hidden", CANARY)):
            await self.app.objects(THING).create(pk=pk, name=name)
        hidden = await self.app.objects(THING).get("hidden")
        hidden.comments = f"{CANARY} too"
        await hidden.save()
        await people.add_group("staff")
        await people.add_group(f"hidden {CANARY}")
        await people.add_user("vic", groups=["staff"])
        await people.add_user(f"hidden-{CANARY}", groups=[f"hidden {CANARY}"])
        await people.grant(["demo.view_x"], users=["vic"], name="vic's")
        await people.grant(["demo.view_x"], users=[f"hidden-{CANARY}"], name=CANARY)
        token, _ = await people.add_token("vic", description=CANARY)
        self.app.audit(AuditEntry(time=now(), kind="denied", user_name="vic", what=CANARY))
        await self._run(token.name)

    async def _run(self, token: str) -> None:
        (done,) = await self.app.press("Greet them", THING, ["a"])
        (secret,) = await self.app.press("Greet them", THING, ["hidden"])
        await self.app.drain(20)
        (held,) = await self.app.press("Hold them", THING, ["a"])
        changes = await self.app.changes(ChangeQuery(object_type=THING, object_pk="a"))
        unseen = await self.app.changes(ChangeQuery(object_type=THING, object_pk="hidden"))
        noted = await self.app.results(ResultQuery(change_id=changes[0].id))
        self.ids = {
            "change": changes[0].id,
            "hidden_change": unseen[0].id,
            "done": done.id,
            "noted": noted[0].id,
            "hidden_result": secret.id,
            "held": held.id,
            "token": token,
        }

    async def state(self) -> tuple[Any, ...]:
        """All that a request could change, but for the audit log."""
        changes = await self.app.changes(ChangeQuery(limit=1))
        results = await self.app.results(ResultQuery(limit=1))
        return [each.id for each in changes], [each.number for each in results], dict(self.app.registry._records)


@asynccontextmanager
async def opened_world(folder: Path) -> AsyncIterator[World]:
    Held.gate = asyncio.Event()
    async with served_app(folder, receivers=[Greet, Held, Note, Spare]) as served:
        world = World(served, folder)
        await world.fill()
        yield world
        Held.gate.set()
