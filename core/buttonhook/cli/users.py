"""`buttonhook users`: who there is, what they may do, their passwords and tokens."""

import sys
from typing import Any

import click

from buttonhook import times
from buttonhook.cli.acting import PEOPLE, UserApp
from buttonhook.cli.context import Cli, Group, json_option, pass_cli
from buttonhook.cli.granting import constraint_text, grant, group_names, permissions, revoke
from buttonhook.cli.grouping import groups
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.tokens import token, tokens
from buttonhook.cli.words import on_off
from buttonhook.credentials import check_password
from buttonhook.people import PermissionRecord, UserRecord
from buttonhook.records import ChangeQuery


@click.group("users", cls=Group)
def users() -> None:
    """See and edit users, groups, permissions and tokens."""


users.add_command(grant)
users.add_command(revoke)
users.add_command(permissions)
users.add_command(groups)
users.add_command(token)
users.add_command(tokens)


# --- reading --------------------------------------------------------------------------------------


@users.command("list")
@json_option
@pass_cli
def list_users(cli: Cli) -> None:
    """List the users.

    JSON: a list of users.
    """
    run(_list(cli))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=PEOPLE) as app:
        app.require_any("users", "users.view_user")
        shown = [await _shape(app, each) for each in app.administration.users()]
    if cli.out.is_json:
        cli.out.json(shown)
        return
    columns = [Column("user"), Column("kind"), Column("state"), Column("groups"), Column("password")]
    columns += [Column("tokens", is_right=True), Column("changed")]
    cli.out.table(columns, [_row(cli.out, each) for each in shown])


async def _shape(app: UserApp, user: UserRecord) -> dict[str, Any]:
    """A user as JSON. No hash is in it."""
    names = group_names(app)
    changed_at = None
    if app.user.has_perm("jobs.view_objectchange"):
        last = await app.changes(ChangeQuery(object_type="users.user", object_pk=user.id, limit=1))
        changed_at = times.to_text(last[0].recorded_at) if last else None
    return {
        "name": user.name,
        "is_owner": user.is_owner,
        "is_disabled": user.is_disabled,
        "groups": [names[each] for each in user.groups if each in names],
        "has_password": bool(user.password_hash),
        "tokens": len(app.administration.tokens(user.id)),
        "changed_at": changed_at,
    }


def _row(out: Output, shape: dict[str, Any]) -> Row:
    changed = shape["changed_at"]
    return [
        shape["name"],
        "owner" if shape["is_owner"] else "",
        on_off(not shape["is_disabled"]),
        ", ".join(shape["groups"]),
        "password" if shape["has_password"] else "",
        str(shape["tokens"]),
        "" if changed is None else out.time(times.from_text(changed)),
    ]


@users.command("show")
@click.argument("name")
@json_option
@pass_cli
def show(cli: Cli, name: str) -> None:
    """Show a user: what they may do, and from where they have it.

    JSON: the user with `permissions`, a list of {permission, from, constraints, record, is_disabled}; `from` is the
    user's name or the group's.
    """
    run(_show(cli, name))


async def _show(cli: Cli, name: str) -> None:
    async with reading(cli, sees=PEOPLE) as app:
        user = app.administration.get_user(name)
        shape = await _shape(app, user)
        held = _held(app, user)
    if cli.out.is_json:
        cli.out.json({**shape, "permissions": held})
        return
    _print(cli.out, shape, held)


def _held(app: UserApp, user: UserRecord) -> list[dict[str, Any]]:
    """What a user is given, a row for each permission and each way by which it came."""
    names = group_names(app)
    return [
        {
            "permission": permission,
            "from": source,
            "constraints": [constraint_text(each) for each in record.constraints],
            "record": record.name,
            "is_disabled": record.is_disabled,
        }
        for record in app.administration.permissions_of(user)
        for source in _sources(record, user, names)
        for permission in record.permissions
    ]


def _sources(record: PermissionRecord, user: UserRecord, names: dict[str, str]) -> list[str]:
    own = [user.name] if user.id in record.users else []
    return own + [f"group {names.get(each, each)}" for each in record.groups if each in user.groups]


def _print(out: Output, shape: dict[str, Any], held: list[dict[str, Any]]) -> None:
    fields: list[tuple[str, str | Cell]] = [
        ("user", shape["name"]),
        ("state", on_off(not shape["is_disabled"])),
        ("groups", ", ".join(shape["groups"])),
        ("password", "set" if shape["has_password"] else "none"),
        ("tokens", str(shape["tokens"])),
    ]
    if shape["is_owner"]:
        fields.insert(1, ("may do", "everything, as an owner"))
    out.fields(fields)
    if held:
        out.heading("Permissions")
        columns = [Column("permission"), Column("from"), Column("where"), Column("state")]
        rows: list[Row] = [
            [each["permission"], each["from"], " and ".join(each["constraints"]), on_off(not each["is_disabled"])]
            for each in held
        ]
        out.table(columns, rows)
    elif not shape["is_owner"]:
        out.hint(f"Give them something to do: buttonhook users grant {shape['name']} PERMISSION")


