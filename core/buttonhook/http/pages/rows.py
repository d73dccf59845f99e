"""Objects as pages show them: the document as it is read, the name, the names of what it refers to."""

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from buttonhook import documents
from buttonhook.access.access import Access
from buttonhook.errors import PermissionDenied
from buttonhook.http.pages.columns import TypeField
from buttonhook.objects.keys import object_repr
from buttonhook.objects.types import ObjectType
from buttonhook.records import StoredObject


class Row(Struct, frozen=True):
    """An object as pages show it; `faults` tell why its type does not take it as it is."""

    stored: StoredObject
    name: str
    document: dict[str, Any]
    faults: tuple[str, ...] = ()


def row_of(stored: StoredObject, type_: ObjectType) -> Row:
    """An object with its document as it is read."""
    reading = type_.read(documents.decode(stored.document))
    name = object_repr(reading.document, stored.object_type, stored.pk)
    return Row(stored, name, reading.document, tuple(str(each) for each in reading.faults))


async def names_of(access: Access, rows: Iterable[Row], columns: Iterable[TypeField]) -> dict[tuple[str, str], str]:
    """The names of the objects that these refer to, as far as they may be seen."""
    wanted = {
        (column.target, str(row.document[column.key])): None
        for row in rows
        for column in columns
        if column.target and isinstance(row.document.get(column.key), str)
    }
    names: dict[tuple[str, str], str] = {}
    hidden: set[str] = set()
    for object_type, pk in wanted:
        if object_type in hidden:
            continue
        try:
            stored = await access.session.read_object(object_type, pk)
        except PermissionDenied:
            hidden.add(object_type)
            continue
        if stored is not None:
            names[object_type, pk] = object_repr(documents.decode(stored.document), object_type, pk)
    return names
