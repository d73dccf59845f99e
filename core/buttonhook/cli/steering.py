"""`buttonhook results cancel` and `results rerun`."""

import click

from buttonhook.cli import lookups, shapes
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.running import run, writing


@click.command("cancel", cls=Command)
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@json_option
@pass_cli
def cancel(cli: Cli, results: tuple[str, ...]) -> int:
    """Cancel job results that wait, or run in a daemon: they end as revoked.

    Nothing is run by this command.

    RESULT is a number, an id, or the beginning of an id. JSON: a list of the job results as they are now.
    """
    return run(_cancel(cli, results))


async def _cancel(cli: Cli, wanted: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False) as current:
        app = current.app
        found = [await lookups.find_result(app, each) for each in wanted]
        for result in found:
            await app.runs.cancel(result.id)
        now = [await lookups.find_result(app, each.id) for each in found]
        if cli.out.is_json:
            cli.out.json(shapes.all_of(now, shapes.result))
        for result in [] if cli.out.is_json else now:
            cli.out.line(f"Cancelled job result {result.number}: {result.job_name} on {result.object_repr}")
    return current.exit_code


@click.command("rerun", cls=Command)
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@waiting_options
@json_option
@pass_cli
def rerun(cli: Cli, results: tuple[str, ...]) -> int:
    """Run job results that have ended once more, each as a new result behind what waits on the same object.

    RESULT is a number, an id, or the beginning of an id. JSON: a list of the new job results.
    """
    return run(_rerun(cli, results))


async def _rerun(cli: Cli, wanted: tuple[str, ...]) -> int:
    async with writing(cli) as current:
        app = current.app
        found = [await lookups.find_result(app, each) for each in wanted]
        fresh = [await app.runs.rerun(each.id) for each in found]
        await current.settle()
        now = [await lookups.find_result(app, each.id) for each in fresh]
        if cli.out.is_json:
            cli.out.json(shapes.all_of(now, shapes.result))
    return current.exit_code
