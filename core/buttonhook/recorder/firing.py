"""What a job hook's results have in common, whatever the change: worked out once for each state of the set-up."""

from collections.abc import Mapping

from msgspec import Struct

from buttonhook.conditions import Payload
from buttonhook.ids import JobResultId, JobResultStatus, ObjectChangeAction, new_uuid7
from buttonhook.matching import index_hooks, lane_of, link, why_conditions, why_cut, why_not_job
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import ChangeRecord, Job, JobHook, JobResult, Origin
from buttonhook.registry import Registry


class Trigger(Struct, frozen=True):
    """An enabled job hook with its job. `why_not` says why that cannot run, `options` are None where it does not."""

    hook: JobHook
    job_name: str
    why_not: str | None
    options: JobMeta | None

    def why_no_run(self, origin: Origin, key: tuple[str, str]) -> str | None:
        """Why the hook is not fired by a change of an object, whatever the change's conditions."""
        return why_cut(self.hook, origin, *key) or self.why_not

    def why_conditions(self, payload: Payload, registry: Registry) -> str | None:
        """Which of the hook's conditions does not hold."""
        return why_conditions(self.hook, payload, registry.presets)

    def lane(self, change: ChangeRecord) -> str | None:
        """The queue in which its result on a change waits."""
        hook, options = self.hook, self.options
        if options is None:
            return None
        return lane_of(options, hook.job, hook.id, change.object_type, change.object_pk)

    def result(
        self, change: ChangeRecord, origin: Origin, number: int, lane: str | None, is_started: bool
    ) -> JobResult:
        """The job result of a change, pending or started already."""
        hook = self.hook
        return JobResult(
            number=number,
            id=JobResultId(new_uuid7()),
            kind="hook",
            job=hook.job,
            job_name=self.job_name,
            occasion=hook.name,
            occasion_id=hook.id,
            status=JobResultStatus.STARTED if is_started else JobResultStatus.PENDING,
            attempt=1 if is_started else 0,
            crashes=0,
            user_name=change.user_name,
            object_type=change.object_type,
            object_pk=change.object_pk,
            object_repr=change.object_repr,
            change_ids=(change.id,),
            lane=lane,
            created_at=change.recorded_at,
            started_at=change.recorded_at if is_started else None,
            cause=change.cause,
            root=change.root,
            depth=change.depth,
            is_hooks=True,
            chain=(*origin.chain, link(hook.job, change.object_type, change.object_pk)),
            run_as=hook.run_as,
        )


Triggers = Mapping[tuple[str, ObjectChangeAction], tuple[Trigger, ...]]
"""By what fires them: (object type, action)."""


def index_triggers(registry: Registry) -> Triggers:
    """The enabled hooks of the set-up as it is now."""
    hooks = registry.all(JobHook)
    triggers = {hook.id: _trigger(registry, hook) for hook in hooks if hook.enabled}
    return {key: tuple(triggers[hook.id] for hook in covering) for key, covering in index_hooks(hooks).items()}


def _trigger(registry: Registry, hook: JobHook) -> Trigger:
    job, is_installed = registry.find(Job, hook.job), hook.job in registry.receivers
    return Trigger(
        hook=hook,
        job_name=job.name if job is not None else hook.job,
        why_not=why_not_job(job, hook.job, is_installed=is_installed, kind="hook"),
        options=registry.options(hook.job) if is_installed else None,
    )
