"""Pages of the web UI with very many rows: how long the daemon takes to make each, without the network.

The database holds `-n` changes, as many job results and as many log entries, spread over ten types, users and jobs,
and one in 100,000 rows of a rare type, user and job; besides a run whose tree of causes has a thousand changes and
runs, and a change of a long document. Each page of `PAGES` is asked of the application itself, as its owner or as
somebody who may see the rare type only; filters that no index helps, and those that fit nothing, are among them.

    median_ms, slowest_ms    of `--times` askings, after one that is not counted
    kb                       how much HTML it is

Bar: a median of 50 ms. What is over it is listed. A page that only goes on looking when somebody asks it to is no page
of this list: `/changes?...&far=yes` may take two seconds.

    python -m benchmarks.bench_ui [-n 1000000] [--times 9] [--only changes] [--database FILE] [--json]
"""

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvloop
from msgspec import Struct

from benchmarks.command import give, parser, positive, progress, throw_away_folder
from benchmarks.filling import RARE, Filling, fill, plant
from benchmarks.measuring import Figures
from benchmarks.receivers import settings
from buttonhook import App, open_app
from buttonhook.http.application import make_application
from buttonhook.http.daemon import Daemon
from buttonhook.records import ChangeQuery, ResultQuery

BAR_MS = 50.0
USUAL = "3"
OTHER = "4"
LIMITED = "limited"
"""Who may see the rare type only."""


class Page(Struct, frozen=True):
    """A page to be asked; what stands in braces in its path is filled in by `places_of`."""

    name: str
    path: str
    user: str = ""


PAGES = (
    Page("changes", "/changes"),
    Page("changes, middle", "/changes?until={half}"),
    Page("changes by type", "/changes?object_type={type}"),
    Page("changes by type, rare", "/changes?object_type={rare_type}"),
    Page("changes by type, unknown", "/changes?object_type=bench.none"),
    Page("changes by object", "/changes?object_type={type}&object_pk={pk}"),
    Page("changes by user", "/changes?user={user}"),
    Page("changes by user, rare", "/changes?user=user-{rare}"),
    Page("changes by user, unknown", "/changes?user=nobody"),
    Page("changes by request", "/changes?request_id={request}"),
    Page("changes by request, unknown", "/changes?request_id=none"),
    Page("changes by run", "/changes?cause={result}"),
    Page("changes by action", "/changes?action=create"),
    Page("changes by action, none", "/changes?action=delete"),
    Page("changes by way", "/changes?context=app"),
    Page("changes by way, none", "/changes?context=webhook"),
    Page("changes by action and way, none", "/changes?action=delete&context=webhook"),
    Page("changes by action and type, none", "/changes?action=delete&object_type={type}"),
    Page("changes by type and user, none", "/changes?object_type={type}&user=user-{other}"),
    Page("changes by all, none", "/changes?object_type={type}&user={user}&action=update&context=cli&period=week"),
    Page("changes by period", "/changes?period=hour"),
    Page("changes by time", "/changes?since={quarter}&until={half}"),
    Page("changes by time and action, none", "/changes?since={quarter}&until={half}&action=delete"),
    Page("changes by time, none", "/changes?until=2020-01-01T00:00"),
    Page("changes, new ones", "/changes/new?after={before_last}"),
    Page("changes, new ones, none fit", "/changes/new?after=0&action=delete"),
    Page("changes, limited", "/changes", LIMITED),
    Page("changes by action, limited", "/changes?action=delete", LIMITED),
    Page("change", "/changes/{change}"),
    Page("change, oldest", "/changes/1"),
    Page("change, then and now", "/changes/{change}/now"),
    Page("change, documents", "/changes/{change}/documents"),
    Page("change, what it caused", "/changes/{change}/caused"),
    Page("change of a long document", "/changes/{long}"),
    Page("causes of a change", "/changes/{change}/causes"),
    Page("causes of a result", "/results/{result}/causes"),
    Page("causes, 1,000 of them", "/results/{root}/causes"),
    Page("object types", "/objects"),
    Page("objects by type", "/objects/{type}"),
    Page("objects by name", "/objects/{type}?q=fill-0000"),
    Page("objects, search", "/search?q=fill-0000"),
    Page("object", "/objects/{type}/{pk}"),
    Page("object, change log", "/objects/{type}/{pk}/changes"),
    Page("object, job results", "/objects/{type}/{pk}/results"),
    Page("object, referrers", "/objects/{type}/{pk}/referrers"),
    Page("object, edit", "/objects/{type}/{pk}/edit"),
    Page("results", "/results"),
    Page("results by status, none", "/results?status=failure&user={user}"),
    Page("results by type", "/results?object_type={type}"),
    Page("results by type and user, none", "/results?object_type={type}&user=user-{other}"),
    Page("results by user, rare", "/results?user=user-{rare}"),
    Page("results by job, rare", "/results?job=bench.Job_{rare}"),
    Page("results by change", "/results?change={change}"),
    Page("results, limited", "/results", LIMITED),
    Page("results by time", "/results?since={quarter}&until={half}"),
    Page("result", "/results/{result}"),
    Page("result, log", "/results/{result}/logs"),
    Page("dashboard", "/"),
    Page("dashboard, now", "/dashboard/now"),
    Page("jobs", "/jobs"),
    Page("job hooks", "/hooks"),
    Page("job buttons", "/buttons"),
    Page("users", "/users"),
    Page("groups", "/groups"),
    Page("permissions", "/permissions"),
    Page("tokens", "/tokens"),
    Page("sources", "/sources"),
    Page("plugins", "/plugins"),
    Page("settings", "/settings"),
    Page("audit log", "/audit"),
)
"""A page of its own gets its line here."""


