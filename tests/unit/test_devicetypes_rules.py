"""The rules of buttonhook-devicetypes find what is wrong, and bear whatever a document holds."""

import json
import lzma
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook_devicetypes.report import KILOGRAMS, make_report, report_lines, weight_in_kilograms
from buttonhook_devicetypes.rules import (
    MISSPELT_KEYS,
    SANITY_RULES,
    WEIGHT_UNITS,
    airflow_findings,
    depth_findings,
    describe_differences,
    expected_slug,
    key_findings,
    sanity_findings,
    slug_findings,
    subdevice_findings,
    u_height_findings,
    weight_findings,
)

SOUND = {
    "manufacturer": "Cisco",
    "model": "Catalyst 9300-24T",
    "slug": "cisco-catalyst-9300-24t",
    "u_height": 1,
    "is_full_depth": True,
    "airflow": "front-to-rear",
    "weight": 7.4,
    "weight_unit": "kg",
    "console-ports": [{"name": "con 0", "type": "rj-45"}],
    "power-ports": [{"name": "PS-A", "maximum_draw": 350}, {"name": "PS-B", "maximum_draw": 350}],
    "interfaces": [
        {"name": "GigabitEthernet0/0", "type": "1000base-t", "mgmt_only": True},
        {"name": 1, "type": "1000base-t"},
        {"name": "TenGigabitEthernet1/1/1", "type": "10gbase-x-sfpp"},
    ],
}


def test_a_sound_document_has_no_findings():
    assert slug_findings(SOUND) == []
    assert sanity_findings(SOUND) == []


# --- slug -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("manufacturer", "model", "slug"),
    [
        ("Cisco", "C9200-24T", "cisco-c9200-24t"),
        ("Palo Alto", "PA-220 (rack)", "palo-alto-pa-220-rack"),
        ("APC", " AP8841 / 230V_", "apc-ap8841-230v"),
        ("Rittal", "Lüfter Größe 2", "rittal-lufter-groe-2"),
        ("—", "™ 5", "tm-5"),
    ],
)
def test_the_slug_is_made_from_manufacturer_and_model(manufacturer: str, model: str, slug: str):
    assert expected_slug(manufacturer, model) == slug


def test_a_slug_that_differs_or_is_missing_is_told_with_the_right_one():
    right = "it should be 'cisco-catalyst-9300-24t'"
    assert slug_findings({**SOUND, "slug": "c9300"}) == [f"slug is 'c9300', {right}"]
    assert slug_findings({**SOUND, "slug": 9300}) == [f"slug is 9300, {right}"]
    assert slug_findings({**SOUND, "slug": None}) == [f"slug is missing, {right}"]
    assert slug_findings({k: v for k, v in SOUND.items() if k != "slug"}) == [f"slug is missing, {right}"]


def test_no_slug_is_asked_for_where_there_is_nothing_to_make_it_from():
    assert slug_findings({"model": 5}) == ["manufacturer and model must both be text to make a slug from"]


# --- sanity ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("height", [0, 0.5, 1, 1.0, 42, 60])
def test_a_height_in_half_units_is_sane(height: float):
    assert u_height_findings({"u_height": height}) == []


@pytest.mark.parametrize("height", [-1, 0.3, 61, 10**400, 1e300, True, None, "2", [1], {}])
def test_any_other_height_is_a_finding(height: object):
    assert len(u_height_findings({"u_height": height})) == 1


def test_a_height_that_is_not_there_is_no_finding():
    assert u_height_findings({}) == []


def test_full_depth_without_height_is_a_finding():
    assert len(depth_findings({"u_height": 0, "is_full_depth": True})) == 1
    assert depth_findings({"u_height": 0, "is_full_depth": False}) == []
    assert depth_findings({"u_height": 1, "is_full_depth": True}) == []
    assert depth_findings({"is_full_depth": True}) == []


def test_a_child_device_with_a_height_of_its_own_is_a_finding():
    assert len(subdevice_findings({"subdevice_role": "child", "u_height": 3})) == 1
    assert subdevice_findings({"subdevice_role": "child", "u_height": 0}) == []
    assert subdevice_findings({"subdevice_role": "parent", "u_height": 3}) == []


def test_an_unknown_airflow_is_a_finding():
    assert airflow_findings({"airflow": "passive"}) == airflow_findings({"airflow": None}) == []
    assert len(airflow_findings({"airflow": "front to back"})) == 1
    assert len(airflow_findings({"airflow": ["passive"]})) == 1


@pytest.mark.parametrize(
    "document",
    [
        {"weight": 5, "weight_unit": "kg"},
        {"weight": [{"value": 8, "unit": "lb"}, {"value": 2.6, "unit": "oz"}]},
        {"weight": None},
        {},
    ],
)
def test_a_weight_with_its_unit_is_sane(document: dict[str, object]):
    assert weight_findings(document) == []


@pytest.mark.parametrize(
    ("document", "findings"),
    [
        ({"weight": 5}, ["weight has no weight_unit"]),
        ({"weight_unit": "kg"}, ["weight_unit is 'kg', but there is no weight"]),
        ({"weight": 5, "weight_unit": "stone"}, ["weight_unit is 'stone', it must be one of g, kg, lb, oz"]),
        ({"weight": "5", "weight_unit": "kg"}, ["weight is '5', it must be a number above 0"]),
        ({"weight": 0, "weight_unit": "kg"}, ["weight is 0, it must be a number above 0"]),
        ({"weight": [{"value": 5}]}, ["weight.0.value has no weight.0.unit"]),
        ({"weight": [{"value": 5, "unit": "kg"}, 7]}, ["weight.1 is 7, it must hold a value and a unit"]),
    ],
)
def test_a_weight_without_its_unit_or_value_is_a_finding(document: dict[str, object], findings: list[str]):
    assert weight_findings(document) == findings


