"""Objects that refer to others: what may be written, what a delete does, and how they are read, walked and found."""

import json
import sqlite3
from typing import Any

import pytest
from msgspec import UNSET, Struct, UnsetType

from buttonhook import BrokenReference, InvalidDocument, Ref, StillReferenced, TrackedObject, open_app
from buttonhook.errors import BadObjectType, CascadeTooLarge, ImportFault, ObjectNotFound, QueryError, UsageError
from buttonhook.imports.importer import Importer
from buttonhook.imports.reports import ImportOptions
from buttonhook.imports.sources import open_source
from buttonhook.objects.session import Write
from buttonhook.recorder import references
from buttonhook.stores.sqlite.select import objects_sql
from buttonhook.stores.sqlite.statements import FIND_REFERRERS
from tests.scenarios.story import all_changes, hook_up, lines_of, only_result


class Site(TrackedObject, object_type="lab.site", unique=("name",), natural_key="name", kw_only=True):
    name: str
    region: str = "eu"
    parent: Ref["Site"] | UnsetType | None = UNSET


class Box(
    TrackedObject, object_type="lab.box", unique=("name",), on_delete={"spare": "clear", "shelf": "clear"}, kw_only=True
):
    name: str
    site: Ref[Site] | UnsetType | None = UNSET
    spare: Ref[Site] | None = None
    shelf: Ref[Site] | UnsetType = UNSET


class Port(TrackedObject, object_type="lab.port", on_delete={"box": "cascade"}, kw_only=True):
    box: Ref[Box]
    name: str = ""
    peer: Ref["Port"] | UnsetType | None = UNSET


TYPES = [Site, Box, Port]


@pytest.fixture
async def app(tmp_path):
    async with open_app(str(tmp_path / "lab.db"), object_types=TYPES, load_plugins=False) as opened:
        yield opened


# --- what a field holds ---------------------------------------------------------------------------


async def test_a_field_takes_a_pk_a_ref_or_a_saved_object_and_stores_the_pk(app):
    site = await app.objects(Site).create(pk="s1", name="S1")
    for given in ("s1", Ref("s1"), site, Ref(site)):
        box = Box(name="b", site=given)
        assert box.document == {"name": "b", "site": "s1", "spare": None}
        assert box.site == "s1"
        assert box.site == site
        assert box.site == Ref("s1")
        assert str(box.site) == "s1"
    box.site = None
    assert box.document["site"] is None
    box.shelf = site
    assert box.shelf.pk == "s1"


async def test_an_object_that_was_not_saved_or_is_of_another_type_is_refused_with_the_cure(app):
    box = Box(name="b")
    with pytest.raises(InvalidDocument, match=r"lab\.site that was saved\. Save it first"):
        box.site = Site(name="new")
    saved = await app.objects(Box).create(name="other")
    with pytest.raises(InvalidDocument, match=r"takes a lab\.site, not lab\.box"):
        box.site = saved


async def test_a_reference_is_loaded_and_in_an_async_function_never_walked(app):
    await app.objects(Site).create(pk="s1", name="S1")
    box = await app.objects(Box).create(pk="b1", name="b", site="s1")
    assert (await box.site.get()).name == "S1"
    with pytest.raises(UsageError, match=r"Write: \(await obj\.site\.get\(\)\)\.name"):
        _ = box.site.name


async def test_the_block_sees_what_it_wrote_through_a_reference(app):
    async with app.transaction():
        site = await Site(name="S1", pk="s1").save()
        box = await Box(name="b", pk="b1", site=site).save()
        assert (await box.site.get()).name == "S1"
    assert (await app.objects(Box).get(site=site)).pk == "b1"


WALKER = """
from buttonhook import JobHookReceiver, Ref, TrackedObject, hookimpl, register_jobs


class Place(TrackedObject, object_type="walk.place", kw_only=True):
    name: str


class Thing(TrackedObject, object_type="walk.thing", kw_only=True):
    place: Ref[Place]


class Walker(JobHookReceiver):
    def receive_job_hook(self, change, action, changed_object):
        self.logger.info("in %s", changed_object.place.name)


class Forgetful(JobHookReceiver):
    async def receive_job_hook(self, change, action, changed_object):
        changed_object.place.get()


register_jobs(Walker, Forgetful)


@hookimpl
def buttonhook_object_types():
    return [Place, Thing]
"""


