"""`buttonhook run`, `check` and `config`: finishing what waits, looking the database over, the settings in force."""

from collections.abc import AsyncIterator
from typing import Any

import click
import msgspec

from buttonhook.app import App, load_registry
from buttonhook.cli import shapes
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Cell
from buttonhook.cli.running import reading, require_user, run, warn_of_broken_plugins, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.telling import ended_counts, has_failures, results_of, waiting_results
from buttonhook.cli.text import plural
from buttonhook.old_data import find_old
from buttonhook.plugin_settings import PluginSetting
from buttonhook.plugins import PluginReport
from buttonhook.settings import LoadedSettings
from buttonhook.stores.base import CheckReport


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
        await current.settle()
        if out.is_json:
            counts = {status.value: count for status, count in sorted((await ended_counts(app)).items())}
            waiting = len(await waiting_results(app))
            ended = await results_of(app, app.whole.tally.numbers)
            out.json({"jobs": counts, "waiting": waiting, "results": shapes.all_of(ended, shapes.result)})
        elif not sum((await ended_counts(app)).values()):
            out.line("Nothing to run")
        if has_failures(app):
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
        report = await app.whole.check()
        warnings = [*_set_up_warnings(app.whole), *[each async for each in _old_warnings(app.whole)]]
    out = cli.out
    if not app.user.is_owner:
        found = [f"{plural(len(report.problems), 'problem')}. An owner is told which"] if report.problems else []
        report, warnings = CheckReport(problems=found, counts={}), []
    if out.is_json:
        ok = not report.problems
        out.json({"ok": ok, "problems": report.problems, "warnings": warnings, "counts": report.counts})
        return 0 if ok else 1
    out.fields([(name, f"{count:,}") for name, count in report.counts.items()])
    for warning in warnings:
        out.warn(warning)
    for problem in report.problems:
        out.fail(problem)
    if report.problems:
        out.line(plural(len(report.problems), "problem"), "red")
        return 1
    out.line("ok", "green")
    return 0


def _set_up_warnings(app: App) -> list[str]:
    """What keeps a hook or button from working, and plugins that are not whole."""
    warnings = [f"Plugin {each.name}: {error}" for each in app.plugins for error in each.errors]
    jobs = {each.id: each for each in app.configuration.jobs()}
    for noun, records in (("hook", app.configuration.hooks()), ("button", app.configuration.buttons())):
        for record in records:
            job = jobs.get(record.job)
            if job is None or not job.installed:
                warnings.append(f"Job {noun} {record.name!r} runs {record.job}, which is not installed")
            unknown = [name for name in record.object_types if not app.registry.is_installed(name)]
            warnings.extend(f"Job {noun} {record.name!r} is for {name}, which no plugin declares" for name in unknown)
    return warnings


async def _old_warnings(app: App) -> AsyncIterator[str]:
    """Objects that their type no longer accepts, those that a plugin mends, types that nobody declares."""
    async for old in find_old(app.registry, app.reader):
        name = old.type.name
        if not old.type.is_installed:
            yield (
                f"Type {name} is not installed, but has {plural(old.objects, 'object')}: they can be read and deleted. "
                "Install the package that declares it"
            )
        for pk, faults in old.shown:
            yield f"{name} {pk!r} is no longer valid: {'; '.join(map(str, faults))}"
        if old.invalid > len(old.shown):
            more = plural(old.invalid - len(old.shown), "more object")
            yield f"{name}: {more} no longer valid, {old.invalid:,} in all"
        if old.mendable:
            yield (
                f"{name}: {plural(old.mendable, 'object')} of an earlier version, mended whenever read. "
                f"Save them for good with: buttonhook objects upgrade {name}"
            )


@click.command("config", cls=Command)
@json_option
@pass_cli
def config(cli: Cli) -> None:
    """Print the settings and where each came from, those of plugins too.

    Secrets are shown as [redacted]. JSON: {setting: {value, origin}}.
    """
    run(require_user(cli))
    loaded = cli.loaded
    _, reports = load_registry(loaded.values)
    warn_of_broken_plugins(cli.out, reports)
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


def _settings_of(loaded: LoadedSettings, reports: list[PluginReport]) -> list[PluginSetting]:
    """Every setting as it may be shown. What is set for plugins is shown as they read it, never as it was given."""
    names = [name for name in loaded.values.__struct_fields__ if name != "plugins"]
    own = [
        PluginSetting(name, msgspec.to_builtins(getattr(loaded.values, name)), loaded.origins[name]) for name in names
    ]
    return own + [setting for report in reports for setting in report.settings]


def _setting_text(value: Any) -> str:
    if value is None:
        return "-"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
