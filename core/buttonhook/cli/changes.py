"""`buttonhook changes`: what was created, updated and deleted, by whom, and what came of it."""

from typing import Any

import click

from buttonhook import diffs, documents
from buttonhook.cli import lookups, shapes
from buttonhook.cli.context import Cli, Group, json_option, pass_cli
from buttonhook.cli.output import ACTION_STYLES, Cell, Output, Row
from buttonhook.cli.running import reading, run
from buttonhook.cli.tables import Column
from buttonhook.cli.tailing import tail
from buttonhook.cli.telling import RUN_COLUMNS, run_row
from buttonhook.cli.text import cut
from buttonhook.cli.words import object_name
from buttonhook.configuration import ALL_ACTIONS
from buttonhook.documents import ABSENT
from buttonhook.errors import RecordNotFound
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, ResultQuery

MOST_SHOWN = 2000
COLUMNS = [
    Column("id", is_right=True),
    Column("time"),
    Column("action"),
    Column("type"),
    Column("pk"),
    Column("object", is_cut=True),
    Column("user"),
    Column("by way of"),
]


@click.group("changes", cls=Group)
def changes() -> None:
    """See the record of all changes."""


@changes.command("list")
@click.option("--type", "object_type", metavar="APP.MODEL", help="Of objects of this type.")
@click.option("--pk", "object_pk", metavar="PK", help="Of the object with this pk.")
@click.option("--user", "user_name", metavar="NAME", help="By this author.")
@click.option("--request", "request_id", metavar="ID", help="Committed together under this request id.")
@click.option("--action", type=click.Choice([each.value for each in ALL_ACTIONS]), help="Of this kind.")
@click.option("--after", type=int, metavar="ID", help="Behind this one in the list: go on where a page ended.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="So many at most.")
@click.option("--all", "all_", is_flag=True, help="All of them.")
@click.option("--oldest-first", "ascending", is_flag=True, help="In the order in which they were made.")
@json_option
@pass_cli
def list_changes(cli: Cli, /, limit: int, all_: bool, action: str | None, **given: Any) -> None:
    """List changes, newest first.

    JSON: a list of changes, with `prechange` and `postchange`.
    """
    query = ChangeQuery(action=ObjectChangeAction(action) if action else None, **given)
    run(_list(cli, query, None if all_ else limit))


async def _list(cli: Cli, query: ChangeQuery, most: int | None) -> None:
    async with reading(cli) as app:
        out, found = cli.out, lookups.changes(app, query, most)
        if out.is_json:
            await out.json_array(shapes.change(each) async for each in found)
            return
        last, count = 0, 0
        async for part in lookups.parts(found):
            out.table(COLUMNS, [_row(out, each) for each in part])
            last, count = part[-1].id, count + len(part)
        if not count:
            out.hint("No changes.")
        elif count == most:
            out.hint(f"More: --after {last}")


def _row(out: Output, change: ChangeRecord) -> Row:
    return [
        str(change.id),
        out.time(change.time),
        Cell(change.action.value, ACTION_STYLES[change.action.value]),
        change.object_type,
        change.object_pk,
        change.object_repr,
        change.user_name,
        change.change_context,
    ]


@changes.command("show")
@click.argument("change", type=int, metavar="ID")
@json_option
@pass_cli
def show(cli: Cli, change: int) -> None:
    """Show a change: what differs, and the job results it caused.

    JSON: the change with `differences` ({removed, added}) and `results`, a list of job results.
    """
    run(_show(cli, change))


async def _show(cli: Cli, number: int) -> None:
    async with reading(cli) as app:
        change = await get_change(app, number)
        results = [each async for each in lookups.results(app, ResultQuery(change_id=number, ascending=True))]
        if cli.out.is_json:
            shape = shapes.change(change)
            shape["differences"] = diffs.differences(*states(change))
            shape["results"] = shapes.all_of(results, shapes.result)
            cli.out.json(shape)
        else:
            _print(cli.out, change, results)


changes.add_command(tail)


async def get_change(app: lookups.Recorded, number: int) -> ChangeRecord:
    """Raises: RecordNotFound."""
    found = await app.changes(ChangeQuery(ids=(number,)))
    if not found:
        raise RecordNotFound("change", str(number), (), "buttonhook changes list")
    return found[0]


def states(change: ChangeRecord) -> tuple[Any, Any]:
    """The documents before and after."""
    before = None if change.prechange is None else documents.decode(change.prechange)
    after = None if change.postchange is None else documents.decode(change.postchange)
    return before, after


def _print(out: Output, change: ChangeRecord, results: list[JobResult]) -> None:
    action = change.action.value
    fields: list[tuple[str, str | Cell]] = [
        ("change", str(change.id)),
        ("action", Cell(action, ACTION_STYLES[action])),
        ("object", object_name(change.object_type, change.object_pk, change.object_repr, with_pk=True)),
        ("user", change.user_name),
        ("time", out.time(change.time)),
        ("recorded", out.time(change.recorded_at)),
        ("request", change.request_id),
        ("by way of", f"{change.change_context} {change.change_context_detail}".rstrip()),
    ]
    if change.cause is not None:
        fields.append(("caused by", f"job result {change.cause}"))
    out.fields(fields)
    out.heading("Differences")
    print_differences(out, change)
    if results:
        out.heading("Job results")
        out.table(RUN_COLUMNS, [run_row(out, each) for each in results])
    if change.cuts:
        out.heading("Not run")
        for cut in change.cuts:
            out.line(f"{cut.hook}: {cut.reason}")


def print_differences(out: Output, change: ChangeRecord, *, indent: int = 0) -> None:
    """Each top-level field that differs, with its value before and after."""
    before, after = states(change)
    if before is None or after is None:
        only = after if before is None else before
        fields: list[Row] = [[key, value_text(value)] for key, value in (only or {}).items()]
        out.table([Column("field"), Column("value", wraps=True)], fields, indent=indent)
        return
    rows: list[Row] = []
    for key in diffs.changed_keys(before, after):
        old, new = value_text(before.get(key, ABSENT)), value_text(after.get(key, ABSENT))
        rows.append([key, Cell(old, "red"), Cell(new, "green")])
    out.table([Column("field"), Column("before", is_cut=True), Column("after", wraps=True)], rows, indent=indent)


def value_text(value: Any) -> str:
    """A JSON value on one line; what is not there is a dash."""
    return "-" if value is ABSENT else cut(documents.encode(value), MOST_SHOWN)
