"""What is installed or mended while a process runs is told, as plugins are loaded once."""

import asyncio
import textwrap

import pytest

from buttonhook import plugin_news
from tests.scenarios.test_plugins import GOOD

OTHER = GOOD.replace("Good", "Other").replace("demo.thing", "demo.other")


@pytest.fixture(autouse=True)
def _looks_each_time(monkeypatch):
    monkeypatch.setattr(plugin_news, "FRESH_SECONDS", 0.0)


def told(app):
    reports = app.access(app.user_name).plugins()
    return {each.name: [*each.errors, *each.warnings] for each in reports if each.name in ("acme", "other")}


async def test_a_plugin_installed_after_the_start_is_told_with_the_cure(stage):
    await asyncio.to_thread(stage.install, "acme", GOOD)
    async with stage.open(plugins=["acme", "other"]) as app:
        assert told(app) == {"acme": []}
        await asyncio.to_thread(stage.install, "other", OTHER)
        assert told(app) == {
            "acme": [],
            "other": ["It was installed after the start. Restart the daemon to load it."],
        }
    async with stage.open(plugins=["acme", "other"]) as app:
        assert told(app) == {"acme": [], "other": []}


async def test_what_the_settings_keep_out_is_not_told_of(stage):
    await asyncio.to_thread(stage.install, "acme", GOOD)
    async with stage.open(plugins=["acme"]) as app:
        await asyncio.to_thread(stage.install, "other", OTHER)
        assert told(app) == {"acme": []}


async def test_a_file_put_into_the_folder_of_plugins_after_the_start_is_told(stage, tmp_path):
    async with stage.open(plugins_dir=str(tmp_path)) as app:
        assert told(app) == {}
        (tmp_path / "other.py").write_text(textwrap.dedent(OTHER))
        assert told(app) == {"other": ["It was installed after the start. Restart the daemon to load it."]}


async def test_code_that_was_mended_after_the_start_is_told(stage, tmp_path):
    file = tmp_path / "acme.py"
    file.write_text(textwrap.dedent(GOOD))
    async with stage.open(plugins_dir=str(tmp_path)) as app:
        assert told(app) == {"acme": []}
        file.write_text(textwrap.dedent(GOOD) + "# mended\n")
        [text] = told(app)["acme"]
        assert text.startswith("Its files were changed after the start, what was loaded runs. Restart the daemon")
