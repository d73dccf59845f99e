"""Databases with very many rows, made through the store's own writes in big batches.

The rows are those that the product would have written: `buttonhook check` finds nothing wrong with them.
"""

from collections.abc import Generator, Iterator
from pathlib import Path

import msgspec

from benchmarks import ceiling
from benchmarks.command import progress
from buttonhook.ids import ChangeId, JobId, JobResultId, JobResultStatus, LogLevel, Microseconds, new_uuid7, now
from buttonhook.ids import ObjectChangeAction as Action
from buttonhook.records import ChangeRecord, ConfigRecord, JobHook, JobLogEntry, JobResult, StoredObject
from buttonhook.stores.base import Found, Needs, Numbers, Rows
from buttonhook.stores.sqlite.store import SqliteStore

BATCH = 4_000
RARE_EVERY = 100_000
"""One row in so many is of the rare type, user, job and object: what a filter without an index looks for longest."""
KINDS = 10
RARE = "rare"
SUCCESS, PENDING = JobResultStatus.SUCCESS, JobResultStatus.PENDING


class Filling(msgspec.Struct, frozen=True):
    """What to put in: life cycles that ended, or that still wait for the job hook `hook`."""

    count: int
    hook: JobHook | None = None
    lines: int = 1
    """Log entries of each result that ended."""
    kinds: int = KINDS
    """Among how many types, users and jobs the rows are spread, besides the rare ones."""


async def fill(path: Path, filling: Filling) -> None:
    """Put rows into a database that exists already."""
    async with SqliteStore(path).open() as store:
        numbers = store.numbers
        with progress("filling", filling.count) as bar:
            for start in range(0, filling.count, BATCH):
                size = min(BATCH, filling.count - start)
                await store.write(_just(_rows(filling, numbers, size)))
                bar.advance(bar.task_ids[0], size)


async def put_config(path: Path, records: list[ConfigRecord]) -> None:
    """Put records of the set-up into a database that exists already, unchecked and all at once."""
    async with SqliteStore(path).open() as store:
        await store.write(_just(Rows(config=records, time=now())))


async def plant(path: Path) -> None:
    """Put in a run whose tree of causes has a thousand changes and runs, and an update of a long document."""
    async with SqliteStore(path).open() as store:
        await store.write(_just(_tree(store.numbers)))
        await store.write(_just(_long(store.numbers)))


def _tree(numbers: Numbers) -> Rows:
    """A change, its run, a hundred changes that this made, and nine runs of each of them."""
    moment = now()
    rows = Rows(time=moment)
    filling = Filling(1)

    def change(object_type: str, cause: JobResult | None) -> ChangeRecord:
        numbers.change += 1
        made = msgspec.structs.replace(
            _change(filling, numbers.change, moment),
            object_type=object_type,
            cause=None if cause is None else cause.id,
            root=None if cause is None else cause.id,
            depth=0 if cause is None else 1,
        )
        rows.changes.append(made)
        rows.objects.append(
            StoredObject(object_type, made.object_pk, made.postchange or "", made.id, made.user_name, moment)
        )
        return made

    def run(fired_by: ChangeRecord, cause: JobResult | None = None) -> JobResult:
        numbers.result += 1
        made = msgspec.structs.replace(
            _ended(filling, numbers.result, fired_by),
            ended_at=Microseconds(moment + 5_000),
            cause=None if cause is None else cause.id,
            root=None if cause is None else cause.id,
            depth=0 if cause is None else 1,
        )
        rows.results.append(made)
        return made

    root = run(change("bench.root", None))
    for _ in range(100):
        made = change("bench.leaf", root)
        for _ in range(9):
            run(made, root)
    return rows


