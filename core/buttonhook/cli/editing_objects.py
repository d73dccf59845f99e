"""`buttonhook objects put` and `delete`."""

import sys
from pathlib import Path
from typing import Any, Final

import click

from buttonhook import documents
from buttonhook.cli import shapes
from buttonhook.cli.acting import TYPES, UserApp
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Output
from buttonhook.cli.running import run, writing
from buttonhook.cli.text import plural
from buttonhook.cli.values import Settings, applied, as_text, read_settings, without
from buttonhook.cli.words import told
from buttonhook.errors import InvalidDocument, StaleObject
from buttonhook.objects.keys import check_pk, subject
from buttonhook.objects.session import Write
from buttonhook.objects.types import ObjectType
from buttonhook.old_data import differing
from buttonhook.records import ChangeRecord, StoredObject

MOST_TRIES: Final = 5
MOST_NAMED: Final = 6
"""Deletes beyond that are counted."""


@click.command("put", cls=Command)
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
    async with writing(cli, creates=document is not None or given["create"], sees=TYPES) as current:
        app = current.app
        type_ = app.registry.get_type(name)
        check_pk(pk)
        settings = read_settings(given["set_"], type_)
        if document is not None:
            stored, change = await _commit(app, _whole_write(type_, pk, document, given))
        else:
            stored, change = await _commit_settings(app, type_, pk, settings, given)
        _tell_written(current.app, cli.out, type_, stored, change)
    return current.exit_code


async def _commit_settings(
    app: UserApp, type_: ObjectType, pk: str, settings: Settings, given: dict[str, Any]
) -> tuple[StoredObject | None, ChangeRecord | None]:
    """Write single fields. What only looks like a number is sent as text where the type wants that.

    Where somebody else was quicker the fields are set in what they made of the object, unless a version was asked for.
    """
    tries, refused, first = 0, set[str](), None
    while True:
        try:
            if given["create"]:
                return await _commit(app, _whole_write(type_, pk, applied({}, settings), given))
            return await _commit(app, await _patch_write(app, type_, pk, settings, given))
        except InvalidDocument as exc:
            if first is not None and any(fault.path in refused for fault in exc.faults):
                raise first from exc  # as text it is no better
            refused.update(fault.path for fault in exc.faults)
            again, first = as_text(settings, refused), first or exc
            if again == settings:
                raise
            settings = again
        except StaleObject:
            tries += 1
            if given["version"] is not None or tries == MOST_TRIES:
                raise


def _whole_write(type_: ObjectType, pk: str, document: dict[str, Any], given: dict[str, Any]) -> Write:
    return Write(
        kind="create" if given["create"] else "put",
        object_type=type_.name,
        pk=pk,
        document=document,
        version=given["version"],
        strict=given["version"] is not None,
    )


async def _patch_write(app: UserApp, type_: ObjectType, pk: str, settings: Settings, given: dict[str, Any]) -> Write:
    """What differs in the object's fields; those of others stay as they are."""
    stored = await app.find_object(type_.name, pk)
    if stored is None:
        raise click.ClickException(
            f"No {type_.name} {pk!r} exists. To make it: buttonhook objects put {type_.name} {pk} --create --set ..."
        )
    before: dict[str, Any] = documents.decode(stored.document)
    shown = app.read(stored, type_).document
    after = without(applied(shown, settings), given["unset"], type_)
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


@click.command("delete", cls=Command)
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
    async with writing(cli, sees=TYPES) as current:
        app, out = current.app, cli.out
        app.registry.get_type(name)
        writes = tuple(
            Write(kind="delete", object_type=name, pk=pk, version=version, strict=version is not None) for pk in pks
        )
        answer = await app.commit(*writes)
        # What went along with them is told to those who may see it.
        asked = {(name, pk) for pk in pks}
        made = [each for each in answer.changes if (each.object_type, each.object_pk) in asked or app.may_see(each)]
        if out.is_json:
            seen = await app.in_full([each for each in made if app.may_see(each)])
            out.json(shapes.all_of(seen, shapes.change))
        elif len(made) > MOST_NAMED:
            out.line(f"Deleted {plural(len(made), 'object')}")
        else:
            for change in made:
                out.line(told(change, is_named=app.may_see(change)))
    return current.exit_code
