"""Pressing followed to the end by one feed: on one object, on many, on a thousand; and what ends the feed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.api.served import served_app
from tests.browser import runs
from tests.browser.runs import press


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Any]:
    """A served app with a button that waits, and one that takes devices out, unless they are active."""
    runs.Waiter.lines = asyncio.Queue()
    async with served_app(tmp_path, receivers=runs.RECEIVERS) as app:
        people = app.app.session(user="ann")
        await people.objects("dcim.location").create(pk="ams01", name="AMS01")
        for job, types in (("Waiter", ["dcim.location"]), ("Decommission", ["dcim.device"])):
            await app.app.configuration.enable_job(job)
            await app.app.configuration.add_button(
                job, job=job, object_types=types, text=job, confirmation=job != "Waiter"
            )
        yield app
        for _ in range(10):
            runs.Waiter.lines.put_nowait(None)


async def add_devices(served: Any, count: int, active: int) -> None:
    """Devices, some of which refuse to be taken out."""
    async with served.app.transaction(user="ann"):
        devices = served.app.session(user="ann").objects("dcim.device")
        for number in range(count):
            status = "active" if number < active else "offline"
            await devices.create(pk=f"r{number:04}", name=f"ams01-r{number:04}", status=status)


async def test_a_press_is_followed_line_by_line_without_asking_again(served: Any, visitor: Any) -> None:
    first = await press(served, "Waiter", "fra01")
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/objects/dcim.location/ams01")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.get_by_role("button", name="Waiter").click()
    run = page.locator(".run")
    await expect(run).to_contain_text("waits in its lane, 1 before it")
    runs.Waiter.lines.put_nowait(None)
    await expect(run).to_have_attribute("data-status", "started")
    runs.Waiter.lines.put_nowait(f"half done {runs.CANARY}")
    await expect(run).to_contain_text(f"half done {runs.CANARY}")
    await ann.look_over()
    runs.Waiter.lines.put_nowait(None)
    await expect(run).to_have_attribute("data-status", "success")
    await expect(run).to_contain_text("let go")
    await expect(run.get_by_role("link", name="Result 2")).to_be_visible()
    assert len([each for each in asked if "/runs" in each]) == 1, asked
    assert first.number == 1


async def test_what_an_edit_fires_arrives_on_the_page_of_the_object(served: Any, visitor: Any) -> None:
    await served.app.configuration.enable_job("Follower")
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/objects/dcim.location/ams01/edit")
    await page.get_by_label("Facility").fill("DC 7")
    await page.get_by_role("button", name="Save").click()
    run = page.locator(".run")
    await expect(run).to_have_attribute("data-status", "failure")
    await expect(run.locator(".run-reason")).to_contain_text("No such rack in the plan")
    await expect(run.locator(".log")).to_contain_text("update of AMS01")


async def test_who_is_logged_out_while_a_run_is_followed_is_led_to_log_in(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/objects/dcim.location/ams01")
    await page.get_by_role("button", name="Waiter").click()
    await expect(page.locator(".run")).to_have_attribute("data-status", "started")
    await served.app.administration.set_password("ann", "another battery staple")
    link = page.get_by_role("link", name="Log in again")
    await expect(link).to_have_attribute("href", "/login?next=%2Fobjects%2Fdcim.location%2Fams01")
    await ann.look_over()


async def test_a_feed_that_the_daemon_ended_goes_on_where_it_was(served: Any, visitor: Any) -> None:
    result = await press(served, "Waiter")
    ann = await visitor("ann")
    asked: list[str] = []

    async def stop_once(route: Any) -> None:
        asked.append(route.request.url)
        if len(asked) > 1:
            await route.continue_()
            return
        told = 'event: end\ndata: {"reason":"stopping","detail":"The daemon stops.","last_id":"77"}\n\n'
        await route.fulfill(content_type="text/event-stream", body=told)

    await ann.page.route("**/logs/feed?*", stop_once)
    page = ann.page
    await page.goto(f"{served.url}/results/{result.id}")
    await expect(page.locator(".log-line").nth(1)).to_contain_text("Waits on AMS01")
    await expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    assert asked[1].endswith("/logs/feed?after=77")
    runs.Waiter.lines.put_nowait(None)
    await expect(page.locator('[data-piece="status"]')).to_have_text("success")


async def test_a_thousand_objects_show_what_became_of_each(served: Any, visitor: Any) -> None:
    await add_devices(served, 1000, active=3)
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/objects/dcim.device?f.name__startswith=ams01")
    await page.get_by_label("All on this page").check()
    await page.get_by_label("all that fit, up to 1,000").check()
    await page.get_by_role("button", name="Decommission").click()
    await expect(page.locator("main")).to_contain_text("on 1000 objects")
    await page.get_by_role("button", name="Decommission").click()
    await page.wait_for_url("**/runs?numbers=1-1000")
    await expect(page.locator(".runs-told")).to_have_text("All 1,000 have ended", timeout=30_000)
    await expect(page.locator(".run")).to_have_count(1000)
    await page.get_by_role("button", name="3 failure").click()
    shown = page.locator(".run:visible")
    await expect(shown).to_have_count(3)
    await expect(shown.first).to_contain_text("ams01-r0000 is active")


async def test_more_objects_than_can_be_pressed_on_at_once_are_refused(served: Any, visitor: Any) -> None:
    await add_devices(served, 1001, active=0)
    browser = await served.browser("bob", "dcim.view_device", "jobs.run_job")
    (button,) = [each for each in served.app.configuration.buttons() if each.name == "Decommission"]
    fields = {"csrf_token": browser.headers["X-CSRF-Token"], "button": button.id, "picked": "all"}
    answer = await browser.post("/objects/dcim.device", data=fields)
    assert answer.status_code == 422, answer.text
    assert "More than 1,000 objects fit" in answer.text
    answer = await browser.post("/objects/dcim.device?f.pk=r0007&q=0007", data={**fields, "confirmed": button.id})
    assert (answer.status_code, answer.headers["location"]) == (303, "/runs?numbers=1")


async def test_a_feed_of_runs_tells_nobody_of_runs_that_they_may_not_see(served: Any) -> None:
    result = await press(served, "Waiter")
    runs.Waiter.lines.put_nowait(None)
    await served.app.drain(10)
    bob = await served.browser("bob", "dcim.view_location")
    answer = await bob.get(f"/runs/feed?numbers={result.number}&detailed={result.number}")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "Waiter" not in answer.text
    assert '"reason":"done"' in answer.text
    ann = await served.browser("ann")
    told = (await ann.get(f"/runs/feed?numbers={result.number}&detailed={result.number}")).text
    assert f"run-{result.id}" in told
    assert "Waits on AMS01" in told
    for bad in ("x", "1-5000", "5-1", "1." * 30):
        assert (await ann.get(f"/runs/feed?numbers={bad}")).status_code == 400, bad
