"""The benchmarks: each runs, says in its docstring what it measures, and compares with what it says."""

import ast
import asyncio
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest

from benchmarks import bench_peers, ceiling, report, servers
from benchmarks.bench_dispatch import Producing
from benchmarks.bench_pages import run as read_pages
from benchmarks.bench_scaling import sizes
from benchmarks.command import Result
from benchmarks.filling import Filling, fill
from benchmarks.measuring import alternating, median_row, quantile, with_spread
from benchmarks.receivers import hooked_app, noops, settings
from buttonhook import open_app

CYCLES = 12
STREAM_LINE = {
    "request_id": "6f9b1c9a-0000-4000-8000-00000000000",
    "user_name": "ann",
    "time": "2026-01-01T00:00:00Z",
    "action": "create",
    "object_type": "dcim.manufacturer",
}
SMALL = {
    "dispatch": "-n 40 --producers 2 --hooks 0,1 --rates 400 --rounds 1",
    "ceiling": "-n 20 --batches 1,8 --hooks 1 --rounds 1",
    "concurrency": "-n 20",
    "idle": "-n 1",
    "backlog": "-n 60 --killed-after 5",
    "pages": "-n 300 --times 1",
    "ui": "-n 300 --times 1 --only change",
    "logs": "-n 400 --normal 10 --rate 500",
    "scaling": "-n 50 --cycles 64 --hooks 20 --backlog 40 --rounds 1",
    "peers": "--only buttonhook -n 20 --producers 2 --rate 200 --rounds 1",
    "stream": "-n 3",
    "http": "-n 20 --connections 2 --rounds 1 --client asyncio",
}
VARIED = {"benchmark", "rounds", "size"}
"""What a row says besides measures."""


