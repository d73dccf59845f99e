"""The condition editor's rows: from what is stored to fields of a form, and back."""

from typing import Any

import pytest

from buttonhook.conditions import Answer, Preset, built_in_presets
from buttonhook.errors import ButtonhookError
from buttonhook.http.pages import condition_rows
from buttonhook.http.pages.condition_inputs import Known, KnownField, known_fields
from buttonhook.http.pages.condition_rows import RowForm, ValueInput
from buttonhook.http.pages.condition_words import in_words
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Form
from buttonhook.objects.types import ObjectType
from buttonhook.records import ConditionRow
from buttonhook_dcim import Device, Interface

OWN = Preset(
    "own",
    lambda payload, values: Answer(True, ""),
    ("sites", "count", "is_loud"),
    ("note",),
    place="acme, acme.py:3",
    kinds={"sites": "list", "count": "number", "is_loud": "yesno"},
)
PRESETS = {each.name: each for each in (*built_in_presets(), OWN)}
FIELDS = {
    "status": KnownField("status", "line"),
    "face": KnownField("face", "select", ("front", "rear", 3)),
    "position": KnownField("position", "number"),
    "enabled": KnownField("enabled", "yesno"),
    "location": KnownField("location", "reference", target="dcim.location"),
    "tags": KnownField("tags", "lines"),
    "extra": KnownField("extra", "json"),
}
KNOWN = Known(FIELDS, [{"status": "active", "tags": [{"name": "edge"}]}, {"status": "active"}], ["ann"])


def row(preset: str, values: dict[str, Any], *, negate: bool = False) -> ConditionRow:
    return ConditionRow(type="preset", preset=preset, values=values, negate=negate)


def drawn(rows: list[ConditionRow]) -> list[RowForm]:
    return condition_rows.draw(condition_rows.states_of(rows, PRESETS), PRESETS, KNOWN)


def posted(forms: list[RowForm], typed: dict[str, str] | None = None) -> Form:
    """What a browser sends of drawn rows, with other texts typed into some fields."""
    pairs = []
    for each in forms:
        pairs += [("c", str(each.key)), (f"c.{each.key}.preset", each.preset)]
        pairs += [(f"c.{each.key}.negate", "yes" if each.negate else "")]
        if each.kept:
            pairs.append((f"c.{each.key}.kept", each.kept))
        for field in each.inputs:
            pairs += _sent(field, typed or {})
    return Form(pairs)


def _sent(field: ValueInput, typed: dict[str, str]) -> list[tuple[str, str]]:
    text = typed.get(field.name, field.text)
    pairs = [(field.name.replace(".v.", ".w."), field.shown)]
    pairs += [(field.name, each) for each in (text.split("\n") if field.asked.widget == "choices" else [text])]
    if field.path and field.name not in typed:
        pairs.append((field.name.replace(".v.", ".p."), field.path))
    if field.is_empty:
        pairs.append((field.name.replace(".v.", ".e."), "yes"))
    return pairs


def back(given: Form) -> tuple[ConditionRow, ...]:
    return condition_rows.rows_of(condition_rows.read(given, PRESETS))


COMPARED: tuple[tuple[str, str, Any, str], ...] = (
    ("status", "=", "active", "text"),
    ("status", "=", "5", "text"),
    ("status", "=", 5, "text"),
    ("status", "=", "", "text"),
    ("status", "=", " x ", "text"),
    ("status", "in", ["a", "b"], "list"),
    ("status", "in", ["a", 1, True], "list"),
    ("status", "startswith", "a", "text"),
    ("face", "=", "front", "select"),
    ("face", "=", 3, "select"),
    ("face", "=", "", "select"),
    ("face", "=", "gone", "select"),
    ("face", "in", ["front", 3], "choices"),
    ("position", "gte", 4, "number"),
    ("position", "gte", 4.0, "number"),
    ("position", "=", 0, "number"),
    ("enabled", "=", True, "select"),
    ("location", "=", "ams01", "reference"),
    ("tags", "contains", "edge", "text"),
    ("tags", "=", ["b", "a"], "list"),
    ("tags", "=", [{"name": "a"}], "list"),
    ("extra", "=", {"a": [1]}, "any"),
    ("extra", "=", "5", "any"),
    ("extra", "=", None, "any"),
    ("role.name", "=", "x", "any"),
)


