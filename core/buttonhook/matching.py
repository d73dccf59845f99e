"""Which job hooks a change fires, and why the others do not.

Hooks are looked up by (object type, action), never by walking all of them. What a hook that covers a change says to it
is judged once, at the commit; `explain` asks the same questions again of a past change.
"""

from collections.abc import Iterable, Mapping

from buttonhook import documents
from buttonhook.conditions import Payload, Presets, first_failure
from buttonhook.ids import MAX_DEPTH, JobId, ObjectChangeAction
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import ChangeRecord, Job, JobHook, Origin

HookIndex = Mapping[tuple[str, ObjectChangeAction], tuple[JobHook, ...]]


def index_hooks(hooks: Iterable[JobHook]) -> HookIndex:
    """The enabled hooks by what fires them, in the order of their names."""
    index: dict[tuple[str, ObjectChangeAction], list[JobHook]] = {}
    for hook in sorted(hooks, key=lambda each: each.name):
        if hook.enabled:
            for object_type in hook.object_types:
                for action in hook.actions:
                    index.setdefault((object_type, action), []).append(hook)
    return {key: tuple(value) for key, value in index.items()}


def lane_of(options: JobMeta, job: JobId, hook_id: str, object_type: str, pk: str) -> str | None:
    """The queue a result waits in: one a job for singletons, one a hook and object by default, or none."""
    if options.is_singleton:
        return f"job:{job}"
    return f"{hook_id}:{object_type}:{pk}" if options.ordering == "object" else None


def link(job: JobId, object_type: str, pk: str) -> str:
    """How one run stands in a chain of causes."""
    return f"{job} {object_type} {pk}"


def why_not_job(job: Job | None, job_id: JobId, *, is_installed: bool, kind: str) -> str | None:
    """Why a job cannot run for a job hook or a job button (`kind`), or None when it can."""
    if job is None or not is_installed:
        return f"job {job_id} is not installed"
    if job.kind != kind:
        return f"job {job.name!r} is a job {job.kind} receiver now"
    return None if job.enabled else f"job {job.name!r} is disabled"


def why_cut(hook: JobHook, origin: Origin, object_type: str, pk: str) -> str | None:
    """Why a hook is not fired by a change that runs made, or None when nothing in its chain forbids it."""
    if origin.is_hooks and not hook.allow_job_hook_changes:
        return "the change was made by a job hook's job, and the hook does not allow such changes"
    if origin.depth >= MAX_DEPTH:
        return f"the chain of causes is {origin.depth} runs deep, the most there may be"
    if origin.chain and link(hook.job, object_type, pk) in origin.chain:
        return "its job has run on this object in this chain of causes already"
    return None


def why_conditions(hook: JobHook, payload: Payload, presets: Presets) -> str | None:
    """Which condition does not hold, with the values compared, or None when all do."""
    if not hook.conditions:
        return None
    failed = first_failure(hook.conditions, payload, presets)
    return None if failed is None else f"condition {failed.preset} does not hold: {failed.reason}"


def payload_of(change: ChangeRecord) -> Payload:
    """What conditions are judged by, of a recorded change."""
    return Payload(
        change.action,
        change.user_name,
        None if change.prechange is None else documents.decode(change.prechange),
        None if change.postchange is None else documents.decode(change.postchange),
    )
