"""Receivers for the pages of job results: one that waits to be let go, one that talks much, some that end badly."""

import asyncio
from typing import Any

from buttonhook import JobButtonReceiver, JobHookReceiver
from buttonhook.errors import RetryLater

CANARY = "<img src=x onerror=console.error('canary')><script>console.error('canary')</script>"


class Waiter(JobButtonReceiver):
    """Runs until it is let go, and logs what it is told meanwhile."""

    lines: "asyncio.Queue[str | None]"

    class Meta:
        name = "Waiter"
        is_singleton = True

    async def receive_job_button(self, obj: Any) -> str:
        self.logger.info("Waits on %s", obj, extra={"object": obj})
        while (line := await self.lines.get()) is not None:
            self.logger.info("%s", line)
        return "let go"


class Talker(JobButtonReceiver):
    """Logs many lines of all levels."""

    count = 2000

    class Meta:
        name = "Talker"

    async def receive_job_button(self, obj: Any) -> dict[str, Any]:
        levels = ("info", "debug", "info", "success", "info", "warning")
        for number in range(self.count):
            getattr(self.logger, levels[number % 6])(
                "Port %d of %s: checked the neighbour, its speed and the description against the plan",
                number,
                obj,
                extra={"object": obj, "grouping": f"rack {number // 500}"} if number % 10 == 0 else None,
            )
            if number % 200 == 199:
                await asyncio.sleep(0)
        return {"ports": self.count, "wrong": [3, 7, 12], "checked_by": "talker"}


class Canary(JobButtonReceiver):
    """Says, returns and raises what a browser must not take for HTML."""

    class Meta:
        name = "Canary " + CANARY

    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info(CANARY, extra={"grouping": CANARY, "object": obj})
        self.logger.getChild(CANARY).warning("from elsewhere")
        raise ValueError(CANARY)


class Teller(JobButtonReceiver):
    """Returns what a browser must not take for HTML."""

    async def receive_job_button(self, obj: Any) -> dict[str, str]:
        return {CANARY: CANARY}


class Later(JobButtonReceiver):
    """Fails once and is tried again much later."""

    class Meta:
        name = "Later"
        retries = 3

    async def receive_job_button(self, obj: Any) -> None:
        raise RetryLater(3600)


class Again(JobButtonReceiver):
    """Fails twice before it works."""

    async def receive_job_button(self, obj: Any) -> None:
        self.logger.info("attempt %d", self.attempt)
        if self.attempt < 3:
            raise RetryLater(0)


class Follower(JobHookReceiver):
    """Runs on each change of a location."""

    class Meta:
        name = "Follower"
        object_types = ["dcim.location"]

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("%s of %s", action, change.object_repr)
        if action == "update":
            raise LookupError("No such rack in the plan: R12. Ask the planners first.")


RECEIVERS = (Waiter, Talker, Canary, Teller, Later, Again, Follower)


async def press(served: Any, name: str, pk: str = "ams01", user: str = "ann") -> Any:
    """Press a receiver's button on a location, each made when it is first needed."""
    app = served.app
    if all(each.name != name for each in app.configuration.buttons()):
        await app.configuration.enable_job(name)
        await app.configuration.add_button(name, job=name, object_types=["dcim.location"], confirmation=False)
    if await app.objects("dcim.location").find(pk) is None:
        await app.session(user=user).objects("dcim.location").create(pk=pk, name=pk.upper())
    (result,) = await app.press(name, "dcim.location", [pk], user)
    return result
