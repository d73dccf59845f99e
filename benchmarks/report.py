"""Write the tables and drawings of benchmarks/README.md from the results of a run in benchmarks/results.

Only what stands between the two marks is replaced.

    python -m benchmarks.report
"""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from benchmarks import drawing
from benchmarks.command import Result, alike, shown
from benchmarks.measuring import Figures

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results"
BEGIN, END = "<!-- figures: written by python -m benchmarks.report -->", "<!-- end of figures -->"
ORDER = (
    "dispatch",
    "ceiling",
    "peers",
    "http",
    "stream",
    "concurrency",
    "idle",
    "backlog",
    "pages",
    "ui",
    "logs",
    "scaling",
    "redaction",
)
NOTHING = "No run is kept here yet. `make bench` makes one.\n"


def read(folder: Path) -> list[Result]:
    """The results in a folder, in the order of the page; the long form of one behind its short form."""
    found = {path.stem: msgspec.json.decode(path.read_bytes(), type=Result) for path in sorted(folder.glob("*.json"))}
    return [found[name] for name in sorted(found, key=_place)]


def page(results: list[Result]) -> str:
    """The figures as Markdown."""
    if not results:
        return NOTHING
    parts = [_pictures(results)]
    for result in results:
        parts.append(f"## {result.benchmark}\n\n`{result.command}`\n")
        parts.append(_circumstances(result))
        parts.extend(markdown(rows) for rows in alike(result.rows))
        parts.append("".join(f"- {note}\n" for note in result.notes))
    return "\n".join(part for part in parts if part)


def markdown(rows: list[Figures]) -> str:
    """One table."""
    names = list(rows[0])
    rules = ["---:" if any(isinstance(row[name], int | float) for row in rows) else ":---" for name in names]
    cells = [[shown(row[name]) for name in names] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in (names, rules, *cells)) + "\n"


def draw(results: list[Result]) -> dict[str, str]:
    """Drawings by file name: those that the results have figures for."""
    dispatch, peers = (_rows(results, name) for name in ("dispatch", "peers"))
    drawings = {}
    series = _throughput(dispatch, peers)
    if series:
        drawings["throughput.svg"] = drawing.lines(
            "Jobs a second by producers", ("producers, each awaiting one after the other", "jobs a second"), series
        )
    latency = [
        (row["system"], row["whole_p50_ms"], row["whole_p99_ms"])
        for row in peers
        if row.get("rate") and row["rate"] > 0
    ]
    if latency:
        rate = next(row["rate"] for row in peers if row.get("rate"))
        drawings["latency.svg"] = drawing.ranges(
            f"From the call to the job's start, at {rate} jobs a second",
            "milliseconds: p50 (small) and p99 (large)",
            latency,
        )
    return drawings


def _throughput(dispatch: list[Figures], peers: list[Figures]) -> dict[str, list[tuple[float, float]]]:
    series: dict[str, list[tuple[float, float]]] = {}
    for row in dispatch:
        if row.get("hooks") == 1:
            series.setdefault("Buttonhook", []).append((row["producers"], row["cycles_s"]))
            series.setdefault("ceiling", []).append((row["producers"], row["alike_s"]))
    for row in peers:
        if row.get("rate") == 0 and row["system"] != "buttonhook":
            series.setdefault(row["system"], []).append((row["producers"], row["jobs_s"]))
    return {name: sorted(points) for name, points in series.items()}


def _rows(results: Iterable[Result], benchmark: str) -> list[Figures]:
    """The rows of the newest form of a benchmark: the long one, where there is one."""
    found = [result.rows for result in results if result.benchmark == benchmark]
    return found[-1] if found else []


def _pictures(results: list[Result]) -> str:
    pictures = {
        "throughput.svg": "Jobs a second by producers, against the ceiling with as many life cycles a commit and peers",
        "latency.svg": "Milliseconds from the call to the job's start",
    }
    drawn = draw(results)
    return "".join(f"![{words}](results/{name})\n\n" for name, words in pictures.items() if name in drawn)


def _circumstances(result: Result) -> str:
    machine = ", ".join(f"{name} {value}" for name, value in result.machine.items())
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    return f"{result.date}; {machine}; {versions}.\n"


def _place(name: str) -> tuple[int, str]:
    short = name.removesuffix("-long")
    return (ORDER.index(short) if short in ORDER else len(ORDER), name)


def write(readme: Path, folder: Path) -> None:
    """Replace the figures of a page.

    Raises:
        SystemExit: the page has no marks.
    """
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"{readme.name} has no place for figures. Write these two lines into it: {BEGIN} {END}")
    before, after = text.split(BEGIN, 1)[0], text.split(END, 1)[1]
    results = read(folder)
    readme.write_text(f"{before}{BEGIN}\n\n{page(results)}\n{END}{after}", encoding="utf-8")
    for name, svg in draw(results).items():
        (folder / name).write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    write(HERE / "README.md", RESULTS)
