"""`buttonhook hooks`: the rules that run a job when objects change."""

from typing import Any

import click

from buttonhook.cli import shapes
from buttonhook.cli.acting import HOOKS, UserApp
from buttonhook.cli.conditions import condition_option
from buttonhook.cli.context import Cli, Group, json_option, pass_cli, waiting_options
from buttonhook.cli.explaining import explain, test
from buttonhook.cli.output import Cell, Output
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.words import job_of, use_state
from buttonhook.configuration import ALL_ACTIONS
from buttonhook.records import JobHook

ACTIONS = click.Choice([each.value for each in ALL_ACTIONS])
RUN_AS = click.Choice(["installer", "author"])


@click.group("hooks", cls=Group)
def hooks() -> None:
    """See and edit job hooks, which run a job when objects change."""


@hooks.command("list")
@json_option
@pass_cli
def list_hooks(cli: Cli) -> None:
    """List the job hooks, in the order in which they fire.

    JSON: a list of job hooks.
    """
    run(_list(cli))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=HOOKS) as app:
        app.require_any("job hooks", "jobs.view_jobhook")
        found, out = app.configuration.hooks(), cli.out
        if out.is_json:
            out.json(shapes.all_of(found, shapes.job_hook))
            return
        columns = [Column("hook"), Column("job"), Column("object types"), Column("actions"), Column("state")]
        if not out.table(columns, [_row(app, each) for each in found]):
            out.hint("No job hooks. Add one with: buttonhook hooks add NAME --job JOB --type dcim.device")


def _row(app: UserApp, hook: JobHook) -> list[str | Cell]:
    job = job_of(app.registry, app.configuration, hook)
    return [hook.name, job.name, ", ".join(hook.object_types), ", ".join(hook.actions), use_state(hook, job)]


@hooks.command("add")
@click.argument("name")
@click.option("--job", required=True, metavar="JOB", help="Class path, class name or name of a job hook receiver.")
@click.option("--type", "object_types", required=True, multiple=True, metavar="APP.MODEL", help="May be repeated.")
@click.option("--action", "actions", multiple=True, type=ACTIONS, help="May be repeated. [default: all]")
@click.option("--disabled", is_flag=True, help="Add it without letting it fire.")
@condition_option
@click.option(
    "--run-as", type=click.Choice(["installer", "author"]), help="Whose permission counts. [default: installer]"
)
@click.option(
    "--allow-job-hook-changes/--no-job-hook-changes",
    default=None,
    help="Fire on changes that a job hook's job made, too. [default: no]",
)
@waiting_options
@json_option
@pass_cli
def add(cli: Cli, /, name: str, **given: Any) -> int:
    """Add a job hook: run JOB when objects of these types change.

    JSON: the job hook.
    """
    return run(_add(cli, name, given))


async def _add(cli: Cli, name: str, given: dict[str, Any]) -> int:
    async with writing(cli, creates=True, sees=HOOKS) as current:
        configuration = current.app.configuration
        hook = await configuration.add_hook(
            name,
            given["job"],
            given["object_types"],
            given["actions"] or ALL_ACTIONS,
            enabled=not given["disabled"],
            **_given(given, "conditions", "run_as", "allow_job_hook_changes"),
        )
        _tell(cli.out, "Added", hook, current.app)
    return current.exit_code


def _given(options: dict[str, Any], *names: str) -> dict[str, Any]:
    """The options that were given, of those named."""
    return {name: options[name] for name in names if options[name] not in (None, ())}


def _tell(out: Output, what: str, hook: JobHook, app: UserApp) -> None:
    if out.is_json:
        out.json(shapes.job_hook(hook))
        return
    job = job_of(app.registry, app.configuration, hook)
    on = f"{', '.join(hook.actions)} of {', '.join(hook.object_types)}"
    where = f", {plural(len(hook.conditions), 'condition')}" if hook.conditions else ""
    out.line(f"{what} job hook {hook.name}: {on}{where} -> {job.name}")
    if not job.enabled:
        out.warn(
            f"The job {job.name} is disabled, so nothing runs yet. Enable it with: buttonhook jobs enable {job.id}"
        )


@hooks.command("edit")
@click.argument("hook")
@click.option("--name", help="Give it another name.")
@click.option("--job", metavar="JOB", help="Let it run another job.")
@click.option(
    "--type", "object_types", multiple=True, metavar="APP.MODEL", help="Replace its object types; repeatable."
)
@click.option("--action", "actions", multiple=True, type=ACTIONS, help="Replace its actions; repeatable.")
@click.option("--enabled/--disabled", default=None, help="Let it fire, or not.")
@condition_option
@click.option("--run-as", type=RUN_AS, help="Whose permission counts.")
@click.option(
    "--allow-job-hook-changes/--no-job-hook-changes",
    default=None,
    help="Fire on changes that a job hook's job made, too.",
)
@click.option("--no-conditions", is_flag=True, help="Take its conditions away.")
@json_option
@pass_cli
def edit(cli: Cli, /, hook: str, **given: Any) -> int:
    """Change a job hook. Nothing is run by this command.

    JSON: the job hook.
    """
    clears = given.pop("no_conditions")
    changes = {key: value for key, value in given.items() if value not in (None, ())}
    if clears:
        changes["conditions"] = ()
    if not changes:
        raise click.UsageError("Say what to change, as in: --type dcim.device --action update")
    return run(_edit(cli, hook, changes))


async def _edit(cli: Cli, name: str, changes: dict[str, Any]) -> int:
    async with writing(cli, dispatch=False, sees=HOOKS) as current:
        hook = await current.app.configuration.edit_hook(name, **changes)
        _tell(cli.out, "Changed", hook, current.app)
    return current.exit_code


@hooks.command("remove")
@click.argument("names", metavar="HOOK...", nargs=-1, required=True)
@json_option
@pass_cli
def remove(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove job hooks. What they have fired already still runs.

    JSON: a list of the job hooks that were removed.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=HOOKS) as current:
        configuration = current.app.configuration
        for name in names:
            configuration.get_hook(name)
        removed = [await configuration.remove_hook(name) for name in names]
        if cli.out.is_json:
            cli.out.json(shapes.all_of(removed, shapes.job_hook))
        for hook in [] if cli.out.is_json else removed:
            cli.out.line(f"Removed job hook {hook.name}")
    return current.exit_code


hooks.add_command(explain)
hooks.add_command(test)
