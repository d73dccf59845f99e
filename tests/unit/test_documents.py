"""Documents: what is refused with which path, what is the same, what an overlay keeps and changes."""

import copy
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import documents
from buttonhook.errors import InvalidDocument, QueryError

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
KEYS = st.sampled_from(["a", "b", "c", "name", "x.y", "0", "ü", 'q"', "back\\slash"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=20
)
DOCUMENTS = st.dictionaries(KEYS, JSON, max_size=4)


def faults_of(data: bytes | str) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as refused:
        documents.parse(data, "it")
    return [(fault.path, fault.message) for fault in refused.value.faults]


# --- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "path", "message"),
    [
        (b'{"a": [1, NaN]}', "a.1", "NaN is not a JSON number"),
        (b'{"a": {"b": -Infinity}}', "a.b", "-Infinity is not a JSON number"),
        (b"Infinity", "", "Infinity is not a JSON number"),
        (b'{"a": [1, 1e999]}', "a.1", "inf is not a JSON number"),
        (b'{"x": {"y": -1e999}}', "x.y", "-inf is not a JSON number"),
        (b'{"a": 1, "a": 2}', "a", "key stands twice in one object"),
        (b'{"a": 1, "\\u0061": 1}', "a", "key stands twice in one object"),
        (b'{"a": [{"b.c": {"d": 1, "e": 2, "d": 1}}]}', "a.0.b\\.c.d", "key stands twice in one object"),
        (b'[{"a": "\\"a\\":", "b": 1, "b": 2}]', "0.b", "key stands twice in one object"),
        (b'{"a": ["x\\u0000y"]}', "a.0", "text holds U+0000"),
        (b'{"a": {"x\\u0000y": 1}}', "a", "text holds U+0000"),
        (b'{"a": "x\\ud800y"}', "a", "text holds a lone surrogate at character 2"),
        (b'{"a": {"\\udc00": 1}}', "a", "text holds a lone surrogate at character 1"),
        ('{"a": "\ud800"}', "a", "text holds a lone surrogate at character 1"),
        (b'{"a": "\xff"}', "", "byte 8 is not UTF-8"),
        (b"\xed\xa0\x80", "", "byte 1 is not UTF-8"),
        (b'{"a": "x\x00y"}', "", "not JSON at line 1, column 9: Invalid control character at"),
        (b"", "", "not JSON at line 1, column 1: Expecting value"),
        (b'{"a": 1}\n{"a": 2}', "", "not JSON at line 2, column 1: Extra data"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a", "a number of 5,000 digits is too long"),
    ],
)
def test_what_is_not_i_json_is_refused_with_its_path(data: bytes | str, path: str, message: str):
    assert faults_of(data) == [(path, message)]


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"k":', "}")])
def test_a_document_may_be_64_deep_and_no_deeper(opening: str, closing: str):
    def nested(depth: int) -> str:
        return opening * (depth - 1) + ("[]" if opening == "[" else "{}") + closing * (depth - 1)

    documents.parse(nested(64), "it")
    documents.check(json.loads(nested(64)), "it")
    assert [message for _, message in faults_of(nested(65))] == ["nested deeper than 64"]
    with pytest.raises(InvalidDocument, match="nested deeper than 64"):
        documents.check(json.loads(nested(65)), "it")


@pytest.mark.parametrize("data", [b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b'{"a":' * 50_000])
def test_what_would_exhaust_the_stack_is_refused_like_anything_else(data: bytes):
    ((path, message),) = faults_of(data)
    assert path == ""
    assert message.startswith(("nested deeper", "not JSON"))


@pytest.mark.parametrize("text", ["x" * 999_998, "é" * 499_999, "€" * 333_332 + "xx"])
def test_the_limit_of_a_document_counts_bytes(text: str):
    data = json.dumps(text, ensure_ascii=False)
    assert len(data.encode()) == 1_000_000
    for form in (data, data.encode()):
        assert documents.parse(form, "it") == text
    for form in (f"{data} ", f"{data} ".encode()):
        assert faults_of(form) == [("", "1,000,001 bytes are more than the 1,000,000 allowed")]


def test_a_byte_order_mark_is_passed_over():
    assert documents.parse(b'\xef\xbb\xbf{"a": 1}', "it") == {"a": 1}
    assert documents.parse('\ufeff{"a": 1}', "it") == {"a": 1}


def test_brackets_and_colons_within_text_are_no_structure():
    value = {"a": "[[{{" * 40 + '\\":"', 'b\\": ': ["\\\\", '"', ":::", "]" * 80]}
    assert documents.parse(json.dumps(value, indent=1), "it") == value


@given(JSON)
def test_reading_what_was_written_gives_the_same_value_of_the_same_kinds(value: Any):
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1), documents.encode(value)):
        for read in (documents.parse(text, "it"), documents.parse(text.encode(), "it")):
            assert repr(read) == repr(value)
    assert repr(documents.decode(documents.encode(value))) == repr(value)


