"""What a command tells of the runs it caused: how they ended, which failed, what is left. Each user is told of those
that they may see, and of no others, not even their number.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Final

from buttonhook.cli.acting import UserApp
from buttonhook.cli.lookups import Recorded
from buttonhook.cli.output import Cell, Output, Row
from buttonhook.cli.tables import Column
from buttonhook.cli.text import plural
from buttonhook.cli.words import failure_line, reason, result_object, took
from buttonhook.ids import FINAL_STATUSES, JobResultStatus
from buttonhook.records import JobResult, PendingResult, ResultQuery

MAX_NAMED: Final = 20
PAGE: Final = 1000
COUNTED: Final = 10_000
RUN_COLUMNS: Final = (
    Column("status"),
    Column("result", is_right=True),
    Column("job"),
    Column("object"),
    Column("took", is_right=True),
    Column("reason", is_cut=True),
)


def has_failures(app: UserApp) -> bool:
    """Whether a job failed in this process, or was given up at its start; also one that may not be seen."""
    return bool(app.whole.tally.counts[JobResultStatus.FAILURE] or app.whole.recovered.interrupted)


async def tell_recovered(app: UserApp, out: Output) -> None:
    """What is taken up again of a process that ended, and what was given up."""
    recovered = app.whole.recovered
    if pending := await app.access.history.visible_results(recovered.pending):
        out.note(f"Taking up again what a process that ended left: {plural(len(pending), 'job result')}.")
    for each in await app.access.history.visible_results(recovered.interrupted):
        out.failed_job(failure_line(each))


async def ended_counts(app: UserApp) -> Counter[JobResultStatus]:
    """How many runs ended how."""
    tally = app.whole.tally
    if app.user.is_owner:
        return tally.counts
    return Counter(each.status for each in await results_of(app, tally.numbers))


async def tell_runs(app: UserApp, out: Output) -> None:
    """What ran: each run when they are few, else how many."""
    counts = await ended_counts(app)
    total = sum(counts.values())
    if not total:
        return
    if total > MAX_NAMED:
        out.line(f"Jobs: {run_counts(counts)}")
        return
    out.table(RUN_COLUMNS, [run_row(out, each) for each in await results_of(app, app.whole.tally.numbers)])


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
    tally = app.whole.tally
    failures = [number for number in tally.failures if number not in told]
    seen = await results_of(app, failures[:MAX_NAMED] if app.user.is_owner else failures)
    for each in seen[:MAX_NAMED]:
        out.failed_job(failure_line(each))
    all_ = tally.counts[JobResultStatus.FAILURE] - len(told) if app.user.is_owner else len(seen)
    if all_ > MAX_NAMED:
        out.failed_job(f"{all_ - MAX_NAMED:,} more. See them with: buttonhook results list --status failure")


async def tell_waiting(app: UserApp, out: Output) -> None:
    """What is left: results whose job is not installed, and those that were not waited for."""
    pending = await waiting_results(app)
    parked = app.whole.waiting_jobs
    if not app.user.is_owner:
        parked = Counter(each.job for each in pending if each.job in parked)
    for job, count in sorted(parked.items()):
        out.warn(
            f"{plural(count, 'job result')} of {job} {'waits' if count == 1 else 'wait'}: the job is not installed. "
            "Install its package, then: buttonhook run"
        )
    retries = [each for each in pending if each.due_at is not None]
    if retries:
        due = out.time(min(each.due_at or 0 for each in retries))
        out.warn(f"{plural(len(retries), 'job result')} will be tried again, from {due} on: buttonhook run")
    waiting = len(pending) - len(retries) - sum(parked.values())
    running = await _running(app)
    if waiting <= 0 and not running:
        return
    more = "more than " if waiting >= COUNTED else ""
    parts = [f"{more}{plural(waiting, 'job result')} {'waits' if waiting == 1 else 'wait'}"] if waiting > 0 else []
    parts += [f"{plural(running, 'job')} still running {'was' if running == 1 else 'were'} stopped"] if running else []
    out.warn(f"{' and '.join(parts)}. Go on with: buttonhook run")


async def waiting_results(app: UserApp) -> list[PendingResult] | list[JobResult]:
    """Results that wait, retries included, the first ones."""
    if app.user.is_owner:
        return await app.whole.reader.pending(0, COUNTED)
    return [
        each
        for status in (JobResultStatus.PENDING, JobResultStatus.RETRY)
        for each in await app.results(ResultQuery(status=status, limit=COUNTED))
    ]


async def _running(app: UserApp) -> int:
    if app.user.is_owner or not app.whole.running_count:
        return app.whole.running_count
    return len(await app.results(ResultQuery(status=JobResultStatus.STARTED, limit=COUNTED)))


async def results_of(app: Recorded, numbers: Iterable[int]) -> list[JobResult]:
    """Results by their numbers, in order of number."""
    wanted = sorted(set(numbers))
    found: list[JobResult] = []
    place = 0
    while place < len(wanted):
        span = min(PAGE, wanted[-1] - wanted[place] + 1)
        page = await app.results(ResultQuery(after=wanted[place] - 1, ascending=True, limit=span))
        last = page[-1].number if page else wanted[-1]
        numbered = {each.number: each for each in page}
        while place < len(wanted) and wanted[place] <= last:
            if (result := numbered.get(wanted[place])) is not None:
                found.append(result)
            place += 1
    return found


def is_final(result: JobResult) -> bool:
    return result.status in FINAL_STATUSES
