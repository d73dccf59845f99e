"""The pages of the administration: people, what they may do, sources, plugins, settings, the audit log."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from tests.api.served import served_app
from tests.api.webhooks import nautobot, send

CANARY = "<img src=x onerror=console.error('canary')>"
NAME = "<img src=x onerror=alert(1)>"
FIRST = "a first password"


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Any]:
    """A daemon with a broken plugin among the others."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / f"{NAME}.py").write_text(f"raise RuntimeError({CANARY!r})\n")
    async with served_app(tmp_path, plugins_dir=str(folder), allowed_hosts=(CANARY,)) as app:
        yield app


async def test_a_user_is_added_to_a_group_and_may_do_what_it_is_given(served: Any, visitor: Any) -> None:
    for pk in ("ams01", "fra01"):
        await served.app.session(user="ann").objects("dcim.location").create(pk=pk, name=pk.upper())
    ann = await visitor("ann")
    page = await ann.visit("/groups")
    await page.get_by_label("Name").fill(f"ops {CANARY}")
    await page.get_by_role("button", name="Add").click()
    await ann.look_over()
    await page.get_by_role("link", name="Give it a permission").click()
    await expect(page.get_by_label(f"ops {CANARY}")).to_be_checked()
    await page.get_by_label("view dcim.location").check()
    await page.get_by_label("Only where").fill('[{"path": "pk", "operator": "is", "value": "ams01"}]')
    ann.refusals.append(422)
    await page.get_by_role("button", name="Give it").click()
    await expect(page.locator(".field-error")).to_contain_text("has an unknown operator 'is'")
    await ann.look_over()
    ann.refusals.append(422)
    await page.get_by_label("Only where").fill('[{"path": "pk",')
    await page.get_by_role("button", name="Give it").click()
    await expect(page.locator(".field-error")).to_be_visible()
    await page.get_by_label("Only where").fill('[{"path": "pk", "operator": "=", "value": "ams01"}]')
    await page.get_by_role("button", name="Show what it comes to").click()
    await expect(page.locator("#preview")).to_contain_text("1 of all 2: AMS01")
    await page.get_by_role("button", name="Give it").click()
    await ann.look_over()
    await expect(page.get_by_role("main")).to_contain_text('where pk = "ams01"')

    page = await ann.visit("/users")
    ann.refusals.append(422)
    await page.get_by_label("Name", exact=False).last.fill("ann")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".field-error")).to_contain_text("exists already")
    await page.get_by_label("Name", exact=False).last.fill(f"bob {CANARY}")
    ann.refusals.append(422)
    await page.get_by_label("First password").fill("short")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".field-error")).to_contain_text("Choose one of 12 characters or more.")
    assert all(each.name == "ann" for each in served.app.administration.users())
    await page.get_by_label("First password").fill(FIRST)
    await page.get_by_label(f"ops {CANARY}").check()
    await page.get_by_role("button", name="Add").click()
    await ann.look_over()
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"bob {CANARY}")
    await expect(page.get_by_role("region", name="Permissions of")).to_contain_text("dcim.view_location")

    bob = await visitor(f"bob {CANARY}")
    there = await bob.visit("/objects/dcim.location")
    await expect(there.locator("tbody tr")).to_have_count(1)
    await page.get_by_role("link", name="Disable").click()
    await page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    await expect(page.get_by_role("status")).to_contain_text("is disabled")
    await bob.visit("/objects")
    assert "/login" in there.url


async def test_the_last_owner_stays_one_and_is_told_why(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/users/ann")
    ann.refusals.append(422)
    await page.get_by_label("Owner: may do everything").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".field-error")).to_contain_text("is the last owner")
    await ann.visit("/users/ann/disable")
    ann.refusals.append(422)
    await page.get_by_role("button", name="Disable").click()
    await expect(page.get_by_role("alert")).to_contain_text("is the last owner")


async def test_a_permission_is_edited_switched_off_and_removed(served: Any, visitor: Any) -> None:
    await served.user("bob", "dcim.view_device", "dcim.*")
    record = served.app.administration.permissions()[0]
    ann = await visitor("ann")
    page = await ann.visit("/permissions")
    await page.get_by_role("link", name=record.name).click()
    await page.get_by_role("link", name="Edit").click()
    await ann.look_over()
    await expect(page.get_by_label("Others")).to_have_value("dcim.*")
    await page.get_by_label("Others").fill("")
    await page.get_by_label("view jobs.job", exact=True).check()
    await page.get_by_label("Switched off").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status")).to_contain_text("Saved.")
    await page.wait_for_load_state()  # the dialog is the scripts' matter; without them a page asks
    edited = served.app.administration.get_permission(record.id)
    assert (set(edited.permissions), edited.is_disabled) == ({"dcim.view_device", "jobs.view_job"}, True)
    await page.get_by_role("link", name="Remove").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_text("Nothing is given to anybody yet")).to_be_visible()


