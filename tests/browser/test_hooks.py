"""Job hooks and job buttons: forms, the condition editor, the try-out, the preview, who may not."""

from typing import Any

import anyio
import pytest
from playwright.async_api import expect

from buttonhook.records import ConditionRow
from tests.api.served import Served

CANARY = "<img src=x onerror=console.error('canary')>"


async def go(who: Any, path: str) -> Any:
    """To a page that is looked over elsewhere."""
    await who.page.goto(who.served.url + path)
    return who.page


@pytest.fixture
async def stocked(served: Served) -> Served:
    """Devices that changed in some ways, and jobs that are enabled."""
    app = served.app
    for job in ("Hello", "SanityCheck"):
        await app.configuration.enable_job(job)
    for number in range(3):
        await app.session(user="sync").objects("dcim.device").create(pk=f"r{number}", name=f"r{number}", role=CANARY)
    for pk, status in (("r0", "planned"), ("r0", "active"), ("r1", "offline")):
        device = await app.session(user="ann").objects("dcim.device").get(pk)
        device.status = status
        await device.save()
    return served


async def test_a_job_hook_is_added_with_a_condition_that_is_tried_out_and_fires(stocked: Served, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await go(ann, "/jobs?q=sanity")
    await page.get_by_role("link", name="Sanity check").first.click()
    await page.get_by_role("link", name="Add", exact=True).click()
    await page.wait_for_url("**/hooks/add?job=*")
    await expect(page.get_by_label("Name *")).to_have_value("Sanity check")
    beside = page.locator("#beside")
    await expect(beside).to_contain_text("It cannot be saved so: Sanity check runs this job on some of these already.")
    await page.get_by_label("Name *").fill(CANARY)
    for name in ("dcim.devicetype", "dcim.moduletype"):
        await page.get_by_label(name).uncheck()
    await page.get_by_label("dcim.device", exact=True).check()
    await expect(beside.locator(".tried-count")).to_have_text("6 of the last 6 changes would fire it")
    await expect(beside).not_to_contain_text("cannot be saved")
    await page.get_by_role("button", name="Field transition").click()
    await expect(page.get_by_label("Field", exact=True)).to_be_focused()
    await expect(beside).to_contain_text("Without condition 1, which is not complete")
    await page.get_by_label("Field", exact=True).select_option("status")
    await expect(beside.locator(".tried-count")).to_have_text("3 of the last 6 changes would fire it")
    await page.get_by_label("To", exact=True).fill("active")
    await expect(beside.locator(".tried-count")).to_have_text("1 of the last 6 changes would fire it")
    await expect(beside.locator(".step-left")).to_have_text(["6", "1"])
    await expect(beside.locator(".tried").first).to_contain_text('field status changed from "planned" to "active"')
    await beside.locator("summary", has_text="does not hold: status changed to active").click()
    await expect(beside.locator("li", has_text='wanted to "active"').first).to_be_visible()
    await ann.look_over()
    fired = beside.locator(".tried").first.get_by_role("link").first
    assert (await fired.get_attribute("href") or "").startswith("/changes/")
    await page.get_by_role("button", name="User is", exact=True).click()
    await page.get_by_role("button", name="Move User is up").press("Enter")
    await expect(page.locator(".condition h3")).to_have_text(["User is", "Field transition"])
    await expect(page.get_by_role("button", name="Move User is down")).to_be_focused()
    await page.get_by_role("button", name="Remove User is").click()
    await expect(page.locator(".condition h3")).to_have_text(["Field transition"])
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_role("heading", name=CANARY)).to_be_visible()
    await expect(page.locator(".rule")).to_contain_text("status changed to active")
    await ann.look_over()
    page = await go(ann, "/objects/dcim.device/r2/edit")
    await page.get_by_label("Status").fill("planned")
    await page.get_by_role("button", name="Save").click()
    page = await go(ann, "/objects/dcim.device/r2/edit")
    await page.get_by_label("Status").fill("active")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".run .run-job")).to_have_text("Sanity check")
    page = await ann.visit("/hooks")
    await page.get_by_role("link", name=CANARY).click()
    await expect(page.get_by_label("Last runs").locator("tbody tr")).to_have_count(1)


