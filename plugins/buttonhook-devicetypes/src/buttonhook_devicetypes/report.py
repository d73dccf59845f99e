"""A device type in figures: ports by type, power, weight.

Whatever is not where the format puts it is not counted: entries that are no objects, draws that are no numbers.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from buttonhook_devicetypes.rules import Document, is_number

KILOGRAMS = {"g": 0.001, "kg": 1.0, "lb": 0.45359237, "oz": 0.028349523125}
MOST = 1e9
"""More watts or weight than this is no figure but a slip."""


def make_report(document: Document) -> dict[str, Any]:
    """Sum up a document; `weight_kg` is None when it has no weight with a known unit."""
    interfaces = list(_entries(document, "interfaces"))
    types = Counter(_interface_type(entry) for entry in interfaces)
    draws = [entry.get("maximum_draw") for entry in _entries(document, "power-ports")]
    known_draws = [draw for draw in draws if _is_figure(draw)]
    return {
        "interfaces": len(interfaces),
        "interfaces_by_type": dict(sorted(types.items())),
        "management_interfaces": sum(entry.get("mgmt_only") is True for entry in interfaces),
        "console_ports": len(list(_entries(document, "console-ports"))),
        "console_server_ports": len(list(_entries(document, "console-server-ports"))),
        "power_ports": len(draws),
        "power_ports_without_draw": len(draws) - len(known_draws),
        "maximum_draw_watts": sum(known_draws),
        "power_outlets": len(list(_entries(document, "power-outlets"))),
        "weight_kg": weight_in_kilograms(document),
    }


def report_lines(report: Mapping[str, Any]) -> list[str]:
    """The report for a person, a line for each subject."""
    kinds = ", ".join(f"{count} x {kind}" for kind, count in report["interfaces_by_type"].items())
    weight = "unknown" if report["weight_kg"] is None else f"{report['weight_kg']} kg"
    unknown = report["power_ports_without_draw"]
    return [
        f"Interfaces: {report['interfaces']}, {report['management_interfaces']} of them for management only"
        + (f" ({kinds})" if kinds else ""),
        f"Console: {report['console_ports']} ports, {report['console_server_ports']} server ports",
        f"Power: {report['power_ports']} ports drawing at most {report['maximum_draw_watts']} W in all"
        + (f" ({unknown} of unknown draw)" if unknown else "")
        + f", {report['power_outlets']} outlets",
        f"Weight: {weight}",
    ]


def weight_in_kilograms(document: Document) -> float | None:
    """The weight, from a number beside `weight_unit` or from the first usable entry of a list."""
    weight = document.get("weight")
    if isinstance(weight, list):
        pairs = [(entry.get("value"), entry.get("unit")) for entry in _entries(document, "weight")]
    else:
        pairs = [(weight, document.get("weight_unit"))]
    for value, unit in pairs:
        if _is_figure(value) and isinstance(unit, str) and unit in KILOGRAMS:
            return round(value * KILOGRAMS[unit], 3)
    return None


def _entries(document: Document, key: str) -> Iterator[dict[str, Any]]:
    listed = document.get(key)
    if isinstance(listed, list):
        yield from (entry for entry in listed if isinstance(entry, dict))


def _interface_type(entry: Mapping[str, Any]) -> str:
    kind = entry.get("type")
    return kind if isinstance(kind, str) and kind else "unknown"


def _is_figure(value: Any) -> TypeGuard[int | float]:
    return is_number(value) and 0 <= value <= MOST
