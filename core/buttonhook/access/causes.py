"""What came of what: the changes and job results of one chain of causes, as a tree, of what one user may see."""

from collections import deque
from typing import Final

from msgspec import Struct

from buttonhook.access.history import History
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, ResultQuery

MOST: Final = 500
"""How many changes and results one tree shows."""
PAGE: Final = 100
"""How many of what one run or change caused are shown."""


class Caused(Struct, frozen=True):
    """One change or job result of a tree. `parent` is the place of its cause in the list, None where that is not shown.

    `has_more`: it caused more than is shown of it.
    """

    what: ChangeRecord | JobResult
    parent: int | None
    has_more: bool = False


class Causes:
    """Trees of causes. What the user may not see is left out; a run is then shown with the run that caused it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def of_change(self, change_id: int) -> list[Caused]:
        """A change and all that came of it, causes before what they caused.

        Raises:
            RecordNotFound, PermissionDenied: there is no such change, or not for this user.
        """
        return await self._grow(await self._history.get_change(change_id))

    async def of_result(self, result_id: str) -> list[Caused]:
        """A job result, by id or number, with all that came of it. Raises: as `History.get_result`."""
        return await self._grow(await self._history.get_result(result_id))

    async def leading_to(self, result_id: str) -> list[ChangeRecord | JobResult]:
        """What led to a job result: changes and results in turn, from the first that the user may see, itself last."""
        return await self._back_from(await self._history.get_result(result_id))

    async def leading_to_change(self, change_id: int) -> list[ChangeRecord | JobResult]:
        """What led to a change, as `leading_to`."""
        return await self._back_from(await self._history.get_change(change_id))

    async def _back_from(self, last: ChangeRecord | JobResult) -> list[ChangeRecord | JobResult]:
        steps = [last]
        while (before := await self._before(steps[-1])) is not None:
            steps.append(before)
        return steps[::-1]

    async def _before(self, step: ChangeRecord | JobResult) -> ChangeRecord | JobResult | None:
        if isinstance(step, JobResult) and step.change_ids:
            changes = await self._changes(ChangeQuery(ids=(step.change_ids[0],), limit=1))
            if changes:
                return changes[0]
        if step.cause is None:
            return None
        results = await self._history.results(ResultQuery(id=step.cause, limit=1))
        return results[0] if results else None

    async def _grow(self, root: ChangeRecord | JobResult) -> list[Caused]:
        found = [Caused(root, None)]
        seen = {_key(root)}
        waiting = deque([0])
        while waiting:
            place = waiting.popleft()
            children = await self._caused_by(found[place].what)
            fresh = [each for each in children[:PAGE] if _key(each) not in seen][: MOST - len(found)]
            unseen = [each for each in children if _key(each) not in seen]
            seen.update(map(_key, fresh))
            waiting.extend(range(len(found), len(found) + len(fresh)))
            found.extend(Caused(each, place) for each in fresh)
            if len(unseen) > len(fresh):
                found[place] = Caused(found[place].what, found[place].parent, has_more=True)
        return found

    async def _caused_by(self, cause: ChangeRecord | JobResult) -> list[ChangeRecord | JobResult]:
        """The results of a change; the changes of a run and what it enqueued. Oldest first, one more than is shown.

        What a run's changes fired stands with the change, or with the run where the change is not shown.
        """
        if isinstance(cause, ChangeRecord):
            query = ResultQuery(change_id=cause.id, ascending=True, limit=PAGE + 1)
            return list(await self._history.results(query))
        changes = await self._changes(ChangeQuery(cause=cause.id, ascending=True, limit=PAGE + 1))
        results = await self._history.results(ResultQuery(cause=cause.id, ascending=True, limit=PAGE + 1))
        shown = {each.id for each in changes}
        return [*changes, *(each for each in results if shown.isdisjoint(each.change_ids))]

    async def _changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """For who may see no changes at all there are none."""
        return await self._history.changes(query) if self._history.may_see_changes else []


def _key(what: ChangeRecord | JobResult) -> tuple[type, int]:
    return (ChangeRecord, what.id) if isinstance(what, ChangeRecord) else (JobResult, what.number)
