"""Which job hooks a change fires: looked up by (object type, action), never by walking all hooks."""

from collections.abc import Iterable, Mapping

from buttonhook.ids import ObjectChangeAction
from buttonhook.records import JobHook

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


def lane_of(hook: JobHook, object_type: str, pk: str) -> str:
    """The name of the queue in which one hook sees one object's changes in order."""
    return f"{hook.id}:{object_type}:{pk}"
