"""Job buttons: what an object's page shows of them, and pressing them, one pending job result for each object."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from buttonhook import documents
from buttonhook.conditions import Payload, first_failure
from buttonhook.errors import ObjectNotFound, PressRefused, QueryError
from buttonhook.ids import JobResultId, JobResultStatus, ObjectKey, new_uuid7, now
from buttonhook.matching import link, why_not_job
from buttonhook.objects.keys import object_repr
from buttonhook.permissions import missing, permission_of, require
from buttonhook.receivers.user import User
from buttonhook.records import Job, JobButton, JobResult, StoredObject
from buttonhook.registry import Registry

_PLACEHOLDER: Final = re.compile(r"\{([^{}]{1,200})\}")


class Objects(Protocol):
    """Where the pressed objects are read."""

    async def get_object(self, key: ObjectKey) -> StoredObject | None: ...


class Results(Protocol):
    """Where the new results are committed."""

    async def add_results(self, results: Sequence[JobResult]) -> tuple[JobResult, ...]: ...


Prepared = tuple[str, JobResult | ObjectNotFound]
"""A pk, and the job result that a press on it comes to, or why there is none."""


class ShownButton(Struct, frozen=True, kw_only=True):
    """A job button as an object's page shows it; `disabled` holds the reason why it cannot be pressed."""

    id: str
    name: str
    text: str
    style: str
    confirmation: bool
    job: str
    disabled: str | None


class ButtonGroup(Struct, frozen=True):
    """Buttons shown together; the first group has no name and holds those that stand alone."""

    name: str
    buttons: tuple[ShownButton, ...]


def render(registry: Registry, stored: StoredObject, user: User) -> list[ButtonGroup]:
    """The job buttons of an object's page: ungrouped ones first, then groups by name, each by weight and name.

    Disabled buttons (the record's `enabled`), buttons whose conditions do not hold and buttons whose text comes out
    empty are left out, and with them groups that would be empty.
    """
    document = documents.decode(stored.document)
    payload = Payload(None, user.username, None, document)
    groups: dict[str, list[ShownButton]] = {}
    for button in sorted(registry.all(JobButton), key=lambda each: (each.group, each.weight, each.name)):
        if not button.enabled or stored.object_type not in button.object_types:
            continue
        text = fill_text(button.text, document)
        if not text or first_failure(button.conditions, payload, registry.presets) is not None:
            continue
        groups.setdefault(button.group, []).append(_shown(registry, button, text, user, stored))
    return [ButtonGroup(name, tuple(buttons)) for name, buttons in groups.items()]


def of_type(registry: Registry, object_type: str, user: User) -> list[ShownButton]:
    """The job buttons that a list of objects shows, by name; those whose text differs by object have their names."""
    return [
        _shown(
            registry, each, each.name if _PLACEHOLDER.search(each.text) else each.text or each.name, user, object_type
        )
        for each in registry.all(JobButton)
        if each.enabled and object_type in each.object_types
    ]


def _shown(registry: Registry, button: JobButton, text: str, user: User, about: StoredObject | str) -> ShownButton:
    job = registry.find(Job, button.job)
    reason = why_not_job(job, button.job, is_installed=button.job in registry.receivers, kind="button")
    if reason is None and (need := missing(user, "press a job button", job, about)) is not None:
        reason = f"you lack {permission_of(need, about)}"
    return ShownButton(
        id=button.id,
        name=button.name,
        text=text,
        style=button.style,
        confirmation=button.confirmation,
        job=job.name if job is not None else button.job,
        disabled=reason,
    )


def fill_text(text: str, document: dict[str, Any]) -> str:
    """Replace each `{field.path}` by what stands there, nothing where nothing does; all else is plain text."""

    def value_of(match: re.Match[str]) -> str:
        try:
            value = documents.read_path(document, documents.split_path(match[1]))
        except QueryError:
            return match[0]
        if value is documents.ABSENT or value is None:
            return ""
        return value if isinstance(value, str) else documents.encode(value)

    return _PLACEHOLDER.sub(value_of, text)


