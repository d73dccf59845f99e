"""`buttonhook objects upgrade`: saving for good what plugins mend whenever it is read."""

from contextlib import aclosing
from typing import Any

import click
import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn

from buttonhook.cli.acting import TYPES, UserApp
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Output
from buttonhook.cli.running import run, writing
from buttonhook.cli.text import plural
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import Upgraded
from buttonhook.records import ObjectQuery


@click.command("upgrade", cls=Command)
@click.argument("object_type", metavar="[APP.MODEL]", required=False)
@click.option("--dry-run", "is_dry", is_flag=True, help="Count them, and write nothing.")
@waiting_options
@json_option
@pass_cli
def upgrade_objects(cli: Cli, object_type: str | None, is_dry: bool) -> int:
    """Save objects of earlier versions as their plugins mend them.

    Those of one type, or of all. They are mended whenever they are read; this writes it down, as ordinary updates that
    fire job hooks. Doing it again changes nothing. Ends with 1 when some could not be saved.

    JSON: a list of {object_type, objects, mendable, saved, refused, errors}.
    """
    return run(_upgrade(cli, object_type, is_dry))


async def _upgrade(cli: Cli, name: str | None, is_dry: bool) -> int:
    async with writing(cli, dispatch=not is_dry, sees=TYPES) as current:
        app, out = current.app, cli.out
        seen = [each for each in app.registry.list_types() if app.may_see_type(each.name)]
        types = seen if name is None else [app.registry.get_type(name)]
        done = [
            await _upgrade_type(app, out, type_, is_dry) for type_ in types if type_.is_installed and not type_.is_free
        ]
        if out.is_json:
            out.json([msgspec.structs.asdict(each) for each in done])
        else:
            _tell(out, done, is_dry)
        if any(each.refused for each in done):
            current.exit_code = 1
    return current.exit_code


async def _upgrade_type(app: UserApp, out: Output, type_: ObjectType, is_dry: bool) -> Upgraded:
    total = await app.count_objects(ObjectQuery(object_type=type_.name))
    last = Upgraded(object_type=type_.name)
    columns: list[Any] = [TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn()]
    with out.progress(*columns) as bar:
        row = bar.add_task(f"Looking at {type_.name}", total=total)
        steps = app.upgrade(type_, is_dry=is_dry)
        async with aclosing(steps):
            async for last in steps:
                bar.update(row, completed=last.objects)
    return last


def _tell(out: Output, done: list[Upgraded], is_dry: bool) -> None:
    for each in done:
        if each.mendable:
            word, count = ("Would save", each.mendable) if is_dry else ("Saved", each.saved)
            out.line(f"{word} {plural(count, 'object')} of {each.object_type}, of {each.objects:,} in all")
        for error in each.errors:
            out.fail(error)
        if each.refused > len(each.errors):
            out.fail(
                f"{plural(each.refused - len(each.errors), 'more object')} of {each.object_type} could not be saved"
            )
    if not any(each.mendable for each in done):
        out.line("Nothing to upgrade")
