"""Conditions: AND-ed rows of presets that decide when a job hook fires and when a job button shows.

The shape of a row is the one Nautobot is adopting:
`{"type": "preset", "preset": ..., "values": {...}, "negate": bool}`.
A preset is a pure synchronous function of plain values. A row that cannot be evaluated fails closed and says why.
There are no templates and no expressions: what an operator types is never run as code.
"""

import difflib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal, get_args

import msgspec
from msgspec import Struct

from buttonhook.documents import ABSENT, copied, encode, read_path, same, split_path
from buttonhook.errors import BadCondition, QueryError
from buttonhook.ids import ObjectChangeAction
from buttonhook.records import ConditionRow

SLOW_SECONDS: Final = 0.010
MAX_SLOW: Final = 3
BUILT_IN: Final = "buttonhook"
OPERATORS: Final = ("=", "gt", "gte", "lt", "lte", "in", "contains", "startswith", "endswith")

ValueKind = Literal["field", "operator", "user", "of_field", "text", "number", "yesno", "list", "any"]
"""How a form asks for a value. `of_field`: by the field that the row names, else as `any`, JSON or text."""
KINDS: Final[Mapping[str, ValueKind]] = {"field": "field", "operator": "operator", "username": "user"}
"""Of values whose preset does not say their kind, by name."""

Values = Mapping[str, Any]
Document = dict[str, Any]

_log = logging.getLogger("buttonhook.conditions")


class Payload(Struct, frozen=True):
    """What a row is judged by: the change's action, its author, the states before and after.

    `data` is the document after the change, for a delete the last one before it. For a button `prechange` is None.
    """

    action: ObjectChangeAction | None
    user_name: str
    prechange: Document | None
    postchange: Document | None

    @property
    def data(self) -> Document:
        return self.postchange if self.postchange is not None else self.prechange or {}


class Answer(Struct, frozen=True):
    """What a preset says: whether the row holds, and the values that were compared, in words."""

    holds: bool
    because: str


Check = Callable[[Payload, Values], Answer]


class Preset:
    """A named check and the values it takes. `place` tells plugin, file and line for reports of slowness.

    One `of_updates` never holds without a state before, so forms of job buttons do not offer it.

    Raises:
        ValueError: a kind is not known, or is one of a value that the preset does not take.
    """

    __slots__ = ("check", "description", "kinds", "name", "of_updates", "optional", "place", "required", "slow")

    def __init__(  # noqa: PLR0913, PLR0917 - what a plugin says of its preset, by keyword as a rule
        self,
        name: str,
        check: Check,
        required: Sequence[str],
        optional: Sequence[str] = (),
        description: str = "",
        place: str = BUILT_IN,
        kinds: Mapping[str, ValueKind] | None = None,
        of_updates: bool = False,
    ) -> None:
        taken = (*required, *optional)
        self.kinds = {**{each: KINDS.get(each, _kind_of(taken)) for each in taken}, **(kinds or {})}
        for value, kind in self.kinds.items():
            if value not in taken or kind not in get_args(ValueKind):
                listed = ", ".join(get_args(ValueKind))
                raise ValueError(f"preset {name!r}: kind {kind!r} of {value!r}; it takes {taken}, kinds are {listed}")
        self.name = name
        self.of_updates = of_updates
        self.check = check
        self.required = tuple(required)
        self.optional = tuple(optional)
        self.description = description
        self.place = place
        self.slow = 0


Presets = Mapping[str, Preset]


def _kind_of(taken: Sequence[str]) -> ValueKind:
    """Beside a field a value is of that field, as a rule."""
    return "of_field" if "field" in taken else "any"


class RowVerdict(Struct, frozen=True):
    """How one row was judged."""

    preset: str
    passed: bool
    reason: str


def read_rows(given: Any, presets: Presets, subject: str) -> tuple[ConditionRow, ...]:
    """Check rows as they come from a user or a plugin.

    Raises:
        BadCondition: naming the row, what is wrong with it and the cure.
    """
    if not isinstance(given, list | tuple):
        raise BadCondition(subject, 0, "conditions must be a list of rows")
    return tuple(_read_row(each, presets, subject, number) for number, each in enumerate(given, start=1))


def judge(rows: Sequence[ConditionRow], payload: Payload, presets: Presets) -> list[RowVerdict]:
    """Judge every row. All must pass; no rows pass."""
    return [_judge_row(row, payload, presets) for row in rows]


