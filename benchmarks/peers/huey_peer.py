"""huey on SQLite: jobs put by threads, a consumer with 4 worker threads that looks every 1 to 10 ms (0.1 to 10 s).

It has no async jobs, so its job is a plain function. `fsync=True` is SQLite's synchronous=FULL, as in Buttonhook.
"""

import os
import sys

from huey import SqliteHuey  # type: ignore[import-not-found, unused-ignore] # lives in an environment of its own

from benchmarks.peers.harness import ADDRESS, Peer, main, note

huey = SqliteHuey(
    filename=os.environ.get(ADDRESS, sys.argv[4] if len(sys.argv) > 4 else ":memory:"), fsync=True, timeout=60
)


def run(number: int) -> None:
    """The job."""
    note(number)


noop = huey.task(name="noop")(run)


class Huey(Peer):
    """Producers that are threads."""

    worker = (sys.executable, "-m", "benchmarks.peers.huey_peer", "work")
    blocks = True

    async def enqueue(self, number: int) -> None:
        self.put(number)

    def put(self, number: int) -> None:
        noop(number)


if __name__ == "__main__":
    if sys.argv[1:] == ["work"]:
        huey.create_consumer(workers=4, initial_delay=0.001, max_delay=0.01).run()
    else:
        main(Huey())
