"""Registering receivers, and the checks a receiver class must pass at load."""

import inspect
import sys
from typing import Any, TypeVar

from msgspec import Struct

from buttonhook.errors import BadReceiver
from buttonhook.ids import JobId, ResultKind
from buttonhook.receivers.base import BASES, JobHookReceiver, Receiver, base_of
from buttonhook.receivers.meta import JobMeta, read_meta

R = TypeVar("R", bound=type[Receiver])

_registered: dict[str, type[Any]] = {}
_registered_by: dict[str, dict[str, None]] = {}
"""The paths of classes by the top-level package whose module registered them."""


class ReceiverType(Struct, frozen=True, kw_only=True):
    """A checked receiver class: what is run, how, and by which package it came."""

    id: JobId
    cls: type[Receiver]
    kind: ResultKind
    meta: JobMeta
    is_async: bool
    package: str
    plugin: str = ""
    """The plugin that brought it, whose settings it gets."""

    @property
    def name(self) -> str:
        return self.meta.name or self.cls.__name__


def register_jobs(*receivers: type[Receiver]) -> None:
    """Make receiver classes known. Call it at module level, once for each class."""
    caller = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
    for receiver in receivers:
        _registered[_path(receiver)] = receiver
        _registered_by.setdefault(caller, {})[_path(receiver)] = None


def registered_under(top_package: str) -> list[type[Any]]:
    """The classes registered by the loaded modules of one top-level package, in order of registration.

    What is no class of a loaded module is returned too: `check_receiver` says what is wrong with it.
    """
    paths = _registered_by.get(top_package, {})
    return [cls for path in paths if (cls := _registered.get(path)) is not None and _is_loaded(cls)]


def forget(top_package: str) -> None:
    """Forget the registrations of a package that is about to be imported anew."""
    for path in _registered_by.pop(top_package, {}):
        _registered.pop(path, None)


def _is_loaded(cls: Any) -> bool:
    """Whether the class is what its module holds now, and no leftover of an earlier import."""
    if not isinstance(cls, type):
        return True
    found: Any = sys.modules.get(cls.__module__)
    for step in cls.__qualname__.split("."):
        if step == "<locals>":
            return True
        found = getattr(found, step, None)
    return found is cls


def _path(cls: Any) -> str:
    return f"{getattr(cls, '__module__', '?')}.{getattr(cls, '__qualname__', cls)}"


def check_receiver(cls: Any, package: str) -> tuple[ReceiverType, list[str]]:
    """Check a class and describe it; the second part holds warnings.

    Raises:
        BadReceiver: it cannot be run as it is; the message shows the right form.
    """
    where = _path(cls)
    bases = [base for base in BASES if isinstance(cls, type) and issubclass(cls, base)]
    if not bases:
        raise BadReceiver(where, "is no receiver class", "Subclass JobHookReceiver or JobButtonReceiver.")
    if len(bases) > 1:
        raise BadReceiver(where, "inherits both receiver bases", "Write two classes that share a mix-in.")
    base = base_of(cls)
    right_form = f"Write: async def {base.METHOD}(self, {', '.join(base.ARGUMENTS)}):"
    if getattr(cls, base.METHOD) is getattr(base, base.METHOD):
        what = f"does not define {base.METHOD}()"
        if hasattr(cls, "run"):
            what = f"overrides run(), which is never called, and {what}"
        raise BadReceiver(where, what, right_form)
    if hasattr(cls, "run"):
        raise BadReceiver(
            where, "overrides run(), which is never called", f"Put its code into {base.METHOD}(). {right_form}"
        )
    method = inspect.getattr_static(cls, base.METHOD)
    function = method.__func__ if isinstance(method, staticmethod | classmethod) else method
    if isinstance(method, staticmethod | classmethod) or not callable(function):
        raise BadReceiver(where, f"has a {base.METHOD} that is no method", right_form)
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise BadReceiver(where, f"has a {base.METHOD}() that yields", f"Return or log instead. {right_form}")
    try:
        inspect.signature(function).bind(None, **dict.fromkeys(base.ARGUMENTS))
    except TypeError as exc:
        called = ", ".join(f"{name}=..." for name in base.ARGUMENTS)
        raise BadReceiver(where, f"cannot be called as {base.METHOD}({called}): {exc}", right_form) from exc
    try:
        inspect.signature(cls).bind()
    except TypeError as exc:
        raise BadReceiver(
            where, f"cannot be made without arguments: {exc}", "Give __init__ no required parameters."
        ) from exc
    meta, notes = read_meta(cls, Receiver)
    kind: ResultKind = "hook" if base is JobHookReceiver else "button"
    is_async = inspect.iscoroutinefunction(function)
    return ReceiverType(id=JobId(where), cls=cls, kind=kind, meta=meta, is_async=is_async, package=package), notes
