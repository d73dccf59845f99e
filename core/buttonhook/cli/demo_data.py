"""What the demo's database holds, and the life in it: people who change devices and press buttons, well and badly."""

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from buttonhook.app import App
from buttonhook.errors import ObjectNotFound, StaleObject
from buttonhook.ids import AuditKind, now
from buttonhook.objects.session import Write
from buttonhook.people import AuditEntry, Constraint
from buttonhook.sources import SourceDraft

OWNER: Final = "admin"
OPERATOR: Final = "olga"
SITES: Final = {
    "ams01": "Amsterdam",
    "fra01": "Frankfurt",
    "lon02": "London",
    "par01": "Paris",
    "rtm01": "Rotterdam",
    "vie01": "Vienna",
}
ROLES: Final = (("edge", "asr-1001-x"), ("core", "qfx5120-48y"), ("sw", "dcs-7050sx3"), ("sw", "dcs-7050sx3"))
DEVICE: Final = "dcim.device"
JOBS: Final = (
    "buttonhook_examples.hooks.SerialGuard",
    "buttonhook_examples.buttons.Hello",
    "buttonhook_examples.buttons.Clone",
    "buttonhook_examples.buttons.Decommission",
    "network_demo.ConfigBackup",
    "network_demo.LabelInterfaces",
    "network_demo.InterfaceAudit",
    "network_demo.Probe",
)
BROKEN_PLUGIN: Final = '"""A plugin that lacks something, so that the demo has one."""\n\nimport acme_client\n'

AUDIT: Final[Sequence[tuple[AuditKind, str, str]]] = (
    ("login", "nora", "logged in"),
    ("login_failed", "pieter", "name and password do not fit"),
    ("login", "pieter", "logged in"),
    ("denied", "pieter", "User 'pieter' may not see users: it takes users.view_user."),
    ("token_refused", "", "a token that fits nobody was sent"),
    ("logout", "nora", "logged out"),
)

Document = dict[str, Any]


async def fill(app: App, passwords: dict[str, str]) -> None:
    """People, objects, and only then the hooks and buttons: nothing runs for what is brought in at the beginning."""
    await _add_people(app, passwords)
    await _add_objects(app)
    await _add_automation(app)


async def _add_people(app: App, passwords: dict[str, str]) -> None:
    people = app.administration
    await people.add_group("operators")
    await people.add_group("auditors")
    view = ["dcim.view_*", "jobs.view_job", "jobs.view_jobbutton", "jobs.view_jobhook", "jobs.view_joblogentry"]
    see = [*view, "jobs.view_jobresult", "jobs.view_objectchange"]
    for name, groups in ((OPERATOR, ["operators"]), ("pieter", ["operators"]), ("nora", ["auditors"])):
        await people.add_user(name, groups=groups)
    await people.grant([*see, "jobs.run_job", "dcim.change_interface"], groups=["operators"], name="Operators")
    narrow = [Constraint("location", "in", ["ams01", "rtm01"])]
    await people.grant(["dcim.change_device"], groups=["operators"], constraints=narrow, name="Dutch devices")
    await people.grant([*see, "users.view_*", "jobs.view_plugin"], groups=["auditors"], name="Auditors")
    for name, password in passwords.items():
        await people.set_password(name, password)
    await people.add_token(OPERATOR, scopes=["dcim.view_*"], description="inventory report")
    for kind, name, what in AUDIT:
        app.audit(AuditEntry(time=now(), kind=kind, user_name=name, address="10.20.0.7", what=what))
    await app.sources.add("nautobot", SourceDraft(description="The inventory of the campus"))


async def _add_objects(app: App) -> None:
    for slug, maker in (("asr-1001-x", "Cisco"), ("qfx5120-48y", "Juniper"), ("dcs-7050sx3", "Arista")):
        document = {"manufacturer": maker, "model": slug.upper(), "slug": f"{maker.lower()}-{slug}", "u_height": 1}
        await _put(app, OWNER, "dcim.devicetype", slug, document)
    for number, (pk, name) in enumerate(SITES.items()):
        site = {"name": name, "facility": f"DC {number + 1}", "time_zone": "Europe/Amsterdam", "location_type": "site"}
        await _put(app, OWNER, "dcim.location", pk, site)
        for place, (role, kind) in enumerate(ROLES):
            pk_of = f"{pk}-{role}-{place + 1:02d}"
            serial = f"FOC{20 + number}{10 + place:02d}X0{chr(65 + number)}{chr(65 + place)}"
            device = {"name": pk_of, "serial": serial, "location": pk, "device_type": kind, "role": role}
            await _put(app, OWNER, DEVICE, pk_of, {**device, "rack": f"{pk}-r1", "position": 10 + place * 2})
            ports = [f"Ethernet1/{port}" for port in range(1, 5)]
            writes = [
                Write(
                    kind="put",
                    object_type="dcim.interface",
                    pk=f"{pk_of}-{port.replace('/', '-')}",
                    document={"device": pk_of, "name": port, "type": "10gbase-x-sfpp"},
                )
                for port in ports
            ]
            await app.commit(app.session(OWNER, "cli").request(tuple(writes)))


