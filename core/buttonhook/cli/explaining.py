"""`buttonhook hooks explain` and `hooks test`: why a job hook ran on a change, or why not."""

from typing import Any

import click
import msgspec

from buttonhook.cli import shapes
from buttonhook.cli.conditions import condition_option
from buttonhook.cli.context import Cli, Command, json_option, pass_cli
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import reading, run
from buttonhook.cli.tables import Column
from buttonhook.cli.words import object_name
from buttonhook.configuration import ALL_ACTIONS
from buttonhook.explain import Explanation, Trial

COLUMNS = [Column("hook"), Column("job"), Column("verdict"), Column("why")]
_COLOURS = {"fired": "green", "cut": "yellow", "edited since": "yellow"}


@click.command("explain", cls=Command)
@click.argument("change", type=int)
@json_option
@pass_cli
def explain(cli: Cli, change: int) -> None:
    """Say of every job hook why it ran on a change, or why not.

    JSON: {change, notes, verdicts}; a verdict is {hook, job, fate, reason, results}.
    """
    run(_explain(cli, change))


async def _explain(cli: Cli, change: int) -> None:
    async with reading(cli) as app:
        found = await app.explain(change)
        if cli.out.is_json:
            verdicts = [msgspec.structs.asdict(each) for each in found.verdicts]
            cli.out.json({"change": shapes.change(found.change), "notes": list(found.notes), "verdicts": verdicts})
            return
        _print(cli.out, found)


def _print(out: Output, found: Explanation) -> None:
    change = found.change
    about = object_name(change.object_type, change.object_pk, change.object_repr, with_pk=True)
    out.line(f"Change {change.id}: {change.action.value} of {about} by {change.user_name}")
    for note in found.notes:
        out.line(note)
    rows: list[Row] = [
        [each.hook, each.job, Cell(each.fate, _COLOURS.get(each.fate, "dim")), each.reason] for each in found.verdicts
    ]
    if not out.table(COLUMNS, rows):
        out.hint("There are no job hooks. Add one with: buttonhook hooks add NAME --job JOB --type dcim.device")


@click.command("test", cls=Command)
@click.argument("hook", required=False)
@click.option("--change", "change_id", type=int, required=True, metavar="ID", help="The change to try it on.")
@click.option("--job", metavar="JOB", help="For a hook that is not saved: the job.")
@click.option("--type", "object_types", multiple=True, metavar="APP.MODEL", help="Instead of the hook's own.")
@click.option(
    "--action",
    "actions",
    multiple=True,
    type=click.Choice([each.value for each in ALL_ACTIONS]),
    help="Instead of the hook's own.",
)
@condition_option
@json_option
@pass_cli
def test(cli: Cli, /, hook: str | None, change_id: int, **given: Any) -> int:
    """Try a job hook, saved or not, on a past change. Nothing runs and nothing is saved.

    With HOOK, what is given replaces its own types, actions and conditions. Without it the hook is made up of the
    options. Exit code 1: it would not fire. JSON: {would_fire, reason, rows}.
    """
    if hook is None and not given["job"]:
        raise click.UsageError("Name a job hook, or make one up with --job JOB and --condition ROW.")
    return run(_test(cli, hook, change_id, {key: value for key, value in given.items() if value not in (None, ())}))


async def _test(cli: Cli, name: str | None, change_id: int, given: dict[str, Any]) -> int:
    async with reading(cli) as app:
        trial = await app.try_out(name, given, change_id)
        if cli.out.is_json:
            cli.out.json(msgspec.structs.asdict(trial) | {"rows": [msgspec.structs.asdict(r) for r in trial.rows]})
        else:
            _print_trial(cli.out, trial, change_id)
        return 0 if trial.would_fire else 1


def _print_trial(out: Output, trial: Trial, change_id: int) -> None:
    verdict = Cell("would fire", "green") if trial.would_fire else Cell("would not fire", "yellow")
    out.fields([(f"on change {change_id}", verdict), ("why", trial.reason)])
    columns = [Column("condition"), Column("holds"), Column("why")]
    out.table(columns, [[row.preset, "yes" if row.passed else "no", row.reason] for row in trial.rows])