async def test_the_editor_works_without_scripts(stocked: Served, visitor: Any) -> None:
    ann = await visitor("ann", scripts=False)
    page = ann.page
    await page.goto(f"{stocked.url}/hooks/add")
    await page.get_by_label("dcim.device", exact=True).check()
    for preset in ("Field compare", "User is"):
        await page.get_by_role("button", name=preset, exact=True).click()
    await page.get_by_label("Field", exact=True).select_option("position")
    await page.get_by_label("Operator").select_option(label="is at least")
    await page.get_by_role("button", name="Follow what is chosen").click()
    await page.get_by_label("Value").fill("tall")
    await page.get_by_label("Username").fill("ann")
    await page.get_by_label("User is must hold or not").select_option(label="must not hold")
    await page.get_by_role("button", name="Move User is up").click()
    await expect(page.locator(".condition h3")).to_have_text(["User is", "Field compare"])
    ann.refusals.append(422)
    await page.get_by_role("button", name="Add it").click()
    await expect(page.locator(".field-error")).to_have_text(
        ["Must not be empty.", "Choose the job that it runs.", "'tall' is no number. Write it as 12 or 1.5."]
    )
    await page.get_by_label("Value").fill("4")
    await page.get_by_label("Name *").fill("Tall")
    await page.get_by_label("Job that it runs *").select_option(label="Sanity check")
    await page.get_by_role("button", name="Try it now").click()
    await expect(page.locator(".tried-count")).to_have_text("0 of the last 6 changes would fire it")
    await page.get_by_label("Name *").press("Enter")
    await expect(page.get_by_role("heading", name="Tall")).to_be_visible()
    assert stocked.app.configuration.get_hook("Tall").conditions == (
        ConditionRow(type="preset", preset="user_is", values={"username": "ann"}, negate=True),
        ConditionRow(
            type="preset", preset="field_compare", values={"field": "position", "operator": "gte", "value": 4}
        ),
    )


async def test_a_hook_is_edited_switched_and_deleted(stocked: Served, visitor: Any) -> None:
    types = ("dcim.location", "dcim.device")
    hook = await stocked.app.configuration.add_hook("Watch", "SanityCheck", types)
    ann = await visitor("ann")
    page = await ann.visit(f"/hooks/{hook.id}/edit")
    await stocked.app.configuration.edit_hook("Watch", run_as="author")
    await page.get_by_label("created").uncheck()
    ann.refusals.append(422)
    await page.get_by_role("button", name="Save").last.click()
    await expect(page.get_by_role("alert")).to_contain_text("Somebody else edited it while you typed")
    await page.get_by_label("deleted").uncheck()
    await page.get_by_role("button", name="Save").last.click()
    await expect(page.get_by_role("status").first).to_contain_text("Saved Watch")
    saved = stocked.app.configuration.get_hook("Watch")
    assert (saved.actions, saved.object_types, saved.run_as) == (("update",), types, "installer")
    page = await go(ann, "/hooks")
    switch = page.get_by_role("switch", name="Watch: enabled")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "false")
    await page.get_by_role("link", name="Watch").click()
    await expect(page.get_by_text("It fires on nothing at present: the job hook is disabled.")).to_be_visible()
    await ann.visit(f"/hooks/{hook.id}/try")
    await page.go_back()
    await page.get_by_role("button", name="Delete").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text(
        "Sanity check is not run any more when dcim.location, dcim.device objects change"
    )
    await dialog.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("status")).to_contain_text("Deleted the job hook Watch")


async def test_a_button_is_made_beside_its_preview(stocked: Served, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/buttons/add")
    await page.get_by_label("Job that it runs *").select_option(label="Hello")
    await page.get_by_label("dcim.device", exact=True).check()
    await page.get_by_label("Text").fill("Greet ")
    await page.get_by_role("button", name="{role}").click()
    await page.get_by_role("button", name="{rack}").click()
    mock = page.locator(".mock")
    await expect(mock).to_contain_text(f"Greet {CANARY}")
    await expect(page.locator("#beside")).to_contain_text("{rack} is empty on this object.")
    await page.get_by_label("On the object").fill("r1")
    await expect(mock.locator(".mock-title")).to_contain_text("r1")
    await expect(page.get_by_role("button", name="Field changed")).to_have_count(0)
    await page.get_by_role("button", name="Field compare").click()
    await page.get_by_label("Field", exact=True).select_option("status")
    await page.get_by_label("Operator").select_option(label="is")
    await page.get_by_label("Value").fill("offline")
    await expect(page.locator(".tried-count")).to_have_text("1 of 3 objects looked at would show it")
    await page.get_by_label("Danger").check()
    await page.get_by_label("Weight").fill("heavy")
    await ann.look_over()
    ann.refusals.append(422)
    await page.get_by_role("button", name="Add it").click()
    await expect(page.locator(".field-error")).to_have_count(2)
    await page.get_by_label("Name *").fill(f"Greet {CANARY}")
    await page.get_by_label("Weight").fill("-5")
    await page.get_by_role("button", name="Add it").click()
    await expect(page.get_by_role("heading", name=CANARY)).to_be_visible()
    await ann.look_over()
    (button,) = stocked.app.configuration.buttons()
    assert (button.text, button.style, button.weight) == ("Greet {role}{rack}", "danger", -5)
    await ann.visit("/buttons")
    await expect(page.get_by_role("switch")).to_have_attribute("aria-checked", "true")
    await ann.visit(f"/buttons/{button.id}/delete")
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_text("No job buttons yet")).to_be_visible()


