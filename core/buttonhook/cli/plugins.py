"""`buttonhook plugins`: what is installed, what it brings, what is wrong with it. It needs no database."""

import click
import msgspec

from buttonhook.app import load_registry
from buttonhook.cli.context import Cli, Command, json_option, pass_cli
from buttonhook.cli.output import STATE_STYLES, Cell, Output
from buttonhook.cli.running import asking, run
from buttonhook.cli.tables import Column
from buttonhook.plugins import PluginReport


@click.command("plugins", cls=Command)
@click.option("--traceback", "with_traceback", is_flag=True, help="Show where a broken plugin failed.")
@json_option
@pass_cli
def plugins(cli: Cli, with_traceback: bool) -> None:
    """List the installed plugins.

    What each brings, and what is wrong with it.

    JSON: a list of {name, module, distribution, version, is_blocked, needs_restart, jobs, object_types, presets,
    webhook_readers, settings, errors, warnings, traceback}.
    """
    reports = run(_reports(cli))
    out = cli.out
    if out.is_json:
        out.json([msgspec.structs.asdict(each) for each in reports])
        return
    if not reports:
        out.hint("No plugins are installed. A plugin is a package with an entry point in the group 'buttonhook'.")
    columns = [
        Column("plugin"),
        Column("version"),
        Column("state"),
        Column("object types", is_cut=True),
        Column("jobs", wraps=True),
    ]
    out.table(columns, [_row(each) for each in reports])
    _tell_problems(out, reports)
    if with_traceback:
        for each in reports:
            if each.traceback is not None:
                out.heading(each.name)
                out.block(each.traceback)
    elif any(each.traceback for each in reports):
        out.hint("Where it failed: buttonhook plugins --traceback")


async def _reports(cli: Cli) -> list[PluginReport]:
    """What the daemon has loaded, where one does the work; else what is installed."""
    async with asking(cli) as app:
        if app is not None:
            return await app.plugins()
    return load_registry(cli.settings)[1]


def state_of(report: PluginReport) -> str:
    if report.is_blocked:
        return "blocked"
    return "broken" if report.errors else "ok"


def _row(report: PluginReport) -> list[str | Cell]:
    state = state_of(report)
    jobs = ", ".join(job.rpartition(".")[2] for job in report.jobs)
    name = report.distribution or report.name
    shown = name if name == report.name else f"{report.name} ({name})"
    return [shown, report.version, Cell(state, STATE_STYLES.get(state, "dim")), ", ".join(report.object_types), jobs]


def _tell_problems(out: Output, reports: list[PluginReport]) -> None:
    rows: list[list[str | Cell]] = []
    for report in reports:
        rows.extend([Cell("error", "red"), report.name, text] for text in report.errors)
        rows.extend([Cell("warning", "yellow"), report.name, text] for text in report.warnings)
    if rows and out.is_terminal:
        out.line()
    out.table([Column(), Column(), Column(wraps=True)], rows)