async def test_a_plain_receiver_walks_it_and_a_get_that_is_never_awaited_is_told(stage):
    stage.install("walk", WALKER)
    async with stage.open() as app:
        await app.objects("walk.place").create(pk="p", name="Cellar")
        await hook_up(app, "walk.Walker", "walk.thing")
        await app.objects("walk.thing").create(pk="t", place="p")
        assert ("info", "in Cellar") in await lines_of(app, await only_result(app))
        await hook_up(app, "walk.Forgetful", "walk.thing", actions=["delete", "update"])
        await app.objects("walk.place").create(pk="q", name="Attic")
        thing = await app.objects("walk.thing").get("t")
        thing.place = "q"
        await thing.save()
        result = await only_result(app, job="walk.Forgetful")
        assert "get() of walk.place 'q'" in result.error
        assert "await obj.place.get()" in result.error


# --- what may be declared -------------------------------------------------------------------------


class Inner(Struct):
    site: Ref[Site]


@pytest.mark.parametrize(
    ("annotation", "words", "message"),
    [
        (list[Ref[Site]], {}, "A Ref is a field of its own"),
        (Inner, {}, "A Ref is a field of its own"),
        (Ref[Site] | str, {}, "A Ref is a field of its own"),
        (Ref[Any], {}, "refers by 'to' to no object type"),
        (Ref["Nowhere"], {}, "not known here"),
        (Ref[Site], {"to": "clear"}, "which cannot be empty"),
        (Ref[Site], {"to": "drop"}, "The words are: protect, clear, cascade"),
        (Ref[Site], {"name": "clear"}, "which is no reference"),
    ],
)
def test_what_cannot_be_declared_is_refused_with_the_right_form(annotation, words, message):
    namespace = {"__annotations__": {"name": str, "to": annotation}, "__module__": __name__}
    with pytest.raises(BadObjectType, match=message):
        type(TrackedObject)("Bad", (TrackedObject,), namespace, object_type="lab.bad", on_delete=words)


# --- what is judged at the commit -----------------------------------------------------------------


async def test_what_does_not_exist_cannot_be_referred_to(app):
    with pytest.raises(BrokenReference, match=r"lab\.box 'b' refers by 'site' to lab\.site 's1', which does not exist"):
        await app.objects(Box).create(pk="b", name="b", site="s1")
    async with app.transaction():  # in any order within a transaction
        await Box(name="b", pk="b", site="s1").save()
        await Site(name="S1", pk="s1").save()
    box = await app.objects(Box).get("b")
    box.site = "s2"
    with pytest.raises(BrokenReference, match="'s2'"):
        await box.save()


async def test_a_delete_is_refused_naming_five_who_refer_and_how_many_more(app, tmp_path):
    site = await app.objects(Site).create(pk="s1", name="S1")
    for number in range(7):
        await app.objects(Box).create(pk=f"b{number}", name=f"b{number}", site=site)
    with pytest.raises(StillReferenced, match=r"lab\.box 'b0' \(field 'site'\).*'b4' .* and 2 more\. Delete or change"):
        await site.delete()
    assert await app.objects(Site).exists("s1")
    found = await app.referrers("lab.site", "s1", limit=2)
    assert found == [("lab.box", "b0", "site"), ("lab.box", "b1", "site")]
    assert (await app.referrers("lab.site", "s1", after=found[-1], limit=50))[0] == ("lab.box", "b2", "site")
    connection = sqlite3.connect(tmp_path / "lab.db")
    (step,) = connection.execute(f"EXPLAIN QUERY PLAN {FIND_REFERRERS}", ["lab.site", "s1", "", "", "", 50])
    connection.close()
    assert step[3].startswith("SEARCH object_reference USING PRIMARY KEY (target_type=? AND target_pk=? AND")


