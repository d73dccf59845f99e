"""`buttonhook changes tail`: changes as they are made."""

from typing import Any

import click
import msgspec

from buttonhook.cli import shapes
from buttonhook.cli.acting import UserApp
from buttonhook.cli.context import Cli, Command, json_option, pass_cli
from buttonhook.cli.output import ACTION_STYLES, Output
from buttonhook.cli.running import reading, run
from buttonhook.cli.words import told
from buttonhook.records import ChangeQuery, ChangeRecord


@click.command("tail", cls=Command)
@click.option("--type", "object_type", metavar="APP.MODEL", help="Of objects of this type.")
@click.option("--pk", "object_pk", metavar="PK", help="Of the object with this pk; with --type.")
@click.option("--user", "user_name", metavar="NAME", help="By this author.")
@click.option("-n", "--last", type=click.IntRange(0, 1000), default=10, show_default=True, help="Begin so many back.")
@json_option
@pass_cli
def tail(cli: Cli, /, last: int, **given: Any) -> None:
    """Follow the changes that a daemon records, until Ctrl-C.

    Each is told once and in order, also where the daemon is started anew meanwhile. JSON: a change a line.
    """
    if given["object_pk"] is not None and given["object_type"] is None:
        raise click.UsageError("A pk names an object with its type only: give --type, too.")
    run(_tail(cli, ChangeQuery(**given, limit=last)))


async def _tail(cli: Cli, query: ChangeQuery) -> None:
    async with reading(cli) as app:
        newest = await app.changes(ChangeQuery(limit=1))
        after = newest[0].id if newest else 0
        follows = app.follow_changes(msgspec.structs.replace(query, after=after))
        for change in reversed(await _before(app, query, after)):
            _print(cli.out, change)
        cli.out.flush()
        async for change in follows:
            _print(cli.out, change)
            cli.out.flush()


async def _before(app: UserApp, query: ChangeQuery, last: int) -> list[ChangeRecord]:
    """What there was already, newest first."""
    if not query.limit:
        return []
    return await app.changes(msgspec.structs.replace(query, after=last + 1))


def _print(out: Output, change: ChangeRecord) -> None:
    if out.is_json:
        out.json_line(shapes.change(change))
    elif out.is_terminal:
        by = f" by {change.user_name}{' through a job' if change.cause else ''}"
        out.styled(
            (f"{out.time(change.time)}  ", "dim"), (told(change), ACTION_STYLES[change.action.value]), (by, "dim")
        )
    else:
        out.row(
            str(change.id),
            out.time(change.time),
            change.action.value,
            change.object_type,
            change.object_pk,
            change.object_repr,
            change.user_name,
            change.change_context,
        )
