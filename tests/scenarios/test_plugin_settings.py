"""Settings of plugins that are installed for real: what receivers get, and what comes of settings that do not fit."""

import hashlib
import hmac
import logging
from pathlib import Path
from typing import Any

import pytest

from buttonhook import App, JobHookReceiver, open_app
from buttonhook.plugins import PluginReport
from buttonhook.settings import Settings, load_settings
from tests.plugin_packages import PluginPackage
from tests.scenarios.story import Stage, hook_up, messages_of, only_result, put

VALUE = "hunter2-hunter3"
SOURCE = """
    from msgspec import Struct, to_builtins
    from buttonhook import JobHookReceiver, Secret, hookimpl, register_jobs

    class Acme(Struct):
        timeout: float = 10.0
        token: Secret | None = None

    class Caller(JobHookReceiver):
        settings: Acme

        async def receive_job_hook(self, change, action, changed_object):
            token = self.settings.token
            self.logger.info("%s s, with %s, that is %s", self.settings.timeout, token, token.reveal())
            return {"settings": self.settings}

    @hookimpl
    def buttonhook_settings():
        return Acme

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]

    register_jobs(Caller)
"""


@pytest.fixture
def acme(stage: Stage) -> PluginPackage:
    return stage.install("acme-guards", SOURCE, entry_points={"guards": "acme_guards"})


def of(stage: Stage, file: str, **environ: str) -> Settings:
    """What the command reads in the stage's folder."""
    head = f'db = "{stage.database}"\nallowed_plugins = {stage.installed}\nuser = "ann"\nlock_wait = 0.0\n'
    (stage.folder / "buttonhook.toml").write_text(head + file, encoding="utf-8")
    return load_settings(
        {}, {f"BUTTONHOOK_PLUGINS__{name}": value for name, value in environ.items()}, stage.folder
    ).values


def loaded(app: App) -> list[PluginReport]:
    return [report for report in app.plugins if not report.is_blocked]


async def run_once(app: App) -> tuple[list[str], str | None]:
    await hook_up(app, "acme_guards.Caller")
    await put(app, "a")
    result = await only_result(app)
    return await messages_of(app, result), result.result


@pytest.mark.parametrize("table", ["acme-guards", "guards", "Acme_Guards"])
async def test_a_receiver_gets_its_plugins_settings_and_their_secrets_are_redacted(stage: Stage, acme: Any, table: str):
    (stage.folder / "token").write_text(f"{VALUE}\n", encoding="utf-8")
    file = f'[plugins.{table}]\ntimeout = 5\ntoken_file = "{stage.folder / "token"}"'
    async with open_app(settings=of(stage, file)) as app:
        messages, result = await run_once(app)
        (report,) = loaded(app)
    assert messages == ["5.0 s, with [redacted], that is [redacted]"]
    assert result == '{"settings":{"timeout":5.0,"token":"[redacted]"}}'
    assert [(each.name, each.value) for each in report.settings] == [
        ("plugins.guards.timeout", 5.0),
        ("plugins.guards.token", "[redacted]"),
    ]
    assert VALUE not in repr(report) + repr(app.settings)


async def test_a_host_program_gives_them_with_its_own_settings(stage: Stage, acme: Any):
    tables = {"acme-guards": {"timeout": 7, "token": VALUE}, "guards": {"timeout": 8}}
    settings = Settings(db=stage.database, allowed_plugins=("acme-guards",), user="ann", plugins=tables)
    async with open_app(settings=settings) as app:
        messages, _ = await run_once(app)
    assert messages == ["8.0 s, with [redacted], that is [redacted]"]


async def test_settings_that_do_not_fit_leave_out_the_receivers_until_they_are_mended(stage: Stage, acme: Any):
    stage.install("bystander", "from buttonhook import JobHookReceiver, register_jobs\n" + BYSTANDER)
    secret = {"ACME_GUARDS__TOKEN": VALUE}
    async with open_app(settings=of(stage, "", **secret)) as app:
        await hook_up(app, "acme_guards.Caller")
    async with open_app(settings=of(stage, "", **secret), dispatch=False) as app:
        await put(app, "a")
    async with open_app(settings=of(stage, "[plugins.acme-guards]\ntimeout = 'soon'", **secret)) as app:
        guards, bystander = loaded(app)
        assert guards.errors == [
            "Setting 'plugins.guards.timeout' (from buttonhook.toml) is 'soon': expected `float`, got `str`."
        ]
        assert (guards.jobs, guards.object_types) == ([], ["demo.thing"])
        assert (bystander.jobs, bystander.errors) == (["bystander.Other"], [])
        await app.drain()
        assert app.waiting_jobs == {"acme_guards.Caller": 1}
    async with open_app(settings=of(stage, "", **secret)) as app:
        assert await messages_of(app, await only_result(app)) == ["10.0 s, with [redacted], that is [redacted]"]


BYSTANDER = """
class Other(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        pass

register_jobs(Other)
"""


async def test_settings_of_a_plugin_that_is_not_installed_are_a_warning(
    stage: Stage, acme: Any, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.WARNING, "buttonhook.plugins"):
        async with open_app(settings=of(stage, "[plugins.guard]\nx = 1")) as app:
            assert [report.errors for report in loaded(app)] == [[]]
    assert caplog.messages == [
        "[plugins.guard] sets something, but no such plugin is installed; did you mean 'guards'?"
    ]


class Asking(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("%s", self.settings)


async def test_a_receiver_whose_plugin_declares_no_settings_is_told_how_to(stage: Stage):
    async with stage.open(receivers=[Asking], object_types=["demo.thing"]) as app:
        await hook_up(app, f"{__name__}.Asking")
        await put(app, "a")
        error = (await only_result(app)).error or ""
    assert error.startswith(f"UndeclaredSettings: Receiver '{__name__}.Asking' asks for self.settings, but its plugin")
    assert "@hookimpl def buttonhook_settings(): return MySettings" in error


async def test_the_shipped_example_seals_with_its_key(tmp_path: Path):
    tables = {"examples": {"seal_prefix": "AMS", "seal_key": VALUE}}
    names = ("buttonhook-examples", "buttonhook-dcim")
    settings = Settings(db=f"sqlite:///{tmp_path / 'x.db'}", allowed_plugins=names, user="ann", plugins=tables)
    async with open_app(settings=settings) as app:
        job, _ = await app.configuration.enable_job("buttonhook_examples.seals.Seal")
        await app.configuration.add_button("Seal", job.id, ["dcim.device"])
        device = await app.objects("dcim.device").create(pk="r1", name="r1", serial="X1")
        (pressed,) = await app.press("Seal", "dcim.device", ["r1"])
        result = await only_result(app)
        assert pressed.id == result.id
    expected = hmac.new(VALUE.encode(), f"{device.name}\nX1".encode(), hashlib.sha256).hexdigest()[:8].upper()
    assert (result.status, result.result) == ("success", f'"AMS-{expected}"')
