"""Job buttons: the records, what an object's page shows of them, and presses."""

from collections.abc import Sequence
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from buttonhook.buttons import ButtonGroup, Prepared, ShownButton
from buttonhook.errors import ObjectNotFound
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.http.shapes.conditions import ConditionInput, ConditionShape, JobName, ObjectTypes, RecordName
from buttonhook.http.shapes.job_results import JobResultShape
from buttonhook.records import Job, JobButton, JobResult

MOST_PRESSED: Final = 1000
Style = Literal["default", "primary", "success", "info", "warning", "danger", "link"]
MOST_TEXT: Final = 1000
MOST_GROUP: Final = 255
MOST_WEIGHT: Final = 1_000_000
Text = Annotated[
    str, Meta(max_length=MOST_TEXT, description="What stands on it; {field.path} is filled from the object.")
]
Group = Annotated[str, Meta(max_length=MOST_GROUP)]
Weight = Annotated[int, Meta(ge=-MOST_WEIGHT, le=MOST_WEIGHT, description="Lighter ones stand first.")]
Pk = Annotated[str, Meta(min_length=1, max_length=200, examples=["ams01-r1"])]
ObjectType = Annotated[str, Meta(max_length=255, examples=["dcim.device"])]


class JobButtonShape(Shape):
    id: str
    name: str
    job: str
    """The path of the job's class."""
    job_name: str
    """The job's name, or its path for who may not see the job."""
    object_types: list[str]
    text: str
    group: str
    weight: int
    style: str
    confirmation: bool
    enabled: bool
    conditions: list[ConditionShape]
    """It is shown on objects on which all of them hold."""

    @classmethod
    def of(cls, record: JobButton, job: Job | None) -> "JobButtonShape":
        """`job`: where it may be seen."""
        return cls(
            id=record.id,
            name=record.name,
            job=record.job,
            job_name=record.job if job is None else job.name,
            object_types=list(record.object_types),
            text=record.text,
            group=record.group,
            weight=record.weight,
            style=record.style,
            confirmation=record.confirmation,
            enabled=record.enabled,
            conditions=[ConditionShape.of(each) for each in record.conditions],
        )


class JobButtonInput(Input):
    name: RecordName
    job: JobName
    object_types: ObjectTypes
    text: Text | None = None
    """Unset: its name."""
    group: Group = ""
    weight: Weight = 100
    style: Style = "default"
    confirmation: bool = True
    enabled: bool = True
    conditions: list[ConditionInput] = []


class JobButtonChange(Input):
    """What is not given stays."""

    name: RecordName | UnsetType = UNSET
    job: JobName | UnsetType = UNSET
    object_types: ObjectTypes | UnsetType = UNSET
    text: Text | UnsetType = UNSET
    group: Group | UnsetType = UNSET
    weight: Weight | UnsetType = UNSET
    style: Style | UnsetType = UNSET
    confirmation: bool | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET
    conditions: list[ConditionInput] | UnsetType = UNSET


class ShownButtonShape(Shape):
    id: str
    name: str
    text: str
    """Plain text, filled from the object."""
    style: str
    confirmation: bool
    job: str
    disabled: str | None
    """Why it cannot be pressed."""

    @classmethod
    def of(cls, shown: ShownButton) -> "ShownButtonShape":
        return cls(**{name: getattr(shown, name) for name in cls.__struct_fields__})


class ButtonGroupShape(Shape):
    name: str
    """Empty for those that stand alone, which come first."""
    buttons: list[ShownButtonShape]

    @classmethod
    def of(cls, group: ButtonGroup) -> "ButtonGroupShape":
        return cls(name=group.name, buttons=[ShownButtonShape.of(each) for each in group.buttons])


class PressInput(Input):
    """The object that a button is pressed on."""

    object_type: ObjectType
    pk: Pk


class BulkPressInput(Input):
    """The objects of one type that a button is pressed on; one named twice is pressed once."""

    object_type: ObjectType
    pks: Annotated[list[Pk], Meta(min_length=1, max_length=MOST_PRESSED)]


class PressShape(Shape):
    """What came of the press on one object: a job result that waits, or why there is none."""

    pk: str
    result: JobResultShape | None
    refusal: str | None


class BulkPressShape(Shape):
    items: list[PressShape]
    """In the order given."""
    pressed: int
    refused: int

    @classmethod
    def of(cls, prepared: Sequence[Prepared], pressed: Sequence[JobResult]) -> "BulkPressShape":
        """`pressed`: the job results that were made of those prepared, by and by."""
        made = {each.id: JobResultShape.of(each) for each in pressed}
        items = [
            PressShape(pk=pk, result=None, refusal=str(what))
            if isinstance(what, ObjectNotFound)
            else PressShape(pk=pk, result=made[what.id], refusal=None)
            for pk, what in prepared
        ]
        return cls(items=items, pressed=len(made), refused=len(items) - len(made))
