"""Plugins: what each brings, and what is wrong with it."""

from typing import Any, Literal

from buttonhook.http.shapes.base import Shape
from buttonhook.plugins import PluginReport


class PluginSettingShape(Shape):
    """A setting of a plugin; a secret's value is `[redacted]`."""

    name: str
    value: Any
    origin: str


class PluginShape(Shape):
    name: str
    """The name of its entry point."""
    module: str
    distribution: str
    """The package that brings it."""
    version: str
    state: Literal["ok", "broken", "blocked"]
    needs_restart: bool
    """Whether what is installed is not what was loaded; a warning says what."""
    jobs: list[str]
    object_types: list[str]
    presets: list[str]
    settings: list[PluginSettingShape]
    errors: list[str]
    warnings: list[str]
    traceback: str | None
    """Of its first error."""

    @classmethod
    def of(cls, report: PluginReport) -> "PluginShape":
        return cls(
            name=report.name,
            module=report.module,
            distribution=report.distribution,
            version=report.version,
            state="blocked" if report.is_blocked else "broken" if report.errors else "ok",
            needs_restart=report.needs_restart,
            jobs=report.jobs,
            object_types=report.object_types,
            presets=report.presets,
            settings=[
                PluginSettingShape(name=each.name, value=each.value, origin=each.origin) for each in report.settings
            ],
            errors=report.errors,
            warnings=report.warnings,
            traceback=report.traceback,
        )
