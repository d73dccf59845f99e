"""What stands where: locations, manufacturers, devices and their interfaces.

A field with a default is written into every new document. A field that is UNSET stays out of the document
until somebody sets it; where `None` is among its types, null is allowed and means "known to be none".
Fields that point at another object (`parent`, `device`, `location`, `device_type`) are references: what they hold
must exist, and what others hold cannot be deleted. Interfaces are deleted with their device.
"""

from typing import Annotated

from msgspec import UNSET, Meta, UnsetType

from buttonhook import Ref, TrackedObject
from buttonhook_dcim.library import DeviceType

Name = Annotated[str, Meta(min_length=1)]
Mtu = Annotated[int, Meta(ge=68, le=65536)]


class Location(
    TrackedObject,
    object_type="dcim.location",
    unique=("name",),
    natural_key="name",
    kw_only=True,
):
    """A region, site, building, floor or room; `parent` is the location it lies in."""

    name: Name
    status: str = "active"
    location_type: str | UnsetType | None = UNSET
    parent: Ref["Location"] | UnsetType | None = UNSET
    facility: str | UnsetType | None = UNSET
    physical_address: str | UnsetType | None = UNSET
    time_zone: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class Manufacturer(
    TrackedObject,
    object_type="dcim.manufacturer",
    unique=("name",),
    natural_key="name",
    kw_only=True,
):
    """Who makes devices and modules."""

    name: Name
    slug: str | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET


class Device(
    TrackedObject,
    object_type="dcim.device",
    unique=("name", ("rack", "position")),
    natural_key="name",
    kw_only=True,
):
    """A thing in a rack or on a shelf. `position` is the lowest rack unit it takes, from 1."""

    name: Name
    serial: str = ""
    status: str = "active"
    asset_tag: str | UnsetType | None = UNSET
    device_type: Ref[DeviceType] | UnsetType | None = UNSET
    role: str | UnsetType | None = UNSET
    platform: str | UnsetType | None = UNSET
    location: Ref[Location] | UnsetType | None = UNSET
    rack: str | UnsetType | None = UNSET
    position: int | float | UnsetType | None = UNSET
    face: str | UnsetType | None = UNSET
    comments: str | UnsetType | None = UNSET


class Interface(
    TrackedObject,
    object_type="dcim.interface",
    unique=(("device", "name"),),
    natural_key=("device", "name"),
    on_delete={"device": "cascade"},
    kw_only=True,
):
    """A network interface of a device, real or virtual."""

    device: Ref[Device]
    name: Name
    type: str = "other"
    enabled: bool = True
    mgmt_only: bool = False
    mac_address: str | UnsetType | None = UNSET
    mtu: Mtu | UnsetType | None = UNSET
    description: str | UnsetType | None = UNSET
