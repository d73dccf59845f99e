"""`buttonhook buttons`: the buttons people press on objects, and pressing them."""

from collections.abc import Sequence
from typing import Any

import click

from buttonhook.cli import shapes
from buttonhook.cli.acting import BUTTONS, UserApp
from buttonhook.cli.conditions import condition_option
from buttonhook.cli.context import Cli, Group, json_option, pass_cli, waiting_options
from buttonhook.cli.logs import print_log
from buttonhook.cli.lookups import log_entries, results_of
from buttonhook.cli.output import Cell, Output
from buttonhook.cli.running import Writing, reading, run, writing
from buttonhook.cli.shown import shown
from buttonhook.cli.tables import Column
from buttonhook.cli.telling import is_final
from buttonhook.cli.words import job_of, result_object, took, use_state
from buttonhook.configuration import BUTTON_STYLES
from buttonhook.ids import JobResultStatus
from buttonhook.records import JobButton, JobResult

STYLES = click.Choice(BUTTON_STYLES)


@click.group("buttons", cls=Group)
def buttons() -> None:
    """See, edit and press job buttons."""


@buttons.command("list")
@json_option
@pass_cli
def list_buttons(cli: Cli) -> None:
    """List the job buttons by group, weight and name.

    JSON: a list of job buttons.
    """
    run(_list(cli))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=BUTTONS) as app:
        app.require_any("job buttons", "jobs.view_jobbutton")
        found, out = app.configuration.buttons(), cli.out
        if out.is_json:
            out.json(shapes.all_of(found, shapes.job_button))
            return
        columns = [Column("button"), Column("group"), Column("job"), Column("object types"), Column("state")]
        if not out.table(columns, [_row(app, each) for each in found]):
            out.hint("No job buttons. Add one with: buttonhook buttons add NAME --job JOB --type dcim.device")


def _row(app: UserApp, button: JobButton) -> list[str | Cell]:
    job = job_of(app.registry, app.configuration, button)
    return [button.name, button.group, job.name, ", ".join(button.object_types), use_state(button, job)]


@buttons.command("add")
@click.argument("name")
@click.option("--job", required=True, metavar="JOB", help="Class path, class name or name of a job button receiver.")
@click.option("--type", "object_types", required=True, multiple=True, metavar="APP.MODEL", help="May be repeated.")
@click.option("--text", help="What stands on it. [default: its name]")
@click.option("--group", help="Buttons of a group stand together.")
@click.option("--weight", type=int, help="Lighter ones stand first. [default: 100]")
@click.option("--style", type=STYLES, help="How it looks.")
@click.option("--confirmation/--no-confirmation", default=None, help="Ask before it acts. [default: ask]")
@condition_option
@click.option("--disabled", "enabled", flag_value=False, default=None, help="Add it without letting it be pressed.")
@waiting_options
@json_option
@pass_cli
def add(cli: Cli, /, name: str, **given: Any) -> int:
    """Add a job button for objects of these types.

    JSON: the job button.
    """
    return run(_add(cli, name, {key: value for key, value in given.items() if value is not None}))


async def _add(cli: Cli, name: str, given: dict[str, Any]) -> int:
    async with writing(cli, creates=True, sees=BUTTONS) as current:
        configuration = current.app.configuration
        button = await configuration.add_button(name, given.pop("job"), given.pop("object_types"), **given)
        _tell(cli.out, "Added", button, current.app)
    return current.exit_code


def _tell(out: Output, what: str, button: JobButton, app: UserApp) -> None:
    if out.is_json:
        out.json(shapes.job_button(button))
        return
    job = job_of(app.registry, app.configuration, button)
    out.line(f"{what} job button {button.name}: on {', '.join(button.object_types)} -> {job.name}")
    if not job.enabled:
        out.warn(f"The job {job.name} is disabled. Enable it with: buttonhook jobs enable {job.id}")


