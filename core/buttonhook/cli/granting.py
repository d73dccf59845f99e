"""`buttonhook users grant`, `revoke` and `permissions`: what users and groups may do."""

import difflib
from collections.abc import Iterable
from typing import Any, Final

import click

from buttonhook.cli.acting import PEOPLE, TYPES, UserApp
from buttonhook.cli.context import Cli, Command, Group, json_option, pass_cli
from buttonhook.cli.output import Output, Row
from buttonhook.cli.running import reading, run, writing
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.values import read_value
from buttonhook.cli.words import on_off
from buttonhook.conditions import OPERATORS
from buttonhook.documents import encode, split_path
from buttonhook.people import Constraint, PermissionRecord
from buttonhook.records import RECORD_TYPES
from buttonhook.registry import Registry

_ACTIONS: Final = ("view", "add", "change", "delete")
_OWN: Final = ("jobs.run_job", "jobs.cancel_jobresult")
_OWN_MODELS: Final = (*RECORD_TYPES.values(), "jobs.jobresult", "jobs.joblogentry", "jobs.objectchange", "jobs.source")


def read_constraint(text: str) -> Constraint:
    """`PATH OPERATOR VALUE`; the value is JSON where it reads as JSON, else text.

    Raises:
        click.BadParameter: it has not this form.
    """
    parts = text.split(None, 2)
    if len(parts) < 3 or parts[1] not in OPERATORS:
        known = ", ".join(OPERATORS)
        raise click.BadParameter(
            f"{text!r} is no constraint. Write PATH OPERATOR VALUE, as in 'location = ams01'. Operators: {known}"
        )
    return Constraint(parts[0], parts[1], read_value(parts[2].strip(), parts[0]).value)


def constraint_text(row: Constraint) -> str:
    """A constraint as it is typed."""
    value = row.value if isinstance(row.value, str) else encode(row.value)
    return f"{row.path} {row.operator} {value}"


def group_names(app: UserApp) -> dict[str, str]:
    """The names of the groups that may be seen, by id."""
    return {each.id: each.name for each in app.administration.groups()}


def known_permissions(registry: Registry) -> list[str]:
    """All names that something asks for by itself: those of each object type, and our own."""
    models = [*(each.name for each in registry.list_types()), *_OWN_MODELS]
    return [*_OWN, *(".".join((app, f"{action}_{model}")) for app, model in _split(models) for action in _ACTIONS)]


def _split(models: Iterable[str]) -> Iterable[tuple[str, str]]:
    for name in models:
        app, _, model = name.partition(".")
        yield app, model


def warn_of_unknown(out: Output, registry: Registry, wanted: Iterable[str]) -> None:
    """Say which names nothing here asks for by itself: a plugin may, so they are given all the same."""
    known = known_permissions(registry)
    for name in wanted:
        beginning = name.removesuffix("*")
        if name in known or (name.endswith("*") and any(each.startswith(beginning) for each in known)):
            continue
        forms = [
            *known,
            *{f"{each.rpartition('_')[0]}_*" for each in known},
            *{f"{each.partition('.')[0]}.*" for each in known},
        ]
        near = next(iter(difflib.get_close_matches(name, forms, n=1, cutoff=0.75)), None)
        hint = f" Did you mean {near!r}?" if near else ""
        out.warn(f"Nothing installed here is known to ask for {name}; it counts where a plugin asks for it.{hint}")


def warn_of_paths(out: Output, registry: Registry, record: PermissionRecord) -> None:
    """Say which constraints look at what objects of the type do not have: nothing would ever meet them."""
    for permission in record.permissions:
        app, _, rest = permission.partition(".")
        type_ = registry.find_type(f"{app}.{rest.partition('_')[2]}")
        if type_ is None or type_.is_free:
            continue
        for row in record.constraints:
            first, *further = split_path(row.path)
            if first in type_.references and further:
                out.warn(
                    f"{first} of {type_.name} refers to another object, which constraints do not follow: "
                    f"nothing meets {row.path}. Compare the key: {first} {row.operator} PK"
                )
            elif first != "pk" and first not in type_.field_names:
                out.warn(
                    f"{type_.name} has no field {first}: only objects that hold such a key all the same can meet it"
                )


@click.command("grant", cls=Command)
@click.argument("name")
@click.argument("permissions", metavar="PERMISSION...", nargs=-1, required=True)
@click.option("--group", "is_group", is_flag=True, help="NAME is a group.")
@click.option(
    "--where",
    "rows",
    metavar="ROW",
    multiple=True,
    help="Only on objects where this holds, as in 'location = ams01'; repeatable.",
)
@json_option
@pass_cli
def grant(cli: Cli, /, name: str, permissions: tuple[str, ...], is_group: bool, rows: tuple[str, ...]) -> int:
    """Let a user or a group do something, as in: grant ann dcim.change_device jobs.run_job

    A PERMISSION is app.action_model, app.action_* or app.*. With --where all rows must hold: PATH OPERATOR VALUE, where
    `pk` is the key and the value $user stands for the user's name. JSON: the permission record.
    """
    constraints = [read_constraint(each) for each in rows]
    return run(_grant(cli, name, permissions, is_group, constraints))