def test_misspelt_keys_are_findings_with_the_right_spelling():
    assert key_findings({"power-port": []}) == ["key 'power-port' is read by nobody, it should be 'power-ports'"]
    assert key_findings(dict.fromkeys(MISSPELT_KEYS.values())) == []


# --- differences and report -----------------------------------------------------------------------


def test_differences_are_told_in_one_line():
    update = {
        "removed": {"slug": "a", "airflow": None, "interfaces": [1, 2]},
        "added": {"slug": "b", "airflow": "passive", "interfaces": [1]},
    }
    assert (
        describe_differences(update) == "slug 'a' -> 'b'; airflow nothing -> 'passive'; interfaces 2 entries -> 1 entry"
    )
    assert describe_differences({"removed": None, "added": {"slug": "a", "u_height": 1}}) == "slug 'a'; u_height 1"
    assert describe_differences({"removed": None, "added": {}}) == ""


def test_long_values_are_told_by_their_start():
    line = describe_differences({"removed": {"comments": "x" * 9000}, "added": {"comments": None}})
    assert line.startswith("comments 'xxx")
    assert len(line) < 100


def test_the_report_counts_adds_and_converts():
    assert make_report(SOUND) == {
        "interfaces": 3,
        "interfaces_by_type": {"1000base-t": 2, "10gbase-x-sfpp": 1},
        "management_interfaces": 1,
        "console_ports": 1,
        "console_server_ports": 0,
        "power_ports": 2,
        "power_ports_without_draw": 0,
        "maximum_draw_watts": 700,
        "power_outlets": 0,
        "weight_kg": 7.4,
    }
    assert report_lines(make_report(SOUND)) == [
        "Interfaces: 3, 1 of them for management only (2 x 1000base-t, 1 x 10gbase-x-sfpp)",
        "Console: 1 ports, 0 server ports",
        "Power: 2 ports drawing at most 700 W in all, 0 outlets",
        "Weight: 7.4 kg",
    ]


def test_the_report_of_an_empty_document_is_all_zeros():
    assert report_lines(make_report({})) == [
        "Interfaces: 0, 0 of them for management only",
        "Console: 0 ports, 0 server ports",
        "Power: 0 ports drawing at most 0 W in all, 0 outlets",
        "Weight: unknown",
    ]


@pytest.mark.parametrize(
    ("document", "kilograms"),
    [
        ({"weight": 1500, "weight_unit": "g"}, 1.5),
        ({"weight": 10, "weight_unit": "lb"}, 4.536),
        ({"weight": [{"value": 16, "unit": "oz"}]}, 0.454),
        ({"weight": ["?", {"value": 2, "unit": "kg"}]}, 2.0),
        ({"weight": 10}, None),
        ({"weight": 10**400, "weight_unit": "kg"}, None),
        ({}, None),
    ],
)
def test_weights_are_converted_to_kilograms(document: dict[str, object], kilograms: float | None):
    assert weight_in_kilograms(document) == kilograms


def test_every_unit_that_passes_can_be_converted():
    assert set(KILOGRAMS) == WEIGHT_UNITS


# --- whatever a document holds --------------------------------------------------------------------

KEYS = [*SOUND, *MISSPELT_KEYS, "subdevice_role", "console-server-ports", "power-outlets", "comments"]
PART_KEYS = ["name", "type", "mgmt_only", "maximum_draw", "value", "unit"]
scalars = (
    st.none() | st.booleans() | st.integers() | st.just(10**400) | st.floats(allow_nan=False, allow_infinity=False)
)
scalars |= st.text(max_size=5) | st.sampled_from(["kg", "child", "passive", "%s %d"])
parts = st.dictionaries(st.sampled_from(PART_KEYS), scalars)
values = scalars | st.lists(scalars | parts, max_size=3) | parts
documents = st.dictionaries(st.sampled_from(KEYS), values)


@given(document=documents)
def test_no_document_makes_a_rule_or_the_report_fail(document: dict[str, object]):
    findings = slug_findings(document) + sanity_findings(document)
    assert all(isinstance(finding, str) and len(finding) < 400 for finding in findings)
    assert json.dumps(make_report(document))
    assert report_lines(make_report(document))
    assert isinstance(describe_differences({"removed": None, "added": document}), str)
    assert isinstance(describe_differences({"removed": document, "added": SOUND}), str)


def test_no_document_of_a_real_library_makes_a_rule_or_the_report_fail(shared_dir: Path):
    found: Counter[str] = Counter()
    with lzma.open(shared_dir / "data" / "devicetype_changes.jsonl.xz") as lines:
        for line in lines:
            change = json.loads(line)
            if (document := change["after"]) is None:
                continue
            found["documents"] += 1
            found["slug"] += len(slug_findings(document))
            found.update({rule.__name__: len(rule(document)) for rule in SANITY_RULES})
            assert report_lines(make_report(document))
            assert describe_differences({"removed": change["before"], "added": document})
    assert found["documents"] == 9064
    assert all(found[rule.__name__] for rule in (depth_findings, subdevice_findings, key_findings))
    assert found["u_height_findings"] == found["airflow_findings"] == 0