@pytest.mark.parametrize(("field", "operator", "value", "widget"), COMPARED)
def test_a_value_is_asked_for_by_its_field_and_comes_back_as_it_was(field: str, operator: str, value: Any, widget: str):
    stored = row("field_compare", {"field": field, "operator": operator, "value": value})
    forms = drawn([stored])
    assert forms[0].inputs[2].asked.widget == widget
    assert back(posted(forms)) == (stored,)


def test_every_preset_comes_back_as_it_was_with_what_may_be_left_out():
    stored = (
        row("field_changed", {"field": "a.b"}),
        row("field_transition", {"field": "status", "from": "", "to": "active"}, negate=True),
        row("field_transition", {"field": "face", "to": "front"}),
        row("field_transition", {"field": "face", "from": ""}),
        row("user_is", {"username": "somebody else"}),
        row("own", {"sites": ["ams", "fra"], "count": 3, "is_loud": False}),
        row("own", {"sites": ["ams"], "count": 3, "is_loud": True, "note": ""}),
    )
    forms = drawn(list(stored))
    assert back(posted(forms)) == stored
    assert (forms[5].title, forms[5].place) == ("Own", "acme, acme.py:3")


def test_what_is_typed_is_read_by_the_widget_that_asked():
    forms = drawn([row("field_compare", {"field": "position", "operator": "gt", "value": 1})])
    (read,) = back(posted(forms, {"c.0.v.value": "12"}))
    assert read.values["value"] == 12
    states = condition_rows.read(posted(forms, {"c.0.v.value": "tall"}), PRESETS)
    assert states[0].errors == {"value": "'tall' is no number. Write it as 12 or 1.5."}
    assert condition_rows.draw(states, PRESETS, KNOWN)[0].inputs[2].text == "tall"
    forms = drawn([row("field_transition", {"field": "status", "from": "planned"})])
    assert back(posted(forms, {"c.0.v.from": ""}))[0].values == {"field": "status"}
    assert forms[0].inputs[1].asked.suggestions == ("active",)


def test_another_field_keeps_what_was_typed_and_asks_by_its_own_type():
    forms = drawn([row("field_compare", {"field": "face", "operator": "=", "value": "front"})])
    states = condition_rows.read(posted(forms, {"c.0.v.field": "status"}), PRESETS)
    (again,) = condition_rows.draw(states, PRESETS, KNOWN)
    assert (again.inputs[2].asked.widget, again.inputs[2].text) == ("text", "front")


def test_rows_are_added_moved_and_removed_by_the_buttons_of_the_form():
    states = condition_rows.states_of([row("field_changed", {"field": x}) for x in "ab"], PRESETS)
    assert [x.key for x in condition_rows.edit(states, "down.0", PRESETS)] == [1, 0]
    assert [x.key for x in condition_rows.edit(states, "up.1", PRESETS)] == [1, 0]
    assert [x.key for x in condition_rows.edit(states, "up.0", PRESETS)] == [0, 1]
    assert [x.key for x in condition_rows.edit(states, "remove.0", PRESETS)] == [1]
    assert [x.key for x in condition_rows.edit(states, "add.user_is", PRESETS)] == [0, 1, 2]
    assert condition_rows.edit(states, "add.nothing", PRESETS) == states
    assert condition_rows.edit(states, "remove.9", PRESETS) == states
    full = condition_rows.states_of([row("user_is", {})] * condition_rows.MOST_ROWS, PRESETS)
    assert condition_rows.edit(full, "add.user_is", PRESETS) == full


