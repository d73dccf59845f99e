"""What each source sent lately: kept in memory, for who looks why nothing arrives. A restart forgets it."""

from collections import OrderedDict, deque
from typing import Final

from msgspec import Struct

from buttonhook.ids import Microseconds, now

MOST_OF_ONE: Final = 20
MOST_SOURCES: Final = 500


class Delivery(Struct, frozen=True, kw_only=True):
    """One webhook that came in. `problem` says why it was refused, empty where it was taken."""

    time: Microseconds
    address: str
    outcome: str = ""
    changes: tuple[int, ...] = ()
    """Ids of the changes that it was recorded as."""
    problem: str = ""


class Deliveries:
    """The last deliveries of each source, by its name, also of those that were refused."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, deque[Delivery]] = OrderedDict()

    def note(
        self, source: str, address: str, outcome: str = "", changes: tuple[int, ...] = (), problem: str = ""
    ) -> None:
        """Keep one; the oldest make room."""
        kept = self._kept.setdefault(source, deque(maxlen=MOST_OF_ONE))
        kept.appendleft(Delivery(time=now(), address=address, outcome=outcome, changes=changes, problem=problem))
        self._kept.move_to_end(source)
        if len(self._kept) > MOST_SOURCES:
            self._kept.popitem(last=False)

    def of(self, source: str) -> list[Delivery]:
        """Those of a source, newest first."""
        return list(self._kept.get(source, ()))
