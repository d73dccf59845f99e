"""Run all benchmarks one after the other, keep their results, write the page.

Each is a process of its own and prints what it measured; its result is kept in benchmarks/results. One that fails is
told at the end, and the others still run. The long form adds the million-row ones.

    python -m benchmarks.suite [--long] [--data STREAM] [--only dispatch,peers] [--results FOLDER]
"""

import argparse
import subprocess
import sys
from pathlib import Path

import msgspec
from rich.console import Console

from benchmarks import report
from benchmarks.command import Result, alike, table

SHORT: dict[str, tuple[str, ...]] = {
    "dispatch": (),
    "ceiling": (),
    "peers": ("-n", "1000", "--rounds", "3"),
    "http": (),
    "stream": (),
    "concurrency": (),
    "idle": (),
    "backlog": ("--counts", "1000,100000"),
    "pages": ("-n", "100000"),
    "ui": ("-n", "100000"),
    "logs": (),
    "scaling": ("-n", "100000"),
    "redaction": (),
}
LONG: dict[str, tuple[str, ...]] = {
    "peers": ("-n", "5000", "--rounds", "5"),
    "backlog": ("--counts", "100000,1000000"),
    "pages": (),
    "ui": (),
    "scaling": ("--backlog", "1000000"),
}

_console = Console(stderr=True)


def run(name: str, words: tuple[str, ...], path: Path) -> bool:
    """Run one benchmark and keep its result; False when it failed."""
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", *words]
    _console.rule(" ".join(["python -m", *command[2:]]))
    ended = subprocess.run([*command, "--json"], stdout=subprocess.PIPE, check=False, cwd=report.HERE.parent)  # noqa: S603
    if ended.returncode:
        return False
    result = msgspec.json.decode(ended.stdout, type=Result)
    path.write_bytes(ended.stdout)
    for rows in alike(result.rows):
        _console.print(table(rows))
    for note in result.notes:
        _console.print(f"- {note}", markup=False)
    return True


def main() -> None:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--long", action="store_true", help="the million-row forms")
    made.add_argument("--data", help="a change stream for bench_stream, which is left out without one")
    made.add_argument("--only", help="names with commas between them")
    made.add_argument("--results", type=Path, default=report.RESULTS, help="where results are kept")
    options = made.parse_args()
    forms = LONG if options.long else SHORT
    failed = []
    options.results.mkdir(parents=True, exist_ok=True)
    for name, words in forms.items():
        if options.only and name not in options.only.split(","):
            continue
        if name == "stream":
            if not options.data:
                _console.print("bench_stream is left out: name a change stream with --data.")
                continue
            words = (*words, "--data", str(Path(options.data).absolute()))  # noqa: PLW2901 - what it needs
        if not run(name, words, options.results / f"{name}{'-long' if options.long else ''}.json"):
            failed.append(name)
    if options.results == report.RESULTS:
        report.write(report.HERE / "README.md", report.RESULTS)
    if failed:
        raise SystemExit(f"These failed: {', '.join(failed)}. The results of the others are kept.")


if __name__ == "__main__":
    main()
