"""The machine and the versions a figure belongs to; nothing that names a host, a user or a path."""

import os
import platform
import sqlite3
from importlib import metadata
from pathlib import Path

PACKAGES = ("buttonhook", "aiosqlite", "anyio", "msgspec", "uvloop")


def machine() -> dict[str, str]:
    """Processor, cores, memory, kernel, and the kind of file system that holds the throw-away databases."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def versions() -> dict[str, str]:
    """Python, SQLite and the packages that the figures depend on."""
    found = {"Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
