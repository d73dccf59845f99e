"""Conditions: what each preset and operator says, what is refused, what fails closed."""

import logging
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from buttonhook import conditions
from buttonhook.conditions import Answer, Payload, Preset, built_in_presets, compare, equals, judge, read_rows
from buttonhook.documents import ABSENT
from buttonhook.errors import BadCondition
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import ConditionRow

CREATE, UPDATE, DELETE = ObjectChangeAction.CREATE, ObjectChangeAction.UPDATE, ObjectChangeAction.DELETE
BUILT_IN = {preset.name: preset for preset in built_in_presets()}

numbers = st.one_of(
    st.integers(-(10**30), 10**30), st.floats(allow_nan=False, allow_infinity=False), st.decimals(-1000, 1000, places=3)
).map(lambda number: number if isinstance(number, int | float) else float(number))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8))
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["display", "name", "id", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def row(preset: str, negate: bool = False, **given: Any) -> ConditionRow:
    return ConditionRow("preset", preset, {key.rstrip("_"): value for key, value in given.items()}, negate)


def update(before: dict[str, Any], after: dict[str, Any], user: str = "ann") -> Payload:
    return Payload(UPDATE, user, before, after)


def holds(one: ConditionRow, payload: Payload, presets: dict[str, Preset] | None = None) -> bool:
    (verdict,) = judge([one], payload, presets or BUILT_IN)
    return verdict.passed


def reason(one: ConditionRow, payload: Payload, presets: dict[str, Preset] | None = None) -> str:
    (verdict,) = judge([one], payload, presets or BUILT_IN)
    return verdict.reason


# --- the four presets -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "field", "expected"),
    [
        ({"a": 1}, {"a": 2}, "a", True),
        ({"a": 1}, {"a": 1, "b": 2}, "a", False),
        ({"a": 1}, {"a": 1.0}, "a", False),
        ({"a": 1}, {"a": "1"}, "a", True),
        ({"a": True}, {"a": 1}, "a", True),
        ({}, {"a": None}, "a", True),
        ({"a": None}, {}, "a", True),
        ({}, {}, "a", False),
        ({"a": [1, 2]}, {"a": [2, 1]}, "a", True),
        ({"a": {"x": 1, "y": 2}}, {"a": {"y": 2, "x": 1}}, "a", False),
        ({"a": {"b": {"c": 1}}}, {"a": {"b": {"c": 2}}}, "a.b.c", True),
        ({"a": {"b": {"c": 1, "d": 1}}}, {"a": {"b": {"c": 1, "d": 2}}}, "a.b.c", False),
        ({"a.b": 1}, {"a.b": 2}, r"a\.b", True),
        ({"a.b": 1}, {"a.b": 2}, "a.b", False),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 3}]}, "a.1.n", True),
        ({"a": [{"n": 1}, {"n": 2}]}, {"a": [{"n": 1}, {"n": 3}]}, "a.0.n", False),
        ({"a": "text"}, {"a": "other"}, "a.b", False),
    ],
)
def test_a_field_has_changed_when_it_is_another_json_value(before: Any, after: Any, field: str, expected: bool):
    assert holds(row("field_changed", field=field), update(before, after)) is expected
    assert holds(row("field_changed", field=field, negate=True), update(before, after)) is not expected


@given(values, values)
def test_a_change_is_seen_from_both_sides_and_none_when_nothing_differs(one: Any, other: Any):
    there = holds(row("field_changed", field="a"), update({"a": one}, {"a": other}))
    assert there is holds(row("field_changed", field="a"), update({"a": other}, {"a": one}))
    assert not holds(row("field_changed", field="a"), update({"a": one}, {"a": one}))