async def test_a_delete_clears_and_cascades_as_the_fields_say_each_object_once(app):
    site = await app.objects(Site).create(pk="s1", name="S1")
    box = await app.objects(Box).create(pk="b", name="b", spare=site, shelf=site)
    for pk in ("p1", "p2"):
        await app.objects(Port).create(pk=pk, box=box)
    last = (await all_changes(app))[-1].id
    await site.delete()
    assert (await app.objects(Box).get("b")).document == {"name": "b", "spare": None}
    await (await app.objects(Box).get("b")).delete()
    told = [(each.action.value, each.object_pk) for each in await all_changes(app, after=last)]
    assert told == [("update", "b"), ("delete", "s1"), ("delete", "p1"), ("delete", "p2"), ("delete", "b")]
    assert (await app.check()).problems == []


async def test_a_cascade_that_meets_what_is_protected_is_refused_with_the_path(app):
    box = await app.objects(Box).create(pk="b", name="b")
    first = await app.objects(Port).create(pk="p1", box=box)
    other = await app.objects(Box).create(pk="c", name="c")
    await app.objects(Port).create(pk="p2", box=other, peer=first)
    with pytest.raises(StillReferenced, match=r"it takes lab\.port 'p1' along .*referred to by lab\.port 'p2'"):
        await box.delete()
    assert await app.objects(Port).count() == 2


async def test_a_cascade_that_is_too_large_is_refused(app, monkeypatch):
    monkeypatch.setattr(references, "MAX_CASCADE", 2)
    box = await app.objects(Box).create(pk="b", name="b")
    for number in range(3):
        await app.objects(Port).create(pk=f"p{number}", box=box)
    with pytest.raises(CascadeTooLarge, match="more than 2 objects"):
        await box.delete()


async def test_more_referrers_than_a_page_holds_all_go_along(app):
    box = await app.objects(Box).create(pk="b", name="b")
    writes = [
        Write(kind="create", object_type="lab.port", pk=f"p{number:04}", document={"box": "b"})
        for number in range(2100)
    ]
    await app.commit(app.session().request(tuple(writes)))
    await box.delete()
    assert await app.objects(Port).count() == 0
    assert (await app.check()).problems == []


# --- queries --------------------------------------------------------------------------------------


async def test_a_query_goes_over_one_reference_and_finds_it_from_the_other_side(app, tmp_path):
    for number in range(3):
        await app.objects(Site).create(pk=f"s{number}", name=f"S{number}", region="us" if number else "eu")
    for number in range(6):
        site = None if number == 5 else f"s{number % 3}"
        await app.objects(Box).create(pk=f"b{number}", name=f"B{number}", site=site)
    boxes = app.objects(Box)
    wanted = [
        (boxes.filter(site__name="S1"), ["b1", "b4"]),
        (boxes.where("site.region", "=", "us"), ["b1", "b2", "b4"]),
        (boxes.filter(site__region__ne="us"), ["b0", "b3", "b5"]),
        (boxes.filter(site="s1"), ["b1", "b4"]),
        (boxes.filter(site__in=["s1", await app.objects(Site).get("s0")]), ["b0", "b1", "b3", "b4"]),
        (boxes.filter(site__isnull=True), ["b5"]),
        (boxes.filter(site__name__isnull=True), ["b5"]),
    ]
    connection = sqlite3.connect(tmp_path / "lab.db")
    for query, pks in wanted:
        assert [each.pk for each in await query] == pks
        sql, bound = objects_sql(query._query)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bound)]
        if "NOT IN" not in sql and "object_reference" in sql:
            assert plan[0] == "SEARCH object USING INDEX sqlite_autoindex_object_1 (object_type=? AND pk=?)"
            assert any("held USING PRIMARY KEY (target_type=? AND target_pk=?" in step for step in plan)
    connection.close()
    with pytest.raises(QueryError, match="more than one reference"):
        boxes.filter(site__parent__name="S0")


# --- types that change ----------------------------------------------------------------------------


def old_box(**fields):
    return type(TrackedObject)(
        "Box", (TrackedObject,), {"__annotations__": fields}, object_type="lab.box", kw_only=True
    )


