"""The job button record: which buttons an object's page shows, in what order, with what text, and what a press checks.

Numbers such as 8.4/3 are those of the original's test cases; README.md here holds the whole table.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import JobResultStatus
from buttonhook.buttons import fill_text, render
from buttonhook.configuration import BUTTON_STYLES
from buttonhook.errors import BadCondition, PressRefused, RecordConflict, UnknownObjectType
from tests.scenarios.story import all_results, lines_of, only_result, presser, put

SOURCE = """
    from buttonhook import JobButtonReceiver, JobHookReceiver, hookimpl, register_jobs

    class Press(JobButtonReceiver):
        class Meta:
            name = "Press it"

        async def receive_job_button(self, obj):
            self.logger.info("pressed by %s", self.user)

    class Other(JobButtonReceiver):
        def receive_job_button(self, obj):
            if obj.kind != "group":
                self.logger.failure("Not a group")
                raise TypeError("wrong kind of object")
            return "updated"

    register_jobs(Press, Other)

    @hookimpl
    def buttonhook_object_types():
        return ["demo.thing", "demo.other"]
"""


@pytest.fixture
def demo(stage):
    stage.install("demo", SOURCE)
    return stage


@pytest.fixture
async def app(demo):
    async with demo.open() as app:
        await app.configuration.enable_job("Press")
        await app.configuration.enable_job("Other")
        await put(app, "a", name="Ams 1", status="active", site={"name": "AMS"}, tags=["x", 2])
        yield app


async def add(app, name, text=None, job="Press", types=("demo.thing",), **fields):
    return await app.configuration.add_button(name, job, types, text, **fields)


async def shown(app, user="ann", object_type="demo.thing", pk="a"):
    """The page's groups as [(group, [buttons])]."""
    stored = await app.reader.get_object((object_type, pk))
    return [(group.name, list(group.buttons)) for group in render(app.registry, stored, app.access(user).user)]


async def names(app, **query):
    return [(group, [button.name for button in buttons]) for group, buttons in await shown(app, **query)]


# --- order and groups -----------------------------------------------------------------------------


async def test_ungrouped_buttons_come_first_then_groups_by_name_each_by_weight_and_name(app):
    for name, group, weight in (
        ("z", "", 100),
        ("a", "", 100),
        ("light", "", 1),
        ("b2", "Beta", 2),
        ("b1", "Beta", 10),
        ("b0", "Beta", 10),
        ("al", "Alpha", 500),
    ):
        await add(app, name, group=group, weight=weight)
    assert await names(app) == [("", ["light", "a", "z"]), ("Alpha", ["al"]), ("Beta", ["b2", "b0", "b1"])]


async def test_a_page_without_ungrouped_buttons_begins_with_its_first_group_and_one_without_any_is_empty(app):
    assert await shown(app) == []
    await add(app, "b", group="Beta")
    assert await names(app) == [("Beta", ["b"])]


async def test_only_enabled_buttons_for_the_objects_type_are_shown(app):
    await put(app, "o", "demo.other", name="other")
    await add(app, "both", types=("demo.other", "demo.thing"))
    await add(app, "other", types=("demo.other",))
    await add(app, "off", enabled=False)
    assert await names(app) == [("", ["both"])]
    assert await names(app, object_type="demo.other", pk="o") == [("", ["both", "other"])]


async def test_a_shown_button_has_all_that_a_page_needs(app):
    made = await add(app, "One", "Go {name}", style="danger", confirmation=False, group="G")
    ((group, (button,)),) = await shown(app)
    assert (group, button.id, button.name, button.text) == ("G", made.id, "One", "Go Ams 1")
    assert (button.style, button.confirmation, button.job, button.disabled) == ("danger", False, "Press it", None)


# --- text -----------------------------------------------------------------------------------------

