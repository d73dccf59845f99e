"""`buttonhook sources`: the systems that send webhooks. A secret that is made is shown once."""

from typing import Any

import click
from msgspec import UNSET

from buttonhook.cli import shapes
from buttonhook.cli.acting import SOURCES
from buttonhook.cli.context import Cli, Group, json_option, pass_cli
from buttonhook.cli.output import Cell, Output
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.words import on_off
from buttonhook.people import SourceRecord
from buttonhook.sources import SourceDraft

ALGORITHMS = click.Choice(["sha256", "sha384", "sha512"])


@click.group("sources", cls=Group)
def sources() -> None:
    """See and edit sources: Nautobot, NetBox and others that send webhooks."""


@sources.command("list")
@json_option
@pass_cli
def list_sources(cli: Cli) -> None:
    """List the sources, by name.

    JSON: a list of sources. No secret is among what is shown.
    """
    run(_list(cli))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=SOURCES) as app:
        app.require_any("sources", "jobs.view_source")
        found, out = app.sources.all(), cli.out
        if out.is_json:
            out.json(shapes.all_of(found, shapes.source))
            return
        columns = [
            *(Column("source"), Column("kind"), Column("prefix"), Column("acts as"), Column("secret"), Column("state")),
            Column("description", is_cut=True),
        ]
        if not out.table(columns, [_row(each) for each in found]):
            out.hint("No sources. Add one with: buttonhook sources add nautobot")


def _row(source: SourceRecord) -> list[str | Cell]:
    kept = source.secret_file or source.secret_variable or "kept here"
    return [source.name, source.kind, source.prefix, source.acts_as, kept, on_off(source.enabled), source.description]


def _options(function: Any) -> Any:
    """What can be said of a source, when it is added and later."""
    for option in reversed(
        (
            click.option("--acts-as", metavar="USER", help="By whose permissions it writes. [default: you]"),
            click.option("--prefix", metavar="PREFIX", help="Goes before its object types. [default: its name]"),
            click.option("--description", metavar="TEXT", help="What it is for."),
            click.option("--signature-header", metavar="HEADER", help="Where the signature stands."),
            click.option("--algorithm", type=ALGORITHMS, help="How the body is signed."),
            click.option("--timestamp-header", metavar="HEADER", help="Where the time stands that is signed, too."),
            click.option(
                "--window",
                "window_seconds",
                type=click.IntRange(1, 31_536_000),
                metavar="SECONDS",
                help="How far a webhook's time may be from ours.",
            ),
            click.option(
                "--echo-user",
                "echo_users",
                multiple=True,
                metavar="NAME",
                help="A user over there that is a job of ours: what they change fires no hooks. Repeatable.",
            ),
            click.option("--secret-file", metavar="FILE", help="The daemon finds the secret in this file."),
            click.option("--secret-variable", metavar="NAME", help="The daemon finds the secret in this variable."),
        )
    ):
        function = option(function)
    return function


@sources.command("add")
@click.argument("name")
@click.option("--kind", metavar="KIND", help="nautobot, netbox, or one of a plugin. [default: its name]")
@click.option("--disabled", is_flag=True, help="Add it without taking anything from it.")
@_options
@json_option
@pass_cli
def add(cli: Cli, /, name: str, disabled: bool, **given: Any) -> int:
    """Add a source; its webhooks go to /api/sources/NAME of the daemon.

    Its secret stands alone on standard output, this once, unless it is in a file or variable. JSON: the source, and
    `secret`.
    """
    if disabled:
        given["enabled"] = False
    return run(_add(cli, name, _draft(given)))


async def _add(cli: Cli, name: str, draft: SourceDraft) -> int:
    async with writing(cli, dispatch=False, creates=True, sees=SOURCES) as current:
        source, secret = await current.app.sources.add(name, draft)
        _tell(cli.out, "Added", source, secret)
    return current.exit_code


def _draft(given: dict[str, Any]) -> SourceDraft:
    return SourceDraft(**{key: value for key, value in given.items() if value not in (None, ())})


def _tell(out: Output, what: str, source: SourceRecord, secret: str | None) -> None:
    if out.is_json:
        out.json({**shapes.source(source), "secret": secret})
        return
    told = f"{what} source {source.name} ({source.kind}): POST /api/sources/{source.name}, acts as {source.acts_as}"
    if secret is None:
        out.line(told)
        return
    out.stdout.write(f"{secret}\n")
    out.note(f"{told}. Give the sender this secret; it is not shown again.")


@sources.command("edit")
@click.argument("source")
@click.option("--kind", metavar="KIND", help="Read its bodies as those of another kind.")
@click.option("--enabled/--disabled", default=None, help="Take what it sends, or not.")
@_options
@click.option("--no-window", is_flag=True, help="Let its times be any.")
@click.option("--no-echo-users", is_flag=True, help="Take all its users for people.")
@click.option("--new-secret", is_flag=True, help="Make another secret; the one before works no more.")
@json_option
@pass_cli
def edit(cli: Cli, /, source: str, new_secret: bool, no_window: bool, no_echo_users: bool, **given: Any) -> int:
    """Change a source.

    With --new-secret the secret stands alone on standard output, this once. JSON: the source, and `secret`.
    """
    draft = _draft(given)
    if no_window:
        draft = _with(draft, window_seconds=None)
    if no_echo_users:
        draft = _with(draft, echo_users=())
    if not draft.given() and not new_secret:
        raise click.UsageError("Say what to change, as in: --disabled")
    return run(_edit(cli, source, draft, new_secret))


def _with(draft: SourceDraft, **fields: Any) -> SourceDraft:
    for name in fields:
        if getattr(draft, name) is not UNSET:
            raise click.UsageError("Give the value or take it away, not both.")
    return SourceDraft(**{**draft.given(), **fields})


async def _edit(cli: Cli, name: str, draft: SourceDraft, renews_secret: bool) -> int:
    async with writing(cli, dispatch=False, sees=SOURCES) as current:
        source, secret = await current.app.sources.edit(name, draft, renews_secret=renews_secret)
        _tell(cli.out, "Changed", source, secret)
    return current.exit_code


@sources.command("remove")
@click.argument("names", metavar="SOURCE...", nargs=-1, required=True)
@json_option
@pass_cli
def remove(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove sources. What they brought stays.

    JSON: a list of the sources that were removed.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=SOURCES) as current:
        for name in names:
            current.app.sources.get(name)
        removed = [await current.app.sources.remove(name) for name in names]
        if cli.out.is_json:
            cli.out.json(shapes.all_of(removed, shapes.source))
        for source in [] if cli.out.is_json else removed:
            cli.out.line(f"Removed source {source.name}")
    return current.exit_code
