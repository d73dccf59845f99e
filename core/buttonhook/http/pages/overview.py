"""What stands at the moment, as one user may see it: what runs, what failed, what waits for what, the hour in charts.

Every question goes by an index and has a limit, and the figures of the hour are kept counted, so a page costs the same
however many rows there are.
"""

import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import anyio
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.http.daemon import Daemon
from buttonhook.http.last_hour import MINUTES, Figures, LastHour
from buttonhook.http.pages.charts import Chart, Series, lines, stacked
from buttonhook.ids import JobResultStatus, Microseconds, now
from buttonhook.log_search import LogQuery
from buttonhook.objects.keys import object_permission
from buttonhook.permissions import VIEW, missing
from buttonhook.receivers.user import User
from buttonhook.records import Job, JobLogEntry, JobResult, ResultQuery

MOST_RUNNING: Final = 8
MOST_FAILED: Final = 6
MOST_WAITING: Final = 100
MOST_LANES: Final = 10
MOST_READ: Final = 1000
"""Of results that somebody may not see no more are looked at."""
SEE_METRICS: Final = "see metrics"
ENDS: Final = ("60 min ago", "45", "30", "15", "now")
MOMENTS: Final = ("this minute", *(f"{each} min ago" for each in range(1, MINUTES)))[::-1]
STATUSES: Final = (("success", "success"), ("failure", "failure"), ("retry", "to be retried"), ("revoked", "revoked"))
ACTIONS: Final = (("create", "created"), ("update", "updated"), ("delete", "deleted"))


class Running(Struct, frozen=True):
    """A run that goes on, and the last line it logged."""

    result: JobResult
    line: JobLogEntry | None


class Lane(Struct, frozen=True):
    """Results that wait one behind the other, or on their own; `head` is what they wait for."""

    first: JobResult
    count: int
    users: Sequence[str]
    head: JobResult | None
    why: str


class Health(Struct, frozen=True, kw_only=True):
    """How the daemon stands; the sizes are in bytes, and None for who may not see them."""

    trouble: str
    version: str
    began_at: Microseconds
    free_bytes: int | None = None
    whole_bytes: int = 0
    database_bytes: int = 0
    wal_bytes: int = 0
    feeds: int = 0
    stuck: Sequence[str] = ()
    broken: Sequence[str] | None = ()
    """Names of plugins that did not load whole, of those that the user may see; None where they may see none."""
    uninstalled: Sequence[tuple[str, int]] = ()
    """Jobs that are not installed, and how many results wait for each."""


class Overview(Struct, frozen=True, kw_only=True):
    """All of the dashboard. `has_more_...`: there is more than is listed."""

    running: Sequence[Running]
    has_more_running: bool
    failed: Sequence[JobResult]
    waiting: int
    has_more_waiting: bool
    lanes: Sequence[Lane]
    charts: Sequence[Chart]
    totals: Sequence[tuple[str, int]]
    left_out: Sequence[str]
    """Object types that are not in the charts, since the user may see only some of their objects."""
    counted_since: Microseconds | None
    health: Health


async def look(access: Access, daemon: Daemon) -> Overview:
    """Look at everything once."""
    running = await _results(access, JobResultStatus.STARTED, MOST_RUNNING + 1, ascending=True)
    waiting = await _results(access, JobResultStatus.PENDING, MOST_WAITING + 1, ascending=True)
    retries = await _results(access, JobResultStatus.RETRY, MOST_LANES, ascending=True)
    failed = await _results(access, JobResultStatus.FAILURE, MOST_FAILED, ascending=False)
    await daemon.last_hour.look_up(daemon.app.reader)
    shown = [Running(each, await _last_line(access, each)) for each in running[:MOST_RUNNING]]
    figures, left_out = _figures(access.user, daemon.last_hour)
    is_whole = daemon.last_hour.whole_since <= now() - MINUTES * 60_000_000
    return Overview(
        running=shown,
        has_more_running=len(running) > MOST_RUNNING,
        failed=failed,
        waiting=min(len(waiting), MOST_WAITING) + len(retries),
        has_more_waiting=len(waiting) > MOST_WAITING,
        lanes=_lanes([*waiting[:MOST_WAITING], *retries], running, daemon),
        charts=_charts(figures),
        totals=_totals(figures),
        left_out=left_out,
        counted_since=None if is_whole else daemon.last_hour.whole_since,
        health=await _health(access, daemon),
    )


async def _results(access: Access, status: JobResultStatus, limit: int, *, ascending: bool) -> list[JobResult]:
    query = ResultQuery(status=status, limit=limit, ascending=ascending)
    return await access.history.results(query, most_read=MOST_READ)


async def _last_line(access: Access, result: JobResult) -> JobLogEntry | None:
    """The last line of a run, None where it has none or its log may not be seen."""
    query = LogQuery(results=ResultQuery(numbers=(result.number,)), limit=1)
    found = await access.history.find_log_entries(query)
    return found[0][0] if found else None


