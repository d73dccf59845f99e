"""What job hooks and job buttons have in common as routes: both are records that begin runs of a job."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Protocol, TypeVar

from litestar import Response
from msgspec import Struct

from buttonhook.access.access import Access
from buttonhook.http.asking import access_of
from buttonhook.http.idempotency import answer_of, once
from buttonhook.http.reading import Request
from buttonhook.http.shapes.base import Input
from buttonhook.http.shapes.conditions import fields_of
from buttonhook.records import Job, JobButton, JobHook


class _Shape(Protocol):
    """What the shapes of both hold."""

    job: str
    job_name: str
    object_types: list[str]
    enabled: bool


R = TypeVar("R", JobHook, JobButton)
S = TypeVar("S", bound=_Shape)


class Narrowing(Struct, frozen=True):
    """What a list is narrowed by."""

    job: str | None
    """Its path or its name."""
    object_type: str | None
    enabled: bool | None

    @property
    def question(self) -> list[Any]:
        """What a cursor depends on."""
        return [self.job, self.object_type, self.enabled]

    def keeps(self, shape: _Shape) -> bool:
        return (
            self.job in (None, shape.job, shape.job_name)
            and (self.object_type is None or self.object_type in shape.object_types)
            and self.enabled in (None, shape.enabled)
        )


def shapes_of(
    access: Access, records: Iterable[R], shape: Callable[[R, Job | None], S], narrowing: Narrowing
) -> list[S]:
    """Those of some records that fit, each with its job where the asker may see that."""
    jobs = {each.id: each for each in access.configuration.jobs()}
    return [each for each in (shape(record, jobs.get(record.job)) for record in records) if narrowing.keeps(each)]


def shape_of(access: Access, record: R, shape: Callable[[R, Job | None], S]) -> S:
    """One of them, with its job where the asker may see that."""
    return shape(record, next((each for each in access.configuration.jobs() if each.id == record.job), None))


async def added(
    request: Request, given: Input, add: Callable[..., Awaitable[R]], shape: Callable[[R, Job | None], S]
) -> Response[S]:
    """The answer to adding one, of the fields that were given; the same when it comes again."""
    access = access_of(request)

    async def act() -> Sequence[R]:
        return [await add(**fields_of(given))]

    return await once(request, act, lambda made: answer_of(shape_of(access, made[0], shape), 201))
