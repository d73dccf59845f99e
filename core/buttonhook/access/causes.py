"""What came of what: the changes and job results of one chain of causes, as a tree, of what one user may see."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

from msgspec import Struct

from buttonhook.access.history import History
from buttonhook.records import ChangeQuery, ChangeRecord, JobResult, ResultQuery

MOST: Final = 1_000
"""How many changes and results one tree shows."""
PAGE: Final = 100
"""How many of what one run or change caused are shown."""


AT_ONCE: Final = 500
"""How much is asked for all of one depth of a tree together."""
Step = ChangeRecord | JobResult
K = TypeVar("K", int, str)
T = TypeVar("T", ChangeRecord, JobResult)


class Caused(Struct, frozen=True):
    """One change or job result of a tree. `parent` is the place of its cause in the list, None where that is not shown.

    `has_more`: it caused more than is shown of it.
    """

    what: Step
    parent: int | None
    has_more: bool = False


class Causes:
    """Trees of causes. What the user may not see is left out; a run is then shown with the run that caused it."""

    def __init__(self, history: History) -> None:
        self._history = history

    async def of_change(self, change_id: int, most: int = MOST) -> list[Caused]:
        """A change and all that came of it, causes before what they caused; `most` of both together.

        Raises:
            RecordNotFound, PermissionDenied: there is no such change, or not for this user.
        """
        return await self._grow(await self._history.get_change(change_id), most)

    async def of_result(self, result_id: str, most: int = MOST) -> list[Caused]:
        """A job result, by id or number, with all that came of it. Raises: as `History.get_result`."""
        return await self._grow(await self._history.get_result(result_id), most)

    async def leading_to(self, result_id: str) -> list[Step]:
        """What led to a job result: changes and results in turn, from the first that the user may see, itself last."""
        return await self._back_from(await self._history.get_result(result_id))

    async def leading_to_change(self, change_id: int) -> list[Step]:
        """What led to a change, as `leading_to`."""
        return await self._back_from(await self._history.get_change(change_id))

    async def _back_from(self, last: Step) -> list[Step]:
        steps = [last]
        while (before := await self._before(steps[-1])) is not None:
            steps.append(before)
        return steps[::-1]

    async def _before(self, step: Step) -> Step | None:
        if isinstance(step, JobResult) and step.change_ids:
            changes = await self._changes(ChangeQuery(ids=(step.change_ids[0],), limit=1))
            if changes:
                return changes[0]
        if step.cause is None:
            return None
        results = await self._history.results(ResultQuery(id=step.cause, limit=1))
        return results[0] if results else None

    async def _grow(self, root: Step, most: int) -> list[Caused]:
        found = [Caused(root, None)]
        seen = {_key(root)}
        level = [0]
        while level:
            following: list[int] = []
            for place, children in zip(level, await self._caused_by([found[at].what for at in level]), strict=True):
                unseen = [each for each in children if _key(each) not in seen]
                fresh = unseen[:PAGE][: most - len(found)]
                seen.update(map(_key, fresh))
                following.extend(range(len(found), len(found) + len(fresh)))
                found.extend(Caused(each, place) for each in fresh)
                if len(unseen) > len(fresh):
                    found[place] = Caused(found[place].what, found[place].parent, has_more=True)
            level = following
        return found

    async def _caused_by(self, causes: Sequence[Step]) -> list[list[Step]]:
        """Of each the results of a change; the changes of a run and what it enqueued. Oldest first, some more than
        are shown.

        What a run's changes fired stands with the change, or with the run where the change is not shown.
        """
        changes = [each.id for each in causes if isinstance(each, ChangeRecord)]
        runs = [each.id for each in causes if isinstance(each, JobResult)]
        fired = await _grouped(
            changes,
            lambda ids, limit: self._history.results(ResultQuery(change_id=ids, ascending=True, limit=limit)),
            lambda each: each.change_ids[0],
        )
        made = await _grouped(
            runs,
            lambda ids, limit: self._changes(ChangeQuery(cause=ids, ascending=True, limit=limit)),
            lambda each: each.cause or "",
        )
        ran = await _grouped(
            runs,
            lambda ids, limit: self._history.results(ResultQuery(cause=ids, ascending=True, limit=limit)),
            lambda each: each.cause or "",
        )
        found: list[list[Step]] = []
        for each in causes:
            if isinstance(each, ChangeRecord):
                found.append(list(fired.get(each.id, ())))
                continue
            mine = made.get(each.id, [])
            shown = {one.id for one in mine}
            found.append([*mine, *(one for one in ran.get(each.id, ()) if shown.isdisjoint(one.change_ids))])
        return found

    async def _changes(self, query: ChangeQuery) -> list[ChangeRecord]:
        """For who may see no changes at all there are none."""
        return await self._history.changes(query) if self._history.may_see_changes else []


async def _grouped(
    keys: Sequence[K], ask: Callable[[tuple[K, ...], int], Awaitable[list[T]]], key_of: Callable[[T], K]
) -> dict[K, list[T]]:
    """What belongs to each key: asked for all of them at once, or in halves where that would be very much."""
    if not keys:
        return {}
    limit = PAGE + 1 if len(keys) == 1 else AT_ONCE
    found = await ask(tuple(keys), limit)
    if len(keys) > 1 and len(found) == limit:
        half = len(keys) // 2
        return {**await _grouped(keys[:half], ask, key_of), **await _grouped(keys[half:], ask, key_of)}
    groups: dict[K, list[T]] = {}
    for each in found:
        groups.setdefault(key_of(each), []).append(each)
    return groups


def _key(what: Step) -> tuple[type, int]:
    return (ChangeRecord, what.id) if isinstance(what, ChangeRecord) else (JobResult, what.number)