def placeholders(text: str) -> list[str]:
    """The paths that a button's text is filled from, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(text)))


class Presser:
    """Presses job buttons on one object or many."""

    def __init__(self, registry: Registry, objects: Objects, results: Results) -> None:
        self._registry = registry
        self._objects = objects
        self._results = results

    async def press(self, button: JobButton, object_type: str, pks: Iterable[str], user: User) -> tuple[JobResult, ...]:
        """Press a button on objects of one type; one pending job result each, in the order given, all or none.

        Raises:
            PressRefused: the button, its job or the object's type do not allow it.
            PermissionDenied: the user may not run the job, or see no object of the type.
            ObjectNotFound: one of the objects does not exist, or not for this user.
        """
        job = self._checked(button, object_type, user)
        results = []
        for pk in dict.fromkeys(pks):
            result = await self._prepared(button, job, (object_type, pk), user)
            if isinstance(result, ObjectNotFound):
                raise result
            results.append(result)
        return await self._results.add_results(results)

    async def prepare_each(self, button: JobButton, object_type: str, pks: Iterable[str], user: User) -> list[Prepared]:
        """What a press on each object of one type comes to; nothing is stored yet. An object named twice counts once.

        Raises:
            PressRefused, PermissionDenied: the button cannot be pressed at all, as in `press`.
        """
        job = self._checked(button, object_type, user)
        return [(pk, await self._prepared(button, job, (object_type, pk), user)) for pk in dict.fromkeys(pks)]

    async def press_prepared(self, prepared: Iterable[Prepared]) -> tuple[JobResult, ...]:
        """Store the pending job results of what was prepared, in one commit."""
        results = [each for _, each in prepared if isinstance(each, JobResult)]
        return await self._results.add_results(results) if results else ()

    def _checked(self, button: JobButton, object_type: str, user: User) -> Job:
        """The job of a button that a user may press on some objects of a type."""
        self._registry.get_type(object_type)
        # Before anything is told of button and job.
        require(user, "press a job button", f"press {button.name!r}", self._registry.find(Job, button.job), object_type)
        return self._check(button, object_type)

    async def _prepared(self, button: JobButton, job: Job, key: ObjectKey, user: User) -> JobResult | ObjectNotFound:
        stored = await self._objects.get_object(key)
        if stored is None or missing(user, "press a job button", job, stored) is not None:
            return ObjectNotFound(key[0], repr(key[1]))
        lane = f"job:{job.id}" if self._registry.options(job.id).is_singleton else None
        return _result(button, job, stored, user.username, lane)

    def _check(self, button: JobButton, object_type: str) -> Job:
        if not button.enabled:
            cure = f"Enable it: buttonhook buttons edit {button.name!r} --enabled."
            raise PressRefused(button.name, "it is disabled", cure)
        if object_type not in button.object_types:
            raise PressRefused(button.name, f"it is for {', '.join(button.object_types)}, not for {object_type}")
        job = self._registry.find(Job, button.job)
        if job is None or button.job not in self._registry.receivers:
            raise PressRefused(button.name, f"its job {button.job} is not installed")
        if job.kind != "button":
            raise PressRefused(button.name, f"its job {job.name!r} is a job {job.kind} receiver now")
        if not job.enabled:
            cure = f"Enable it: buttonhook jobs enable {job.id}"
            raise PressRefused(button.name, f"its job {job.name!r} is disabled", cure)
        return job


def _result(button: JobButton, job: Job, stored: StoredObject, user_name: str, lane: str | None) -> JobResult:
    return JobResult(
        number=0,
        id=JobResultId(new_uuid7()),
        kind="button",
        job=job.id,
        job_name=job.name,
        occasion=button.name,
        occasion_id=button.id,
        status=JobResultStatus.PENDING,
        attempt=0,
        crashes=0,
        user_name=user_name,
        object_type=stored.object_type,
        object_pk=stored.pk,
        object_repr=object_repr(documents.decode(stored.document), stored.object_type, stored.pk),
        change_ids=(),
        lane=lane,
        created_at=now(),
        chain=(link(job.id, stored.object_type, stored.pk),),
    )
