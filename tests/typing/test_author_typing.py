"""What an author's type checker says: right code passes mypy --strict, wrong code is told where it is wrong.

Every snippet is checked in one run. A line that must fail ends in `# error: CODE`.
"""

import re
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path

import pytest

HEAD = """
from typing import Annotated, Any

from msgspec import UNSET, Struct, UnsetType

from buttonhook import (
    App,
    FreeObject,
    JobButtonReceiver,
    JobHookReceiver,
    ObjectChange,
    ObjectChangeAction,
    Ref,
    Secret,
    TrackedObject,
    hookimpl,
    open_app,
    register_jobs,
    target,
)
from buttonhook_dcim import Device, Location
"""

SNIPPETS = {
    "typed_receivers": """
        class Hook(JobHookReceiver):
            class Meta:
                name = "Hook"

            async def receive_job_hook(
                self, change: ObjectChange, action: ObjectChangeAction, changed_object: Device | None
            ) -> dict[str, int]:
                if changed_object is None or action == ObjectChangeAction.DELETE:
                    return {}
                changed_object.serial = "X"
                saved = await changed_object.save()
                reveal: str = saved.serial
                self.logger.success("saved %s", reveal, extra={"object": saved})
                if not self.user.has_perm("dcim.change_device"):
                    self.fail("no")
                return {"attempt": self.attempt}

        class Button(JobButtonReceiver):
            async def receive_job_button(self, obj: Location) -> None:
                obj.name.upper()
                obj.nam  # error: attr-defined

        register_jobs(Hook, Button)
        register_jobs(Device)  # error: arg-type
    """,
    "settings": """
        class Acme(Struct):
            timeout: float = 1.0
            token: Secret | None = None

        class Caller(JobButtonReceiver):
            settings: Acme

            async def receive_job_button(self, obj: Location) -> None:
                seconds: float = self.settings.timeout
                wrong: str = self.settings.timeout  # error: assignment
                self.settings.tiemout  # error: attr-defined
                if self.settings.token is not None:
                    value: str = self.settings.token.reveal()
                    self.settings.token.upper()  # error: attr-defined
                    print(seconds, wrong, value)

        class Untyped(JobButtonReceiver):
            async def receive_job_button(self, obj: Location) -> None:
                anything: str = self.settings.whatever
                print(anything)

        @hookimpl
        def buttonhook_settings() -> type[Acme]:
            return Acme

        @hookimpl
        def buttonhook_redaction_names() -> list[str]:
            return ["door_code"]
    """,
    "plain_receivers": """
        class Plain(JobHookReceiver):
            def receive_job_hook(
                self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any
            ) -> str:
                self.logger.failure("odd")
                with self.transaction():
                    changed_object.save()
                return change.object_repr
    """,
    "wrong_signature": """
        class Wrong(JobHookReceiver):
            async def receive_job_hook(self, change: ObjectChange, obj: Any) -> None: ...  # error: override

        class AlsoWrong(JobButtonReceiver):
            async def receive_job_button(self) -> None: ...  # error: override
    """,
    "queries": """
        class Queries(JobButtonReceiver):
            async def receive_job_button(self, obj: Device) -> None:
                device: Device = await Device.objects.get("pk")
                maybe: Device | None = await Device.objects.find(name="x")
                wrong: Location = await Device.objects.get("pk")  # error: assignment
                surely: Device = await Device.objects.find(name="x")  # error: assignment
                async for each in Device.objects.filter(status="active").order_by("-name").limit(5):
                    each.serial.upper()
                    each.serail  # error: attr-defined
                many: list[Device] = await self.objects(Device).all()
                count: int = await self.objects(Device).filter(name__startswith="a").count()
                free: FreeObject = await self.objects("demo.thing").get("a")
                made, is_new = await self.objects(Location).update_or_create("a", defaults={"name": "A"})
                made.name.upper()
                both: tuple[bool, Device] = (is_new, made)  # error: assignment
                created: Device = await Device.objects.create(name="x")
                print(device, maybe, wrong, surely, many, count, free["x"], both, created)
    """,
    "changes": """
        class Changes(JobHookReceiver):
            async def receive_job_hook(
                self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any
            ) -> None:
                kept: ObjectChangeAction = change.action
                word: str = action.value
                if action is ObjectChangeAction.CREATE or action == ObjectChangeAction.ACTION_UPDATE:
                    before: dict[str, Any] | None = change.prechange
                    print(before, change.time.isoformat(), change.get_snapshots()["differences"])
                change.actoin  # error: attr-defined
                number: int = change.object_pk  # error: assignment
                print(kept, word, number)
    """,
    "own_types": """
        class Rack(TrackedObject, object_type="demo.rack", unique=("name",), natural_key="name", kw_only=True):
            name: str
            units: int = 42

        @hookimpl
        def buttonhook_object_types() -> list[type[TrackedObject]]:
            return [Rack]

        async def use(app: App) -> int:
            rack = Rack(name="r1")
            Rack(name=1)  # error: arg-type
            Rack()  # error: call-arg
            rack.units = "many"  # error: assignment
            async with app.transaction(user="ann"):
                saved: Rack = await rack.save()
                await rack.delete()
            found: Rack = await app.objects(Rack).create(pk="r2", name="r2")
            return found.units + saved.units
    """,
    "references": """
        class Cable(TrackedObject, object_type="lab.cable", on_delete={"device": "cascade"}, kw_only=True):
            device: Ref[Device]
            via: Ref["Cable"] | UnsetType | None = UNSET
            other: Annotated[Ref[Any], target("other.thing")] | None = None

        async def use(app: App, device: Device, location: Location) -> str:
            cable = Cable(device=Ref("ams01-r1"), via=Ref("c1"))
            cable.device = Ref(device)
            cable.device = Ref(location)  # error: arg-type
            Device(name="x", location=Ref("ams01"))
            device.location = Ref(location)
            device.location = None
            if device.location:
                loaded: Location = await device.location.get()
                return loaded.name + device.location.pk
            await app.objects(Cable).create(device="ams01-r1")
            serial: str = (await cable.device.get()).serial
            return serial if cable.device == "ams01-r1" else str(cable.device)
    """,
    "host_program": """
        async def main() -> None:
            async with open_app("sqlite:///x.db", receivers=[], object_types=["demo.thing"]) as app:
                results = await app.press("button", "demo.thing", ["a"])
                print([result.status.is_final for result in results], await app.drain(5))
                open_app(1)  # error: arg-type
    """,
}
EXPECTED = re.compile(r"# error: (.+)$")
FOUND = re.compile(r"^(.+)\.py:(\d+): error: .*\[([a-z-]+)\]$")


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory) -> tuple[dict[str, Counter], str]:
    """What mypy says of every snippet: line and code of each error."""
    folder: Path = tmp_path_factory.mktemp("typing")
    for name, snippet in SNIPPETS.items():
        (folder / f"{name}.py").write_text(HEAD + textwrap.dedent(snippet))
    names = [f"{name}.py" for name in SNIPPETS]
    config = folder / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\npython_version = 3.11\n")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", config, "--hide-error-context", "--no-pretty", *names],
        cwd=folder,
        capture_output=True,
        text=True,
    )
    found: dict[str, Counter] = {name: Counter() for name in SNIPPETS}
    for line in done.stdout.splitlines():
        if match := FOUND.match(line):
            found[match[1]][int(match[2]), match[3]] += 1
    return found, done.stdout + done.stderr


@pytest.mark.parametrize("name", SNIPPETS)
def test_mypy_finds_what_is_wrong_in_an_authors_code_and_nothing_else(verdicts, name):
    found, output = verdicts
    expected = {
        (number, match[1])
        for number, line in enumerate((HEAD + textwrap.dedent(SNIPPETS[name])).splitlines(), start=1)
        if (match := EXPECTED.search(line))
    }
    assert set(found[name]) == expected, output
