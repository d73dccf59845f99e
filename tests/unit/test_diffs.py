"""Differences between two states, in the shape Nautobot gives them."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import diffs, documents

VALUES = st.none() | st.booleans() | st.integers(0, 2) | st.lists(st.integers(0, 1), max_size=2)
STATES = st.dictionaries(st.sampled_from("abcdef"), VALUES)


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_snapshots_are_those_that_nautobot_made(shared_dir: Path, action: str):
    text = (shared_dir / "reference" / "nautobot-snapshots.json").read_text(encoding="utf-8")
    original = json.loads(text)["snapshots"][action]
    made = diffs.snapshots(original["prechange"], original["postchange"])
    volatile = {"last_updated"} if action == "update" else set()  # the original leaves its own clock out
    for side in made["differences"].values():
        for key in volatile:
            (side or {}).pop(key, None)
    assert made == original


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, {"b": None}, {"b": 2}),
        ({"a": 1, "b": 2}, {"a": 1}, {"b": 2}, {"b": None}),
        ({"a": None}, {}, {"a": None}, {"a": None}),
        ({"a": 1}, {"a": True}, {"a": 1}, {"a": True}),
        ({"a": 1}, {"a": 1.0}, {}, {}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, {}, {}),
        ({"a": {"x": 1}}, {"a": {"x": 2}}, {"a": {"x": 1}}, {"a": {"x": 2}}),
        ({"a": [1, 2]}, {"a": [2, 1]}, {"a": [1, 2]}, {"a": [2, 1]}),
    ],
)
def test_an_update_tells_both_sides_of_what_differs(before: Any, after: Any, removed: Any, added: Any):
    assert diffs.differences(before, after) == {"removed": removed, "added": added}


def test_an_empty_document_is_a_state_and_no_absence():
    assert diffs.differences({}, {"a": 1}) == {"removed": {"a": None}, "added": {"a": 1}}
    assert diffs.differences(None, {}) == {"removed": None, "added": {}}
    assert diffs.differences({}, None) == {"removed": {}, "added": None}


@given(STATES, STATES)
def test_both_sides_hold_the_same_keys_and_exactly_those_that_differ(before: dict[str, Any], after: dict[str, Any]):
    found = diffs.differences(before, after)
    removed, added = found["removed"], found["added"]
    assert removed is not None
    assert added is not None
    assert list(removed) == list(added)
    for key in {**before, **after}:
        is_same = key in before and key in after and documents.same(before[key], after[key])
        assert (key in added) is not is_same
