"""`buttonhook jobs`: the receivers that can run, and whether they may."""

from typing import Any

import click

from buttonhook.cli import shapes
from buttonhook.cli.acting import BUTTONS, HOOKS, JOBS, JobOptions, UserApp
from buttonhook.cli.context import Cli, Group, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import Catalogue, reading_or_catalogue, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.telling import RUN_COLUMNS, run_row
from buttonhook.cli.text import plural
from buttonhook.cli.words import job_state, on_off
from buttonhook.configuration import OVERRIDABLE, Configuration
from buttonhook.documents import parse
from buttonhook.errors import InvalidDocument
from buttonhook.ids import JobResultStatus
from buttonhook.records import Job, JobButton, JobHook, JobResult, ResultQuery

LAST_RESULTS = 5


@click.group("jobs", cls=Group)
def jobs() -> None:
    """See, enable and disable jobs."""


@jobs.command("list")
@click.option("--all", "all_", is_flag=True, help="Those that ask to be hidden, too.")
@json_option
@pass_cli
def list_jobs(cli: Cli, all_: bool) -> None:
    """List the jobs. They run only when they are enabled.

    JSON: a list of jobs with their Meta options.
    """
    run(_list(cli, all_))


async def _list(cli: Cli, all_: bool) -> None:
    async with reading_or_catalogue(cli, sees=JOBS) as source:
        configuration, out = source.configuration, cli.out
        if isinstance(source, UserApp):
            source.require_any("jobs", "jobs.view_job")
        everything = configuration.jobs()
        found = [each for each in everything if all_ or not _is_hidden(source, each)]
        if len(found) < len(everything):
            out.note(f"{plural(len(everything) - len(found), 'hidden job')}. See all with: buttonhook jobs list --all")
        if out.is_json:
            out.json([_shape(source, each) for each in found])
            return
        columns = [Column("job"), Column("kind"), Column("state"), Column("class"), Column("package")]
        rows: list[Row] = [[each.name, each.kind, job_state(each), each.id, each.package] for each in found]
        if not out.table(columns, rows):
            out.hint("No jobs. Install a package that registers receivers; see: buttonhook plugins")
        elif not any(each.enabled for each in found):
            out.hint("None is enabled. Enable one with: buttonhook jobs enable JOB")


def _is_hidden(source: UserApp | Catalogue, job: Job) -> bool:
    options = source.options(job)
    return options is not None and options.is_hidden


@jobs.command("show")
@click.argument("job")
@json_option
@pass_cli
def show(cli: Cli, job: str) -> None:
    """Show a job: its options, its hooks and buttons, its last results.

    JOB is a class path, a class name or the job's name. JSON: the job with `hooks`, `buttons` and `last_results`.
    """
    run(_show(cli, job))


async def _show(cli: Cli, name: str) -> None:
    async with reading_or_catalogue(cli, sees=HOOKS | BUTTONS) as source:
        configuration = source.configuration
        job = configuration.get_job(name)
        hooks = [each for each in configuration.hooks() if each.job == job.id]
        buttons = [each for each in configuration.buttons() if each.job == job.id]
        last = await _last_results(source, job)
        if cli.out.is_json:
            shape = _shape(source, job)
            shape["hooks"] = shapes.all_of(hooks, shapes.job_hook)
            shape["buttons"] = shapes.all_of(buttons, shapes.job_button)
            shape["last_results"] = shapes.all_of(last, shapes.result)
            cli.out.json(shape)
            return
        _print_job(cli.out, source.options(job), job)
        _print_uses(cli.out, hooks, buttons)
        if last:
            cli.out.heading("Last results")
            cli.out.table(RUN_COLUMNS, [run_row(cli.out, each) for each in last])
        if not job.enabled and job.installed:
            cli.out.hint(f"Enable it with: buttonhook jobs enable {job.id}")


async def _last_results(source: UserApp | Catalogue, job: Job) -> list[JobResult]:
    if isinstance(source, Catalogue):
        return []
    return await source.results(ResultQuery(job=job.id, limit=LAST_RESULTS))


def _print_job(out: Output, known: JobOptions | None, job: Job) -> None:
    fields: list[tuple[str, str | Cell]] = [
        ("name", job.name),
        ("class", job.id),
        ("package", job.package),
        ("kind", f"job {job.kind} receiver"),
        ("state", job_state(job)),
    ]
    if known is not None:
        options = {**known.meta, **job.overrides}
        del options["name"]
        fields.append(("runs", "async, on the loop" if known.is_async else "plain, in a worker thread"))
        fields += [(name, _option_text(value)) for name, value in options.items() if value not in ("", (), False)]
    out.fields(fields)