# --- what waits -----------------------------------------------------------------------------------


def _lanes(waiting: Sequence[JobResult], running: Sequence[JobResult], daemon: Daemon) -> list[Lane]:
    """What waits by lane, the one that waits longest first."""
    groups: dict[str, list[JobResult]] = {}
    for each in waiting:
        groups.setdefault(each.lane or f"alone {each.number}", []).append(each)
    heads = {each.lane: each for each in running if each.lane is not None}
    heads |= {each.lane: each for each in waiting if each.lane is not None and each.status is JobResultStatus.RETRY}
    made = []
    for members in sorted(groups.values(), key=lambda each: each[0].number)[:MOST_LANES]:
        first = members[0]
        head = heads.get(first.lane) if first.lane is not None else None
        users = list(dict.fromkeys(each.user_name for each in members))
        made.append(Lane(first, len(members), users, head, _why(first, head, daemon)))
    return made


def _why(first: JobResult, head: JobResult | None, daemon: Daemon) -> str:
    """What a result waits for, where it is not another one."""
    if first.status is JobResultStatus.RETRY:
        return "retry"
    if first.job not in daemon.app.registry.receivers:
        return "not installed"
    if head is not None:
        return "behind"
    return "limit" if daemon.app.registry.options(first.job).max_concurrency else "room"


# --- charts ---------------------------------------------------------------------------------------


def _figures(user: User, last_hour: LastHour) -> tuple[Figures, list[str]]:
    """The figures of the types that a user may see all of, and the names of those of which they see some."""
    some: set[str] = set()

    def sees(permission: str, object_type: str) -> bool:
        asked = (permission, object_permission(object_type, VIEW))
        if not all(map(user.has_perm, asked)):
            return False
        if any(map(user.is_limited, asked)):
            some.add(object_type)
            return False
        return True

    figures = last_hour.figures(
        lambda each: sees("jobs.view_objectchange", each), lambda each: sees("jobs.view_jobresult", each)
    )
    return figures, sorted(some)


def _charts(figures: Figures) -> list[Chart]:
    changes = [Series(label, kind, figures.changes[kind]) for kind, label in ACTIONS]
    ended = [Series(label, kind, figures.ended[kind]) for kind, label in STATUSES]
    return [
        stacked("Job results a minute", MOMENTS, ended, unit="in the last hour", ends=ENDS),
        stacked("Changes a minute", MOMENTS, changes, unit="in the last hour", ends=ENDS),
        _durations("Running time", figures.ran.half, figures.ran.most),
        _durations("Waiting time", figures.waited.half, figures.waited.most),
    ]


def _durations(title: str, half: Sequence[float | None], most: Sequence[float | None]) -> Chart:
    """Half of all took no longer than the one line says, and 95 of 100 no longer than the other."""
    return lines(title, MOMENTS, [Series("p50", "a", half), Series("p95", "b", most)], ends=ENDS)


def _totals(figures: Figures) -> list[tuple[str, int]]:
    counts = {kind: sum(each) for kind, each in figures.ended.items()}
    changes = sum(map(sum, figures.changes.values()))
    return [("Changes", changes), ("Succeeded", counts["success"]), ("Failed", counts["failure"])]


# --- health ---------------------------------------------------------------------------------------


async def _health(access: Access, daemon: Daemon) -> Health:
    app, user = daemon.app, access.user
    trouble = daemon.why_not_ready or ""
    plugins = access.plugins()
    broken = [each.name for each in plugins if each.errors and not each.is_blocked] if plugins else None
    told = Health(
        trouble=trouble.partition(":")[0],
        version=version("buttonhook"),
        began_at=daemon.began_at,
        broken=broken,
        uninstalled=[(job, count) for job, count in app.waiting_jobs.items() if _may_see_job(user, daemon, job)],
    )
    if missing(user, SEE_METRICS, {}) is not None:
        return told
    sizes = await anyio.to_thread.run_sync(_sizes, app.settings.database_path)
    return Health(
        trouble=trouble,
        version=told.version,
        began_at=told.began_at,
        broken=broken,
        uninstalled=told.uninstalled,
        free_bytes=sizes[0],
        whole_bytes=sizes[1],
        database_bytes=sizes[2],
        wal_bytes=sizes[3],
        feeds=daemon.feeds.count,
        stuck=app.stuck,
    )


def _may_see_job(user: User, daemon: Daemon, id_: str) -> bool:
    job = daemon.app.registry.find(Job, id_)
    return job is not None and missing(user, "see a job", job) is None


def _sizes(database: Path) -> tuple[int, int, int, int]:
    """Free and whole bytes of the database's disk, then those of the database and of its write-ahead log."""
    disk = shutil.disk_usage(database.parent)
    log = database.with_name(f"{database.name}-wal")
    return disk.free, disk.total, database.stat().st_size, log.stat().st_size if log.exists() else 0