DOCUMENT = {
    "name": "Ams 1",
    "a": {"b": {"c": 7}, "d.e": "dotted"},
    "list": [{"n": "first"}, "second"],
    "none": None,
    "yes": True,
    "half": 0.5,
    "empty": "",
    "brace": "{name}",
    "script": "<script>alert(1)</script>",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("{name}", "Ams 1"),
        ("Ping {name} in {a.b.c}!", "Ping Ams 1 in 7!"),
        ("{name}{name}", "Ams 1Ams 1"),
        (r"{a.d\.e}", "dotted"),
        ("{list.0.n} {list.1}", "first second"),
        ("{list.7}", ""),
        ("{missing}", ""),
        ("{name.deeper}", ""),
        ("{none}", ""),
        ("{empty}", ""),
        ("{yes} {half}", "true 0.5"),
        ("{a.b}", '{"c":7}'),
        ("{brace}", "{name}"),
        ("{script}", "<script>alert(1)</script>"),
        ("{}", "{}"),
        ("{ }", ""),
        ("{a..b} {.a} {a.}", "{a..b} {.a} {a.}"),
        ("{open", "{open"),
        ("close}", "close}"),
        ("{{name}}", "{Ams 1}"),
        ("{0.__class__}", ""),
        ("{name.__class__}", ""),
        ("{__class__.__mro__}", ""),
        ("{{7*7}}", "{}"),
        ("{{ obj.name }}", "{}"),
        ("{% if obj %}x{% endif %}", "x"),
        ("{name!r}", ""),
        ("{name:>20}", ""),
        ("{self.registry}", ""),
        ("${name} %(name)s %s", "$Ams 1 %(name)s %s"),
        ("{" + "x" * 201 + "}", "{" + "x" * 201 + "}"),
    ],
)
def test_8_4_1_placeholders_are_filled_from_the_object_and_nothing_is_ever_evaluated(text, expected):
    assert fill_text(text, DOCUMENT) == expected


class Trap(str):
    """Text that tells when somebody formats, calls or looks into it."""

    __slots__ = ()

    def __format__(self, spec):
        raise AssertionError("was formatted")

    def __repr__(self):
        raise AssertionError("was shown")


@given(st.text(st.sampled_from("{}ab.!:_0[]()%\\ "), max_size=30))
def test_no_text_makes_more_of_an_object_than_its_own_values(text):
    filled = fill_text(text, {"a": Trap("VALUE"), "b": {"a": Trap("VALUE")}})
    assert set(filled) <= set(text) | set('VALUE"')
    if "{" not in text or "}" not in text:
        assert filled == text


async def test_a_text_that_comes_out_empty_hides_its_button_and_a_group_of_such_too(app):
    await add(app, "maker", "{maker}", group="G")
    await add(app, "blank", "", group="G")
    await add(app, "space", " ")
    assert await names(app) == [("", ["space"])]
    await put(app, "a", maker="Acme")
    assert await names(app) == [("", ["space"]), ("G", ["maker"])]


@pytest.mark.parametrize("place", ["name", "text", "group"])
async def test_8_4_3_and_4_markup_is_text_like_any_other_wherever_it_stands(app, place):
    markup = "<script>alert(1)</script>"
    fields = {"name": "n", "text": "t", "group": "g", place: markup}
    await add(app, fields["name"], fields["text"], group=fields["group"])
    ((group, (button,)),) = await shown(app)
    assert {"name": button.name, "text": button.text, "group": group}[place] == markup


# --- conditions -----------------------------------------------------------------------------------


def compare(field, operator, value):
    values = {"field": field, "operator": operator, "value": value}
    return {"type": "preset", "preset": "field_compare", "values": values}


async def test_a_button_shows_when_its_conditions_hold_for_the_object_and_who_looks_at_it(app):
    await add(app, "active", conditions=[compare("status", "=", "active")])
    await add(app, "planned", conditions=[compare("status", "=", "planned")])
    await add(app, "for bob", conditions=[{"type": "preset", "preset": "user_is", "values": {"username": "bob"}}])
    await add(app, "never", conditions=[{"type": "preset", "preset": "field_changed", "values": {"field": "status"}}])
    assert await names(app) == [("", ["active"])]
    assert await names(app, user="bob") == [("", ["active", "for bob"])]
    await put(app, "a", status="planned")
    assert await names(app) == [("", ["planned"])]


async def test_a_condition_that_cannot_be_evaluated_hides_its_button(app):
    await add(app, "compares nothing", conditions=[compare("missing", "gt", 5)])
    await add(app, "two rows", conditions=[compare("status", "=", "active"), compare("tags", "contains", "y")])
    assert await shown(app) == []


async def test_conditions_are_checked_kept_over_edits_and_taken_away(app):
    with pytest.raises(BadCondition, match=r"Job button 'x', condition 1: preset 'user' is not known"):
        await add(app, "x", conditions=[{"type": "preset", "preset": "user", "values": {}}])
    await add(app, "x", conditions=[compare("status", "=", "planned")])
    assert len((await app.configuration.edit_button("x", weight=5)).conditions) == 1
    assert await shown(app) == []
    assert (await app.configuration.edit_button("x", conditions=[])).conditions == ()
    assert await names(app) == [("", ["x"])]


# --- disabled, pressed ----------------------------------------------------------------------------


