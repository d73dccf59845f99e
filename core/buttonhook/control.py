"""Steering job results from outside: enqueue, cancel, rerun."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

import msgspec

from buttonhook.capture import note_of_refusal
from buttonhook.errors import EnqueueRefused, NoSuchRun, RunNotFound
from buttonhook.ids import MAX_DEPTH, JobId, JobResultId, JobResultStatus, new_uuid7, now
from buttonhook.matching import lane_of, link, why_not_job
from buttonhook.permissions import missing, object_of, require
from buttonhook.receivers.base import Receiver
from buttonhook.receivers.user import User
from buttonhook.records import Job, JobResult, Outcome, ResultQuery, StoredObject
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader
from buttonhook.work import Finish, Piece, hand_over

_NUMBER_DIGITS: Final = 19
"""So many fit into a column of SQLite."""


class Results(Protocol):
    """Where results are committed."""

    async def add_results(self, results: Sequence[JobResult]) -> tuple[JobResult, ...]: ...

    def post(self, piece: Piece) -> None: ...


class Running(Protocol):
    """Who runs results now."""

    def cancel(self, number: int, reason: str) -> bool: ...

    def note_ended(self, number: int) -> None: ...


def result_named(text: str) -> ResultQuery:
    """The question for the result of an id or a number."""
    if text.isascii() and text.isdecimal() and len(text) < _NUMBER_DIGITS:
        return ResultQuery(numbers=(int(text),), limit=1)
    return ResultQuery(id=text, limit=1)


class Control:
    """Enqueues, cancels and reruns job results."""

    def __init__(self, registry: Registry, reader: Reader, results: Results) -> None:
        self._registry = registry
        self._reader = reader
        self._results = results
        self.running: Running | None = None
        """Set while a dispatcher runs in this process."""

    async def enqueue(self, cause: JobResult, receiver: type[Receiver] | str, obj: Any) -> JobResult:
        """Contract: `receivers.base.Enqueuer`."""
        path = receiver if isinstance(receiver, str) else f"{receiver.__module__}.{receiver.__qualname__}"
        job = self._registry.find(Job, path)
        job_id = JobId(path)
        is_installed = job_id in self._registry.receivers
        reason = why_not_job(job, job_id, is_installed=is_installed, kind=job.kind if job is not None else "button")
        object_type, pk = getattr(obj, "object_type", None), getattr(obj, "pk", None)
        if reason is None and job is not None and job.kind != "button":
            reason = "it is no job button receiver; job hooks are fired by changes"
        if not isinstance(object_type, str) or not isinstance(pk, str):
            reason = reason or "the second argument must be an object that was saved"
            raise EnqueueRefused(path, reason)
        if cause.depth + 1 >= MAX_DEPTH:
            reason = reason or f"the chain of causes is {cause.depth + 1} runs deep, the most there may be"
        if link(job_id, object_type, pk) in cause.chain:
            reason = reason or "it has run on this object in this chain of causes already"
        if reason is not None or job is None:
            raise EnqueueRefused(path, reason or "it is not installed")
        options = self._registry.options(job_id)
        result = JobResult(
            number=0,
            id=JobResultId(new_uuid7()),
            kind="enqueue",
            job=job_id,
            job_name=job.name,
            occasion=cause.job_name,
            occasion_id=cause.id,
            status=JobResultStatus.PENDING,
            attempt=0,
            crashes=0,
            user_name=cause.user_name,
            object_type=object_type,
            object_pk=pk,
            object_repr=str(obj),
            change_ids=(),
            lane=f"job:{job_id}" if options.is_singleton else None,
            created_at=now(),
            cause=cause.id,
            root=cause.root or cause.id,
            depth=cause.depth + 1,
            is_hooks=cause.is_hooks,
            chain=(*cause.chain, link(job_id, object_type, pk)),
        )
        return (await self._results.add_results([result]))[0]

    async def cancel(self, result_id: str, user: User) -> JobResult:
        """Cancel a result that waits, or end one that runs; returns it as it was before.

        A run is told to stop and ends as `revoked` shortly after, also one that does not listen.

        Raises:
            RunNotFound: there is none, or it has ended already.
            PermissionDenied: the user may not cancel it.
        """
        result, about = await self._get(result_id, user)
        act = "cancel a job result"
        _check_hidden(user, act, result, about, (result, about))
        require(user, act, f"cancel job result {result.number}", result, about)
        if result.status.is_final:
            raise RunNotFound(result_id, f"has ended already ({result.status.value})")
        reason = f"cancelled by {user.username}"
        if self.running is not None and self.running.cancel(result.number, reason):
            return result
        # Where nothing runs, what is started was left so by a process that died: nobody else may own the database.
        is_orphan = self.running is None and result.status is JobResultStatus.STARTED
        if is_orphan:
            reason = f"{reason} after the process that ran it had ended"
        applied = await self._end(result, reason, was_started=is_orphan)
        if not applied and self.running is None:
            raise RunNotFound(result_id, "was started by another process in the meantime")
        return result

    async def _end(self, result: JobResult, reason: str, *, was_started: bool) -> bool:
        """End a result as revoked; whether that was applied. Its lane goes on even if nobody waits here any more."""
        attempt = result.attempt if was_started else 0
        outcome = Outcome(
            number=result.number, attempt=attempt, status=JobResultStatus.REVOKED, ended_at=now(), error=reason
        )
        note = note_of_refusal(result.number, attempt or result.attempt + 1, reason)
        if was_started:
            note = msgspec.structs.replace(note, message=f"Ended: {reason}")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def done(applied: Any) -> None:
            if not isinstance(applied, BaseException):
                loop.call_soon(self._free, result.number, reason)  # a claim in the same batch has begun its run by then
            hand_over(answer, applied)

        self._results.post(Finish(outcome, [note], done, was_started=was_started))
        return await answer

    def _free(self, number: int, reason: str) -> None:
        """End the run that has begun in the meantime, else let the lane go on."""
        if self.running is not None and not self.running.cancel(number, reason):
            self.running.note_ended(number)

    async def rerun(self, result_id: str, user: User) -> JobResult:
        """Run the same once more, as a new result at the end of its lane.

        What runs on an object because somebody said so is repeated in the name of who reruns it: a press, and what a
        job enqueued. What a change fired keeps the change's author.

        Raises:
            RunNotFound: there is none, or it has not ended yet.
            PermissionDenied: the user may not run the job, or not see the result or its object.
        """
        old, about = await self._get(result_id, user)
        job = self._registry.find(Job, old.job)
        act = "rerun a job result"
        _check_hidden(user, act, old, about, (old, job, about))
        require(user, act, f"rerun job result {old.number}", old, job, about)
        if not old.status.is_final:
            raise RunNotFound(result_id, f"has not ended yet ({old.status.value})")
        lane = old.lane
        if old.job in self._registry.receivers and old.kind == "hook":
            options = self._registry.options(old.job)
            lane = lane_of(options, old.job, old.occasion_id, old.object_type, old.object_pk)
        fresh = msgspec.structs.replace(
            old,
            number=0,
            id=JobResultId(new_uuid7()),
            status=JobResultStatus.PENDING,
            attempt=0,
            failures=0,
            crashes=0,
            lane=lane,
            created_at=now(),
            started_at=None,
            ended_at=None,
            due_at=None,
            result=None,
            error=None,
            traceback=None,
            rerun_of=old.id,
            rerun_by=user.username,
            user_name=old.user_name if old.kind == "hook" else user.username,
        )
        return (await self._results.add_results([fresh]))[0]

    async def _get(self, result_id: str, user: User) -> tuple[JobResult, StoredObject | str]:
        """A result, and its object as constraints are to see it."""
        found = await self._reader.results(result_named(result_id))
        if not found:
            raise NoSuchRun(result_id)
        result = found[0]
        return result, await object_of(user, self._reader, result.object_type, result.object_pk)


def _check_hidden(
    user: User, act: str, result: JobResult, about: StoredObject | str, subjects: tuple[Any, ...]
) -> None:
    """For who may neither do this nor see the result there is none.

    Raises:
        NoSuchRun: it is so.
    """
    if missing(user, act, *subjects) is not None and missing(user, "see a job result", result, about) is not None:
        raise NoSuchRun(result.id)
