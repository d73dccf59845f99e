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
    ann = await visitor("ann", timezone_id="Asia/Tokyo")
    page = await ann.visit("/results")
    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("Job", exact=True).fill("Teller")
    await page.get_by_label("Object type").fill("dcim.location")
    await page.get_by_label("Object key").fill("fra01")
    await page.get_by_label("Until", exact=True).fill("2999-01-01T10:30")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.wait_for_url("**/results?job=Teller&object_type=dcim.location&object_pk=fra01&until=2999-01-01T*")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await ann.look_over()
    await expect(page.locator(".chips")).to_contain_text("until 2999-01-01 01:30 UTC")
    await page.locator("summary", has_text="Filter").click()
    await expect(page.get_by_label("Until", exact=True)).to_have_value("2999-01-01T10:30")
    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("Remove filter type dcim.location").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    (button,) = [each for each in served.app.configuration.buttons() if each.name == "Canary"]
    await page.goto(f"{served.url}/results?button={button.id}")
    await expect(page.locator(".chip")).to_contain_text("job button Canary")
    await expect(page.locator("tbody tr")).to_have_count(1)
    browser = await served.browser("ann")
    for bad in ("object_pk=x", "status=lost", "period=age", "change=x", "since=then"):
        assert (await browser.get(f"/results?{bad}")).status_code == 400, bad


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
        if each is second:
            await ann.look_over()
        await dialog.get_by_role("button", name="Cancel the run").click()
        await expect(page.get_by_role("status")).to_contain_text(f"Result {each.number} is")
        await expect(row).to_contain_text("revoked")
        await expect(row).to_contain_text("cancelled by ann")
        await page.wait_for_load_state()  # before the scripts are there, the next link leads to a page that asks
    await page.locator(f"#row-{first.number}").get_by_role("link", name="Rerun").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rerun").dblclick()
    await expect(page.get_by_role("status")).to_contain_text("It runs again, as result 3.")
    await expect(page.locator("tbody tr")).to_have_count(3)
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
        await small.page.goto(served.url + path)
        assert await small.is_within_width(), path


async def test_a_failed_run_tells_its_reason_and_what_it_said_stays_text(served: Any, visitor: Any) -> None:
    result = await press(served, "Canary")
    await served.app.drain(10)
    ann = await visitor("ann")
    page = await ann.visit(f"/results/{result.id}")
    await expect(page.locator(".outcome-failure")).to_contain_text(f"ValueError: {runs.CANARY}")
    await expect(page.locator(".outcome-trace pre")).to_be_hidden()
    await page.get_by_text("Traceback", exact=True).click()
    await expect(page.locator(".outcome-trace pre")).to_contain_text("receive_job_button")
    lines = page.locator(".log-line")
    await expect(lines).to_have_count(4)
    await expect(lines.nth(1)).to_contain_text(runs.CANARY)
    await expect(page.locator("[data-live]")).to_be_hidden()
    await expect(lines.nth(1).get_by_role("link", name="AMS01")).to_have_attribute(
        "href", "/objects/dcim.location/ams01"
    )
    await ann.look_over()
    await page.get_by_label("Least level").select_option("warning")
    await expect(lines).to_have_count(2)
    await page.get_by_label("Search the log").fill("FROM else")
    await expect(page.locator(".log-line mark")).to_have_text("from else")
    await expect(page.locator("[data-count]")).to_have_text("1 of 4 lines")
    await page.locator(".log-no").click()
    await expect(page.locator(".log-marked")).to_have_count(1)
    assert page.url.endswith("#line-1.3")
    for path in (f"/results/{result.number}/logs?line=1.3", f"/results/{(await press(served, 'Teller')).id}"):
        await ann.visit(path)
    await expect(page.locator(".outcome-value")).to_contain_text(runs.CANARY)
    browser = await served.browser("ann")
    for path, status in ((f"/results/{result.id}/logs?level=loud", 400), ("/results/nowhere", 404)):
        assert (await browser.get(path)).status_code == status, path


