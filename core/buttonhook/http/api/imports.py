"""Imports: records of a file, sent as they are read, become transactions as on the command line.

The body is taken as fast as its records are committed, so neither a long file nor a slow disk costs memory. What came
of them is told when all are done; until then it is kept in a file.
"""

import tempfile
from collections.abc import AsyncIterator
from typing import IO, Annotated, Any, Final, Literal

import msgspec
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter
from litestar.response import Stream

from buttonhook import documents
from buttonhook.errors import ImportFault, InvalidDocument
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.declaring import LOGIN, post
from buttonhook.http.problems import Refused
from buttonhook.http.reading import SUBJECT, Request, check_media_type, read_as
from buttonhook.http.shapes.imports import (
    ImportedShape,
    ImportFaultShape,
    ImportLine,
    ImportSummaryShape,
    RecordInput,
)
from buttonhook.imports.importer import Importer
from buttonhook.imports.readers import MAX_LINE_BYTES, BadLine, Record
from buttonhook.imports.reports import ImportedRequest, ImportOptions
from buttonhook.objects.types import ObjectType

TAGS: Final = ["objects"]
MEDIA_TYPE: Final = "application/x-ndjson"
MOST_LINE_BYTES: Final = MAX_LINE_BYTES + 20_000
"""A record, and what is told beside it."""
IN_MEMORY_BYTES: Final = 1_000_000
CHUNK_BYTES: Final = 65_536
BATCH: Final = 200
_BODY: Final = {
    MEDIA_TYPE: {
        "schema": {"type": "string", "description": "A JSON object a line: `line`, `value`."},
        "examples": {
            "an object": {
                "value": '{"line": 1, "value": {"object_type": "acme.circuit", "pk": "c1", "data": {"cid": "NF-1"}}}\n'
            }
        },
    }
}
_ANSWER: Final = ResponseSpec(ImportLine, description="A line each.", media_type=MEDIA_TYPE, generate_examples=False)


@post(
    "/api/imports",
    LOGIN,
    tags=TAGS,
    status_code=200,
    media_type=MEDIA_TYPE,
    request_max_body_size=None,
    responses={200: _ANSWER},
    body=_BODY,
)
async def import_records(
    request: Request,
    name: Annotated[str, QueryParameter(max_length=255, description="How messages and changes call it.")] = "upload",
    on_error: Annotated[
        Literal["stop", "skip"],
        QueryParameter(
            description="At a bad record: import nothing behind it, nor the rest of its transaction; or leave it out."
        ),
    ] = "stop",
    object_type: Annotated[
        str | None, QueryParameter(description="The type of records that name none, as in `dcim.device`.")
    ] = None,
    table: Annotated[bool, QueryParameter(description="Values are cells of a table, to be read by the types.")] = False,
) -> Stream:
    """Import records, one JSON object a line: `{"line": 1, "value": {"object_type", "pk", "data"}}`.

    A `value` is an object, a change of another system (`request_id`, `user_name`, `time`, `action`, `object_type`,
    `object_id`, `after`) or a row (`model`, `pk`, `fields`). Changes of one `request_id` are one transaction, recorded
    at most once ever; other records are committed some hundred at a time. Each write is asked of your permissions. The
    answer has a line for each transaction and each fault, in order, and a summary.
    """
    check_media_type(request, MEDIA_TYPE)
    access, app = access_of(request), daemon_of(request).app
    if object_type is not None:
        app.registry.get_type(object_type)
    session = access.session

    async def find(type_: ObjectType, values: tuple[Any, ...]) -> str | None:
        return await session.check_match(type_, values, await app.find_by_natural_key(type_, values))

    options = ImportOptions(user_name=access.user.username, on_error=on_error, object_type=object_type)
    importer = Importer(session.writer, app.registry.get_type, find, options)
    told = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY_BYTES)  # noqa: SIM115 - closed by who sends it

    async def report(item: ImportedRequest | ImportFault) -> None:
        if isinstance(item, ImportFault):
            _write(told, ImportLine(fault=ImportFaultShape.of(item)))
        else:
            _write(told, ImportLine(request=ImportedShape.of(item)))

    try:
        summary = await importer.run_records(_records(request, name), name, report, is_table=table)
    except BaseException:
        told.close()
        raise
    _write(told, ImportLine(summary=ImportSummaryShape.of(summary)))
    return Stream(_sent(told), media_type=MEDIA_TYPE)


def _write(told: IO[bytes], line: ImportLine) -> None:
    told.write(msgspec.json.encode(line) + b"\n")


async def _sent(told: IO[bytes]) -> AsyncIterator[bytes]:
    with told:
        told.seek(0)
        while chunk := told.read(CHUNK_BYTES):
            yield chunk


async def _records(request: Request, name: str) -> AsyncIterator[list[Record | BadLine]]:
    """The records of the body, as they come; empty lines say no more than that the sender lives."""
    batch: list[Record | BadLine] = []
    number = 0
    async for line in _lines(request):
        number += 1
        if line.strip():
            batch.append(_record(line, number, name))
        if len(batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """Raises: Refused: a line is too long to be held."""
    rest = b""
    async for chunk in request.stream():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line
        if len(rest) > MOST_LINE_BYTES:
            raise Refused(413, "too-large", f"A line has more than the {MOST_LINE_BYTES:,} bytes allowed.")
    if rest:
        yield rest


def _record(line: bytes, number: int, name: str) -> Record | BadLine:
    """A line as a record; one that is none is a fault as one in a file is: what came before it stays."""
    try:
        value = documents.parse(line, SUBJECT, MOST_LINE_BYTES)
        return read_as(value, RecordInput).record(name, len(line))  # type: ignore[no-any-return]
    except InvalidDocument as exc:
        told = "; ".join(map(str, exc.faults))
        return BadLine(ImportFault(name, number, f"line {number} of the body is no record: {told}"))


ROUTES: Final = (import_records,)
