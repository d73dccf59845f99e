"""Object types and the two forms of an object; keys."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import FreeObject, InvalidDocument, ObjectChange, ObjectChangeAction, TrackedObject
from buttonhook.errors import BadObjectType, InvalidKey, NoSession, NotLoaded
from buttonhook.objects.keys import check_object_type, check_pk, object_repr
from buttonhook.objects.tracked import build
from buttonhook.objects.types import ObjectType
from buttonhook.records import ChangeRecord, StoredObject


class Device(
    TrackedObject, object_type="t.device", unique=("name", ("rack", "u_height")), natural_key="name", rename="kebab"
):
    name: str
    u_height: int | float = 1
    serial: str = ""
    rack: str | None = None
    asset: str | msgspec.UnsetType = msgspec.UNSET
    vlans: dict[int, str] = {}
    name_: str = msgspec.field(name="version", default="v1")


TYPE = Device.__object_type__


def held(document: dict[str, Any], type_: ObjectType = TYPE) -> Any:
    return build(type_, StoredObject(type_.name, "a", json.dumps(document), 3, "ann", 0), None)


# --- struct types ---------------------------------------------------------------------------------


def test_class_keywords_name_document_keys():
    assert (TYPE.name, TYPE.struct) == ("t.device", Device)
    assert TYPE.unique == (("name",), ("rack", "u-height"))
    assert TYPE.natural_key == ("name",)
    assert TYPE.document_key("u_height") == "u-height"
    assert TYPE.document_key("nothing") == "nothing"


@pytest.mark.parametrize("keyword", ["unique", "natural_key"])
@pytest.mark.parametrize("fields", ["nmae", ("name", "nmae")])
def test_a_keyword_that_names_no_field_is_refused_with_the_fields(keyword: str, fields: Any):
    options: Any = {keyword: (fields,) if keyword == "unique" else fields}
    with pytest.raises(BadObjectType, match=f"says {keyword}='nmae', which is no field. Fields: name"):

        class Bad(TrackedObject, object_type="t.bad", **options):
            name: str


@pytest.mark.parametrize(
    "field", ["pk", "version", "object_type", "objects", "save", "delete", "refresh", "document", "invalid"]
)
def test_a_field_of_the_name_of_an_attribute_of_ours_is_refused_and_a_renamed_one_is_not(field: str):
    with pytest.raises(BadObjectType, match=f"declares a field '{field}'.*{field}_"):
        type(TrackedObject)("Bad", (TrackedObject,), {"__annotations__": {field: str}}, object_type="t.bad")
    assert held({"name": "x", "version": "theirs"}).name_ == "theirs"
    assert held({"name": "x", "version": "theirs"}).version == 3


@pytest.mark.parametrize(
    "name",
    ["Device", "dcim", "dcim.", ".device", "1a.b", "a.b.c", "a.b\n", "dcim.Device", "jobs.x", "users.x", "sources.y"],
)
def test_an_object_type_of_a_wrong_name_is_refused(name: str):
    with pytest.raises(InvalidKey):
        check_object_type(name)
    with pytest.raises(InvalidKey):
        type(TrackedObject)("Bad", (TrackedObject,), {"__annotations__": {}}, object_type=name)


def test_defaults_are_written_and_unset_is_not():
    assert TYPE.validate({"name": "x"}, "it") == {
        "name": "x",
        "u-height": 1,
        "serial": "",
        "rack": None,
        "vlans": {},
        "version": "v1",
    }
    assert Device(name="x", asset="7").document["asset"] == "7"
    assert "asset" not in Device(name="x").document


@pytest.mark.parametrize(
    ("document", "path", "message"),
    [
        ({}, "", "missing required field `name`"),
        ({"name": None}, "name", "expected `str`, got `null`"),
        ({"name": "x", "serial": None}, "serial", "expected `str`, got `null`"),
        ({"name": "x", "asset": None}, "asset", "expected `str`, got `null`"),
        ({"name": "x", "u-height": "1"}, "u-height", "expected `int | float`, got `str`"),
        ({"name": "x", "u-height": True}, "u-height", "expected `int | float`, got `bool`"),
    ],
)
def test_what_a_type_does_not_accept_is_refused_with_its_path(document: dict[str, Any], path: str, message: str):
    with pytest.raises(InvalidDocument) as refused:
        TYPE.validate(document, "it")
    ((found, text),) = [(fault.path, fault.message) for fault in refused.value.faults]
    assert (found, message.lower() in text.lower()) == (path, True), text


@given(st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_kept_whole_or_broken_as_it_was(number: float):
    assert repr(TYPE.validate({"name": "x", "u-height": number}, "it")["u-height"]) == repr(number)
    obj = held({"name": "x", "u-height": number})
    obj.serial = "s"
    assert repr(obj.document["u-height"]) == repr(number)


def test_a_field_whose_keys_are_numbers_is_kept_under_text_keys():
    document = TYPE.validate({"name": "x", "vlans": {"10": "mgmt"}}, "it")
    assert document["vlans"] == {"10": "mgmt"}
    assert held(document).vlans == {10: "mgmt"}


def test_keys_that_the_struct_does_not_know_stay_where_they_are():
    stored = {"z": 1, "name": "x", "u-height": 2, "extra": {"deep": [1]}}
    obj = held(stored)
    assert obj.document == stored
    obj.serial = "s"
    obj.asset = "7"
    assert list(obj.document.items()) == [*stored.items(), ("serial", "s"), ("asset", "7")]
    obj.asset = msgspec.UNSET
    assert "asset" not in obj.document


def test_setting_what_is_no_field_is_refused_with_the_nearest():
    obj = Device(name="x")
    with pytest.raises(AttributeError, match=r"Device has no field 'seriall' to set\. Did you mean 'serial'\?"):
        obj.seriall = "x"
    with pytest.raises(AttributeError, match=r"no field 'qqq' to set\.$"):
        obj.qqq = "x"
    with pytest.raises(AttributeError):
        obj.pk = "other"


def test_old_data_that_the_type_refuses_loads_as_a_free_object_with_the_reason():
    obj = held({"serial": 5, "x": 1})
    assert isinstance(obj, FreeObject)
    assert (obj.pk, obj.version, obj.x, len(obj.invalid)) == ("a", 3, 1, 1)
    assert TYPE.faults({"name": 1})[0].path == "name"
    assert TYPE.faults({"name": "x"}) == ()


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"name": "n"}, {("name",): ("n",)}),
        ({"name": None, "rack": "r", "u-height": 1}, {("rack", "u-height"): ("r", 1)}),
        ({"rack": "r"}, {}),
        ({"name": "", "rack": "", "u-height": 0}, {("name",): ("",), ("rack", "u-height"): ("", 0)}),
    ],
)
def test_unset_and_null_are_left_out_of_what_must_be_unique(document: dict[str, Any], expected: Any):
    assert TYPE.unique_values(document) == expected


def test_without_a_session_an_object_tells_what_it_needs():
    with pytest.raises(NoSession, match=r"save\(\) of t\.device"):
        Device(name="x").save()  # type: ignore[unused-awaitable]
    with pytest.raises(NotLoaded, match=r"Device\.objects"):
        _ = Device.objects


# --- free objects ---------------------------------------------------------------------------------


def test_a_free_object_is_reached_by_attribute_and_by_item():
    obj: Any = FreeObject("t.free", {"a": 1, "version": "theirs", "b-c": 2}, pk="p")
    obj.a = 5
    obj["b-c"] = 6
    obj["pk"] = "theirs"
    assert (obj.a, obj["a"], obj["b-c"], obj["version"], obj["pk"]) == (5, 5, 6, "theirs", "theirs")
    assert (obj.pk, obj.version) == ("p", None)
    assert ("a" in obj, "z" in obj, obj.get("z", 7), sorted(obj)) == (True, False, 7, ["a", "b-c", "pk", "version"])
    del obj["a"]
    with pytest.raises(AttributeError, match="has no field 'a' to get"):
        _ = obj.a
    with pytest.raises(KeyError):
        _ = obj["a"]


@pytest.mark.parametrize("name", ["pk", "version", "save", "document", "objects", "object_type", "invalid"])
def test_a_reserved_name_of_a_free_object_is_refused_with_the_way_around(name: str):
    obj = FreeObject("t.free")
    with pytest.raises(AttributeError, match=rf"write obj\['{name}'\]"):
        setattr(obj, name, 1)


def test_a_free_object_names_the_nearest_key():
    with pytest.raises(AttributeError, match=r"Did you mean 'serial'\?"):
        _ = FreeObject("t.free", {"serial": 1}).seriall


def test_free_objects_are_equal_by_type_key_and_value():
    one = FreeObject("t.free", {"a": 1, "b": 2}, pk="p")
    assert one == FreeObject("t.free", {"b": 2.0, "a": 1}, pk="p")
    assert one != FreeObject("t.free", {"a": True, "b": 2}, pk="p")
    assert one != FreeObject("t.free", {"a": 1, "b": 2}, pk="q")
    assert one != FreeObject("t.other", {"a": 1, "b": 2}, pk="p")


def test_the_document_of_a_free_object_is_a_copy():
    obj: Any = FreeObject("t.free", {"a": [1]})
    obj.document["a"].append(2)
    assert obj.a == [1]


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("pk", ["a", "ams01-r1", "x" * 200, "a b", "ü", "日本", "a.b:c", "\u00e9", "😀", "."])
def test_a_pk_that_may_name_an_object(pk: str):
    assert check_pk(pk) is pk


@pytest.mark.parametrize(
    ("pk", "message"),
    [
        ("", "1 to 200 characters"),
        ("x" * 201, "1 to 200 characters, not 201"),
        ("a/b", "must not contain '/'"),
        (" a", "blank"),
        ("a ", "blank"),
        ("a\u00a0", "blank"),
        ("a\tb", "control"),
        ("a\nb", "control"),
        ("a\0b", "control"),
        ("a\x7fb", "control"),
        ("a\x85b", "control"),
        ("a\ud800", "control"),
        ("e\u0301", "NFC"),
        (5, "must be text"),
        (None, "must be text"),
    ],
)
def test_a_pk_that_may_not(pk: Any, message: str):
    with pytest.raises(InvalidKey, match=message):
        check_pk(pk)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"name": "n", "display": "d"}, "d"),
        ({"name": "n", "display": ""}, "n"),
        ({"name": 5, "model": "m"}, "m"),
        ({}, "t.x p"),
        ({"name": "x" * 300}, "x" * 200),
    ],
)
def test_people_see_an_object_by_its_display_name_or_model(document: dict[str, Any], expected: str):
    assert object_repr(document, "t.x", "p") == expected
    assert str(FreeObject("t.x", document, pk="p")) == expected


# --- changes --------------------------------------------------------------------------------------


def change(before: Any, after: Any) -> ObjectChange:
    action = "create" if before is None else "delete" if after is None else "update"
    record = ChangeRecord(
        id=1,
        time=0,
        recorded_at=1_000_000,
        user_name="ann",
        request_id="r",
        action=ObjectChangeAction(action),
        object_type="t.device",
        object_pk="a",
        object_repr="x",
        change_context="app",
        change_context_detail="",
        prechange=None if before is None else json.dumps(before),
        postchange=None if after is None else json.dumps(after),
    )
    return ObjectChange(record, TYPE)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, {"name": "x"}, {"name": "x"}),
        ({"name": "x"}, None, {"name": "x"}),
        ({"name": "x"}, {}, {}),
        ({}, None, {}),
    ],
)
def test_the_data_of_a_change_is_what_is_after_it_or_the_last_there_was(before: Any, after: Any, expected: Any):
    assert change(before, after).object_data == change(before, after).object_data_v2 == expected


def test_a_change_tells_its_states_and_its_object_as_of_then():
    it = change({"name": "x"}, {"name": "y", "more": 1})
    assert it.get_snapshots()["differences"] == {
        "removed": {"name": "x", "more": None},
        "added": {"name": "y", "more": 1},
    }
    assert it.get_snapshots() is it.get_snapshots()
    obj = it.object()
    assert isinstance(obj, Device)
    assert (obj.name, obj.pk, obj.version) == ("y", "a", 1)
    assert isinstance(change(None, {"name": 5}).object(), FreeObject)
    assert str(it) == "t.device x updated by ann"
    assert (it.time.isoformat(), it.recorded_at.second) == ("1970-01-01T00:00:00+00:00", 1)
