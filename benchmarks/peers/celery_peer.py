"""Celery on Redis: `delay` from threads, a prefork worker with a process a core, results kept in Redis.

It has no async jobs, so its job is a plain function.
"""

import os
import sys

from celery import Celery  # type: ignore[import-not-found, unused-ignore] # lives in an environment of its own

from benchmarks.peers.harness import ADDRESS, Peer, main, note

url = os.environ.get(ADDRESS, sys.argv[4] if len(sys.argv) > 4 else "")
app = Celery("benchmarks.peers.celery_peer", broker=url, backend=url)


def run(number: int) -> None:
    """The job."""
    note(number)


noop = app.task(run, name="noop")


class CeleryPeer(Peer):
    """Producers that are threads."""

    worker = (sys.executable, "-m", "celery", "-A", "benchmarks.peers.celery_peer", "-q", "worker", "-l", "ERROR")
    blocks = True

    async def enqueue(self, number: int) -> None:
        self.put(number)

    def put(self, number: int) -> None:
        noop.delay(number)


if __name__ == "__main__":
    main(CeleryPeer())
