"""The types of buttonhook-dcim take real documents as they are and add only what they say."""

import json
import lzma
from pathlib import Path

import pytest

import buttonhook_dcim
from buttonhook import InvalidDocument, TrackedObject
from buttonhook_dcim import Device, DeviceType, Interface, Location, Manufacturer, ModuleType
from buttonhook_dcim.upgrades import read_texts

TYPES: list[type[TrackedObject]] = [Device, DeviceType, Interface, Location, Manufacturer, ModuleType]


def test_the_package_brings_the_types_it_exports():
    assert buttonhook_dcim.buttonhook_object_types() == TYPES
    assert [type_.__name__ for type_ in TYPES] == sorted(buttonhook_dcim.__all__) == buttonhook_dcim.__all__
    assert [type_.object_type for type_ in TYPES] == [f"dcim.{type_.__name__.lower()}" for type_ in TYPES]


def test_every_document_of_a_real_library_is_taken_unchanged(shared_dir: Path):
    types = {type_.object_type: type_.__object_type__ for type_ in (DeviceType, ModuleType)}
    seen = dict.fromkeys(types, 0)
    with lzma.open(shared_dir / "data" / "devicetype_changes.jsonl.xz") as lines:
        for line in lines:
            change = json.loads(line)
            if (document := change["after"]) is not None:
                taken = types[change["object_type"]].validate(document, change["object_id"])
                assert json.dumps(taken) == json.dumps(document)
                seen[change["object_type"]] += 1
    assert seen == {"dcim.devicetype": 8461, "dcim.moduletype": 603}


@pytest.mark.parametrize(
    ("document", "added"),
    [
        ({"name": "ams01-r1"}, {"serial": "", "status": "active"}),
        ({"name": "ams01-r1", "rack": None, "acme_owner": "noc"}, {"serial": "", "status": "active"}),
        ({"name": "ams01-r1", "serial": "FOC2149X0AB", "status": "planned"}, {}),
    ],
)
def test_a_device_gets_its_defaults_and_nothing_else(document: dict[str, object], added: dict[str, object]):
    assert Device.__object_type__.validate(document, "a device") == document | added


@pytest.mark.parametrize(
    ("type_", "document", "path"),
    [
        (Location, {"name": ""}, "name"),
        (Device, {"name": "ams01-r1", "serial": None}, "serial"),
        (Interface, {"device": "ams01-r1", "name": "eth0", "mtu": 12}, "mtu"),
        (DeviceType, {"manufacturer": "Cisco", "model": "X", "u_height": "1"}, "u_height"),
        (DeviceType, {"manufacturer": "Cisco", "model": "X", "interfaces": [{"name": "eth0"}]}, "interfaces.0"),
    ],
)
def test_a_wrong_field_is_refused_with_its_path(type_: type[TrackedObject], document: dict[str, object], path: str):
    with pytest.raises(InvalidDocument) as refused:
        type_.__object_type__.validate(document, "it")
    assert [fault.path for fault in refused.value.faults] == [path]


def test_rack_and_position_are_unique_only_where_both_are_set():
    unique_values = Device.__object_type__.unique_values
    assert unique_values({"name": "a"}) == {("name",): ("a",)}
    assert unique_values({"name": "a", "rack": "r1", "position": None}) == {("name",): ("a",)}
    assert unique_values({"name": "a", "rack": "r1", "position": 3})[("rack", "position")] == ("r1", 3)


def test_numbers_and_flags_that_were_kept_as_text_are_read():
    kept = {"name": "eth0", "mtu": "1500", "enabled": "TRUE", "mgmt_only": "", "note": "7"}
    assert read_texts("dcim.interface", dict(kept)) == {"name": "eth0", "mtu": 1500, "enabled": True, "note": "7"}
    assert read_texts("dcim.devicetype", {"u_height": "0.5", "weight": 3}) == {"u_height": 0.5, "weight": 3}
    assert read_texts("dcim.device", {"position": "top"}) == {"position": "top"}, "left for its type to refuse"
    assert read_texts("dcim.device", {"position": 4}) is None
    assert read_texts("acme.rack", {"position": "4"}) is None
