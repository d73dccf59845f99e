"""Notices: what was committed, told to whoever listens in this process.

The recorder tells once a batch, after its commit. Telling never waits and never fails, whatever becomes of those who
listen: a listener keeps what it is told and looks at it when it has time. Nothing is told again; whoever begins to
listen knows by `last_change` up to where the store has it all.
"""

import logging
from collections.abc import Callable

from buttonhook.stores.base import Rows

Listener = Callable[[Rows], None]

_log = logging.getLogger("buttonhook.notices")


class Notices:
    """Those who listen to commits. All methods belong to the loop's thread."""

    def __init__(self, last_change: int) -> None:
        self._listeners: tuple[Listener, ...] = ()
        self.last_change = last_change
        """The highest number that a committed change has, or that was given up: later ones are told."""

    def tell(self, rows: Rows, last_change: int) -> None:
        """The recorder tells what it committed; the rows are not changed any more."""
        self.last_change = last_change
        for listener in self._listeners:
            try:
                listener(rows)
            except Exception:  # noqa: BLE001 - a commit stands whatever becomes of those who hear of it
                _log.exception("A listener to commits failed")

    def listen(self, listener: Listener) -> None:
        """Call `listener` with the rows of every later commit, in order."""
        self._listeners = (*self._listeners, listener)

    def leave(self, listener: Listener) -> None:
        """Call it no more."""
        self._listeners = tuple(each for each in self._listeners if each != listener)
