"""`buttonhook objects referrers`: who refers to an object, and by which field."""

import click

from buttonhook.cli.acting import TYPES
from buttonhook.cli.context import Cli, Command, json_option, pass_cli
from buttonhook.cli.running import reading, run
from buttonhook.cli.tables import Column
from buttonhook.queries import decode_cursor, encode_cursor


@click.command("referrers", cls=Command)
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pk")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at most.")
@click.option("--after", metavar="CURSOR", help="Go on where a page ended.")
@json_option
@pass_cli
def referrers(cli: Cli, object_type: str, pk: str, limit: int, after: str | None) -> None:
    """List the objects that refer to an object.

    JSON: a list of referrers.
    """
    run(_referrers(cli, object_type, pk, limit, after))


async def _referrers(cli: Cli, object_type: str, pk: str, limit: int, cursor: str | None) -> None:
    out = cli.out
    after = None if cursor is None else decode_cursor(cursor)
    if after is not None and (len(after) != 3 or not all(isinstance(each, str) for each in after)):
        raise click.BadParameter(f"{cursor!r} is no cursor of this list.", param_hint="--after")
    async with reading(cli, sees=TYPES) as app:
        app.registry.get_type(object_type)
        behind = None if after is None else (after[0], after[1], after[2])
        found = await app.referrers((object_type, pk), behind, limit + 1)
    page = found[:limit]
    if out.is_json:
        out.json([dict(zip(("object_type", "pk", "field"), each, strict=True)) for each in page])
        return
    if not page:
        out.hint(f"Nothing refers to {object_type} {pk!r}.")
    elif out.is_terminal:
        out.table([Column("type"), Column("pk"), Column("field")], [list(each) for each in page])
    else:
        for each in page:
            out.row(*each)
    if len(found) > limit:
        out.hint(f"More: --after {encode_cursor(page[-1])}")
