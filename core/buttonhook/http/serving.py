"""Serving: uvicorn in the loop of the core, from the first request to a stop that loses nothing.

At a stop feeds end first, each with the place to go on from; no run is begun any more; uvicorn answers what it has
taken; runs have the grace, and what still runs then is cancelled and waits for the next start, its attempt not counted.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, cast

import anyio
import uvicorn

from buttonhook.app import App
from buttonhook.credentials import make_ready
from buttonhook.http.application import make_application
from buttonhook.http.binding import check_certificate, check_exposure, check_proxies, url_of
from buttonhook.http.connections import Connection
from buttonhook.http.daemon import Daemon
from buttonhook.http.instance import Instance, announced, fingerprint_of
from buttonhook.settings import Settings
from buttonhook.stores.sqlite.lock import find_holder

ANSWER_SECONDS: Final = 3.0
"""How long answers that were begun may take at a stop, but no longer than the grace or this little."""
LEAST_ANSWER_SECONDS: Final = 0.5
KEEP_ALIVE_SECONDS: Final = 75
MOST_CONNECTIONS: Final = 4000

_log = logging.getLogger("buttonhook.daemon")


class _Server(uvicorn.Server):
    """uvicorn without hands on the signals, which are the daemon's; it tells when it has begun."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.has_begun = asyncio.Event()
        self._is_ending = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.has_begun.set()

    async def main_loop(self) -> None:
        """Once a second what uvicorn does ten times: at a stop nobody need wait for the next time."""
        seconds = 0
        while not await self.on_tick(10 * seconds):
            seconds += 1
            with anyio.move_on_after(1):
                await self._is_ending.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, but for its waiting where nobody is connected."""
        if self.server_state.connections or self.server_state.tasks:
            await super().shutdown(sockets)
            return
        for each in (*self.servers, *(sockets or ())):
            each.close()
        for server in self.servers:
            await server.wait_closed()

    def end(self) -> None:
        """Take no request any more."""
        self.should_exit = True
        self._is_ending.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Serving:
    """A daemon that answers at `url`."""

    def __init__(self, daemon: Daemon, url: str, server: _Server) -> None:
        self.daemon, self.url = daemon, url
        self.app = daemon.app
        self._server = server

    def end(self) -> None:
        """Let feeds end and take no request any more; answers that were begun are finished."""
        self.daemon.stopping.set()
        self.daemon.feeds.end()
        self._server.end()

    async def wait(self, signalled: asyncio.Event) -> None:
        """Return when a signal asks for a stop, or the server ended by itself."""
        await _first_of(signalled, self.daemon.stopping)

    async def stop(self, grace_seconds: float, hurry: asyncio.Event) -> bool:
        """`end`, and give what runs time to end, until somebody hurries; whether all ended."""
        self.end()
        all_ended = await stop_runs(self.app, grace_seconds, hurry)
        self._server.force_exit = hurry.is_set()
        return all_ended


@asynccontextmanager
async def serving(
    app: App,
    bound: socket.socket,
    settings: Settings | None = None,
    origins: Mapping[str, str] | None = None,
) -> AsyncIterator[Serving]:
    """Serve an open app on a bound socket for as long as the block lasts.

    At its end `daemon.stopping` is set, answers that were begun are finished, and the socket is closed. What runs is
    not touched: see `stop_runs`.

    Raises:
        SettingsError: it must not be reached from where it would be.
    """
    chosen = settings or app.settings
    certificate = check_certificate(chosen)
    daemon = Daemon(app, bound.getsockname()[1], origins)
    check_exposure(chosen, has_owner=not daemon.setup.is_needed)
    application = make_application(daemon, host_names=_host_names(chosen))
    server = _Server(_config(application, chosen))
    url = url_of(bound, chosen)
    current = Serving(daemon, url, server)
    instance = Instance(
        url=url,
        pid=daemon.pid,
        boot_id=daemon.boot_id,
        holder=_holder(chosen),
        token=daemon.own_token,
        fingerprint="" if certificate is None else fingerprint_of(certificate),
    )
    await make_ready()  # so that the first login of nobody takes no longer than others
    counting = asyncio.create_task(_count_hour(daemon), name="last hour")
    running = asyncio.create_task(server.serve(sockets=[bound]), name="uvicorn")
    running.add_done_callback(lambda _: daemon.stopping.set())
    try:
        await _first_of(server.has_begun, daemon.stopping)
        if server.started:
            with announced(chosen.database_path, instance):
                yield current
    finally:
        current.end()
        counting.cancel()
        with anyio.CancelScope(shield=True):
            await running
            await asyncio.gather(counting, return_exceptions=True)
            daemon.app.notices.leave(daemon.last_hour.hear)


def _holder(settings: Settings) -> str:
    """As what the app has the database's lock."""
    holder = find_holder(settings.database_path)
    return "" if holder is None else holder.holder


