"""`buttonhook objects import` and `export`: whole files, with progress."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, Final

import click
import msgspec
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from buttonhook.cli.acting import TYPES, UserApp
from buttonhook.cli.context import Cli, Command, json_option, pass_cli, waiting_options
from buttonhook.cli.output import Output
from buttonhook.cli.running import Writing, reading, run, writing
from buttonhook.cli.scanning import scan
from buttonhook.cli.telling import run_counts
from buttonhook.cli.text import plural
from buttonhook.cli.values import FILTER_FORMS, read_conditions
from buttonhook.errors import ImportFault
from buttonhook.ids import JobResultStatus
from buttonhook.imports.exporter import ExportedObject, export_objects
from buttonhook.imports.reports import ImportedRequest, ImportOptions, ImportSummary
from buttonhook.imports.sources import Source, open_source
from buttonhook.objects.types import ObjectType
from buttonhook.records import ObjectQuery

TOLD_OF_REQUEST: Final = ("request_id", "line_first", "line_last", "changes", "skipped", "unchanged")
FORMATS: Final = "jsonl, json, yaml or csv, each also with .gz or .xz"


@click.command("import", cls=Command)
@click.argument("file", metavar="FILE|-")
@click.option("--type", "object_type", metavar="APP.MODEL", help="The type of lines that name none.")
@click.option("--format", "format_", metavar="FORMAT", help=f"{FORMATS}. [default: by the file's name]")
@click.option(
    "--on-error",
    type=click.Choice(["stop", "skip"]),
    default="stop",
    show_default=True,
    help="At a bad line: import nothing behind it, or leave it out.",
)
@waiting_options
@json_option
@pass_cli
def import_objects(cli: Cli, /, file: str, **given: Any) -> int:
    """Import objects from a file.

    The file holds objects or a stream of changes; - is standard input. Ends with 1 when a line was bad; what was
    imported stays. A request id that was recorded before is skipped, so the same command goes on where an import was
    cut off.

    JSON: a line for each request after its commit {request_id, line_first, line_last, changes, skipped, unchanged}, a
    line for each fault {source, line, problem}, at the end {"summary": {...}}.
    """
    return run(_import(cli, file, given))


async def _import(cli: Cli, file: str, given: dict[str, Any]) -> int:
    with open_source(file, given["format_"]) as source:
        async with writing(cli, creates=True, sees=TYPES) as current:
            current.tells_runs = False
            app = current.app
            options = ImportOptions(
                user_name=app.user.username, on_error=given["on_error"], object_type=given["object_type"]
            )
            if options.object_type is not None:
                app.registry.get_type(options.object_type)
            started = asyncio.get_running_loop().time()
            with _Display(current, source) as display:
                summary = await app.import_source(source, options, display.report, display.progress)
            await current.settle()
            counts = await app.caused.counts()
            _tell_summary(current.out, counts, summary, display.unchanged, asyncio.get_running_loop().time() - started)
            current.exit_code = 1 if summary.faults else 0
        return current.exit_code


class _Display:
    """What is shown while an import goes on."""

    def __init__(self, current: Writing, source: Source) -> None:
        self._current, self._out, self._source = current, current.out, source
        self._changes = 0
        self.unchanged = 0
        """Requests that are recorded and changed nothing."""
        self._task = TaskID(0)
        self._bar: Progress = self._out.progress(
            TextColumn("{task.fields[name]}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}", markup=False),
        )

    def __enter__(self) -> "_Display":
        name = self._source.name
        self._task = self._bar.add_task("", total=self._source.total, name=name, figures="")
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    async def report(self, item: ImportedRequest | ImportFault) -> None:
        """Take one transaction that is durable now, or one fault."""
        if isinstance(item, ImportedRequest):
            self._changes += item.changes
            self.unchanged += not item.changes and not item.skipped
            if self._out.is_json:
                self._out.json_line({name: getattr(item, name) for name in TOLD_OF_REQUEST})
        elif self._out.is_json:
            self._out.json_line({"source": item.source, "line": item.line, "problem": item.problem})
            self._out.fail(str(item))
        else:
            self._out.fail(str(item))

    def progress(self, bytes_read: int, _: int | None) -> None:
        elapsed = self._bar.tasks[0].elapsed or 0
        rate = f", {self._changes / elapsed:,.0f}/s" if elapsed > 1 else ""
        app = self._current.app
        jobs = "" if app.caused.done is None else f", {app.caused.done:,} jobs"
        figures = f"{self._changes:,} changes{rate}{jobs}"
        self._bar.update(self._task, completed=bytes_read, figures=figures)


def _tell_summary(
    out: Output, counts: Counter[JobResultStatus], summary: ImportSummary, unchanged: int, seconds: float
) -> None:
    changes = summary.created + summary.updated + summary.deleted
    rate = changes / seconds if seconds else 0.0
    if out.is_json:
        jobs = {status.value: count for status, count in sorted(counts.items())}
        figures = {
            "changes": changes,
            "requests_unchanged": unchanged,
            "jobs": jobs,
            "seconds_with_jobs": seconds,
            "changes_per_second": rate,
        }
        out.json_line({"summary": {**msgspec.structs.asdict(summary), **figures}})
        return
    by_action = f"{summary.created:,} create, {summary.updated:,} update, {summary.deleted:,} delete"
    without = f", {unchanged:,} of them without a change" if unchanged else ""
    skipped = f", {summary.requests_skipped:,} skipped: recorded already" if summary.requests_skipped else ""
    out.line(f"Imported {summary.source}: {plural(changes, 'change')} from {plural(summary.lines, 'line')}", "bold")
    pairs = [
        ("changes", f"{changes:,} ({by_action})"),
        ("unchanged", f"{summary.unchanged:,}"),
        ("requests", f"{summary.requests:,} recorded{without}{skipped}"),
        ("jobs", run_counts(counts)),
        ("time", f"{summary.seconds:.2f} s, with the jobs {seconds:.2f} s ({rate:,.0f} changes/s)"),
    ]
    if summary.faults:
        stopped = "; stopped there, what was imported stays" if summary.stopped else "; left out"
        pairs.append(("faults", f"{summary.faults:,}{stopped}"))
    out.fields(pairs)


@click.command("export", cls=Command)
@click.argument("object_types", metavar="APP.MODEL...", nargs=-1, required=True)
@click.option("-o", "--output", "file", metavar="FILE", default="-", help="[default: standard output]")
@click.option("--format", "format_", metavar="FORMAT", help=f"{FORMATS}. [default: by the file's name, else jsonl]")
@click.option("--where", "filters", metavar="FILTER", multiple=True, help=f"Only those: {FILTER_FORMS}; repeatable.")
@pass_cli
def export(cli: Cli, /, object_types: tuple[str, ...], **given: Any) -> None:
    """Export objects to a file.

    It holds all objects of these types, in a form that 'import' reads.
    """
    run(_export(cli, object_types, given))


async def _export(cli: Cli, object_types: tuple[str, ...], given: dict[str, Any]) -> None:
    async with reading(cli, sees=TYPES) as app:
        queries: list[tuple[ObjectType, ObjectQuery]] = []
        for name in dict.fromkeys(object_types):
            type_ = app.registry.get_type(name)
            query = ObjectQuery(
                object_type=name, conditions=read_conditions(given["filters"], type_, app.registry.find_type)
            )
            queries.append((type_, query))
        with cli.out.progress(TextColumn("{task.description}", markup=False)) as bar:
            row = bar.add_task("Exporting")

            def progress(count: int) -> None:
                bar.update(row, description=f"Exporting: {plural(count, 'object')}")

            cli.out.flush()
            stdout = cli.out.binary if given["file"] == "-" else None
            found = _all_objects(app, queries)
            count = await export_objects(found, given["file"], given["format_"], stdout, progress)
        if given["file"] != "-":
            cli.out.line(f"Exported {plural(count, 'object')} to {given['file']}")


async def _all_objects(app: UserApp, queries: list[tuple[ObjectType, ObjectQuery]]) -> AsyncIterator[ExportedObject]:
    """As they are read: those that a plugin mends are written out mended, so that they can be imported again."""
    for type_, query in queries:
        async for stored in scan(app, query):
            yield stored.object_type, stored.pk, app.read(stored, type_).document
