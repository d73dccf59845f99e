"""The settings of one plugin: what is set for it, read by the struct it declares, its secrets registered for redaction.

Each field is read for itself, so that an error can name its dotted path and where it was set. No message holds the
value of a secret, and a secret is never taken from a file that people pass around.
"""

import difflib
import inspect
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.errors import ButtonhookError, PluginError, SettingsError
from buttonhook.objects.types import to_fault
from buttonhook.redaction import Redactor, Secret
from buttonhook.redaction_scan import MARK
from buttonhook.settings import PREFIX, PluginTable, plugin_key

MOST_SECRET_BYTES: Final = 65_536
HOST: Final = "host program"
_FILE: Final = "_file"


class PluginSetting(Struct, frozen=True):
    """One setting as it may be shown: its dotted name, its value (a secret's is `[redacted]`), where it was set."""

    name: str
    value: Any
    origin: str


class PluginSettings(Struct, frozen=True):
    """The settings of one plugin: the struct its receivers get, and what may be shown of it."""

    struct: Any
    shown: list[PluginSetting]


def read_settings(plugin: str, declared: Any, given: dict[str, Any], redactor: Redactor) -> PluginSettings:
    """Read what is set for a plugin by the struct it declares; secrets are registered with the redactor.

    Raises:
        PluginError: what is declared is no struct.
        SettingsError: naming the setting, where it was set, and the cure.
    """
    if not (inspect.isclass(declared) and issubclass(declared, Struct)):
        raise PluginError(
            f"Plugin {plugin!r} declares {declared!r} as its settings. Return a class: class Settings(msgspec.Struct)."
        )
    try:
        return _Reader(plugin, given, redactor).read(declared)
    except ButtonhookError:
        raise
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - a plugin's own code
        # Without the cause, and redacted: what is set may stand in either.
        problem = redactor.redact(_told(exc))
        raise PluginError(
            f"Plugin {plugin!r} declares {declared.__qualname__} as its settings, which cannot be read: {problem}."
        ) from None


