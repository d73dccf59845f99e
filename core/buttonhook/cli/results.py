"""`buttonhook results`: the runs of jobs, and what each of them logged."""

from collections.abc import AsyncIterator
from typing import Any

import click

from buttonhook.cli import lookups, shapes
from buttonhook.cli.acting import JOBS, NOTHING, UserApp
from buttonhook.cli.context import Cli, Group, json_option, pass_cli
from buttonhook.cli.logs import print_log
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import reading, run
from buttonhook.cli.steering import cancel, rerun
from buttonhook.cli.tables import Column
from buttonhook.cli.words import object_name, reason, took
from buttonhook.errors import RecordNotFound
from buttonhook.ids import JobResultStatus, LogLevel
from buttonhook.records import JobLogEntry, JobResult, ResultQuery

COLUMNS = [
    Column("result", is_right=True),
    Column("status"),
    Column("job"),
    Column("type"),
    Column("pk"),
    Column("object", is_cut=True),
    Column("user"),
    Column("created"),
    Column("took", is_right=True),
    Column("reason", is_cut=True),
]
LEVELS = click.Choice([each.word for each in LogLevel])


@click.group("results", cls=Group)
def results() -> None:
    """See the results of jobs and their logs."""


@results.command("list")
@click.option("--job", metavar="JOB", help="Of this job: class path, class name or name.")
@click.option("--status", type=click.Choice([each.value for each in JobResultStatus]), help="With this status.")
@click.option("--type", "object_type", metavar="APP.MODEL", help="On objects of this type.")
@click.option("--pk", "object_pk", metavar="PK", help="On the object with this pk.")
@click.option("--user", "user_name", metavar="NAME", help="Caused by this user.")
@click.option("--change", "change_id", type=int, metavar="ID", help="Caused by this change.")
@click.option("--after", type=int, metavar="RESULT", help="Behind this number in the list: go on where a page ended.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many at most.")
@click.option("--all", "all_", is_flag=True, help="All of them.")
@click.option("--oldest-first", "ascending", is_flag=True, help="In the order in which they were made.")
@json_option
@pass_cli
def list_results(cli: Cli, /, limit: int, all_: bool, status: str | None, **given: Any) -> None:
    """List job results, newest first.

    JSON: a list of job results.
    """
    query = {**given, "status": JobResultStatus(status) if status else None}
    run(_list(cli, query, None if all_ else limit))


async def _list(cli: Cli, given: dict[str, Any], most: int | None) -> None:
    async with reading(cli, sees=NOTHING if given["job"] is None else JOBS) as app:
        out = cli.out
        query = ResultQuery(**{**given, "job": await _job_id(app, given["job"])})
        found = lookups.results(app, query, most)
        if out.is_json:
            await out.json_array(shapes.result(each) async for each in found)
            return
        last, count = 0, 0
        async for part in lookups.parts(found):
            out.table(COLUMNS, [_row(out, each) for each in part])
            last, count = part[-1].number, count + len(part)
        if not count:
            out.hint("No job results.")
        elif count == most:
            out.hint(f"More: --after {last}")


async def _job_id(app: UserApp, wanted: str | None) -> str | None:
    """A job's path; one whose record is gone may still have results."""
    if wanted is None:
        return None
    try:
        return app.configuration.get_job(wanted).id
    except RecordNotFound:
        if await app.results(ResultQuery(job=wanted, limit=1)):
            return wanted
        raise


def _row(out: Output, result: JobResult) -> Row:
    return [
        str(result.number),
        out.status(result.status),
        result.job_name,
        result.object_type,
        result.object_pk,
        result.object_repr,
        result.user_name,
        out.time(result.created_at),
        took(result),
        Cell(reason(result), "dim"),
    ]


@results.command("show")
@click.argument("result", metavar="RESULT")
@json_option
@pass_cli
def show(cli: Cli, result: str) -> None:
    """Show a job result: how it ended and what caused it.

    RESULT is its number, its id, or the beginning of its id. JSON: the job result.
    """
    run(_show(cli, result))


async def _show(cli: Cli, wanted: str) -> None:
    async with reading(cli) as app:
        result = await lookups.find_result(app, wanted)
        if cli.out.is_json:
            cli.out.json(shapes.result(result))
            return
        _print(cli.out, result)
        cli.out.hint(f"Its log: buttonhook results logs {result.number}")


def _print(out: Output, result: JobResult) -> None:
    changes = ", ".join(map(str, result.change_ids))
    pairs: list[tuple[str, str | Cell]] = [
        ("result", str(result.number)),
        ("id", result.id),
        ("status", out.status(result.status)),
        ("job", f"{result.job_name} ({result.job})"),
        ("enqueued by" if result.kind == "enqueue" else f"job {result.kind}", result.occasion),
        ("object", object_name(result.object_type, result.object_pk, result.object_repr, with_pk=True)),
        ("user", result.user_name),
        ("change", changes),
        ("caused by", f"job result {result.cause}" if result.cause else ""),
        ("created", out.time(result.created_at)),
        ("started", out.time(result.started_at)),
        ("ended", out.time(result.ended_at)),
        ("took", took(result)),
        ("attempt", str(result.attempt) if result.attempt else ""),
        ("crashes", str(result.crashes) if result.crashes else ""),
        ("returned", result.result or ""),
        ("reason", Cell(result.error or "", "red")),
    ]
    out.fields(pair for pair in pairs if (pair[1].text if isinstance(pair[1], Cell) else pair[1]))
    if result.traceback:
        out.heading("Traceback")
        out.block(result.traceback)


@results.command("logs")
@click.argument("result", metavar="RESULT")
@click.option("--level", type=LEVELS, help="Lines of this level and above.")
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on as it logs, until the run has ended.")
@json_option
@pass_cli
def logs(cli: Cli, result: str, level: str | None, follows: bool) -> None:
    """Print what a run logged: time, level, grouping, message, object.

    RESULT is a job result's number, its id, or the beginning of its id. JSON: a list of log entries; with --follow one
    a line.
    """
    run(_logs(cli, result, LogLevel[level.upper()] if level else LogLevel.DEBUG, follows))


async def _logs(cli: Cli, wanted: str, least: LogLevel, follows: bool) -> None:
    async with reading(cli) as app:
        result = await lookups.find_result(app, wanted)
        is_live = follows and not result.status.is_final
        entries = _at_least(app.follow_log(result) if is_live else lookups.log_entries(app, result), least)
        if cli.out.is_json and follows:
            async for entry in entries:
                cli.out.json_line(shapes.log_entry(entry))
            return
        if is_live:
            entries = cli.out.at_once(entries)
        if cli.out.is_json:
            await cli.out.json_array(shapes.log_entry(each) async for each in entries)
            return
        if not await print_log(cli.out, entries, indent=0):
            cli.out.hint(f"It has logged nothing{' of that level' if least > LogLevel.DEBUG else ''}.")


async def _at_least(entries: AsyncIterator[JobLogEntry], least: LogLevel) -> AsyncIterator[JobLogEntry]:
    async for entry in entries:
        if entry.level >= least:
            yield entry


results.add_command(cancel)
results.add_command(rerun)