@pytest.mark.parametrize("preset", ["field_changed", "field_transition"])
@pytest.mark.parametrize(
    ("payload", "word"),
    [
        (Payload(CREATE, "ann", None, {"a": 1}), "create"),
        (Payload(DELETE, "ann", {"a": 1}, None), "delete"),
        (Payload(None, "ann", None, {"a": 1}), "press"),
    ],
)
def test_nothing_changes_but_in_an_update(preset: str, payload: Payload, word: str):
    assert not holds(row(preset, field="a"), payload)
    assert reason(row(preset, field="a"), payload) == f"field a can only change in an update, this is a {word}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"from": "planned", "to": "active"}, True),
        ({"from": "planned"}, True),
        ({"to": "active"}, True),
        ({}, True),
        ({"from": "active", "to": "planned"}, False),
        ({"from": "staged", "to": "active"}, False),
        ({"from": "planned", "to": "failed"}, False),
    ],
)
def test_a_transition_goes_from_one_value_to_another_and_either_may_be_left_out(given: Any, expected: bool):
    one = ConditionRow("preset", "field_transition", {"field": "status", **given})
    assert holds(one, update({"status": "planned"}, {"status": "active"})) is expected
    assert not holds(one, update({"status": "active"}, {"status": "active"}))


def test_a_transition_from_or_to_nothing_is_written_null_or_empty():
    for nothing in (None, ""):
        assert holds(row("field_transition", field="a", from_=nothing, to="x"), update({}, {"a": "x"}))
        assert holds(row("field_transition", field="a", from_=nothing), update({"a": None}, {"a": "x"}))
        assert holds(row("field_transition", field="a", to=nothing), update({"a": "x"}, {}))
        assert not holds(row("field_transition", field="a", to=nothing), update({"a": "x"}, {"a": "y"}))


def test_a_field_is_compared_as_it_is_after_the_change_and_for_a_delete_as_it_was_last():
    one = row("field_compare", field="status", operator="=", value="active")
    assert holds(one, Payload(CREATE, "ann", None, {"status": "active"}))
    assert holds(one, update({"status": "planned"}, {"status": "active"}))
    assert not holds(one, update({"status": "active"}, {"status": "planned"}))
    assert holds(one, Payload(DELETE, "ann", {"status": "active"}, None))
    assert holds(one, Payload(None, "ann", None, {"status": "active"}))


def test_the_author_is_compared_by_the_whole_name():
    assert holds(row("user_is", username="ann"), update({}, {}, "ann"))
    for other in ("Ann", "an", "anna", "", " ann"):
        assert not holds(row("user_is", username="ann"), update({}, {}, other))
    assert reason(row("user_is", username="bob"), update({}, {})) == "the author is ann, wanted bob"


# --- the nine operators ---------------------------------------------------------------------------

TAGS = [{"display": "Core", "name": "core", "id": 7}, {"name": "lab"}, "edge", 5]


