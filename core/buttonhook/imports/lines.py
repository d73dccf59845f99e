"""The shapes of records, each told by its keys.

    {"object_type", "pk"?, "data"}                                           an object line
    {"request_id", "user_name", "time", "action", "object_type",
     "object_id", "after"}                                                   a line of a change stream
    {"model", "pk"?, "fields"}                                               a row of Django's dumpdata

Lines of a change stream may also hold `seq`, `before` and `object_repr`, which are not used: the recorder
knows the state before. Whole numbers as keys of objects become text.
"""

import difflib
from collections.abc import Collection, Mapping
from typing import Any, Final

from msgspec import Struct

from buttonhook import times
from buttonhook.ids import Microseconds, ObjectChangeAction

_CHANGE_KEYS: Final = ("request_id", "user_name", "time", "action", "object_type", "object_id")
_CHANGE_UNUSED: Final = ("seq", "before", "object_repr")
_CHANGE_MARKS: Final = frozenset({"request_id", "action", "object_id"})
_KNOWN_CHANGE_KEYS: Final = frozenset((*_CHANGE_KEYS, "after", *_CHANGE_UNUSED))
_KNOWN_OBJECT_KEYS: Final = frozenset({"object_type", "pk", "data"})
_KNOWN_ROW_KEYS: Final = frozenset({"model", "pk", "fields"})
_ACTIONS: Final = {str(action): action for action in ObjectChangeAction}


class Unusable(Exception):
    """What is wrong with the shape of a record."""


class ObjectLine(Struct, frozen=True):
    """An object as it shall be. Without a `pk` it is matched by its type's natural key, else made anew."""

    object_type: str
    pk: str | None
    data: dict[str, Any]


class ChangeLine(Struct, frozen=True):
    """One change as another program recorded it; `after` is None for a delete."""

    request_id: str
    user_name: str
    time: Microseconds
    action: ObjectChangeAction
    object_type: str
    pk: str
    after: dict[str, Any] | None


Line = ObjectLine | ChangeLine


def recognise(value: Any, object_type: str | None = None) -> Line:
    """Tell the shape of a record. `object_type` is the type of object lines that name none.

    Raises:
        Unusable: it has none of the shapes; the message names the key.
    """
    if type(value) is not dict:
        raise Unusable(f"an object is expected, not {_kind(value)}")
    if not _CHANGE_MARKS.isdisjoint(value):
        return _change_line(value)
    if "model" in value and "data" not in value:
        return _dumpdata_row(value)
    return _object_line(value, object_type)


def request_id_of(value: Any) -> str | None:
    """The request that an unusable record says it is part of."""
    found = value.get("request_id") if isinstance(value, dict) else None
    return found if isinstance(found, str) and found else None


def _object_line(value: dict[str, Any], object_type: str | None) -> ObjectLine:
    if "data" not in value and not ("fields" in value or "object_type" in value or "pk" in value):
        raise Unusable(
            "key 'data' is missing. A line is an object (object_type, pk, data), a change "
            "(request_id, user_name, time, action, object_type, object_id, after) or a row (model, pk, fields)"
        )
    _refuse_odd_keys(value, _KNOWN_OBJECT_KEYS)
    if "object_type" in value:
        object_type = _text(value, "object_type")
    elif object_type is None:
        raise Unusable("key 'object_type' is missing. Name the type of all such lines with --type")
    return ObjectLine(object_type, _pk(value, "pk"), _document(value, "data"))


def _dumpdata_row(value: dict[str, Any]) -> ObjectLine:
    _refuse_odd_keys(value, _KNOWN_ROW_KEYS)
    return ObjectLine(_text(value, "model"), _pk(value, "pk"), _document(value, "fields"))


def _change_line(value: dict[str, Any]) -> ChangeLine:
    _refuse_odd_keys(value, _KNOWN_CHANGE_KEYS)
    for key in _CHANGE_KEYS:
        if key not in value:
            raise Unusable(f"key {key!r} is missing")
    word = value["action"]
    action = _ACTIONS.get(word) if isinstance(word, str) else None
    if action is None:
        raise Unusable(f"'action' is {_short(word)}, not one of {', '.join(_ACTIONS)}")
    pk = _pk(value, "object_id")
    if pk is None:
        raise Unusable("'object_id' is null")
    after = None
    if action is not ObjectChangeAction.DELETE:
        after = _document(value, "after")
    elif value.get("after") is not None:
        raise Unusable("'after' of a delete must be null or absent")
    request_id, user_name = _text(value, "request_id"), _text(value, "user_name")
    object_type = _text(value, "object_type")
    return ChangeLine(request_id, user_name, _time(value), action, object_type, pk, after)


def _refuse_odd_keys(value: Mapping[str, Any], known: Collection[str]) -> None:
    for key in value:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else f"Known here: {', '.join(sorted(known))}"
            raise Unusable(f"key {key!r} is not known. {hint}")


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value[key]
    if not isinstance(found, str):
        raise Unusable(f"{key!r} must be text, not {_kind(found)}")
    if not found:
        raise Unusable(f"{key!r} is empty")
    return found


def _pk(value: Mapping[str, Any], key: str) -> str | None:
    found = value.get(key)
    if found is None or isinstance(found, str):
        return found
    if isinstance(found, int) and not isinstance(found, bool):
        return str(found)
    raise Unusable(f"{key!r} must be text or a whole number, not {_kind(found)}")


def _document(value: Mapping[str, Any], key: str) -> dict[str, Any]:
    if key not in value:
        raise Unusable(f"key {key!r} is missing")
    found = value[key]
    if not isinstance(found, dict):
        raise Unusable(f"{key!r} must be an object, not {_kind(found)}")
    return found


def _time(value: Mapping[str, Any]) -> Microseconds:
    text = _text(value, "time")
    try:
        return times.from_text(text)
    except (ValueError, OverflowError) as exc:
        raise Unusable(f"'time' is {_short(text)}, not a time as 2026-11-23T02:57:01Z") from exc


def _kind(value: Any) -> str:
    words = {type(None): "null", bool: "true or false", str: "text", list: "a list", dict: "an object"}
    return words.get(type(value), "a number")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
