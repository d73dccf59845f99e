"""What redaction costs: it is on the path of every log line.

ordinary_us     one line of 80 characters without anything that looks like a secret (the prefilter alone)
suspect_us      one of 80 characters with words like `key` and `passed`, but no secret
secret_us       one of 80 characters with a secret
NAME_ms         100 kB made to be costly, best of three; the bar is 50 ms on a quiet machine
NAME_growth     how much longer 400 kB take than 100 kB: 4 is linear, 16 quadratic

    python -m benchmarks.bench_redaction [-n 20000] [--json]
"""

import time
import timeit
from collections.abc import Callable

from benchmarks.command import give, parser
from buttonhook.redaction import Redactor

ORDINARY = "Interface GigabitEthernet1/0/24 on ams01-r1 changed from down to up at 12:30:05Z"
SUSPECT = "Interface ge-0/0/1 on ams01-r1 passed its test; the key chain 5 of 7 is in place"
TELLTALE = "Connecting to ams01-r1 as ann with password=hunter2-hunter3 over ssh, port 22 ..."
COSTLY = {
    "letters": "a",
    "equals": "=",
    "quotes": '"',
    "names": "password",
    "json": '"password":"',
    "urls": "https://",
    "at": "a@",
    "backslashes": "\\",
    "prefix_of_a_value": "hunter2-hunter",
    "assignments": "password = a b,",
    "keys": "key 7 ",
    "bearers": "Bearer ",
}


def seconds(work: Callable[[], object]) -> float:
    """The best of three."""
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - began)
    return best


def measure(count: int) -> dict[str, float]:
    redactor = Redactor()
    redactor.register("hunter2-hunter3")
    found: dict[str, float] = {}
    for name, line in (("ordinary_us", ORDINARY), ("suspect_us", SUSPECT), ("secret_us", TELLTALE)):
        timer = timeit.Timer(lambda line=line: redactor.redact(line))  # type: ignore[misc]
        found[name] = round(min(timer.repeat(3, count)) / count * 1e6, 2)
    for name, unit in COSTLY.items():
        text = unit * (100_000 // len(unit))
        once = seconds(lambda text=text: redactor.redact(text))  # type: ignore[misc]
        found[f"{name}_ms"] = round(once * 1e3, 1)
        found[f"{name}_growth"] = round(seconds(lambda text=text: redactor.redact(text * 4)) / once, 1)  # type: ignore[misc]
    return found


def main() -> None:
    options = parser(__doc__, 20_000, "how often each line is redacted").parse_args()
    rows = [{"measure": name, "figure": value} for name, value in measure(options.n).items()]
    give(rows, as_json=options.json)


if __name__ == "__main__":
    main()
