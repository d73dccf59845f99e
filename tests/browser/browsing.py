"""What the browser tests share: Chromium, pages that are watched for whatever must not happen, and axe on each."""

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response, async_playwright

from tests.api.served import OWNER, PASSWORD, Served

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser") or "/usr/bin/chromium"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--font-render-hinting=none",
)
DESKTOP: Final = {"width": 1360, "height": 850}
PHONE: Final = {"width": 390, "height": 844}
WATCH_POLICY: Final = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""
SERIOUS: Final = ("serious", "critical")
TIMEOUT_MS: Final = 8000


def has_chromium() -> bool:
    """Whether there is a browser on this machine."""
    return Path(CHROMIUM).exists()


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A Chromium of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


class Visitor:
    """A person at a browser. `page` is watched: see `complaints`."""

    def __init__(self, served: Served, context: BrowserContext, page: Page) -> None:
        self.served, self.context, self.page = served, context, page
        self.complaints: list[str] = []
        self.refusals: list[int] = []
        """Statuses of 400 and above that this visit is to meet; each is taken off when it is met."""
        self._host = urlsplit(served.url).netloc
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self.complaints.append(f"script: {error}"))
        page.on("request", self._on_request)
        page.on("response", self._on_response)

    def _on_console(self, message: ConsoleMessage) -> None:
        # That an answer was a refusal is told by `_on_response`.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
            self.complaints.append(f"request to another host: {request.url}")

    def _on_response(self, response: Response) -> None:
        if response.status < 400:
            return
        if response.status in self.refusals:
            self.refusals.remove(response.status)
        else:
            self.complaints.append(f"{response.status} of {response.request.method} {response.url}")

    async def visit(self, path: str, *, refused: int | None = None) -> Page:
        """Go to a page, and look it over."""
        if refused is not None:
            self.refusals.append(refused)
        await self.page.goto(self.served.url + path)
        await self.look_over()
        return self.page

    async def log_in(self, name: str = OWNER) -> None:
        """Begin a session as the form does, without its pages; whoever it is has the tests' password."""
        app = self.served.app
        record = app.administration.get_user(name)
        if not record.password_hash:
            await app.administration.set_password(name, PASSWORD)
        _, text = await app.logins.begin(name, "127.0.0.1")
        cookie = self.served.daemon.cookie_name("http")
        await self.context.add_cookies([{"name": cookie, "value": text, "url": self.served.url}])

    async def look_over(self) -> None:
        """Let axe judge the page as it is: what it calls serious fails the test."""
        found = (await Axe().run(self.page)).response["violations"]
        for each in found:
            if each["impact"] in SERIOUS:
                places = [node["html"][:160] + " " + node["failureSummary"][:300] for node in each["nodes"][:3]]
                self.complaints.append(f"axe {each['id']} on {self.page.url}: {each['help']}: {json.dumps(places)}")

    async def is_within_width(self) -> bool:
        """Whether nothing sticks out at the side."""
        wide: Any = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return bool(wide <= 0)

    def settle(self) -> None:
        """Raise what was complained of."""
        left = [f"refusal {each} was expected and did not come" for each in self.refusals]
        assert not [*self.complaints, *left], "\n".join([*self.complaints, *left])


@asynccontextmanager
async def visiting(
    served: Served, browser: Browser, *, phone: bool = False, scripts: bool = True, **options: Any
) -> AsyncIterator[Visitor]:
    """Somebody new at a browser, with a desktop's or a phone's screen."""
    size: Any = PHONE if phone else DESKTOP
    context = await browser.new_context(viewport=size, java_script_enabled=scripts, locale="en-GB", **options)
    context.set_default_timeout(TIMEOUT_MS)
    if scripts:
        await context.add_init_script(WATCH_POLICY)
    try:
        yield Visitor(served, context, await context.new_page())
    finally:
        await context.close()
