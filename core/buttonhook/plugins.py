"""Loading plugins: once, at start-up, one entry point at a time.

A plugin that cannot be loaded is reported with its error, and the others load; so is one receiver of a plugin that
cannot be run. pluggy collects what a plugin brings and checks its hookimpls; it never delivers changes.
"""

import difflib
import importlib
import importlib.util
import inspect
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pluggy
from msgspec import Struct

from buttonhook import hookspecs
from buttonhook.conditions import Preset
from buttonhook.errors import BadObjectType, ButtonhookError, PluginError, SettingsError
from buttonhook.hookspecs import ENTRY_POINT_GROUP, PROJECT
from buttonhook.objects.tracked import TrackedObject
from buttonhook.objects.types import ObjectType, Upgrade
from buttonhook.plugin_settings import HOST, PluginSetting, read_settings
from buttonhook.receivers.registration import check_receiver, forget, registered_under
from buttonhook.registry import Registry
from buttonhook.settings import PluginTable, plugin_key
from buttonhook.webhooks import WebhookReader

_log = logging.getLogger("buttonhook.plugins")


class PluginReport(Struct, kw_only=True):
    """One plugin: where it came from, what it brings, what is wrong with it.

    `needs_restart`: another is installed than the one that was loaded, or its code was changed, as a warning tells.
    `errors` are fit to be shown as they are; `traceback` is that of the first error that has one.
    """

    name: str
    module: str
    distribution: str = ""
    version: str = ""
    is_blocked: bool = False
    needs_restart: bool = False
    jobs: list[str] = []
    object_types: list[str] = []
    presets: list[str] = []
    webhook_readers: list[str] = []
    errors: list[str] = []
    warnings: list[str] = []
    settings: list[PluginSetting] = []
    traceback: str | None = None


