"""Settings: defaults < `buttonhook.toml` < `BUTTONHOOK_*` environment < flags; each knows where it came from."""

import difflib
import getpass
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from buttonhook.errors import SettingsError

FILE_NAME: Final = "buttonhook.toml"
PREFIX: Final = "BUTTONHOOK_"
SQLITE_SCHEME: Final = "sqlite:///"
_LISTS: Final = ("allowed_plugins", "blocked_plugins", "redact_names", "proxy", "allowed_hosts")


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. Names in the environment are `BUTTONHOOK_` and the name in capitals."""

    db: str = "sqlite:///buttonhook.db"
    """Database URL: `sqlite:///path.db`."""
    allowed_plugins: tuple[str, ...] | None = None
    """Only these plugins are loaded (entry-point or package names); unset: all that are installed."""
    blocked_plugins: tuple[str, ...] = ()
    """Plugins that are not loaded."""
    plugins_dir: str | None = None
    """A folder whose `.py` files are loaded as plugins, for trying things out."""
    user: str | None = None
    """Who acts on the command line; unset: the operating system's user, as the database's owner."""
    server: str | None = None
    """The daemon that commands ask, as `https://HOST:PORT`; unset: the one that has the database, if there is one."""
    token: str | None = None
    """The API token by which `server` lets commands in. It is a secret: it is never shown."""
    token_file: str | None = None
    """A file that holds the token."""
    ca: str | None = None
    """A file with certificates that may vouch for `server`, as PEM; unset: those that the system trusts."""
    durability: Literal["full", "normal"] = "full"
    """`normal` may lose the last moments at a power cut (never at a crash of the process)."""
    lock_wait: float = 10.0
    """Seconds to wait for a database that another process owns."""
    max_running: int = 10_000
    """Jobs that run at once."""
    threads: int = 64
    """Plain `def` receivers that run at once."""
    log_lines: int = 10_000
    """Lines kept of one run's log; half from its beginning, half from its end."""
    log_bytes: int = 1_000_000
    """Characters kept of one run's log."""
    host: str = "127.0.0.1"
    """The address that `serve` listens on."""
    port: int = 8440
    """The port that `serve` listens on; 0: one that is free."""
    tls_cert: str | None = None
    """A file with the daemon's certificate and what leads from it to a root, as PEM."""
    tls_key: str | None = None
    """A file with the certificate's key, as PEM; unset: it is in the file of the certificate."""
    proxy: tuple[str, ...] = ()
    """Addresses and networks of proxies in front of `serve`: what they say of who asks is believed."""
    allowed_hosts: tuple[str, ...] = ()
    """Names by which the daemon may be called, beside its own address and `localhost`."""
    grace: float = 20.0
    """Seconds that running jobs have to end when the daemon is stopped."""
    log_format: Literal["text", "json"] = "text"
    """How the daemon writes its own log."""
    redact_names: tuple[str, ...] = ()
    """Further names of secrets, as `door_code`: what is so named is redacted in logs."""
    plugins: dict[str, dict[str, Any]] = {}
    """What is set for each plugin, by its name, unchecked: the struct that the plugin declares is the judge."""

    @property
    def database_path(self) -> Path:
        """The SQLite file that `db` names."""
        return Path(self.db.removeprefix(SQLITE_SCHEME))


class PluginTable(dict[str, Any]):
    """What is set for one plugin; `origins` holds where each value was set, by its dotted path within the table."""

    def __init__(self) -> None:
        super().__init__()
        self.origins: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(self)})"  # its values may be secrets

    def take(self, path: tuple[str, ...], value: Any, origin: str) -> None:
        """Put a value in its place; one that was set there before gives way, tables are merged."""
        if isinstance(value, dict):
            for key, member in value.items():
                self.take((*path, key), member, origin)
            return
        table: dict[str, Any] = self
        for step in path[:-1]:
            inner = table.get(step)
            if not isinstance(inner, dict):
                inner = table[step] = {}
            table = inner
        table[path[-1]] = value
        self.origins[".".join(path)] = origin


class LoadedSettings(Struct, frozen=True):
    """The effective settings, and for each name where its value came from."""

    values: Settings
    origins: dict[str, str]