async def _add_automation(app: App) -> None:
    configuration = app.configuration
    for job in JOBS:
        await configuration.enable_job(job)
    hook = next(each for each in configuration.hooks() if each.job == "network_demo.InterfaceAudit")
    await configuration.edit_hook(hook.name, allow_job_hook_changes=True)
    for name, job, fields in (
        ("Probe", "network_demo.Probe", {"confirmation": False}),
        ("Say hello", "buttonhook_examples.buttons.Hello", {"confirmation": False}),
        ("Clone", "buttonhook_examples.buttons.Clone", {"group": "Life cycle"}),
        ("Take out", "buttonhook_examples.buttons.Decommission", {"group": "Life cycle", "style": "danger"}),
    ):
        await configuration.add_button(name, job, [DEVICE], **fields)


async def _put(app: App, user: str, object_type: str, pk: str, document: Document) -> None:
    write = Write(kind="put", object_type=object_type, pk=pk, document=document)
    await app.commit(app.session(user, "cli").request((write,)))


class Life:
    """What people do: one thing at a time, by chance that is the same in every demo."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._chance = random.Random("buttonhook")  # noqa: S311 - a game
        self._acts: Sequence[tuple[int, Callable[[], Awaitable[None]]]] = (
            (10, self.note),
            (3, self.mistype_serial),
            (4, self.change_status),
            (3, self.probe),
            (2, self.greet),
            (2, self.take_out),
            (2, self.clone),
            (3, self.touch_interface),
        )

    async def step(self) -> None:
        """Something happens."""
        acts = [act for _, act in self._acts]
        (act,) = self._chance.choices(acts, [weight for weight, _ in self._acts])
        try:
            await act()
        except (ObjectNotFound, StaleObject):
            return  # somebody was quicker

    async def note(self) -> None:
        """A comment on a device."""
        words = self._chance.choice(("fan replaced", "cabling checked", "optics cleaned", "label printed", "moved"))
        await self._change(self._device(), {"comments": f"{words}, ticket {self._chance.randint(4000, 9999)}"})

    async def mistype_serial(self) -> None:
        """A serial number that a hook puts back."""
        await self._change(self._device(), {"serial": f"FOC-{self._chance.randint(10, 99)}"})

    async def change_status(self) -> None:
        """A status, of which the interfaces are told, which are audited."""
        await self._change(self._device(), {"status": self._chance.choice(("active", "active", "offline", "planned"))})

    async def touch_interface(self) -> None:
        """An interface is enabled or disabled, or gets another MTU."""
        pk = f"{self._device()}-Ethernet1-{self._chance.randint(1, 4)}"
        fields = {"mtu": self._chance.choice((1500, 9000)), "enabled": self._chance.random() > 0.3}
        await self._change(pk, fields, "dcim.interface")

    async def probe(self, device: str = "") -> None:
        """A button that takes long."""
        await self._press("Probe", device or self._device())

    async def greet(self) -> None:
        await self._press("Say hello", self._device())

    async def take_out(self) -> None:
        """A button whose job refuses while the device is active."""
        await self._press("Take out", self._device())

    async def clone(self) -> None:
        """A button whose job not everybody's permissions suffice for."""
        await self._press("Clone", self._device())

    async def change_all_of(self, site: str) -> None:
        """Every device of a site at once, by one request."""
        async with self._app.transaction(user="pieter", context="api"):
            async for each in self._app.objects(DEVICE).filter(location=site):
                each.platform = self._chance.choice(("17.9.4", "17.12.1", "21.4R3"))
                await each.save()

    async def begin(self) -> None:
        """Things that take long, more of one kind than may run at once, and some that wait for each other."""
        for device in ("ams01-edge-01", "fra01-core-02", "lon02-sw-03", "par01-sw-04", "vie01-edge-01"):
            await self.probe(device)
        await self.queue_up("ams01-core-02")

    async def queue_up(self, device: str) -> None:
        """Several changes of one device, whose runs wait for each other."""
        for number in range(4):
            await self._change(device, {"comments": f"step {number + 1} of the migration"})

    def _device(self) -> str:
        site, place = self._chance.choice(list(SITES)), self._chance.randrange(len(ROLES))
        return f"{site}-{ROLES[place][0]}-{place + 1:02d}"

    def _user(self) -> str:
        return self._chance.choice((OPERATOR, OPERATOR, "pieter", OWNER))

    async def _change(self, pk: str, fields: Document, object_type: str = DEVICE) -> None:
        held = await self._app.session(self._user(), "ui").objects(object_type).get(pk)
        for name, value in fields.items():
            setattr(held, name, value)
        await held.save()

    async def _press(self, button: str, pk: str) -> None:
        await self._app.press(button, DEVICE, [pk], user=self._user())