@buttons.command("edit")
@click.argument("button")
@click.option("--name", help="Give it another name.")
@click.option("--job", metavar="JOB", help="Let it run another job.")
@click.option(
    "--type", "object_types", multiple=True, metavar="APP.MODEL", help="Replace its object types; repeatable."
)
@click.option("--text", help="What stands on it.")
@click.option("--group", help="Buttons of a group stand together.")
@click.option("--weight", type=int, help="Lighter ones stand first.")
@click.option("--style", type=STYLES, help="How it looks.")
@click.option("--confirmation/--no-confirmation", default=None, help="Ask before it acts.")
@condition_option
@click.option("--no-conditions", is_flag=True, help="Take its conditions away.")
@click.option("--enabled/--disabled", default=None, help="Let it be pressed, or not.")
@json_option
@pass_cli
def edit(cli: Cli, /, button: str, **given: Any) -> int:
    """Change a job button. Nothing is run by this command.

    JSON: the job button.
    """
    clears = given.pop("no_conditions")
    changes = {key: value for key, value in given.items() if value not in (None, ())}
    if clears:
        changes["conditions"] = ()
    if not changes:
        raise click.UsageError("Say what to change, as in: --text 'Say hello' --style success")
    return run(_edit(cli, button, changes))


async def _edit(cli: Cli, name: str, changes: dict[str, Any]) -> int:
    async with writing(cli, dispatch=False, sees=BUTTONS) as current:
        button = await current.app.configuration.edit_button(name, **changes)
        _tell(cli.out, "Changed", button, current.app)
    return current.exit_code


@buttons.command("remove")
@click.argument("names", metavar="BUTTON...", nargs=-1, required=True)
@json_option
@pass_cli
def remove(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove job buttons.

    JSON: a list of the job buttons that were removed.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=BUTTONS) as current:
        configuration = current.app.configuration
        for name in names:
            configuration.get_button(name)
        removed = [await configuration.remove_button(name) for name in names]
        if cli.out.is_json:
            cli.out.json(shapes.all_of(removed, shapes.job_button))
        for button in [] if cli.out.is_json else removed:
            cli.out.line(f"Removed job button {button.name}")
    return current.exit_code


# --- pressing -------------------------------------------------------------------------------------


@buttons.command("press")
@click.argument("button")
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pks", metavar="PK...", nargs=-1, required=True)
@waiting_options
@json_option
@pass_cli
def press(cli: Cli, button: str, object_type: str, pks: tuple[str, ...]) -> int:
    """Press a job button on objects.

    Waits, and prints the log of each run. Ends with 1 when a run failed.

    JSON: a list of job results, each with its `log_entries`.
    """
    return run(_press(cli, button, object_type, pks))


async def _press(cli: Cli, button: str, object_type: str, pks: tuple[str, ...]) -> int:
    async with writing(cli) as current:
        current.tells_runs = False
        pending = await current.app.runs.press(button, object_type, pks)
        is_followed = current.app.is_live and cli.out.is_terminal and not cli.out.is_json
        if is_followed and cli.waiting.seconds is None:
            await _follow(current, pending)
        await current.settle()
        ended = await results_of(current.app, [each.number for each in pending])
        if not current.told:
            await _tell_presses(current, ended)
        current.told = {each.number for each in ended}
        failed = {JobResultStatus.FAILURE, JobResultStatus.REVOKED}
        if cli.waiting.seconds != 0 and any(each.status in failed or not is_final(each) for each in ended):
            current.exit_code = 1
        if await current.app.caused.has_failed_below({each.id for each in ended}):
            current.exit_code = 1
    return current.exit_code


async def _follow(current: Writing, pending: Sequence[JobResult]) -> None:
    """Print the log of each run as it comes, then how it ended."""
    app, out = current.app, current.out
    for place, each in enumerate(pending):
        if place:
            out.line()
        out.line(f"{each.job_name} on {result_object(each)}, result {each.number}", "bold")
        await print_log(out, out.at_once(app.follow_log(each)))
        for ended in await results_of(app, [each.number]):
            print_outcome(out, ended)
        current.told.add(each.number)


async def _tell_presses(current: Writing, results: list[JobResult]) -> None:
    app, out = current.app, current.out
    if out.is_json:
        shown = []
        for each in results:
            entries = [shapes.log_entry(entry) async for entry in log_entries(app, each)]
            shown.append({**shapes.result(each), "log_entries": entries})
        out.json(shown)
        return
    for place, each in enumerate(results):
        if place and out.is_terminal:
            out.line()
        print_outcome(out, each)
        await print_log(out, log_entries(app, each))


def print_outcome(out: Output, result: JobResult, *, indent: int = 0) -> None:
    """How a run ended, in one line."""
    duration = f" in {took(result)}" if took(result) else ""
    status = out.status(result.status)
    out.styled(
        (" " * indent + out.symbol(status), status.style),
        (f"{result.job_name} on {result_object(result)}", "bold"),
        (f": {result.status.value}", status.style),
        (f"{duration}, result {result.number}", "dim"),
    )


buttons.add_command(shown)
