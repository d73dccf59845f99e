"""Guessing made slow: who fails again and again must wait, twice as long each time, up to a minute.

Counted by key (a name, an address) in memory that is bounded; forgotten when it was quiet for a quarter of an hour.
"""

import time
from collections import OrderedDict
from typing import Final

FREE: Final = 5
"""Failures that cost nothing."""
MOST_SECONDS: Final = 60.0
FORGET_SECONDS: Final = 900.0
MOST_KEYS: Final = 10_000


class Throttle:
    """Failures by key."""

    def __init__(self, free: int = FREE) -> None:
        self._free = free
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()
        """By key: how many, and when the last one was."""

    def wait_seconds(self, key: str) -> float:
        """How long a key must wait until it may try again; 0: not at all."""
        count, last = self._failures.get(key, (0, 0.0))
        if count < self._free:
            return 0.0
        passed = time.monotonic() - last
        if passed >= FORGET_SECONDS:
            return 0.0
        return float(max(0.0, min(MOST_SECONDS, 2.0 ** (count - self._free)) - passed))

    def fail(self, key: str) -> None:
        """Count a failure."""
        count, last = self._failures.pop(key, (0, 0.0))
        moment = time.monotonic()
        self._failures[key] = (1 if moment - last >= FORGET_SECONDS else count + 1, moment)
        if len(self._failures) > MOST_KEYS:
            self._failures.popitem(last=False)

    def succeed(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)
