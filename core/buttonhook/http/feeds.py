"""The feeds that are open: who may open one, what wakes them, and when they end.

A feed is woken and then looks for itself: among what was committed lately, else in the store. Nothing is put into a
queue for it, so the recorder never waits for a client, and a client that reads slowly holds no more than what one
write took. One that takes nothing for `STALLED_SECONDS` is cut off; it comes back with the last id it has seen.
"""

import asyncio
import contextlib
import logging
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final, Literal

from buttonhook.http.problems import Refused
from buttonhook.http.recent import RecentChanges, Windows, touched_results
from buttonhook.ids import Microseconds, now
from buttonhook.notices import Notices
from buttonhook.stores.base import Rows

TRANSPORT: Final = "buttonhook.transport"
"""Where in a request's scope its connection is."""
MOST_FEEDS: Final = 2000
MOST_OF_ONE: Final = 200
"""How many feeds one user may have open."""
BEAT_SECONDS: Final = 15.0
STALLED_SECONDS: Final = 30.0
LATE_SECONDS: Final = 0.2
"""At a stop nobody is waited for who has not read for so long."""
TICK_SECONDS: Final = 1.0
GATHER_SECONDS: Final = 0.01
"""How long what is committed gathers before feeds are woken: at thousands of commits a second they wake seldom."""
WINDOW_SECONDS: Final = 0.5
SLICE: Final = 50
"""So many feeds are woken at a time; then others have their turn."""
SEND_BUFFER: Final = 65_536

Topic = Literal["changes", "runs", "notices"]

_log = logging.getLogger("buttonhook.feeds")


class Feed:
    """One open feed of one client."""

    __slots__ = (
        *("beat_at", "check_at", "is_gone", "logs", "object_type", "results", "sending_since", "topic", "touched"),
        *("user", "wake"),
    )

    def __init__(
        self,
        user: str,
        topic: Topic,
        object_type: str | None = None,
        results: Iterable[int] = (),
        logs: Iterable[int] = (),
    ) -> None:
        self.user = user
        self.topic = topic
        self.object_type = object_type
        """Of a feed of changes: the one type it is about."""
        self.results = frozenset(results)
        """Of a feed of runs: numbers of the job results whose status it follows."""
        self.logs = frozenset(logs)
        """Those whose log it follows, too."""
        self.touched: set[int] = set()
        """Of those: what was written of since the feed last looked; never more than it follows."""
        self.wake = asyncio.Event()
        self.beat_at = time.monotonic() + BEAT_SECONDS
        """When something should be sent, lest it be taken for dead."""
        self.check_at = Microseconds(0)
        """When it must be asked again whether it may go on."""
        self.sending_since: float | None = None
        self.is_gone = False
        """Whether its client hung up, or was cut off."""