@pytest.mark.parametrize(
    ("found", "operator", "wanted", "expected"),
    [
        ("active", "=", "active", True),
        ("active", "=", "Active", False),
        (5, "=", 5, True),
        (5, "=", "5", True),
        ("5", "=", 5, True),
        ("5.0", "=", "5", True),
        (5, "=", 5.0, True),
        (0.1, "=", "0.10", True),
        (10**20, "=", str(10**20), True),
        (10**20 + 1, "=", 1e20, False),
        ("1e2", "=", 100, True),
        (" 5 ", "=", 5, True),
        ("1_0", "=", 10, False),
        ("1_0", "=", "1_0", True),
        ("\u0665", "=", 5, False),
        ("NaN", "=", "NaN", True),
        ("Infinity", "=", "inf", False),
        ("five", "=", 5, False),
        (True, "=", True, True),
        (True, "=", "true", True),
        (False, "=", "false", True),
        (True, "=", 1, False),
        (1, "=", True, False),
        (True, "=", "1", False),
        (True, "=", "yes", False),
        ("true", "=", True, False),
        (False, "=", "", False),
        (False, "=", None, False),
        (None, "=", "", True),
        (ABSENT, "=", "", True),
        (ABSENT, "=", None, True),
        ("", "=", None, True),
        (0, "=", None, False),
        (0, "=", "", False),
        ([], "=", None, False),
        ([], "=", [], True),
        (["a", "b"], "=", ["b", "a"], True),
        (["a", "a"], "=", ["a"], True),
        (["a", "b"], "=", ["a"], False),
        (["a"], "=", ["a", "b"], False),
        ([1, 2], "=", ["2.0", "1"], True),
        (["a"], "=", "a", False),
        ("a", "=", ["a"], False),
        (TAGS, "=", ["Core", "lab", "edge", "5"], True),
        (TAGS, "=", TAGS, True),
        ({"a": 1}, "=", {"a": 1.0}, True),
        ({"a": 1}, "=", {"a": 2}, False),
        (10, "gt", 9, True),
        ("10", "gt", "9", True),
        (10, "gt", "9.5", True),
        (9, "gt", 9, False),
        ("b", "gt", "a", True),
        ("a10", "gt", "a9", False),
        (9, "gte", "9.0", True),
        (8, "gte", 9, False),
        (8, "lt", 9, True),
        ("9", "lt", "10", True),
        (9, "lt", 9, False),
        (9, "lte", 9, True),
        ("2026-01-02", "lte", "2026-01-10", True),
        (10, "lte", 9, False),
        ("a", "in", ["b", "a"], True),
        ("c", "in", ["b", "a"], False),
        (2, "in", ["1", "2"], True),
        ("a", "in", "a", True),
        ("a", "in", "abc", False),
        (ABSENT, "in", ["", "x"], True),
        (True, "in", [1, "true"], True),
        (True, "in", [1, "yes"], False),
        (["a", "b"], "in", [["b", "a"]], True),
        ("a", "in", [], False),
        (TAGS, "contains", "Core", True),
        (TAGS, "contains", "core", False),
        (TAGS, "contains", "lab", True),
        (TAGS, "contains", "edge", True),
        (TAGS, "contains", "5", True),
        (TAGS, "contains", "Cor", False),
        ([], "contains", "", False),
        ([None], "contains", "", True),
        ("ams01-r1", "contains", "01", True),
        ("ams01-r1", "contains", 1, True),
        ("ams01-r1", "contains", "AMS", False),
        ("ams01-r1", "contains", "", True),
        (101, "contains", "0", False),
        (None, "contains", "", False),
        (ABSENT, "contains", "x", False),
        ({"x": 1}, "contains", "x", False),
        ("ams01-r1", "startswith", "ams", True),
        ("ams01-r1", "startswith", "r1", False),
        ("01-r1", "startswith", 0, True),
        (ABSENT, "startswith", "a", False),
        (["ams"], "startswith", "ams", False),
        ("ams01-r1", "endswith", "-r1", True),
        ("ams01-r1", "endswith", "ams", False),
        ("r1", "endswith", 1, True),
        (11, "endswith", "1", False),
    ],
)
def test_an_operator_says(found: Any, operator: str, wanted: Any, expected: bool):
    assert compare(found, operator, wanted) is expected


def test_every_operator_stands_in_the_table_above():
    (mark,) = [each for each in test_an_operator_says.pytestmark if each.name == "parametrize"]
    table = {(operator, expected) for _, operator, _, expected in mark.args[1]}
    assert table == {(operator, expected) for operator in conditions.OPERATORS for expected in (True, False)}


@pytest.mark.parametrize("operator", ["gt", "gte", "lt", "lte"])
@pytest.mark.parametrize(
    ("found", "wanted"),
    [(None, 5), (ABSENT, 5), ("five", 5), (True, 0), (True, False), ([1], 0), ({"a": 1}, 0), ([1], [0]), ("x", None)],
)
def test_what_has_no_order_fails_closed_and_says_so_also_when_negated(operator: str, found: Any, wanted: Any):
    document = {} if found is ABSENT else {"a": found}
    for negate in (False, True):
        one = row("field_compare", field="a", operator=operator, value=wanted, negate=negate)
        assert not holds(one, update({}, document))
        assert reason(one, update({}, document)).startswith("it could not be evaluated (TypeError: ")
        assert reason(one, update({}, document)).endswith("have no order), so the row fails")


