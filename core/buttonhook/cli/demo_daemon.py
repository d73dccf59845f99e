"""`buttonhook demo`: the daemon on a throw-away database that looks as if it had been in use for an hour."""

import asyncio
import logging
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from buttonhook.cli.context import Cli
from buttonhook.cli.demo_data import BROKEN_PLUGIN, OPERATOR, OWNER, Life, fill
from buttonhook.cli.demo_past import Spell, move_back
from buttonhook.errors import SettingsError
from buttonhook.ids import now
from buttonhook.settings import SQLITE_SCHEME, Settings

PACKAGES: Final = ("buttonhook-dcim", "buttonhook-examples", "network_demo", "sync_inventory")
PLUGINS: Final = Path(__file__).with_name("demo_plugins")
MINUTE: Final = 60_000_000
PAST_MINUTES: Final = 58
PACE: Final = 0.002
"""How much quicker what takes time is while the past is made."""
LONGEST_SPELL: Final = 50_000_000
GRACE_SECONDS: Final = 0.5
BUSY: Final = (28, 29, 30, 31)
"""Minutes ago in which much was done."""
QUIET: Final = (9, 10, 11, 12, 13)


async def serve_demo(cli: Cli, port: int) -> int:
    """Make the database, serve it until the demo is stopped, and remove it."""
    from buttonhook.http.serving import Signals

    passwords = {name: f"demo-{secrets.token_hex(4)}" for name in (OWNER, OPERATOR)}
    signals = Signals(lambda: os._exit(1))
    signals.opening = asyncio.current_task()
    try:
        with _silent(), signals.caught(), tempfile.TemporaryDirectory(prefix="buttonhook-demo-") as folder:
            settings = prepared(Path(folder), port)
            await make_past(settings, passwords)
            await _serve(cli, settings, passwords, signals)
    except asyncio.CancelledError:
        if not signals.stop.is_set():
            raise  # else it was stopped before it served
    cli.out.line("The demo is over; its database is gone.")
    return 0


def prepared(folder: Path, port: int = 0) -> Settings:
    """The settings of a demo in a folder, with its plugins put there."""
    plugins = folder / "plugins"
    plugins.mkdir()
    shutil.copy(PLUGINS / "network_demo.py", plugins)
    (plugins / "sync_inventory.py").write_text(BROKEN_PLUGIN, encoding="utf-8")
    return Settings(
        db=f"{SQLITE_SCHEME}{folder / 'demo.db'}",
        user=OWNER,
        port=port,
        allowed_plugins=PACKAGES,
        plugins_dir=str(plugins),
        grace=GRACE_SECONDS,
        plugins={"network_demo": {"snmp_community": "not-so-public"}},
    )


async def make_past(settings: Settings, passwords: dict[str, str]) -> None:
    """Fill the database with an hour of life."""
    from buttonhook.app import open_app

    quick = {"network_demo": {"pace": PACE}}
    async with open_app(settings=msgspec.structs.replace(settings, plugins=quick)) as app:
        moment = now()
        spells = [Spell(moment, moment - (PAST_MINUTES + 9) * MINUTE, 1.0)]
        await fill(app, passwords)
        life = Life(app)
        for minute in range(PAST_MINUTES, 0, -1):
            began = now()
            if minute == BUSY[0]:
                await life.change_all_of("fra01")
            for _ in range(9 if minute in BUSY else 0 if minute in QUIET else 1 + minute * 7 % 4):
                await life.step()
            await app.drain()
            took = max(1, now() - began)
            belongs = moment - minute * MINUTE + minute * 7_919_000 % 5_000_000
            spells.append(Spell(began, belongs, min(1 / PACE, LONGEST_SPELL / took)))
    move_back(settings.database_path, spells)


@contextmanager
def _silent() -> Iterator[None]:
    """No log of the daemon's own: that a plugin is broken and jobs fail belongs to the demo, and is shown there."""
    root = logging.getLogger()
    before = root.handlers[:]
    root.handlers[:] = [logging.NullHandler()]
    try:
        yield
    finally:
        root.handlers[:] = before


async def _serve(cli: Cli, settings: Settings, passwords: dict[str, str], signals: Any) -> None:
    from buttonhook.app import open_app
    from buttonhook.http.serving import serving

    with _bound(settings) as bound:
        async with open_app(settings=settings) as app, serving(app, bound) as current:
            signals.opening = None
            cli.out.redactor = app.registry.redactor
            _tell(cli, current.url, settings, passwords)
            life = asyncio.create_task(_live(app), name="demo")
            try:
                await current.wait(signals.stop)
            finally:
                life.cancel()
                await asyncio.gather(life, return_exceptions=True)
                await current.stop(settings.grace, signals.hurry)


@contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """The port that was asked for, or one that is free where it is taken."""
    from buttonhook.http.binding import listening

    try:
        with listening(settings) as bound:
            yield bound
            return
    except SettingsError:
        if settings.port == 0:
            raise
    with listening(msgspec.structs.replace(settings, port=0)) as bound:
        yield bound


def _tell(cli: Cli, url: str, settings: Settings, passwords: dict[str, str]) -> None:
    out = cli.out
    out.line()
    out.styled(("Buttonhook runs at ", ""), (url, "bold cyan"))
    if settings.port and not url.endswith(f":{settings.port}"):
        out.line(f"(port {settings.port} is taken, so it is another one)")
    out.line()
    told = {OWNER: "an owner: may do everything", OPERATOR: "an operator: presses buttons, edits the Dutch devices"}
    for name, what in told.items():
        out.line(f"  log in as {name:<6} with {passwords[name]}   {what}")
    out.line()
    out.line("It has an hour of life in it and goes on. Ctrl-C stops it and removes its database.")
    out.flush()


async def _live(app: Any) -> None:
    """Go on as in the past, at the pace of people."""
    life = Life(app)
    await life.begin()
    while True:
        await asyncio.sleep(4)
        await life.step()