def first_failure(rows: Sequence[ConditionRow], payload: Payload, presets: Presets) -> RowVerdict | None:
    """The first row that does not pass, or None. Rows behind it are not judged."""
    for row in rows:
        verdict = _judge_row(row, payload, presets)
        if not verdict.passed:
            return verdict
    return None


def _read_row(given: Any, presets: Presets, subject: str, number: int) -> ConditionRow:
    try:
        row = given if isinstance(given, ConditionRow) else msgspec.convert(given, ConditionRow)
    except msgspec.ValidationError as exc:
        raise BadCondition(subject, number, str(exc)) from exc
    if row.type == "expression":
        raise BadCondition(
            subject, number, "expressions are not supported: nothing that users write is run as code; use presets"
        )
    if row.type != "preset":
        raise BadCondition(subject, number, f"type must be 'preset', not {row.type!r}")
    preset = presets.get(row.preset)
    if preset is None:
        near = difflib.get_close_matches(row.preset, presets, n=1, cutoff=0.6)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(presets)}"
        raise BadCondition(subject, number, f"preset {row.preset!r} is not known; {hint}")
    known = (*preset.required, *preset.optional)
    for name in row.values:
        if name not in known:
            raise BadCondition(subject, number, f"{row.preset} takes {', '.join(known)}, not {name!r}")
    for name in preset.required:
        if name not in row.values:
            raise BadCondition(subject, number, f"{row.preset} needs a value for {name!r}")
    _check_values(row, subject, number)
    return row


def _check_values(row: ConditionRow, subject: str, number: int) -> None:
    field = row.values.get("field")
    if field is not None:
        try:
            split_path(field if isinstance(field, str) else "")
        except QueryError as exc:
            raise BadCondition(subject, number, f"field {field!r} is no path") from exc
    operator = row.values.get("operator")
    if row.preset == "field_compare" and operator not in OPERATORS:
        raise BadCondition(subject, number, f"operator must be one of {', '.join(OPERATORS)}, not {operator!r}")


def _judge_row(row: ConditionRow, payload: Payload, presets: Presets) -> RowVerdict:
    preset = presets.get(row.preset)
    if preset is None:
        return RowVerdict(row.preset, False, "its preset is not installed, so the row fails")
    if preset.slow >= MAX_SLOW:
        return RowVerdict(
            row.preset, False, f"the preset ({preset.place}) was too slow {MAX_SLOW} times and is not called any more"
        )
    began = time.perf_counter()
    try:
        holds, because = _ask(preset, payload, row.values)
    except (Exception, SystemExit) as exc:  # noqa: BLE001 - fails closed, whatever a plugin's preset raises
        return RowVerdict(row.preset, False, f"it could not be evaluated ({_describe(exc)}), so the row fails")
    finally:
        _clock(preset, time.perf_counter() - began)
    word = "not: " if row.negate else ""
    return RowVerdict(row.preset, holds is not row.negate, f"{word}{because}")


def _ask(preset: Preset, payload: Payload, values: Values) -> tuple[bool, str]:
    """A plugin's preset gets copies: what it writes into them would get into objects and job hooks."""
    if preset.place != BUILT_IN:
        payload = Payload(payload.action, payload.user_name, copied(payload.prechange), copied(payload.postchange))
        values = copied(dict(values))
    answer = preset.check(payload, values)
    if not isinstance(answer, Answer):
        raise TypeError(f"it must return an Answer, not {type(answer).__name__}")
    return bool(answer.holds), str(answer.because)


def _clock(preset: Preset, seconds: float) -> None:
    if seconds > SLOW_SECONDS:
        preset.slow += 1
        _log.warning(
            "Preset %r (%s) took %.0f ms of a commit, more than the %.0f allowed: time %d of %d",
            *(preset.name, preset.place, seconds * 1000, SLOW_SECONDS * 1000, preset.slow, MAX_SLOW),
        )


def _describe(exc: BaseException) -> str:
    try:
        return f"{type(exc).__name__}: {exc}"
    except Exception:  # noqa: BLE001 - an exception whose __str__ raises
        return type(exc).__name__


def _field_changed(payload: Payload, values: Values) -> Answer:
    field = values["field"]
    if payload.action is not ObjectChangeAction.UPDATE:
        return Answer(False, f"field {field} can only change in an update, this is a {payload.action or 'press'}")
    before, after = _both(payload, field)
    if same(before, after):
        return Answer(False, f"field {field} is {_show(after)} before and after")
    return Answer(True, f"field {field} changed from {_show(before)} to {_show(after)}")