@given(numbers, numbers, st.booleans(), st.booleans())
def test_numbers_compare_as_numbers_also_where_they_are_text(one: Any, other: Any, first: bool, second: bool):
    found, wanted = (str(one) if first else one), (str(other) if second else other)
    assert compare(found, "=", wanted) is (compare(found, "gte", wanted) and compare(found, "lte", wanted))
    assert compare(found, "gt", wanted) is (one > other)
    assert compare(found, "lt", wanted) is compare(wanted, "gt", found)
    assert compare(found, "gte", wanted) is not compare(found, "lt", wanted)


@given(values)
def test_everything_equals_itself_and_is_in_a_list_of_itself(value: Any):
    assert equals(value, value)
    assert compare(value, "in", [value])


@given(values, values)
def test_being_in_a_list_is_being_equal_to_one_of_it(found: Any, wanted: Any):
    assert compare(found, "in", [wanted, "\0"]) is equals(found, wanted)


@given(st.lists(scalars, max_size=6), st.data())
def test_lists_are_sets(members: list[Any], data: st.DataObject):
    again = data.draw(st.permutations(members + members[:2]))
    assert equals(members, again)
    assert equals(again, members)
    for member in members:
        assert compare(members, "contains", member)


@given(st.lists(st.integers(0, 9), max_size=5), st.lists(st.integers(0, 9), max_size=5))
def test_lists_are_equal_when_their_sets_are(one: list[int], other: list[int]):
    assert equals(one, [str(each) for each in other]) is (set(one) == set(other))


@given(st.text(), st.text())
def test_texts_are_searched_as_they_are(text: str, part: str):
    assert compare(text, "contains", part) is (part in text)
    assert compare(text, "startswith", part) is text.startswith(part)
    assert compare(text, "endswith", part) is text.endswith(part)
    assert compare(part + text, "startswith", part)
    assert compare(text + part, "endswith", part)


@given(st.booleans(), values)
def test_a_boolean_equals_a_boolean_or_its_word_and_nothing_else(value: bool, other: Any):
    assume(other is not value)
    assert equals(value, other) is (other == str(value).lower())


@given(values)
def test_null_and_absent_equal_the_same_things_as_the_empty_text(value: Any):
    assert equals(None, value) is equals(ABSENT, value) is equals("", value)


@given(values, st.sampled_from(conditions.OPERATORS), values)
def test_a_negated_row_says_the_contrary_or_fails_closed_too(found: Any, operator: str, wanted: Any):
    payload = Payload(CREATE, "ann", None, {"a": found})
    plain, negated = (
        judge([row("field_compare", field="a", operator=operator, value=wanted, negate=negate)], payload, BUILT_IN)[0]
        for negate in (False, True)
    )
    if "could not be evaluated" in plain.reason:
        assert not plain.passed
        assert not negated.passed
    else:
        assert negated.passed is not plain.passed
        assert negated.reason == f"not: {plain.reason}"


# --- rows -----------------------------------------------------------------------------------------


def test_all_rows_must_pass_and_no_rows_pass():
    payload = update({"a": 1, "b": 1}, {"a": 2, "b": 1})
    a, b = row("field_changed", field="a"), row("field_changed", field="b")
    assert judge([], payload, BUILT_IN) == []
    assert [each.passed for each in judge([a, b, a], payload, BUILT_IN)] == [True, False, True]
    assert conditions.first_failure([], payload, BUILT_IN) is None
    assert conditions.first_failure([a, a], payload, BUILT_IN) is None
    failed = conditions.first_failure([a, b, row("gone")], payload, BUILT_IN)
    assert failed is not None
    assert (failed.preset, failed.reason) == ("field_changed", "field b is 1 before and after")


def test_a_verdict_tells_the_values_that_were_compared_shortened():
    payload = update({"a": {"b": None}}, {"a": {"b": "x" * 100}})
    assert reason(row("field_changed", field="a.b"), payload) == f'field a.b changed from null to "{"x" * 56}...'
    assert reason(row("field_compare", field="a.c", operator="=", value=[1]), payload) == (
        "field a.c is unset, compared with = [1]"
    )
    assert reason(row("field_transition", field="a.b", to="y", negate=True), payload).startswith(
        "not: field a.b changed"
    )