def load_settings(flags: Mapping[str, Any], environ: Mapping[str, str], folder: Path) -> LoadedSettings:
    """Put the layers together. Flags that are None are not set.

    Raises:
        SettingsError: naming the setting, where it was set and the cure.
    """
    names = Settings.__struct_fields__
    values: dict[str, Any] = {}
    origins = dict.fromkeys(names, "default")
    named = environ.get(f"{PREFIX}CONFIG")
    path = folder / (named or FILE_NAME)
    if named and not path.is_file():
        raise SettingsError(f"{PREFIX}CONFIG", f"names {named!r}, which is no file", "environment")
    tables: dict[str, PluginTable] = {}
    for layer, origin in ((_from_file(path), path.name), (_from_environment(environ), "environment"), (flags, "flag")):
        for name, value in layer.items():
            if value is None:
                continue
            if name == "plugins":
                _take_tables(tables, value, origin)
                continue
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(names)}."
                raise SettingsError(name, "is not known", origin, cure)
            values[name] = value
            origins[name] = f"{origin} {PREFIX}{name.upper()}" if origin == "environment" else origin
    for name, value in values.items():
        _check(name, value, origins[name])
    settings = msgspec.convert(values, Settings, strict=False)
    if not settings.db.startswith(SQLITE_SCHEME) or not settings.db.removeprefix(SQLITE_SCHEME):
        raise SettingsError(
            "db", f"is {settings.db!r}", origins["db"], "Write it as sqlite:///FILE, as in sqlite:///buttonhook.db."
        )
    return LoadedSettings(msgspec.structs.replace(settings, plugins=tables), origins)


def system_user() -> str:
    """The operating system's user, as text even where they have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def plugin_key(name: str) -> str:
    """A plugin's name as tables and variables have it: in small letters, with `_` for `-` and `.`."""
    return name.lower().replace("-", "_").replace(".", "_")


def _take_tables(tables: dict[str, PluginTable], given: Any, origin: str) -> None:
    """Merge the tables of one layer into those of the layers below it."""
    if not isinstance(given, dict) or not all(isinstance(table, dict) for table in given.values()):
        raise SettingsError(
            "plugins",
            "is no table of plugins",
            f"{origin} {PREFIX}PLUGINS" if origin == "environment" else origin,
            "Say which plugins are loaded with 'allowed_plugins'; what is set for one stands in [plugins.NAME], "
            f"or in {PREFIX}PLUGINS__NAME__FIELD.",
        )
    for name, table in given.items():
        known = tables.setdefault(plugin_key(name), PluginTable())
        if isinstance(table, PluginTable):
            for path, key in table.origins.items():
                steps = tuple(path.split("."))
                known.take(steps, read_table(table, steps), key)
        else:
            known.take((), table, origin)


def read_table(table: dict[str, Any], steps: tuple[str, ...]) -> Any:
    """The value at a path of nested tables, None where there is none."""
    value: Any = table
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _check(name: str, value: Any, origin: str) -> None:
    """Judge one value alone, so that the message can name where it was set."""
    try:
        settings = msgspec.convert({name: value}, Settings, strict=origin.endswith(".toml"))
    except msgspec.ValidationError as exc:
        raise SettingsError(name, f"is {value!r}: {str(exc).split(' - at')[0]}", origin) from exc
    number = getattr(settings, name)
    least = {
        "max_running": 1,
        "threads": 1,
        "log_lines": 10,
        "log_bytes": 1000,
        "lock_wait": 0,
        "port": 0,
        "grace": 0,
    }.get(name)
    if least is not None and number < least:
        raise SettingsError(name, f"is {number}", origin, f"It must be at least {least}.")
    if name == "port" and number > 65_535:
        raise SettingsError(name, f"is {number}", origin, "It must be at most 65535.")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as exc:
        raise SettingsError(path.name, f"cannot be read: {exc}") from exc
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:  # the latter: brackets within brackets without end
        raise SettingsError(path.name, f"is not TOML: {exc}") from exc


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    layer: dict[str, Any] = {}
    for key, text in environ.items():
        name = key.removeprefix(PREFIX).lower()
        if not key.startswith(PREFIX) or name in ("config", "debug", "test_rounds"):
            continue
        if name.startswith("plugins__"):
            steps = tuple(name.split("__")[1:])
            if len(steps) < 2 or "" in steps:
                raise SettingsError(
                    key, "names no field of a plugin", "environment", f"Write: {PREFIX}PLUGINS__NAME__FIELD."
                )
            tables = layer.setdefault("plugins", {})
            if isinstance(tables, dict):
                tables.setdefault(steps[0], PluginTable()).take(steps[1:], text, f"environment {key}")
            continue
        is_list = name in _LISTS
        layer[name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    return layer
