"""Looking backwards through what was recorded for a bounded time: in windows of ids that grow as long as it is quick.

What an index finds is found in a few windows, however old it is. What none finds, or what may not be seen, ends the
look when the time is over; whoever asks is told how far it went, and may go on from there.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Generic, TypeVar

from msgspec import Struct

FIRST: Final = 1_000
GROWTH: Final = 8
SHARE: Final = 0.7
"""How much of the time left a window may be expected to take."""


T = TypeVar("T")


class Looked(Struct, Generic[T], frozen=True):
    """What was found, newest first. `newest` is the highest id there was; all below `reached` was not looked at."""

    found: Sequence[T]
    newest: int
    reached: int | None = None


class Windows:
    """Windows of ids, going down: each begins below the last one."""

    def __init__(self, below: int, lowest: int, seconds: float) -> None:
        self.below = below
        self._lowest = lowest
        self._until = time.monotonic() + seconds
        self._width = FIRST

    @property
    def is_at_end(self) -> bool:
        return self.below <= self._lowest

    @property
    def has_more(self) -> bool:
        """Whether there is another one, and time for it."""
        return not self.is_at_end and self._width > 0

    @contextmanager
    def next(self) -> Iterator[int]:
        """The lowest id of the next window; how long the block takes tells how wide the one after it may be."""
        least = max(self._lowest, self.below - self._width)
        began = time.monotonic()
        yield least
        took = max(time.monotonic() - began, 1e-6)
        self.below = least
        fitting = int(self._width * SHARE * (self._until - time.monotonic()) / took)
        self._width = min(self._width * GROWTH, fitting) if fitting >= FIRST else 0
