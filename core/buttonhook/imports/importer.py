"""Running an import: a source is read ahead in a thread, its lines become transactions, each is reported.

Lines of a change stream are committed one transaction a request id, each at most once ever; other lines in
batches with a request id of their own. With `on_error="stop"` nothing after a bad line is imported, and
nothing of the transaction it stands in; with "skip" the bad lines are left out.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence

from buttonhook.imports.entries import Item, Preparer, TypeResolver, read_entries
from buttonhook.imports.natural_keys import NaturalKeyLookup
from buttonhook.imports.pipeline import Pipeline
from buttonhook.imports.read_ahead import ReadAhead
from buttonhook.imports.readers import BadLine, Record
from buttonhook.imports.reports import ImportOptions, ImportSummary, Progress, Report
from buttonhook.imports.sources import Source
from buttonhook.objects.transactions import Gateway

READ_BATCH = 200


class Importer:
    """Imports sources through a gateway, one after another."""

    def __init__(
        self,
        gateway: Gateway,
        types: TypeResolver,
        natural_keys: NaturalKeyLookup,
        options: ImportOptions,
    ) -> None:
        self._gateway, self._types, self._natural_keys = gateway, types, natural_keys
        self._options = options

    async def run(self, source: Source, report: Report, progress: Progress | None = None) -> ImportSummary:
        """Import `source` to its end, or to the first fault with `on_error="stop"`.

        When this is cancelled, what was sent is still committed, unreported.

        Raises:
            StoreError: the store failed; what was reported is durable.
        """
        entries = read_entries(source, self._types, self._options.object_type)
        async with ReadAhead(entries, READ_BATCH, f"import {source.name}") as ahead:

            async def batches() -> AsyncIterator[Sequence[Item]]:
                while batch := await ahead.next_batch():
                    yield batch
                    if progress is not None:
                        progress(source.bytes_read, source.total)

            return await self._take_all(batches(), source.name, report, ahead.stop)

    async def run_records(
        self, records: AsyncIterator[Sequence[Record | BadLine]], name: str, report: Report, *, is_table: bool
    ) -> ImportSummary:
        """As `run`, with records that were read elsewhere, some at a time; all are taken, also those not used.

        With `is_table` their values are cells.
        """
        preparer = Preparer(name, self._types, self._options.object_type, is_table=is_table)
        batches = ([preparer.prepare(record) for record in batch] async for batch in records)
        return await self._take_all(batches, name, report, lambda: None)

    async def _take_all(
        self, batches: AsyncIterator[Sequence[Item]], name: str, report: Report, on_stop: Callable[[], None]
    ) -> ImportSummary:
        begun = time.monotonic()
        try:
            async with asyncio.TaskGroup() as tasks:
                pipeline = Pipeline(self._gateway, self._natural_keys, self._options, name, tasks)
                pipeline.on_stop(on_stop)
                tasks.create_task(pipeline.report_all(report), name=f"import {name}")
                async for batch in batches:
                    for item in batch:
                        if pipeline.is_stopped:
                            break
                        await pipeline.take(item)
                await pipeline.finish()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        pipeline.summary.seconds = time.monotonic() - begun
        return pipeline.summary