@given(st.integers(min_value=2**63 - 3, max_value=2**200), st.booleans())
def test_whole_numbers_of_any_size_are_kept_exactly(number: int, negative: bool):
    number = -number if negative else number
    assert documents.parse(f'{{"n": {number}}}', "it") == {"n": number}
    assert documents.decode(documents.encode({"n": number})) == {"n": number}


def test_check_tells_every_fault_of_a_python_value_up_to_twenty():
    with pytest.raises(InvalidDocument) as refused:
        documents.check({"a": {1: 2}, "b": (1,), "c": math.nan, "d": {"e": [b"x"]}}, "it")
    assert {fault.path: fault.message for fault in refused.value.faults} == {
        "a": "key 1 is not text",
        "b": "tuple is not a JSON value",
        "c": "nan is not a JSON number",
        "d.e.0": "bytes is not a JSON value",
    }
    with pytest.raises(InvalidDocument) as refused:
        documents.check([math.inf] * 100, "it")
    assert len(refused.value.faults) == documents.MAX_FAULTS


# --- equality -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right", "expected"),
    [
        (True, 1, False),
        (False, 0, False),
        (True, 1.0, False),
        (True, True, True),
        (1, 1.0, True),
        (1, 1.5, False),
        (0, -0.0, True),
        (2**53 + 1, float(2**53), False),
        (2**53, float(2**53), True),
        (10**30, 10**30 + 1, False),
        (None, False, False),
        (None, "", False),
        ("1", 1, False),
        ([], {}, False),
        ({"a": 1, "b": [2]}, {"b": [2.0], "a": 1.0}, True),
        ({"a": None}, {}, False),
        ({"a": None}, {"b": None}, False),
        ([1, 2], [2, 1], False),
        ([1], [1, 1], False),
        ([[True]], [[1]], False),
        ({"a": [{"b": False}]}, {"a": [{"b": 0}]}, False),
        ([{1, 2}, True], [{2, 1}, 1], False),
        ([{1, 2}, "x"], [{2, 1}, "x"], True),
    ],
)
def test_values_are_the_same_when_they_are_the_same_json_value(left: Any, right: Any, expected: bool):
    assert documents.same(left, right) is expected
    assert documents.same(right, left) is expected


@given(JSON)
def test_every_value_is_the_same_as_its_copy_and_a_copy_shares_nothing(value: Any):
    copied = documents.copied(value)
    assert documents.same(value, copy.deepcopy(value))
    assert repr(copied) == repr(value)
    if isinstance(value, dict | list):
        assert copied is not value
        assert all(a is not b for a, b in zip(_containers(copied), _containers(value), strict=True))


def _containers(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict | list) else []
    return own + [found for each in inner for found in _containers(each)]


# --- overlay --------------------------------------------------------------------------------------

KNOWN = {"a", "b", "name"}


def view(value: Any) -> Any:
    """What a struct with these keys would show at every depth."""
    if isinstance(value, dict):
        return {key: view(member) for key, member in value.items() if key in KNOWN}
    return [view(member) for member in value] if isinstance(value, list) else value


