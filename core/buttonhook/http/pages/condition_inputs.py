"""How the values of a condition are asked for: a widget for each, chosen by its kind and by the field it is about.

What a widget showed comes back with what was typed, so a value that was left alone stays as it was, whatever its text.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook import documents
from buttonhook.conditions import OPERATORS, ValueKind, display
from buttonhook.documents import ABSENT
from buttonhook.errors import InvalidDocument, QueryError
from buttonhook.http.pages.columns import fields_of, text_of
from buttonhook.http.pages.forms import BadField, number
from buttonhook.objects.types import ObjectType

Widget = Literal["field", "select", "choices", "number", "text", "list", "user", "reference", "any"]
OTHER: Final = "…"
"""In a list of fields: another path, which is typed."""
EMPTY: Final = '""'
MOST_SEEN: Final = 30
SIGNS: Final[Mapping[str, str]] = {
    "=": "is",
    "gt": "is greater than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "in": "is one of",
    "contains": "contains",
    "startswith": "begins with",
    "endswith": "ends with",
}
YESNO: Final = (("true", "yes"), ("false", "no"))
_OF_ORDER: Final = ("gt", "gte", "lt", "lte")
_OF_TEXT: Final = ("startswith", "endswith")
_PLAIN: Final[Mapping[str, Widget]] = {"number": "number", "line": "text", "text": "text", "lines": "text"}


class KnownField(Struct, frozen=True):
    """A field of the object types in question; `kind` is that of `columns`, or `any` where the types differ."""

    key: str
    kind: str
    options: tuple[Any, ...] = ()
    target: str = ""


class Known(Struct, frozen=True):
    """What a form of conditions may offer: fields, some documents as they are stored, names of users."""

    fields: Mapping[str, KnownField]
    documents: Sequence[dict[str, Any]]
    users: Sequence[str]


class Asked(Struct, frozen=True):
    """How one value is asked for. `options` are JSON and label; `suggestions` are texts."""

    widget: Widget
    options: tuple[tuple[str, str], ...] = ()
    suggestions: tuple[str, ...] = ()
    target: str = ""
    help: str = ""


def known_fields(types: Iterable[ObjectType], shown: Iterable[dict[str, Any]]) -> dict[str, KnownField]:
    """The fields of some types, in order; of free types the keys of the documents shown."""
    found: dict[str, KnownField] = {}
    for type_ in types:
        for each in fields_of(type_):
            fresh = KnownField(each.key, each.kind, each.options, each.target)
            found[each.key] = fresh if found.get(each.key, fresh) == fresh else KnownField(each.key, "any")
    for document in shown:
        for key in document:
            if key not in found and "." not in key:
                found[key] = KnownField(key, "any")
    return found


def ask(kind: ValueKind, values: Mapping[str, Any], known: Known, *, is_optional: bool) -> Asked:
    """The widget of a value, beside the other values of its row."""
    if kind == "field":
        return Asked("field", tuple((each, each) for each in known.fields) if known.fields else ())
    if kind == "operator":
        return Asked("select", tuple((documents.encode(each), SIGNS[each]) for each in OPERATORS))
    if kind == "user":
        return Asked("user", suggestions=tuple(known.users))
    if kind == "yesno":
        return Asked("select", YESNO)
    if kind == "of_field":
        return _of_field(values, known, is_optional=is_optional)
    return Asked(kind, help="One a line." if kind == "list" else "")


def _of_field(values: Mapping[str, Any], known: Known, *, is_optional: bool) -> Asked:
    path, operator = str(values.get("field", "")), values.get("operator", "=")
    field = known.fields.get(path, KnownField(path, "any"))
    seen = tuple(text_of(each) for each in values_seen(known.documents, path))
    if operator in _OF_TEXT or operator in _OF_ORDER:
        widget: Widget = "text" if operator in _OF_TEXT else "number" if field.kind == "number" else "any"
        return Asked(widget, suggestions=seen)
    options = YESNO if field.kind == "yesno" else tuple((documents.encode(x), text_of(x)) for x in field.options)
    if operator == "in":
        return Asked("choices", options) if options else Asked("list", suggestions=seen, help="One a line.")
    if field.kind in ("lines", "choices") and values.get("operator") == "=":
        return Asked("list", suggestions=seen, help="One a line. The order does not matter.")
    if options:
        return Asked("select", ((EMPTY, "empty"), *options) if field.kind != "yesno" else options)
    if field.kind == "reference":
        return Asked("reference", target=field.target, help=f"The key of a {field.target}.")
    return Asked(_PLAIN.get(field.kind, "any"), suggestions=seen, help="" if is_optional else "Empty: not set.")


def values_seen(shown: Iterable[dict[str, Any]], path: str) -> list[Any]:
    """The plain values that stand at a path, or in a list there; the most frequent first."""
    try:
        steps = documents.split_path(path)
    except QueryError:
        return []
    counts: Counter[Any] = Counter()
    for document in shown:
        value = documents.read_path(document, steps)
        for each in value if isinstance(value, list) else [value]:
            plain = display(each)
            if isinstance(plain, str | int | float) and plain not in ("", ABSENT):
                counts[plain] += 1
    return [value for value, _ in counts.most_common(MOST_SEEN)]


# --- values and their texts -----------------------------------------------------------------------


def text_in(widget: str, value: Any) -> str:
    """The text by which a widget shows a value."""
    if value is ABSENT:
        return ""
    if widget in ("select", "choices"):
        members = value if widget == "choices" and isinstance(value, list) else [value]
        return "\n".join(map(documents.encode, members))
    if widget == "list" and isinstance(value, list) and all(isinstance(x, str | int | float) for x in value):
        return "\n".join(text_of(x) if not isinstance(x, bool) else documents.encode(x) for x in value)
    if isinstance(value, str):
        return documents.encode(value) if widget == "any" and _is_json(value) else value
    return documents.encode(value)


def _is_json(text: str) -> bool:
    try:
        documents.parse(text, "")
    except InvalidDocument:
        return False
    return True


def value_in(widget: str, text: str) -> Any:
    """What a text in a widget stands for.

    Raises:
        BadField: for nothing.
    """
    if widget == "number":
        return number(text) if text else ""
    if widget == "list":
        return [line.strip() for line in text.split("\n") if line.strip()]
    if widget in ("select", "choices"):
        members = [_parsed(line) for line in text.split("\n") if line]
        return members if widget == "choices" else next(iter(members), ABSENT)
    return _parsed(text) if widget == "any" and _is_json(text) else text


def _parsed(text: str) -> Any:
    """Raises: BadField: it is no JSON, so not one of ours."""
    try:
        return documents.parse(text, "")
    except InvalidDocument as exc:
        raise BadField("Choose one of the list.") from exc
