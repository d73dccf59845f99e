"""Changes to look at: nested documents, long texts, chains of causes, failed runs, a request with several changes."""

import asyncio
from typing import Any

from buttonhook import JobButtonReceiver, JobHookReceiver

CONFIG = "\n".join(
    [
        "hostname ams01-r1",
        "!",
        *(f"interface Ethernet{n}\n description to rack {n}\n no shutdown" for n in range(1, 9)),
        "!",
        "router bgp 65010",
        " neighbor 10.0.0.1 remote-as 65001",
        "line vty 0 4",
        " transport input ssh",
    ]
)
gate = asyncio.Event()


class CountDevices(JobHookReceiver):
    """Notes at the location what was done to its devices."""

    class Meta:
        name = "Count devices"

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        await asyncio.sleep(0.03)
        place = await self.objects("dcim.location").find("ams01")
        place.description = f"{change.object_repr} was {action}d by change {change.id}"
        await place.save()
        self.logger.success("counted", extra={"object": place})


class PublishLocation(JobHookReceiver):
    class Meta:
        name = "Publish location"

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        await asyncio.sleep(0.05)
        await self.enqueue(PushToMap, changed_object)


class PushToMap(JobButtonReceiver):
    class Meta:
        name = "Push to map"

    async def receive_job_button(self, obj: Any) -> None:
        await asyncio.sleep(0.08)
        raise RuntimeError("the map at maps.example.net answered 502 Bad Gateway")


class CheckPower(JobHookReceiver):
    class Meta:
        name = "Check power"

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        await asyncio.sleep(0.01)
        self.logger.info("PDU a-12 has 3 free outlets")


class Held(JobHookReceiver):
    class Meta:
        name = "Wait for approval"

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("waiting for the approval of the change board")
        await gate.wait()


RECEIVERS = [CountDevices, PublishLocation, PushToMap, CheckPower, Held]


async def make_changes(app: Any, user: str = "ann") -> None:
    """Objects of three types, changed a few times, with job hooks of every verdict."""
    gate.clear()
    for each in RECEIVERS:
        await app.configuration.enable_job(each.__name__)
    hooks = app.configuration.add_hook
    await hooks("Count devices", "CountDevices", ["dcim.device"], ["update"])
    await hooks("Publish locations", "PublishLocation", ["dcim.location"], ["update"], allow_job_hook_changes=True)
    only_active = {
        "type": "preset",
        "preset": "field_compare",
        "values": {"field": "status", "operator": "=", "value": "active"},
    }
    await hooks("Check power of active devices", "CheckPower", ["dcim.device"], conditions=[only_active])
    await hooks("Approval", "Held", ["dcim.device"], ["delete"], enabled=False)
    await app.configuration.declare_type("net.profile")
    session = app.session(user=user, context="ui")
    await session.objects("dcim.location").create(pk="ams01", name="Amsterdam 1", facility="DC 4")
    many = app.session(user=user, context="cli")
    async with many.transaction():
        devices = many.objects("dcim.device")
        for number in range(1, 4):
            await devices.create(
                pk=f"r{number}",
                name=f"ams01-r{number}",
                status="planned",
                location="ams01",
                serial=f"FOC2149X0A{number}",
            )
    await app.drain()
    await _edit(session)
    await app.drain()


async def _edit(session: Any) -> None:
    device = await session.objects("dcim.device").get("r1")
    device.comments = CONFIG
    await device.save()
    profile = await session.objects("net.profile").create(
        pk="r1",
        name="ams01-r1 profile",
        owner={"team": "network", "mail": "noc@example.net"},
        vlans=[{"id": 10, "name": "servers"}, {"id": 20, "name": "voice"}, {"id": 30, "name": "guests"}],
        labels=["core", "edge", "ams"],
        motd="Authorised use only. All sessions are recorded by the network team.",
        template=CONFIG,
        mtu=1500,
        tags={"site": "ams01", "row": "a", "rack": 12},
        old_name="r1-old",
    )
    profile.owner = {"team": "network", "mail": "noc-ams@example.net"}
    profile.vlans = [{"id": 10, "name": "servers"}, {"id": 25, "name": "printers"}, {"id": 30, "name": "visitors"}]
    profile.labels = ["edge", "core", "ams", "a-12"]
    profile.motd = "Authorised use only. All sessions are recorded by the security team."
    profile.template = CONFIG.replace("65001", "65002").replace("transport input ssh", "transport input ssh telnet")
    profile.mtu = 9000
    profile.checked = True
    del profile["old_name"]
    await profile.save()
    device.status, device.serial = "active", "FOC2149X0AB"
    device.comments = CONFIG.replace("65001", "65002")
    await device.save()
