"""Conditions in words: what a row asks for, as a list or a page tells it."""

from collections.abc import Mapping, Sequence
from typing import Any

from buttonhook import documents
from buttonhook.http.pages.columns import text_of
from buttonhook.http.pages.condition_inputs import SIGNS
from buttonhook.http.pages.templating import label, short
from buttonhook.records import ConditionRow


def in_words(row: ConditionRow) -> str:
    """A row as a phrase: `status changed from planned to active`."""
    phrase = _PHRASES.get(row.preset, _any)(row.preset, row.values)
    return f"not: {phrase}" if row.negate else phrase


def all_in_words(rows: Sequence[ConditionRow]) -> list[str]:
    """Each row as a phrase."""
    return [in_words(each) for each in rows]


def _changed(_preset: str, values: Mapping[str, Any]) -> str:
    parts = [f"{word} {_value(values[word])}" for word in ("from", "to") if word in values]
    return " ".join([f"{values.get('field', '?')} changed", *parts])


def _compared(_preset: str, values: Mapping[str, Any]) -> str:
    operator = values.get("operator", "=")
    return f"{values.get('field', '?')} {SIGNS.get(str(operator), operator)} {_value(values.get('value'))}"


def _user(_preset: str, values: Mapping[str, Any]) -> str:
    return f"the author is {_value(values.get('username'))}"


def _any(preset: str, values: Mapping[str, Any]) -> str:
    told = ", ".join(f"{name} {_value(value)}" for name, value in values.items())
    return f"{label(preset)}: {told}" if told else label(preset)


def _value(value: Any) -> str:
    if value in ("", None):
        return "empty"
    if isinstance(value, list):
        return ", ".join(_value(each) for each in value) or "nothing"
    return short(text_of(value) if not isinstance(value, dict) else documents.encode(value), 60)


_PHRASES = {
    "field_changed": _changed,
    "field_transition": _changed,
    "field_compare": _compared,
    "user_is": _user,
}
