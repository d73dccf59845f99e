"""Importing through the API: the command reads the file record by record, the daemon imports them as they come.

The daemon takes the next piece when it has committed what came before, so the progress that is shown is real. It tells
what came of the records when all have come.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook.cli.remote.causes import RemoteCaused
from buttonhook.cli.remote.connection import Connection
from buttonhook.errors import DaemonError, ImportFault
from buttonhook.imports.read_ahead import ReadAhead
from buttonhook.imports.readers import BadLine, Record, read_records
from buttonhook.imports.reports import ImportedRequest, ImportOptions, ImportSummary, Progress, Report
from buttonhook.imports.sources import Source

IMPORTS: Final = "/api/imports"
NDJSON: Final = "application/x-ndjson"
READ_BATCH: Final = 200
ALIVE_SECONDS: Final = 10.0
"""A source that gives nothing for so long is not gone: the daemon is told so."""


class _Fault(Struct, frozen=True):
    line: int
    problem: str


class _Summary(Struct, frozen=True):
    lines: int
    requests: int
    requests_skipped: int
    created: int
    updated: int
    deleted: int
    unchanged: int
    faults: int
    stopped: bool
    seconds: float


class _Told(Struct, frozen=True):
    request: ImportedRequest | None = None
    fault: _Fault | None = None
    summary: _Summary | None = None


async def import_source(
    connection: Connection,
    caused: RemoteCaused,
    source: Source,
    options: ImportOptions,
    report: Report,
    progress: Progress,
) -> ImportSummary:
    """Import a file; each transaction and each fault is reported in order.

    Raises:
        DaemonError: the daemon went away; what it had committed stays.
    """
    query = {
        "name": source.name[:255],
        "on_error": options.on_error,
        "object_type": options.object_type,
        "table": "true" if source.form.name == "csv" else None,
    }
    summary: _Summary | None = None
    async with ReadAhead(read_records(source), READ_BATCH, f"read {source.name}") as ahead:
        async for line in connection.exchange(IMPORTS, _pieces(ahead, source, progress), NDJSON, query):
            told = connection.decode(line, _Told)
            if told.request is not None:
                for first, last in told.request.change_ids:
                    caused.take_range(first, last)
                await report(told.request)
            elif told.fault is not None:
                await report(ImportFault(source.name, told.fault.line, told.fault.problem))
            summary = told.summary or summary
    if summary is None:
        raise DaemonError(
            connection.place.url, "did not say how the import ended", "What it had committed stays; import it again."
        )
    return ImportSummary(source=source.name, **msgspec.structs.asdict(summary))


async def _pieces(ahead: "ReadAhead[Record | BadLine]", source: Source, progress: Progress) -> AsyncIterator[bytes]:
    """The records as lines, some at a time."""
    waiting = asyncio.ensure_future(ahead.next_batch())
    try:
        while True:
            done, _ = await asyncio.wait((waiting,), timeout=ALIVE_SECONDS)
            if not done:
                yield b"\n"
                continue
            batch = waiting.result()
            if not batch:
                return
            waiting = asyncio.ensure_future(ahead.next_batch())
            yield b"".join(map(_line, batch))
            progress(source.bytes_read, source.total)
    finally:
        waiting.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await waiting


def _line(item: Record | BadLine) -> bytes:
    if isinstance(item, Record):
        told: dict[str, Any] = {"line": item.line, "value": item.value, "place": item.place}
    else:
        fault = item.fault
        told = {"line": fault.line, "problem": fault.problem, "request_id": item.request_id, "is_end": item.is_end}
    return msgspec.json.encode(told) + b"\n"
