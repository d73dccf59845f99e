"""The page on conditions holds: its rows can be saved, its tables say what the code says, its preset runs."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from buttonhook.conditions import (
    MAX_SLOW,
    OPERATORS,
    SLOW_SECONDS,
    Answer,
    Payload,
    Preset,
    built_in_presets,
    compare,
    first_failure,
    judge,
    read_rows,
)
from buttonhook.errors import BadCondition
from buttonhook.explain import Fate
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import ConditionRow

PAGE = (Path(__file__).resolve().parent.parent.parent / "core" / "docs" / "conditions.md").read_text(encoding="utf-8")
CREATE, UPDATE, DELETE = ObjectChangeAction.CREATE, ObjectChangeAction.UPDATE, ObjectChangeAction.DELETE


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def rows_of(text: str) -> list[list[str]]:
    """The rows of a section's tables whose first cell is code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]


def blocks_of(text: str) -> list[Any]:
    found = re.findall(r"^```json conditions\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [json.loads(each) for each in found]


def own_presets() -> list[Preset]:
    """What the page's own plugin brings."""
    source = re.search(r"^```python\n(from buttonhook import hookimpl\n.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert source is not None
    names: dict[str, Any] = {"__name__": "acme_sites"}
    exec(compile(source[1], "acme_sites.py", "exec"), names)
    return list(names["buttonhook_condition_presets"]())


def presets() -> dict[str, Preset]:
    return {each.name: each for each in (*built_in_presets(), *own_presets())}


def change(before: dict[str, Any] | None, after: dict[str, Any] | None, user: str = "ann") -> Payload:
    action = CREATE if before is None else DELETE if after is None else UPDATE
    return Payload(action, user, before, after)


def holds(rows: Any, payload: Payload) -> bool:
    return first_failure(read_rows(rows, presets(), "the page"), payload, presets()) is None


def test_every_row_of_the_page_can_be_saved():
    blocks = blocks_of(PAGE)
    assert len(blocks) > 8
    for rows in blocks:
        assert read_rows(rows, presets(), "the page")


WISHES = (
    (
        "only when the status changes",
        change({"status": "a"}, {"status": "b"}),
        change({"status": "a"}, {"status": "a"}),
    ),
    (
        "only from planned to active",
        change({"status": "planned"}, {"status": "active"}),
        change({"status": "offline"}, {"status": "active"}),
    ),
    (
        "when something leaves service",
        change({"status": "active"}, {"status": "failed"}),
        change({"status": "failed"}, {"status": "active"}),
    ),
    (
        "roles at one site",
        change(None, {"role": "leaf", "name": "ams01-l1"}),
        change(None, {"role": "leaf", "name": "ams02-l1"}),
    ),
    ("not what sync writes", change(None, {}), change(None, {}, "sync")),
    ("with a tag", change(None, {"tags": ["a", "managed"]}), change(None, {"tags": ["unmanaged"]})),
    ("a serial is entered", change({"serial": ""}, {"serial": "1"}), change({"serial": "1"}, {"serial": ""})),
    ("tall devices", change(None, {"u_height": "10"}), change(None, {"u_height": 2})),
    (
        "not while active",
        Payload(None, "ann", None, {"status": "offline"}),
        Payload(None, "ann", None, {"status": "active"}),
    ),
)


def test_every_wish_is_tried():
    assert len(blocks_of(section("From real wishes"))) == len(WISHES)


@pytest.mark.parametrize("place", range(len(WISHES)), ids=[wish[0] for wish in WISHES])
def test_a_wish_is_met_by_its_rows(place: int):
    rows = blocks_of(section("From real wishes"))[place]
    _, fires, does_not = WISHES[place]
    assert holds(rows, fires)
    assert not holds(rows, does_not)


def compared(cell: str) -> Iterator[tuple[Any, Any]]:
    for pair in cell.split("; "):
        found, wanted = (json.loads(each) for each in re.findall(r"`([^`]+)`", pair))
        yield found, wanted


def test_every_operator_does_what_its_row_says():
    table = rows_of(section("Operators"))
    assert tuple(cells[0].strip("`") for cells in table) == OPERATORS
    for operator, _, yes, no in table:
        for expected, cell in ((True, yes), (False, no)):
            for found, wanted in compared(cell):
                assert compare(found, operator.strip("`"), wanted) is expected, (operator, found, wanted)


def test_every_preset_is_listed_with_its_values():
    told = {cells[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in rows_of(section("Presets"))}
    assert told == {each.name: {*each.required, *each.optional} for each in built_in_presets()}


@pytest.mark.parametrize("cells", rows_of(section("What is refused")), ids=lambda cells: cells[1][:30])
def test_what_is_refused_is_refused_with_this_message(cells: list[str]):
    good = {"type": "preset", "preset": "user_is", "values": {"username": "ann"}}
    with pytest.raises(BadCondition) as refused:
        read_rows([good, json.loads(cells[0].strip("`"))], presets(), "Job hook 'Spines'")
    assert str(refused.value).startswith(f"Job hook 'Spines', condition 2: {cells[1]}")


def test_what_cannot_be_evaluated_fails_closed_and_says_so():
    def raises(payload: Payload, values: Any) -> Answer:
        raise KeyError("site")

    def slow(payload: Payload, values: Any) -> Answer:
        return Answer(True, "it holds")

    known = presets()
    known["broken"] = Preset("broken", raises, (), place="acme")
    known["slow"] = Preset("slow", slow, (), place="acme-sites, acme_sites.py:8")
    known["slow"].slow = MAX_SLOW
    rows = [
        ConditionRow("preset", "field_compare", {"field": "size", "operator": "gt", "value": 4}),
        ConditionRow("preset", "broken"),
        ConditionRow("preset", "gone"),
        ConditionRow("preset", "slow"),
    ]
    told = section("Failing closed")
    assert f"{SLOW_SECONDS * 1000:.0f} ms three times" in told
    for negate in (False, True):
        tried = [ConditionRow(row.type, row.preset, row.values, negate) for row in rows]
        for verdict in judge(tried, change(None, {"size": "tall"}), known):
            assert not verdict.passed
            assert f"| {verdict.reason} |" in told


def test_the_pages_own_preset_runs():
    (rows,) = [each for each in blocks_of(PAGE) if each[0]["preset"] == "at_site"]
    assert holds(rows, change(None, {"name": "ams01-r1"}))
    assert holds(rows, change({"name": "ams02-r1"}, None))
    assert not holds(rows, change(None, {"name": "fra01-r1"}))
    assert not holds(rows, change(None, {}))


def test_the_verdicts_are_those_there_are():
    told = [cells for line in section("Why did it not fire?").splitlines() if (cells := line.split("|"))[1:2]]
    assert {cells[1].strip() for cells in told} - {"", "verdict", "---"} == set(get_args(Fate))