def test_rows_are_read_in_the_shape_they_are_written_in():
    written = [
        {"type": "preset", "preset": "field_transition", "values": {"field": "status", "from": "a"}, "negate": True},
        {"type": "preset", "preset": "user_is", "values": {"username": "ann"}},
    ]
    read = read_rows(written, BUILT_IN, "Job hook 'x'")
    assert read == (
        ConditionRow("preset", "field_transition", {"field": "status", "from": "a"}, True),
        ConditionRow("preset", "user_is", {"username": "ann"}),
    )
    assert read_rows(read, BUILT_IN, "Job hook 'x'") == read
    assert read_rows([], BUILT_IN, "Job hook 'x'") == ()


GOOD = {"type": "preset", "preset": "user_is", "values": {"username": "ann"}}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"type": "preset"}, "conditions must be a list of rows"),
        ("user_is", "conditions must be a list of rows"),
        (["user_is"], "condition 1: Expected `object`, got `str`"),
        ([GOOD, {}], "condition 2: Object missing required field `type`"),
        ([{**GOOD, "if": "x"}], "condition 1: Object contains unknown field `if`"),
        ([{**GOOD, "negate": "yes"}], r"condition 1: Expected `bool`, got `str` - at `\$.negate`"),
        ([{**GOOD, "values": []}], r"condition 1: Expected `object`, got `array` - at `\$.values`"),
        ([{**GOOD, "type": "Preset"}], "condition 1: type must be 'preset', not 'Preset'"),
        ([{**GOOD, "preset": "field_compar"}], "preset 'field_compar' is not known; did you mean 'field_compare'"),
        (
            [{**GOOD, "preset": "zzz"}],
            "'zzz' is not known; known: field_changed, field_transition, field_compare, user_is",
        ),
        ([{**GOOD, "values": {"user": "ann"}}], "user_is takes username, not 'user'"),
        ([{**GOOD, "values": {}}], "user_is needs a value for 'username'"),
        (
            [GOOD, GOOD, {**GOOD, "preset": "field_transition", "values": {"field": "a", "form": "x"}}],
            "condition 3: field_transition takes field, from, to, not 'form'",
        ),
        ([{**GOOD, "preset": "field_changed", "values": {"field": "a..b"}}], "field 'a..b' is no path"),
        ([{**GOOD, "preset": "field_changed", "values": {"field": ""}}], "field '' is no path"),
        ([{**GOOD, "preset": "field_changed", "values": {"field": 7}}], "field 7 is no path"),
        (
            [{**GOOD, "preset": "field_compare", "values": {"field": "a", "operator": "!=", "value": 1}}],
            "operator must be one of =, gt, gte, lt, lte, in, contains, startswith, endswith, not '!='",
        ),
        (
            [{"type": "expression", "source": "data.name == 'x'"}],
            "condition 1: expressions are not supported: nothing that users write is run as code; use presets",
        ),
    ],
)
def test_a_row_that_cannot_be_is_refused_naming_it_and_what_is_wrong(given: Any, message: str):
    with pytest.raises(BadCondition, match=f"^Job hook 'x'.*{message}"):
        read_rows(given, BUILT_IN, "Job hook 'x'")


# --- presets that misbehave -----------------------------------------------------------------------


class Unspeakable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


