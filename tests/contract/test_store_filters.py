"""Filters and orders: every operator against a few lines of Python, pages that visit every row once.

Written against stores/base.py and the meaning of the operators in objects/query.py alone.
"""

import itertools
import string
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from buttonhook import documents
from buttonhook.documents import ABSENT, same
from buttonhook.errors import QueryError
from buttonhook.objects.query import QUERY_OPERATORS
from buttonhook.queries import decode_cursor, encode_cursor
from buttonhook.records import Condition, ObjectQuery
from buttonhook.stores.base import Store
from tests.contract.conftest import OpenStore
from tests.contract.store_rows import put, stored

_numbers = itertools.count()
on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
TEXTS = st.sampled_from(
    ["", "a", "A", "ab", "Ab%", "a_b", "it's", 'q"', "\\", "é", "É", "ß", "😀", "1", "true", "null", "é\n"]
)
INTS = st.sampled_from([0, 1, -1, 2, 10, 2**53 + 1, 2**63 - 1, -(2**63)])
FLOATS = st.sampled_from([0.0, 1.0, -0.0, 0.5, 0.1, 2.0, -1.25, 1e3, float(2**53), 1e300])
SCALARS = st.none() | st.booleans() | INTS | FLOATS | TEXTS
KEYS = st.sampled_from(["a", "b", "x.y", "0", "1", "ü", "back\\slash", "new\nline"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
DOCUMENTS = st.lists(st.dictionaries(KEYS, VALUES, max_size=4), min_size=1, max_size=6)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(tuple) | st.just(("pk",))


def lower(text: str) -> str:
    return text.translate(LOWER)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def equals(value: Any, wanted: Any) -> bool:
    if wanted is None:
        return value is None or value is ABSENT
    return value is not ABSENT and same(value, wanted)


def compared(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def compare(value: Any, wanted: Any) -> bool:
        both_text = isinstance(value, str) and isinstance(wanted, str)
        return (both_text or (is_number(value) and is_number(wanted))) and test(value, wanted)

    return compare


def on_text(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, wanted: isinstance(value, str) and isinstance(wanted, str) and test(value, wanted)


def has_member(value: Any, wanted: Any) -> bool:
    return isinstance(value, list) and any(same(member, wanted) for member in value)


def has_member_of_any_case(value: Any, wanted: str) -> bool:
    return isinstance(value, list) and any(isinstance(each, str) and lower(each) == lower(wanted) for each in value)


holds = on_text(lambda value, wanted: wanted in value)
holds_any_case = on_text(lambda value, wanted: lower(wanted) in lower(value))
MEANING: dict[str, Callable[[Any, Any], bool]] = {
    "=": equals,
    "ne": lambda value, wanted: not equals(value, wanted),
    "gt": compared(lambda value, wanted: value > wanted),
    "gte": compared(lambda value, wanted: value >= wanted),
    "lt": compared(lambda value, wanted: value < wanted),
    "lte": compared(lambda value, wanted: value <= wanted),
    "in": lambda value, wanted: any(equals(value, each) for each in wanted),
    "contains": lambda value, wanted: holds(value, wanted) or has_member(value, wanted),
    "icontains": lambda value, wanted: holds_any_case(value, wanted) or has_member_of_any_case(value, wanted),
    "startswith": on_text(str.startswith),
    "istartswith": on_text(lambda value, wanted: lower(value).startswith(lower(wanted))),
    "endswith": on_text(str.endswith),
    "isnull": lambda value, wanted: (value is None or value is ABSENT) is wanted,
}
WANTED: dict[str, st.SearchStrategy[Any]] = {
    **dict.fromkeys(["=", "ne", "contains"], VALUES),
    **dict.fromkeys(["gt", "gte", "lt", "lte"], INTS | FLOATS | TEXTS),
    **dict.fromkeys(["icontains", "startswith", "istartswith", "endswith"], TEXTS),
    "in": st.lists(VALUES, max_size=3),
    "isnull": st.booleans(),
}


def test_every_operator_has_a_meaning_here():
    assert set(MEANING) == set(WANTED) == set(QUERY_OPERATORS)


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[Condition]]:
    """Documents and conditions, half of them about what stands in one of the documents."""
    rows = draw(DOCUMENTS)
    conditions = []
    for _ in range(draw(st.integers(1, 8))):
        operator, path = draw(st.sampled_from(sorted(MEANING))), draw(PATHS)
        wanted = draw(WANTED[operator])
        there = [value for row in rows if (value := documents.read_path(row, path)) is not ABSENT]
        if there and draw(st.booleans()):
            value = draw(st.sampled_from(there))
            if operator in ("=", "ne"):
                wanted = value
            elif operator == "in":
                wanted = [*wanted, value]
            elif operator == "contains" and isinstance(value, list) and value:
                wanted = draw(st.sampled_from(value))
            elif operator in ("gt", "gte", "lt", "lte") and (is_number(value) or isinstance(value, str)):
                wanted = value
        conditions.append(Condition(path, operator, wanted))
    return rows, conditions


def run_on(make_store: OpenStore, rows: list[dict[str, Any]], ask: Callable[[Store, str], Any]) -> None:
    """Put the rows under a type of their own, as p0, p1, ..., and ask."""
    object_type = f"t.x{next(_numbers)}"

    async def run() -> None:
        async with make_store().open() as store:
            objects = [stored(f"p{place}", row, object_type=object_type) for place, row in enumerate(rows)]
            await put(store, objects=objects)
            await ask(store, object_type)

    anyio.run(run)


@settings(on_one_database, max_examples=2 * settings.default.max_examples)
@given(question=questions())
def test_every_operator_means_the_same_as_in_python(
    make_store: OpenStore, question: tuple[list[dict[str, Any]], list[Condition]]
):
    rows, conditions = question

    def fits(place: int, condition: Condition) -> bool:
        is_pk = condition.path == ("pk",)
        value = f"p{place}" if is_pk else documents.read_path(rows[place], condition.path)
        return MEANING[condition.operator](value, condition.value)

    async def ask(store: Store, object_type: str) -> None:
        for chosen in [*((each,) for each in conditions), tuple(conditions[:2])]:
            expected = [f"p{place}" for place in range(len(rows)) if all(fits(place, each) for each in chosen)]
            query = ObjectQuery(object_type=object_type, conditions=chosen)
            assert [each.pk for each, _ in await store.reader.objects(query)] == expected, chosen
            assert await store.reader.count_objects(query) == len(expected), chosen

    run_on(make_store, rows, ask)


ORDERS = st.lists(st.tuples(KEYS.map(lambda key: (key,)) | st.just(("pk",)), st.booleans()), max_size=3).map(tuple)


@on_one_database
@given(rows=st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=9), order=ORDERS, size=st.integers(1, 4))
def test_pages_visit_every_row_once_in_one_order(
    make_store: OpenStore, rows: list[dict[str, Any]], order: Any, size: int
):
    async def ask(store: Store, object_type: str) -> None:
        query = ObjectQuery(object_type=object_type, order=order)
        whole = [each.pk for each, _ in await store.reader.objects(query)]
        assert sorted(whole) == [f"p{place}" for place in range(len(rows))]
        seen: list[str] = []
        after = None
        while True:
            page = await store.reader.objects(
                ObjectQuery(object_type=object_type, order=order, after=after, limit=size)
            )
            seen.extend(each.pk for each, _ in page)
            if len(page) < size:
                break
            after = decode_cursor(encode_cursor(page[-1][1]))
        assert seen == whole

    run_on(make_store, rows, ask)


@on_one_database
@given(
    rows=st.lists(st.dictionaries(st.sampled_from("abc"), SCALARS, max_size=3), max_size=9),
    order=st.lists(st.tuples(st.sampled_from([("a",), ("b",), ("c",)]), st.booleans()), max_size=3).map(tuple),
)
def test_an_order_goes_by_null_then_numbers_then_text_and_at_last_by_pk(
    make_store: OpenStore, rows: list[dict[str, Any]], order: Any
):
    def rank(value: Any) -> tuple[Any, ...]:
        if value is None or value is ABSENT:
            return (0,)
        return (2, value) if isinstance(value, str) else (1, value)

    expected = list(range(len(rows)))
    for path, descending in reversed(order):
        expected.sort(key=lambda place, path=path: rank(documents.read_path(rows[place], path)), reverse=descending)

    async def ask(store: Store, object_type: str) -> None:
        found = await store.reader.objects(ObjectQuery(object_type=object_type, order=order))
        # `reverse` keeps equal rows in order, so pk stays ascending as it must
        assert [each.pk for each, _ in found] == [f"p{place}" for place in expected]

    run_on(make_store, rows, ask)


@pytest.mark.parametrize(
    ("operator", "value", "message"),
    [
        ("gt", None, "compares with a number or text"),
        ("lt", True, "compares with a number or text"),
        ("gte", [1], "compares with a number or text"),
        ("startswith", 1, "takes text"),
        ("icontains", None, "takes text"),
        ("isnull", 1, "takes true or false"),
        ("in", "abc", "takes a list"),
        ("=", 2**63, "beyond 64 bit"),
        ("in", [-(2**63) - 1], "beyond 64 bit"),
        ("contains", 2**64, "beyond 64 bit"),
        ("like", "x", "unknown operator"),
    ],
)
async def test_a_value_that_an_operator_cannot_take_is_refused(
    make_store: OpenStore, operator: str, value: Any, message: str
):
    async with make_store().open() as store:
        query = ObjectQuery(object_type="t.x", conditions=(Condition(("a",), operator, value),))
        for ask in (store.reader.objects, store.reader.count_objects):
            with pytest.raises(QueryError, match=message):
                await ask(query)


async def test_a_limit_holds_for_rows_and_for_counts(make_store: OpenStore):
    async with make_store().open() as store:
        await put(store, objects=[stored(f"p{place}", object_type="t.x") for place in range(5)])
        for limit, count in ((0, 0), (3, 3), (9, 5), (None, 5)):
            query = ObjectQuery(object_type="t.x", limit=limit)
            assert len(await store.reader.objects(query)) == count
            assert await store.reader.count_objects(query) == count


async def test_a_cursor_of_another_order_is_refused(make_store: OpenStore):
    async with make_store().open() as store:
        with pytest.raises(QueryError, match="another order"):
            await store.reader.objects(ObjectQuery(object_type="t.x", after=(1, "p1")))


async def test_objects_of_another_type_are_never_found(make_store: OpenStore):
    async with make_store().open() as store:
        await put(store, objects=[stored("a", {"n": 1}, object_type="t.x"), stored("a", {"n": 1}, object_type="t.y")])
        query = ObjectQuery(object_type="t.x", conditions=(Condition(("n",), "=", 1),))
        assert [each.object_type for each, _ in await store.reader.objects(query)] == ["t.x"]
