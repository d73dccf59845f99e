"""Object types for sites, racks and the devices in them.

Here belong the structs that view the documents of `dcim.*`, and nothing that runs: receivers live in
packages of their own. What the structs do not name, documents may hold all the same.
"""

from typing import Any

from buttonhook import TrackedObject, hookimpl
from buttonhook_dcim.inventory import Device, Interface, Location, Manufacturer
from buttonhook_dcim.library import DeviceType, ModuleType
from buttonhook_dcim.upgrades import read_texts

__all__ = ["Device", "DeviceType", "Interface", "Location", "Manufacturer", "ModuleType"]


@hookimpl
def buttonhook_object_types() -> list[type[TrackedObject]]:
    return [Device, DeviceType, Interface, Location, Manufacturer, ModuleType]


@hookimpl
def buttonhook_upgrade_object(object_type: str, data: dict[str, Any]) -> dict[str, Any] | None:
    return read_texts(object_type, data)