# --- writing --------------------------------------------------------------------------------------


@users.command("add")
@click.argument("name")
@click.option("--owner", "is_owner", is_flag=True, help="An owner may do everything.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Put them into this group; repeatable.")
@click.option("--password-stdin", is_flag=True, help="Read a password from the first line of standard input.")
@json_option
@pass_cli
def add(cli: Cli, /, name: str, is_owner: bool, groups: tuple[str, ...], password_stdin: bool) -> int:
    """Add a user. Without further ado they may do nothing.

    JSON: the user.
    """
    password = None
    if password_stdin:
        password = read_line()
        check_password(name, password)  # before there is a user without one
    return run(_add(cli, name, password, {"is_owner": is_owner, "groups": groups}))


async def _add(cli: Cli, name: str, password: str | None, given: dict[str, Any]) -> int:
    async with writing(cli, creates=True, dispatch=False, sees=PEOPLE) as current:
        people = current.app.administration
        user = await people.add_user(name, **given)
        if password is not None:
            user = await people.set_password(name, password)
        await _tell(cli.out, current.app, user, f"Added user {name}")
    return current.exit_code


def read_line() -> str:
    """The first line of standard input, without its end.

    Raises:
        click.UsageError: there is none.
    """
    line = sys.stdin.readline()
    if not line.rstrip("\r\n"):
        raise click.UsageError("Standard input holds no password: its first line is empty.")
    return line.rstrip("\r\n")


async def _tell(out: Output, app: UserApp, user: UserRecord, sentence: str) -> None:
    if out.is_json:
        out.json(await _shape(app, user))
    else:
        out.line(sentence)


@users.command("edit")
@click.argument("name")
@click.option("--owner/--no-owner", "is_owner", default=None, help="Let them do everything, or only what is granted.")
@click.option("--group", "groups", multiple=True, metavar="GROUP", help="Replace their groups; repeatable.")
@click.option("--no-groups", is_flag=True, help="Take them out of all groups.")
@json_option
@pass_cli
def edit(cli: Cli, /, name: str, is_owner: bool | None, groups: tuple[str, ...], no_groups: bool) -> int:
    """Change a user.

    JSON: the user.
    """
    if groups and no_groups:
        raise click.UsageError("Give --group or --no-groups, not both.")
    if is_owner is None and not groups and not no_groups:
        raise click.UsageError("Say what to change, as in: --group operators")
    changes = {"is_owner": is_owner, "groups": groups if groups or no_groups else None}
    return run(_edit(cli, name, changes))


async def _edit(cli: Cli, name: str, changes: dict[str, Any]) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        user = await current.app.administration.edit_user(name, **changes)
        await _tell(cli.out, current.app, user, f"Changed user {name}")
    return current.exit_code


@users.command("disable")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
@pass_cli
def disable(cli: Cli, names: tuple[str, ...]) -> int:
    """Disable users: they and their tokens may do nothing, and what waits for their authority is revoked.

    JSON: a list of users.
    """
    return run(_switch(cli, names, is_disabled=True))


@users.command("enable")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
@pass_cli
def enable(cli: Cli, names: tuple[str, ...]) -> int:
    """Enable users again.

    JSON: a list of users.
    """
    return run(_switch(cli, names, is_disabled=False))


async def _switch(cli: Cli, names: tuple[str, ...], *, is_disabled: bool) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        people, out = current.app.administration, cli.out
        for name in names:
            people.get_user(name)  # all or none: an unknown name stops before the first edit
        edited = [await people.edit_user(name, is_disabled=is_disabled) for name in names]
        if out.is_json:
            out.json([await _shape(current.app, each) for each in edited])
        for each in [] if out.is_json else edited:
            out.line(f"{'Disabled' if is_disabled else 'Enabled'} user {each.name}")
    return current.exit_code


@users.command("passwd")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read it from the first line of standard input.")
@json_option
@pass_cli
def passwd(cli: Cli, name: str, from_stdin: bool) -> int:
    """Give a user a password. It is asked for twice and not shown, and never taken as an argument.

    JSON: the user.
    """
    if not from_stdin and (sys.stdin is None or not sys.stdin.isatty()):
        raise click.UsageError("There is no terminal to ask at. Give the password on standard input, with --stdin.")
    # Asked for before the database is opened: nobody else should have to wait for somebody who types.
    password = (
        read_line() if from_stdin else click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    )
    check_password(name, password)
    return run(_passwd(cli, name, password))


async def _passwd(cli: Cli, name: str, password: str) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        user = await current.app.administration.set_password(name, password)
        await _tell(cli.out, current.app, user, f"Set the password of {name}")
    return current.exit_code