class _Reader:
    """Reads one plugin's table."""

    def __init__(self, plugin: str, given: dict[str, Any], redactor: Redactor) -> None:
        self._plugin = plugin
        self._given = given
        self._redactor = redactor
        self._origins = given.origins if isinstance(given, PluginTable) else {}
        self._shown: list[PluginSetting] = []

    def read(self, declared: type[Struct]) -> PluginSettings:
        struct = self._struct(declared, self._given, ())
        return PluginSettings(struct, self._shown)

    def _struct(self, declared: type[Struct], table: dict[str, Any], path: tuple[str, ...]) -> Any:
        fields = {each.name: each for each in msgspec.structs.fields(declared)}
        secret = {name for name, each in fields.items() if _is_secret(each.type)}
        files = {f"{name}{_FILE}": name for name in secret if f"{name}{_FILE}" not in fields}
        for key in table:
            if key not in fields and key not in files:
                near = difflib.get_close_matches(key, [*fields, *files], n=1, cutoff=0.6)
                cure = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(fields) or 'none'}."
                raise self._error((*path, key), "is not known", cure)
        values: dict[str, Any] = {}
        for name, field in fields.items():
            self._check_place(declared, field)
            where = (*path, name)
            if name in secret:
                found = self._secret(table, where, field.type)
            else:
                found = self._plain(field.type, table[name], where) if name in table else msgspec.UNSET
            if found is not msgspec.UNSET:
                values[name] = found
            elif field.required:
                raise self._missing(where, is_secret=name in secret)
            if field.required and isinstance(found, Secret) and not found:
                place = where if name in table else (*path, f"{name}{_FILE}")
                raise self._error(place, "is required and empty", self._cure(where))
        try:
            made = declared(**values)
        except (Exception, SystemExit) as exc:  # noqa: BLE001 - a plugin's own code, and its secrets are at hand
            # Without the cause: what the plugin says may hold a secret, here redacted.
            raise self._error(path, f"cannot be used: {self._redactor.redact(_told(exc))}") from None
        for name in fields:
            self._show((*path, name), getattr(made, name), is_set=name in values)
        return made

    def _check_place(self, declared: type[Struct], field: msgspec.structs.FieldInfo) -> None:
        """Refuse a Secret that is not read for itself: nobody would register it, and errors would show it."""
        if not _is_secret(field.type) and _table_of(field.type) is None and _holds_secret(field.type, set()):
            raise PluginError(
                f"Plugin {self._plugin!r} declares a Secret within {declared.__qualname__}.{field.name}. "
                "A Secret, and a struct that has one, is a field of its own, alone or with None."
            )

    def _plain(self, type_: Any, value: Any, where: tuple[str, ...]) -> Any:
        table = _table_of(type_)
        if table is not None and isinstance(value, dict):
            return self._struct(table, value, where)
        is_strict = not self._is_from_environment(where)
        try:
            return msgspec.convert(value, type_, strict=is_strict)
        except msgspec.ValidationError as exc:
            fault = to_fault(exc)
            problem = fault.message[:1].lower() + fault.message[1:]
            if isinstance(value, str) and not is_strict and problem.startswith("expected `array"):
                return self._plain(type_, [part.strip() for part in value.split(",") if part.strip()], where)
            inner = tuple(fault.path.split(".")) if fault.path else ()
            told = repr(self._redactor.redact_value(value))
            if self._redactor.is_secret_name(where[-1]):
                told = MARK
            raise self._error((*where, *inner), f"is {told}: {problem}") from exc

    def _secret(self, table: dict[str, Any], where: tuple[str, ...], type_: Any) -> Any:
        """A secret from the environment, from the file that is named, or from the host program."""
        name, place = where[-1], (*where[:-1], f"{where[-1]}{_FILE}")
        if name in table and place[-1] in table:
            if not self._is_from_environment(where) or self._is_from_environment(place):
                raise self._error(where, f"is set beside {self._name(place)!r}", "Set one of them.")
        elif place[-1] in table:
            return self._registered(where, self._from_file(place, table[place[-1]]), place)
        if name not in table:
            return msgspec.UNSET
        value = table[name]
        origin = self._origin(where)
        if origin != HOST and not self._is_from_environment(where):
            raise self._error(where, "is a secret, and must not stand in a file like this", self._cure(where))
        if value is None or isinstance(value, Secret):
            return value if value is None else self._registered(where, value.reveal(), where)
        if not isinstance(value, str):
            raise self._error(where, "is a secret, and must be text")
        return self._registered(where, value, where)

    def _registered(self, where: tuple[str, ...], value: str, place: tuple[str, ...]) -> Secret:
        if value:
            try:
                self._redactor.register(value)
            except ValueError as exc:
                raise self._error(place, f"cannot be used as a secret: {exc}") from exc
        return Secret(value)

    def _from_file(self, place: tuple[str, ...], named: Any) -> str:
        if not isinstance(named, str) or not named:
            raise self._error(place, "must be the path of a file")
        try:
            with Path(named).open("rb") as file:
                raw = file.read(MOST_SECRET_BYTES + 1)
            text = raw.decode("utf-8")
        except OSError as exc:
            raise self._error(place, f"names {named!r}, which cannot be read: {exc.strerror}") from exc
        except UnicodeDecodeError as exc:
            # Without the cause: its message shows bytes of the file.
            raise self._error(place, f"names {named!r}, which is no text in UTF-8 at byte {exc.start}") from None
        if len(raw) > MOST_SECRET_BYTES:
            raise self._error(place, f"names {named!r}, which holds more than {MOST_SECRET_BYTES} bytes")
        return text.removesuffix("\n").removesuffix("\r")

    def _show(self, where: tuple[str, ...], value: Any, *, is_set: bool) -> None:
        if isinstance(value, Struct):
            if not is_set:
                for name in value.__struct_fields__:
                    self._show((*where, name), getattr(value, name), is_set=False)
            return
        place = (*where[:-1], f"{where[-1]}{_FILE}")
        if not is_set:
            origin = "default"
        else:
            origin = self._origin(place if ".".join(place) in self._origins and not self._has(where) else where)
        shown = msgspec.to_builtins(value, enc_hook=lambda each: MARK if isinstance(each, Secret) else repr(each))
        if isinstance(value, Secret) and not value:
            shown = None
        shown = self._redactor.redact_value({where[-1]: shown})[where[-1]]
        self._shown.append(PluginSetting(self._name(where), shown, origin))

    def _has(self, where: tuple[str, ...]) -> bool:
        return ".".join(where) in self._origins

    def _name(self, path: tuple[str, ...]) -> str:
        return ".".join(("plugins", self._plugin, *path))

    def _origin(self, path: tuple[str, ...]) -> str:
        """Where a value was set: by its own path, that of the table it stands in, or that of what stands in it."""
        for length in range(len(path), 0, -1):
            if (origin := self._origins.get(".".join(path[:length]))) is not None:
                return origin
        beneath = f"{'.'.join(path)}."
        return next((origin for known, origin in self._origins.items() if known.startswith(beneath)), HOST)

    def _is_from_environment(self, path: tuple[str, ...]) -> bool:
        return self._origin(path).startswith("environment ")

    def _error(self, path: tuple[str, ...], problem: str, cure: str = "") -> SettingsError:
        return SettingsError(self._name(path), problem, self._origin(path) if path else "", cure)

    def _missing(self, where: tuple[str, ...], *, is_secret: bool) -> SettingsError:
        cure = self._cure(where) if is_secret else f"Set it in [plugins.{self._plugin}], or in {self._variable(where)}."
        return SettingsError(self._name(where), "is required and not set", "", cure)

    def _variable(self, where: tuple[str, ...]) -> str:
        return PREFIX + "__".join(("plugins", plugin_key(self._plugin), *where)).upper()

    def _cure(self, where: tuple[str, ...]) -> str:
        return f'Name a file that holds it: {where[-1]}{_FILE} = "/run/secrets/NAME", or set {self._variable(where)}.'


