"""`buttonhook run`, `check` and `config`: finishing what waits, looking the database over, the settings in force."""

from collections.abc import AsyncIterator
from typing import Any

import click
import msgspec

from buttonhook.app import App
from buttonhook.cli import shapes
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Cell, Output
from buttonhook.cli.running import has_failures, reading, results_of, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.old_data import find_old
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
        await current.settle()
        if out.is_json:
            counts = {status.value: count for status, count in sorted(app.tally.counts.items())}
            waiting = len(await app.reader.pending(0, 10_000))
            ended = await results_of(app, app.tally.numbers)
            out.json({"jobs": counts, "waiting": waiting, "results": shapes.all_of(ended, shapes.result)})
        elif not sum(app.tally.counts.values()):
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
    work are warnings. JSON: {ok, problems, warnings, counts}.
    """
    return run(_check(cli))


async def _check(cli: Cli) -> int:
    async with reading(cli, warns=False) as app:
        report = await app.check()
        warnings = [*_set_up_warnings(app), *[each async for each in _old_warnings(app)]]
    out = cli.out
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
    """Print the settings and where each came from.

    JSON: {setting: {value, origin}}.
    """
    loaded = cli.loaded
    if cli.out.is_json:
        values = msgspec.to_builtins(loaded.values)
        cli.out.json({name: {"value": values[name], "origin": loaded.origins[name]} for name in values})
        return
    _print_config(cli.out, loaded)


def _print_config(out: Output, loaded: LoadedSettings) -> None:
    rows: list[list[str | Cell]] = []
    for name, value in msgspec.to_builtins(loaded.values).items():
        origin = loaded.origins[name]
        rows.append([name, _setting_text(value), Cell(origin, "dim" if origin == "default" else "cyan")])
    out.table([Column("setting"), Column("value"), Column("from")], rows)


def _setting_text(value: Any) -> str:
    if value is None:
        return "-"
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
