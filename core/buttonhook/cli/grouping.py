"""`buttonhook users groups`: users who are given permissions together."""

from typing import Any

import click

from buttonhook.cli.acting import PEOPLE, UserApp
from buttonhook.cli.context import Cli, Group, json_option, pass_cli
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.people import GroupRecord


@click.group("groups", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def groups(context: click.Context) -> None:
    """List the groups, or add and remove them.

    JSON: a list of {name, members}.
    """
    if context.invoked_subcommand is None:
        run(_list(context.ensure_object(Cli)))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=PEOPLE) as app:
        app.require_any("groups", "users.view_group")
        shown = [_shape(app, each) for each in app.administration.groups()]
    if cli.out.is_json:
        cli.out.json(shown)
    elif not cli.out.table(
        [Column("group"), Column("members", wraps=True)], [[each["name"], ", ".join(each["members"])] for each in shown]
    ):
        cli.out.hint("No groups. Add one with: buttonhook users groups add NAME")


def _shape(app: UserApp, group: GroupRecord) -> dict[str, Any]:
    members = [each.name for each in app.administration.users() if group.id in each.groups]
    return {"name": group.name, "members": members}


@groups.command("add")
@click.argument("name")
@json_option
@pass_cli
def add_group(cli: Cli, name: str) -> int:
    """Add a group. Users are put into it by `users add` and `users edit`.

    JSON: the group.
    """
    return run(_add(cli, name))


async def _add(cli: Cli, name: str) -> int:
    async with writing(cli, creates=True, dispatch=False, sees=PEOPLE) as current:
        group = await current.app.administration.add_group(name)
        if cli.out.is_json:
            cli.out.json(_shape(current.app, group))
        else:
            cli.out.line(f"Added group {name}")
    return current.exit_code


@groups.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
@pass_cli
def remove_group(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove groups. Their members lose what the group gave them.

    JSON: a list of the groups that were removed, with who was in them.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        people = current.app.administration
        shown = [_shape(current.app, people.get_group(name)) for name in names]
        for each in shown:
            await people.remove_group(each["name"])
        if cli.out.is_json:
            cli.out.json(shown)
        for each in [] if cli.out.is_json else shown:
            cli.out.line(f"Removed group {each['name']}")
    return current.exit_code
