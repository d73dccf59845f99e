"""Which hooks a change fires."""

from buttonhook.ids import JobId, ObjectChangeAction
from buttonhook.matching import index_hooks, lane_of
from buttonhook.receivers.meta import JobMeta
from buttonhook.records import JobHook

CREATE, DELETE = ObjectChangeAction.CREATE, ObjectChangeAction.DELETE


def hook(name: str, types: tuple[str, ...], *actions: ObjectChangeAction, enabled: bool = True) -> JobHook:
    return JobHook(id=f"id-{name}", name=name, job=JobId("j"), object_types=types, actions=actions, enabled=enabled)


def test_hooks_are_found_by_type_and_action_in_the_order_of_their_names():
    index = index_hooks(
        [
            hook("c", ("t.a",), CREATE),
            hook("a", ("t.a", "t.b"), CREATE, DELETE),
            hook("b", ("t.a",), CREATE, enabled=False),
        ]
    )
    found = {key: [each.name for each in hooks] for key, hooks in index.items()}
    assert found == {
        ("t.a", CREATE): ["a", "c"],
        ("t.a", DELETE): ["a"],
        ("t.b", CREATE): ["a"],
        ("t.b", DELETE): ["a"],
    }


def lanes(options: JobMeta) -> set[str | None]:
    return {
        lane_of(options, JobId("j"), hook_id, kind, pk)
        for hook_id in ("one", "two")
        for kind in ("t.a", "t.b")
        for pk in ("1", "2")
    }


def test_a_lane_belongs_to_one_hook_and_one_object():
    assert len(lanes(JobMeta())) == 8


def test_a_singleton_has_one_lane_and_a_job_without_order_none():
    assert lanes(JobMeta(is_singleton=True, ordering="none")) == {"job:j"}
    assert lanes(JobMeta(ordering="none")) == {None}
