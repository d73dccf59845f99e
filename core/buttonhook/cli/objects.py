"""`buttonhook objects`: types, and the objects themselves."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from buttonhook import documents
from buttonhook.cli import shapes
from buttonhook.cli.acting import UserApp
from buttonhook.cli.context import Cli, Group, json_option, pass_cli, waiting_options
from buttonhook.cli.lookups import parts
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.running import reading, reading_or_catalogue, run, writing
from buttonhook.cli.scanning import read_page, scan
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.values import FILTER_FORMS, apply_settings, read_conditions, read_order, read_settings, without
from buttonhook.cli.words import object_name, told
from buttonhook.objects.keys import check_pk, object_repr, subject
from buttonhook.objects.session import Write
from buttonhook.objects.types import ObjectType, Reading
from buttonhook.old_data import differing
from buttonhook.queries import decode_cursor, encode_cursor
from buttonhook.records import ChangeRecord, ObjectQuery, StoredObject

MAX_COLUMNS: Final = 6


@click.group("objects", cls=Group)
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
    async with reading_or_catalogue(cli) as source:
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
    async with writing(cli, creates=True, dispatch=False) as current:
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
    async with reading(cli) as app:
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
        page = await read_page(app, query, given["limit"])
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
    async with reading(cli) as app:
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


# --- writing --------------------------------------------------------------------------------------


@objects.command("put")
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pk")
@click.argument("file", metavar="[FILE|-]", required=False)
@click.option("--set", "set_", metavar="PATH=VALUE", multiple=True, help="Set one field; repeatable.")
@click.option("--unset", metavar="PATH", multiple=True, help="Take one field away; repeatable.")
@click.option("--create", is_flag=True, help="Make a new object; refused where it exists.")
@click.option("--version", type=int, metavar="N", help="Only if the object's version is N.")
@waiting_options
@json_option
@pass_cli
def put(cli: Cli, /, object_type: str, pk: str, **given: Any) -> int:
    """Write one object.

    The whole of it from a JSON file or standard input (-), or single fields by --set. A file replaces the object or
    makes it; --set and --unset change one that exists, or with --create make one. A VALUE is JSON where it reads as
    JSON, else text.

    JSON: {action, change, object}: `action` is create, update or unchanged, `change` the change's id or null.
    """
    patches = bool(given["set_"] or given["unset"])
    if patches and given["file"] is not None:
        raise click.UsageError("Give a file, or --set and --unset, not both.")
    if given["create"] and given["version"] is not None:
        raise click.UsageError("A new object has no version: leave out --create or --version.")
    document = None if patches else read_document(given["file"], subject(object_type, pk))
    return run(_put(cli, object_type, pk, document, given))


def read_document(file: str | None, name: str) -> dict[str, Any]:
    """The JSON object of a file or of standard input.

    Raises:
        InvalidDocument, OSError: it cannot be read.
    """
    if file is None and sys.stdin is not None and sys.stdin.isatty():
        raise click.UsageError("Give a file, - for standard input, or --set PATH=VALUE.")
    text = sys.stdin.buffer.read() if file in (None, "-") else Path(str(file)).read_bytes()
    value = documents.parse(text, name)
    if not isinstance(value, dict):
        raise click.UsageError('An object is a JSON object, as in {"name": "ams01-r1"}.')
    return value


async def _put(cli: Cli, name: str, pk: str, document: dict[str, Any] | None, given: dict[str, Any]) -> int:
    async with writing(cli, creates=document is not None or given["create"]) as current:
        app = current.app
        type_ = app.registry.get_type(name)
        check_pk(pk)
        if document is not None or given["create"]:
            write = _whole_write(type_, pk, document, given)
        else:
            write = await _patch_write(app, type_, pk, given)
        stored, change = await _commit(app, write)
        _tell_written(current.app, cli.out, type_, stored, change)
    return current.exit_code


def _whole_write(type_: ObjectType, pk: str, document: dict[str, Any] | None, given: dict[str, Any]) -> Write:
    if document is None:
        document = apply_settings({}, read_settings(given["set_"], type_), type_)
    return Write(
        kind="create" if given["create"] else "put",
        object_type=type_.name,
        pk=pk,
        document=document,
        version=given["version"],
        strict=given["version"] is not None,
    )


async def _patch_write(app: UserApp, type_: ObjectType, pk: str, given: dict[str, Any]) -> Write:
    """What differs in the object's fields; those of others stay as they are."""
    stored = await app.find_object(type_.name, pk)
    if stored is None:
        raise click.ClickException(
            f"No {type_.name} {pk!r} exists. To make it: buttonhook objects put {type_.name} {pk} --create --set ..."
        )
    before: dict[str, Any] = documents.decode(stored.document)
    shown = app.read(stored, type_).document
    after = without(apply_settings(shown, read_settings(given["set_"], type_), type_), given["unset"], type_)
    changes = differing(before, after)
    strict = given["version"] is not None
    version = given["version"] if strict else stored.version
    return Write(kind="update", object_type=type_.name, pk=pk, changes=changes, version=version, strict=strict)


async def _commit(app: UserApp, write: Write) -> tuple[StoredObject | None, ChangeRecord | None]:
    answer = await app.commit(write)
    return answer.objects[write.object_type, write.pk], answer.changes[0] if answer.changes else None


def _tell_written(
    app: UserApp, out: Output, type_: ObjectType, stored: StoredObject | None, change: ChangeRecord | None
) -> None:
    if out.is_json:
        action = "unchanged" if change is None else change.action.value
        shape = (
            None if stored is None or not app.may_see(stored) else shapes.stored_object(stored, app.read(stored, type_))
        )
        out.json({"action": action, "change": None if change is None else change.id, "object": shape})
    elif change is None:
        out.line("Nothing changed: the object is so already")
    else:
        out.line(told(change, is_named=app.may_see(change)))


@objects.command("delete")
@click.argument("object_type", metavar="APP.MODEL")
@click.argument("pks", metavar="PK...", nargs=-1, required=True)
@click.option("--version", type=int, metavar="N", help="Only if the object's version is N; for a single one.")
@waiting_options
@json_option
@pass_cli
def delete(cli: Cli, object_type: str, pks: tuple[str, ...], version: int | None) -> int:
    """Delete objects.

    All of them, or none where one does not exist. JSON: a list of changes.
    """
    if version is not None and len(pks) > 1:
        raise click.UsageError("--version is for a single object.")
    return run(_delete(cli, object_type, tuple(dict.fromkeys(pks)), version))


async def _delete(cli: Cli, name: str, pks: tuple[str, ...], version: int | None) -> int:
    async with writing(cli) as current:
        app, out = current.app, cli.out
        app.registry.get_type(name)
        writes = tuple(
            Write(kind="delete", object_type=name, pk=pk, version=version, strict=version is not None) for pk in pks
        )
        answer = await app.commit(*writes)
        # What went along with them is told to those who may see it.
        made = [each for each in answer.changes if each.object_pk in pks or app.may_see(each)]
        if out.is_json:
            out.json(shapes.all_of((each for each in made if app.may_see(each)), shapes.change))
        elif len(made) > MAX_COLUMNS:
            out.line(f"Deleted {plural(len(made), 'object')}")
        else:
            for change in made:
                out.line(told(change, is_named=app.may_see(change)))
    return current.exit_code
