"""`buttonhook objects`: types, and the objects themselves."""

from typing import Any, Final

import click

from buttonhook import documents
from buttonhook.cli import shapes
from buttonhook.cli.acting import TYPES, UserApp
from buttonhook.cli.context import ByName, Cli, Group, json_option, pass_cli
from buttonhook.cli.editing_objects import delete, put
from buttonhook.cli.lookups import parts
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import reading, reading_or_catalogue, run, writing
from buttonhook.cli.scanning import scan
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.values import (
    FILTER_FORMS,
    read_conditions,
    read_order,
)
from buttonhook.cli.words import object_name
from buttonhook.objects.keys import object_repr
from buttonhook.objects.types import ObjectType, Reading
from buttonhook.queries import decode_cursor, encode_cursor
from buttonhook.records import ObjectQuery, StoredObject

MAX_COLUMNS: Final = 6


ELSEWHERE: Final = {
    "import": "transfer:import_objects",
    "export": "transfer:export",
    "referrers": "referrers:referrers",
    "upgrade": "upgrading:upgrade_objects",
}


@click.group("objects", cls=Group, commands=ByName(ELSEWHERE))
def objects() -> None:
    """See, write, import and export objects."""


# --- types ----------------------------------------------------------------------------------------


@objects.group("types", cls=Group, invoke_without_command=True)
@json_option
@click.pass_context
def types(context: click.Context) -> None:
    """List the object types, or declare one.

    JSON: a list of {object_type, plugin, installed, is_free, fields, unique, natural_key, objects}; `objects` is how
    many there are, null where no database is yet.
    """
    if context.invoked_subcommand is None:
        run(_types(context.ensure_object(Cli)))


async def _types(cli: Cli) -> None:
    async with reading_or_catalogue(cli, sees=TYPES) as source:
        shown = []
        for type_ in source.registry.list_types():
            count = None
            is_seen = isinstance(source, UserApp) and source.may_see_type(type_.name)
            if isinstance(source, UserApp) and is_seen:
                count = await source.count_objects(ObjectQuery(object_type=type_.name))
            if is_seen or type_.is_installed:  # that there are objects of a type that is gone is told by them alone
                shown.append(_type_shape(type_, count))
    if cli.out.is_json:
        cli.out.json(shown)
        return
    columns = [
        Column("type"),
        Column("from"),
        Column("objects", is_right=True),
        Column("natural key"),
        Column("fields", wraps=True),
    ]
    rows = [[each["object_type"], *_type_cells(each)] for each in shown]
    if not cli.out.table(columns, rows):
        cli.out.hint("No object types. Install a package that brings some, or: buttonhook objects types add APP.MODEL")


def _type_shape(type_: ObjectType, count: int | None) -> dict[str, Any]:
    return {
        "object_type": type_.name,
        "plugin": type_.plugin,
        "installed": type_.is_installed,
        "is_free": type_.is_free and type_.is_installed,
        "fields": list(type_.field_names),
        "unique": [list(fields) for fields in type_.unique],
        "natural_key": list(type_.natural_key),
        "objects": count,
    }


def _type_cells(shape: dict[str, Any]) -> list[str | Cell]:
    fields = "any JSON object" if shape["is_free"] else ", ".join(shape["fields"])
    count = "" if shape["objects"] is None else str(shape["objects"])
    if not shape["installed"]:
        return [Cell("not installed", "yellow"), count, "", Cell("can be read and deleted", "dim")]
    return [shape["plugin"] or "this database", count, ", ".join(shape["natural_key"]), Cell(fields, "dim")]


@types.command("add")
@click.argument("object_type", metavar="APP.MODEL")
@json_option
@pass_cli
def add_type(cli: Cli, object_type: str) -> int:
    """Declare a free type in this database: its objects are any JSON objects."""
    return run(_add_type(cli, object_type))


async def _add_type(cli: Cli, name: str) -> int:
    async with writing(cli, creates=True, dispatch=False, sees=TYPES) as current:
        await current.app.configuration.declare_type(name)
        if cli.out.is_json:
            cli.out.json(_type_shape(current.app.registry.get_type(name), 0))
        else:
            cli.out.line(f"Declared object type {name}")
    return current.exit_code


# --- reading --------------------------------------------------------------------------------------


@objects.command("list")
@click.argument("object_type", metavar="APP.MODEL")
@click.option("--where", "filters", metavar="FILTER", multiple=True, help=f"Only those: {FILTER_FORMS}; repeatable.")
@click.option("--order", metavar="PATHS", help="By these fields, as in name,-u_height. [default: pk]")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="So many at most.")
@click.option("--after", metavar="CURSOR", help="Go on where a page ended.")
@click.option("--all", "all_", is_flag=True, help="All of them.")
@json_option
@pass_cli
def list_objects(cli: Cli, /, object_type: str, **given: Any) -> None:
    """List objects of a type.

    JSON: a list of objects.
    """
    run(_list(cli, object_type, given))


