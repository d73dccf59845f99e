"""Jobs: the switch, what enabling makes, options, runs drawn, broken plugins, who may not."""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from buttonhook import JobButtonReceiver, JobHookReceiver, plugin_news
from buttonhook.ids import JobResultStatus
from buttonhook.records import ResultQuery
from tests.api.served import Served, served_app

CANARY = "<img src=x onerror=console.error('canary')>"
BROKEN = "from buttonhook import JobHookReceiver\nimport nowhere_to_be_found_<b>\n"


class Wicked(JobHookReceiver):
    class Meta:
        name = f"Wicked {CANARY}"
        description = f"Says {CANARY} and </script><script>console.error('canary')</script>."
        grouping = CANARY
        object_types = ("dcim.device",)

    async def receive_job_hook(self, change: Any, action: Any, changed_object: Any) -> None:
        if change.object_pk == "bad":
            self.fail(CANARY)


class Shy(JobButtonReceiver):
    class Meta:
        hidden = True

    async def receive_job_button(self, obj: Any) -> None: ...


@pytest.fixture
async def served(tmp_path: Path) -> Any:
    """An app with jobs of its own, and a plugin that cannot be loaded."""
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "brokenone.py").write_text(BROKEN)
    async with served_app(tmp_path, receivers=[Wicked, Shy], plugins_dir=str(plugins)) as app:
        yield app


async def test_a_job_is_enabled_by_its_switch_and_says_what_that_made(served: Served, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/jobs")
    await expect(page.get_by_text("Enabling it adds the job hook Serial guard: create")).to_be_visible()
    switch = page.get_by_role("switch", name="Serial guard: enabled")
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "true")
    await expect(page.locator("#toasts")).to_contain_text("Added the job hook Serial guard")
    await expect(switch).to_be_focused()
    await ann.look_over()
    (hook,) = served.app.configuration.hooks()
    assert hook.object_types == ("dcim.device",)
    await switch.click()
    await expect(switch).to_have_attribute("aria-checked", "false")
    assert not served.app.configuration.get_job("SerialGuard").enabled


async def test_the_switch_works_without_scripts(served: Served, visitor: Any) -> None:
    ann = await visitor("ann", scripts=False)
    await ann.page.goto(f"{served.url}/jobs?q=guard")
    await ann.page.get_by_role("switch", name="Serial guard: enabled").click()
    await expect(ann.page.get_by_role("status")).to_contain_text("Added the job hook Serial guard")
    assert ann.page.url.endswith("/jobs?q=guard")


async def test_disabling_a_job_that_runs_wait_for_asks_first(served: Served, visitor: Any) -> None:
    await served.app.configuration.enable_job("Wicked")
    await served.app.stop_claiming(0)
    await served.app.session(user="ann").objects("dcim.device").create(pk="r1", name="r1")
    ann = await visitor("ann")
    await ann.page.goto(f"{served.url}/jobs")
    page = ann.page
    ann.refusals.append(409)
    await page.get_by_role("switch", name="Wicked").click()
    await page.wait_for_url("**/disable")
    await expect(page.get_by_text("1 run waits for this job.")).to_be_visible()
    await ann.look_over()
    await page.get_by_role("button", name="Disable it").click()
    await expect(page.get_by_role("status")).to_contain_text("is disabled")
    assert not served.app.configuration.get_job("Wicked").enabled


async def test_what_plugins_and_jobs_say_stays_text(served: Served, visitor: Any) -> None:
    ann = await visitor("ann")
    page = await ann.visit("/jobs?hidden=true")
    await expect(page.get_by_role("link", name=f"Wicked {CANARY}")).to_be_visible()
    await expect(page.get_by_role("link", name="Shy")).to_be_visible()
    await expect(page.locator(".panel-bad")).to_contain_text("brokenone.py, line 2")
    await page.goto(f"{served.url}/jobs")
    await expect(page.get_by_role("link", name="Shy")).to_have_count(0)
    await page.get_by_role("link", name="Show 1 hidden").click()
    await expect(page.get_by_role("link", name="Shy")).to_be_visible()


async def test_the_page_of_a_job_draws_its_runs_and_takes_overrides(served: Served, visitor: Any) -> None:
    await served.app.configuration.enable_job("Wicked")
    for pk in ("r1", "r2", "bad"):
        await served.app.session(user="ann").objects("dcim.device").create(pk=pk, name=pk)
    await served.app.drain()
    failed = await served.app.results(ResultQuery(status=JobResultStatus.FAILURE))
    ann = await visitor("ann")
    page = await ann.visit("/jobs/Wicked")
    await expect(page.locator(".figures")).to_contain_text("67 %")
    await expect(page.locator(".chart .mark")).to_have_count(3)
    await expect(page.locator(f'.chart a[href="/results/{failed[0].id}"]')).to_have_count(1)
    await expect(page.get_by_text(CANARY).first).to_be_visible()
    await page.get_by_role("link", name="Options").click()
    ann.refusals.append(422)
    await page.get_by_label("Time limit (seconds)", exact=True).fill("soon")
    await page.get_by_label("Retries").fill("1.5")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".field-error")).to_have_text(
        ["'soon' is no number. Write it as 12 or 1.5.", "Must be a whole number."]
    )
    await ann.look_over()
    await page.get_by_label("Time limit (seconds)", exact=True).fill("60")
    await page.get_by_label("Retries").fill("")
    await page.get_by_label("Name").fill("Hello")
    ann.refusals.append(422)
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator(".field-error")).to_contain_text("Exists already")
    await page.get_by_label("Name").fill("Tamed")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("heading", name="Tamed")).to_be_visible()
    await expect(page.get_by_text("class: 600 s")).to_be_visible()
    assert served.app.configuration.get_job("Wicked").overrides == {"time_limit": 60, "name": "Tamed"}