def run_small(name: str, root: Path, words: list[str]) -> Result:
    """Run a benchmark as its command line does."""
    command = [sys.executable, "-m", f"benchmarks.bench_{name}", *SMALL[name].split(), *words, "--json"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
    return msgspec.json.decode(ended.stdout, type=Result)


def docstring(name: str, root: Path) -> str:
    tree = ast.parse((root / "benchmarks" / f"bench_{name}.py").read_text(encoding="utf-8"))
    return ast.get_docstring(tree) or ""


@pytest.mark.parametrize("name", SMALL)
def test_each_benchmark_runs_small_and_lists_its_measures(name: str, root_dir: Path, tmp_path: Path):
    words = []
    if name == "stream":
        lines = [
            {**STREAM_LINE, "request_id": f"{STREAM_LINE['request_id']}{number}", "object_id": str(number)}
            | {"after": {"name": f"Maker {number}", "slug": f"maker-{number}"}}
            for number in range(5)
        ]
        (tmp_path / "small.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        words = ["--data", str(tmp_path / "small.jsonl")]
    result = run_small(name, root_dir, words)
    assert result.benchmark == name
    assert result.rows
    measures = {key for row in result.rows for key in row if isinstance(row[key], int | float)}
    described = docstring(name, root_dir)
    assert {
        key for key in measures - VARIED if key.removesuffix("_least").removesuffix("_most") not in described
    } == set()
    assert str(tmp_path) not in json.dumps(msgspec.to_builtins(result))


def test_every_benchmark_is_run_by_make_bench_and_listed_on_the_page(root_dir: Path):
    names = {path.stem.removeprefix("bench_") for path in (root_dir / "benchmarks").glob("bench_*.py")}
    page = (root_dir / "benchmarks" / "README.md").read_text(encoding="utf-8")
    from benchmarks.suite import LONG, SHORT

    assert set(SHORT) == names
    assert set(LONG) <= names
    assert {name for name in names if f"`python -m benchmarks.bench_{name}`" not in page} == set()
    assert set(report.ORDER) == names


# --- the ceiling ----------------------------------------------------------------------------------


async def test_the_ceiling_writes_the_very_rows_of_life_cycles(tmp_path: Path):
    hooks = 2
    async with hooked_app(tmp_path / "product.db", noops(hooks)) as app:
        await Producing(app).many(CYCLES)
        await app.drain()
    await asyncio.to_thread(ceiling.life_cycles_a_second, tmp_path / "ceiling.db", CYCLES, 5, hooks)
    product, raw = (measure_tables(tmp_path / f"{name}.db") for name in ("product", "ceiling"))
    assert product["object"]["rows"] == CYCLES
    assert product["job_log_entry"]["rows"] == CYCLES * hooks * 4
    assert raw == product


def measure_tables(path: Path) -> dict[str, dict[str, Any]]:
    """For each table how many rows it has, and for each column how many characters; numbers as their kind."""
    connection = sqlite3.connect(path)
    tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found: dict[str, dict[str, Any]] = {}
    for table in sorted(set(tables) - {"config"}):
        chosen = "WHERE object_type = 'bench.device'" if table == "object_change" else ""
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        found[table] = {"rows": connection.execute(f"SELECT count(*) FROM {table} {chosen}").fetchone()[0]}
        for column in columns:
            if column == "change_ids":  # a list of one number, whose digits grow with what was recorded before
                continue
            size = f"CASE typeof({column}) WHEN 'text' THEN length({column}) ELSE typeof({column}) END"
            found[table][column] = sorted(
                map(str, (row[0] for row in connection.execute(f"SELECT {size} FROM {table} {chosen}")))
            )
    for pragma in ("application_id", "auto_vacuum", "journal_mode", "page_size"):
        found[pragma] = {"value": connection.execute(f"PRAGMA {pragma}").fetchone()[0]}
    connection.close()
    return found


# --- what it stands on ----------------------------------------------------------------------------


async def test_filled_databases_are_sound(tmp_path: Path):
    path = tmp_path / "filled.db"
    async with hooked_app(path, noops(1)) as app:
        hook = app.configuration.get_hook("noop-0")
    await fill(path, Filling(9000, lines=2))
    await fill(path, Filling(30, hook))
    async with open_app(settings=settings(path), load_plugins=False, dispatch=False) as app:
        checked = await app.check()
    assert checked.problems == []
    assert checked.counts["changes"] >= 9030
    assert checked.counts["waiting job results"] == 30
    assert checked.counts["log entries"] == 18000


async def test_a_page_over_the_bar_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.bench_pages.BAR_MS", 0.0)
    _, notes = await read_pages(tmp_path / "pages.db", 200, 1)
    assert any(note.startswith("Over the bar of 0 ms: last page of log entries by default order: ") for note in notes)


def test_quantiles_are_values_that_were_measured():
    assert quantile([], 0.99) == 0.0
    assert quantile([5.0], 0.5) == 5.0
    assert quantile(range(1, 101), 0.5) == 50
    assert quantile(range(1, 101), 0.99) == 99


def test_rounds_take_turns_and_the_median_row_counts():
    turns: list[str] = []

    def one(name: str) -> dict[str, Any]:
        turns.append(name)
        return {"figure": len(turns), "name": name}

    found = alternating(3, {"a": lambda: one("a"), "b": lambda: one("b")})
    assert turns == ["a", "b", "b", "a", "a", "b"]
    assert median_row(found["a"], "figure")["figure"] == 4
    assert with_spread(found["b"], "figure")["figure_least"] == 2


def test_sizes_grow_tenfold_up_to_the_most():
    assert sizes(1_000_000) == [1_000, 10_000, 100_000, 1_000_000]
    assert sizes(50) == [50]


# --- peers ----------------------------------------------------------------------------------------


def test_a_server_that_is_not_installed_is_missing_with_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(servers.Missing, match="apt install redis-server"), servers.redis_server(tmp_path):
        pass


def test_a_peer_that_cannot_be_had_is_said_to_be_missing_and_the_others_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    own, saq = bench_peers.CONTENDERS[0], bench_peers.CONTENDERS[1]
    absent = msgspec.structs.replace(saq, packages=())
    found, notes = bench_peers.available([own, absent], tmp_path)
    assert list(found) == ["buttonhook"]
    assert notes == ["Missing: saq, because there is no redis-server; on Debian and Ubuntu: apt install redis-server."]


# --- the page -------------------------------------------------------------------------------------

DISPATCH = [
    {"producers": producers, "hooks": 1, "cycles_s": 900 * producers, "alike_s": 3000 * producers}
    for producers in (1, 8, 64)
]
PEERS = [
    {"system": system, "producers": producers, "rate": rate, "jobs_s": 100, "whole_p50_ms": 1.5, "whole_p99_ms": 20.0}
    for system in ("buttonhook", "saq")
    for producers, rate in ((1, 0), (8, 0), (1, 100))
]


def kept(folder: Path, name: str, rows: list[dict[str, Any]], notes: list[str]) -> None:
    result = Result(
        benchmark=name, command=f"python -m benchmarks.bench_{name}", date="2026-01-01", rows=rows, notes=notes
    )
    (folder / f"{name}.json").write_bytes(msgspec.json.encode(result))


def test_the_page_is_written_between_its_marks_with_drawings(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Before\n\n{report.BEGIN}\nold\n{report.END}\n\nAfter\n")
    kept(tmp_path, "peers", PEERS, ["Missing: celery, because of <this>."])
    kept(tmp_path, "dispatch", DISPATCH, [])
    report.write(readme, tmp_path)
    report.write(readme, tmp_path)
    text = readme.read_text()
    assert text.startswith(f"# Before\n\n{report.BEGIN}\n")
    assert text.endswith(f"{report.END}\n\nAfter\n")
    assert "old" not in text
    assert "| 64 | 1 | 57,600 | 192,000 |" in text
    assert "- Missing: celery, because of <this>." in text
    assert text.index("## dispatch") < text.index("## peers")
    words = {
        name: "".join(ET.parse(tmp_path / name).getroot().itertext()) for name in ("throughput.svg", "latency.svg")
    }
    assert "ceiling 192,000" in words["throughput.svg"]
    assert "saq 100" in words["throughput.svg"]
    assert "1.520" in "".join(words["latency.svg"].split())
    assert "buttonhook" in words["latency.svg"]


def test_a_page_without_marks_is_left_as_it_is(tmp_path: Path):
    readme = tmp_path / "README.md"
    readme.write_text("# Mine\n")
    with pytest.raises(SystemExit, match="no place for figures"):
        report.write(readme, tmp_path)
    assert readme.read_text() == "# Mine\n"