async def _grant(
    cli: Cli, name: str, permissions: tuple[str, ...], is_group: bool, constraints: list[Constraint]
) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE | TYPES) as current:
        people, out = current.app.administration, cli.out
        users, groups = ((), (name,)) if is_group else ((name,), ())
        record = await people.grant(permissions, users=users, groups=groups, constraints=constraints)
        warn_of_unknown(out, current.app.registry, record.permissions)
        warn_of_paths(out, current.app.registry, record)
        if out.is_json:
            out.json(_shape(current.app, record))
        else:
            where = " and ".join(map(constraint_text, constraints))
            holder = f"group {name}" if is_group else name
            out.line(f"Granted {holder}: {', '.join(record.permissions)}{f' where {where}' if where else ''}")
    return current.exit_code


@click.command("revoke", cls=Command)
@click.argument("name")
@click.argument("permissions", metavar="PERMISSION...", nargs=-1, required=True)
@click.option("--group", "is_group", is_flag=True, help="NAME is a group.")
@json_option
@pass_cli
def revoke(cli: Cli, name: str, permissions: tuple[str, ...], is_group: bool) -> int:
    """Take permissions from a user or a group, wherever they are given these by name.

    What users have by their groups stays. JSON: a list of the permission records as they were.
    """
    return run(_revoke(cli, name, permissions, is_group))


async def _revoke(cli: Cli, name: str, permissions: tuple[str, ...], is_group: bool) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        whom = {"group": name} if is_group else {"user": name}
        touched = await current.app.administration.revoke(permissions, **whom)
        if cli.out.is_json:
            cli.out.json([_shape(current.app, each) for each in touched])
        else:
            holder = f"group {name}" if is_group else name
            records = plural(len(touched), "permission record")
            cli.out.line(f"Revoked from {holder}: {', '.join(permissions)} ({records})")
    return current.exit_code


@click.group("permissions", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def permissions(context: click.Context) -> None:
    """List the permission records, or remove them.

    JSON: a list of {name, permissions, users, groups, constraints, is_disabled}.
    """
    if context.invoked_subcommand is None:
        run(_list(context.ensure_object(Cli)))


async def _list(cli: Cli) -> None:
    async with reading(cli, sees=PEOPLE) as app:
        app.require_any("permissions", "users.view_permission")
        shown = [_shape(app, each) for each in app.administration.permissions()]
    if cli.out.is_json:
        cli.out.json(shown)
        return
    columns = [Column("name"), Column("for"), Column("permissions"), Column("where"), Column("state")]
    if not cli.out.table(columns, [_row(each) for each in shown]):
        cli.out.hint("No permissions. Give one with: buttonhook users grant NAME PERMISSION")


def _shape(app: UserApp, record: PermissionRecord) -> dict[str, Any]:
    names = group_names(app)
    return {
        "name": record.name,
        "permissions": list(record.permissions),
        "users": list(record.users),
        "groups": [names.get(each, each) for each in record.groups],
        "constraints": [
            {"path": each.path, "operator": each.operator, "value": each.value} for each in record.constraints
        ],
        "is_disabled": record.is_disabled,
    }


def _row(shape: dict[str, Any]) -> Row:
    holders = [*shape["users"], *(f"group {each}" for each in shape["groups"])]
    where = " and ".join(constraint_text(Constraint(**each)) for each in shape["constraints"])
    return [shape["name"], ", ".join(holders), ", ".join(shape["permissions"]), where, on_off(not shape["is_disabled"])]


@permissions.command("remove")
@click.argument("names", metavar="NAME...", nargs=-1, required=True)
@json_option
@pass_cli
def remove_permission(cli: Cli, names: tuple[str, ...]) -> int:
    """Remove permission records, for all who have something by them.

    JSON: a list of the records that were removed.
    """
    return run(_remove(cli, names))


async def _remove(cli: Cli, names: tuple[str, ...]) -> int:
    async with writing(cli, dispatch=False, sees=PEOPLE) as current:
        people = current.app.administration
        shown = [_shape(current.app, people.get_permission(name)) for name in names]
        for each in shown:
            await people.remove_permission(each["name"])
        if cli.out.is_json:
            cli.out.json(shown)
        for each in [] if cli.out.is_json else shown:
            cli.out.line(f"Removed permission {each['name']}")
    return current.exit_code
