"""The first page: what runs, what failed, what waits, the hour in charts, as one user may see it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from buttonhook import JobHookReceiver
from buttonhook.people import Constraint
from tests.api.served import served_app

CANARY = "<img src=x onerror=console.error('canary')>"


class Slow(JobHookReceiver):
    """Goes on until it is let go."""

    goes_on: asyncio.Event

    class Meta:
        name = f"Slow {CANARY}"
        object_types = ["dcim.device"]

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        self.logger.info("reading %s", CANARY)
        await Slow.goes_on.wait()


class Faulty(JobHookReceiver):
    class Meta:
        name = "Faulty"
        object_types = ["dcim.location"]

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        raise RuntimeError(f"no route to {CANARY}")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Any]:
    """A daemon with one job that takes long and one that fails."""
    Slow.goes_on = asyncio.Event()
    async with served_app(tmp_path, receivers=[Slow, Faulty]) as app:
        for job in ("Slow", "Faulty"):
            await app.app.configuration.enable_job(
                next(j.id for j in app.app.configuration.jobs() if j.id.endswith(job))
            )
        yield app
        Slow.goes_on.set()


async def change_devices(served: Any, *pks: str) -> None:
    devices = served.app.session(user="ann").objects("dcim.device")
    for pk in pks:
        known = await devices.find(pk)
        if known is None:
            await devices.create(pk=pk, name=f"{pk} {CANARY}")
        else:
            known.comments = f"{known.version}"
            await known.save()


async def test_the_first_page_shows_what_runs_waits_and_failed_and_goes_on_by_itself(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/")
    await expect(page.locator("#now-running")).to_contain_text("Nothing runs at the moment.")
    await expect(page.locator(".dash-live")).to_have_text("live")

    await change_devices(served, "r1", "r1", "r1")
    await served.app.session(user="ann").objects("dcim.location").create(pk="ams01", name="Amsterdam")
    running = page.locator("#now-running .feed-item")
    await expect(running).to_have_count(1)
    await expect(running).to_contain_text(f"Slow {CANARY} on r1 {CANARY}")
    await expect(running.locator(".feed-line")).to_contain_text(f"reading {CANARY}")
    waiting = page.locator("#now-waiting .feed-item")
    await expect(waiting).to_contain_text("2 in line")
    await expect(waiting).to_contain_text("behind result 1, which runs; for ann")
    failed = page.locator("#now-failed .feed-item")
    await expect(failed).to_contain_text(f"RuntimeError: no route to {CANARY}")
    await expect(page.locator("#now-health")).to_contain_text("writes work")
    await expect(page.locator("#now-health")).to_contain_text("free of")
    await ann.look_over()

    await page.locator(".chart-figures summary").first.click()
    await expect(page.get_by_role("region", name="Figures of Job results a minute")).to_contain_text("this minute")
    await page.locator(".chart-figures summary").first.click()
    Slow.goes_on.set()
    await expect(page.locator("#now-running")).to_contain_text("Nothing runs at the moment.")
    await expect(page.locator(".dash-strip")).to_contain_text("Succeeded in the hour 3")


async def test_the_first_page_fits_a_phone_and_needs_no_script(served: Any, visitor: Any) -> None:
    await change_devices(served, "r1", "r1")
    ann = await visitor("ann", phone=True, scripts=False)
    page = ann.page
    await page.goto(served.url + "/")
    await expect(page.locator("#now-running .feed-item")).to_have_count(1)
    await expect(page.locator("#now-waiting")).to_contain_text("behind result 1")


async def test_what_one_may_not_see_is_neither_shown_nor_counted(served: Any, visitor: Any) -> None:
    await change_devices(served, "r1")
    await served.app.session(user="ann").objects("dcim.location").create(pk="ams01", name="Amsterdam")
    await served.user("bob", "jobs.view_jobresult", "jobs.view_objectchange", "dcim.view_location")
    limits = [Constraint("pk", "=", "r2")]
    await served.app.administration.grant(["dcim.view_device"], users=["bob"], constraints=limits)
    bob = await visitor("bob")
    page = await bob.visit("/")
    await expect(page.locator("#now-running")).to_contain_text("Nothing runs at the moment.")
    await expect(page.locator("#now-failed .feed-item")).to_have_count(1)
    await expect(page.locator("#now-failed")).to_contain_text("You lack jobs.run_job")
    await expect(page.locator(".dash-strip")).to_contain_text("Changes in the hour 1")
    await expect(page.locator(".chart-foot")).to_contain_text("only some of their objects: dcim.device")
    await expect(page.locator("#now-health")).not_to_contain_text("free of")

    await served.user("eve")
    eve = await visitor("eve")
    await expect((await eve.visit("/")).get_by_text("You may see nothing yet")).to_be_visible()
