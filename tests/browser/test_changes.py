"""Changes: the list that tells of new ones, what differs, why hooks fired."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from buttonhook.records import ChangeQuery
from tests.browser.changed import RECEIVERS, gate, make_changes

CANARY = "<img src=x onerror=console.error('canary')>"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Any]:
    from tests.api.served import served_app

    async with served_app(tmp_path, receivers=RECEIVERS) as app:
        await make_changes(app.app)
        yield app
        gate.set()


async def test_a_list_is_filtered_and_tells_of_new_changes_without_jumping(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/changes")
    await page.get_by_role("link", name="Create").click()
    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("Object type").fill("dcim.location")
    await page.get_by_role("button", name="Show").click()
    await page.wait_for_url("**/changes?action=create&object_type=dcim.location")
    rows = page.locator("tbody tr")
    await expect(rows).to_have_count(1)
    await served.app.session(user="ann").objects("dcim.location").create(pk="new", name=CANARY)
    await expect(page.get_by_text("Show 1 new change")).to_be_visible()
    await expect(rows).to_have_count(1)
    await ann.look_over()
    await page.get_by_text("Show 1 new change").click()
    await expect(rows).to_have_count(2)
    await expect(rows.first).to_contain_text(CANARY)
    await page.get_by_label("Remove filter type dcim.location").click()
    await page.wait_for_url("**/changes?action=create")


async def test_a_change_shows_what_differs_and_what_came_of_it(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    (change,) = await served.app.changes(ChangeQuery(object_type="net.profile", limit=1))
    page = await ann.visit(f"/changes/{change.id}")
    await expect(page.locator("mark.diff-in").first).to_have_text("-ams")
    unchanged = page.locator(".diff-row-fold", has_text="unchanged: name, tags")
    await expect(unchanged.get_by_text("ams01-r1 profile", exact=True)).to_be_hidden()
    await unchanged.locator("summary").first.click()
    await expect(unchanged.get_by_text("ams01-r1 profile", exact=True)).to_be_visible()
    await page.keyboard.press("[")
    await page.wait_for_url(f"**/changes/{change.id - 1}")
    for part in ("/now", "/documents"):
        await ann.visit(f"/changes/{change.id - 1}{part}")
    (edited,) = await served.app.changes(ChangeQuery(object_type="dcim.device", limit=1))
    await page.goto(f"{served.url}/changes/{edited.id}")
    await expect(page.get_by_role("region", name="Job results that it caused").locator("tbody tr")).to_have_count(2)


async def test_a_change_is_read_on_a_phone_and_without_scripts(served: Any, visitor: Any) -> None:
    (change,) = await served.app.changes(ChangeQuery(object_type="net.profile", limit=1))
    phone = await visitor("ann", phone=True)
    for where in ("/changes", f"/changes/{change.id}", f"/changes/{change.id}/documents"):
        await phone.page.goto(served.url + where)
        assert await phone.is_within_width(), where
    await phone.visit(f"/changes/{change.id}")
    plain = await visitor("ann", scripts=False)
    await plain.page.goto(f"{served.url}/changes")
    await plain.page.locator("summary", has_text="Filter").click()
    await plain.page.get_by_label("By user").fill("ann")
    await plain.page.get_by_role("button", name="Show").click()
    await plain.page.wait_for_url("**/changes?user=ann")
    await plain.page.goto(f"{served.url}/changes/{change.id}")
    await expect(plain.page.locator("mark.diff-out").first).to_be_visible()


async def test_a_tree_of_causes_is_walked_and_goes_on_while_something_runs(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    await served.app.configuration.edit_hook("Approval", enabled=True)
    device = await served.app.session(user="ann").objects("dcim.device").get("r3")
    await device.delete()
    (change,) = await served.app.changes(ChangeQuery(object_type="dcim.device", limit=1))
    page = await ann.visit(f"/changes/{change.id}")
    runs = page.get_by_role("region", name="Job results that it caused")
    await expect(runs).to_contain_text("started")
    await page.get_by_role("link", name="Causes").click()
    held = page.locator(".cause", has_text="Wait for approval")
    await expect(held).to_contain_text("started")
    await ann.look_over()
    gate.set()
    await expect(held).to_contain_text("success in")
    await expect(page.locator(".cause-bar-success")).to_have_count(2)  # the one in the key, too
    await page.get_by_text("The same as a list").click()
    await ann.look_over()
    (made,) = await served.app.changes(ChangeQuery(context="job-hook", limit=1))
    await page.goto(f"{served.url}/changes/{made.id}/causes")
    await page.get_by_role("link", name="The whole tree").click()
    await page.get_by_role("link", name="Amsterdam 1").first.click()
    await page.wait_for_url(f"**/changes/{made.id}")
    phone = await visitor("ann", phone=True)
    await phone.visit(f"/results/{made.cause}/causes")
    assert await phone.is_within_width()


async def test_what_people_wrote_stays_text_on_every_page_of_a_change(served: Any, visitor: Any) -> None:
    await served.app.configuration.add_hook(CANARY, "CheckPower", ["net.profile"])
    session = served.app.session(user=CANARY, detail=CANARY)
    profile = await session.objects("net.profile").create(pk=f"a{CANARY.replace('/', '')}", name=CANARY, text=CANARY)
    profile[CANARY] = {CANARY: [CANARY]}
    profile.text = f"{CANARY}\n{CANARY}"
    await profile.save()
    await served.app.drain()
    (change,) = await served.app.changes(ChangeQuery(object_type="net.profile", limit=1))
    ann = await visitor("ann")
    for where in (
        "?user=%3Cimg%20src%3Dx%20onerror%3Dconsole.error('canary')%3E",
        f"/{change.id}",
        f"/{change.id}/causes",
    ):
        await ann.page.goto(f"{served.url}/changes{where}")
        page = ann.page
        await expect(page.locator("main")).to_contain_text(CANARY)
        await expect(page.locator("main img")).to_have_count(0)
