"""Pictures of pages, to be looked at: `python -m tests.browser.screenshots FOLDER [PATH ...]`.

Each path is taken on a desktop and a phone, in light and dark, on the database of `lived_in`.
"""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from tests.api.served import Served, served_app
from tests.browser.browsing import launched, visiting
from tests.browser.changed import RECEIVERS, make_changes

SIZES = {"desktop": False, "phone": True}
LOOKS = ("light", "dark")


async def lived_in(served: Served) -> None:
    """Something to look at: enabled jobs, objects, changes, runs that went well and badly."""
    app = served.app
    for job in ("SerialGuard", "Hello", "Clone", "Decommission"):
        await app.configuration.enable_job(job)
    await app.configuration.add_button("Say hello", job="Hello", object_types=["dcim.device", "dcim.location"])
    await app.configuration.add_button("Clone", job="Clone", object_types=["dcim.device"], group="Life cycle")
    await app.configuration.add_button(
        "Take out", job="Decommission", object_types=["dcim.device"], group="Life cycle", style="danger"
    )
    async with app.transaction(user="ann"):
        for site in ("lon01", "fra01", "rtm01"):
            await app.session(user="ann").objects("dcim.location").create(pk=site, name=site.upper(), facility="DC 4")
    await make_changes(app)


async def take(served: Served, folder: Path, paths: list[str]) -> None:
    """Write a picture of each path, size and look."""
    async with launched() as browser:
        for size, phone in SIZES.items():
            for look in LOOKS:
                async with visiting(served, browser, phone=phone, color_scheme=look) as ann:
                    await ann.log_in()
                    for path in paths:
                        await ann.page.goto(served.url + path)
                        name = path.strip("/").replace("/", "-").replace("?", "-") or "first"
                        await ann.page.screenshot(path=folder / f"{name}-{size}-{look}.png", full_page=True)


async def main(folder: Path, paths: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place:
        async with served_app(Path(place), receivers=RECEIVERS) as served:
            await lived_in(served)
            await served.app.drain()
            await take(served, folder, paths)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, sys.argv[2:] or ["/account"]))