def _long(numbers: Numbers) -> Rows:
    """An update of a document of a few hundred kilobytes: a list of documents, and a text of many lines."""
    moment = now()
    numbers.change += 1
    ports = [{"name": f"Ethernet{n}", "speed": 1000, "tags": ["a", "b"]} for n in range(1500)]
    text = [f"interface Ethernet{n} description to rack {n % 40}" for n in range(1500)]
    before = {"name": "long", "ports": ports, "config": "\n".join(text)}
    changed = [{**each, "speed": 10_000} if n % 50 == 0 else each for n, each in enumerate(ports)]
    after = {"name": "long", "ports": changed[3:], "config": "\n".join(text).replace("rack 7", "row 7")}
    made = msgspec.structs.replace(
        _change(Filling(1), numbers.change, moment),
        action=Action.UPDATE,
        object_type="bench.long",
        prechange=msgspec.json.encode(before).decode(),
        postchange=msgspec.json.encode(after).decode(),
    )
    stored = StoredObject(made.object_type, made.object_pk, made.postchange or "", made.id, made.user_name, moment)
    return Rows(time=moment, changes=[made], objects=[stored])


def _just(rows: Rows) -> Generator[Needs, Found, Rows]:
    """A decision that needs to see nothing."""
    yield from ()
    return rows


def _rows(filling: Filling, numbers: Numbers, size: int) -> Rows:
    moment = now()
    rows = Rows(time=moment)
    for _ in range(size):
        numbers.change += 1
        numbers.result += 1
        change = _change(filling, numbers.change, moment)
        rows.changes.append(change)
        rows.objects.append(
            StoredObject(change.object_type, change.object_pk, change.postchange or "", change.id, ceiling.USER, moment)
        )
        if filling.hook is not None:
            rows.results.append(_waiting(filling.hook, numbers.result, change))
        else:
            rows.results.append(_ended(filling, numbers.result, change))
            rows.log_entries.extend(_lines(filling, numbers, moment))
    return rows


def _change(filling: Filling, number: int, moment: Microseconds) -> ChangeRecord:
    pk = f"fill-{number:08d}"
    name = _kind(filling, number)
    return ChangeRecord(
        id=ChangeId(number),
        time=moment,
        recorded_at=moment,
        user_name=f"user-{name}",
        request_id=new_uuid7(),
        action=Action.CREATE,
        object_type=ceiling.TYPE if filling.hook or filling.kinds == 1 else f"bench.device_{name}",
        object_pk=pk,
        object_repr=pk,
        change_context="app",
        change_context_detail="",
        prechange=None,
        postchange=f'{{"name":"{pk}","serial":"FOC2149X0AB","status":"active"}}',
    )


def _kind(filling: Filling, number: int) -> str:
    return RARE if number % RARE_EVERY == 7 else str(number % filling.kinds)


def _waiting(hook: JobHook, number: int, change: ChangeRecord) -> JobResult:
    lane = f"{hook.id}:{change.object_type}:{change.object_pk}"
    return _result(number, change, hook.job, hook.id, lane)


def _ended(filling: Filling, number: int, change: ChangeRecord) -> JobResult:
    name = _kind(filling, number)
    result = _result(number, change, JobId(f"bench.Job_{name}"), "0199c0de-0000-7000-8000-000000000000", None)
    status = JobResultStatus.FAILURE if name == RARE else SUCCESS
    return msgspec.structs.replace(
        result, status=status, attempt=1, started_at=change.time, ended_at=change.time, job_name=f"Job {name}"
    )


def _result(number: int, change: ChangeRecord, job: JobId, hook_id: str, lane: str | None) -> JobResult:
    return JobResult(
        number=number,
        id=JobResultId(new_uuid7()),
        kind="hook",
        job=job,
        job_name=job.rpartition(".")[2],
        occasion="noop-0",
        occasion_id=hook_id,
        status=PENDING,
        attempt=0,
        user_name=change.user_name,
        object_type=change.object_type,
        object_pk=change.object_pk,
        object_repr=change.object_repr,
        change_ids=(change.id,),
        lane=lane,
        created_at=change.time,
        is_hooks=True,
        chain=(f"{job} {change.object_type} {change.object_pk}",),
    )


def _lines(filling: Filling, numbers: Numbers, moment: Microseconds) -> Iterator[tuple[int, JobLogEntry]]:
    for seq in range(1, filling.lines + 1):
        numbers.log_entry += 1
        yield (
            numbers.log_entry,
            JobLogEntry(
                number=numbers.result,
                attempt=1,
                seq=seq,
                time=moment,
                level=LogLevel.INFO,
                grouping="receive_job_hook",
                message=f"line {seq} of job result {numbers.result}",
            ),
        )
