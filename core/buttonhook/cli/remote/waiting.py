"""Being told of the end of one job result: a request that the daemon answers when the run has ended."""

import asyncio
from typing import Final

from buttonhook.cli.remote.connection import Connection, segment
from buttonhook.cli.remote.reading import wire
from buttonhook.cli.remote.recorded import RESULTS, result_of
from buttonhook.cli.remote.refusals import Refusal
from buttonhook.records import JobResult

ASKED_SECONDS: Final = 30
PAUSE_SECONDS: Final = 0.1
NO_ROOM: Final = "too-many-waits"


class Awaited:
    """The request that waits for one result. It goes on while the command looks up, to show how far it is."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._request: asyncio.Task[JobResult] | None = None
        self.number = 0
        """Of the result that is waited for, or was last."""

    async def begin(self, result: JobResult) -> None:
        """Wait for this one, and for no other."""
        if self._request is not None and self.number == result.number:
            return
        await self.end()
        self.number = result.number
        self._request = asyncio.create_task(self._ask(result), name=f"wait for job result {result.number}")

    async def _ask(self, result: JobResult) -> JobResult:
        path = f"{RESULTS}/{segment(result.id)}/wait"
        return result_of(await self._connection.get(path, wire(JobResult), {"seconds": ASKED_SECONDS}))

    async def wait(self, seconds: float) -> JobResult | None:
        """The result as the daemon tells of it, None where it told nothing in this time.

        Raises:
            RecordNotFound: it is gone, or may not be seen any more.
        """
        if self._request is None:
            await asyncio.sleep(seconds)
            return None
        done, _ = await asyncio.wait((self._request,), timeout=seconds)
        if not done:
            return None
        request, self._request = self._request, None
        try:
            told = request.result()
        except Refusal as exc:
            if exc.kind != NO_ROOM:
                raise
            return None
        if not told.status.is_final:
            await asyncio.sleep(PAUSE_SECONDS)  # the daemon stops, and would tell so again at once
        return told

    async def end(self) -> None:
        """Wait no longer."""
        request, self._request = self._request, None
        if request is not None:
            request.cancel()
            await asyncio.wait((request,))