async def places_of(app: App, count: int, planted: dict[str, str]) -> dict[str, str]:
    """What the paths are filled in with."""
    history = app.access().history
    kind = count // 10 * 10 - 10 + int(USUAL)  # a late one of the usual kind
    place = max(1, kind if kind % 10 == int(USUAL) else count)
    (change,) = await history.changes(ChangeQuery(object_type=f"bench.device_{USUAL}", after=place + 1, limit=1))
    (result,) = await history.results(ResultQuery(change_id=change.id, limit=1))
    quarter, half = [(await history.get_change(max(1, each))).recorded_at for each in (count // 4, count // 2)]
    return {
        "type": change.object_type,
        "rare_type": f"bench.device_{RARE}",
        "rare": RARE,
        "other": OTHER,
        "pk": change.object_pk,
        "user": change.user_name,
        "request": change.request_id,
        "change": str(change.id),
        "before_last": str(max(0, count - 20)),
        "result": result.id,
        "quarter": _moment(quarter),
        "half": _moment(half),
        **planted,
    }


def _moment(microseconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(microseconds / 1_000_000))


class Asking:
    """The application of a daemon, asked without a network."""

    def __init__(self, app: App) -> None:
        self._daemon = Daemon(app)
        self._application: Any = make_application(self._daemon)

    async def ask(self, path: str, user: str) -> tuple[int, int, float]:
        """The status, the bytes and the seconds of one page."""
        route, _, query = path.partition("?")
        headers = {
            "host": "127.0.0.1",
            "accept": "text/html",
            "authorization": f"Bearer {self._daemon.own_token}",
            "buttonhook-user": user,
        }
        if route in ("/changes/new", "/dashboard/now") or route.endswith("/caused"):
            headers["x-fragment"] = "1"
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": route,
            "raw_path": route.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.encode(), text.encode()) for name, text in headers.items()],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8440),
            "state": {},
        }
        status, size = 0, 0

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, size
            status = message.get("status", status)
            size += len(message.get("body", b""))

        began = time.perf_counter()
        await self._application(scope, receive, send)
        return status, size, time.perf_counter() - began


async def run(path: Path, count: int, times: int, only: str = "") -> tuple[list[Figures], list[str]]:
    """Ask every page of a database."""
    rows: list[Figures] = []
    async with open_app(settings=settings(path), load_plugins=False, dispatch=False) as app:
        places = await places_of(app, count, await planted(app))
        asking = Asking(app)
        pages = [each for each in PAGES if each.name.startswith(only)]
        with progress("pages", len(pages)) as bar:
            for page in pages:
                filled = page.path.format(**{name: quote(text, safe="") for name, text in places.items()})
                rows.append(await _measured(asking, page, filled, times))
                bar.advance(bar.task_ids[0])
    return rows, _notes(rows)


async def make(path: Path, count: int) -> None:
    """Make the database."""
    async with open_app(settings=settings(path), load_plugins=False, dispatch=False) as app:
        await app.administration.add_user(LIMITED)
        seen = ["jobs.view_objectchange", "jobs.view_jobresult", f"bench.view_device_{RARE}"]
        await app.administration.grant(seen, users=[LIMITED])
    await fill(path, Filling(count))
    await plant(path)


async def planted(app: App) -> dict[str, str]:
    """Where the tree and the long document are."""
    history = app.access().history
    (root,) = await history.results(ResultQuery(object_type="bench.root", limit=1, ascending=True))
    (long,) = await history.changes(ChangeQuery(object_type="bench.long", limit=1))
    return {"root": root.id, "long": str(long.id)}


async def _measured(asking: Asking, page: Page, path: str, times: int) -> Figures:
    taken = []
    user = page.user or settings(Path()).user or ""
    status, size, _ = await asking.ask(path, user)
    for _ in range(times):
        _, _, seconds = await asking.ask(path, user)
        taken.append(seconds * 1000)
    return {
        "page": page.name,
        "median_ms": round(statistics.median(taken), 2),
        "slowest_ms": round(max(taken), 2),
        "kb": round(size / 1000),
        "status": str(status),
    }


def _notes(rows: Sequence[Figures]) -> list[str]:
    over = [
        f"Over the bar of {BAR_MS:g} ms: {row['page']}: {row['median_ms']:,} ms."
        for row in rows
        if float(row["median_ms"] or 0) > BAR_MS
    ]
    refused = [f"Not a page: {row['page']} answered {row['status']}." for row in rows if row["status"] != "200"]
    return [*over, *refused]


def main() -> None:
    made = parser(__doc__, 1_000_000, "changes and job results")
    made.add_argument("--times", type=positive, default=9, help="how often each page is asked")
    made.add_argument("--only", default="", help="only pages whose name begins so")
    made.add_argument("--database", type=Path, help="keep the database in this file, or use the one that is there")
    options = made.parse_args()
    with throw_away_folder() as folder:
        path = options.database or folder / "ui.db"
        if not path.exists():
            uvloop.run(make(path, options.n))
        rows, notes = uvloop.run(run(path, options.n, options.times, options.only))
    give(rows, as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
