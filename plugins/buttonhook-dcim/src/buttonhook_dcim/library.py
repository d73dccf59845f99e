"""What can be bought: device types and module types, as public device-type libraries describe them.

The keys are those of the libraries' YAML files, so a file goes in as it is. Every field but the maker and
the model may be missing and then stays missing. Slugs are no key: libraries rename, split and merge types, and
on the way two of them can share one.
"""

from msgspec import UNSET, UnsetType, field

from buttonhook import TrackedObject
from buttonhook_dcim.components import (
    ConsolePortTemplate,
    ConsoleServerPortTemplate,
    DeviceBayTemplate,
    FrontPortTemplate,
    InterfaceTemplate,
    InventoryItemTemplate,
    ModuleBayTemplate,
    PowerOutletTemplate,
    PowerPortTemplate,
    RearPortTemplate,
    Weight,
)


class DeviceType(
    TrackedObject,
    object_type="dcim.devicetype",
    natural_key=("manufacturer", "model"),
    kw_only=True,
):
    """A model of device with the parts that every such device has. `manufacturer` is plain text."""

    manufacturer: str
    model: str
    slug: str | UnsetType = UNSET
    part_number: str | UnsetType = UNSET
    u_height: int | float | UnsetType = UNSET
    is_full_depth: bool | UnsetType = UNSET
    subdevice_role: str | UnsetType = UNSET
    airflow: str | UnsetType = UNSET
    weight: int | float | list[Weight] | UnsetType = UNSET
    weight_unit: str | UnsetType = UNSET
    front_image: bool | UnsetType = UNSET
    rear_image: bool | UnsetType = UNSET
    comments: str | UnsetType | None = UNSET
    interfaces: list[InterfaceTemplate] | UnsetType = UNSET
    console_ports: list[ConsolePortTemplate] | UnsetType = field(name="console-ports", default=UNSET)
    console_server_ports: list[ConsoleServerPortTemplate] | UnsetType = field(
        name="console-server-ports", default=UNSET
    )
    power_ports: list[PowerPortTemplate] | UnsetType = field(name="power-ports", default=UNSET)
    power_outlets: list[PowerOutletTemplate] | UnsetType = field(name="power-outlets", default=UNSET)
    front_ports: list[FrontPortTemplate] | UnsetType = field(name="front-ports", default=UNSET)
    rear_ports: list[RearPortTemplate] | UnsetType = field(name="rear-ports", default=UNSET)
    device_bays: list[DeviceBayTemplate] | UnsetType = field(name="device-bays", default=UNSET)
    module_bays: list[ModuleBayTemplate] | UnsetType = field(name="module-bays", default=UNSET)
    inventory_items: list[InventoryItemTemplate] | UnsetType = field(name="inventory-items", default=UNSET)


class ModuleType(
    TrackedObject,
    object_type="dcim.moduletype",
    natural_key=("manufacturer", "model"),
    kw_only=True,
):
    """A model of line card, power supply or other part that goes into a module bay; it has no slug."""

    manufacturer: str
    model: str
    part_number: str | UnsetType = UNSET
    weight: int | float | list[Weight] | UnsetType = UNSET
    weight_unit: str | UnsetType = UNSET
    comments: str | UnsetType | None = UNSET
    interfaces: list[InterfaceTemplate] | UnsetType = UNSET
    console_ports: list[ConsolePortTemplate] | UnsetType = field(name="console-ports", default=UNSET)
    console_server_ports: list[ConsoleServerPortTemplate] | UnsetType = field(
        name="console-server-ports", default=UNSET
    )
    power_ports: list[PowerPortTemplate] | UnsetType = field(name="power-ports", default=UNSET)
    power_outlets: list[PowerOutletTemplate] | UnsetType = field(name="power-outlets", default=UNSET)
    front_ports: list[FrontPortTemplate] | UnsetType = field(name="front-ports", default=UNSET)
    rear_ports: list[RearPortTemplate] | UnsetType = field(name="rear-ports", default=UNSET)