async def test_8_4_5_a_button_whose_job_cannot_run_stays_visible_with_the_reason_in_a_group_too(demo, app):
    await add(app, "one")
    await add(app, "two", group="G")
    await add(app, "three", job="Other", group="G")
    await app.configuration.disable_job("Press it")
    told = {button.name: button.disabled for _, buttons in await shown(app) for button in buttons}
    assert told == {"one": "job 'Press it' is disabled", "two": "job 'Press it' is disabled", "three": None}


async def test_a_button_whose_job_is_not_installed_stays_visible_with_the_reason(demo):
    async with demo.open() as app:
        await add(app, "one")
        await put(app, "a")
    async with demo.open(plugins=[], object_types=["demo.thing"]) as app:
        ((_, (button,)),) = await shown(app)
        assert (button.job, button.disabled) == ("Press it", "job demo.Press is not installed")


async def test_a_press_checks_button_type_and_job_also_when_a_page_showed_it_before(app):
    await add(app, "one")
    await put(app, "o", "demo.other")
    for object_type, pk, error, message in (
        ("demo.other", "o", PressRefused, "it is for demo.thing, not for demo.other"),
        ("demo.unknown", "o", UnknownObjectType, "Object type 'demo.unknown' is not known"),
    ):
        with pytest.raises(error, match=message):
            await app.press("one", object_type, [pk])
    await app.configuration.disable_job("Press it")
    with pytest.raises(PressRefused, match="its job 'Press it' is disabled"):
        await app.press("one", "demo.thing", ["a"])
    await app.configuration.enable_job("Press it")
    await app.configuration.edit_button("one", enabled=False)
    with pytest.raises(PressRefused, match="it is disabled"):
        await app.press("one", "demo.thing", ["a"])
    await app.configuration.edit_button("one", enabled=True)
    await app.press("one", "demo.thing", ["a"], user=await presser(app, "bob"))
    assert "pressed by bob" in [message for _, message in await lines_of(app, await only_result(app))]


async def test_8_2_6_a_receiver_that_refuses_the_object_fails_with_its_own_line_and_one_that_takes_it_succeeds(app):
    await add(app, "other", job="Other")
    await put(app, "a", kind="device")
    await put(app, "b", kind="group")
    await app.press("other", "demo.thing", ["a", "b"])
    refused, updated = sorted(await all_results(app), key=lambda result: result.object_pk)
    assert (refused.status, refused.error) == (JobResultStatus.FAILURE, "TypeError: wrong kind of object")
    assert ("failure", "Not a group") in await lines_of(app, refused)
    assert (updated.status, updated.result) == (JobResultStatus.SUCCESS, '"updated"')


# --- the record -----------------------------------------------------------------------------------


async def test_8_3_buttons_may_share_type_and_job(app):
    await add(app, "1")
    await add(app, "2")
    await add(app, "3", job="Other")
    await add(app, "4", types=("demo.other",))
    assert len(app.configuration.buttons()) == 4
    with pytest.raises(RecordConflict, match="Job button '1' exists already"):
        await add(app, "1", job="Other")


async def test_8_3_a_button_is_added_read_edited_and_removed_and_outlives_the_app(demo):
    fields = {"group": "G", "weight": 7, "style": "link", "confirmation": False, "enabled": False}
    async with demo.open() as app:
        made = await add(app, "one", "Go", conditions=[compare("n", "in", [1, 2])], **fields)
    async with demo.open() as app:
        assert app.configuration.get_button("one") == app.configuration.get_button(made.id) == made
        edited = await app.configuration.edit_button("one", text="Went", job="Other", object_types=["demo.other"])
        assert (edited.id, edited.text, edited.job, edited.object_types) == (
            made.id,
            "Went",
            "demo.Other",
            ("demo.other",),
        )
        assert {key: getattr(edited, key) for key in fields} == fields
        assert edited.conditions == made.conditions
        await app.configuration.remove_button("one")
    async with demo.open() as app:
        assert app.configuration.buttons() == []


async def test_every_style_of_the_original_is_there_and_no_other(app):
    assert BUTTON_STYLES == ("default", "primary", "success", "info", "warning", "danger", "link")
    for style in BUTTON_STYLES:
        assert (await add(app, style, style=style)).style == style
    ((_, buttons),) = await shown(app)
    assert {button.style for button in buttons} == set(BUTTON_STYLES)
    with pytest.raises(RecordConflict, match=r"unknown style 'LINK'. Known: default, primary, success, "):
        await app.configuration.edit_button("link", style="LINK")
