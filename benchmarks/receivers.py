"""The receivers and the object type that the benchmarks share, and opening an app with them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks import ceiling
from buttonhook import App, JobHookReceiver, ObjectChange, ObjectChangeAction, TrackedObject, open_app
from buttonhook.settings import Settings

started: dict[str, float] = {}
"""When the first receiver of each object ran its first line, by pk."""


class BenchDevice(TrackedObject, object_type=ceiling.TYPE):
    """What is created, again and again."""

    name: str
    serial: str = "FOC2149X0AB"
    status: str = "active"


class Noop(JobHookReceiver):
    """The async receiver that does nothing but log two lines."""

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        started.setdefault(change.object_pk, time.monotonic())
        self.logger.info("line 1 of %s", change.object_pk)
        self.logger.info("line 2 of %s", changed_object)


def noops(count: int) -> list[type[JobHookReceiver]]:
    """`count` receivers that do the same: one job hook each may cover one type."""
    made: list[type[JobHookReceiver]] = [Noop]
    for number in range(1, count):
        name = f"Noop{number}"
        made.append(type(name, (Noop,), {"__module__": Noop.__module__, "__qualname__": name}))
    return made[:count]


def settings(path: Path) -> Settings:
    """The defaults, with an author that tells nothing of who measures."""
    return Settings(db=f"sqlite:///{path}", user=ceiling.USER)


@asynccontextmanager
async def hooked_app(path: Path, receivers: list[type[JobHookReceiver]]) -> AsyncIterator[App]:
    """An app with these receivers enabled, each by a job hook of its own on the devices."""
    async with open_app(
        settings=settings(path), receivers=receivers, object_types=[BenchDevice], load_plugins=False
    ) as app:
        for place, receiver in enumerate(receivers):
            await app.configuration.enable_job(receiver.__name__)
            if not any(each.name == f"noop-{place}" for each in app.configuration.hooks()):
                await app.configuration.add_hook(f"noop-{place}", receiver.__name__, [ceiling.TYPE])
        yield app


async def check_sound(app: App) -> None:
    """A figure counts only if nothing was lost for it.

    Raises:
        SystemExit: something was.
    """
    report = await app.check()
    if report.problems or report.counts["waiting job results"]:
        raise SystemExit(f"The figures do not count, the database is not sound: {report}")
