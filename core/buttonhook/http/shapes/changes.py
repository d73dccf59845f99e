"""Object changes, with the states before and after in the shape that Nautobot gives them."""

from typing import Any, cast

import msgspec
from msgspec import UNSET, UnsetType

from buttonhook import diffs, documents, times
from buttonhook.explain import Explanation, Fate, HookVerdict
from buttonhook.http.shapes.base import Shape
from buttonhook.ids import ChangeContext, ObjectChangeAction
from buttonhook.records import ChangeRecord


class CutShape(Shape):
    """A job hook that covers the change and was not fired."""

    hook_id: str
    hook: str
    reason: str


class DifferencesShape(Shape):
    """The top-level fields that differ, the same on both sides; null where a field is absent."""

    removed: dict[str, Any] | None
    """Null for a create."""
    added: dict[str, Any] | None
    """Null for a delete."""


class SnapshotsShape(Shape):
    prechange: dict[str, Any] | None
    """The document before, null for a create."""
    postchange: dict[str, Any] | None
    """The document after, null for a delete."""
    differences: DifferencesShape


class ChangeShape(Shape):
    id: int
    time: str
    """When it happened at its source."""
    recorded_at: str
    """When it was committed here."""
    user_name: str
    request_id: str
    """Shared by all that was committed together."""
    action: ObjectChangeAction
    object_type: str
    object_pk: str
    object_repr: str
    change_context: ChangeContext
    change_context_detail: str
    cause: str | None
    """The job result whose run made it."""
    root: str | None
    """The first job result of that chain of causes."""
    depth: int
    saves: int
    """How many writes of the transaction came to this change."""
    cuts: list[CutShape]
    snapshots: SnapshotsShape | UnsetType = UNSET

    @classmethod
    def of(cls, record: ChangeRecord, *, has_snapshots: bool = True) -> "ChangeShape":
        same = {name: getattr(record, name) for name in _SAME}
        return cls(
            **same,
            time=times.to_text(record.time),
            recorded_at=times.to_text(record.recorded_at),
            cuts=[CutShape(hook_id=each.hook_id, hook=each.hook, reason=each.reason) for each in record.cuts],
            snapshots=_snapshots(record) if has_snapshots else UNSET,
        )


_MADE = ("time", "recorded_at", "cuts", "snapshots")
_SAME = tuple(name for name in ChangeShape.__struct_fields__ if name not in _MADE)


def _snapshots(record: ChangeRecord) -> SnapshotsShape:
    before = None if record.prechange is None else documents.decode(record.prechange)
    after = None if record.postchange is None else documents.decode(record.postchange)
    found = diffs.differences(before, after)
    return SnapshotsShape(
        prechange=_raw(record.prechange),
        postchange=_raw(record.postchange),
        differences=DifferencesShape(removed=found["removed"], added=found["added"]),
    )


def _raw(text: str | None) -> dict[str, Any] | None:
    """A document's text as it is, to stand for the document in an answer."""
    return None if text is None else cast(dict[str, Any], msgspec.Raw(text.encode()))


def encode_change(record: ChangeRecord) -> bytes:
    """A change as an answer shows it."""
    return msgspec.json.encode(ChangeShape.of(record))


class VerdictShape(Shape):
    """What one job hook said to a change."""

    hook: str
    job: str
    fate: Fate
    reason: str
    results: list[str]
    """The ids of the runs it caused, of those that you may see."""

    @classmethod
    def of(cls, verdict: HookVerdict) -> "VerdictShape":
        told = {name: getattr(verdict, name) for name in ("hook", "job", "fate", "reason")}
        return cls(**told, results=list(verdict.results))


class ExplanationShape(Shape):
    """Why each job hook that you may see did or did not fire on a change."""

    notes: list[str]
    verdicts: list[VerdictShape]

    @classmethod
    def of(cls, explanation: Explanation) -> "ExplanationShape":
        return cls(notes=list(explanation.notes), verdicts=[VerdictShape.of(each) for each in explanation.verdicts])
