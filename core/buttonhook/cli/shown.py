"""`buttonhook buttons shown`: the job buttons that an object's page would show."""

from typing import Any

import click
import msgspec

from buttonhook.cli.context import Cli, Command, json_option, pass_cli
from buttonhook.cli.output import Cell, Row
from buttonhook.cli.running import reading, run
from buttonhook.cli.tables import Column

COLUMNS = [Column("group"), Column("text"), Column("button"), Column("job"), Column("state")]


@click.command("shown", cls=Command)
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pk")
@json_option
@pass_cli
def shown(cli: Cli, object_type: str, pk: str) -> None:
    """List the buttons on one object, as its page shows them: texts filled in, conditions judged.

    JSON: a list of {name, buttons}, one a group; a button is {id, name, text, style, confirmation, job, disabled}.
    """
    run(_shown(cli, object_type, pk))


async def _shown(cli: Cli, object_type: str, pk: str) -> None:
    async with reading(cli) as app:
        groups = await app.runs.shown_buttons(object_type, pk)
        if cli.out.is_json:
            shapes: Any = msgspec.to_builtins(groups)
            cli.out.json(shapes)
            return
        rows: list[Row] = [
            [group.name, each.text, each.name, each.job, Cell(each.disabled or "can be pressed", "dim")]
            for group in groups
            for each in group.buttons
        ]
        if not cli.out.table(COLUMNS, rows):
            cli.out.hint("No buttons. Add one with: buttonhook buttons add NAME --job JOB --type APP.MODEL")
