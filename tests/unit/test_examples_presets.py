"""The preset of buttonhook-examples: what counts as a list that gained a member."""

from pathlib import Path
from typing import Any

import pytest

from buttonhook import JobHookReceiver, TrackedObject, open_app
from buttonhook.conditions import Answer, Payload
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import ResultQuery
from buttonhook_examples.presets import list_gained


def asked(before: Any, after: Any, member: Any, field: str = "tags") -> Answer:
    payload = Payload(ObjectChangeAction.UPDATE, "ann", before, after)
    return list_gained(payload, {"field": field, "member": member})


@pytest.mark.parametrize(
    ("before", "after", "member"),
    [
        ({"tags": []}, {"tags": ["edge"]}, "edge"),
        ({"tags": ["core"]}, {"tags": ["edge", "core"]}, "edge"),
        ({}, {"tags": ["edge"]}, "edge"),
        ({"tags": None}, {"tags": ["edge"]}, "edge"),
        ({"tags": "edge"}, {"tags": ["edge"]}, "edge"),
        ({"tags": [2]}, {"tags": [2, 1]}, "1"),
        ({"tags": []}, {"tags": [{"id": 7, "name": "edge"}]}, "edge"),
    ],
)
def test_a_list_gained_a_member_that_it_has_now_and_had_not_before(before: Any, after: Any, member: Any):
    assert asked(before, after, member).holds


@pytest.mark.parametrize(
    ("before", "after", "member", "because"),
    [
        ({"tags": ["edge"]}, {"tags": ["edge", "core"]}, "edge", '"edge" was in tags before'),
        ({"tags": ["edge", "core"]}, {"tags": ["core", "edge"]}, "edge", '"edge" was in tags before'),
        ({"tags": [{"name": "edge"}]}, {"tags": ["edge"]}, "edge", '"edge" was in tags before'),
        ({"tags": ["edge"]}, {"tags": []}, "edge", '"edge" is not in tags'),
        ({"tags": []}, {"tags": "edge"}, "edge", '"edge" is not in tags'),
        ({"tags": []}, {"tags": ["edges"]}, "edge", '"edge" is not in tags'),
        ({"tags": []}, {}, "edge", '"edge" is not in tags'),
        ({"tags": []}, {"tags": [True]}, 1, "1 is not in tags"),
    ],
)
def test_a_list_gained_nothing_else_and_it_is_told_why(before: Any, after: Any, member: Any, because: str):
    answer = asked(before, after, member)
    assert not answer.holds
    assert answer.because == because


def test_the_list_may_lie_deep():
    assert asked({"data": {"roles": []}}, {"data": {"roles": ["spine"]}}, "spine", "data.roles").holds


@pytest.mark.parametrize("states", [(None, {"tags": ["edge"]}), ({"tags": ["edge"]}, None)])
def test_a_create_or_a_delete_is_no_gain(states: tuple[Any, Any]):
    answer = list_gained(Payload(None, "ann", *states), {"field": "tags", "member": "edge"})
    assert answer == Answer(False, "list tags can only gain in an update")


class Tagged(TrackedObject, object_type="presets.tagged", kw_only=True):
    tags: list[str] = []


class Watch(JobHookReceiver):
    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("gained")


async def test_installed_it_decides_whether_a_job_hook_fires(tmp_path: Path):
    row = {"type": "preset", "preset": "list_gained", "values": {"field": "tags", "member": "edge"}}
    async with open_app(str(tmp_path / "t.db"), receivers=[Watch], object_types=[Tagged]) as app:
        await app.configuration.enable_job("Watch")
        await app.configuration.add_hook("edge", "Watch", ["presets.tagged"], conditions=[row])
        tagged = app.objects(Tagged)
        await tagged.create(pk="one", tags=["edge"])
        await tagged.create(pk="two", tags=[])
        versions = []
        for tags in (["core"], ["core", "edge"], ["edge"]):
            two = await tagged.get("two")
            two.tags = tags
            await two.save()
            versions.append(two.version)
        await app.drain()
        fired = await app.results(ResultQuery(ascending=True))
    assert [(each.object_pk, each.change_ids) for each in fired] == [("two", (versions[1],))]
