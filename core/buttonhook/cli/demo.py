"""`buttonhook demo`: a daemon to look at, or with `--once` a story that ends."""

from typing import Final

import click

from buttonhook.cli.context import Cli, Command, pass_cli
from buttonhook.cli.demo_daemon import serve_demo
from buttonhook.cli.running import run
from buttonhook.cli.story import play_story

PORT: Final = 8440


@click.command("demo", cls=Command)
@click.option("--once", is_flag=True, help="Play a story on the throw-away database instead, then end.")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=PORT,
    metavar="PORT",
    help="Listen on this port if it is free; 0: on any. [default: 8440]",
)
@pass_cli
def demo(cli: Cli, once: bool, port: int) -> int:
    """Start a daemon on a throw-away database that was in use for an hour, to look around in.

    It prints the address and two logins. Ctrl-C stops it and removes the database.
    """
    cli.out.lay_out()
    if once:
        run(play_story(cli))
        return 0
    return run(serve_demo(cli, port))
