"""Receivers that watch over a device-type library: they read, they warn, they write nothing.

Here belong the receivers; what they know about device types is in `rules` and `report`, plain functions of plain
documents.
"""

from buttonhook_devicetypes.buttons import DeviceTypeReport
from buttonhook_devicetypes.hooks import SanityCheck, SlugPolicy

__all__ = ["DeviceTypeReport", "SanityCheck", "SlugPolicy"]
