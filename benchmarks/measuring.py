"""Figures: percentiles, medians over rounds, the memory and the moments of processes, steady paces.

Moments are of the monotonic clock, which all processes of a Linux machine share: one may begin what another ends.
"""

import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

Figures = dict[str, Any]
"""One row of a result: what was varied, then what was measured."""

_KIB = 1024


def quantile(values: Iterable[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed; 0 where there is none."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, math.ceil(len(ordered) * share) - 1)]


def latencies(name: str, seconds: Sequence[float]) -> Figures:
    """p50 and p99 in milliseconds; None where nothing was measured."""
    return {
        f"{name}_p{share}_ms": round(quantile(seconds, share / 100) * 1000, 2) if seconds else None
        for share in (50, 99)
    }


def median_row(rows: Sequence[Figures], by: str) -> Figures:
    """The row whose figure `by` is the median: its other figures were measured in the same round."""
    ordered = sorted(rows, key=lambda row: float(row[by]))
    return ordered[(len(ordered) - 1) // 2]


def with_spread(rows: Sequence[Figures], by: str) -> Figures:
    """The median row of several rounds, with the least and the most of the figure `by` beside it."""
    values = [row[by] for row in rows]
    return {**median_row(rows, by), "rounds": len(rows), f"{by}_least": min(values), f"{by}_most": max(values)}


def alternating(rounds: int, runs: Mapping[str, Callable[[], Figures]]) -> dict[str, list[Figures]]:
    """Take turns: each run once, then each once more. A machine that slows down slows all of them."""
    found: dict[str, list[Figures]] = {name: [] for name in runs}
    for turn in range(rounds):
        names = list(runs)[:: 1 if turn % 2 == 0 else -1]
        for name in names:
            found[name].append(runs[name]())
    return found


def mean(values: Iterable[float]) -> float:
    return statistics.fmean(values)


def resident_mb(process_id: int | str = "self", *, peak: bool = False) -> float:
    """Memory that a process holds now, or held at most so far."""
    wanted = "VmHWM:" if peak else "VmRSS:"
    for line in Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(wanted):
            return round(int(line.split()[1]) * _KIB / 1e6, 1)
    raise RuntimeError(f"/proc/{process_id}/status has no {wanted} Memory is measured on Linux only.")


async def paced(count: int, a_second: float, one: Callable[[int], Awaitable[None]]) -> None:
    """Begin `one(number)` at an even pace, whether the ones before have ended or not, and wait for all."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            ahead = began + number / a_second - time.monotonic()
            if ahead > 0:
                await asyncio.sleep(ahead)
            tasks.create_task(_run(one, number))


async def _run(one: Callable[[int], Awaitable[None]], number: int) -> None:
    await one(number)
