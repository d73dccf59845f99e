"""Pressing job buttons: checks, then one pending job result for each object."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from buttonhook import documents
from buttonhook.errors import ObjectNotFound, PressRefused
from buttonhook.ids import JobResultId, JobResultStatus, Microseconds, ObjectKey, new_uuid7, now
from buttonhook.objects.keys import object_repr
from buttonhook.records import Job, JobButton, JobResult, StoredObject
from buttonhook.registry import Registry


class Objects(Protocol):
    """Where the pressed objects are read."""

    async def get_object(self, key: ObjectKey) -> StoredObject | None: ...


class Results(Protocol):
    """Where the new results are committed."""

    async def add_results(self, results: Sequence[JobResult]) -> tuple[JobResult, ...]: ...


class Presser:
    """Presses job buttons on one object or many."""

    def __init__(self, registry: Registry, objects: Objects, results: Results) -> None:
        self._registry = registry
        self._objects = objects
        self._results = results

    async def press(
        self, button: JobButton, object_type: str, pks: Iterable[str], user_name: str
    ) -> tuple[JobResult, ...]:
        """Press a button on objects of one type; one pending job result each, in the order given, all or none.

        Raises:
            PressRefused: the button, its job or the object's type do not allow it.
            ObjectNotFound: one of the objects does not exist.
        """
        job = self._check(button, object_type)
        results = []
        for pk in dict.fromkeys(pks):
            stored = await self._objects.get_object((object_type, pk))
            if stored is None:
                raise ObjectNotFound(object_type, repr(pk))
            results.append(_result(button, job, stored, user_name, now()))
        return await self._results.add_results(results)

    def _check(self, button: JobButton, object_type: str) -> Job:
        if not button.enabled:
            cure = f"Enable it: buttonhook buttons edit {button.name!r} --enabled."
            raise PressRefused(button.name, "it is disabled", cure)
        self._registry.get_type(object_type)
        if object_type not in button.object_types:
            raise PressRefused(button.name, f"it is for {', '.join(button.object_types)}, not for {object_type}")
        job = self._registry.find(Job, button.job)
        if job is None or button.job not in self._registry.receivers:
            raise PressRefused(button.name, f"its job {button.job} is not installed")
        if not job.enabled:
            cure = f"Enable it: buttonhook jobs enable {job.id}"
            raise PressRefused(button.name, f"its job {job.name!r} is disabled", cure)
        return job


def _result(button: JobButton, job: Job, stored: StoredObject, user_name: str, moment: Microseconds) -> JobResult:
    return JobResult(
        number=0,
        id=JobResultId(new_uuid7()),
        kind="button",
        job=job.id,
        job_name=job.name,
        occasion=button.name,
        status=JobResultStatus.PENDING,
        attempt=0,
        crashes=0,
        user_name=user_name,
        object_type=stored.object_type,
        object_pk=stored.pk,
        object_repr=object_repr(documents.decode(stored.document), stored.object_type, stored.pk),
        change_ids=(),
        lane=None,
        created_at=moment,
    )