def _field_transition(payload: Payload, values: Values) -> Answer:
    changed = _field_changed(payload, values)
    if not changed.holds:
        return changed
    before, after = _both(payload, values["field"])
    for word, wanted, found in (("from", values.get("from"), before), ("to", values.get("to"), after)):
        if word in values and not equals(found, wanted):
            return Answer(False, f"{changed.because}, wanted {word} {_show(wanted)}")
    return changed


def _field_compare(payload: Payload, values: Values) -> Answer:
    field, operator, wanted = values["field"], values["operator"], values["value"]
    found = read_path(payload.data, split_path(field))
    return Answer(
        compare(found, operator, wanted), f"field {field} is {_show(found)}, compared with {operator} {_show(wanted)}"
    )


def _user_is(payload: Payload, values: Values) -> Answer:
    return Answer(
        payload.user_name == values["username"], f"the author is {payload.user_name}, wanted {values['username']}"
    )


def built_in_presets() -> tuple[Preset, ...]:
    """The presets that are always there."""
    return (
        Preset(
            "field_changed",
            _field_changed,
            ("field",),
            description="The field's value differs before and after an update.",
            of_updates=True,
        ),
        Preset(
            "field_transition",
            _field_transition,
            ("field",),
            ("from", "to"),
            "An update changed the field, from one value to another; either may be left out.",
            of_updates=True,
        ),
        Preset(
            "field_compare",
            _field_compare,
            ("field", "operator", "value"),
            description="The field's value compares so with a value.",
        ),
        Preset("user_is", _user_is, ("username",), description="The author of the change has this name."),
    )


def compare(found: Any, operator: str, wanted: Any) -> bool:
    """Compare as `OPERATORS` say: numbers as numbers also where they are text, lists as sets.

    For `=` and `in` null and absent are the empty text; they are neither greater nor less than anything.
    """
    if operator == "=":
        return equals(found, wanted)
    if operator == "in":
        options = wanted if isinstance(wanted, list) else [wanted]
        return any(equals(found, option) for option in options)
    if operator == "contains":
        if isinstance(found, list):
            return any(equals(display(member), wanted) for member in found)
        return isinstance(found, str) and str(_folded(wanted)) in found
    if operator in ("startswith", "endswith"):
        return isinstance(found, str) and getattr(found, operator)(str(_folded(wanted)))
    left, right = _ordered(found, wanted)
    return bool({"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[operator])


def equals(found: Any, wanted: Any) -> bool:
    """Equality of conditions: 1 and "1.0" are the same number, lists are sets, null and absent are the empty text."""
    if isinstance(found, bool) or isinstance(wanted, bool):
        return found is wanted or (isinstance(wanted, str) and isinstance(found, bool) and wanted == str(found).lower())
    if isinstance(found, list) or isinstance(wanted, list):
        if not isinstance(found, list) or not isinstance(wanted, list):
            return False
        members, others = [display(member) for member in found], [display(member) for member in wanted]
        return all(any(equals(a, b) for b in others) for a in members) and all(
            any(equals(a, b) for a in members) for b in others
        )
    left, right = _number(found), _number(wanted)
    if left is not None and right is not None:
        return left == right
    return same(_folded(found), _folded(wanted))


def _ordered(found: Any, wanted: Any) -> tuple[Any, Any]:
    left, right = _number(found), _number(wanted)
    if left is not None and right is not None:
        return left, right
    if isinstance(found, str) and isinstance(wanted, str):
        return found, wanted
    raise TypeError(f"{_show(found)} and {_show(wanted)} have no order")


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = str(value).strip()
    if not text.isascii() or "_" in text:  # as Decimal reads them; people mean a name
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def display(member: Any) -> Any:
    """What a member of a list is compared by: an object's name, else itself."""
    if isinstance(member, dict):
        return next((member[key] for key in ("display", "name") if key in member), member)
    return member


def _folded(value: Any) -> Any:
    return "" if value is None or value is ABSENT else value


def _both(payload: Payload, field: str) -> tuple[Any, Any]:
    steps = split_path(field)
    return read_path(payload.prechange or {}, steps), read_path(payload.postchange or {}, steps)


def _show(value: Any) -> str:
    if value is ABSENT:
        return "unset"
    text = encode(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
