"""Pressing buttons, rerunning and cancelling, by one user."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Final

from buttonhook.access.parts import Asker, Parts
from buttonhook.buttons import ButtonGroup, Prepared, ShownButton, of_type, render
from buttonhook.configuration import Configuration
from buttonhook.errors import ObjectNotFound
from buttonhook.ids import JobResultStatus
from buttonhook.matching import why_not_job
from buttonhook.permissions import missing, object_of, permission_of, require, result_for
from buttonhook.records import Job, JobButton, JobResult, ResultQuery

MOST_BEFORE: Final = 1000
"""So many of a lane are counted."""


class Runs:
    """Starts and stops runs."""

    def __init__(self, parts: Parts, asker: Asker) -> None:
        self._parts = parts
        self._user = asker.user
        self._configuration = Configuration(parts.registry, parts.writer, user=asker.user)

    async def press(self, button: str, object_type: str, pks: Iterable[str]) -> tuple[JobResult, ...]:
        """Press a job button on objects; returns the pending results, one for each object, all or none.

        Raises:
            RecordNotFound, PressRefused, ObjectNotFound, PermissionDenied: nothing was started.
        """
        return await self._parts.presser.press(self._found(button, object_type), object_type, pks, self._user)

    async def prepare_each(self, button: str, object_type: str, pks: Iterable[str]) -> list[Prepared]:
        """What a press on each of some objects comes to: a result for those that are there for the user.

        Raises:
            RecordNotFound, PressRefused, PermissionDenied: it cannot be pressed at all.
        """
        return await self._parts.presser.prepare_each(self._found(button, object_type), object_type, pks, self._user)

    async def press_prepared(self, prepared: Iterable[Prepared]) -> tuple[JobResult, ...]:
        """Store what was prepared just before; returns the pending results, in order."""
        return await self._parts.presser.press_prepared(prepared)

    def _found(self, button: str, object_type: str) -> JobButton:
        """A button by name or id. Who may press need not see its record where it stands on pages of the type's objects.

        Raises:
            RecordNotFound: there is none, or not for this user; it tells no names but those that they may see.
        """
        registry = self._parts.registry
        registry.get_type(object_type)
        require(self._user, "press a job button", f"press {button!r}", None, object_type)
        found = registry.find_named(JobButton, button)
        if found is not None and found.enabled and object_type in found.object_types:
            return found
        return self._configuration.get_button(button)

    async def shown_buttons(self, object_type: str, pk: str) -> list[ButtonGroup]:
        """The job buttons that an object's page shows to this user, each that cannot be pressed with the reason.

        Raises:
            UnknownObjectType, ObjectNotFound, PermissionDenied: there is no such object, or not for this user.
        """
        self._parts.registry.get_type(object_type)
        require(self._user, "see an object", f"see {object_type} objects", object_type)
        stored = await self._parts.reader.get_object((object_type, pk))
        if stored is None or missing(self._user, "see an object", stored) is not None:
            raise ObjectNotFound(object_type, repr(pk))
        return render(self._parts.registry, stored, self._user)

    def buttons_of_type(self, object_type: str) -> list[ShownButton]:
        """The job buttons that a list of a type's objects shows to this user, for pressing on many of them.

        Raises:
            UnknownObjectType, PermissionDenied: there is no such type, or the user sees no object of it.
        """
        self._parts.registry.get_type(object_type)
        require(self._user, "see an object", f"see {object_type} objects", object_type)
        return of_type(self._parts.registry, object_type, self._user)

    async def rerun(self, result_id: str) -> JobResult:
        """Run the same once more, as a new result at the end of its lane."""
        result = await self._parts.control.rerun(result_id, self._user)
        return result_for(self._user, self._parts.registry, result)

    async def cancel(self, result_id: str) -> JobResult:
        """Cancel a result that waits, or end one that runs; returns it as it was before."""
        result = await self._parts.control.cancel(result_id, self._user)
        return result_for(self._user, self._parts.registry, result)

    async def why_not_rerun(self, result: JobResult) -> str | None:
        """Why a result that the user sees cannot be rerun by them, None where it can."""
        registry = self._parts.registry
        job = registry.find(Job, result.job)
        lack = await self._lack("rerun a job result", result, job)
        if lack is not None:
            return lack
        if not result.status.is_final:
            return f"it has not ended yet ({result.status.value})"
        kind = "hook" if result.kind == "hook" else "button"
        return why_not_job(job, result.job, is_installed=result.job in registry.receivers, kind=kind)

    async def why_not_cancel(self, result: JobResult) -> str | None:
        """Why a result that the user sees cannot be cancelled by them, None where it can."""
        lack = await self._lack("cancel a job result", result)
        if lack is not None:
            return lack
        return f"it has ended already ({result.status.value})" if result.status.is_final else None

    async def _lack(self, act: str, result: JobResult, *others: object) -> str | None:
        about = await object_of(self._user, self._parts.reader, result.object_type, result.object_pk)
        need = missing(self._user, act, result, *others, about)
        if need is None:
            return None
        permission = permission_of(need, about)
        return (
            f"you hold {permission}, but not for this one"
            if self._user.has_perm(permission)
            else f"you lack {permission}"
        )

    async def count_before(self, results: Iterable[JobResult]) -> dict[int, int]:
        """How many results of its lane come before each that has one and waits, `MOST_BEFORE` at most; by number."""
        reader = self._parts.reader
        lanes: dict[str, list[int]] = {}
        for each in results:
            if each.lane is not None and each.status is JobResultStatus.PENDING:
                lanes.setdefault(each.lane, []).append(each.number)
        counts = {}
        for lane, numbers in lanes.items():
            waiting = [each.number for each in await reader.pending(0, MOST_BEFORE, lane)]
            running = await reader.results(ResultQuery(status=JobResultStatus.STARTED, lane=lane, limit=1))
            counts.update({each: len(running) + bisect_left(waiting, each) for each in numbers})
        return counts
