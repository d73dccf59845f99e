"""What became of the installed plugins since they were loaded, told beside the report of each.

Plugins are loaded once, when the process starts. Who then installs one, or mends its code, sees that nothing happens;
so what is on the disk is compared with what was loaded whenever somebody looks, at most once in `FRESH_SECONDS`.
"""

import sys
import time
from collections.abc import Iterable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final

import msgspec

from buttonhook.hookspecs import ENTRY_POINT_GROUP
from buttonhook.plugins import PluginReport, entry_report, file_report, plugin_files
from buttonhook.settings import Settings

FRESH_SECONDS: Final = 2.0
"""Reading what is installed takes some milliseconds: not for each of many that look at once."""
RESTART: Final = "Restart the daemon"
Print = tuple[int, int, int]


class PluginNews:
    """The reports of the loaded plugins, with what changed on the disk since `loaded` were loaded."""

    def __init__(self, loaded: Sequence[PluginReport], settings: Settings) -> None:
        self._loaded = loaded
        self._settings = settings
        self._prints = {each.name: _prints(each) for each in loaded if each.module and not each.is_blocked}
        self._reports: list[PluginReport] = []
        self._looked = -FRESH_SECONDS

    def reports(self) -> list[PluginReport]:
        """Those that were loaded, then those that a restart would load."""
        if time.monotonic() - self._looked >= FRESH_SECONDS:
            self._reports = self._look()
            self._looked = time.monotonic()
        return self._reports

    def _look(self) -> list[PluginReport]:
        found = [*map(entry_report, entry_points(group=ENTRY_POINT_GROUP)), *self._single_files()]
        installed = {each.name: each for each in found}
        known = {each.name for each in self._loaded}
        reports = [self._with_news(each, installed.get(each.name)) for each in self._loaded]
        for name, each in sorted(installed.items()):
            if name not in known and self._is_allowed(each):
                told = f"It was installed after the start. {RESTART} to load it."
                reports.append(_restarted(each, told))
        return reports

    def _single_files(self) -> Iterable[PluginReport]:
        folder = self._settings.plugins_dir
        return [] if folder is None else map(file_report, plugin_files(Path(folder)))

    def _with_news(self, loaded: PluginReport, now: PluginReport | None) -> PluginReport:
        if loaded.name not in self._prints:
            return loaded
        if now is not None and now.version != loaded.version:
            told = (
                f"Version {now.version} was installed after the start; {loaded.version} runs. {RESTART} to change over."
            )
        elif self._has_changed(loaded):
            told = f"Its files were changed after the start, what was loaded runs. {RESTART} to run the new code."
        else:
            return loaded
        return _restarted(loaded, told)

    def _has_changed(self, report: PluginReport) -> bool:
        return any(_print_of(path) != before for path, before in self._prints[report.name].items())

    def _is_allowed(self, report: PluginReport) -> bool:
        if not report.version:
            return True
        names, allowed = {report.name, report.distribution}, self._settings.allowed_plugins
        return not names & set(self._settings.blocked_plugins) and (allowed is None or bool(names & set(allowed)))


def _restarted(report: PluginReport, told: str) -> PluginReport:
    return msgspec.structs.replace(report, warnings=[*report.warnings, told], needs_restart=True)


def _prints(report: PluginReport) -> dict[str, Print | None]:
    """How the source files of a plugin look, by path."""
    return {path: _print_of(path) for path in _files(report.module.partition(".")[0])}


def _files(top: str) -> Iterable[str]:
    for name, module in list(sys.modules.items()):
        if name == top or name.startswith(f"{top}."):
            path: Any = getattr(module, "__file__", None)
            if isinstance(path, str):
                yield path


def _print_of(path: str) -> Print | None:
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_ino, status.st_size