def test_what_is_missing_is_told_at_its_value_and_left_out_of_a_try_out():
    states = [
        condition_rows.RowState(0, "field_compare"),
        condition_rows.RowState(1, "user_is", values={"username": ""}),
        condition_rows.RowState(2, "field_compare", values={"field": "a", "operator": "=", "value": ""}),
        condition_rows.RowState(3, "field_changed", values={"field": "a..b"}),
    ]
    rows, notes = condition_rows.ready(states, PRESETS)
    assert [each.preset for each in rows] == ["field_compare"]
    assert notes == [f"without condition {n}, which is not complete" for n in (1, 2, 4)]
    condition_rows.check(states, PRESETS)
    assert states[0].errors == {"field": "Choose one.", "operator": "Choose one.", "value": "Must not be empty."}
    assert states[1].errors == {"username": "Must not be empty."}
    assert states[2].errors == {}


def test_another_path_is_chosen_first_and_typed_then():
    forms = drawn([row("field_changed", {"field": "status"})])
    states = condition_rows.read(posted(forms, {"c.0.v.field": "…"}), PRESETS)
    (again,) = condition_rows.draw(states, PRESETS, KNOWN)
    assert (again.inputs[0].text, again.inputs[0].path) == ("…", "")
    assert condition_rows.missing(states[0], PRESETS) == ["field"]
    given = Form([*posted([again]).pairs, ("c.0.p.field", " role.name ")])
    assert back(given)[0].values == {"field": "role.name"}


def test_none_of_a_list_is_no_value():
    state = condition_rows.RowState(0, "field_compare", values={"field": "status", "operator": "in", "value": ""})
    assert condition_rows.missing(state, PRESETS) == ["value"]


def test_a_row_whose_preset_is_gone_is_kept_as_it_is():
    stored = (row("gone", {"x": [1]}, negate=True), row("user_is", {"username": "a", "other": 1}))
    forms = drawn(list(stored))
    assert all(each.kept and not each.inputs for each in forms)
    assert back(posted(forms)) == stored


def test_forms_that_are_not_ours_are_refused():
    for pairs in (
        [("c", "x")],
        [("c", "0"), ("c", "0")],
        [("c", str(n)) for n in range(condition_rows.MOST_ROWS + 1)],
        [("c", "0"), ("c.0.kept", "{")],
        [("c", "0"), ("c.0.kept", '{"a": 1}')],
    ):
        with pytest.raises((Refused, ButtonhookError)):
            condition_rows.read(Form(pairs), PRESETS)
    states = condition_rows.read(Form([("c", "0"), ("c.0.preset", "user_is"), ("c.0.w.username", "odd:{")]), PRESETS)
    assert states[0].errors


def test_fields_that_types_have_in_other_kinds_are_asked_for_as_anything():
    types = [
        ObjectType("dcim.device", Device.__object_type__.struct),
        ObjectType("dcim.interface", Interface.__object_type__.struct),
        ObjectType("acme.free"),
    ]
    found = known_fields(types, [{"shoe size": 1}])
    assert (found["name"].kind, found["enabled"].kind, found["shoe size"].kind) == ("line", "yesno", "any")


def test_a_preset_with_a_kind_that_is_none_is_refused():
    with pytest.raises(ValueError, match="kind 'colour' of 'a'"):
        Preset("odd", lambda payload, values: Answer(True, ""), ("a",), kinds={"a": "colour"})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="kind 'text' of 'b'"):
        Preset("odd", lambda payload, values: Answer(True, ""), ("a",), kinds={"b": "text"})


def test_rows_in_words():
    for stored, words in (
        (row("field_changed", {"field": "status"}), "status changed"),
        (row("field_transition", {"field": "status", "from": "", "to": "b"}), "status changed from empty to b"),
        (row("field_compare", {"field": "u", "operator": "in", "value": [1, "a"]}), "u is one of 1, a"),
        (row("field_compare", {"field": "u", "operator": "=", "value": None}, negate=True), "not: u is empty"),
        (row("user_is", {"username": "ann"}), "the author is ann"),
        (row("list_gained", {"field": "tags", "member": "x"}), "List gained: field tags, member x"),
    ):
        assert in_words(stored) == words
