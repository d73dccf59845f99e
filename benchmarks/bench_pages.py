"""Pages of lists in a database with very many rows: first, middle and last page, by the reader that the pages use.

The database holds `-n` changes, as many job results and as many log entries, spread over ten types, users and jobs,
and one in 100,000 rows of a rare type, user and job. A page has 50 rows. Lists of changes and of job results are
asked by default order and by each filter that has to be quick at any depth (type, object, user, status, job, time);
log entries are those of one job result with as many lines as a result may keep.

    first_ms, middle_ms, last_ms    the slowest of `--times` readings of that page, through `app.access().history`
    rows                            how many rows the first page had

Bar: 20 ms. What is over it is listed.

    python -m benchmarks.bench_pages [-n 1000000] [--times 5] [--json]
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from benchmarks.command import give, parser, positive, progress, throw_away_folder
from benchmarks.filling import RARE, Filling, fill
from benchmarks.measuring import Figures
from benchmarks.receivers import settings
from buttonhook import App, open_app
from buttonhook.errors import QueryTooSlow
from buttonhook.ids import JobResultStatus, Microseconds
from buttonhook.records import ChangeQuery, ResultQuery

BAR_MS = 20.0
PAGE = 50
LOG_LINES = 10_000
USUAL = "3"

Q = ChangeQuery | ResultQuery
Ask = Callable[[], Awaitable[Sequence[Any]]]


def change_filters(count: int, times: tuple[Microseconds, Microseconds]) -> dict[str, dict[str, Any]]:
    return {
        "default order": {},
        "type": {"object_type": f"bench.device_{USUAL}"},
        "type, rare": {"object_type": f"bench.device_{RARE}"},
        "type, unknown": {"object_type": "bench.none"},
        "object": {"object_type": f"bench.device_{USUAL}", "object_pk": f"fill-{_numbered(count):08d}"},
        "user": {"user_name": f"user-{USUAL}"},
        "user, rare": {"user_name": f"user-{RARE}"},
        "user, unknown": {"user_name": "nobody"},
        "time": {"since": times[0], "until": times[1]},
        "time, none": {"since": Microseconds(2 * times[1])},
        "time and user": {"since": times[0], "until": times[1], "user_name": f"user-{USUAL}"},
        "time and user, rare": {"since": times[0], "until": times[1], "user_name": f"user-{RARE}"},
    }


def result_filters(count: int, times: tuple[Microseconds, Microseconds]) -> dict[str, dict[str, Any]]:
    return {
        **change_filters(count, times),
        "status success": {"status": JobResultStatus.SUCCESS},
        "status failure": {"status": JobResultStatus.FAILURE},
        "status pending": {"status": JobResultStatus.PENDING},
        "job": {"job": f"bench.Job_{USUAL}"},
        "job, rare": {"job": f"bench.Job_{RARE}"},
    }


def _numbered(count: int) -> int:
    """The number of a row of the usual type, near the beginning."""
    return int(USUAL) + 10 * (count // 1000)


async def run(path: Path, count: int, times: int) -> tuple[list[Figures], list[str]]:
    """Fill a database and read its pages."""
    async with open_app(settings=settings(path), load_plugins=False, dispatch=False):
        pass
    await fill(path, Filling(count))
    await fill(path, Filling(1, lines=LOG_LINES))
    async with open_app(settings=settings(path), load_plugins=False, dispatch=False) as app:
        history = app.access().history
        rows = []
        quarter, half = [(await history.get_change(max(1, place))).recorded_at for place in (count // 4, count // 2)]
        lists: tuple[tuple[str, Q, Any, dict[str, dict[str, Any]]], ...] = (
            ("changes", ChangeQuery(limit=PAGE), history.changes, change_filters(count, (quarter, half))),
            ("results", ResultQuery(limit=PAGE), history.results, result_filters(count, (quarter, half))),
        )
        with progress("pages", sum(len(filters) for *_, filters in lists) + 1) as bar:
            for name, empty, ask, filters in lists:
                for label, fields in filters.items():
                    query = msgspec.structs.replace(empty, **fields)
                    rows.append({"list": name, "by": label, **await _pages(ask, query, count, times)})
                    bar.advance(bar.task_ids[0])
            rows.append({"list": "log entries", "by": "default order", **await _log_pages(app, times)})
    return rows, _over(rows)


async def _pages(ask: Any, query: Q, count: int, times: int) -> Figures:
    first, rows = await _slowest(lambda: ask(query), times)
    middle, _ = await _slowest(lambda: ask(msgspec.structs.replace(query, after=count // 2)), times)
    # the last page is read from the other end: the oldest rows, as a list's "last" link asks for them
    last, _ = await _slowest(lambda: ask(msgspec.structs.replace(query, ascending=True)), times)
    return {"first_ms": first, "middle_ms": middle, "last_ms": last, "rows": rows}


async def _log_pages(app: App, times: int) -> Figures:
    history = app.access().history
    result = (await history.results(ResultQuery(limit=1)))[0]
    ids = [entry.id for entry in await history.log_entries(result, limit=LOG_LINES)]
    found = [
        await _slowest(lambda after=after: history.log_entries(result, after, PAGE), times)  # type: ignore[misc]
        for after in (0, ids[len(ids) // 2], ids[-PAGE - 1])
    ]
    return {"first_ms": found[0][0], "middle_ms": found[1][0], "last_ms": found[2][0], "rows": found[0][1]}


async def _slowest(ask: Ask, times: int) -> tuple[float | None, int]:
    """The slowest of several readings in milliseconds and the number of rows; None when the store gave up."""
    slowest, rows = 0.0, 0
    for _ in range(times):
        began = time.monotonic()
        try:
            rows = len(await ask())
        except QueryTooSlow:
            return None, 0
        slowest = max(slowest, time.monotonic() - began)
    return round(slowest * 1000, 2), rows


def _over(rows: Sequence[Figures]) -> list[str]:
    notes = []
    for row in rows:
        for page in ("first", "middle", "last"):
            figure = row[f"{page}_ms"]
            if figure is None or figure > BAR_MS:
                took = "the store gave up" if figure is None else f"{figure:,} ms"
                notes.append(f"Over the bar of {BAR_MS:g} ms: {page} page of {row['list']} by {row['by']}: {took}.")
    return notes


def main() -> None:
    made = parser(__doc__, 1_000_000, "changes, job results and log entries")
    made.add_argument("--times", type=positive, default=5, help="readings of each page")
    options = made.parse_args()
    with throw_away_folder() as folder:
        rows, notes = uvloop.run(run(folder / "pages.db", options.n, options.times))
    give(rows, as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