def _members(type_: Any) -> Iterator[Any]:
    """What a field may hold: the members of a union, without what annotates them."""
    origin = typing.get_origin(type_)
    if origin is typing.Annotated:
        yield from _members(type_.__origin__)
    elif origin in (typing.Union, types.UnionType):
        for each in typing.get_args(type_):
            yield from _members(each)
    else:
        yield type_


def _told(exc: BaseException) -> str:
    """What a plugin says is wrong; of an error that is no refusal of values, its kind too."""
    try:
        text = str(exc)
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        text = "(its message cannot be shown)"
    return text if isinstance(exc, ValueError | TypeError) and text else f"{type(exc).__name__}: {text}"


def _is_secret(type_: Any) -> bool:
    """Whether a field is a Secret, alone or in a union."""
    return any(each is Secret for each in _members(type_))


def _table_of(type_: Any) -> type[Struct] | None:
    """The struct whose fields a field's table holds, alone or in a union; None where there is none, or no one."""
    found = [each for each in _members(type_) if inspect.isclass(each) and issubclass(each, Struct)]
    return found[0] if len(found) == 1 else None


def _holds_secret(type_: Any, seen: set[Any]) -> bool:
    """Whether a Secret stands anywhere in a type, also within the structs it names."""
    if type_ is Secret:
        return True
    inner = list(typing.get_args(type_))
    if inspect.isclass(type_) and issubclass(type_, Struct) and type_ not in seen:
        seen.add(type_)
        inner.extend(each.type for each in msgspec.structs.fields(type_))
    return any(_holds_secret(each, seen) for each in inner)
