"""The watchdog: a thread that notices within a second who blocks the loop, and says so.

It asks the loop for a sign of life while anything runs. When none comes it looks where the loop's thread stands and
names the run, the file, the line and the cure, in the run's own log and in the daemon's.
"""

import asyncio
import linecache
import logging
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

LIMIT_SECONDS: Final = 0.5
"""How long the loop may give no sign before somebody is blamed."""
CHECK_SECONDS: Final = 0.2
_OWN: Final = str(Path(__file__).parent)
_LIBRARY: Final = sysconfig.get_path("stdlib")

Blame = Callable[[str, str], None]
"""Called from the watchdog's thread with the name of the blocking task (empty if none) and the message."""

_log = logging.getLogger("buttonhook.watchdog")


class Watchdog:
    """Watches one loop. `busy` is set while something runs; without it the thread sleeps."""

    def __init__(self, loop: asyncio.AbstractEventLoop, blame: Blame) -> None:
        self._loop = loop
        self._blame = blame
        self._loop_thread = threading.get_ident()
        self._busy = threading.Event()
        self._closing = threading.Event()
        self._last_sign = time.monotonic()
        self._blamed = False

    @contextmanager
    def watching(self) -> Iterator["Watchdog"]:
        """Watch for as long as the block lasts."""
        thread = threading.Thread(target=self._watch, name="buttonhook watchdog", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._closing.set()
            self._busy.set()
            thread.join(timeout=2)

    def set_busy(self, is_busy: bool) -> None:
        """Tell whether anything runs."""
        if is_busy:
            self._last_sign = time.monotonic()
            self._busy.set()
        else:
            self._busy.clear()

    def _watch(self) -> None:
        while True:
            self._busy.wait()
            if self._closing.is_set():
                return
            asked = time.monotonic()
            try:
                self._loop.call_soon_threadsafe(self._sign)
            except RuntimeError:  # the loop is closed
                return
            self._closing.wait(CHECK_SECONDS)
            silent = time.monotonic() - self._last_sign
            if self._last_sign >= asked:
                self._blamed = False
            elif silent > LIMIT_SECONDS and not self._blamed and time.monotonic() - asked < CHECK_SECONDS * 5:
                self._blamed = True
                self._name_it(silent)

    def _sign(self) -> None:
        self._last_sign = time.monotonic()

    def _name_it(self, silent: float) -> None:
        frame = sys._current_frames().get(self._loop_thread)
        task = asyncio.current_task(self._loop)
        name = task.get_name() if task is not None else ""
        place, call = _where(frame)
        message = (
            f"This blocks the event loop, and with it every other job, for {silent:.1f} s so far: {call} at {place}. "
            "Await an async form of it, put it into asyncio.to_thread(), or write the method as a plain def"
        )
        _log.warning("%s: %s", name or "The event loop", message)
        self._blame(name, message)


def _where(frame: FrameType | None) -> tuple[str, str]:
    """The innermost place in the receiver's own package, with the line of code there.

    The receiver's package is that of the outermost foreign frame above which our own or the loop's frames stand: a
    library that the receiver calls is not to blame, and its file says nothing to the plugin's author.
    """
    stack: list[FrameType] = []
    while frame is not None:
        if not frame.f_code.co_filename.startswith((_OWN, _LIBRARY, "<")) or _is_package_of_others(frame):
            stack.append(frame)
        elif stack and _is_border(frame):
            break
        frame = frame.f_back
    if not stack:
        return "an unknown place", "something"
    package = _package(stack[-1])
    culprit = next(each for each in stack if _package(each) == package)
    path, line = Path(culprit.f_code.co_filename), culprit.f_lineno or culprit.f_code.co_firstlineno
    file = f"{path.parent.name}/{path.name}" if path.name == "__init__.py" else path.name
    code = linecache.getline(str(path), line).strip() or f"{culprit.f_code.co_name}()"
    return f"{file}:{line} in {culprit.f_code.co_name}()", f"`{code}`"


def _is_package_of_others(frame: FrameType) -> bool:
    """Installed packages may lie below the standard library's folder."""
    return "site-packages" in frame.f_code.co_filename and not frame.f_code.co_filename.startswith(_OWN)


def _is_border(frame: FrameType) -> bool:
    """Whether a frame is ours or the loop's: what it calls is the receiver."""
    return frame.f_code.co_filename.startswith(_OWN) or frame.f_globals.get("__name__") == "asyncio.events"


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
