"""Job results: the list as it lives, the page of one with its log, pressing followed to the end, on one and on many."""

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
    """A served app with receivers that wait, talk and fail."""
    runs.Waiter.lines = asyncio.Queue()
    async with served_app(tmp_path, receivers=runs.RECEIVERS, log_lines=200_000, log_bytes=100_000_000) as app:
        yield app
        for _ in range(10):
            runs.Waiter.lines.put_nowait(None)


async def test_the_list_changes_in_place_and_tells_what_is_new(served: Any, visitor: Any) -> None:
    await press(served, "Canary")
    first = await press(served, "Waiter")
    second = await press(served, "Waiter", "fra01")
    ann = await visitor("ann")
    page = await ann.visit("/results")
    await expect(page.locator("[data-live]")).to_have_attribute("data-state", "live")
    running, waiting = page.locator(f"#row-{first.number}"), page.locator(f"#row-{second.number}")
    await expect(running).to_contain_text("started")
    await expect(waiting).to_contain_text("waits in its lane, 1 before it")
    runs.Waiter.lines.put_nowait(None)
    await expect(running).to_contain_text("success")
    await expect(waiting).to_contain_text("started")
    await press(served, "Teller")
    bar = page.locator("[data-news]")
    await expect(bar).to_have_text("Show 1 new result")
    await expect(page.locator("tbody tr")).to_have_count(3)
    await ann.look_over()
    await bar.click()
    await expect(page.locator("tbody tr")).to_have_count(4)
    await page.locator(".segments").get_by_text("Failure").click()
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text(runs.CANARY)


async def test_the_list_is_filtered_by_a_form_and_by_its_chips(served: Any, visitor: Any) -> None:
    for name, pk in (("Teller", "ams01"), ("Teller", "fra01"), ("Canary", "ams01")):
        await press(served, name, pk)
    ann = await visitor("ann")
    page = await ann.visit("/results")
    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("Job", exact=True).fill("Teller")
    await page.get_by_label("Object type").fill("dcim.location")
    await page.get_by_label("Object key").fill("fra01")
    await page.get_by_label("Until").fill("2999-01-01T10:30")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.wait_for_url("**/results?job=Teller&object_type=dcim.location&object_pk=fra01&until=2999-01-01T*")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await ann.look_over()
    await page.get_by_label("Remove filter type dcim.location").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await ann.visit("/results?object_pk=x", refused=400)
    await ann.visit("/results?status=lost", refused=400)


async def test_what_waits_and_what_runs_is_cancelled_and_rerun_from_dialogs(served: Any, visitor: Any) -> None:
    first = await press(served, "Waiter")
    second = await press(served, "Waiter", "fra01")
    ann = await visitor("ann")
    page = await ann.visit("/results")
    for each in (second, first):
        row = page.locator(f"#row-{each.number}")
        await row.get_by_role("link", name="Cancel").click()
        dialog = page.get_by_role("dialog")
        await expect(dialog).to_contain_text("Waiter")
        await ann.look_over()
        await dialog.get_by_role("button", name="Cancel the run").click()
        await expect(page.get_by_role("status")).to_contain_text(f"Result {each.number} is")
        await expect(row).to_contain_text("revoked")
        await expect(row).to_contain_text("cancelled by ann")
    await page.locator(f"#row-{first.number}").get_by_role("link", name="Rerun").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rerun").click()
    await expect(page.get_by_role("status")).to_contain_text("It runs again, as result 3.")
    await expect(page.locator("#row-3")).to_contain_text("rerun")


async def test_who_may_only_look_sees_why_and_is_refused(served: Any, visitor: Any) -> None:
    done, running = await press(served, "Teller"), await press(served, "Waiter")
    await served.user("bob", "jobs.view_jobresult", "dcim.view_location")
    bob = await visitor("bob")
    page = await bob.visit("/results")
    cancel = page.locator(f"#row-{running.number} .cell-acts")
    await expect(cancel).to_contain_text("You lack jobs.cancel_jobresult")
    await expect(page.locator(f"#row-{done.number} .cell-acts")).to_contain_text("You lack jobs.run_job")
    browser = await served.browser("bob")
    token = {"csrf_token": browser.headers["X-CSRF-Token"]}
    for result, act in ((running, "cancel"), (done, "rerun")):
        answer = await browser.post(f"/results/{result.id}/{act}", data=token)
        assert answer.status_code == 403, answer.text


async def test_the_list_works_without_scripts_and_fits_a_phone(served: Any, visitor: Any) -> None:
    result = await press(served, "Waiter")
    ann = await visitor("ann", scripts=False)
    await ann.page.goto(f"{served.url}/results")
    await ann.page.get_by_role("link", name="Cancel").click()
    await ann.page.get_by_role("button", name="Cancel the run").click()
    await expect(ann.page.get_by_role("status")).to_contain_text(f"Result {result.number} is told to stop")
    small = await visitor("ann", phone=True)
    for path in ("/results", f"/results/{result.id}/rerun"):
        await small.visit(path)
        assert await small.is_within_width(), path
