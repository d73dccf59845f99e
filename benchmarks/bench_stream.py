"""Import a real change stream with a hook on every change.

The shipped device-type receivers are enabled and hooked on create, update and delete of both library types, so each
change runs two receivers, each with its own log.

    changes_s       recorded changes a second, from the first line read to the last job's final status
    results_s       job results a second
    lines, changes, results, objects, failed

    python -m benchmarks.bench_stream --data devicetype_changes.jsonl.xz [--json]
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import uvloop

from buttonhook import open_app
from buttonhook.ids import JobResultStatus
from buttonhook.imports.importer import Importer
from buttonhook.imports.reports import ImportOptions
from buttonhook.imports.sources import open_source

JOBS = ("buttonhook_devicetypes.hooks.SlugPolicy", "buttonhook_devicetypes.hooks.SanityCheck")


async def run(path: Path, data: Path) -> dict[str, Any]:
    """One import into a new database."""
    async with open_app(str(path)) as app:
        for job in JOBS:
            await app.configuration.enable_job(job)

        async def ignore(_: object) -> None:
            """Reports are counted in the summary."""

        options = ImportOptions(user_name="bench")
        importer = Importer(app, app.registry.get_type, app.find_by_natural_key, options)
        began = time.perf_counter()
        with open_source(str(data)) as source:
            summary = await importer.run(source, ignore)
        imported = time.perf_counter() - began
        await app.drain()
        seconds = time.perf_counter() - began
        report = await app.check()
        if report.problems or report.counts["waiting job results"]:
            raise SystemExit(f"the database is not sound: {report}")
        changes, results = report.counts["changes"], report.counts["job results"]
        return {
            "changes_s": round(changes / seconds),
            "results_s": round(results / seconds),
            "seconds": round(seconds, 2),
            "import_seconds": round(imported, 2),
            "lines": summary.lines,
            "changes": changes,
            "results": results,
            "objects": report.counts["objects"],
            "log_entries": report.counts["log entries"],
            "failed": app.tally.counts[JobResultStatus.FAILURE],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description="Import a real change stream with hooks on every change.")
    parser.add_argument("--data", type=Path, required=True, help="a change stream: .jsonl, also .gz or .xz")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = uvloop.run(run(Path(folder, "stream.db"), options.data))
    if options.json:
        json.dump(figures, sys.stdout, indent=1)
    else:
        print("  ".join(f"{name} {value:,}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
