"""Running an import: a source is read ahead in a thread, its lines become transactions, each is reported.

Lines of a change stream are committed one transaction a request id, each at most once ever; other lines in
batches with a request id of their own. With `on_error="stop"` nothing after a bad line is imported, and
nothing of the transaction it stands in; with "skip" the bad lines are left out.
"""

import asyncio
import time

from buttonhook.imports.entries import Item, TypeResolver, read_entries
from buttonhook.imports.natural_keys import NaturalKeyLookup
from buttonhook.imports.pipeline import Pipeline
from buttonhook.imports.read_ahead import ReadAhead
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
        begun = time.monotonic()
        entries = read_entries(source, self._types, self._options.object_type)
        try:
            async with (
                ReadAhead(entries, READ_BATCH, f"import {source.name}") as ahead,
                asyncio.TaskGroup() as tasks,
            ):
                pipeline = Pipeline(self._gateway, self._natural_keys, self._options, source.name, tasks)
                pipeline.on_stop(ahead.stop)
                tasks.create_task(pipeline.report_all(report), name=f"import {source.name}")
                await _feed(pipeline, ahead, source, progress)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        pipeline.summary.seconds = time.monotonic() - begun
        return pipeline.summary


async def _feed(pipeline: Pipeline, ahead: ReadAhead[Item], source: Source, progress: Progress | None) -> None:
    while batch := await ahead.next_batch():
        for item in batch:
            if pipeline.is_stopped:
                break
            await pipeline.take(item)
        if progress is not None:
            progress(source.bytes_read, source.total)
    await pipeline.finish()