def hidden(value: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """What the view does not show, outside lists, by path."""
    found: dict[tuple[str, ...], Any] = {}
    for key, member in value.items() if isinstance(value, dict) else ():
        if key not in KNOWN:
            found[*path, key] = member
        else:
            found.update(hidden(member, (*path, key)))
    return found


@given(DOCUMENTS)
def test_a_view_that_changed_nothing_leaves_what_is_stored_as_it_is(stored: dict[str, Any]):
    assert documents.overlay(stored, view(stored), view(stored)) is stored


@given(DOCUMENTS, DOCUMENTS)
def test_what_the_view_changed_is_changed_as_the_view_shows_it(stored: dict[str, Any], other: dict[str, Any]):
    new = view(other)
    result = documents.overlay(stored, view(stored), new)
    assert documents.same(view(result), new)


@given(DOCUMENTS, st.lists(st.tuples(st.sampled_from(sorted(KNOWN)), SCALARS), max_size=3))
def test_unknown_keys_survive_at_every_depth_beside_what_was_set(
    stored: dict[str, Any], assignments: list[tuple[str, Any]]
):
    base = view(stored)
    new = copy.deepcopy(base)
    node, at = new, ()
    for key, value in assignments:  # walks down, setting one known key on every level
        node[f"{key}"], old = value, node.get(key)
        if isinstance(old, dict):
            node[key], node, at = old, old, (*at, key)
    result = documents.overlay(stored, base, new)
    kept = {path: value for path, value in hidden(stored).items() if _is_dict_at(new, path[:-1])}
    for path, value in kept.items():
        assert documents.same(_at(result, path), value)


def _is_dict_at(value: Any, path: tuple[str, ...]) -> bool:
    return isinstance(_at(value, path), dict)


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def test_a_default_that_is_only_shown_is_not_stored_until_it_is_changed():
    stored, base = {"name": "r1"}, {"name": "r1", "status": "active"}
    assert documents.overlay(stored, base, {"name": "r2", "status": "active"}) == {"name": "r2"}
    assert documents.overlay(stored, base, {"name": "r1", "status": "planned"}) == {"name": "r1", "status": "planned"}


def test_a_key_that_left_the_view_leaves_the_document():
    assert documents.overlay({"a": 1, "b": 2, "x": 3}, {"a": 1, "b": 2}, {"b": 2}) == {"b": 2, "x": 3}


MEMBERS = [{"name": f"eth{number}", "secret": number} for number in range(4)]


@pytest.mark.parametrize(
    ("names", "secrets"),
    [
        (["eth0", "eth1", "eth2", "eth3"], [0, 1, 2, 3]),
        (["eth1", "eth2", "eth3"], [1, 2, 3]),
        (["eth0", "eth3"], [0, 3]),
        (["new", "eth0", "eth1", "eth2", "eth3"], [None, 0, 1, 2, 3]),
        (["eth0", "eth1", "new", "eth2", "eth3"], [0, 1, None, 2, 3]),
        (["eth0", "renamed", "eth2", "eth3"], [0, 1, 2, 3]),
        ([], []),
    ],
)
def test_members_of_a_list_that_the_view_left_alone_keep_what_it_does_not_know(
    names: list[str], secrets: list[int | None]
):
    base = [{"name": member["name"]} for member in MEMBERS]
    result = documents.overlay(MEMBERS, base, [{"name": name} for name in names])
    assert [member["name"] for member in result] == names
    assert [member.get("secret") for member in result] == secrets


@given(st.permutations(range(4)))
def test_reordered_members_are_never_given_what_belongs_to_another(order: list[int]):
    base = [{"name": member["name"]} for member in MEMBERS]
    result = documents.overlay(MEMBERS, base, [base[place] for place in order])
    assert [member["name"] for member in result] == [f"eth{place}" for place in order]
    for member, place in zip(result, order, strict=True):
        assert member.get("secret") == place


def test_fill_missing_adds_what_lacks_and_touches_nothing_else():
    document = {"b": None, "a": 1}
    assert list(documents.fill_missing(document, {"a": 2, "b": 3, "c": 4}).items()) == [("b", None), ("a", 1), ("c", 4)]
    assert documents.fill_missing(document, {"a": 5}) is document


# --- paths ----------------------------------------------------------------------------------------


@given(st.lists(st.text(min_size=1, max_size=5), min_size=1, max_size=4))
def test_a_path_that_was_joined_is_split_into_the_same_steps(steps: list[str]):
    assert documents.split_path(documents.join_path(steps)) == tuple(steps)


@pytest.mark.parametrize("path", ["", ".", "a.", ".a", "a..b"])
def test_a_path_with_an_empty_step_is_refused(path: str):
    with pytest.raises(QueryError, match="empty"):
        documents.split_path(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.b", 1),
        ("a.c", documents.ABSENT),
        ("list.0", "x"),
        ("list.1.k", None),
        ("list.2", documents.ABSENT),
        ("list.-1", documents.ABSENT),
        ("list.k", documents.ABSENT),
        ("dot\\.ted", 2),
        ("years.2024", 3),
        ("a.b.c", documents.ABSENT),
    ],
)
def test_a_path_leads_to_what_stands_there(path: str, expected: Any):
    document = {"a": {"b": 1}, "list": ["x", {"k": None}], "dot.ted": 2, "years": {"2024": 3}}
    assert documents.read_path(document, documents.split_path(path)) is expected
