"""Import a real change stream with a hook on every change.

`--hooks` says how many of the shipped device-type receivers are enabled: each is hooked on create, update and delete of
both library types, so each change runs one receiver or two, each with its own log. `-n` takes so many lines from the
stream's beginning.

    hooks           job hooks on every change
    changes_s       recorded changes a second, from the first line read to the last job's final status
    results_s       job results a second
    seconds, import_seconds   until the last final status; until the last commit of a change
    lines, changes, results, objects, log_entries, failed   how many there were
    RSS_peak_mb     most memory of the process

Bar: 4,000 changes/s with one hook.

    python -m benchmarks.bench_stream --data devicetype_changes.jsonl.xz [-n 1000000000] [--hooks 1] [--json]
"""

import argparse
import time
from itertools import islice
from pathlib import Path

import uvloop

from benchmarks.command import give, parser, throw_away_folder
from benchmarks.measuring import Figures, resident_mb
from benchmarks.receivers import check_sound, settings
from buttonhook import open_app
from buttonhook.ids import JobResultStatus
from buttonhook.imports.importer import Importer
from buttonhook.imports.reports import ImportOptions
from buttonhook.imports.sources import open_source

JOBS = ("buttonhook_devicetypes.hooks.SlugPolicy", "buttonhook_devicetypes.hooks.SanityCheck")
ALL_LINES = 1_000_000_000


async def run(path: Path, data: Path, hooks: int) -> Figures:
    """One import into a new database, with so many hooks on every change."""
    async with open_app(settings=settings(path)) as app:
        for job in JOBS[:hooks]:
            await app.configuration.enable_job(job)

        async def ignore(_: object) -> None:
            """Reports are counted in the summary."""

        options = ImportOptions(user_name="bench")
        importer = Importer(app, app.registry.get_type, app.find_by_natural_key, options)
        began = time.monotonic()
        with open_source(str(data)) as source:
            summary = await importer.run(source, ignore)
        imported = time.monotonic() - began
        await app.drain()
        seconds = time.monotonic() - began
        await check_sound(app)
        counts = (await app.check()).counts
        return {
            "hooks": hooks,
            "changes_s": round(counts["changes"] / seconds),
            "results_s": round(counts["job results"] / seconds),
            "seconds": round(seconds, 2),
            "import_seconds": round(imported, 2),
            "lines": summary.lines,
            "changes": counts["changes"],
            "results": counts["job results"],
            "objects": counts["objects"],
            "log_entries": counts["log entries"],
            "failed": app.tally.counts[JobResultStatus.FAILURE],
            "RSS_peak_mb": resident_mb(peak=True),
        }


def beginning(data: Path, lines: int, folder: Path) -> Path:
    """The first lines of a stream, in a file of their own."""
    path = folder / "beginning.jsonl"
    with open_source(str(data)) as source, path.open("wb") as file:
        file.writelines(islice(source.stream, lines))
    return path


def main() -> None:
    made = parser(__doc__, ALL_LINES, "lines of the stream, at most")
    made.add_argument("--data", type=existing, required=True, help="a change stream: .jsonl, also .gz or .xz")
    made.add_argument("--hooks", type=int, choices=range(1, len(JOBS) + 1), default=1, help="on every change")
    options = made.parse_args()
    with throw_away_folder() as folder:
        data = options.data if options.n == ALL_LINES else beginning(options.data, options.n, folder)
        figures = uvloop.run(run(folder / "stream.db", data, options.hooks))
    give([figures], as_json=options.json)


def existing(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is no file")
    return Path(text)


if __name__ == "__main__":
    main()
