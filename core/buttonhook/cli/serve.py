"""`buttonhook serve`: the daemon. What it needs is loaded when it runs, so that other commands start quickly."""

import asyncio
import logging
import os
import resource
import sys
from collections.abc import Callable
from typing import Any, Final

import click

from buttonhook.cli.context import Cli, Command, F, keep_flag, pass_cli
from buttonhook.cli.daemon_log import logging_daemon
from buttonhook.cli.running import run, warn_of_broken_plugins
from buttonhook.cli.words import names_of_broken

MOST_FILES: Final = 65_536


def _setting(*names: str, **attributes: Any) -> Callable[[F], F]:
    return click.option(*names, expose_value=False, callback=keep_flag, **attributes)


@click.command("serve", cls=Command)
@_setting("--host", metavar="ADDRESS", help="Listen there. [default: 127.0.0.1]")
@_setting("--port", metavar="PORT", help="Listen on this port; 0: one that is free. [default: 8440]")
@_setting("--tls-cert", metavar="FILE", help="The certificate with its chain, as PEM.")
@_setting("--tls-key", metavar="FILE", help="The certificate's key, as PEM, if it is not in the same file.")
@_setting("--proxy", metavar="ADDRESS", multiple=True, help="A trusted proxy in front of it; repeatable.")
@_setting("--allowed-host", "allowed_hosts", metavar="NAME", multiple=True, help="A name it is called by; repeatable.")
@_setting("--grace", metavar="SECONDS", help="What running jobs have to end at a stop. [default: 20]")
@_setting("--log-format", metavar="text|json", help="How it writes its own log. [default: text]")
@pass_cli
def serve(cli: Cli) -> int:
    """Serve the web pages and the REST API, and run the jobs, until stopped.

    Stop it with SIGTERM or Ctrl-C: what runs gets time to end, then waits for the next start. A second one ends that
    time.
    """
    settings = cli.settings
    with logging_daemon(cli, settings.log_format):
        return run(_serve(cli))


async def _serve(cli: Cli) -> int:
    from buttonhook.app import open_app
    from buttonhook.http.binding import check_certificate, check_proxies, listening
    from buttonhook.http.serving import Signals, serving

    settings, log = cli.settings, logging.getLogger("buttonhook.daemon")
    check_certificate(settings)
    check_proxies(settings)
    _allow_connections()
    signals = Signals(lambda: os._exit(1))
    signals.opening = asyncio.current_task()
    try:
        with signals.caught(), listening(settings) as bound:
            async with open_app(settings=settings, accept_older=cli.accept_older) as app:
                cli.out.redactor = app.registry.redactor
                warn_of_broken_plugins(cli.out, names_of_broken(app.plugins))
                async with serving(app, bound, origins=cli.loaded.origins) as current:
                    signals.opening = None
                    log.info("Serving %s at %s (pid %d)", settings.database_path, current.url, current.daemon.pid)
                    _tell_set_up(cli, current)
                    await current.wait(signals.stop)
                    if not await current.stop(settings.grace, signals.hurry):
                        log.warning("Runs that did not end in time are cancelled and run again: %d", app.running_count)
    except asyncio.CancelledError:
        if not signals.stop.is_set():
            raise
        return 0  # it was stopped before it served
    return _leave(cli, app.stuck)


def _allow_connections() -> None:
    """As many open files as the system lets us have: the usual 1,024 are soon used up by readers of feeds."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _tell_set_up(cli: Cli, current: Any) -> None:
    """While no owner can log in, tell how one becomes able to. The code is shown here and nowhere else."""
    if current.daemon.setup.is_needed:
        link = f"{current.url}/setup#{current.daemon.setup.new_code()}"
        cli.out.stderr.write(f"Nobody can log in yet. Make the first owner here, once: {link}\n")
        cli.out.stderr.flush()


def _leave(cli: Cli, stuck: list[str]) -> int:
    """A receiver that does not stop must not keep the process: all that matters has been committed."""
    if stuck:
        cli.out.warn(f"Left behind, as they did not stop: {', '.join(stuck)}.")
        cli.out.flush()
        sys.stderr.flush()
        os._exit(0)
    return 0
