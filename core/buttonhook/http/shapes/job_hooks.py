"""Job hooks: rules that run a job when objects change, and what one would say to past changes."""

from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType, field

from buttonhook import times
from buttonhook.access.access import TriedChange
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.http.shapes.conditions import (
    ConditionInput,
    ConditionShape,
    JobName,
    ObjectTypes,
    RecordName,
    RowVerdictShape,
)
from buttonhook.ids import RunAs
from buttonhook.records import Job, JobHook

MOST_TRIED: Final = 100

Action = Literal["create", "update", "delete"]
ACTIONS: Final[tuple[Action, ...]] = ("create", "update", "delete")


class JobHookShape(Shape):
    id: str
    name: str
    job: str
    """The path of the job's class."""
    job_name: str
    """The job's name, or its path for who may not see the job."""
    object_types: list[str]
    actions: list[Action]
    enabled: bool
    conditions: list[ConditionShape]
    run_as: RunAs
    """Whose permissions count: the installer's, or those of the change's author."""
    allow_job_hook_changes: bool
    """Whether changes that a job hook's job made fire it, too."""
    edited_at: str

    @classmethod
    def of(cls, record: JobHook, job: Job | None) -> "JobHookShape":
        """`job`: where it may be seen."""
        return cls(
            id=record.id,
            name=record.name,
            job=record.job,
            job_name=record.job if job is None else job.name,
            object_types=list(record.object_types),
            actions=[each.value for each in record.actions],
            enabled=record.enabled,
            conditions=[ConditionShape.of(each) for each in record.conditions],
            run_as=record.run_as,
            allow_job_hook_changes=record.allow_job_hook_changes,
            edited_at=times.to_text(record.edited_at),
        )


class JobHookInput(Input):
    name: RecordName
    job: JobName
    object_types: ObjectTypes
    actions: list[Action] = field(default_factory=lambda: list(ACTIONS))
    enabled: bool = True
    conditions: list[ConditionInput] = []
    run_as: RunAs = "installer"
    allow_job_hook_changes: bool = False


class JobHookChange(Input):
    """What is not given stays."""

    name: RecordName | UnsetType = UNSET
    job: JobName | UnsetType = UNSET
    object_types: ObjectTypes | UnsetType = UNSET
    actions: list[Action] | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    conditions: list[ConditionInput] | UnsetType = UNSET
    run_as: RunAs | UnsetType = UNSET
    allow_job_hook_changes: bool | UnsetType = UNSET


class TriedChanges(Input):
    """The changes to try a job hook on: one, or the last ones of its object types."""

    change: Annotated[int, Meta(ge=1, le=2**63 - 1)] | None = None
    last: Annotated[int, Meta(ge=1, le=MOST_TRIED)] = 20
    """Where no change is named."""


class SavedTrialInput(TriedChanges):
    """A try-out of a saved job hook; what is given replaces its own, for the try-out alone."""

    job: JobName | UnsetType = UNSET
    object_types: ObjectTypes | UnsetType = UNSET
    actions: list[Action] | UnsetType = UNSET
    conditions: list[ConditionInput] | UnsetType = UNSET
    allow_job_hook_changes: bool | UnsetType = UNSET


class TrialInput(TriedChanges, kw_only=True):
    """A try-out of a job hook that is not saved."""

    job: JobName
    object_types: ObjectTypes
    actions: list[Action] = field(default_factory=lambda: list(ACTIONS))
    conditions: list[ConditionInput] = []
    allow_job_hook_changes: bool = False


class TriedChangeShape(Shape):
    change: int
    time: str
    user_name: str
    action: Action
    object_type: str
    object_pk: str
    object_repr: str
    would_fire: bool
    reason: str
    rows: list[RowVerdictShape]

    @classmethod
    def of(cls, tried: TriedChange) -> "TriedChangeShape":
        change, trial = tried.change, tried.trial
        return cls(
            change=change.id,
            time=times.to_text(change.time),
            user_name=change.user_name,
            action=change.action.value,
            object_type=change.object_type,
            object_pk=change.object_pk,
            object_repr=change.object_repr,
            would_fire=trial.would_fire,
            reason=trial.reason,
            rows=[RowVerdictShape.of(each) for each in trial.rows],
        )


class TrialsShape(Shape):
    items: list[TriedChangeShape]
    """Newest first."""
    would_fire: int
    """On how many of them it would have fired."""
    notes: list[str]
    """Why it fires on nothing at present, whatever is said of the changes."""
