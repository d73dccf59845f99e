"""Conditions of job hooks, judged at the commit, with presets of the core's and of a plugin's own."""

import asyncio

import pytest

from buttonhook import JobResultStatus
from buttonhook.errors import BadCondition
from tests.scenarios.story import all_changes, all_results, only_result, put

SOURCE = """
    from buttonhook import JobHookReceiver, hookimpl, register_jobs

    class A(JobHookReceiver):
        async def receive_job_hook(self, change, action, changed_object):
            return change.object_pk

    class B(A):
        pass

    class C(A):
        pass

    register_jobs(A, B, C)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing"]
"""

PRESETS = """
    import sys
    from buttonhook import hookimpl
    from buttonhook.conditions import Answer, Preset

    asked = []

    def in_site(payload, values):
        asked.append(payload.action)
        site = payload.data.get("name", "").partition("-")[0]
        return Answer(site == values["site"], f"the site is {site}, wanted {values['site']}")

    def raises(payload, values):
        raise LookupError("no such site")

    def leaves(payload, values):
        sys.exit(3)

    def says_true(payload, values):
        return True

    def spoils(payload, values):
        payload.postchange["spoilt"] = True
        values["list"].append(1)
        return Answer(True, "spoilt")

    async def waits(payload, values):
        return Answer(True, "")

    @hookimpl
    def buttonhook_condition_presets():
        return [
            Preset("sites_in_site", in_site, ["site"], description="The first part of the name is the site."),
            Preset("sites_raises", raises, []),
            Preset("sites_leaves", leaves, []),
            Preset("sites_says_true", says_true, []),
            Preset("sites_spoils", spoils, ["list"]),
            Preset("sites_waits", waits, []),
            Preset("user_is", says_true, []),
            "sites_no_preset",
        ]
"""


def rows(*given):
    return [{"type": "preset", "preset": preset, "values": values} for preset, values in given]


def compared(field, operator, value):
    return ("field_compare", {"field": field, "operator": operator, "value": value})


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    stage.install("sites", PRESETS)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        for job in ("A", "B", "C"):
            await app.configuration.enable_job(job)
        yield app


async def hook(app, job, *given, **fields):
    return await app.configuration.add_hook(f"on {job}", job, ["demo.thing"], conditions=rows(*given), **fields)


async def reasons(app, pk="a"):
    return [[cut.reason for cut in change.cuts] for change in await all_changes(app, object_pk=pk)]


async def test_a_hook_fires_when_the_status_goes_from_planned_to_active_and_at_no_other_change(app):
    await hook(app, "A", ("field_transition", {"field": "status", "from": "planned", "to": "active"}))
    await put(app, "a", status="planned", n=1)
    await put(app, "a", n=2)
    await put(app, "a", status="active")
    await put(app, "a", n=3)
    await put(app, "a", status="planned")
    await (await app.objects("demo.thing").get("a")).delete()
    assert (await only_result(app)).change_ids == (3,)
    told = "condition field_transition does not hold: field status"
    assert await reasons(app) == [
        [f"{told} can only change in an update, this is a create"],
        [f'{told} is "planned" before and after'],
        [],
        [f'{told} is "active" before and after'],
        [f'{told} changed from "active" to "planned", wanted from "planned"'],
        [f"{told} can only change in an update, this is a delete"],
    ]


async def test_of_several_hooks_where_only_the_middle_one_matches_that_one_fires(app):
    await hook(app, "A", compared("n", "lt", 5))
    await hook(app, "B", compared("n", "=", 5))
    await hook(app, "C", compared("n", "gt", 5))
    await put(app, "a", n=5)
    assert [result.job for result in await all_results(app)] == ["demo.B"]
    (change,) = await all_changes(app)
    assert [(cut.hook, cut.reason) for cut in change.cuts] == [
        ("on A", "condition field_compare does not hold: field n is 5, compared with lt 5"),
        ("on C", "condition field_compare does not hold: field n is 5, compared with gt 5"),
    ]


async def test_all_rows_of_a_hook_must_hold_and_the_first_that_does_not_is_named(app):
    await hook(app, "A", ("field_changed", {"field": "n"}), compared("m", "=", 1), ("user_is", {"username": "ann"}))
    await put(app, "a", n=1, m=1)
    await put(app, "a", n=2)
    await put(app, "a", n=3, m=2)
    await put(app, "a", m=1)
    async with app.transaction(user="bob"):
        await put(app, "a", n=4)
    assert [result.change_ids for result in await all_results(app)] == [(2,)]
    assert [told[0].split(":")[0] if told else None for told in await reasons(app)] == [
        "condition field_changed does not hold",
        None,
        "condition field_compare does not hold",
        "condition field_changed does not hold",
        "condition user_is does not hold",
    ]


async def test_conditions_on_a_create_and_on_a_delete_see_the_state_there_is(app):
    await hook(app, "A", compared("tags", "contains", "lab"), actions=["create", "delete"])
    for pk, tags in (("a", ["lab", "x"]), ("b", [{"name": "lab"}]), ("c", []), ("d", "label")):
        await put(app, pk, tags=tags)
    for pk in "abc":
        await (await app.objects("demo.thing").get(pk)).delete()
    fired = [(result.object_pk, result.change_ids[0]) for result in await all_results(app)]
    assert fired == [("a", 1), ("b", 2), ("d", 4), ("a", 5), ("b", 6)]


