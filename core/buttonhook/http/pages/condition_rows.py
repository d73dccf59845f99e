"""The condition editor: rows of presets in a form, generated from what each preset says that it takes.

A row is read back from its own fields, so all of it works without scripts: adding, removing and moving a row are
buttons of the form. The names of the fields of a row begin with `c.KEY.`, where keys stand in the order of the rows.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from buttonhook import documents
from buttonhook.conditions import BUILT_IN, Preset, Presets, read_rows
from buttonhook.documents import ABSENT
from buttonhook.errors import BadCondition, InvalidDocument
from buttonhook.http.pages.condition_inputs import OTHER, Asked, Known, ask, text_in, value_in
from buttonhook.http.pages.forms import BadField
from buttonhook.http.pages.templating import label
from buttonhook.http.problems import Refused
from buttonhook.http.reading import Form
from buttonhook.records import ConditionRow

KEYS: Final = "c"
MOST_ROWS: Final = 50


class RowState(Struct):
    """A row while it is edited. `typed` holds texts that stand for no value; `kept` a row whose preset is gone."""

    key: int
    preset: str
    negate: bool = False
    values: dict[str, Any] = {}
    typed: dict[str, str] = {}
    errors: dict[str, str] = {}
    """By value; `""` is about the whole row."""
    kept: ConditionRow | None = None


class ValueInput(Struct, frozen=True, kw_only=True):
    """One value of a row, as `conditions/row.html` draws it. `shown` comes back with what is typed."""

    name: str
    key: str
    label: str
    asked: Asked
    text: str
    shown: str
    path: str = ""
    is_optional: bool = False
    is_empty: bool = False
    error: str = ""

    @property
    def chosen(self) -> list[str]:
        return self.text.split("\n")


class RowForm(Struct, frozen=True, kw_only=True):
    """A row as it is drawn. `place` is where its preset comes from, empty for ours."""

    key: int
    preset: str
    title: str
    description: str
    place: str
    negate: bool
    inputs: Sequence[ValueInput]
    error: str
    kept: str = ""


def states_of(rows: Iterable[ConditionRow], presets: Presets) -> list[RowState]:
    """Rows as they are stored, to be edited."""
    return [_state(key, row, presets) for key, row in enumerate(rows)]


def _state(key: int, row: ConditionRow, presets: Presets) -> RowState:
    preset = presets.get(row.preset)
    is_ours = row.type == "preset" and preset is not None and set(row.values) <= set(preset.kinds)
    return RowState(key, row.preset, row.negate, dict(row.values), kept=None if is_ours else row)


def read(given: Form, presets: Presets) -> list[RowState]:
    """The rows of a form, in its order.

    Raises:
        Refused: they do not come from our form.
    """
    keys = given.all(KEYS)
    if len(keys) > MOST_ROWS or len(set(keys)) < len(keys) or not all(x.isascii() and x.isdigit() for x in keys):
        raise Refused(422, "conditions", f"There may be {MOST_ROWS} conditions at most, each once.")
    return [_read_row(int(key[:9]), given, presets) for key in keys]


def _read_row(key: int, given: Form, presets: Presets) -> RowState:
    name = given.get(f"c.{key}.preset")
    if f"c.{key}.kept" in given:
        return _state(key, _kept(given.get(f"c.{key}.kept")), presets)
    preset = presets.get(name)
    if preset is None:
        return RowState(key, name, kept=ConditionRow(type="preset", preset=name))
    row = RowState(key, name, given.get(f"c.{key}.negate") == "yes")
    for value in preset.kinds:
        _read_value(row, value, given, is_optional=value in preset.optional)
    return row


def _kept(text: str) -> ConditionRow:
    """Raises: Refused: it is no row."""
    try:
        return msgspec.convert(documents.parse(text, "condition"), ConditionRow)
    except (InvalidDocument, msgspec.ValidationError) as exc:
        raise Refused(400, "bad-form", "The form is broken. Open it anew and try again.") from exc


def _read_value(row: RowState, value: str, given: Form, *, is_optional: bool) -> None:
    """One value of a row, by the widget that asked for it."""
    widget, _, before = given.get(f"c.{row.key}.w.{value}").partition(":")
    text = "\n".join(given.all(f"c.{row.key}.v.{value}"))
    if widget == "field" and text == OTHER:
        text = given.get(f"c.{row.key}.p.{value}").strip()
        if not text:
            row.typed[value] = OTHER  # it is still to be typed
            return
    try:
        stored = value_in("select", before)
        if text != text_in(widget, stored) or stored is ABSENT:
            stored = value_in(widget, text)
    except BadField as exc:
        row.typed[value], row.errors[value] = text, str(exc)
        return
    is_left_out = text == "" and is_optional and f"c.{row.key}.e.{value}" not in given
    if stored is not ABSENT and not is_left_out:
        row.values[value] = stored


def edit(rows: list[RowState], do: str, presets: Presets) -> list[RowState]:
    """The rows after one of the editor's own buttons: `add.PRESET`, `remove.KEY`, `up.KEY`, `down.KEY`."""
    verb, _, key = do.partition(".")
    if verb == "add" and key in presets and len(rows) < MOST_ROWS:
        return [*rows, RowState(max((each.key for each in rows), default=-1) + 1, key)]
    at = next((place for place, each in enumerate(rows) if str(each.key) == key), None)
    if at is None:
        return rows
    made = [each for each in rows if str(each.key) != key]
    if verb in ("up", "down"):
        made.insert(max(0, at - 1) if verb == "up" else at + 1, rows[at])
    return made if verb in ("remove", "up", "down") else rows