async def _count_hour(daemon: Daemon) -> None:
    """Count for the dashboard from now on, and in between what was in the hour before."""
    app, last_hour = daemon.app, daemon.last_hour
    app.notices.listen(last_hour.hear)
    app.tally.on_end = last_hour.note_end
    try:
        await last_hour.read_before(app.reader, app.notices.last_change)
    except Exception:  # noqa: BLE001 - the daemon serves without these figures
        _log.exception("The hour before the start could not be counted")


async def _first_of(*events: asyncio.Event) -> None:
    """Return when one of some events is set."""
    waiting = [asyncio.ensure_future(each.wait()) for each in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


def _host_names(settings: Settings) -> tuple[str, ...]:
    return (*settings.allowed_hosts, settings.host, socket.gethostname())


def _config(application: object, settings: Settings) -> uvicorn.Config:
    proxies = check_proxies(settings)
    return uvicorn.Config(
        application,  # type: ignore[arg-type]
        http=Connection,
        ws="none",
        lifespan="off",
        loop="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=cast(int, _answer_seconds(settings)),  # fractions are taken, too
        limit_concurrency=MOST_CONNECTIONS,
    )


def _answer_seconds(settings: Settings) -> float:
    return min(ANSWER_SECONDS, max(LEAST_ANSWER_SECONDS, settings.grace))


class Signals:
    """SIGTERM and SIGINT: the first asks for a stop, the second ends the grace, a third one the process."""

    def __init__(self, end_process: Callable[[], None]) -> None:
        self.stop = asyncio.Event()
        self.hurry = asyncio.Event()
        self.opening: asyncio.Task[Any] | None = None
        """What a signal cancels while there is nothing to stop yet."""
        self._end_process = end_process

    @contextlib.contextmanager
    def caught(self) -> Iterator[None]:
        """Catch them for as long as the block lasts; SIGHUP, sent when a terminal closes, is a stop, too."""
        loop = asyncio.get_running_loop()
        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        for each in caught:
            loop.add_signal_handler(each, self.receive)
        try:
            yield
        finally:
            for each in caught:
                loop.remove_signal_handler(each)

    def receive(self) -> None:
        if not self.stop.is_set():
            _log.info("Stopping")
            self.stop.set()
            if self.opening is not None:
                self.opening.cancel()
        elif not self.hurry.is_set():
            _log.info("Stopping at once")
            self.hurry.set()
        else:
            self._end_process()


async def stop_runs(app: App, grace_seconds: float, hurry: asyncio.Event) -> bool:
    """Begin no runs any more, and wait for those that run: as long as the grace, or until somebody hurries.

    Whether all ended.
    """
    ending = asyncio.create_task(app.stop_claiming(grace_seconds), name="grace")
    hurried = asyncio.create_task(hurry.wait(), name="hurry")
    try:
        await asyncio.wait((ending, hurried), return_when=asyncio.FIRST_COMPLETED)
        return ending.done() and ending.result()
    finally:
        for each in (ending, hurried):
            each.cancel()
        await asyncio.gather(ending, hurried, return_exceptions=True)
