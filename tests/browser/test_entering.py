"""Logging in, the first owner, one's account, the look."""

from typing import Any

from playwright.async_api import expect

from tests.api.served import PASSWORD
from tests.browser.browsing import DESKTOP


async def test_the_set_up_link_makes_the_first_owner_and_works_once(served: Any, visitor: Any) -> None:
    someone = await visitor()
    code = served.daemon.setup.new_code()
    page = await someone.visit(f"/setup#{code}")
    await expect(page.get_by_label("Set-up code")).to_have_value(code)
    box: Any = await page.locator(".card-page").bounding_box()
    assert abs(box["x"] + box["width"] / 2 - DESKTOP["width"] / 2) < 20, "the card stands in the middle"
    assert "#" not in page.url
    await page.get_by_label("Your name").fill("ann")
    await page.get_by_label("Password", exact=False).nth(0).fill(PASSWORD)
    await page.get_by_label("The same password again").fill(PASSWORD)
    await page.get_by_role("button", name="Become the owner").click()
    await page.wait_for_url(lambda url: "setup" not in url)
    await expect(page.get_by_text("ann").first).to_be_visible()
    await expect(page.get_by_role("heading", name="First steps")).to_be_visible()
    await someone.look_over()

    other = await visitor()
    page = await other.visit(f"/setup#{code}")
    await expect(page.get_by_role("heading", name="Already set up")).to_be_visible()


async def test_who_is_not_logged_in_is_led_to_the_page_they_wanted(served: Any, visitor: Any) -> None:
    await served.app.administration.set_password("ann", PASSWORD)
    ann = await visitor()
    page = await ann.visit("/account")
    assert page.url.endswith("/login?next=/account")
    ann.refusals.append(401)
    await page.get_by_label("Name").fill("ann")
    await page.get_by_label("Password").fill("wrong horse battery")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    await ann.look_over()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await page.wait_for_url("**/account")
    await ann.look_over()


async def test_nobody_is_led_away_from_the_daemon_by_the_page_for_logging_in(served: Any) -> None:
    await served.app.administration.set_password("ann", PASSWORD)
    for bait in ("//evil.example/x", "https://evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1", ""):
        form = {"name": "ann", "password": PASSWORD, "next": bait}
        answer = await (await served.client()).post("/login", data=form)
        assert (answer.status_code, answer.headers["location"]) == (303, "/"), bait


async def test_a_token_is_shown_once_and_works_until_it_is_removed(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/account")
    await page.get_by_label("What is it for?").fill("<b>backup</b>")
    await page.get_by_role("button", name="Make a token").click()
    secret = await page.locator("#secret-1").inner_text()
    client = await served.client(secret)
    assert (await client.get("/api/me")).json()["name"] == "ann"
    await page.reload()
    await expect(page.locator("#secret-1")).to_have_count(0)
    await expect(page.get_by_text("<b>backup</b>")).to_be_visible()
    await ann.look_over()
    await page.get_by_role("button", name="Remove token").click()
    await expect(page.get_by_role("status")).to_contain_text("is removed")
    assert (await client.get("/api/me")).status_code == 401


async def test_a_changed_password_ends_the_other_sessions(served: Any, visitor: Any) -> None:
    here, there = await visitor("ann"), await visitor("ann")
    page = await here.visit("/account")
    here.refusals.append(422)
    await page.get_by_label("Present password").fill(PASSWORD)
    await page.get_by_label("New password").fill("another battery staple")
    await page.get_by_label("The new one again").fill("another battery")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.locator(".field-error")).to_contain_text("The two passwords differ")
    await here.look_over()
    for label, text in (
        ("Present password", PASSWORD),
        ("New password", "another battery staple"),
        ("The new one again", "another battery staple"),
    ):
        await page.get_by_label(label).fill(text)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_role("status")).to_contain_text("Your password is changed")
    assert (await there.visit("/account")).url.endswith("/login?next=/account")


async def test_the_look_is_chosen_once_and_kept_without_scripts(visitor: Any) -> None:
    ann = await visitor("ann", scripts=False)
    page = ann.page
    await page.goto(f"{ann.served.url}/account")
    await page.locator(".who > summary").click()
    await page.locator(".who").get_by_role("button", name="Dark").click()
    await page.wait_for_url("**/account")
    await expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    await page.goto(f"{ann.served.url}/account")
    assert await page.locator("html").get_attribute("data-theme") == "dark"


async def test_what_is_not_there_is_a_page_that_says_so(visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/nowhere/<script>alert(1)</script>", refused=404)
    await expect(page.get_by_role("heading", name="There is nothing here")).to_be_visible()
    page = await ann.visit("/account?colour=red", refused=400)
    await expect(page.get_by_text("Query parameter 'colour' is not known")).to_be_visible()


async def test_pages_fit_a_phone(visitor: Any) -> None:
    ann = await visitor("ann", phone=True)
    for path in ("/account", "/login"):
        await ann.visit(path)
        assert await ann.is_within_width(), path


async def test_a_form_without_its_csrf_token_changes_nothing(served: Any, visitor: Any) -> None:
    ann = await visitor("ann")
    await ann.visit("/account")
    ann.refusals.append(403)
    await ann.page.locator('form[action="/account/tokens"] input[name=csrf_token]').evaluate("each => each.remove()")
    await ann.page.get_by_role("button", name="Make a token").click()
    await expect(ann.page.get_by_text("This page was made before you last logged in.")).to_be_visible()
    assert served.app.administration.tokens("ann") == []
