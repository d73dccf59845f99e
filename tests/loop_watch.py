"""Finds out that an event loop was blocked, and by what.

A watchdog thread posts heartbeats into the loop. While one stays unanswered although the loop is
running, the loop is blocked, and past the limit the stack of its thread is kept. Time counts in
ticks of the watchdog, each capped: when the whole machine stalls, the watchdog stalls too and
nothing is counted. A call that holds the interpreter lock stalls the watchdog as well; that one is
told by the CPU time its thread used meanwhile (where the system can say so).
"""

import asyncio
import sys
import threading
import time
import traceback
from dataclasses import dataclass, field
from types import FrameType

LIMIT_SECONDS = 6.0
TICK_SECONDS = 0.05
LONGEST_TICK_SECONDS = 0.2


@dataclass
class LoopWatch:
    """Watch `loop`, whose thread is `thread_id`, between `start()` and `stop()`."""

    loop: asyncio.AbstractEventLoop
    thread_id: int
    limit_seconds: float = LIMIT_SECONDS
    blocked_seconds: float = 0.0
    stack: str | None = None
    _beat_open: bool = False
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._thread.start()

    def stop(self) -> str | None:
        """End the watch and say what blocked the loop, or None."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        if self.stack is None:
            return None
        return (
            f"The event loop was blocked for {self.blocked_seconds:.1f} s "
            f"(limit {self.limit_seconds:g} s), in:\n{self.stack}"
            "Move the call into a worker thread (anyio.to_thread.run_sync), or mark the test "
            "blocks_loop where blocking is its subject."
        )

    def _watch(self) -> None:
        blocked = 0.0
        last, last_cpu = time.monotonic(), _cpu_seconds(self.thread_id)
        while not self._stopping.wait(TICK_SECONDS):
            now, cpu = time.monotonic(), _cpu_seconds(self.thread_id)
            tick = max(min(now - last, LONGEST_TICK_SECONDS), cpu - last_cpu)
            last, last_cpu = now, cpu
            if self._beat_open and self.loop.is_running():
                blocked += tick
                self._note(blocked)
            else:
                blocked = 0.0
                if not self._beat_open:
                    self._beat()

    def _note(self, blocked: float) -> None:
        if blocked < self.limit_seconds or blocked <= self.blocked_seconds:
            return
        frame = sys._current_frames().get(self.thread_id)
        # A stack is worth keeping only from inside the block: the first one past the limit.
        if self.stack is None and frame is not None:
            self.stack = _own_part(frame)
        self.blocked_seconds = blocked

    def _beat(self) -> None:
        self._beat_open = True
        try:
            self.loop.call_soon_threadsafe(self._answer)
        except RuntimeError:  # the loop was closed between two steps of a test
            self._beat_open = False

    def _answer(self) -> None:
        self._beat_open = False


def _own_part(frame: FrameType) -> str:
    """Format the stack from the loop's step downwards: what lies above it is pytest's."""
    lines = traceback.format_stack(frame)
    steps = [i for i, line in enumerate(lines) if "asyncio" in line and "run_once" in line]
    return "".join(lines[steps[-1] + 1 if steps else 0 :])


def _cpu_seconds(thread_id: int) -> float:
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    return time.clock_gettime(clock_of(thread_id)) if clock_of else 0.0