async def test_a_token_for_somebody_is_shown_once_and_removed(served: Any, visitor: Any) -> None:
    await served.app.administration.add_user("bob")
    ann = await visitor("ann")
    page = await ann.visit("/tokens?user=bob")
    ann.refusals.append(422)
    await page.get_by_label("What is it for?").fill(CANARY)
    await page.get_by_label("Scopes").fill("device")
    await page.get_by_role("button", name="Make a token").click()
    await expect(page.locator(".field-error")).to_contain_text("is no permission")
    await page.get_by_label("Scopes").fill("dcim.view_*")
    await page.get_by_role("button", name="Make a token").click()
    secret = await page.locator("#secret-1").inner_text()
    assert (await (await served.client(secret)).get("/api/me")).json()["name"] == "bob"
    await page.reload()
    await ann.look_over()
    await expect(page.get_by_text(CANARY)).to_be_visible()
    assert secret not in await page.content()
    await page.get_by_role("button", name="Remove token").click()
    assert (await (await served.client(secret)).get("/api/me")).status_code == 401


async def test_a_source_is_added_takes_webhooks_and_shows_its_deliveries(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/sources")
    await page.get_by_role("link", name="Add a source").first.click()
    ann.refusals.append(422)
    await page.get_by_label("Name").fill("Naut obot")
    await page.get_by_role("button", name="Add").click()
    await expect(page.locator(".field-error")).to_contain_text("Has an unfit name")
    await ann.look_over()
    await page.get_by_label("Name").fill("nautobot")
    await page.get_by_label("Kind").select_option("nautobot")
    await page.get_by_label("Description").fill(CANARY)
    await page.get_by_role("button", name="Add").click()
    secret = await page.locator("#secret-1").inner_text()
    await ann.look_over()
    client = await served.client()
    body = nautobot("created", None, {"name": CANARY})
    assert (await send(client, "nautobot", "another", body)).status_code == 404
    assert (await send(client, "nautobot", secret, body)).status_code == 200
    page = await ann.visit("/sources/nautobot")
    rows = page.get_by_role("region", name="Last deliveries").locator("tbody tr")
    await expect(rows).to_have_count(2)
    await expect(rows.nth(1)).to_contain_text("the signature does not fit")
    assert secret not in await page.content()
    await page.get_by_role("link", name="Edit").click()
    await page.get_by_label("Open: what it sends is taken").uncheck()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("It is disabled: what it sends is refused.")).to_be_visible()
    await page.get_by_role("button", name="New secret").click()
    assert await page.locator("#secret-1").inner_text() != secret


async def test_a_broken_plugin_is_shown_with_its_error(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/plugins")
    first = page.locator("tbody tr").first
    await expect(first).to_contain_text("broken")
    await first.get_by_role("link").click()
    await expect(page.locator(".traceback")).to_contain_text(CANARY)
    await ann.look_over()
    await expect(page.get_by_role("heading", level=1)).to_have_text(NAME)
    await expect((await ann.visit("/")).locator("#now-health")).to_contain_text("1 broken")


async def test_settings_tell_where_they_came_from_and_the_audit_log_what_was_denied(served: Any, visitor: Any) -> None:
    await served.user("bob", "jobs.view_plugin")
    bob = await visitor("bob")
    await bob.visit("/settings", refused=403)
    ann = await visitor("ann")
    page = await ann.visit("/settings")
    await expect(page.get_by_role("row").filter(has_text="allowed_hosts")).to_contain_text(CANARY)
    await expect(page.get_by_role("row").filter(has_text="threads")).to_contain_text("default")
    client = await served.client()
    for _ in range(3):
        await client.post("/api/login", json={"name": CANARY, "password": "x"})
    page = await ann.visit("/audit")
    await expect(page.get_by_role("region", name="Audit log")).to_contain_text("jobs.view_setting")
    await page.get_by_role("group", name="What").get_by_role("link", name="login failed").click()
    await expect(page.locator("tbody tr")).to_have_count(3)
    await ann.look_over()
    page = await ann.visit("/audit?user=%3Cimg+src%3Dx+onerror%3Dalert%281%29%3E")
    await expect(page.get_by_text("Nothing fits")).to_be_visible()


async def test_the_pages_fit_a_phone(served: Any, visitor: Any) -> None:
    ann = await visitor("ann", phone=True)
    for path in ("/users", "/users/ann", "/permissions/new", "/sources/new", "/audit", "/plugins", "/settings"):
        await ann.visit(path)
        assert await ann.is_within_width(), path
