"""The contract of a bus."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from buttonhook.records import PendingResult

Listener = Callable[[Sequence[PendingResult]], None]


class Bus(ABC):
    """News of results that wait. The store is the truth; a dispatcher loads what was announced before it listened."""

    @abstractmethod
    def announce(self, pending: Sequence[PendingResult]) -> None:
        """Tell of results that were committed, in order of number. Never blocks, never raises."""

    @abstractmethod
    def listen(self, listener: Listener) -> None:
        """Call `listener` with every announcement, on the loop's thread."""
