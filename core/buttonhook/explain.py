"""Why a job hook ran on a change, or why not: one verdict for every job hook there is.

What was judged at the commit is kept with the change and told as it was. For hooks that did not cover the change, or
that were edited since, the same questions are asked again of the hook as it is now, and the verdict says so.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal

from msgspec import Struct

from buttonhook.conditions import RowVerdict, judge
from buttonhook.errors import RecordNotFound
from buttonhook.ids import JobResultId
from buttonhook.matching import payload_of, why_conditions, why_cut, why_not_job
from buttonhook.records import RECORD_TYPES, ChangeQuery, ChangeRecord, Job, JobHook, JobResult, Origin, ResultQuery
from buttonhook.registry import Registry
from buttonhook.stores.base import Reader

SET_UP_FIRES_NOTHING: Final = "edits of the set-up fire no job hooks"
Fate = Literal["fired", "cut", "not covered", "disabled", "edited since"]


class HookVerdict(Struct, frozen=True, kw_only=True):
    """What one job hook said to one change. `results` are the runs it caused."""

    hook: str
    job: str
    fate: Fate
    reason: str
    results: tuple[JobResultId, ...] = ()


class Explanation(Struct, frozen=True, kw_only=True):
    """All verdicts on one change, and what is to be known of the change itself."""

    change: ChangeRecord
    notes: tuple[str, ...]
    verdicts: tuple[HookVerdict, ...]


class Trial(Struct, frozen=True, kw_only=True):
    """What an unsaved hook would say to a past change, row by row."""

    would_fire: bool
    reason: str
    rows: tuple[RowVerdict, ...]


class Explainer:
    """Answers for changes that are recorded."""

    def __init__(self, registry: Registry, reader: Reader) -> None:
        self._registry = registry
        self._reader = reader

    async def explain(self, change_id: int, may_see: Callable[[str], bool] = lambda _: True) -> Explanation:
        """All verdicts on a change, of those job hooks that may be seen, asked by id.

        Raises:
            RecordNotFound: there is no such change.
        """
        change = await self.get_change(change_id)
        if is_of_set_up(change):
            return Explanation(change=change, notes=(SET_UP_FIRES_NOTHING,), verdicts=())
        results = await self._reader.results(ResultQuery(change_id=change.id, ascending=True, limit=1000))
        known = {hook.id: hook for hook in self._registry.all(JobHook)}
        verdicts = [self._verdict(hook, change, results) for hook in known.values() if may_see(hook.id)]
        verdicts.extend(
            HookVerdict(hook=cut.hook, job="", fate="cut", reason=f"{cut.reason}; the job hook has been removed since")
            for cut in change.cuts
            if cut.hook_id not in known and may_see(cut.hook_id)
        )
        gone = {each.occasion_id: each for each in results if each.kind == "hook" and each.occasion_id not in known}
        for result in (each for id_, each in gone.items() if may_see(id_)):
            ids = tuple(each.id for each in results if each.occasion_id == result.occasion_id)
            reason = "it fired; the job hook has been removed since"
            verdicts.append(
                HookVerdict(hook=result.occasion, job=result.job_name, fate="fired", reason=reason, results=ids)
            )
        return Explanation(change=change, notes=_notes(change), verdicts=tuple(verdicts))

    async def try_out(self, hook: JobHook, change_id: int) -> Trial:
        """What a hook, saved or not, would say to a past change. Nothing runs."""
        return await self.try_on(hook, await self.get_change(change_id))

    async def try_on(self, hook: JobHook, change: ChangeRecord) -> Trial:
        """As `try_out`, on a change that was read already."""
        reason = _not_covered(hook, change) or await self._why_cut(hook, change)
        rows = tuple(judge(hook.conditions, payload_of(change), self._registry.presets))
        failed = next((row for row in rows if not row.passed), None)
        if reason is None and failed is not None:
            reason = f"condition {failed.preset} does not hold: {failed.reason}"
        return Trial(would_fire=reason is None, reason=reason or "it would fire", rows=rows)

    def notes_on(self, hook: JobHook) -> tuple[str, ...]:
        """Why a hook fires on nothing at present, whatever its trials say."""
        notes = [] if hook.enabled else ["the job hook is disabled"]
        job = self._registry.find(Job, hook.job)
        is_installed = hook.job in self._registry.receivers
        why = why_not_job(job, hook.job, is_installed=is_installed, kind="hook")
        return (*notes, *([why] if why is not None else []))

    async def _why_cut(self, hook: JobHook, change: ChangeRecord) -> str | None:
        """What the chain of causes that led to a change says to a hook, as far as its runs are still recorded."""
        if change.cause is None:
            return None
        made_by = await self._reader.results(ResultQuery(id=change.cause, limit=1))
        origin = Origin(
            user_name=change.user_name,
            context=change.change_context,
            request_id=change.request_id,
            depth=change.depth,
            is_hooks=any(each.is_hooks for each in made_by),
            chain=made_by[0].chain if made_by else (),
        )
        return why_cut(hook, origin, change.object_type, change.object_pk)

    async def get_change(self, change_id: int) -> ChangeRecord:
        """Raises: RecordNotFound."""
        found = await self._reader.changes(ChangeQuery(ids=(change_id,), limit=1))
        if not found:
            raise RecordNotFound(
                "change",
                str(change_id),
                listing="buttonhook changes list. A save that changed nothing is not recorded and fires nothing",
            )
        return found[0]

    def _verdict(self, hook: JobHook, change: ChangeRecord, results: Sequence[JobResult]) -> HookVerdict:
        job = self._registry.find(Job, hook.job)
        name = job.name if job is not None else hook.job
        ids = tuple(each.id for each in results if each.occasion_id == hook.id)
        if ids:
            return HookVerdict(hook=hook.name, job=name, fate="fired", reason="it fired", results=ids)
        cut = next((each for each in change.cuts if each.hook_id == hook.id), None)
        if cut is not None:
            return HookVerdict(hook=hook.name, job=name, fate="cut", reason=cut.reason)
        fate: Fate = "not covered"
        reason = _not_covered(hook, change)
        if reason is None and not hook.enabled:
            fate, reason = "disabled", "the job hook is disabled"
        if reason is None:
            fate = "edited since"
            is_installed = hook.job in self._registry.receivers
            now = why_not_job(job, hook.job, is_installed=is_installed, kind="hook") or why_conditions(
                hook, payload_of(change), self._registry.presets
            )
            today = "would fire" if now is None else f"would not: {now}"
            reason = f"it was added or edited after this change; now it {today}"
        return HookVerdict(hook=hook.name, job=name, fate=fate, reason=reason)


def is_of_set_up(change: ChangeRecord) -> bool:
    """Whether a change is an edit of a job, hook, button, type, user, group, permission or token."""
    return change.object_type in RECORD_TYPES.values()


def _not_covered(hook: JobHook, change: ChangeRecord) -> str | None:
    if is_of_set_up(change):
        return SET_UP_FIRES_NOTHING
    if change.object_type not in hook.object_types:
        return f"it is for {', '.join(hook.object_types)}, not for {change.object_type}"
    if change.action not in hook.actions:
        return f"it is for {', '.join(hook.actions)}, not for {change.action.value}"
    return None


def _notes(change: ChangeRecord) -> tuple[str, ...]:
    notes = []
    if change.saves > 1:
        notes.append(f"{change.saves} writes of one transaction were merged into this change; hooks see it once")
    if change.depth:
        runs = "1 run" if change.depth == 1 else f"{change.depth} runs"
        notes.append(f"the change was made by a job, {runs} down its chain of causes")
    return tuple(notes)
