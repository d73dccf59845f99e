"""The bus within one process: a call."""

from collections.abc import Sequence

from buttonhook.bus.base import Bus, Listener
from buttonhook.records import PendingResult


class LocalBus(Bus):
    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def announce(self, pending: Sequence[PendingResult]) -> None:
        for listener in self._listeners:
            listener(pending)

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)
