"""Objects: lists, forms, pressing on one and on many, what one may not do."""

import re
from typing import Any

import pytest
from playwright.async_api import expect

CANARY = "<img src=x onerror=console.error('canary')>"


@pytest.fixture
async def stocked(served: Any) -> Any:
    """Some devices and buttons to press on them."""
    app = served.app
    for job in ("Hello", "Decommission"):
        await app.configuration.enable_job(job)
    await app.configuration.add_button(
        "Hello", job="Hello", object_types=["dcim.device"], text="Hello {name}", confirmation=False
    )
    await app.configuration.add_button(
        "Take out", job="Decommission", object_types=["dcim.device"], text="Take out", group="Life cycle"
    )
    session = app.session(user="ann")
    await session.objects("dcim.location").create(pk="ams01", name="Amsterdam")
    for number, status in enumerate(("active", "offline", "planned")):
        await session.objects("dcim.device").create(
            pk=f"r{number}", name=f"ams01-r{number}", status=status, location="ams01"
        )
    return served


async def test_an_object_is_added_changed_and_deleted_by_forms(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/add/dcim.device")
    ann.refusals.append(422)
    await page.get_by_label("Location").fill("Nowhere")
    await page.get_by_label("Position").fill("high")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator(".field-bad")).to_have_count(3)
    await expect(page.get_by_text("No dcim.location has the key or the name 'Nowhere'.")).to_be_visible()
    await ann.look_over()
    await page.get_by_label("Key").fill("new")
    await page.get_by_label("Name", exact=False).first.fill(CANARY)
    await page.get_by_label("Location").fill("Amsterdam")
    await page.get_by_label("Position").fill("4")
    await page.get_by_role("button", name="Add", exact=True).click()
    await page.wait_for_url("**/objects/dcim.device/new?change=*")
    await ann.look_over()
    stored = await stocked.app.objects("dcim.device").get("new")
    assert (stored.name, stored.location, stored.position) == (CANARY, "ams01", 4)
    page = await ann.visit("/objects/dcim.device/new/edit")
    await page.get_by_label("Serial").fill("X1")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    page = await ann.visit("/objects/dcim.device/new/delete")
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("Deleted")).to_be_visible()
    assert await stocked.app.objects("dcim.device").find("new") is None


async def test_two_who_change_one_field_are_told_of_each_other(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/objects/dcim.device/r0/edit")
    other = await stocked.app.session(user="bob").objects("dcim.device").get("r0")
    other.serial, other.role = "theirs", "core"
    await other.save()
    ann.refusals.append(409)
    await page.get_by_label("Serial").fill("mine")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("bob")
    await page.get_by_role("button", name="Save").click()
    await page.wait_for_url("**/r0?change=*")
    now = await stocked.app.objects("dcim.device").get("r0")
    assert (now.serial, now.role) == ("mine", "core")


async def test_a_list_is_filtered_ordered_and_searched(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/objects/dcim.device?order=-name")
    await expect(page.locator("tbody th")).to_have_text(["ams01-r2", "ams01-r1", "ams01-r0"])
    await page.locator("summary", has_text="Filter").click()
    await page.get_by_label("Field", exact=True).fill("status")
    await page.get_by_label("Value", exact=True).fill("offline")
    await page.get_by_role("button", name="Add", exact=True).click()
    await expect(page.locator("tbody th")).to_have_text(["ams01-r1"])
    await page.get_by_label("Remove filter status = offline").click()
    await expect(page.locator("tbody th")).to_have_count(3)
    await page.get_by_label("Search objects").fill("Amster")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/objects/dcim.location/ams01")
    await stocked.app.session(user="ann").objects("dcim.device").create(pk="a", name="ams01-r0-copy")
    await page.get_by_label("Search objects").fill("AMS01-R0")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/search?q=*")
    await expect(page.locator("main li a")).to_have_text(["ams01-r0", "ams01-r0-copy"])
    for part in ("", "/changes", "/results", "/referrers"):
        await ann.visit(f"/objects/dcim.location/ams01{part}")


async def test_the_change_log_of_an_object_says_who_changed_what(stocked: Any, visitor: Any) -> None:
    device = await stocked.app.session(user="olga").objects("dcim.device").get("r0")
    device.status, device.serial = "offline", "X1"
    await device.save()
    ann = await visitor("ann")
    page = await ann.visit("/objects/dcim.device/r0/changes")
    row = page.locator("tbody tr").first
    await expect(row).to_contain_text("olga")
    await expect(row.locator(".change-step", has_text="status")).to_have_text(re.compile("status active .* offline"))
    await expect(row.locator(".change-step", has_text="serial")).to_have_text(re.compile("serial not set .* X1"))


async def test_a_pressed_button_becomes_its_run_with_the_receivers_own_reason(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/objects/dcim.device/r0")
    await page.get_by_role("button", name="Hello ams01-r0").click()
    await expect(page.locator(".run").first).to_have_attribute("data-status", "success")
    await page.locator("summary", has_text="Life cycle").click()
    await page.get_by_role("button", name="Take out").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Decommission")
    await expect(dialog).to_contain_text("ams01-r0")
    await ann.look_over()
    await dialog.get_by_role("button", name="Take out").click()
    failed = page.locator('.run[data-status="failure"]')
    await expect(failed.locator(".run-reason")).to_contain_text("ams01-r0 is active")
    await ann.look_over()


async def test_a_button_pressed_on_many_shows_the_state_of_each(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/objects/dcim.device")
    await page.get_by_label("All on this page").check()
    await page.get_by_role("button", name="Take out").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("on 3 objects")
    await dialog.get_by_role("button", name="Take out").click()
    await expect(page.locator('.run[data-status="failure"]')).to_have_count(1)
    await expect(page.locator('.run[data-status="success"]')).to_have_count(2)


async def test_pressing_works_without_scripts(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann", scripts=False)
    page = ann.page
    await page.goto(f"{stocked.url}/objects/dcim.device/r1")
    await page.locator("summary", has_text="Life cycle").click()
    await page.get_by_role("button", name="Take out").click()
    await expect(page.locator("main")).to_contain_text("Decommission")
    await page.get_by_role("button", name="Take out").click()
    await page.wait_for_url("**/runs?numbers=*")
    await expect(page.locator(".run")).to_have_count(1)


async def test_what_one_may_not_do_is_disabled_with_the_reason_and_refused(stocked: Any, visitor: Any) -> None:
    await stocked.user("bob", "dcim.view_device")
    bob = await visitor("bob")
    page = await bob.visit("/objects/dcim.device/r0")
    button = page.locator('button[aria-disabled="true"]', has_text="Edit")
    await expect(button).to_contain_text("You lack dcim.change_device")
    await expect(page.locator('button[aria-disabled="true"]', has_text="Hello")).to_contain_text("jobs.run_job")
    await bob.visit("/objects/dcim.device/r0/edit", refused=403)
    await bob.visit("/objects/dcim.location", refused=403)


async def test_the_pages_of_objects_fit_a_phone(stocked: Any, visitor: Any) -> None:
    ann = await visitor("ann", phone=True)
    for path in ("/objects", "/objects/dcim.device", "/objects/dcim.device/r0", "/add/dcim.device", "/search?q=ams"):
        await ann.visit(path)
        assert await ann.is_within_width(), path