async def _list(cli: Cli, name: str, given: dict[str, Any]) -> None:
    async with reading(cli, sees=TYPES) as app:
        type_ = app.registry.get_type(name)
        query = ObjectQuery(
            object_type=name,
            conditions=read_conditions(given["filters"], type_, app.registry.find_type),
            order=read_order(given["order"] or "", type_),
            after=None if given["after"] is None else decode_cursor(given["after"]),
        )
        if given["all_"]:
            await _print_all(cli.out, app, type_, query)
            return
        page = await app.page(query, given["limit"])
        if cli.out.is_json:
            cli.out.json([shapes.stored_object(each, app.read(each, type_)) for each in page.objects])
            return
        _print_objects(cli.out, app, type_, page.objects)
        if not page.objects:
            cli.out.hint(f"No {name} objects that fit.")
        if page.after is not None:
            cli.out.hint(f"More: --after {encode_cursor(page.after)}")


async def _print_all(out: Output, app: UserApp, type_: ObjectType, query: ObjectQuery) -> None:
    found = scan(app, query)
    if out.is_json:
        await out.json_array(shapes.stored_object(each, app.read(each, type_)) async for each in found)
        return
    async for part in parts(found):
        _print_objects(out, app, type_, part)


def _print_objects(out: Output, app: UserApp, type_: ObjectType, found: list[StoredObject]) -> None:
    """A table; piped, a line an object: pk, name, version, document. What the type does not accept is told of."""
    read = [app.read(each, type_) for each in found]
    shown = [each.document for each in read]
    invalid = [bool(each.faults) for each in read]
    if any(invalid) and type_.is_installed:
        out.warn(f"{plural(sum(invalid), 'object')} of these no longer fit the type; see --json, or: buttonhook check")
    if not out.is_terminal:
        for each, document in zip(found, shown, strict=True):
            name = object_repr(document, each.object_type, each.pk)
            out.row(each.pk, name, str(each.version), documents.encode(document))
        return
    keys = _shown_keys(type_, shown)[: max(1, (out.width - 70) // 16)]
    columns = [
        Column("pk"),
        Column("name"),
        *(Column(key, is_cut=True) for key in keys),
        Column("version", is_right=True),
    ]
    rows: list[Row] = []
    for stored, document, is_invalid in zip(found, shown, invalid, strict=True):
        name = object_repr(document, stored.object_type, stored.pk)
        mark = Cell("invalid", "yellow") if is_invalid and type_.is_installed else str(stored.version)
        rows.append([stored.pk, name, *(_field(document, key) for key in keys), mark])
    out.table(columns, rows)


def _shown_keys(type_: ObjectType, shown: list[dict[str, Any]]) -> list[str]:
    """The first fields that hold single values in these objects; the name has a column of its own."""
    known = list(type_.field_names)
    used = dict.fromkeys(key for document in shown for key, value in document.items() if value not in (None, ""))
    order = [*(key for key in known if key in used), *(key for key in used if key not in known)]
    plain = [key for key in order if not any(isinstance(document.get(key), dict | list) for document in shown)]
    return [key for key in plain if key not in ("display", "name", "model")][:MAX_COLUMNS]


def _field(document: dict[str, Any], key: str) -> str:
    value = document.get(key, "")
    return value if isinstance(value, str) else documents.encode(value)


@objects.command("get")
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pk")
@json_option
@pass_cli
def get(cli: Cli, object_type: str, pk: str) -> None:
    """Print one object. Piped: a line a field, name and value with a tab between them.

    JSON: the object.
    """
    run(_get(cli, object_type, pk))


async def _get(cli: Cli, name: str, pk: str) -> None:
    async with reading(cli, sees=TYPES) as app:
        type_ = app.registry.get_type(name)
        stored = await app.get_object(name, pk)
        if cli.out.is_json:
            cli.out.json(shapes.stored_object(stored, app.read(stored, type_)))
        else:
            _print_object(cli.out, stored, app.read(stored, type_))


def _print_object(out: Output, stored: StoredObject, reading_: Reading) -> None:
    document = reading_.document
    if out.is_terminal:
        name = object_name(
            stored.object_type, stored.pk, object_repr(document, stored.object_type, stored.pk), with_pk=True
        )
        out.line(name, "bold")
        out.line(f"version {stored.version}, by {stored.updated_by}, {out.time(stored.updated_at)}", "dim")
        out.line()
    out.fields((key, _field(document, key)) for key in document)
    for fault in reading_.faults:
        out.warn(f"The type no longer accepts this object: {fault}")


objects.add_command(put)
objects.add_command(delete)