class PluginLoader:
    """Loads plugins into a registry and keeps the report of each."""

    def __init__(self, registry: Registry, tables: Mapping[str, dict[str, Any]] | None = None) -> None:
        self._tables = {plugin_key(name): table for name, table in (tables or {}).items()}
        self._registry = registry
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self.reports: list[PluginReport] = []

    def load_installed(self, allowed: Iterable[str] | None, blocked: Iterable[str]) -> None:
        """Load every installed plugin; with `allowed` only those. Plugins go by entry-point or package name."""
        allow = None if allowed is None else set(allowed)
        block = set(blocked)
        for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=_entry_order):
            names = {entry.name, _distribution(entry)[0]}
            report = entry_report(entry)
            self.reports.append(report)
            if names & block or (allow is not None and not names & allow):
                report.is_blocked = True
                continue
            self._load(report, entry.load, entry.module.partition(".")[0])

    def load_folder(self, folder: Path) -> None:
        """Load every `.py` file of a folder as a plugin of its own; for trying things out."""
        if not folder.is_dir():
            raise SettingsError("plugins_dir", f"is {str(folder)!r}, which is no folder")
        for path in plugin_files(folder):
            report = file_report(path)
            self.reports.append(report)
            self._load(report, partial(_load_file, path.resolve()), path.stem)

    def load_host(self, receivers: Iterable[type[Any]], object_types: Iterable[type[Any] | str]) -> None:
        """Take what the host program brings itself."""
        report = PluginReport(name=HOST, module="")
        types, classes = list(object_types), list(receivers)
        if types or classes:
            self.reports.append(report)
            self._take(report, types, classes)

    def _load(self, report: PluginReport, load: Any, top_package: str) -> None:
        try:
            self._register(report, load())
            types = self._collect(report, "buttonhook_object_types")
            receivers = self._collect(report, "buttonhook_register_jobs")
            presets = self._collect(report, "buttonhook_condition_presets")
            readers = self._collect(report, "buttonhook_webhook_readers")
            self._registry.redactor.add_names(self._collect(report, "buttonhook_redaction_names"))
            declared = self._caller(report, "buttonhook_settings")()
        except Exception as exc:  # noqa: BLE001 - a plugin's import may raise anything
            self._note(report, exc)
            return
        except SystemExit as exc:
            self._note(report, PluginError(f"Plugin {report.name!r} calls sys.exit({exc.code!r}) when it is imported."))
            return
        known = dict.fromkeys([*registered_under(top_package), *receivers])
        # Without its settings a receiver cannot do its work: its results wait until they are mended.
        is_set_up = self._take_settings(report, declared)
        self._take(report, types, [cls for cls in known if is_set_up and not self._is_taken_here(cls, report)])
        for preset in presets:
            self._take_preset(report, preset)
        for reader in readers:
            self._take_webhook_reader(report, reader)
        self._take_upgrade(report)

    def _register(self, report: PluginReport, module: Any) -> None:
        """Make the plugin's hookimpls known; those that nobody calls are told and left out."""
        if not isinstance(module, ModuleType) and not inspect.isclass(module):
            raise PluginError(f"Entry point {report.name!r} must name a module, not {module!r}.")
        self._manager.register(module, name=report.name)
        try:
            self._manager.check_pending()
        except pluggy.PluginValidationError as exc:
            known = ", ".join(name for name in vars(hookspecs) if name.startswith("buttonhook_"))
            report.errors.append(f"Plugin {report.name!r} has a hookimpl that nobody calls: {exc}. Known: {known}.")
            self._manager.unregister(module)  # else every plugin behind it would be blamed for the same
            self._manager.register(_known_part(module), name=report.name)

    def _caller(self, report: PluginReport, hookspec: str) -> pluggy.HookCaller:
        """What calls the hookimpls of this plugin alone; it returns a list with the answer of each."""
        own = self._manager.get_plugin(report.name)
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not own]
        return self._manager.subset_hook_caller(hookspec, others)

    def _collect(self, report: PluginReport, hookspec: str) -> list[Any]:
        """All members of what the plugin's hookimpls of one hookspec without arguments return."""
        answers = self._caller(report, hookspec)()
        for answer in answers:
            if isinstance(answer, str):  # its letters would be taken for members
                raise PluginError(f"Plugin {report.name!r} returns text from {hookspec}(): return a list.")
        return [each for answer in answers for each in answer]

    def _take_upgrade(self, report: PluginReport) -> None:
        """Keep the plugin's way to mend documents; it is called when one is read, never here."""
        for impl in self._manager.hook.buttonhook_upgrade_object.get_hookimpls():
            if impl.plugin_name != report.name:
                continue
            if inspect.iscoroutinefunction(impl.function):
                report.errors.append(
                    f"Plugin {report.name!r} brings buttonhook_upgrade_object as an async function. "
                    "Documents are mended while they are read, where nothing awaits: write a plain def."
                )
            else:
                self._registry.add_upgrade(Upgrade(report.name, partial(_call_upgrade, impl)))

    def _take_settings(self, report: PluginReport, declared: list[Any]) -> bool:
        """Read the plugin's settings, where it declares any; False where what is set does not fit."""
        try:
            if len(declared) > 1:
                raise PluginError(
                    f"Plugin {report.name!r} declares its settings {len(declared)} times. Declare them once."
                )
            table = self._table(report)
            if not declared:
                if table:
                    fields = ", ".join(table)
                    report.warnings.append(
                        f"[plugins.{report.name}] sets {fields}, but this plugin declares no settings"
                    )
                return True
            read = read_settings(report.name, declared[0], table, self._registry.redactor)
        except ButtonhookError as exc:
            self._note(report, exc)
            return False
        self._registry.plugin_settings[report.name] = read.struct
        report.settings = read.shown
        return True

    def _table(self, report: PluginReport) -> dict[str, Any]:
        """What is set for a plugin, by its distribution's name or, before that, by its own."""
        keys = dict.fromkeys(plugin_key(name) for name in (report.distribution, report.name))
        tables = [self._tables[key] for key in keys if key in self._tables]
        if len(tables) < 2:
            return tables[0] if tables else {}
        merged = PluginTable()
        for table in tables:
            for key, value in table.items():
                merged.take((key,), value, HOST)
            if isinstance(table, PluginTable):
                merged.origins.update(table.origins)
        return merged

    def warn_of_strangers(self) -> None:
        """Tell of settings for plugins that are not installed: a package may be gone for a while, so it is no error."""
        known = {plugin_key(name) for each in self.reports for name in (each.name, each.distribution)}
        for key in sorted(set(self._tables) - known):
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            _log.warning("[plugins.%s] sets something, but no such plugin is installed%s", key, hint)

    def _take_preset(self, report: PluginReport, preset: Any) -> None:
        try:
            if not isinstance(preset, Preset):
                raise PluginError(
                    f"Plugin {report.name!r} brings {preset!r} as a condition preset. Give a Preset(...)."
                )
            if inspect.iscoroutinefunction(preset.check):
                raise PluginError(
                    f"Plugin {report.name!r} brings the condition preset {preset.name!r} with an async function. "
                    "Conditions are judged within the commit: write a plain def of plain values."
                )
            preset.place = f"{report.name}, {_place_of(preset.check)}"
            self._registry.add_preset(preset)
            report.presets.append(preset.name)
        except ButtonhookError as exc:
            self._note(report, exc)

    def _take_webhook_reader(self, report: PluginReport, reader: Any) -> None:
        try:
            if not isinstance(reader, WebhookReader):
                raise PluginError(
                    f"Plugin {report.name!r} brings {reader!r} as a webhook reader. Give a WebhookReader(...)."
                )
            if inspect.iscoroutinefunction(reader.read):
                raise PluginError(
                    f"Plugin {report.name!r} brings the webhook reader {reader.name!r} with an async function. "
                    "Bodies are read in a thread: write a plain def."
                )
            reader.place = f"{report.name}, {_place_of(reader.read)}"
            self._registry.add_webhook_reader(reader)
            report.webhook_readers.append(reader.name)
        except ButtonhookError as exc:
            self._note(report, exc)

    def _take(self, report: PluginReport, types: Iterable[Any], receivers: Iterable[Any]) -> None:
        for each in types:
            try:
                type_ = _object_type(each, report.name)
                self._registry.add_type(type_)
                report.object_types.append(type_.name)
            except ButtonhookError as exc:
                self._note(report, exc)
        for cls in receivers:
            try:
                receiver, warnings = check_receiver(cls, report.distribution or report.name)
                self._registry.add_receiver(msgspec.structs.replace(receiver, plugin=report.name))
                report.jobs.append(receiver.id)
                report.warnings.extend(warnings)
            except ButtonhookError as exc:
                self._note(report, exc)

    def _is_taken_here(self, cls: type[Any], report: PluginReport) -> bool:
        """Whether another entry point of the same distribution brought this class already."""
        known = self._registry.receivers.get(f"{cls.__module__}.{cls.__qualname__}")  # type: ignore[call-overload]
        return known is not None and known.cls is cls and known.package == report.distribution

    def _note(self, report: PluginReport, exc: BaseException) -> None:
        """Keep an error of a plugin, redacted: what its code raises may hold anything."""
        redact = self._registry.redactor.redact
        if isinstance(exc, ButtonhookError):
            report.errors.append(redact(str(exc)))
            return
        place = next(_frames_outside(exc), "")
        report.errors.append(redact(f"Plugin {report.name!r} cannot be imported: {type(exc).__name__}: {exc}{place}."))
        if report.traceback is None:
            report.traceback = redact("".join(traceback.format_exception(exc)))


