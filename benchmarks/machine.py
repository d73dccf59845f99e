"""The machine and the versions a figure belongs to; nothing that names a host, a user or a path."""

import os
import platform
import shutil
import sqlite3
import subprocess
import tempfile
from importlib import metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
LOAD_BEFORE = os.getloadavg()[0]
"""Taken when this is imported: before the benchmark itself is a load."""

PACKAGES = ("buttonhook", "aiosqlite", "anyio", "msgspec", "uvloop")


def machine() -> dict[str, str]:
    """Processor, cores, memory, kernel, and the kind of file system that holds the throw-away databases."""
    return {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release().split('-')[0]} {platform.machine()}",
        "databases on": file_system(Path(tempfile.gettempdir())),
        "load before": f"{LOAD_BEFORE:.1f}",
    }


def versions() -> dict[str, str]:
    """Python, SQLite and the packages that the figures depend on."""
    found = {"commit": _commit(), "Python": platform.python_version(), "SQLite": sqlite3.sqlite_version}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def file_system(folder: Path) -> str:
    """The kind of file system a folder lies on; on tmpfs, syncing to disk costs nothing, and figures mean little."""
    kinds = {}
    for line in Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, place, kind, *_ = line.split()
        kinds[Path(place.replace("\\040", " "))] = kind
    real = folder.resolve()
    return next((kinds[each] for each in (real, *real.parents) if each in kinds), "unknown")


def _commit() -> str:
    """The commit that is checked out, with a + where files differ from it."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    words = [git, "describe", "--always", "--dirty=+", "--exclude=*"]
    ended = subprocess.run(words, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603 - constants
    return ended.stdout.strip() or "unknown"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