async def test_a_reference_declared_later_is_told_where_it_leads_nowhere_and_blocks_no_other_write(tmp_path):
    path = str(tmp_path / "lab.db")
    async with open_app(path, object_types=[Site, old_box(name=str, site=str)], load_plugins=False) as app:
        await app.objects(Site).create(pk="s1", name="S1")
        await app.objects("lab.box").create(pk="good", name="good", site="s1")
        await app.objects("lab.box").create(pk="bad", name="bad", site="gone")
    async with open_app(path, object_types=TYPES, load_plugins=False) as app:
        expected = "lab.box 'bad' refers by site to lab.site 'gone', which does not exist"
        assert (await app.check()).problems == [expected]
        bad = await app.objects(Box).get("bad")
        bad.name = "still bad"
        await bad.save()
        with pytest.raises(ObjectNotFound):
            await bad.site.get()
        bad.site = "gone too"
        with pytest.raises(BrokenReference):
            await bad.save()
        with pytest.raises(StillReferenced):
            await (await app.objects(Site).get("s1")).delete()
    async with open_app(path, object_types=[Site], load_plugins=False) as app:  # the package of lab.box is gone
        with pytest.raises(StillReferenced):
            await (await app.objects(Site).get("s1")).delete()
        await (await app.objects("lab.box").get("good")).delete()
        await (await app.objects(Site).get("s1")).delete()


async def test_check_tells_of_a_table_that_is_not_what_the_documents_say(tmp_path):
    path = tmp_path / "lab.db"
    async with open_app(str(path), object_types=TYPES, load_plugins=False) as app:
        await app.objects(Site).create(pk="s1", name="S1")
        await app.objects(Box).create(pk="b", name="b", site="s1")
    connection = sqlite3.connect(path)
    connection.execute("UPDATE object_reference SET field = 'shelf'")
    connection.commit()
    connection.close()
    async with open_app(str(path), object_types=TYPES, load_plugins=False) as app:
        problems = (await app.check()).problems
    assert problems == [
        "lab.box 'b' is held to refer by shelf to lab.site 's1', but does not",
        "lab.box 'b' refers by site to lab.site 's1', but the index lacks it",
    ]


# --- imports --------------------------------------------------------------------------------------


async def imported(app, tmp_path, lines, on_error="stop"):
    """Import object lines; returns the summary and the faults."""
    path = tmp_path / "lines.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in lines))
    faults = []

    async def note(report):
        if isinstance(report, ImportFault):
            faults.append(report)

    options = ImportOptions(user_name="ann", on_error=on_error, batch_lines=4)
    importer = Importer(app, app.registry.get_type, app.find_by_natural_key, options)
    with open_source(str(path)) as source:
        return await importer.run(source, note), faults


def box_line(pk, **fields):
    return {"object_type": "lab.box", "pk": pk, "data": {"name": pk, **fields}}


def site_line(pk, **fields):
    return {"object_type": "lab.site", "pk": pk, "data": {"name": pk, **fields}}


async def test_object_lines_come_in_any_order(app, tmp_path):
    sites = [site_line(f"s{number}", **({"parent": f"s{number + 1}"} if number < 30 else {})) for number in range(31)]
    lines = [*(box_line(f"b{number}", site=f"s{number}") for number in range(10)), *sites]
    summary, faults = await imported(app, tmp_path, lines)
    assert faults == []
    assert (summary.created, summary.faults, summary.lines) == (41, 0, 41)
    assert await app.objects(Box).filter(site__name="s7").count() == 1
    assert (await app.check()).problems == []


async def test_a_line_that_refers_to_what_never_comes_is_told_with_its_number(app, tmp_path):
    lines = [box_line("a", site="never"), site_line("s"), box_line("b", site="s"), box_line("c", spare="nor this")]
    summary, faults = await imported(app, tmp_path, lines, on_error="skip")
    assert [each.line for each in faults] == [1, 4]
    assert "refers by 'site' to lab.site 'never', which does not exist" in faults[0].problem
    assert (summary.created, summary.faults) == (2, 2)


async def test_a_later_line_of_the_same_object_stays_behind_the_one_that_was_put_aside(app, tmp_path):
    lines = [box_line("a", site="s"), *(site_line(f"x{number}") for number in range(6)), box_line("a"), site_line("s")]
    _, faults = await imported(app, tmp_path, lines)
    assert faults == []
    assert "site" not in (await app.objects(Box).get("a")).document
