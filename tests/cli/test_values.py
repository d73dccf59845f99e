"""Values, filters and paths as people type them."""

import click
import pytest

from buttonhook.cli.values import applied, read_conditions, read_order, read_settings, read_value, without
from buttonhook.errors import QueryError
from buttonhook.objects.types import ObjectType
from buttonhook.records import Condition

FREE = ObjectType("lab.free")


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("5", 5),
        ("-1.5", -1.5),
        ("true", True),
        ("null", None),
        ('"5"', "5"),
        ("[1, 2]", [1, 2]),
        ('{"a": 1}', {"a": 1}),
        ("ams01", "ams01"),
        ("00123", "00123"),
        ("NaN", "NaN"),
        ("", ""),
        (" x ", " x "),
        ("12:34:56:78:9a:bc", "12:34:56:78:9a:bc"),
    ],
)
def test_a_value_is_json_where_it_reads_as_json_else_text(typed: str, value: object):
    assert read_value(typed, "x").value == value
    assert type(read_value(typed, "x").value) is type(value)


@pytest.mark.parametrize("typed", ['{"a"', "[1,", '"x'])
def test_what_begins_like_json_must_be_json(typed: str):
    with pytest.raises(click.BadParameter, match="is written in quotes"):
        read_value(typed, "x")


@pytest.mark.parametrize(
    ("typed", "rows"),
    [
        ("status = active", [(("status",), "=", "active")]),
        ("status=active", [(("status",), "=", "active")]),
        ("status__exact=active", [(("status",), "=", "active")]),
        ("n = 5", [(("n",), "in", [5, "5"])]),
        ("n != 5", [(("n",), "ne", 5), (("n",), "ne", "5")]),
        ("n <= 5", [(("n",), "lte", 5)]),
        ("n__lte=5", [(("n",), "lte", 5)]),
        ("n = null", [(("n",), "=", None)]),
        ("n isnull false", [(("n",), "isnull", False)]),
        ("n in a, b,5", [(("n",), "in", ["a", "b", 5, "5"])]),
        ('n in ["a,b", 5]', [(("n",), "in", ["a,b", 5])]),
        ("console-ports.0.name = con0", [(("console-ports", "0", "name"), "=", "con0")]),
        ("location__name=AMS", [(("location", "name"), "=", "AMS")]),
        ("name startswith 12", [(("name",), "startswith", "12")]),
        ('name contains "a b"', [(("name",), "contains", "a b")]),
        ("name = a = b", [(("name",), "=", "a = b")]),
        ("name = ", [(("name",), "=", "")]),
    ],
)
def test_a_filter_is_read_in_both_forms(typed: str, rows: list[tuple]):
    assert read_conditions([typed], FREE, lambda _: None) == tuple(Condition(*row) for row in rows)


@pytest.mark.parametrize("typed", ["", "name", "name is x", "= x"])
def test_what_is_no_filter_is_refused(typed: str):
    with pytest.raises((click.BadParameter, QueryError)):
        read_conditions([typed], FREE, lambda _: None)


def test_an_order_is_read():
    assert read_order("name, -a.b", FREE) == ((("name",), False), (("a", "b"), True))
    assert read_order("", FREE) == ()


def test_fields_are_set_and_unset_without_touching_the_document():
    document = {"a": {"b": 1}, "list": [1, {"x": 2}]}
    settings = read_settings(["a.c=2", "list.1.x=3", r"do\.t=1", "new.deep=x"], FREE)
    assert applied(document, settings) == {
        "a": {"b": 1, "c": 2},
        "list": [1, {"x": 3}],
        "do.t": 1,
        "new": {"deep": "x"},
    }
    assert without(document, ["a.b", "list.0", "nowhere.x"], FREE) == {"a": {}, "list": [{"x": 2}]}
    assert document == {"a": {"b": 1}, "list": [1, {"x": 2}]}


@pytest.mark.parametrize("path", ["a.b.c", "list.7", "list.x", "list.7.x"])
def test_a_place_that_cannot_be_is_refused(path: str):
    with pytest.raises(click.BadParameter, match="There is no place"):
        applied({"a": {"b": 1}, "list": [1]}, read_settings([f"{path}=1"], FREE))
