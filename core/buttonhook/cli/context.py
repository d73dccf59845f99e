"""What all commands share: the global options, the settings made of them, the streams.

Global options may stand before the command's name or behind it.
"""

import importlib
import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Final, TypeVar

import click
from msgspec import Struct

from buttonhook.cli.output import Output
from buttonhook.settings import LoadedSettings, Settings, load_settings

F = TypeVar("F", bound=Callable[..., Any])
DEBUG_VARIABLE: Final = "BUTTONHOOK_DEBUG"


class Waiting(Struct):
    """How long a writing command waits for the jobs it causes, and what their failure means.

    `seconds` None: until all is done; 0: nothing is run.
    """

    seconds: float | None = None
    is_strict: bool = False


class Cli:
    """One call of the command: its flags, and where it writes."""

    def __init__(self) -> None:
        self.flags: dict[str, Any] = {}
        self.accept_older = False
        self.waiting = Waiting()
        self.lock_wait = 0.0
        """What is left of the setting's time when the database is opened."""
        self.asks_daemon = False
        """Whether a daemon does the work: it goes on when the command is stopped."""
        self.out = Output()

    @cached_property
    def loaded(self) -> LoadedSettings:
        """The effective settings and where each came from. Raises: SettingsError."""
        return load_settings(self.flags, os.environ, Path.cwd())

    @property
    def settings(self) -> Settings:
        return self.loaded.values


def _find(context: click.Context) -> Cli:
    return context.find_root().ensure_object(Cli)


def keep_flag(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    """Take an option's value as that of the setting of its name; one that was not given sets nothing."""
    if value not in (None, ()) and parameter.name is not None:
        _find(context).flags[parameter.name] = value


def _keep_accept_older(context: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        _find(context).accept_older = True


def _global_options(hidden: bool) -> list[click.Option]:
    def option(*names: str, **attributes: Any) -> click.Option:
        return click.Option(names, expose_value=False, hidden=hidden, callback=keep_flag, **attributes)

    return [
        option("--db", metavar="URL", help="Database, as sqlite:///FILE. [default: sqlite:///buttonhook.db]"),
        option("--user", metavar="NAME", help="Who acts. [default: the operating system's user]"),
        option("--server", metavar="URL", help="Ask this daemon. [default: the one that has the database]"),
        option("--token", metavar="TOKEN", help="Lets in there. Others can see it: better use BUTTONHOOK_TOKEN."),
        option("--token-file", metavar="FILE", help="Read the token from this file."),
        option("--ca", metavar="FILE", help="Certificates that may vouch for it. [default: the system's]"),
        option("--plugins-dir", metavar="DIR", help="Load the .py files of a folder as plugins too."),
        option("--lock-wait", metavar="SECONDS", help="Wait so long for a database in use. [default: 10]"),
        click.Option(
            ["--accept-older"],
            is_flag=True,
            expose_value=False,
            hidden=hidden,
            callback=_keep_accept_older,
            help="Go on with a database that lost changes.",
        ),
    ]


class Command(click.Command):
    """A command that takes the global options too, where none of its own has their names."""

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        taken = {name for parameter in self.params for name in parameter.opts}
        self.params.extend(option for option in _global_options(hidden=True) if not taken.intersection(option.opts))


class Group(click.Group):
    """A group of such commands, which takes those options too, as it may be a command itself: `users tokens`."""

    command_class = Command
    hides_options: ClassVar = True

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, **attributes)
        self.params.extend(_global_options(hidden=self.hides_options))


Group.group_class = Group


class ByName(MutableMapping[str, click.Command]):
    """Commands of a group, each loaded when it is asked for, so that the others start quickly.

    `places`: by name the module in `buttonhook.cli` and the command in it, as in `upkeep:check`.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = dict(places)
        self._loaded: dict[str, click.Command] = {}

    def __getitem__(self, name: str) -> click.Command:
        if name not in self._loaded:
            module, _, attribute = self._places[name].partition(":")
            self._loaded[name] = getattr(importlib.import_module(f"buttonhook.cli.{module}"), attribute)
        return self._loaded[name]

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._places[name] = ""
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._places[name]
        self._loaded.pop(name, None)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class RootGroup(Group):
    """The command itself: the global options are listed in its help."""

    hides_options = False


pass_cli = click.make_pass_decorator(Cli)
"""Hand the `Cli` to a command as its first argument."""


def json_option(function: F) -> F:
    """`--json`: the answer as JSON."""

    def keep(context: click.Context, _: click.Parameter, value: bool) -> None:
        if value:
            _find(context).out.is_json = True

    return click.option("--json", is_flag=True, expose_value=False, callback=keep, help="Answer in JSON.")(function)


def waiting_options(function: F) -> F:
    """`--no-wait`, `--wait`, `--strict`: what becomes of the jobs that a write causes."""

    def keep(context: click.Context, parameter: click.Parameter, value: Any) -> None:
        waiting = _find(context).waiting
        if parameter.name == "strict" and value:
            waiting.is_strict = True
        elif parameter.name == "no_wait" and value:
            waiting.seconds = 0
        elif parameter.name == "wait" and value is not None:
            waiting.seconds = value

    def option(*names: str, **attributes: Any) -> Callable[[F], F]:
        return click.option(*names, expose_value=False, callback=keep, **attributes)

    for add in (
        option("--strict", is_flag=True, help="Exit with 1 when a job failed."),
        option(
            "--wait",
            metavar="SECONDS",
            type=click.FloatRange(min=0),
            help="Wait at most so long for the jobs it causes. [default: until they are done]",
        ),
        option("--no-wait", is_flag=True, help="Run no jobs now; they wait for the next command."),
    ):
        function = add(function)
    return function