async def test_a_result_is_followed_from_waiting_to_its_end(served: Any, visitor: Any) -> None:
    await press(served, "Waiter")
    result = await press(served, "Waiter", "fra01")
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/results/{result.id}")
    status = page.locator('[data-piece="status"]')
    await expect(page.locator(".run-figures")).to_contain_text("waits in its lane, 1 before it")
    runs.Waiter.lines.put_nowait(None)
    await expect(status).to_have_text("started")
    for number in range(60):
        runs.Waiter.lines.put_nowait(f"step {number}")
    await expect(page.get_by_text("step 59")).to_be_in_viewport()
    await page.locator(".log-box").hover()
    await page.mouse.wheel(0, -400)
    await expect(page.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    runs.Waiter.lines.put_nowait("the last step")
    await page.get_by_role("button", name="1 new line").click()
    await expect(page.get_by_text("the last step")).to_be_in_viewport()
    await ann.look_over()
    runs.Waiter.lines.put_nowait(None)
    await expect(status).to_have_text("success")
    await expect(page.locator(".outcome-value")).to_contain_text("let go")
    await expect(page.get_by_role("link", name="Rerun")).to_be_visible()
    await expect(page.locator("[data-live]")).to_be_hidden()


async def test_a_run_is_cancelled_on_its_page(served: Any, visitor: Any) -> None:
    result = await press(served, "Waiter")
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/results/{result.id}")
    await page.get_by_role("link", name="Cancel").click()
    await page.get_by_role("dialog").get_by_role("button", name="Cancel the run").click()
    await expect(page.locator('[data-piece="status"]')).to_have_text("revoked")
    await expect(page.locator('[data-piece="outcome"]')).to_contain_text("cancelled by ann")


async def test_a_result_tells_what_began_it_and_what_came_of_it(served: Any, visitor: Any) -> None:
    await served.app.configuration.enable_job("Follower")
    await press(served, "Teller")
    location = await served.app.session(user="ann").objects("dcim.location").get("ams01")
    location.facility = "DC 2"
    await location.save()
    await served.app.configuration.enable_job("Clone")
    await served.app.configuration.add_button("Clone", job="Clone", object_types=["dcim.location"])
    (clone,) = await served.app.press("Clone", "dcim.location", ["ams01"], "ann")
    await served.app.drain(10)
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/results/{clone.id}")
    await expect(page.locator(".caused")).to_contain_text("create")
    await page.locator(".caused").get_by_role("link", name="Follower").click()
    await expect(page.locator(".facts")).to_contain_text("job hook Follower")
    await expect(page.get_by_role("link", name="the run before it")).to_have_attribute("href", f"/results/{clone.id}")
    await page.goto(f"{served.url}/results?job=Follower&status=failure")
    await page.locator("tbody a").first.click()
    await page.get_by_text("What was changed: 1 field").click()
    await expect(page.locator(".given")).to_contain_text("DC 2")
    await ann.look_over()


async def test_the_attempts_of_a_run_are_told_apart(served: Any, visitor: Any) -> None:
    result = await press(served, "Again")
    await served.app.drain(10)
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/results/{result.id}")
    await expect(page.locator(".run-figures")).to_contain_text("2 failed before")
    await expect(page.locator(".log-attempt")).to_have_text(["Attempt 2", "Attempt 3"])
    await page.get_by_label("Attempt", exact=True).select_option("2")
    await expect(page.locator(".log-line")).to_have_count(3)
    await expect(page.locator(".log-line").nth(1)).to_contain_text("attempt 2")
    browser = await served.browser("ann")
    plain = (await browser.get(f"/results/{result.id}/logs?attempt=3")).text
    assert "line-3.1" in plain
    assert "line-2.1" not in plain


async def test_a_hundred_thousand_lines_are_scrolled_and_searched_with_few_elements(
    served: Any, visitor: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(runs.Talker, "count", 100_000)
    result = await press(served, "Talker")
    await served.app.drain(60)
    ann = await visitor("ann")
    page = ann.page
    await page.goto(f"{served.url}/results/{result.id}/logs?line=1.50000#line-1.50000")
    await expect(page.locator("[data-count]")).to_have_text("100,002 lines", timeout=30_000)
    await expect(page.locator(".log-marked")).to_be_in_viewport()
    await expect(page.locator(".log-marked .log-no")).to_have_text("50000")
    frames = await page.locator(".log-box").evaluate(
        """async (box) => {
            const frames = [];
            let last = performance.now();
            for (let turn = 0; turn < 100; turn += 1) {
                box.scrollTop += turn % 20 ? 500 : 150000;
                await new Promise(requestAnimationFrame);
                frames.push(performance.now() - last);
                last = performance.now();
            }
            box.scrollTop = box.scrollHeight;
            return frames.sort((a, b) => a - b);
        }"""
    )
    assert frames[50] < 100, frames  # 17 ms where nothing else runs
    await expect(page.get_by_text("Job completed")).to_be_in_viewport()
    assert await page.locator(".log-line").count() < 200
    await page.get_by_label("Search the log").fill("Port 77777 ")
    await expect(page.locator("[data-count]")).to_have_text("1 of 100,002 lines")
    await page.get_by_label("Search the log").fill("")
    await page.get_by_label("Grouping").select_option("rack 3")
    await expect(page.locator("[data-count]")).to_have_text("50 of 100,002 lines")


async def test_a_log_is_read_without_scripts_and_on_a_phone(served: Any, visitor: Any) -> None:
    result = await press(served, "Talker")
    await served.app.drain(10)
    plain = await visitor("ann", scripts=False)
    page = plain.page
    await page.goto(f"{served.url}/results/{result.id}")
    await page.get_by_role("link", name="Next lines").click()
    await expect(page.locator(".log-no").first).to_have_text("201")
    await page.get_by_role("link", name="End").click()
    await expect(page.locator(".log-line").last).to_contain_text("Job completed")
    await page.get_by_label("Search the log").fill("port 7 ")
    await page.get_by_role("button", name="Show").click()
    await expect(page.locator(".log-line")).to_have_count(1)
    await page.locator(".log-no").click()
    await expect(page.locator(".log-marked")).to_contain_text("Port 7 ")
    small = await visitor("ann", phone=True)
    for path in (f"/results/{result.id}", f"/results/{result.id}/logs"):
        await small.visit(path)
        assert await small.is_within_width(), path


async def test_who_may_not_see_a_log_is_told_so(served: Any, visitor: Any) -> None:
    result = await press(served, "Teller")
    await served.user("bob", "jobs.view_jobresult", "dcim.view_location")
    bob = await visitor("bob")
    page = bob.page
    await page.goto(f"{served.url}/results/{result.id}")
    await expect(page.get_by_text("You lack jobs.view_joblogentry")).to_be_visible()
    await expect(page.locator('[data-piece="status"]')).to_have_text("success")
