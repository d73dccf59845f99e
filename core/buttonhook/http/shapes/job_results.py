"""Job results, their logs, and trees of what came of what."""

from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, cast

from msgspec import Meta, Raw

from buttonhook import times
from buttonhook.access.causes import Caused
from buttonhook.http.shapes.base import Shape, moment
from buttonhook.ids import LogLevel, ResultKind, RunAs
from buttonhook.records import ChangeRecord, JobLogEntry, JobResult

Status = Literal["pending", "started", "retry", "success", "failure", "revoked"]
Level = Literal["debug", "info", "success", "warning", "failure", "error", "critical"]
LEVEL_OF: Final[Mapping[LogLevel, Level]] = {each: cast(Level, each.word) for each in LogLevel}


class JobResultShape(Shape):
    number: int
    """Counts results in the order in which they were made."""
    id: str
    kind: ResultKind
    """What began it: a job hook, a job button, or another job."""
    job: str
    """The path of the job's class."""
    job_name: str
    occasion: str
    """The name of that job hook, job button or job."""
    occasion_id: str
    status: Status
    attempt: int
    failures: int
    """How many attempts failed and were to be tried again."""
    crashes: int
    """How many attempts ended with their process."""
    user_name: str
    object_type: str
    object_pk: str
    object_repr: str
    change_ids: list[int]
    """The change that fired it."""
    created_at: str
    started_at: str | None
    ended_at: str | None
    due_at: str | None
    """When the next attempt may begin."""
    result: Annotated[Any, Meta(description="What the receiver returned.")]
    error: str | None
    traceback: str | None
    cause: str | None
    """The job result whose run caused this one."""
    root: str | None
    """The first job result of that chain of causes."""
    depth: int
    """How many runs stand before it in the chain."""
    is_hooks: bool
    """Whether a job hook stands in the chain."""
    lane: str | None
    """Results of one lane run one after another."""
    run_as: RunAs
    rerun_of: str | None
    rerun_by: str | None

    @classmethod
    def of(cls, record: JobResult) -> "JobResultShape":
        same = {name: getattr(record, name) for name in _SAME}
        return cls(
            **same,
            status=record.status.value,
            change_ids=list(record.change_ids),
            created_at=times.to_text(record.created_at),
            started_at=moment(record.started_at),
            ended_at=moment(record.ended_at),
            due_at=moment(record.due_at),
            result=None if record.result is None else Raw(record.result.encode()),
        )


_MADE = ("status", "change_ids", "created_at", "started_at", "ended_at", "due_at", "result")
_SAME = tuple(name for name in JobResultShape.__struct_fields__ if name not in _MADE)


class ResultStatusShape(Shape):
    """How a job result stands now."""

    number: int
    id: str
    status: Status

    @classmethod
    def of(cls, record: JobResult) -> "ResultStatusShape":
        return cls(number=record.number, id=record.id, status=record.status.value)


class LogEntryShape(Shape):
    id: int
    """Counts entries as they came in: what the feed of the log goes on behind."""
    attempt: int
    seq: int
    """Counts from 1 in each attempt."""
    time: str
    level: Level
    grouping: str
    message: str
    logger: str
    """Empty for the receiver's own."""
    object_type: str
    object_pk: str
    object_repr: str

    @classmethod
    def of(cls, record: JobLogEntry) -> "LogEntryShape":
        return cls(  # one by one: a log may have a hundred thousand lines
            id=record.id,
            attempt=record.attempt,
            seq=record.seq,
            time=times.to_text(record.time),
            level=LEVEL_OF[record.level],
            grouping=record.grouping,
            message=record.message,
            logger=record.logger,
            object_type=record.object_type,
            object_pk=record.object_pk,
            object_repr=record.object_repr,
        )


def _line(record: JobLogEntry) -> dict[str, Any]:
    told = {name: getattr(record, name) for name in LogEntryShape.__struct_fields__}
    return {**told, "time": times.to_text(record.time), "level": record.level.word}


class FoundLogEntryShape(LogEntryShape):
    """A log entry, and the run that logged it."""

    result: str
    """The id of the job result."""
    result_number: int
    job: str
    job_name: str
    user_name: str

    @classmethod
    def found(cls, record: JobLogEntry, run: JobResult) -> "FoundLogEntryShape":
        return cls(
            **_line(record),
            result=run.id,
            result_number=run.number,
            job=run.job,
            job_name=run.job_name,
            user_name=run.user_name,
        )


class CausedShape(Shape):
    """One change or job result of a tree of causes."""

    kind: Literal["change", "result"]
    id: str
    """A change's is a number."""
    number: int
    parent: int | None
    """The place of its cause in the list, counted from 0; null for the first."""
    has_more: bool
    """It caused more than the list shows."""
    time: str
    user_name: str
    object_type: str
    object_pk: str
    object_repr: str
    action: Literal["create", "update", "delete"] | None
    """Of a change."""
    status: Status | None
    """Of a job result."""
    job: str | None
    job_name: str | None
    occasion: str | None

    @classmethod
    def of(cls, node: Caused) -> "CausedShape":
        what = node.what
        run = what if isinstance(what, JobResult) else None
        change = what if isinstance(what, ChangeRecord) else None
        return cls(
            kind="change" if run is None else "result",
            id=str(what.id),
            number=what.number if isinstance(what, JobResult) else what.id,
            parent=node.parent,
            has_more=node.has_more,
            time=times.to_text(what.created_at if isinstance(what, JobResult) else what.time),
            user_name=what.user_name,
            object_type=what.object_type,
            object_pk=what.object_pk,
            object_repr=what.object_repr,
            action=None if change is None else change.action.value,
            status=None if run is None else run.status.value,
            job=None if run is None else run.job,
            job_name=None if run is None else run.job_name,
            occasion=None if run is None else run.occasion,
        )


class CausesShape(Shape):
    """`before` leads to it, from the first cause on; `items` is the tree of what came of it, itself first."""

    before: list[CausedShape]
    items: list[CausedShape]
