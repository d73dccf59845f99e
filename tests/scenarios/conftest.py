"""Scenarios play on a stage: a database of their own, packages that are installed for real."""

from pathlib import Path

import pytest

from tests.plugin_packages import PluginPackages
from tests.scenarios.story import Stage


@pytest.fixture
def stage(tmp_path: Path, plugin_package: PluginPackages, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A new database and the means to install packages for it."""
    return Stage(tmp_path, plugin_package, monkeypatch)