def plugin_files(folder: Path) -> list[Path]:
    """The files of a folder that are plugins, in the order of loading."""
    return [path for path in sorted(folder.glob("*.py")) if not path.name.startswith("_")]


def file_report(path: Path) -> PluginReport:
    """What is known of a single file before it is loaded."""
    return PluginReport(name=path.stem, module=path.stem, distribution=str(path))


def _place_of(function: Any) -> str:
    """File and line of a function, for messages."""
    code = getattr(function, "__code__", None)
    return f"{Path(code.co_filename).name}:{code.co_firstlineno}" if code is not None else repr(function)


def _call_upgrade(impl: pluggy.HookImpl, object_type: str, data: dict[str, Any]) -> Any:
    """Call a hookimpl with those of the arguments that it takes."""
    given = {"object_type": object_type, "data": data}
    return impl.function(*[given[name] for name in impl.argnames])


def _known_part(module: Any) -> Any:
    """A plugin without its misspelt hookimpls."""
    part = ModuleType(module.__name__)
    for name in vars(hookspecs):
        if name.startswith("buttonhook_") and hasattr(module, name):
            setattr(part, name, getattr(module, name))
    return part


def _object_type(given: Any, plugin: str) -> ObjectType:
    if isinstance(given, str):
        return ObjectType(given, plugin=plugin)
    if isinstance(given, type) and issubclass(given, TrackedObject) and hasattr(given, "__object_type__"):
        own = given.__object_type__
        return ObjectType(own.name, own.struct, own.unique, own.natural_key, plugin, own.references)
    raise BadObjectType(
        getattr(given, "__name__", repr(given)),
        "is no object type",
        'Declare it: class Device(TrackedObject, object_type="dcim.device").',
    )


def _load_file(path: Path) -> ModuleType:
    name = path.stem
    spec = importlib.util.find_spec(name) if name not in sys.modules else getattr(sys.modules[name], "__spec__", None)
    if spec is not None and spec.origin != str(path):
        raise PluginError(f"File {path.name!r} has the name of an installed module ({spec.origin}). Rename the file.")
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise PluginError(f"File {path.name!r} cannot be loaded as a module.")
    forget(name)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _frames_outside(exc: BaseException) -> Iterator[str]:
    """The innermost places of an exception that are not import machinery."""
    if isinstance(exc, SyntaxError) and exc.filename:
        yield f" ({Path(exc.filename).name}, line {exc.lineno})"
    for frame in reversed(traceback.extract_tb(exc.__traceback__)):
        if not frame.filename.startswith("<frozen") and "importlib" not in frame.filename:
            yield f" ({Path(frame.filename).name}, line {frame.lineno})"


def _entry_order(entry: EntryPoint) -> tuple[str, str]:
    return _distribution(entry)[0], entry.name


def _distribution(entry: EntryPoint) -> tuple[str, str]:
    return (entry.dist.name, entry.dist.version) if entry.dist is not None else ("", "")


def entry_report(entry: EntryPoint) -> PluginReport:
    """What is known of a plugin before it is loaded."""
    name, version = _distribution(entry)
    return PluginReport(name=entry.name, module=entry.module, distribution=name, version=version)
