"""What feeds tell that no other route does."""

from collections.abc import Iterable, Sequence
from typing import Literal

from buttonhook.http.shapes.base import Shape
from buttonhook.ids import JobId, JobResultId, JobResultStatus
from buttonhook.records import JobResult

EndReason = Literal["done", "stopping", "logged-out", "denied", "gone", "unavailable"]


class NotedResultShape(Shape):
    """A job result that is new, began, ended or is to be tried again."""

    id: JobResultId
    number: int
    job: JobId
    status: JobResultStatus
    attempt: int
    object_type: str
    object_pk: str

    @classmethod
    def of(cls, result: JobResult) -> "NotedResultShape":
        names = cls.__struct_fields__
        return cls(**{name: getattr(result, name) for name in names})


class NoticeShape(Shape):
    """What was committed within half a second, of what the asker may see."""

    object_types: Sequence[str]
    """Types of which an object, or a record of the set-up, changed."""
    last_change: int | None
    """The highest number of such a change."""
    job_results: Sequence[NotedResultShape]
    is_all: bool
    """Whether it was more than is told: load anew what you show."""

    @classmethod
    def of(cls, types: dict[str, int], results: Iterable[JobResult]) -> "NoticeShape":
        """`types`: the last change of each."""
        told = [NotedResultShape.of(each) for each in results]
        last = max(types.values(), default=None)
        return cls(object_types=sorted(types), last_change=last, job_results=told, is_all=False)

    @classmethod
    def of_all(cls) -> "NoticeShape":
        return cls(object_types=(), last_change=None, job_results=(), is_all=True)


class EndShape(Shape):
    """Why a feed ended."""

    reason: EndReason
    detail: str
    last_id: str | None
    """What to send as `Last-Event-ID` to go on from here."""