async def test_who_may_not_is_told_why_and_refused(served: Served, visitor: Any) -> None:
    bob = await served.browser("bob", "jobs.view_job")
    for path in ("/jobs/SerialGuard/enable", "/jobs/SerialGuard/disable", "/jobs/SerialGuard/edit"):
        answer = await bob.post(path, data={"csrf_token": bob.headers["X-CSRF-Token"]})
        assert answer.status_code == 403, path
        assert "jobs.change_job" in answer.text
    visiting_bob = await visitor("bob")
    page = await visiting_bob.visit("/jobs")
    switch = page.get_by_role("switch", name="Serial guard: enabled (You lack jobs.change_job)")
    await expect(switch).to_have_attribute("aria-disabled", "true")
    await expect(page.get_by_text("nowhere_to_be_found")).to_have_count(0)
    await visiting_bob.visit("/jobs/SerialGuard")


async def test_the_pages_of_jobs_fit_a_phone(served: Served, visitor: Any) -> None:
    ann = await visitor("ann", phone=True)
    for path in ("/jobs", "/jobs/Wicked", "/jobs/Wicked/edit"):
        await ann.page.goto(served.url + path)
        assert await ann.is_within_width(), path


async def test_a_job_whose_class_is_gone_is_told_and_what_is_bound_to_it_stays_editable(served: Served) -> None:
    configuration = served.app.configuration
    await configuration.enable_job("Wicked")
    (hook,) = configuration.hooks()
    job = configuration.get_job("Wicked")
    del served.app.registry.receivers[job.id]
    await configuration.follow_installed()
    ann = await served.browser("ann")
    for path, told in (
        ("/jobs", "What is bound to it does nothing."),
        (f"/jobs/{job.id}", "Its class is not there any more"),
        (f"/jobs/{job.id}/edit", "It is not installed."),
        ("/hooks", "is not installed"),
        (f"/hooks/{hook.id}", "It fires on nothing at present"),
        (f"/hooks/{hook.id}/edit", "(not installed)"),
    ):
        answer = await ann.get(path)
        assert (answer.status_code, told in answer.text) == (200, True), path
    form = {
        "csrf_token": ann.headers["X-CSRF-Token"],
        "mark": (await ann.get(f"/hooks/{hook.id}/edit")).text.partition('name="mark" value="')[2][:16],
        "name": "Kept",
        "job": job.id,
        "object_types": "dcim.device",
        "actions": "update",
        "enabled": "yes",
    }
    answer = await ann.post(f"/hooks/{hook.id}/edit", data=form)
    assert (answer.status_code, configuration.get_hook(hook.id).name) == (303, "Kept"), answer.text
    answer = await ann.post(f"/hooks/{hook.id}/edit", data=form | {"job": "nowhere.Gone", "mark": ""})
    assert answer.status_code == 422
    assert "Somebody else edited it" in answer.text
    disabled = await ann.post(f"/jobs/{job.id}/disable", data=form)
    assert disabled.status_code == 303
    enabled = await ann.post(f"/jobs/{job.id}/enable", data=form)
    assert (enabled.status_code, "is not installed" in enabled.text) == (409, True)


async def test_what_is_asked_for_in_an_address_stays_text(served: Served) -> None:
    ann = await served.browser("ann")
    for path in ("/jobs", "/hooks", "/buttons"):
        answer = await ann.get(path, params={"q": CANARY})
        assert (answer.status_code, CANARY in answer.text) == (200, False), path
        answer = await ann.get(f"{path}/{CANARY.replace('/', '')}")
        assert (answer.status_code, CANARY in answer.text) == (404, False), path
    for path in ("/hooks/add", "/buttons/add"):
        answer = await ann.get(path, params={"job": CANARY})
        assert (answer.status_code, CANARY in answer.text) == (200, False), path
        typed = {"csrf_token": ann.headers["X-CSRF-Token"], "do": "try"}
        names = ("name", "job", "object_types", "text", "group", "weight", "style", "run_as", "sample", "mark")
        answer = await ann.post(path, data=typed | dict.fromkeys(names, f'"{CANARY}'))
        assert (answer.status_code, f'"{CANARY}' in answer.text) == (200, False), path
        answer = await ann.post(path, data=typed | dict.fromkeys(names, f'"{CANARY}') | {"do": "save"})
        assert (answer.status_code, f'"{CANARY}' in answer.text) == (422, False), path


async def test_a_plugin_that_was_installed_after_the_start_is_told_on_the_page_of_jobs(
    served: Any, visitor: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(plugin_news, "FRESH_SECONDS", 0.0)
    folder = tmp_path / "late-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: late\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text("[buttonhook]\nlate = late\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    ann = await visitor("ann")
    page = await ann.visit("/jobs")
    told = "It was installed after the start. Restart the daemon to load it."
    await expect(page.get_by_role("status").filter(has_text=told)).to_contain_text("late")
    page = await ann.visit("/plugins")
    await expect(page.get_by_role("row").filter(has_text=told)).to_contain_text("restart needed")