async def test_conditions_are_judged_on_the_net_effect_of_a_transaction(app):
    await hook(app, "A", ("field_transition", {"field": "status", "from": "planned", "to": "active"}))
    await put(app, "a", status="planned")
    async with app.transaction():
        await put(app, "a", status="staged")
        await put(app, "a", status="active")
    async with app.transaction():
        await put(app, "a", status="planned")
        await put(app, "a", status="active", n=1)
    assert [result.change_ids for result in await all_results(app)] == [(2,)]


async def test_conditions_are_judged_once_at_the_commit_and_not_when_the_run_begins(app):
    await hook(app, "A", ("sites_in_site", {"site": "ams"}))
    import sites

    await put(app, "a", name="ams-r1")
    await app.configuration.edit_hook("on A", conditions=rows(("user_is", {"username": "nobody"})))
    assert (await only_result(app)).status is JobResultStatus.SUCCESS
    assert sites.asked == ["create"]


async def test_a_plugin_brings_a_preset_of_its_own_with_plugin_and_place(app):
    preset = app.registry.presets["sites_in_site"]
    assert preset.place.startswith("sites, __init__.py:")
    await hook(app, "A", ("sites_in_site", {"site": "ams"}))
    await put(app, "a", name="ams-r1")
    await put(app, "b", name="fra-r1")
    assert (await only_result(app)).object_pk == "a"
    assert await reasons(app, "b") == [
        ["condition sites_in_site does not hold: the site is fra, wanted ams"],
    ]
    with pytest.raises(BadCondition, match="sites_in_site takes site, not 'sight'"):
        await hook(app, "B", ("sites_in_site", {"sight": "ams"}))
    with pytest.raises(BadCondition, match="did you mean 'sites_in_site'"):
        await hook(app, "B", ("sites_in_sight", {"site": "ams"}))


async def test_presets_that_cannot_be_are_reported_and_the_others_are_there(app):
    (report,) = (report for report in app.plugins if report.name == "sites")
    assert report.presets == [f"sites_{each}" for each in ("in_site", "raises", "leaves", "says_true", "spoils")]
    waits, twice, no_preset = report.errors
    assert "'sites_waits' with an async function" in waits
    assert twice.startswith("Condition preset 'user_is' is brought by both 'buttonhook' and 'sites, ")
    assert "brings 'sites_no_preset' as a condition preset. Give a Preset(...)." in no_preset


@pytest.mark.parametrize(
    ("preset", "told"),
    [
        ("sites_raises", "LookupError: no such site"),
        ("sites_leaves", "SystemExit: 3"),
        ("sites_says_true", "TypeError: it must return an Answer, not bool"),
    ],
)
async def test_a_preset_that_fails_never_fails_the_save_and_the_hook_does_not_fire(app, preset, told):
    await hook(app, "A", (preset, {}))
    await hook(app, "B")
    await put(app, "a", n=1)
    assert (await app.objects("demo.thing").get("a")).n == 1
    assert [result.job for result in await all_results(app)] == ["demo.B"]
    reason = f"condition {preset} does not hold: it could not be evaluated ({told}), so the row fails"
    assert await reasons(app) == [[reason]]


async def test_a_preset_that_writes_into_what_it_is_given_changes_no_object_and_no_hook(app):
    made = await hook(app, "A", ("sites_spoils", {"list": []}))

    async def save(**fields):
        await put(app, "a", **fields)

    await save(f0=0)
    await asyncio.gather(*(save(**{f"f{n}": n}) for n in range(1, 5)))
    await all_results(app)
    assert (await app.objects("demo.thing").get("a")).document == {f"f{n}": n for n in range(5)}
    for change in await all_changes(app):
        assert "spoilt" not in (change.prechange or "") + (change.postchange or "")
    assert app.configuration.get_hook("on A") == made
    assert made.conditions[0].values == {"list": []}


async def test_a_hook_whose_preset_is_gone_does_not_fire_and_can_still_be_edited(demo):
    async with demo.open() as app:
        await app.configuration.enable_job("A")
        await hook(app, "A", ("sites_in_site", {"site": "ams"}))
    async with demo.open(plugins=["demo"]) as app:
        await put(app, "a", name="ams-r1")
        assert await all_results(app) == []
        reason = "condition sites_in_site does not hold: its preset is not installed, so the row fails"
        assert await reasons(app) == [[reason]]
        edited = await app.configuration.edit_hook("on A", actions=["update"])
        assert edited.conditions[0].preset == "sites_in_site"
        with pytest.raises(BadCondition, match="'sites_in_site' is not known"):
            await hook(app, "B", ("sites_in_site", {"site": "ams"}))
    async with demo.open() as app:
        await put(app, "a", n=1)
        assert (await only_result(app)).status is JobResultStatus.SUCCESS
