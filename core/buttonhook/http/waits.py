"""Requests that wait for the end of a job result, so that a client can press and wait without asking all the time.

A commit that ends a result wakes those who wait for it. How many may wait is bounded, and so is how long.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from buttonhook.http.problems import Refused
from buttonhook.notices import Notices
from buttonhook.stores.base import Rows

MOST_WAITS: Final = 2000
MOST_OF_ONE: Final = 200
"""How many requests of one user may wait."""


class Waits:
    """Those who wait for the ends of job results. All methods belong to the loop's thread."""

    def __init__(self, notices: Notices) -> None:
        self._notices = notices
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._of_one: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many wait."""
        return self._of_one.total()

    @contextmanager
    def for_end(self, number: int, user: str) -> Iterator[asyncio.Event]:
        """An event that is set when the job result of this number has ended, from now on.

        Raises:
            Refused: too many wait.
        """
        wait = {"Retry-After": "5"}
        if self.count >= MOST_WAITS:
            raise Refused(503, "too-many-waits", f"{MOST_WAITS:,} requests wait. Try again shortly.", headers=wait)
        if self._of_one[user] >= MOST_OF_ONE:
            detail = f"{MOST_OF_ONE} requests of {user!r} wait, and no more may. Follow a feed to wait for many."
            raise Refused(429, "too-many-waits", detail, headers=wait)
        ended = asyncio.Event()
        if not self._waiting:
            self._notices.listen(self._hear)
        self._waiting.setdefault(number, set()).add(ended)
        self._of_one[user] += 1
        try:
            yield ended
        finally:
            self._leave(number, user, ended)

    def _leave(self, number: int, user: str, ended: asyncio.Event) -> None:
        self._of_one[user] -= 1
        if not self._of_one[user]:
            del self._of_one[user]
        others = self._waiting[number]
        others.discard(ended)
        if not others:
            del self._waiting[number]
        if not self._waiting:
            self._notices.leave(self._hear)

    def _hear(self, rows: Rows) -> None:
        for outcome in (*rows.outcomes, *rows.revoked):
            if outcome.status.is_final:
                for ended in self._waiting.get(outcome.number, ()):
                    ended.set()