def check(rows: Iterable[RowState], presets: Presets) -> None:
    """Note what is missing in each row."""
    for row in rows:
        for value in missing(row, presets):
            row.errors.setdefault(
                value, "Choose one." if presets[row.preset].kinds[value] in _CHOSEN else "Must not be empty."
            )


def missing(row: RowState, presets: Presets) -> list[str]:
    """The values that a row must have and has not."""
    preset = presets.get(row.preset)
    if preset is None or row.kept is not None:
        return []
    return [each for each in preset.required if _is_missing(preset, each, row.values)]


_CHOSEN: Final = ("field", "operator", "yesno")


def _is_missing(preset: Preset, name: str, values: Mapping[str, Any]) -> bool:
    """Text may be empty where it is compared with a field: that is what an unset one equals."""
    value = values.get(name, ABSENT)
    may_be_empty = preset.kinds[name] in ("of_field", "text", "any") and values.get("operator") != "in"
    return value is ABSENT or value == [] or (value == "" and not may_be_empty)


def rows_of(states: Iterable[RowState]) -> tuple[ConditionRow, ...]:
    """Edited rows, as they are stored."""
    return tuple(
        each.kept or ConditionRow(type="preset", preset=each.preset, values=each.values, negate=each.negate)
        for each in states
    )


def ready(states: Iterable[RowState], presets: Presets) -> tuple[tuple[ConditionRow, ...], list[str]]:
    """The rows that can be judged while one still types, and which are left out."""
    rows: list[ConditionRow] = []
    notes: list[str] = []
    for number, state in enumerate(states, start=1):
        made = rows_of([state])
        try:
            is_ready = not state.errors and not missing(state, presets)
            rows += made if state.kept is not None else read_rows(made, presets, "") if is_ready else ()
        except BadCondition:
            is_ready = False
        notes += [] if is_ready else [f"without condition {number}, which is not complete"]
    return tuple(rows), notes


# --- drawing --------------------------------------------------------------------------------------


def draw(states: Iterable[RowState], presets: Presets, known: Known) -> list[RowForm]:
    """Rows for the template."""
    return [_draw(each, presets.get(each.preset), known) for each in states]


def _draw(row: RowState, preset: Preset | None, known: Known) -> RowForm:
    if preset is None or row.kept is not None:
        kept = msgspec.to_builtins(row.kept or ConditionRow(type="preset", preset=row.preset))
        return RowForm(
            key=row.key,
            preset=row.preset,
            title=label(row.preset),
            description="Its preset is not installed, or takes other values now: the condition does not hold.",
            place="",
            negate=row.negate,
            inputs=(),
            error=row.errors.get("", ""),
            kept=documents.encode(kept),
        )
    return RowForm(
        key=row.key,
        preset=row.preset,
        title=label(row.preset),
        description=preset.description,
        place="" if preset.place == BUILT_IN else preset.place,
        negate=row.negate,
        inputs=[_input(row, value, preset, known) for value in preset.kinds],
        error=row.errors.get("", ""),
    )


def _input(row: RowState, name: str, preset: Preset, known: Known) -> ValueInput:
    is_optional = name in preset.optional
    asked = ask(preset.kinds[name], row.values, known, is_optional=is_optional)
    value = row.values.get(name, ABSENT)
    text = row.typed.get(name, text_in(asked.widget, value))
    path = ""
    if asked.widget == "field" and asked.options:
        is_path = bool(text) and text != OTHER and text not in known.fields
        path, text = (text, OTHER) if is_path else ("", text)
    before = "" if value is ABSENT else documents.encode(value)
    return ValueInput(
        name=f"c.{row.key}.v.{name}",
        key=name,
        label=label(name),
        asked=_with_present(asked, text),
        text=text,
        shown=f"{asked.widget}:{before}",
        path=path,
        is_optional=is_optional,
        is_empty=is_optional and value == "",
        error=row.errors.get(name, ""),
    )


def _with_present(asked: Asked, text: str) -> Asked:
    """A list of choices with the present value among them, though it is none of them any more."""
    if asked.widget not in ("select", "choices"):
        return asked
    listed = {value for value, _ in asked.options}
    odd = [(each, f"{each} (not in the list)") for each in text.split("\n") if each and each not in listed]
    return msgspec.structs.replace(asked, options=(*asked.options, *odd))
