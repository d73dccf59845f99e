"""`buttonhook demo --once`: a short story on a throw-away database, told step by step.

A device gets a wrong serial number and a hook puts it back; buttons are pressed by one who may and one who may not; a
receiver refuses with its reason. Everything is real: installed plugins, recorded changes, captured logs.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from buttonhook.app import App, open_app
from buttonhook.cli import lookups
from buttonhook.cli.buttons import print_outcome
from buttonhook.cli.changes import print_differences
from buttonhook.cli.context import Cli
from buttonhook.cli.logs import print_log
from buttonhook.cli.output import ACTION_STYLES
from buttonhook.cli.running import load_catalogue
from buttonhook.cli.telling import RUN_COLUMNS, run_row
from buttonhook.cli.text import plural
from buttonhook.cli.words import told
from buttonhook.errors import StillReferenced
from buttonhook.ids import JobId
from buttonhook.objects.session import Write
from buttonhook.records import ChangeQuery, ResultQuery
from buttonhook.settings import SQLITE_SCHEME, Settings

PACKAGES: Final = ("buttonhook-dcim", "buttonhook-examples", "buttonhook-devicetypes")
SERIAL_GUARD: Final = "buttonhook_examples.hooks.SerialGuard"
SLUG_POLICY: Final = "buttonhook_devicetypes.hooks.SlugPolicy"
SANITY_CHECK: Final = "buttonhook_devicetypes.hooks.SanityCheck"
REPORT: Final = "buttonhook_devicetypes.buttons.DeviceTypeReport"
CLONE: Final = "buttonhook_examples.buttons.Clone"
DECOMMISSION: Final = "buttonhook_examples.buttons.Decommission"
JOBS: Final = (SERIAL_GUARD, SLUG_POLICY, SANITY_CHECK, REPORT, CLONE, DECOMMISSION)
DEVICE: Final = "dcim.device"
DEVICE_TYPE: Final = "dcim.devicetype"
LOCATION: Final = "dcim.location"

Document = dict[str, Any]


async def play_story(cli: Cli) -> None:
    with tempfile.TemporaryDirectory(prefix="buttonhook-demo-") as folder:
        settings = Settings(db=f"{SQLITE_SCHEME}{Path(folder) / 'demo.db'}", allowed_plugins=PACKAGES)
        await _require_plugins(settings)
        started = asyncio.get_running_loop().time()
        async with open_app(settings=settings) as app:
            cli.out.redactor = app.registry.redactor
            story = _Story(cli, app)
            await story.play()
        seconds = asyncio.get_running_loop().time() - started
    cli.out.line()
    cli.out.line(f"That took {seconds:.1f} s. The database is gone and nothing is left running.")


async def _require_plugins(settings: Settings) -> None:
    """Raises: click.ClickException: naming what to install, or what is broken."""
    catalogue = await load_catalogue(settings)
    errors = [error for report in catalogue.plugins for error in report.errors]
    if errors:
        raise click.ClickException(f"A plugin that the demo needs is broken. {errors[0]}")
    loaded = {report.distribution for report in catalogue.plugins if not report.is_blocked}
    missing = [name for name in PACKAGES if name not in loaded]
    unknown = [job for job in JOBS if JobId(job) not in catalogue.registry.receivers]
    if missing:
        raise click.ClickException(
            f"The demo plays with plugins that are not installed: pip install {' '.join(missing)}"
        )
    if unknown:
        raise click.ClickException(f"The demo needs {', '.join(unknown)}. Bring {', '.join(PACKAGES)} up to date.")


class _Story:
    """Plays one step after the other, each followed by what was recorded, run and logged because of it."""

    def __init__(self, cli: Cli, app: App) -> None:
        self._out, self._app = cli.out, app
        self._step = self._change = self._result = self._changes = 0

    async def play(self) -> None:
        await self._set_up()
        await self._create()
        await self._spoil_serial()
        await self._watch_library()
        await self._press()
        await self._decommission()
        await self._delete()
        await self._sum_up()

    # --- the steps --------------------------------------------------------------------------------

    async def _set_up(self) -> None:
        self._tell(
            "Set up", "Jobs run only once somebody enables them. Two people join: ann may add devices, bob may not."
        )
        configuration = self._app.configuration
        people = self._app.administration
        operator = ["jobs.run_job", "dcim.view_*", "jobs.view_*"]
        await people.put_user("ann", permissions=[*operator, "dcim.add_device", "dcim.add_location"])
        await people.put_user("bob", permissions=operator)
        for job in JOBS:
            enabled, hook = await configuration.enable_job(job)
            on = "" if hook is None else f": {', '.join(hook.actions)} of {', '.join(hook.object_types)}"
            self._out.line(f"  Enabled {enabled.name}{on}")
        for name, job, type_ in (
            ("Clone", CLONE, DEVICE),
            ("Decommission", DECOMMISSION, DEVICE),
            ("Report", REPORT, DEVICE_TYPE),
        ):
            await configuration.add_button(name, job, [type_])
            self._out.line(f"  Added a button {name} to {type_}")
        (last,) = await self._app.changes(ChangeQuery(limit=1))
        self._change = last.id
        self._out.line(f"  Who did all that, and when, is recorded as well: {plural(last.id, 'change')} of the set-up.")

    async def _create(self) -> None:
        self._tell(
            "Create",
            "ann adds a location in another and a device in it. The hook on devices looks at the serial number.",
        )
        await self._put("ann", LOCATION, "nl", {"name": "Netherlands"})
        site = {"name": "AMS01", "parent": "nl", "time_zone": "Europe/Amsterdam"}
        await self._put("ann", LOCATION, "ams01", site)
        router = {"manufacturer": "Cisco", "model": "ASR-1001-X", "slug": "cisco-asr-1001-x", "u_height": 1}
        await self._put("ann", DEVICE_TYPE, "asr-1001-x", router)
        device = {"name": "ams01-edge-01", "serial": "FOC2149X0AB", "location": "ams01", "rack": "r7", "position": 12}
        await self._put("ann", DEVICE, "ams01-edge-01", {**device, "device_type": "asr-1001-x"})
        for name in ("Te0/0/0", "Te0/0/1"):
            pk = f"ams01-edge-01-{name.replace('/', '-')}"
            await self._put("ann", "dcim.interface", pk, {"device": "ams01-edge-01", "name": name})
        await self._follow()

    async def _spoil_serial(self) -> None:
        self._tell("Update", "bob mistypes the serial number. The hook logs the differences and puts the old one back.")
        await self._patch("bob", DEVICE, "ams01-edge-01", {"serial": "FOC-oops"})
        await self._follow()

    async def _watch_library(self) -> None:
        self._tell("Warn", "A device type with a wrong slug and an odd height: two hooks run side by side and warn.")
        switch = {
            "manufacturer": "Arista",
            "model": "DCS-7280SR3-48YC8",
            "slug": "arista-7280",
            "u_height": 1.2,
            "airflow": "front-to-rear",
            "weight": 9.3,
            "weight_unit": "kg",
            "interfaces": [{"name": "Management1", "type": "1000base-t", "mgmt_only": True}],
            "power-ports": [{"name": "PSU1", "type": "iec-60320-c14", "maximum_draw": 390}],
        }
        await self._put("ann", DEVICE_TYPE, "dcs-7280sr3-48yc8", switch)
        await self._follow()

    async def _press(self) -> None:
        self._tell("Press", "ann presses Clone, which asks whether she may add devices; then the Report of the switch.")
        await self._app.press("Clone", DEVICE, ["ams01-edge-01"], user="ann")
        await self._app.press("Report", DEVICE_TYPE, ["dcs-7280sr3-48yc8"], user="ann")
        await self._follow()
        self._tell("Refuse", "bob presses Clone as well, and may not.")
        await self._app.press("Clone", DEVICE, ["ams01-edge-01"], user="bob")
        await self._follow()

    async def _decommission(self) -> None:
        self._tell("Fail", "ann decommissions a device that is active: the receiver refuses and says why.")
        await self._app.press("Decommission", DEVICE, ["ams01-edge-01"], user="ann")
        await self._follow()
        self._tell("Mend", "She takes it offline first, then presses again.")
        await self._patch("ann", DEVICE, "ams01-edge-01", {"status": "offline"})
        await self._app.drain()
        await self._app.press("Decommission", DEVICE, ["ams01-edge-01"], user="ann")
        await self._follow()

    async def _delete(self) -> None:
        self._tell("Delete", "bob deletes the device type. Its last state stays in the record.")
        await self._remove("bob", DEVICE_TYPE, "dcs-7280sr3-48yc8")
        await self._follow()
        self._tell("Protect", "bob deletes the location as well, but devices stand in it.")
        try:
            await self._remove("bob", LOCATION, "ams01")
        except StillReferenced as error:
            self._out.styled(("  Refused: ", "red"), (str(error), ""))
        self._tell("Cascade", "ann deletes the device. Its interfaces go along, each recorded as a change of its own.")
        await self._remove("ann", DEVICE, "ams01-edge-01")
        await self._follow()

    async def _remove(self, user: str, object_type: str, pk: str) -> None:
        await self._commit(user, Write(kind="delete", object_type=object_type, pk=pk))

    async def _sum_up(self) -> None:
        self._tell("In short", "Every run, with how it ended:")
        results = [each async for each in lookups.results(self._app, ResultQuery(ascending=True))]
        self._out.table(RUN_COLUMNS, [run_row(self._out, each) for each in results], indent=2)
        entries = 0
        for each in results:
            entries += len(await self._app.log_entries(each))
        counted = [
            plural(self._changes, "change"),
            plural(len(results), "job result"),
            plural(entries, "log entry", "log entries"),
        ]
        self._out.line(f"  {', '.join(counted)}.")

    # --- telling and doing ------------------------------------------------------------------------

    def _tell(self, title: str, sentence: str) -> None:
        self._step += 1
        self._out.line()
        self._out.styled((f"{self._step}. {title}. ", "bold"), (sentence, ""))

    async def _put(self, user: str, object_type: str, pk: str, document: Document) -> None:
        await self._commit(user, Write(kind="put", object_type=object_type, pk=pk, document=document))

    async def _patch(self, user: str, object_type: str, pk: str, fields: Document) -> None:
        held = await self._app.session(user, "cli").objects(object_type).get(pk)
        for name, value in fields.items():
            setattr(held, name, value)
        await held.save()

    async def _commit(self, user: str, write: Write) -> None:
        await self._app.commit(self._app.session(user, "cli").request((write,)))

    async def _follow(self) -> None:
        """Wait for all that came of the step, then print what was recorded, run and logged."""
        await self._app.drain()
        out = self._out
        async for change in lookups.changes(self._app, ChangeQuery(after=self._change, ascending=True)):
            by = f" by {change.user_name}" + (" through a job" if change.cause else "")
            out.styled(("  ", ""), (told(change), ACTION_STYLES[change.action.value]), (by, "dim"))
            if change.action.value == "update":
                print_differences(out, change, indent=4)
            self._change = change.id
            self._changes += 1
        async for result in lookups.results(self._app, ResultQuery(after=self._result, ascending=True)):
            print_outcome(out, msgspec.structs.replace(result, error=None), indent=2)
            await print_log(out, lookups.log_entries(self._app, result), indent=6)
            self._result = result.number
