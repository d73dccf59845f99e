"""Buttonhook: an object is created, its change recorded, the job hook's receiver runs, all at synchronous=FULL."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks.ceiling import device_pk
from benchmarks.peers.harness import Peer, address, main, note
from benchmarks.receivers import BenchDevice, hooked_app
from buttonhook import JobHookReceiver, ObjectChange, ObjectChangeAction


class Noting(JobHookReceiver):
    """The job."""

    async def receive_job_hook(self, change: ObjectChange, action: ObjectChangeAction, changed_object: Any) -> None:
        note(int(change.object_pk.removeprefix("run-")))


class Buttonhook(Peer):
    """Producers and jobs in one process, as its documentation has it."""

    async def open(self) -> None:
        self._stack = AsyncExitStack()
        self._app = await self._stack.enter_async_context(hooked_app(Path(address()), [Noting]))
        self._objects = self._app.objects(BenchDevice)

    async def enqueue(self, number: int) -> None:
        pk = device_pk(number)
        await self._objects.create(pk=pk, name=pk)

    async def finish(self) -> None:
        await self._app.drain()

    async def close(self) -> None:
        await self._stack.aclose()


if __name__ == "__main__":
    main(Buttonhook())
