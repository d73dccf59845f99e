"""Ids and the closed words."""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from buttonhook import ObjectChangeAction
from buttonhook.ids import JobResultStatus, LogLevel, new_uuid7

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_ids_are_uuids_of_version_7_that_sort_by_making():
    made = [new_uuid7() for _ in range(20_000)]
    assert all(UUID7.fullmatch(each) for each in made)
    assert made == sorted(set(made))


def test_an_id_tells_when_it_was_made():
    before = time.time_ns() // 1_000_000
    stamp = int(new_uuid7().replace("-", "")[:12], 16)
    assert 0 <= stamp - before < 60_000


def test_a_clock_that_goes_back_does_not_make_ids_go_back(monkeypatch: pytest.MonkeyPatch):
    first = new_uuid7()
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    later = [new_uuid7() for _ in range(10_000)]
    assert [first, *later] == sorted({first, *later})


def test_ids_made_by_many_threads_are_all_different():
    with ThreadPoolExecutor(8) as pool:
        made = [each for batch in pool.map(lambda _: [new_uuid7() for _ in range(2000)], range(8)) for each in batch]
    assert len(set(made)) == 16_000


def test_the_original_s_spellings_are_the_same_actions():
    assert ObjectChangeAction.ACTION_CREATE is ObjectChangeAction.CREATE
    assert list(ObjectChangeAction) == ["create", "update", "delete"]


def test_three_statuses_are_final():
    assert [status.value for status in JobResultStatus if status.is_final] == ["success", "failure", "revoked"]


def test_levels_have_the_numbers_of_logging():
    assert {level.word: int(level) for level in LogLevel} == {
        "debug": 10,
        "info": 20,
        "success": 25,
        "warning": 30,
        "failure": 35,
        "error": 40,
        "critical": 50,
    }
