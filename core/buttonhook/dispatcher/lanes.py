"""What waits in memory: ready results, lanes with their followers, retries that are not due yet."""

import heapq
from collections import deque
from collections.abc import Sequence
from typing import Final

from buttonhook.records import PendingResult

LANE_SIZE: Final = 64


class Lanes:
    """What waits in memory: results that may be claimed now, and behind them those of their lanes.

    A lane keeps at most `LANE_SIZE` followers; of a longer one only the number behind which to load is kept.
    """

    def __init__(self) -> None:
        self.ready: deque[PendingResult] = deque()
        self.held = 0
        self._due: list[tuple[int, int, PendingResult]] = []
        self._held_back: set[int] = set()
        self._followers: dict[str, deque[PendingResult] | None] = {}
        """By lane that is busy, what waits behind; None: nothing does, as in most lanes."""
        self._left_out: dict[str, tuple[int, int]] = {}
        """Lane: (load above this number, highest number left out)."""

    def accept(self, pending: PendingResult) -> None:
        """Take one result; numbers come in order within a lane. One that is not due yet holds its lane."""
        lane = pending.lane
        if lane is None:
            self._make_ready(pending)
        elif lane not in self._followers:
            self._followers[lane] = None
            self._make_ready(pending)
        elif lane in self._left_out:
            after, highest = self._left_out[lane]
            self._left_out[lane] = (after, max(highest, pending.number))
        else:
            followers = self._followers_of(lane)
            if len(followers) >= LANE_SIZE:
                self._left_out[lane] = (followers[-1].number, pending.number)
            else:
                followers.append(pending)
                self.held += 1

    def occupy(self, lane: str | None) -> bool:
        """Make a free lane busy without anything waiting in it; False when it is busy already."""
        if lane is None:
            return True
        if lane in self._followers:
            return False
        self._followers[lane] = None
        return True

    def put_back(self, pending: PendingResult) -> None:
        """Give back what was taken and could not be run yet; it comes first."""
        self.ready.appendleft(pending)
        self.held += 1

    def take(self) -> PendingResult:
        """The next result to claim; its lane is busy until `release`."""
        self.held -= 1
        return self.ready.popleft()

    def release(self, lane: str | None) -> tuple[str, int] | None:
        """Let a lane go on. Returns (lane, number) when its followers must be loaded from above that number."""
        if lane is None:
            return None
        followers = self._followers[lane]
        if followers:
            self.ready.append(followers.popleft())
            return None
        if lane in self._left_out:
            return lane, self._left_out[lane][0]
        del self._followers[lane]
        return None

    def asked(self, lane: str) -> int:
        """The highest number to be looked for in a lane whose followers are about to be loaded."""
        return self._left_out[lane][1]

    def loaded(self, lane: str, rows: Sequence[PendingResult], asked: int) -> tuple[str, int] | None:
        """Take the loaded followers of a lane that waits for them; as `release`.

        What was left out above `asked` may have come after the rows were read.
        """
        _, highest = self._left_out.pop(lane)
        self._followers_of(lane).extend(rows)
        self.held += len(rows)
        last = rows[-1].number if rows else asked
        if last < highest:
            self._left_out[lane] = (last, highest)
        return self.release(lane)

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits; lanes whose head runs may still be busy."""
        return not self.held and not self._left_out

    def hold_back(self, pending: PendingResult) -> None:
        """Wait until `pending` is due; its lane stays busy."""
        heapq.heappush(self._due, (pending.due_at or 0, pending.number, pending))
        self._held_back.add(pending.number)
        self.held += 1

    def is_held_back(self, number: int) -> bool:
        """Whether a result waits here for its retry to become due."""
        return number in self._held_back

    def next_due(self) -> int | None:
        """When the earliest retry may begin."""
        return self._due[0][0] if self._due else None

    def take_due(self, moment: int) -> None:
        """Make ready what is due by now."""
        while self._due and self._due[0][0] <= moment:
            pending = heapq.heappop(self._due)[2]
            self._held_back.discard(pending.number)
            self.ready.append(pending)

    def hurry(self, number: int) -> None:
        """Make a retry due at once."""
        for place, (_, each, pending) in enumerate(self._due):
            if each == number:
                self._due[place] = (0, number, pending)
                heapq.heapify(self._due)
                return

    @property
    def retries(self) -> int:
        """How many retries wait to become due."""
        return len(self._due)

    def _followers_of(self, lane: str) -> deque[PendingResult]:
        followers = self._followers[lane]
        if followers is None:
            followers = self._followers[lane] = deque()
        return followers

    def _make_ready(self, pending: PendingResult) -> None:
        if pending.due_at is not None:
            self.hold_back(pending)
            return
        self.ready.append(pending)
        self.held += 1