class Feeds:
    """All open feeds of a daemon. All methods belong to the loop's thread."""

    def __init__(self, notices: Notices, stopping: asyncio.Event) -> None:
        self._notices = notices
        self._stopping = stopping
        self._open: dict[Feed, asyncio.Transport] = {}
        self._of_one: Counter[str] = Counter()
        self._news: list[Rows] = []
        self._waking: dict[Feed, None] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.recent = RecentChanges()
        self.windows = Windows()
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = MOST_FEEDS if files == resource.RLIM_INFINITY else min(MOST_FEEDS, files // 2)

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def is_ending(self) -> bool:
        """Whether the daemon stops."""
        return self._stopping.is_set()

    def check_room(self, user: str) -> None:
        """Raises: Refused: so many are open that there can be no other."""
        wait = {"Retry-After": "5"}
        if self.is_ending:
            raise Refused(503, "stopping", "The daemon is stopping. Come back when it runs again.", headers=wait)
        if len(self._open) >= self.most:
            detail = f"{self.most:,} feeds are open, and no more can be. Wait until some are closed."
            raise Refused(503, "too-many-feeds", detail, headers=wait)
        if self._of_one[user] >= MOST_OF_ONE:
            detail = f"{user!r} has {MOST_OF_ONE} feeds open, and may have no more. Close some first."
            raise Refused(429, "too-many-feeds", detail, headers=wait)

    def add(self, feed: Feed, transport: asyncio.Transport) -> None:
        """Open a feed on a connection."""
        connected = transport.get_extra_info("socket")
        if connected is not None:
            with contextlib.suppress(OSError):  # the system's own limit holds then
                connected.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        if not self._open:
            self.recent.begin(self._notices.last_change)
            self._notices.listen(self._hear)
            self._later("tick", TICK_SECONDS)
        self._open[feed] = transport
        self._of_one[feed.user] += 1

    def remove(self, feed: Feed) -> None:
        """A feed is closed."""
        if self._open.pop(feed, None) is None:
            return
        self._of_one[feed.user] -= 1
        if not self._of_one[feed.user]:
            del self._of_one[feed.user]
        if not self._open:
            self._notices.leave(self._hear)
            self._news.clear()
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    def end(self) -> None:
        """The daemon stops: wake all, so that each says where to go on; who does not read is not waited for."""
        clock = time.monotonic()
        for feed, transport in list(self._open.items()):
            if feed.sending_since is not None and clock - feed.sending_since > LATE_SECONDS:
                self._cut_off(feed, transport)
        self._wake(self._open)

    def _hear(self, rows: Rows) -> None:
        self._news.append(rows)
        self._later("news", GATHER_SECONDS)

    def _later(self, what: Literal["tick", "news", "window"], seconds: float) -> None:
        """Have something looked at soon, once."""
        if what not in self._timers:
            looks = {"tick": self._tick, "news": self._look, "window": self._close_window}
            self._timers[what] = asyncio.get_running_loop().call_later(seconds, looks[what])

    def _look(self) -> None:
        """Take in what was committed, and wake whom it may concern."""
        self._timers.pop("news", None)
        news, self._news = self._news, []
        last_change = self._notices.last_change
        types: set[str] = set()
        touched: set[int] = set()
        logged: set[int] = set()
        is_set_up = False
        has_notices = any(each.topic == "notices" for each in self._open)
        for rows in news:
            self.recent.add(rows.changes, rows.changes[-1].id if rows.changes else 0)
            types.update(each.object_type for each in rows.changes)
            is_set_up = is_set_up or bool(rows.config or rows.removed_config)
            touched.update(touched_results(rows))
            logged.update(entry.number for _, entry in rows.log_entries)
            if has_notices:
                self.windows.open.add(rows)
        self.recent.add((), last_change)
        if not self.windows.open.is_empty:
            self._later("window", WINDOW_SECONDS)
        self._wake([each for each in self._open if _concerns(each, types, touched, logged) or is_set_up])

    def _close_window(self) -> None:
        self._timers.pop("window", None)
        self.windows.close()
        self._wake(each for each in self._open if each.topic == "notices")

    def _tick(self) -> None:
        """Find clients that hung up or take nothing; wake feeds that must show life or be asked for again."""
        del self._timers["tick"]
        self._later("tick", TICK_SECONDS)
        moment, clock = now(), time.monotonic()
        due = []
        for feed, transport in self._open.items():
            if transport.is_closing():
                feed.is_gone = True
                due.append(feed)
            elif feed.sending_since is not None and clock - feed.sending_since > STALLED_SECONDS:
                _log.info("A feed of %s was cut off: nothing was read from it for %d s", feed.user, STALLED_SECONDS)
                self._cut_off(feed, transport)
            elif self.is_ending or feed.beat_at <= clock or feed.check_at <= moment:
                due.append(feed)
        self._wake(due)

    def _cut_off(self, feed: Feed, transport: asyncio.Transport) -> None:
        feed.is_gone = True
        transport.abort()  # what waits to be sent is given up with it

    def _wake(self, feeds: Iterable[Feed]) -> None:
        is_at_it = bool(self._waking)
        self._waking.update(dict.fromkeys(feeds))
        if not is_at_it:
            self._wake_slice()

    def _wake_slice(self) -> None:
        for feed in list(islice(self._waking, SLICE)):
            del self._waking[feed]
            feed.wake.set()
        if self._waking:
            asyncio.get_running_loop().call_soon(self._wake_slice)


def _concerns(feed: Feed, types: set[str], touched: set[int], logged: set[int]) -> bool:
    if feed.topic == "changes":
        return bool(types) and (feed.object_type is None or feed.object_type in types)
    hit = (feed.results & touched) | (feed.logs & logged)
    feed.touched |= hit
    return bool(hit)
