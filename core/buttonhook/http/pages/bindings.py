"""What the pages of job hooks and of job buttons share: the lists that their forms choose from, errors at their fields,
and a mark of the record that a form showed.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import anyio
import msgspec

from buttonhook.access.access import Access
from buttonhook.errors import (
    BadCondition,
    ButtonhookError,
    PermissionDenied,
    QueryTooSlow,
    RecordConflict,
    RecordError,
    RecordNotFound,
    UnknownObjectType,
)
from buttonhook.http.asking import access_of, daemon_of
from buttonhook.http.pages.condition_inputs import Known, known_fields
from buttonhook.http.pages.condition_rows import RowState
from buttonhook.http.pages.rows import row_of
from buttonhook.http.problems import sentence
from buttonhook.http.reading import Request
from buttonhook.objects.keys import object_permission
from buttonhook.objects.types import ObjectType
from buttonhook.permissions import VIEW
from buttonhook.records import Job, JobButton, JobHook, JobResult, ObjectQuery, ResultQuery

Errors = dict[str, str]
SAMPLE: Final = 60
MOST_SAMPLED: Final = 4
SAMPLE_SECONDS: Final = 0.4
RESULT_SECONDS: Final = 0.4
MOST_RUNS: Final = 200
MOST_USERS: Final = 100
EDITED: Final = "Somebody else edited it while you typed. What you typed stands below; save again to overrule."
Refusals = (RecordError, UnknownObjectType)
"""What saving a record is refused with, for what it is."""


def job_choices(access: Access, kind: str, present: str) -> list[tuple[str, str]]:
    """The jobs that a hook or a button may run, and the one that it runs, even where that is gone."""
    jobs = [
        each for each in access.configuration.jobs() if (each.kind == kind and each.installed) or each.id == present
    ]
    made = [(str(each.id), _job_label(each, kind)) for each in jobs]
    if present and present not in {each.id for each in jobs}:
        made.append((present, f"{present} (not there for you)"))
    return made


def _job_label(job: Job, kind: str) -> str:
    if not job.installed:
        return f"{job.name} (not installed)"
    if job.kind != kind:
        return f"{job.name} (a job {job.kind} receiver now)"
    return job.name if job.enabled else f"{job.name} (disabled)"


def type_choices(request: Request, present: Sequence[str]) -> list[tuple[str, str]]:
    """The object types that there are, those of the record among them, even where they are gone."""
    registry, user = daemon_of(request).app.registry, access_of(request).user
    seen = [
        each.name
        for each in registry.list_types()
        if each.is_installed or user.has_perm(object_permission(each.name, VIEW))
    ]
    names = dict.fromkeys([*seen, *present])
    return [(each, each if registry.is_installed(each) else f"{each} (not installed)") for each in names]


def types_of(request: Request, names: Sequence[str]) -> list[ObjectType]:
    """Those of some types that there are."""
    registry = daemon_of(request).app.registry
    return [type_ for each in names if (type_ := registry.find_type(each)) is not None]


async def known_for(request: Request, names: Sequence[str]) -> Known:
    """What a form of conditions on these types may offer, as far as who asks may see it."""
    access, types = access_of(request), types_of(request, names)
    shown: list[dict[str, Any]] = []
    with anyio.move_on_after(SAMPLE_SECONDS):
        for type_ in types[:MOST_SAMPLED]:
            shown += await _sample(access, type_)
    users = [each.name for each in access.administration.users()][:MOST_USERS]
    free = shown if any(each.is_free for each in types) else []
    return Known(known_fields(types, free), shown, users)


async def _sample(access: Access, type_: ObjectType) -> list[dict[str, Any]]:
    try:
        found = await access.session.fetch(ObjectQuery(object_type=type_.name, limit=SAMPLE))
    except PermissionDenied:
        return []
    return [row_of(stored, type_).document for stored, _ in found]


def note_error(exc: ButtonhookError, errors: Errors, rows: Sequence[RowState]) -> None:
    """Put an error of saving to the field or the condition that it is about; else to the whole."""
    if isinstance(exc, BadCondition) and 0 < exc.row <= len(rows):
        problem = exc.problem[:1].upper() + exc.problem[1:]
        rows[exc.row - 1].errors[""] = problem if problem.endswith("?") else f"{problem}."
        errors.setdefault("", "It was not saved. What is wrong stands at its conditions.")
    elif isinstance(exc, RecordConflict):
        errors[exc.field] = sentence(exc)
    elif isinstance(exc, RecordNotFound):
        errors["job"] = f"There is no {exc.kind} {exc.name!r} for you. Choose another one."
    elif isinstance(exc, UnknownObjectType):
        errors["object_types"] = f"Object type {exc.object_type!r} is not known any more."
    else:
        errors[""] = sentence(exc)


def in_order(chosen: Sequence[str], before: Sequence[str]) -> tuple[str, ...]:
    """What is chosen in a form, in the order in which it stands in the record: what stayed is not told as a change."""
    return tuple(dict.fromkeys([*(each for each in before if each in chosen), *chosen]))


def mark_of(record: JobHook | JobButton | None) -> str:
    """What tells whether a record is still the one that a form showed."""
    return "" if record is None else hashlib.sha256(msgspec.json.encode(record)).hexdigest()[:16]


async def last_results(access: Access, record: JobHook | JobButton, limit: int) -> list[JobResult]:
    """The last runs of a hook or a button that one may see, of the last `MOST_RUNS` of its job, if quick to tell."""
    found: list[JobResult] = []
    with anyio.move_on_after(RESULT_SECONDS), suppress(QueryTooSlow):
        found = await access.history.results(ResultQuery(job=record.job, limit=MOST_RUNS))
    return [each for each in found if each.occasion_id == record.id][:limit]


def job_of(access: Access, job_id: str) -> Job | None:
    """A job where one may see it."""
    return next((each for each in access.configuration.jobs() if each.id == job_id), None)
