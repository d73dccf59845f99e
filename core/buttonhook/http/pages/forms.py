"""Forms of objects: a field for each of the type's, and back again to a document, with what is wrong told at the field.

A field that was left as it was keeps its value as stored, whatever its text: so what a form cannot show exactly (a
number written as 1.0, null where text may stand) is not changed by being looked at.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import NODEFAULT, Struct

from buttonhook import documents
from buttonhook.documents import ABSENT
from buttonhook.errors import InvalidDocument
from buttonhook.http.pages.columns import TypeField, fields_of, text_of
from buttonhook.http.pages.templating import label, pretty
from buttonhook.http.reading import Form
from buttonhook.objects.types import ObjectType, to_fault

PREFIX: Final = "d."
"""Before the key of a document in the name of a form's field."""
REST: Final = "rest"
"""The field for the keys that the type's struct does not know; of a free type for all."""
MOST_ROWS: Final = 24
_INT: Final = re.compile(r"[+-]?\d+\Z", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\Z", re.ASCII)
_WORDS: Final = (
    ("Expected `str` of length >= 1", "Must not be empty"),
    ("`str`", "text"),
    ("`int`", "a whole number"),
    ("`float`", "a number"),
    ("`bool`", "yes or no"),
    ("`array`", "a list"),
    ("`object`", "an object"),
    ("`null`", "null"),
)


class FormField(Struct, frozen=True, kw_only=True):
    """One field of a form, as the macro `field` draws it."""

    name: str
    label: str
    kind: str
    value: str = ""
    chosen: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    error: str = ""
    help: str = ""
    required: bool = False
    rows: int = 4
    target: str = ""
    placeholder: str = ""


class BadField(Exception):
    """What was typed cannot be; the message is for the field."""


def fields_for(
    type_: ObjectType, document: dict[str, Any], given: Form | None, errors: Mapping[str, str]
) -> list[FormField]:
    """The fields of a form on a document; with `given` they hold what was typed."""
    made = [_field_for(each, document, given, errors) for each in fields_of(type_)]
    rest = _rest_of(type_, document)
    if type_.is_free or rest or (given is not None and REST in given):
        made.append(_rest_field(type_, rest, given, errors))
    return made


def _field_for(field: TypeField, document: dict[str, Any], given: Form | None, errors: Mapping[str, str]) -> FormField:
    name = PREFIX + field.key
    text = _initial(field, document) if given is None else _typed(field, given)
    kind, options = _drawn(field)
    return FormField(
        name=name,
        label=label(field.key),
        kind=kind,
        value=text,
        chosen=tuple(text.split("\n")) if field.kind == "choices" else (),
        options=options,
        error=errors.get(field.key, ""),
        help=_help(field),
        required=field.is_required and kind != "checkbox",
        rows=min(MOST_ROWS, max(2 if field.kind == "text" else 3, text.count("\n") + 2)),
        target=field.target,
    )


def _drawn(field: TypeField) -> tuple[str, tuple[tuple[str, str], ...]]:
    """How a field is drawn: a choice that may be left open is a list with an empty entry."""
    may_be_empty = field.takes_unset or field.takes_null
    none = (("", "not set"),) if may_be_empty else ()
    if field.kind == "yesno":
        return ("select", (*none, ("yes", "yes"), ("no", "no"))) if may_be_empty else ("checkbox", ())
    if field.kind in ("select", "choices"):
        options = tuple((text_of(each), text_of(each)) for each in field.options)
        return field.kind, options if field.kind == "choices" else (*none, *options)
    return ("text" if field.kind == "lines" else field.kind), ()


def _help(field: TypeField) -> str:
    if field.kind == "reference":
        return f"The key or the name of a {field.target}."
    return {"lines": "One a line.", "json": "As JSON."}.get(field.kind, "")


def _initial(field: TypeField, document: dict[str, Any]) -> str:
    """The text that a field holds before anybody typed."""
    value = document.get(field.key, ABSENT)
    if value is ABSENT:
        value = None if field.default is NODEFAULT else field.default
    if value is None or (value == [] and field.kind in ("lines", "choices")):
        return ""
    if field.kind in ("lines", "choices") and isinstance(value, list) and all(isinstance(x, str) for x in value):
        return "\n".join(value)
    if isinstance(value, dict | list) or (field.kind == "json" and not isinstance(value, str)):
        return pretty(value)
    return documents.encode(value) if field.kind == "json" else text_of(value)


def _typed(field: TypeField, given: Form) -> str:
    name = PREFIX + field.key
    if field.kind == "choices":
        return "\n".join(given.all(name))
    if _drawn(field)[0] == "checkbox":
        return "yes" if name in given else "no"
    return given.get(name)


def read(type_: ObjectType, base: dict[str, Any], given: Form) -> tuple[dict[str, Any], dict[str, str]]:
    """The document that a form asks for, made from the one it showed, and what is wrong, by key."""
    document: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for field in fields_of(type_):
        text = _typed(field, given)
        try:
            value = base.get(field.key, ABSENT)
            if text != _initial(field, base):
                value = _judged(field, _value(field, text))
            if value is not ABSENT:
                document[field.key] = value
            elif field.is_required:
                errors[field.key] = "Must not be empty."
        except BadField as exc:
            errors[field.key] = str(exc)
    try:
        document |= _read_rest(type_, base, given)
    except BadField as exc:
        errors[REST] = str(exc)
    order = {key: document[key] for key in base if key in document}
    return {**order, **document}, errors


def carried(type_: ObjectType, base: dict[str, Any], now: dict[str, Any], given: Form) -> Form:
    """What was typed into a form on `base`, for one on the document as it is now: fields left alone follow it."""
    pairs = [(name, value) for name, value in given.pairs if not name.startswith(PREFIX)]
    for field in fields_of(type_):
        text = _typed(field, given)
        text = _initial(field, now) if text == _initial(field, base) else text
        if field.kind == "choices":
            pairs += [(PREFIX + field.key, each) for each in text.split("\n") if each]
        elif text != "no" or _drawn(field)[0] != "checkbox":
            pairs.append((PREFIX + field.key, text))
    if REST in given and given.get(REST) == pretty(_rest_of(type_, base)):
        pairs = [(REST, pretty(_rest_of(type_, now))) if name == REST else (name, value) for name, value in pairs]
    return Form(pairs)


def _value(field: TypeField, text: str) -> Any:  # noqa: PLR0911 - one a kind
    """Raises: BadField: the text is no value of the field's kind."""
    if text == "" and field.kind != "choices":
        return _nothing(field)
    if field.kind == "number":
        return number(text)
    if field.kind == "yesno":
        return text == "yes"
    if field.kind == "select":
        return next((each for each in field.options if text_of(each) == text), text)
    if field.kind == "choices":
        chosen = text.split("\n") if text else []
        return [each for each in field.options if text_of(each) in chosen]
    if field.kind == "lines":
        return [line for line in text.split("\n") if line.strip()]
    return parsed(text, field.key) if field.kind == "json" else text


def _nothing(field: TypeField) -> Any:
    """What an empty field stands for."""
    if field.takes_unset:
        return ABSENT
    if field.takes_null:
        return None
    if field.kind == "lines":
        return []
    if field.kind in ("line", "text"):
        return ""
    if field.default is not NODEFAULT:
        return ABSENT  # saving fills the default in
    raise BadField("Must not be empty.")


def number(text: str) -> int | float:
    """Raises: BadField: the text is no number."""
    plain = text.strip()
    if _INT.match(plain):
        return int(plain)
    if _FLOAT.match(plain):
        return float(plain)
    raise BadField(f"{text[:40]!r} is no number. Write it as 12 or 1.5.")


def parsed(text: str, subject: str) -> Any:
    """Raises: BadField: it is no JSON."""
    try:
        return documents.parse(text, subject)
    except InvalidDocument as exc:
        told = "; ".join(f"{each.path}: {each.message}" if each.path else each.message for each in exc.faults)
        raise BadField(f"This is no JSON: {told}.") from exc


def _judged(field: TypeField, value: Any) -> Any:
    """Raises: BadField: the struct does not take such a value."""
    if value is ABSENT or field.wanted is Any:
        return value
    try:
        msgspec.convert(value, field.wanted, str_keys=True)
    except (Exception, SystemExit) as exc:
        fault = to_fault(exc)
        raise BadField(plainly(f"{fault.path}: {fault.message}" if fault.path else fault.message)) from exc
    return value


def plainly(message: str) -> str:
    """What msgspec says of a value, in words for people."""
    for theirs, ours in _WORDS:
        message = message.replace(theirs, ours)
    message = message[:1].upper() + message[1:]
    return message if message.endswith(".") else f"{message}."


# --- the keys that no field stands for ------------------------------------------------------------


def _rest_of(type_: ObjectType, document: dict[str, Any]) -> dict[str, Any]:
    known = {each.key for each in fields_of(type_)}
    return {key: value for key, value in document.items() if key not in known}


def _rest_field(type_: ObjectType, rest: dict[str, Any], given: Form | None, errors: Mapping[str, str]) -> FormField:
    text = pretty(rest) if given is None else given.get(REST)
    return FormField(
        name=REST,
        label="Document" if type_.is_free else "Keys that the type does not know",
        kind="json",
        value=text,
        error=errors.get(REST, ""),
        help="A JSON object.",
        rows=min(MOST_ROWS, max(8 if type_.is_free else 3, text.count("\n") + 2)),
    )


def _read_rest(type_: ObjectType, base: dict[str, Any], given: Form) -> dict[str, Any]:
    """Raises: BadField: it is no JSON object."""
    if REST not in given:
        return _rest_of(type_, base)
    text = given.get(REST)
    value = parsed(text, REST) if text.strip() else {}
    if not isinstance(value, dict):
        raise BadField('This is no JSON object. Write one, as in {"name": "ams01-r1"}.')
    return value
