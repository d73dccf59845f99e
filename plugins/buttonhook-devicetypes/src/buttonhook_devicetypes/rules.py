"""What a device type should look like: each rule takes a document and returns its findings as sentences.

The documents are what people wrote by hand over years. A rule expects any JSON value in any place, and a finding
quotes no more than the start of it.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping
from reprlib import Repr
from typing import Any, TypeGuard

Document = Mapping[str, Any]
Rule = Callable[[Document], list[str]]

MOST_UNITS = 60
AIRFLOWS = frozenset(
    {
        "bottom-to-top",
        "front-to-rear",
        "left-to-right",
        "mixed",
        "passive",
        "rear-to-front",
        "rear-to-side",
        "right-to-left",
        "side-to-rear",
        "top-to-bottom",
    }
)
WEIGHT_UNITS = frozenset({"g", "kg", "lb", "oz"})
MISSPELT_KEYS = {
    "comment": "comments",
    "console_ports": "console-ports",
    "console-port": "console-ports",
    "console_server_ports": "console-server-ports",
    "console-server-port": "console-server-ports",
    "device_bays": "device-bays",
    "front_ports": "front-ports",
    "full_depth": "is_full_depth",
    "interface": "interfaces",
    "module_bays": "module-bays",
    "power_outlets": "power-outlets",
    "power-outlet": "power-outlets",
    "power_ports": "power-ports",
    "power-port": "power-ports",
    "rear_ports": "rear-ports",
}

_short = Repr()
_short.maxstring = 60
_short.maxlong = 30


# --- slug -----------------------------------------------------------------------------------------


def expected_slug(manufacturer: str, model: str) -> str:
    """`Cisco`, `Catalyst 9300-24T` -> `cisco-catalyst-9300-24t`; accents are dropped."""
    text = unicodedata.normalize("NFKD", f"{manufacturer} {model}").encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def slug_findings(document: Document) -> list[str]:
    manufacturer, model = document.get("manufacturer"), document.get("model")
    if not isinstance(manufacturer, str) or not isinstance(model, str):
        return ["manufacturer and model must both be text to make a slug from"]
    expected = expected_slug(manufacturer, model)
    slug = document.get("slug")
    if slug is None:
        return [f"slug is missing, it should be {expected!r}"]
    return [] if slug == expected else [f"slug is {_short.repr(slug)}, it should be {expected!r}"]


# --- sanity ---------------------------------------------------------------------------------------


def u_height_findings(document: Document) -> list[str]:
    if "u_height" not in document:
        return []
    height = document["u_height"]
    shown = _short.repr(height)
    if not is_number(height):
        return [f"u_height is {shown}, it must be a number"]
    if not 0 <= height <= MOST_UNITS:
        return [f"u_height is {shown}, it must lie between 0 and {MOST_UNITS}"]
    return [] if height % 0.5 == 0 else [f"u_height is {shown}, it must be a multiple of 0.5"]


def depth_findings(document: Document) -> list[str]:
    height = document.get("u_height")
    if is_number(height) and height == 0 and document.get("is_full_depth") is True:
        return ["is_full_depth is true with a u_height of 0: what takes no rack unit cannot fill one"]
    return []


def subdevice_findings(document: Document) -> list[str]:
    height = document.get("u_height")
    if document.get("subdevice_role") == "child" and is_number(height) and height != 0:
        return [f"u_height is {_short.repr(height)} for a child device, it must be 0: the parent takes the units"]
    return []


def airflow_findings(document: Document) -> list[str]:
    airflow = document.get("airflow")
    if airflow is None or (isinstance(airflow, str) and airflow in AIRFLOWS):
        return []
    return [f"airflow is {_short.repr(airflow)}, it must be one of {', '.join(sorted(AIRFLOWS))}"]


def weight_findings(document: Document) -> list[str]:
    weight, unit = document.get("weight"), document.get("weight_unit")
    if weight is None:
        return [] if unit is None else [f"weight_unit is {_short.repr(unit)}, but there is no weight"]
    if not isinstance(weight, list):
        return _single_weight_findings("weight", "weight_unit", weight, unit)
    findings = []
    for place, entry in enumerate(weight):
        name = f"weight.{place}"
        if isinstance(entry, dict):
            value, unit = entry.get("value"), entry.get("unit")
            findings += _single_weight_findings(f"{name}.value", f"{name}.unit", value, unit)
        else:
            findings.append(f"{name} is {_short.repr(entry)}, it must hold a value and a unit")
    return findings


def _single_weight_findings(value_name: str, unit_name: str, value: Any, unit: Any) -> list[str]:
    findings = []
    if not is_number(value) or value <= 0:
        findings.append(f"{value_name} is {_short.repr(value)}, it must be a number above 0")
    if unit is None:
        findings.append(f"{value_name} has no {unit_name}")
    elif not isinstance(unit, str) or unit not in WEIGHT_UNITS:
        findings.append(f"{unit_name} is {_short.repr(unit)}, it must be one of {', '.join(sorted(WEIGHT_UNITS))}")
    return findings


def key_findings(document: Document) -> list[str]:
    return [
        f"key {key!r} is read by nobody, it should be {MISSPELT_KEYS[key]!r}"
        for key in document
        if key in MISSPELT_KEYS
    ]


SANITY_RULES: tuple[Rule, ...] = (
    u_height_findings,
    depth_findings,
    subdevice_findings,
    airflow_findings,
    weight_findings,
    key_findings,
)


def sanity_findings(document: Document) -> list[str]:
    """All findings of the sanity rules, in their order."""
    return [finding for rule in SANITY_RULES for finding in rule(document)]


# --- what rules and reports share -----------------------------------------------------------------


def is_number(value: Any) -> TypeGuard[int | float]:
    """Whether this is a JSON number; true and false are none, although Python counts with them."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe_differences(differences: Mapping[str, Any]) -> str:
    """A change's differences in one line: `slug 'a' -> 'b'; interfaces 24 entries -> 48 entries`."""
    removed, added = differences["removed"] or {}, differences["added"] or {}
    if not removed:
        return "; ".join(f"{key} {_brief(value)}" for key, value in added.items())
    return "; ".join(f"{key} {_brief(removed.get(key))} -> {_brief(added.get(key))}" for key in {**added, **removed})


def _brief(value: Any) -> str:
    if isinstance(value, list):
        return "1 entry" if len(value) == 1 else f"{len(value)} entries"
    return "nothing" if value is None else _short.repr(value)
