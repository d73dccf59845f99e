"""`buttonhook users token` and `tokens`: what acts for a user over the API. A token is shown once, when it is made."""

from typing import Any

import click

from buttonhook import times
from buttonhook.administration import TOKEN_DAYS
from buttonhook.cli.acting import PEOPLE, TYPES
from buttonhook.cli.context import Cli, Command, Group, json_option, pass_cli
from buttonhook.cli.granting import warn_of_unknown
from buttonhook.cli.output import Output, Row
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.ids import now
from buttonhook.people import TokenRecord


@click.command("token", cls=Command)
@click.argument("name")
@click.option("--scope", "scopes", metavar="PERMISSION", multiple=True, help="Only this of what they may; repeatable.")
@click.option(
    "--days",
    type=click.FloatRange(min=0, min_open=True),
    metavar="N",
    help=f"How long it lives. [default: {TOKEN_DAYS}]",
)
@click.option("--never-expires", is_flag=True, help="It lives until it is removed.")
@click.option("--description", default="", metavar="TEXT", help="What it is for.")
@json_option
@pass_cli
def token(cli: Cli, /, name: str, days: float | None, never_expires: bool, **given: Any) -> int:
    """Make a token for a user.

    It stands alone on standard output, this once: only a hash of it is kept. JSON: {token, name, expires_at, scopes}.
    """
    if days is not None and never_expires:
        raise click.UsageError("Give --days or --never-expires, not both.")
    lives = None if never_expires else days if days is not None else float(TOKEN_DAYS)
    return run(_token(cli, name, lives, given))


async def _token(cli: Cli, name: str, days: float | None, given: dict[str, Any]) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE | TYPES) as current:
        out, scopes = cli.out, given["scopes"] or None
        people = current.app.administration
        record, text = await people.add_token(name, scopes=scopes, days=days, description=given["description"])
        warn_of_unknown(out, current.app.registry, scopes or ())
        shape = _shape(record)
        if out.is_json:
            out.json({"token": text, **{key: shape[key] for key in ("name", "expires_at", "scopes")}})
        else:
            out.stdout.write(f"{text}\n")
            until = "does not expire" if record.expires_at is None else f"expires on {shape['expires_at']}"
            out.note(f"Token {record.name} of {name} {until}. It is not shown again.")
    return current.exit_code


@click.group("tokens", cls=Group, invoke_without_command=True)
@click.option("--of", "whose", metavar="NAME", help="Those of this user.")
@json_option
@click.pass_context
def tokens(context: click.Context, whose: str | None) -> None:
    """List the tokens by their public part, or remove them.

    JSON: a list of {name, user, created_at, expires_at, is_expired, scopes, description}; `scopes` null: all that the
    user may.
    """
    if context.invoked_subcommand is None:
        run(_list(context.ensure_object(Cli), whose))


async def _list(cli: Cli, whose: str | None) -> None:
    async with reading(cli, sees=PEOPLE) as app:
        wanted = None if whose is None else app.administration.get_user(whose).id
        shown = [_shape(each) for each in app.administration.tokens(wanted)]
    if cli.out.is_json:
        cli.out.json(shown)
        return
    columns = [Column("token"), Column("user"), Column("expires"), Column("scopes"), Column("description", is_cut=True)]
    if not cli.out.table(columns, [_row(cli.out, each) for each in shown]):
        cli.out.hint("No tokens. Make one with: buttonhook users token NAME")


def _shape(record: TokenRecord) -> dict[str, Any]:
    """A token as JSON, without its hash."""
    expires_at = record.expires_at
    return {
        "name": record.name,
        "user": record.user,
        "created_at": times.to_text(record.created_at),
        "expires_at": None if expires_at is None else times.to_text(expires_at),
        "is_expired": expires_at is not None and expires_at <= now(),
        "scopes": None if record.scopes is None else list(record.scopes),
        "description": record.description,
    }


def _row(out: Output, shape: dict[str, Any]) -> Row:
    expires = "never" if shape["expires_at"] is None else out.time(times.from_text(shape["expires_at"]))
    scopes = "all" if shape["scopes"] is None else ", ".join(shape["scopes"])
    return [shape["name"], shape["user"], "expired" if shape["is_expired"] else expires, scopes, shape["description"]]


@tokens.command("remove")
@click.argument("names", metavar="TOKEN...", nargs=-1, required=True)
@json_option
@pass_cli
def remove_token(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove tokens, by their public part: nobody can act by them any more.

    JSON: a list of the tokens that were removed.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        removed = [await current.app.administration.remove_token(name) for name in names]
        if cli.out.is_json:
            cli.out.json([_shape(each) for each in removed])
        for each in [] if cli.out.is_json else removed:
            cli.out.line(f"Removed token {each.name} of {each.user}")
    return current.exit_code
