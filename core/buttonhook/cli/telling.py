"""What a command tells of the runs it caused: how they ended, which failed, what is left. Each user is told of those
that they may see, and of no others, not even their number.
"""

from collections import Counter
from typing import Final

from buttonhook.cli.acting import Left, UserApp
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.words import failure_line, reason, result_object, took
from buttonhook.ids import FINAL_STATUSES, JobResultStatus
from buttonhook.records import JobResult

MAX_NAMED: Final = 20
_THEN_RUN: Final = "Install its package, then: buttonhook run"
RUN_COLUMNS: Final = (
    Column("status"),
    Column("result", is_right=True),
    Column("job"),
    Column("object"),
    Column("took", is_right=True),
    Column("reason", is_cut=True),
)


async def tell_recovered(app: UserApp, out: Output) -> None:
    """What is taken up again of a process that ended, and what was given up."""
    pending, interrupted = await app.caused.recovered()
    if pending:
        out.note(f"Taking up again what a process that ended left: {plural(len(pending), 'job result')}.")
    for each in interrupted:
        out.failed_job(failure_line(each))


async def tell_runs(app: UserApp, out: Output) -> None:
    """What ran: each run when they are few, else how many."""
    counts = await app.caused.counts()
    total = sum(counts.values())
    if not total:
        return
    if total > MAX_NAMED:
        out.line(f"Jobs: {run_counts(counts)}")
        return
    out.table(RUN_COLUMNS, [run_row(out, each) for each in await app.caused.ended()])


def run_counts(counts: Counter[JobResultStatus]) -> str:
    """`1,204 run: 1,200 success, 4 failure`."""
    parts = ", ".join(f"{counts[each]:,} {each.value}" for each in JobResultStatus if counts[each])
    total = sum(counts.values())
    return f"{total:,} run: {parts}" if total else "0 run"


def run_row(out: Output, result: JobResult) -> Row:
    """One run in one line."""
    about, why = result_object(result), Cell(reason(result), "dim")
    return [out.status(result.status), str(result.number), result.job_name, about, took(result), why]


async def tell_failures(app: UserApp, out: Output, told: set[int]) -> None:
    """Each failed job in a line of standard error, the first of them at least, but those `told` already."""
    first, count = await app.caused.failures(told, MAX_NAMED)
    for each in first:
        out.failed_job(failure_line(each))
    if count > MAX_NAMED:
        out.failed_job(f"{count - MAX_NAMED:,} more. See them with: buttonhook results list --status failure")


async def tell_left(app: UserApp, out: Output) -> None:
    """What is left: results whose job is not installed, and those that were not waited for."""
    left = await app.caused.left()
    for job, count in sorted(left.parked.items()):
        what = f"{plural(count, 'job result')} of {job} {'waits' if count == 1 else 'wait'}: the job is not installed"
        cure = "Install its package and start the daemon anew" if app.caused.goes_on else _THEN_RUN
        out.warn(f"{what}. {cure}")
    if left.retries:
        due = out.time(min(left.retries))
        again = "" if app.caused.goes_on else ": buttonhook run"
        out.warn(f"{plural(len(left.retries), 'job result')} will be tried again, from {due} on{again}")
    if left.waiting or left.running:
        out.warn(_left_text(left, app.caused.goes_on))


def _left_text(left: Left, goes_on: bool) -> str:
    more = "more than " if left.is_capped else ""
    parts = []
    if left.waiting:
        parts.append(f"{more}{plural(left.waiting, 'job result')} {'waits' if left.waiting == 1 else 'wait'}")
    if left.running and goes_on:
        parts.append(f"{plural(left.running, 'job')} {'runs' if left.running == 1 else 'run'} still")
    elif left.running:
        were = "was" if left.running == 1 else "were"
        parts.append(f"{plural(left.running, 'job')} still running {were} stopped")
    cure = "The daemon goes on" if goes_on else "Go on with: buttonhook run"
    return f"{' and '.join(parts)}. {cure}"


def is_final(result: JobResult) -> bool:
    return result.status in FINAL_STATUSES
