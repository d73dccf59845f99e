"""Records are told apart by their keys, and an odd one is refused by the key that is wrong."""

import msgspec
import pytest

from buttonhook import documents, times
from buttonhook.ids import ObjectChangeAction
from buttonhook.imports.entries import Entry, read_entries
from buttonhook.imports.lines import ChangeLine, ObjectLine, Unusable, recognise, request_id_of
from buttonhook.imports.readers import BadLine
from buttonhook.imports.sources import open_source
from tests.unit.import_doubles import resolve_type

CHANGE = {
    "seq": 1,
    "request_id": "r1",
    "time": "2019-12-19T18:23:05+00:00",
    "user_name": "ann",
    "action": "create",
    "object_type": "test.free",
    "object_id": "a",
    "object_repr": "A",
    "before": None,
    "after": {"x": 1},
}


def without(key: str) -> dict[str, object]:
    return {name: value for name, value in CHANGE.items() if name != key}


def test_an_object_line_is_recognised():
    line = recognise({"object_type": "test.free", "pk": "a", "data": {"x": 1}})
    assert line == ObjectLine("test.free", "a", {"x": 1})
    assert recognise({"object_type": "test.free", "data": {}}) == ObjectLine("test.free", None, {})
    assert recognise({"pk": None, "data": {}}, "test.free") == ObjectLine("test.free", None, {})
    own = recognise({"object_type": "test.box", "data": {}}, "test.free")
    assert own == ObjectLine("test.box", None, {})


def test_a_line_of_a_change_stream_is_recognised():
    assert recognise(CHANGE) == ChangeLine(
        request_id="r1",
        user_name="ann",
        time=times.from_text("2019-12-19T18:23:05Z"),
        action=ObjectChangeAction.CREATE,
        object_type="test.free",
        pk="a",
        after={"x": 1},
    )
    for after in ({}, {"after": None}):
        line = recognise(without("after") | {"action": "delete"} | after)
        assert isinstance(line, ChangeLine)
        assert line.after is None


def test_a_dumpdata_row_is_recognised_and_its_number_becomes_text():
    row = {"model": "test.free", "pk": 12, "fields": {"x": 1}}
    assert recognise(row) == ObjectLine("test.free", "12", {"x": 1})
    assert recognise({"model": "test.free", "fields": {}}) == ObjectLine("test.free", None, {})
    assert recognise(row | {"pk": None}) == ObjectLine("test.free", None, {"x": 1})


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, "an object is expected, not a number"),
        (None, "an object is expected, not null"),
        ([CHANGE], "an object is expected, not a list"),
        ({}, "key 'data' is missing"),
        ({"name": "x"}, "key 'data' is missing. A line is an object (object_type, pk, data)"),
        ({"object_type": "test.free"}, "key 'data' is missing"),
        ({"data": {}}, "key 'object_type' is missing. Name the type of all such lines with --type"),
        ({"object_type": "test.free", "data": []}, "'data' must be an object, not a list"),
        ({"object_type": 5, "data": {}}, "'object_type' must be text, not a number"),
        ({"object_type": "", "data": {}}, "'object_type' is empty"),
        ({"object_type": "test.free", "pk": 1.5, "data": {}}, "'pk' must be text or a whole number"),
        ({"object_type": "test.free", "pk": True, "data": {}}, "not true or false"),
        ({"object_type": "a.b", "id": "x", "data": {}}, "key 'id' is not known"),
        ({"object_typ": "a.b", "data": {}}, "key 'object_typ' is not known. Did you mean 'object_type'?"),
        ({"model": "test.free", "pk": 1}, "key 'fields' is missing"),
        ({"model": "test.free", "pk": 1, "field": {}}, "Did you mean 'fields'?"),
        (without("request_id"), "key 'request_id' is missing"),
        (without("time"), "key 'time' is missing"),
        (without("user_name"), "key 'user_name' is missing"),
        (without("action"), "key 'action' is missing"),
        (without("object_id"), "key 'object_id' is missing"),
        (without("after"), "key 'after' is missing"),
        (CHANGE | {"after": None}, "'after' must be an object, not null"),
        (CHANGE | {"action": "delete"}, "'after' of a delete must be null or absent"),
        (CHANGE | {"action": "upsert"}, "'action' is 'upsert', not one of create, update, delete"),
        (CHANGE | {"action": ["create"]}, "'action' is ['create']"),
        (CHANGE | {"object_id": None}, "'object_id' is null"),
        (CHANGE | {"time": "yesterday"}, "'time' is 'yesterday', not a time as"),
        (CHANGE | {"time": 1576779785}, "'time' must be text, not a number"),
        (CHANGE | {"request_id": ""}, "'request_id' is empty"),
        (CHANGE | {"afer": {}}, "key 'afer' is not known. Did you mean 'after'?"),
    ],
    ids=str,
)
def test_an_odd_record_is_refused_by_its_key(value, problem):
    with pytest.raises(Unusable) as caught:
        recognise(value)
    assert problem in str(caught.value)