async def test_what_is_chosen_while_the_daemon_answers_is_not_lost(stocked: Served, visitor: Any) -> None:
    hook = await stocked.app.configuration.add_hook(
        "Watch",
        "SanityCheck",
        ["dcim.device"],
        conditions=[
            {"type": "preset", "preset": "field_compare", "values": {"field": "name", "operator": "=", "value": ""}}
        ],
    )
    ann = await visitor("ann")
    page = await go(ann, f"/hooks/{hook.id}/edit")
    answered = anyio.Event()

    async def hold(route: Any) -> None:
        await answered.wait()
        await route.continue_()

    await page.route("**/edit", hold)
    await page.get_by_label("Field", exact=True).select_option("status")
    await page.get_by_label("Operator").select_option(label="begins with")
    await page.get_by_label("Value").fill("off")
    await page.get_by_label("deleted").uncheck()
    await page.get_by_role("button", name="Field changed").click()
    answered.set()
    await page.get_by_label("Field", exact=True).nth(1).select_option(label="another path…")
    await page.get_by_label("Path of the field").fill("status")
    await expect(page.locator(".step-left")).to_have_text(["6", "1", "1"])
    await page.get_by_role("button", name="Save").last.click()
    await expect(page.locator(".rule")).to_contain_text("status begins with off")


async def test_what_is_gone_is_kept_and_told(stocked: Served, visitor: Any) -> None:
    configuration = stocked.app.configuration
    stocked.app.registry.presets["gone"] = stocked.app.registry.presets["user_is"]
    row = ConditionRow(type="preset", preset="gone", values={"username": CANARY})
    hook = await configuration.add_hook("Old", "SanityCheck", ["dcim.device"], conditions=[row])
    del stocked.app.registry.presets["gone"]
    ann = await visitor("ann")
    page = await ann.visit(f"/hooks/{hook.id}/edit")
    await expect(page.locator(".condition")).to_contain_text("not installed")
    await expect(page.locator(".tried-count")).to_contain_text("0 of the last 6")
    await page.get_by_label("Name *").fill("Renamed")
    await page.get_by_role("button", name="Save").last.click()
    await expect(page.get_by_role("heading", name="Renamed")).to_be_visible()
    assert configuration.get_hook("Renamed").conditions == (row,)


async def test_who_may_not_is_told_why_and_refused(stocked: Served, visitor: Any) -> None:
    hook = await stocked.app.configuration.add_hook("Watch", "SanityCheck", ["dcim.device"])
    await stocked.app.configuration.add_button("Greet", "Hello", ["dcim.device"])
    seen = ("jobs.view_jobhook", "jobs.view_jobbutton")
    bob = await stocked.browser("bob", *seen)
    for kind, path in (("jobhook", f"/hooks/{hook.id}"), ("jobbutton", "/buttons/Greet")):
        for act in ("enable", "disable", "edit", "delete"):
            answer = await bob.post(f"{path}/{act}", data={"csrf_token": bob.headers["X-CSRF-Token"]})
            assert (answer.status_code, f"_{kind}" in answer.text) == (403, True), (path, act)
        answer = await bob.post(f"/{kind[3:]}s/add", data={"csrf_token": bob.headers["X-CSRF-Token"]})
        assert answer.status_code == 403, kind
    visiting_bob = await visitor("bob")
    page = await visiting_bob.visit(f"/hooks/{hook.id}")
    for text in ("Edit", "Delete", "Try-out"):
        await expect(page.locator('button[aria-disabled="true"]', has_text=text).first).to_contain_text(
            "You lack jobs."
        )
    await expect(page.locator(".rule")).to_contain_text("buttonhook_devicetypes.hooks.SanityCheck")
    page = await visiting_bob.visit("/buttons/Greet")
    await expect(page.get_by_text("You lack dcim.view_device")).to_be_visible()
    carol = await stocked.browser("carol", *seen, "jobs.change_jobhook")
    answer = await carol.get(f"/hooks/{hook.id}/edit")
    assert "You lack jobs.view_objectchange, so there are no changes to try it on." in answer.text


async def test_the_pages_of_hooks_and_buttons_fit_a_phone(stocked: Served, visitor: Any) -> None:
    await stocked.app.configuration.add_button("Greet", "Hello", ["dcim.device"], text="A long text " * 6)
    hook = await stocked.app.configuration.add_hook(
        "Watch",
        "SanityCheck",
        ["dcim.device"],
        conditions=[{"type": "preset", "preset": "user_is", "values": {"username": "x" * 80}}],
    )
    ann = await visitor("ann", phone=True)
    for path in ("/hooks", f"/hooks/{hook.id}", f"/hooks/{hook.id}/edit", "/buttons", "/buttons/Greet/edit"):
        await ann.page.goto(stocked.url + path)
        assert await ann.is_within_width(), path
