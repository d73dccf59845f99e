"""What job hooks and job buttons share: rows of conditions above all, and how one was judged."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta

from buttonhook.conditions import RowVerdict
from buttonhook.http.shapes.base import Input, Shape
from buttonhook.records import ConditionRow

RecordName = Annotated[str, Meta(min_length=1, max_length=255, examples=["Serial guard"])]
JobName = Annotated[
    str, Meta(min_length=1, max_length=1000, description="The path of its class, the class's name or the job's name.")
]
ObjectTypes = Annotated[list[str], Meta(max_length=1000, examples=[["dcim.device"]])]


class ConditionShape(Shape):
    type: str
    preset: Annotated[str, Meta(examples=["field_changed"])]
    values: dict[str, Any]
    negate: bool

    @classmethod
    def of(cls, row: ConditionRow) -> "ConditionShape":
        return cls(type=row.type, preset=row.preset, values=dict(row.values), negate=row.negate)


class ConditionInput(Input):
    """One row: a preset and the values it takes. All rows must hold."""

    preset: Annotated[str, Meta(max_length=255, examples=["field_changed"])]
    values: Annotated[dict[str, Any], Meta(examples=[{"field": "status"}])] = {}
    negate: bool = False
    type: Literal["preset"] = "preset"

    def row(self) -> ConditionRow:
        return ConditionRow(type=self.type, preset=self.preset, values=self.values, negate=self.negate)


class RowVerdictShape(Shape):
    preset: str
    passed: bool
    reason: str
    """With the values that were compared."""

    @classmethod
    def of(cls, verdict: RowVerdict) -> "RowVerdictShape":
        return cls(preset=verdict.preset, passed=verdict.passed, reason=verdict.reason)


def fields_of(given: Input, *left_out: str) -> dict[str, Any]:
    """What is given of a job hook or button, as the configuration takes it."""
    told = {name: getattr(given, name) for name in given.__struct_fields__ if name not in left_out}
    told = {name: value for name, value in told.items() if value is not UNSET}
    if "conditions" in told:
        told["conditions"] = tuple(each.row() for each in told["conditions"])
    for name in ("object_types", "actions"):
        if name in told:
            told[name] = tuple(told[name])
    return told
