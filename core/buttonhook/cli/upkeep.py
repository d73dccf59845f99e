"""`buttonhook run`, `check` and `config`: finishing what waits, looking the database over, the settings in force."""

from typing import Any

import click
import msgspec

from buttonhook.app import load_registry
from buttonhook.cli import shapes
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Cell
from buttonhook.cli.running import asking, reading, run, warn_of_broken_plugins, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.words import names_of_broken
from buttonhook.plugin_settings import PluginSetting
from buttonhook.plugins import PluginReport
from buttonhook.redaction_scan import MARK
from buttonhook.settings import LoadedSettings


@click.command("run", cls=Command)
@waiting_options
@json_option
@pass_cli
def run_pending(cli: Cli) -> int:
    """Run what waits and all it causes, then end.

    Ends with 1 when a job failed. JSON: {jobs: {status: count}, waiting, results}: `results` are those that ran, the
    first 10,000 of them.
    """
    return run(_run(cli))


async def _run(cli: Cli) -> int:
    async with writing(cli) as current:
        app, out = current.app, cli.out
        await app.caused.take_unfinished()
        await current.settle()
        if out.is_json:
            counts = {status.value: count for status, count in sorted((await app.caused.counts()).items())}
            left = await app.caused.left()
            waiting = left.waiting + len(left.retries) + sum(left.parked.values())
            ended = await app.caused.ended()
            out.json({"jobs": counts, "waiting": waiting, "results": shapes.all_of(ended, shapes.result)})
        elif not sum((await app.caused.counts()).values()):
            out.line("Nothing to run")
        if app.caused.has_failures:
            current.exit_code = 1
    return current.exit_code


@click.command("check", cls=Command)
@json_option
@pass_cli
def check(cli: Cli) -> int:
    """Look the whole database over.

    Ends with 0 and "ok", or with 1 and what is wrong. Objects that their type no longer accepts and hooks that cannot
    work are warnings. What is wrong, and how much there is, is told to owners; others are told whether all is well.
    JSON: {ok, problems, warnings, counts}.
    """
    return run(_check(cli))


async def _check(cli: Cli) -> int:
    async with reading(cli, warns=False) as app:
        problems, warnings, counts = await app.check()
    out = cli.out
    if out.is_json:
        out.json({"ok": not problems, "problems": problems, "warnings": warnings, "counts": counts})
        return 1 if problems else 0
    out.fields([(name, f"{count:,}") for name, count in counts.items()])
    for warning in warnings:
        out.warn(warning)
    for problem in problems:
        out.fail(problem)
    if problems:
        out.line(plural(len(problems), "problem"), "red")
        return 1
    out.line("ok", "green")
    return 0


@click.command("config", cls=Command)
@json_option
@pass_cli
def config(cli: Cli) -> None:
    """Print the settings and where each came from, those of plugins too.

    Secrets are shown as [redacted]. JSON: {setting: {value, origin}}.
    """
    run(_ask_nothing(cli))
    loaded = cli.loaded
    _, reports = load_registry(loaded.values)
    warn_of_broken_plugins(cli.out, names_of_broken(reports))
    rows = _settings_of(loaded, reports)
    if cli.out.is_json:
        cli.out.json({each.name: {"value": each.value, "origin": each.origin} for each in rows})
        return
    cli.out.table(
        [Column("setting"), Column("value"), Column("from")],
        [
            [each.name, _setting_text(each.value), Cell(each.origin, "dim" if each.origin == "default" else "cyan")]
            for each in rows
        ],
    )


async def _ask_nothing(cli: Cli) -> None:
    """Refuse a user whom the database does not know."""
    if cli.settings.server is not None:
        return  # what is set here can be read without it
    async with asking(cli):
        pass


def _settings_of(loaded: LoadedSettings, reports: list[PluginReport]) -> list[PluginSetting]:
    """Every setting as it may be shown. What is set for plugins is shown as they read it, never as it was given."""
    names = [name for name in loaded.values.__struct_fields__ if name != "plugins"]
    own = [PluginSetting(name, _shown(name, getattr(loaded.values, name)), loaded.origins[name]) for name in names]
    return own + [setting for report in reports for setting in report.settings]


def _shown(name: str, value: Any) -> Any:
    return MARK if name == "token" and value is not None else msgspec.to_builtins(value)


def _setting_text(value: Any) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