def raising(exc: BaseException) -> Callable[..., Any]:
    def check(payload: Payload, values: Any) -> Answer:
        raise exc

    return check


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (raising(ZeroDivisionError("by zero")), "ZeroDivisionError: by zero"),
        (raising(SystemExit(3)), "SystemExit: 3"),
        (raising(Unspeakable()), "Unspeakable"),
        (lambda payload, values: True, "TypeError: it must return an Answer, not bool"),
        (lambda payload, values: None, "TypeError: it must return an Answer, not NoneType"),
        (lambda payload: Answer(True, ""), "TypeError: "),
        (lambda payload, values: Answer(True, "x") if values["gone"] else None, "KeyError: 'gone'"),
    ],
)
@pytest.mark.parametrize("negate", [False, True])
def test_a_preset_that_cannot_answer_fails_closed_and_says_so(check: Any, told: str, negate: bool):
    presets = {"own": Preset("own", check, (), place="acme, acme.py:3")}
    one = row("own", negate=negate)
    assert not holds(one, update({}, {}), presets)
    assert reason(one, update({}, {}), presets).startswith(f"it could not be evaluated ({told}")
    assert reason(one, update({}, {}), presets).endswith("), so the row fails")


def test_a_truthy_answer_counts_as_yes_and_its_reason_as_text():
    presets = {"own": Preset("own", lambda payload, values: Answer("yes", 7), ())}  # type: ignore[arg-type]
    assert holds(row("own"), update({}, {}), presets)
    assert not holds(row("own", negate=True), update({}, {}), presets)
    assert reason(row("own"), update({}, {}), presets) == "7"


@pytest.mark.parametrize("negate", [False, True])
def test_a_preset_that_is_not_installed_fails_its_row(negate: bool):
    one = row("acme_is_rack", negate=negate)
    assert not holds(one, update({}, {}))
    assert reason(one, update({}, {})) == "its preset is not installed, so the row fails"


def test_what_a_plugins_preset_writes_into_what_it_is_given_is_seen_by_nobody():
    def spoil(payload: Payload, values: Any) -> Answer:
        payload.data["a"]["b"].append("spoilt")
        payload.prechange.clear()  # type: ignore[union-attr]
        values["list"].append("spoilt")
        return Answer(True, "spoilt")

    payload = update({"a": 1}, {"a": {"b": []}})
    one = row("spoil", list=[])
    assert holds(one, payload, {"spoil": Preset("spoil", spoil, ("list",), place="acme, acme.py:1")})
    assert payload == update({"a": 1}, {"a": {"b": []}})
    assert one.values == {"list": []}


class Clock:
    """A clock that moves only when a preset is called."""

    def __init__(self, step: float) -> None:
        self.seconds = 0.0
        self.step = step
        self.calls = 0

    def perf_counter(self) -> float:
        return self.seconds

    def check(self, payload: Payload, values: Any) -> Answer:
        self.calls += 1
        self.seconds += self.step
        if values.get("raises"):
            raise OSError("timed out")
        return Answer(True, "it took its time")


@pytest.mark.parametrize("raises", [False, True])
def test_a_slow_preset_is_told_with_plugin_and_line_and_not_called_after_the_third_time(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, raises: bool
):
    clock = Clock(step=0.011)
    monkeypatch.setattr(conditions, "time", clock)
    presets = {"slow": Preset("slow", clock.check, (), ("raises",), place="acme, acme.py:12")}
    one = row("slow", raises=raises)
    with caplog.at_level(logging.WARNING, "buttonhook.conditions"):
        assert [holds(one, update({}, {}), presets) for _ in range(5)] == [not raises] * 3 + [False] * 2
    assert clock.calls == 3
    assert caplog.messages == [
        f"Preset 'slow' (acme, acme.py:12) took 11 ms of a commit, more than the 10 allowed: time {number} of 3"
        for number in (1, 2, 3)
    ]
    told = "the preset (acme, acme.py:12) was too slow 3 times and is not called any more"
    for negate in (False, True):
        assert not holds(row("slow", negate=negate), update({}, {}), presets)
        assert reason(row("slow", negate=negate), update({}, {}), presets) == told


def test_a_preset_that_is_quick_enough_is_called_for_ever(monkeypatch: pytest.MonkeyPatch):
    clock = Clock(step=0.009)
    monkeypatch.setattr(conditions, "time", clock)
    presets = {"quick": Preset("quick", clock.check, ())}
    assert all(holds(row("quick"), update({}, {}), presets) for _ in range(50))
