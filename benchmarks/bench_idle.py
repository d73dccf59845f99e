"""What a daemon costs that has nothing to do: `buttonhook serve` on a new database, nobody connected.

    seconds         how long it was watched (`-n`), from a second after it began to serve
    cpu_percent     processor time of all its threads, of one core
    wakes_s         how often a second one of its threads woke up
    RSS_mb          memory

Bar: less than 0.5 percent.

    python -m benchmarks.bench_idle [-n 30] [--json]
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.command import give, parser, throw_away_folder
from benchmarks.measuring import Figures, resident_mb

BAR_PERCENT = 0.5
STOP_SECONDS = 10.0


@contextmanager
def daemon(folder: Path) -> Iterator[int]:
    """A daemon that serves; gives its process id."""
    program = str(Path(sys.executable).parent / "buttonhook")
    words = [program, "serve", "--port", "0"]
    with subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:  # noqa: S603 - our own
        try:
            assert process.stderr is not None
            if not any("Serving" in line for line in process.stderr):
                raise SystemExit("The daemon ended before it served.")
            yield process.pid
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def spent(process_id: int) -> tuple[float, int]:
    """Processor seconds of all threads so far, and how often they gave up waiting."""
    seconds, wakes = 0.0, 0
    for thread in Path(f"/proc/{process_id}/task").iterdir():
        seconds += int((thread / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9
        for line in (thread / "status").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                wakes += int(line.split()[1])
    return seconds, wakes


def watch(folder: Path, seconds: int) -> Figures:
    """A daemon, watched for so long."""
    with daemon(folder) as process_id:
        time.sleep(1)
        (cpu, wakes), began = spent(process_id), time.monotonic()
        time.sleep(seconds)
        (cpu_after, wakes_after), passed = spent(process_id), time.monotonic() - began
        return {
            "seconds": seconds,
            "cpu_percent": round((cpu_after - cpu) / passed * 100, 3),
            "wakes_s": round((wakes_after - wakes) / passed, 1),
            "RSS_mb": resident_mb(process_id),
        }


def main() -> None:
    options = parser(__doc__, 30, "seconds to watch").parse_args()
    with throw_away_folder() as folder:
        figures = watch(folder, options.n)
    over = figures["cpu_percent"] >= BAR_PERCENT
    notes = [f"Over the bar: an idle daemon is to stay under {BAR_PERCENT} percent."] if over else []
    give([figures], as_json=options.json, notes=notes)


if __name__ == "__main__":
    main()