def test_the_request_of_an_unusable_line_is_still_known():
    assert request_id_of({"request_id": "r1"}) == "r1"
    assert request_id_of({"request_id": 5}) is None
    assert request_id_of("r1") is None


# --- entries --------------------------------------------------------------------------------------


def entries(tmp_path, *lines, object_type=None):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(documents.encode(line) + "\n" for line in lines))
    with open_source(path) as source:
        return list(read_entries(source, resolve_type, object_type))


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"object_type": "test.fre"}, "Object type 'test.fre' is not known. Did you mean 'test.free'?"),
        ({"object_id": "a/b"}, "pk 'a/b' must not contain '/'"),
        ({"object_id": ""}, "pk '' must have 1 to 200 characters"),
        ({"object_type": "test.box"}, "test.box 'a': Object missing required field `name`"),
        ({"object_type": "test.box", "after": {"name": 5}}, "name: expected `str`, got `int`"),
    ],
)
def test_a_line_that_cannot_be_recorded_is_told_before_it_is_sent(tmp_path, change, problem):
    (item,) = entries(tmp_path, CHANGE | change)
    assert isinstance(item, BadLine)
    assert problem in item.fault.problem
    assert item.fault.line == 1
    assert item.request_id == "r1"


def test_a_document_over_the_limit_is_refused_though_its_line_is_allowed(tmp_path):
    big = {"x": "y" * (documents.MAX_BYTES - 100)}
    (good,) = entries(tmp_path, CHANGE | {"before": big, "after": big})
    assert isinstance(good, Entry)
    (bad,) = entries(tmp_path, CHANGE | {"after": {"x": "y" * documents.MAX_BYTES}})
    assert isinstance(bad, BadLine)
    assert "more than the 1,000,000 allowed" in bad.fault.problem


def test_a_two_megabyte_line_is_refused_and_the_next_is_read(tmp_path):
    line = {"object_type": "test.free", "pk": "a", "data": {"x": "y" * 2_000_000}}
    bad, good = entries(tmp_path, line, line | {"data": {}})
    assert isinstance(bad, BadLine)
    assert isinstance(good, Entry)
    assert good.line == 2


def test_csv_cells_are_converted_by_the_type_and_checked(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name,height,weight\nb1,2,\nb2,x,\nb3,,nan\nb4,1.5,7\n")
    with open_source(path) as source:
        items = list(read_entries(source, resolve_type, "test.box"))
    found = [item.document if isinstance(item, Entry) else item.fault.problem for item in items]
    assert found[0] == {"name": "b1", "height": 2}
    assert "height: " in found[1]
    assert "weight: nan is not a JSON number" in found[2]
    assert found[3] == {"name": "b4", "height": 1.5, "weight": 7.0}


def test_csv_text_stays_text_in_a_free_type(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("object_type,pk,x\ntest.free,007,0123\n")
    with open_source(path) as source:
        (item,) = read_entries(source, resolve_type, None)
    assert isinstance(item, Entry)
    assert (item.pk, item.document) == ("007", {"x": "0123"})
    assert msgspec.json.encode(item.document) == b'{"x":"0123"}'
