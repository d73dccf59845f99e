"""The figures of the last hour, as a daemon counts them: what was before its start, what happens, what is revoked."""

import asyncio
from pathlib import Path
from typing import Any

from buttonhook import JobHookReceiver
from buttonhook.http.last_hour import Figures
from tests.api.served import Served, served_app
from tests.scenarios.story import until


class Held(JobHookReceiver):
    goes_on: asyncio.Event

    class Meta:
        object_types = ["dcim.location"]

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        await Held.goes_on.wait()


def figures(served: Served) -> Figures:
    def sees(object_type: str) -> bool:
        return object_type == "dcim.location"

    return served.daemon.last_hour.figures(sees, sees)


async def test_what_was_before_a_start_is_counted_with_what_comes(tmp_path: Path) -> None:
    Held.goes_on = asyncio.Event()
    Held.goes_on.set()
    async with served_app(tmp_path, receivers=[Held]) as served:
        await served.app.configuration.enable_job("Held")
        await served.app.objects("dcim.location").create(pk="ams01", name="Amsterdam")
        await served.app.drain()
    Held.goes_on = asyncio.Event()
    async with served_app(tmp_path, receivers=[Held]) as served:
        await until(lambda: sum(figures(served).ended["success"]) == 1)
        assert sum(figures(served).changes["create"]) == 1
        await served.app.objects("dcim.location").create(pk="fra01", name="Frankfurt")
        held = await served.app.objects("dcim.location").get("fra01")
        held.name = "Frankfurt am Main"
        await held.save()
        Held.goes_on.set()
        await served.app.drain()
        shown = figures(served)
        assert (sum(shown.changes["create"]), sum(shown.changes["update"])) == (2, 1)
        assert sum(shown.ended["success"]) == 3
        assert any(each is not None for each in shown.ran.half)


async def test_a_result_that_is_cancelled_while_it_waits_is_counted_when_it_is_looked_for(tmp_path: Path) -> None:
    Held.goes_on = asyncio.Event()
    async with served_app(tmp_path, receivers=[Held]) as served:
        await served.app.configuration.enable_job("Held")
        held = await served.app.objects("dcim.location").create(pk="ams01", name="Amsterdam")
        held.name = "A"
        await held.save()
        owner = served.app.access("ann")
        await owner.runs.cancel("2")
        await until(lambda: bool(served.daemon.last_hour.object_types()))
        await served.daemon.last_hour.look_up(served.app.reader)
        await served.daemon.last_hour.look_up(served.app.reader)
        assert sum(figures(served).ended["revoked"]) == 1
        Held.goes_on.set()
