"""What all shapes share."""

from msgspec import Struct

from buttonhook import times
from buttonhook.ids import Microseconds


class Shape(Struct, kw_only=True):
    """What goes out. `fields=` in a list leaves out the others, so in the schema none is required."""


class Input(Struct, kw_only=True, forbid_unknown_fields=True):
    """What comes in. A field that is not known is refused."""


def moment(time: Microseconds | None) -> str | None:
    """A time as all of the API writes it: RFC 3339 in UTC, six decimals and `Z`."""
    return None if time is None else times.to_text(time)
