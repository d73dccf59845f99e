"""The parts listed inside a device type or module type.

These are plain structs, not tracked objects: they have no pk and live in their type's document. Names and
labels are text or a number, because YAML reads a port called `1` as a number. In module types `{module}` in a
name stands for the position of the bay.
"""

from msgspec import UNSET, Struct, UnsetType


class Component(Struct, kw_only=True):
    """What all parts have."""

    name: str | int
    label: str | int | UnsetType = UNSET
    description: str | UnsetType = UNSET


class InterfaceTemplate(Component, kw_only=True):
    type: str
    mgmt_only: bool | UnsetType = UNSET
    poe_mode: str | UnsetType = UNSET
    poe_type: str | UnsetType = UNSET


class ConsolePortTemplate(Component, kw_only=True):
    type: str | UnsetType = UNSET


class ConsoleServerPortTemplate(Component, kw_only=True):
    type: str | UnsetType = UNSET


class PowerPortTemplate(Component, kw_only=True):
    """An inlet; the draws are watts."""

    type: str | UnsetType = UNSET
    maximum_draw: int | float | UnsetType | None = UNSET
    allocated_draw: int | float | UnsetType | None = UNSET


class PowerOutletTemplate(Component, kw_only=True):
    """An outlet; `power_port` is the name of the inlet that feeds it."""

    type: str | UnsetType = UNSET
    power_port: str | int | UnsetType = UNSET
    feed_leg: str | UnsetType = UNSET


class FrontPortTemplate(Component, kw_only=True):
    """A port of a patch panel's front; `rear_port` is the name of the port behind it."""

    type: str
    rear_port: str | int
    rear_port_position: int | UnsetType = UNSET


class RearPortTemplate(Component, kw_only=True):
    type: str
    positions: int | UnsetType = UNSET


class DeviceBayTemplate(Component, kw_only=True):
    """A bay for a child device, as in a blade chassis."""


class ModuleBayTemplate(Component, kw_only=True):
    """A bay for a module."""

    position: str | int | UnsetType = UNSET


class InventoryItemTemplate(Component, kw_only=True):
    """A part that is listed but has no ports of its own."""

    manufacturer: str | UnsetType = UNSET
    part_id: str | int | UnsetType = UNSET


class Weight(Struct, kw_only=True):
    """The long form of a weight, in a list."""

    value: int | float
    unit: str | UnsetType = UNSET