def _option_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(str(getattr(each, "value", each)) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _print_uses(out: Output, hooks: list[JobHook], buttons: list[JobButton]) -> None:
    if hooks:
        out.heading("Job hooks")
        columns = [Column("hook"), Column("object types"), Column("actions"), Column("state")]
        out.table(
            columns, [[h.name, ", ".join(h.object_types), ", ".join(h.actions), on_off(h.enabled)] for h in hooks]
        )
    if buttons:
        out.heading("Job buttons")
        columns = [Column("button"), Column("object types"), Column("state")]
        out.table(columns, [[b.name, ", ".join(b.object_types), on_off(b.enabled)] for b in buttons])


@jobs.command("enable")
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@waiting_options
@json_option
@pass_cli
def enable(cli: Cli, names: tuple[str, ...]) -> int:
    """Enable jobs. The first time, a job that names object types gets its default job hook.

    JSON: a list of {job, hook}, where `hook` is the job hook that was made, or null.
    """
    return run(_enable(cli, names))


async def _enable(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, creates=True, sees=HOOKS | BUTTONS) as current:
        configuration, out = current.app.configuration, cli.out
        for name in names:
            configuration.get_job(name)  # all or none: an unknown name stops before the first edit
        made = [await configuration.enable_job(name) for name in names]
        if out.is_json:
            out.json([{"job": _shape(current.app, job), "hook": hook and shapes.job_hook(hook)} for job, hook in made])
        for job, hook in [] if out.is_json else made:
            out.line(f"Enabled {job.name} ({job.id})")
            if hook is not None:
                on = f"{', '.join(hook.actions)} of {', '.join(hook.object_types)}"
                out.line(f"Added job hook {hook.name}: {on}")
            else:
                _hint_use(out, configuration, job)
    return current.exit_code


def _shape(source: UserApp | Catalogue, job: Job) -> dict[str, Any]:
    options = source.options(job)
    return shapes.job(job, None if options is None else options.meta)


def _hint_use(out: Output, configuration: Configuration, job: Job) -> None:
    """A job that nothing fires waits for a hook or a button."""
    noun = job.kind
    uses: list[JobHook] | list[JobButton] = configuration.hooks() if noun == "hook" else configuration.buttons()
    if not any(each.job == job.id for each in uses):
        out.hint(f"Nothing runs it yet. Add a {noun}: buttonhook {noun}s add NAME --job {job.id} --type dcim.device")


@jobs.command("edit")
@click.argument("job")
@click.option(
    "--set", "pairs", multiple=True, metavar="OPTION=VALUE", help="Override an option of the class; repeatable."
)
@click.option("--reset", "resets", multiple=True, metavar="OPTION", help="Follow the class again; repeatable.")
@json_option
@pass_cli
def edit(cli: Cli, job: str, pairs: tuple[str, ...], resets: tuple[str, ...]) -> int:
    """Override options of a job, as in: --set time_limit=60 --set is_singleton=true --set name='Night sync'.

    Nothing is run by this command. JSON: the job.
    """
    overrides: dict[str, Any] = dict.fromkeys(resets)
    for pair in pairs:
        option, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"{pair!r} is not OPTION=VALUE, as in: time_limit=60")
        overrides[option] = _read_value(value)
    if not overrides:
        raise click.UsageError(f"Say what to override, as in: --set time_limit=60. Known: {', '.join(OVERRIDABLE)}")
    return run(_edit(cli, job, overrides))


def _read_value(text: str) -> Any:
    """JSON where it reads as JSON, else text."""
    try:
        return parse(text, "the value")
    except InvalidDocument:
        return text


async def _edit(cli: Cli, name: str, overrides: dict[str, Any]) -> int:
    async with writing(cli, creates=True, dispatch=False, sees=JOBS) as current:
        configuration, out = current.app.configuration, cli.out
        job = await configuration.edit_job(name, **overrides)
        if out.is_json:
            out.json(_shape(current.app, job))
        else:
            kept = ", ".join(f"{option} {_option_text(value)}" for option, value in job.overrides.items())
            out.line(f"Changed {job.name} ({job.id}): {kept or 'all options follow the class'}")
    return current.exit_code


@jobs.command("disable")
@click.argument("names", metavar="JOB...", nargs=-1, required=True)
@json_option
@pass_cli
def disable(cli: Cli, names: tuple[str, ...]) -> int:
    """Disable jobs: they run no more, what waits of them will be revoked.

    Nothing is run by this command. JSON: a list of jobs.
    """
    return run(_disable(cli, names))


async def _disable(cli: Cli, names: tuple[str, ...]) -> int:
    # Nothing is dispatched: what waits may be what shall not run.
    async with writing(cli, dispatch=False, sees=JOBS) as current:
        configuration, out = current.app.configuration, cli.out
        for name in names:
            configuration.get_job(name)
        changed = [await configuration.disable_job(name) for name in names]
        if out.is_json:
            out.json([_shape(current.app, each) for each in changed])
            return 0
        for job in changed:
            out.line(f"Disabled {job.name} ({job.id})")
            query = ResultQuery(job=job.id, status=JobResultStatus.PENDING, limit=1000)
            if current.app.is_live:
                continue
            if waiting := len(await current.app.results(query)):
                out.note(f"{plural(waiting, 'job result')} of it will be revoked by the next command that runs jobs.")
    return current.exit_code
