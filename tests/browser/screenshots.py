"""Pictures of pages, to be looked at: `python -m tests.browser.screenshots FOLDER [PATH ...]`.

Each path is taken on a desktop and a phone, in light and dark, on the database of the demo, which has an hour of life
in it. Without paths it is those of `PAGES`; words in braces, as in `/results/{failed}`, stand for something of that
database. With `--docs` the four that the documentation shows are written, too.
"""

import asyncio
import logging
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

from buttonhook.app import App, open_app
from buttonhook.cli.demo_daemon import make_past, prepared
from buttonhook.cli.demo_data import OWNER, Life
from buttonhook.http.binding import listening
from buttonhook.http.serving import serving
from buttonhook.ids import JobResultStatus
from buttonhook.records import ChangeQuery, ResultQuery
from tests.api.served import Served
from tests.browser.browsing import Visitor, launched, visiting
from tests.browser.png import tightened

SIZES = {"desktop": False, "phone": True}
LOOKS = ("light", "dark")
PAGES = (
    "/",
    "/objects/dcim.device",
    "/objects/dcim.device/ams01-edge-01",
    "/jobs",
    "/jobs/network_demo.ConfigBackup",
    "/hooks",
    "/hooks/{hook}",
    "/buttons",
    "/results",
    "/results/{running}",
    "/results/{failed}",
    "/changes",
    "/changes/{change}",
    "/changes/{change}/causes",
    "/permissions/new",
    "/audit",
)
DOCS = (
    ("dashboard", "/", "desktop", "light", ""),
    ("causes", "/changes/{change}/causes", "desktop", "light", ""),
    ("result", "/results/{running}", "desktop", "dark", ""),
    ("object-phone", "/objects/dcim.device/vie01-core-02", "phone", "light", "Say hello"),
)
"""Name, path, size and look of each picture of the documentation, and the button that is pressed for it."""
PICTURES = Path(__file__).parents[2] / "core" / "docs" / "pictures"
LIFE_SECONDS = 9
"""How long the demo goes on before pictures are taken: runs have logged something then."""


async def names(app: App) -> dict[str, str]:
    """What the words in braces stand for."""
    running = await app.results(ResultQuery(status=JobResultStatus.STARTED, ascending=True, limit=1))
    failed = await app.results(ResultQuery(status=JobResultStatus.FAILURE, limit=1))
    labelled = await app.results(ResultQuery(job="network_demo.LabelInterfaces", limit=20))
    caused = {each.id: await app.changes(ChangeQuery(cause=each.id, limit=1)) for each in labelled}
    cause = next((each for each in labelled if caused[each.id]), labelled[0])
    hook = next(each for each in app.configuration.hooks() if each.job == "network_demo.LabelInterfaces")
    return {
        "running": (running or failed)[0].id,
        "failed": failed[0].id,
        "change": str(cause.change_ids[0]),
        "hook": quote(hook.id, safe=""),
    }


async def picture(visitor: Visitor, url: str, file: Path, press: str = "") -> None:
    """One picture; a page that is not there says so instead."""
    page = visitor.page
    answer = await page.goto(url)
    if answer is None or not answer.ok:
        sys.stderr.write(f"{url}: {None if answer is None else answer.status}\n")
    if press:
        await page.get_by_role("button", name=press).click()
        await page.locator('.run[data-status="success"]').wait_for()
        await page.evaluate("scrollTo(0, 0)")
    await page.wait_for_timeout(300)  # what a page fetches for itself
    file.write_bytes(await page.screenshot())


async def take(served: Served, folder: Path, paths: list[str], docs: bool) -> None:
    """Write a picture of each path, size and look, and those of the documentation."""
    known = await names(served.app)
    wanted: list[tuple[str, str, str, Path, str]] = []
    if docs:  # first, while what takes long still runs
        PICTURES.mkdir(exist_ok=True)
        wanted += [(path, size, look, PICTURES / f"{name}.png", press) for name, path, size, look, press in DOCS]
    for path in paths:
        name = path.strip("/").replace("/", "-").replace("?", "-").replace("{", "").replace("}", "") or "dashboard"
        wanted += [(path, size, look, folder / f"{name}-{size}-{look}.png", "") for size in SIZES for look in LOOKS]
    async with launched() as browser, AsyncExitStack() as stack:
        visitors: dict[tuple[str, str], Visitor] = {}
        for path, size, look, file, press in wanted:
            if (size, look) not in visitors:
                options: dict[str, Any] = {"phone": SIZES[size], "color_scheme": look}
                visitors[size, look] = await stack.enter_async_context(visiting(served, browser, **options))
                await visitors[size, look].log_in(OWNER)
            await picture(visitors[size, look], served.url + path.format(**known), file, press)
            if file.parent == PICTURES:
                file.write_bytes(tightened(file.read_bytes()))


async def main(folder: Path, paths: list[str], docs: bool) -> None:
    with tempfile.TemporaryDirectory() as place:
        settings = prepared(Path(place))
        await make_past(settings, {})
        with listening(settings) as bound:
            async with open_app(settings=settings) as app, serving(app, bound) as current, AsyncExitStack() as stack:
                await Life(app).begin()
                await asyncio.sleep(LIFE_SECONDS)
                await take(Served(current, stack), folder, paths, docs)
                await app.stop_claiming(0)


if __name__ == "__main__":
    logging.getLogger().handlers[:] = [logging.NullHandler()]
    given = [each for each in sys.argv[1:] if each != "--docs"]
    target = Path(given[0] if given else "build/screenshots")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, given[1:] or list(PAGES), "--docs" in sys.argv))
