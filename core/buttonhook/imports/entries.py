"""From records to entries: each one write that is known to be sound as far as one line can tell.

The type is known, the pk may name an object, the document fits its type. What only the recorder can tell
(a value that must be unique) is left to it.
"""

from collections.abc import Iterator
from typing import Any, Final, Protocol

from msgspec import Struct

from buttonhook import documents
from buttonhook.errors import Fault, InvalidDocument, ObjectError, PermissionDenied
from buttonhook.ids import Microseconds
from buttonhook.imports import cells
from buttonhook.imports.lines import (
    ChangeLine,
    Line,
    ObjectLine,
    Unusable,
    recognise,
    request_id_of,
)
from buttonhook.imports.readers import BadLine, Record, fault_of, read_records, reasons
from buttonhook.imports.sources import Source
from buttonhook.objects.keys import check_pk, subject
from buttonhook.objects.types import ObjectType

Refusal = ObjectError | PermissionDenied
"""Why a line that is sound in itself is not imported."""


class TypeResolver(Protocol):
    """Finds object types by name. It is called in a thread."""

    def __call__(self, object_type: str, /) -> ObjectType:
        """Raises: UnknownObjectType."""
        ...


class Entry(Struct, frozen=True):
    """One sound line. `pk` is None until the natural key was looked up; `document` is None for a delete, else it is as
    `type` takes it.

    `request_id` is empty for lines that name none.
    """

    line: int
    type: ObjectType
    pk: str | None
    document: dict[str, Any] | None
    request_id: str = ""
    user_name: str = ""
    time: Microseconds | None = None


Item = Entry | BadLine


def read_entries(source: Source, types: TypeResolver, object_type: str | None) -> Iterator[Item]:
    """Read, recognise and check each record of `source`, in order."""
    preparer = Preparer(source.name, types, object_type, is_table=source.form.name == "csv")
    return map(preparer.prepare, read_records(source))


class Preparer:
    """Makes entries of records. With `is_table` their values are cells, which are read by the fields' types."""

    def __init__(self, name: str, types: TypeResolver, object_type: str | None, *, is_table: bool) -> None:
        self._name = name
        self._types = types
        self._object_type = object_type
        self._is_table: Final = is_table

    def prepare(self, record: Record | BadLine) -> Item:
        """The entry of a record, or what is wrong with it."""
        if isinstance(record, BadLine):
            return record
        try:
            line = recognise(record.value, self._object_type)
            return self._entry(record, line)
        except InvalidDocument as exc:
            problem = f"{exc.subject}: {reasons(exc)}"
        except (Unusable, ObjectError) as exc:
            problem = str(exc)
        return BadLine(fault_of(self._name, record, problem), request_id_of(record.value))

    def _entry(self, record: Record, line: Line) -> Entry:
        type_ = self._types(line.object_type)
        if line.pk is not None:
            check_pk(line.pk)
        if isinstance(line, ChangeLine):
            after = line.after
            if after is not None:
                after = self._accepted(record, type_, line.pk, after, fill=False)
            return Entry(record.line, type_, line.pk, after, line.request_id, line.user_name, line.time)
        return Entry(record.line, type_, line.pk, self._object_data(record, type_, line))

    def _object_data(self, record: Record, type_: ObjectType, line: ObjectLine) -> dict[str, Any]:
        data = line.data
        if self._is_table and type_.struct is not None:
            name = subject(type_.name, line.pk)
            data = cells.convert(data, type_.struct, name)
            documents.check(data, name)  # a cell may say "nan"
        return self._accepted(record, type_, line.pk, data, fill=True)

    def _accepted(
        self, record: Record, type_: ObjectType, pk: str | None, document: dict[str, Any], fill: bool
    ) -> dict[str, Any]:
        """The document as its type takes it."""
        name = subject(type_.name, pk)
        if not 0 < record.size <= documents.MAX_BYTES:
            size = len(documents.encode(document).encode())
            if size > documents.MAX_BYTES:
                raise InvalidDocument(
                    name, [Fault("", f"{size:,} bytes are more than the {documents.MAX_BYTES:,} allowed")]
                )
        return type_.validate(document, name, fill=fill)
