"""The jobs of the demo: they play at a network that is not there, and take the time that a real one would.

`buttonhook demo` loads this file from a folder, as `--plugins-dir` does.
"""

import asyncio
import random

from msgspec import Struct

from buttonhook.errors import GiveUp, RetryLater
from buttonhook.hookspecs import hookimpl
from buttonhook.objects.change import ObjectChange
from buttonhook.objects.tracked import FreeObject
from buttonhook.receivers.base import JobButtonReceiver, JobHookReceiver
from buttonhook.receivers.registration import register_jobs
from buttonhook.redaction import Secret


class NetworkSettings(Struct, kw_only=True):
    """`pace` shortens what takes time; the community is there to be hidden."""

    pace: float = 1.0
    snmp_community: Secret | None = None


class ConfigBackup(JobHookReceiver):
    settings: NetworkSettings

    class Meta:
        name = "Config backup"
        description = "Fetches a device's configuration after each change and keeps what differs."
        grouping = "Network"
        object_types = ["dcim.device"]
        actions = ["create", "update"]
        retries = 2

    async def receive_job_hook(self, change: ObjectChange, action: str, changed_object: FreeObject | None) -> str:
        if changed_object is None:
            raise GiveUp("the device is gone")
        chance = random.Random(f"{change.id} {self.attempt}").random()  # noqa: S311 - a game
        pace = self.settings.pace
        self.logger.info("Connecting to %s", changed_object, extra={"object": changed_object})
        await asyncio.sleep(pace * (0.2 + chance))
        if chance > 0.97:
            raise RetryLater(pace * 12, f"{changed_object} closed the connection")
        if chance > 0.92:
            raise GiveUp(f"{changed_object}: connection refused on port 22")
        lines = 400 + int(chance * 9000)
        self.logger.info("show running-config: %d lines", lines)
        await asyncio.sleep(pace * 2.5 * chance)
        if chance > 0.8:
            self.logger.warning("%d lines differ from the last backup", int(chance * 40))
        self.logger.success("Kept the configuration of %s", changed_object)
        return f"{lines} lines"


class LabelInterfaces(JobHookReceiver):
    settings: NetworkSettings

    class Meta:
        name = "Label interfaces"
        description = "Says on each interface how its device stands, so that nobody patches into one that is offline."
        grouping = "Network"
        object_types = ["dcim.device"]
        actions = ["update"]
        conditions = [{"type": "preset", "preset": "field_changed", "values": {"field": "status"}}]

    async def receive_job_hook(self, change: ObjectChange, action: str, changed_object: FreeObject | None) -> None:
        if changed_object is None:
            return
        async with self.transaction():
            async for each in self.objects("dcim.interface").filter(device=changed_object.pk):
                each.description = f"device is {changed_object.status}"
                await each.save()
        self.logger.success("Labelled the interfaces of %s", changed_object, extra={"object": changed_object})


class InterfaceAudit(JobHookReceiver):
    settings: NetworkSettings

    class Meta:
        name = "Interface audit"
        description = "Looks at each changed interface for what monitoring needs to know."
        grouping = "Network"
        object_types = ["dcim.interface"]
        actions = ["update"]

    async def receive_job_hook(self, change: ObjectChange, action: str, changed_object: FreeObject | None) -> None:
        await asyncio.sleep(self.settings.pace * 0.05)
        if changed_object is not None and not changed_object.enabled:
            self.fail("%s is disabled, but monitoring waits for it", changed_object, extra={"object": changed_object})
            return
        self.logger.info("%s: %s", action, change.get_snapshots()["differences"]["added"])


class Probe(JobButtonReceiver):
    settings: NetworkSettings

    class Meta:
        name = "Probe"
        description = "Sends packets to a device for a while and tells how many came back."
        grouping = "Network"
        object_types = ["dcim.device"]
        max_concurrency = 4

    async def receive_job_button(self, obj: FreeObject) -> str:
        chance = random.Random(f"{obj.pk} {self.job_result.id}")  # noqa: S311 - a game
        rounds, lost = chance.randint(20, 60), 0
        for number in range(1, rounds + 1):
            await asyncio.sleep(self.settings.pace * chance.uniform(0.8, 2.2))
            if chance.random() < 0.06:
                lost += 1
                self.logger.warning("Probe %d of %d to %s: no answer", number, rounds, obj, extra={"object": obj})
            else:
                self.logger.info("Probe %d of %d to %s: %.1f ms", number, rounds, obj, chance.uniform(0.4, 9))
        if lost > rounds // 10:
            self.fail("%s lost %d of %d packets", obj, lost, rounds, extra={"object": obj})
        return f"{rounds - lost} of {rounds} came back"


@hookimpl
def buttonhook_settings() -> type[NetworkSettings]:
    return NetworkSettings


register_jobs(ConfigBackup, LabelInterfaces, InterfaceAudit, Probe)
