"""The pages of changes: what fits, how far is looked, and what of it one may see."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from buttonhook.http.pages import cause_tree as tree_pages
from buttonhook.http.pages import changes as routes
from buttonhook.ids import new_uuid7
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery, ResultQuery
from tests.api.served import Served, served_app
from tests.browser.changed import RECEIVERS, gate, make_changes

CANARY = "<img src=x onerror=alert(1)>\"'&amp;"
VIEWS = ("jobs.view_objectchange", "dcim.view_device")


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """One database for all tests: each of them adds what it needs."""
    async with served_app(tmp_path_factory.mktemp("changes"), receivers=RECEIVERS) as app:
        await make_changes(app.app)
        yield app
        gate.set()


def numbers(answer: httpx.Response) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(each) for each in re.findall(r'class="number" href="/changes/(\d+)"', answer.text)]


async def change_of(served: Served, pk: str, **asked: object) -> int:
    return (await served.app.changes(ChangeQuery(object_type="dcim.device", object_pk=pk, limit=1, **asked)))[0].id  # type: ignore[arg-type]


async def test_each_filter_finds_what_fits(served: Served):
    ann = await served.owner()
    every = numbers(await ann.get("/changes"))
    assert every == sorted(every, reverse=True)
    known = await served.app.changes(ChangeQuery(limit=1000))
    by_hook = [each for each in known if each.change_context == "job-hook"]
    assert by_hook
    for asked, fits in (
        ("object_type=dcim.device", [each.id for each in known if each.object_type == "dcim.device"]),
        (
            "object_type=dcim.device&object_pk=r1",
            [each.id for each in known if each.object_type == "dcim.device" and each.object_pk == "r1"],
        ),
        ("action=create&user=ann", [each.id for each in known if each.action == "create"]),
        ("context=job-hook", [each.id for each in by_hook]),
        (f"cause={by_hook[0].cause}", [by_hook[0].id]),
        (f"request_id={known[-1].request_id}", [known[-1].id]),
        ("user=nobody", []),
        ("period=hour", [each.id for each in known]),
        ("until=2020-01-01T00:00", []),
        ("since=2020-01-01T00:00%2B00:00", [each.id for each in known]),
    ):
        found = numbers(await ann.get(f"/changes?{asked}"))
        assert found == fits[:50], asked


async def test_the_empty_fields_of_the_form_are_taken_out_of_the_address(served: Served):
    ann = await served.owner()
    answer = await ann.get("/changes?object_type=dcim.device&action=&user=&period=")
    assert (answer.status_code, answer.headers["location"]) == (303, "/changes?object_type=dcim.device")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("object_pk=r1", "without a type"),
        ("action=rename", "Known: create, update, delete"),
        ("context=mail", "webhook"),
        ("period=year", "Known: hour, day, week"),
        ("since=soon", "is no time"),
        ("cursor=abc", "is no cursor"),
    ],
)
async def test_a_filter_that_cannot_be_is_told_above_the_list(served: Served, asked: str, told: str):
    answer = await (await served.owner()).get(f"/changes?{asked}")
    assert answer.status_code == 422
    assert told in answer.text
    assert '<nav class="segments"' in answer.text


async def test_pages_go_on_where_the_last_one_ended(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routes, "PAGE_SIZE", 5)
    ann = await served.owner()
    met: list[int] = []
    here = "/changes?user=ann"
    while here:
        answer = await ann.get(here)
        met += numbers(answer)
        following = re.search(r'href="([^"]+)" rel="next"', answer.text)
        here = following[1].replace("&amp;", "&") if following else ""
    assert met == [each.id for each in await served.app.changes(ChangeQuery(limit=1000, user_name="ann"))]
    assert len(met) == len(set(met)) > 20


async def test_a_look_without_an_index_ends_in_time_and_goes_on_when_asked(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    from buttonhook.access import looking

    monkeypatch.setattr(looking, "FIRST", 4)
    monkeypatch.setattr(routes, "QUICK_SECONDS", 0.0)
    ann = await served.owner()
    answer = await ann.get("/changes?action=delete")
    assert "No index helps these filters" in answer.text
    link = re.search(r'href="([^"]+)" rel="next">Look further back', answer.text)
    assert link
    further = await ann.get(link[1].replace("&amp;", "&"))
    assert "Look further back" not in further.text
    assert "Nothing more fits" in further.text


async def test_new_changes_are_counted_with_the_filters_of_the_list(served: Served):
    ann = await served.owner()
    page = await ann.get("/changes?object_type=dcim.location")
    news = re.search(r'data-follow="([^"]+)"', page.text)
    assert news
    source = news[1].replace("&amp;", "&")
    session = served.app.session(user="ann")
    await session.objects("dcim.manufacturer").create(pk="acme", name="ACME")
    assert "new change" not in (await ann.get(source)).text
    for number in range(2):
        await session.objects("dcim.location").create(pk=f"new{number}", name=f"new {number}")
    told = (await ann.get(source)).text
    assert "Show 2 new changes" in told
    assert 'href="/changes?object_type=dcim.location"' in told


async def test_what_one_may_not_see_is_neither_listed_nor_counted_nor_shown(served: Served):
    bob = await served.user("bob", *VIEWS)
    listed = numbers(await bob.get("/changes"))
    known = await served.app.changes(ChangeQuery(object_type="dcim.device", limit=1000))
    assert listed == [each.id for each in known]
    (location,) = (await served.app.changes(ChangeQuery(object_type="dcim.location", limit=1))) or [None]
    assert location is not None
    for part in ("", "/now", "/documents", "/caused"):
        assert (await bob.get(f"/changes/{location.id}{part}")).status_code == 404
    shown = await bob.get(f"/changes/{await change_of(served, 'r1')}")
    assert shown.status_code == 200
    assert "It caused no run that you may see" in shown.text
    assert "Count devices" not in shown.text
    nobody = await served.user("eve", "dcim.view_device")
    refused = await nobody.get("/changes")
    assert refused.status_code == 403
    assert "jobs.view_objectchange" in refused.text


async def test_a_change_made_by_a_run_that_one_may_not_see_says_so(served: Served):
    carl = await served.user("carl", "jobs.view_objectchange", "dcim.view_location")
    (made,) = await served.app.changes(ChangeQuery(context="job-hook", limit=1))
    page = await carl.get(f"/changes/{made.id}")
    assert "a run that is not visible to you" in page.text
    assert str(made.cause) not in page.text
    ann = await served.owner()
    assert f"/results/{made.cause}" in (await ann.get(f"/changes/{made.id}")).text


async def test_a_change_tells_why_each_hook_fired_or_did_not(served: Served):
    ann = await served.owner()
    for pk, fates in (("r1", {"fired", "not covered"}), ("r2", {"cut", "not covered"})):
        number = await change_of(served, pk)
        page = (await ann.get(f"/changes/{number}")).text
        explained = await served.app.explainer.explain(number)
        assert {each.fate for each in explained.verdicts} == fates
        for each in explained.verdicts:
            assert each.hook in page
            assert each.reason.replace('"', "&#34;") in page
            assert all(f"/results/{id_}" in page for id_ in each.results)


async def test_a_deleted_object_keeps_its_changes(served: Served):
    ann = await served.owner()
    device = await served.app.session(user="ann").objects("dcim.device").get("r3")
    await device.delete()
    last = await change_of(served, "r3")
    page = await ann.get(f"/changes/{last}")
    assert page.status_code == 200
    assert "What it was" in page.text
    assert ">gone<" in page.text
    assert "The object is gone" in (await ann.get(f"/changes/{last}/now")).text
    assert "It was deleted." in (await ann.get(f"/changes/{last}/documents")).text
    first = await change_of(served, "r3", ascending=True)
    assert f'href="/changes/{last}" rel="next"' in (await ann.get(f"/changes/{first}")).text


async def test_a_password_is_in_no_part_of_a_change_of_a_user(served: Served):
    await served.app.administration.add_user("dora")
    await served.app.administration.set_password("dora", "hunter2 hunter2 hunter2")
    (change,) = await served.app.changes(ChangeQuery(object_type="users.user", limit=1))
    record = served.app.administration.get_user("dora")
    ann = await served.owner()
    for part in ("", "/documents"):
        page = await ann.get(f"/changes/{change.id}{part}")
        assert page.status_code == 200
        assert record.password_hash not in page.text
        assert "password_hash" not in page.text


async def test_what_people_wrote_stays_text(served: Served):
    await served.app.administration.add_user("mallory")
    session = served.app.session(user="ann")
    made = await session.objects("net.profile").create(
        pk=new_uuid7(), name=CANARY, text=f"a\n{CANARY}", **{CANARY: {CANARY: [CANARY]}}
    )
    made.name = CANARY + "2"
    made.text = f"b\n{CANARY}"
    made[CANARY] = {CANARY: ["x", CANARY], "y": CANARY}
    await made.save()
    (change,) = await served.app.changes(ChangeQuery(object_type="net.profile", limit=1))
    ann = await served.owner()
    for where in (f"/changes/{change.id}", f"/changes/{change.id - 1}/now", f"/changes/{change.id}/documents"):
        page = await ann.get(where)
        assert page.status_code == 200, where
        assert "<img" not in page.text, where
        assert "&lt;img" in page.text, where
    for name in ("object_type", "user", "request_id", "cause", "since", "action"):
        page = await ann.get("/changes", params={name: CANARY})
        assert page.status_code in (200, 422), name
        assert "<img" not in page.text, name


async def test_a_change_that_cannot_be_is_not_found(served: Served):
    ann = await served.owner()
    for number in ("0", "999999", "-1", "1e3", "9" * 30, "x", "%F0%9F%92%A5"):
        assert (await ann.get(f"/changes/{number}")).status_code == 404, number


async def test_a_user_sees_what_constraints_let_through(served: Served):
    fay = await served.user("fay", "jobs.view_objectchange")
    await served.app.administration.grant(
        ["dcim.view_device"], users=["fay"], constraints=[Constraint(path="name", operator="=", value="ams01-r2")]
    )
    listed = numbers(await fay.get("/changes"))
    assert listed == [await change_of(served, "r2")]


async def edited(served: Served) -> int:
    """The change of a device whose runs changed its location, which fired another one, which enqueued the next."""
    found = await served.app.changes(ChangeQuery(context="job-hook", limit=1))
    (cause,) = await served.app.results(ResultQuery(id=found[0].cause))
    return cause.change_ids[0]


async def test_the_tree_of_causes_is_drawn_from_a_change_and_from_each_run(served: Served):
    ann = await served.owner()
    number = await edited(served)
    page = await ann.get(f"/changes/{number}/causes")
    assert page.status_code == 200
    rows = re.findall(
        r'class="cause-name"><span class="visually-hidden">Step (\d+), (\w+): </span><bdi>([^<]+)', page.text
    )
    assert ("1", "change", "ams01-r1") in rows
    assert rows.index(("3", "change", "Amsterdam 1")) == rows.index(("2", "result", "Count devices")) + 1
    assert rows[-1] in (
        ("5", "result", "Push to map"),
        ("2", "result", "Check power"),
        ("2", "result", "Count devices"),
    )
    assert ("5", "result", "Push to map") in rows
    assert page.text.count("502 Bad Gateway") >= 2
    assert "data-ended" in page.text
    (last,) = await served.app.results(ResultQuery(job="tests.browser.changed.PushToMap", limit=1))
    below = await ann.get(f"/results/{last.id}/causes")
    seen = re.findall(r"Step (\d+), (\w+):", below.text)
    assert seen == [("1", "change"), ("2", "result"), ("3", "change"), ("4", "result"), ("5", "result")]
    assert f'href="/changes/{number}/causes">The whole tree' in below.text
    assert (await ann.get(f"/results/{last.number}/causes")).status_code == 200


async def test_a_tree_tells_no_more_of_what_one_may_not_see_than_that_it_is_there(served: Served):
    number = await edited(served)
    (inner,) = await served.app.changes(ChangeQuery(context="job-hook", limit=1))
    gina = await served.user("gina", "jobs.view_objectchange", "jobs.view_jobresult", "dcim.view_location")
    assert (await gina.get(f"/changes/{number}/causes")).status_code == 404
    page = (await gina.get(f"/changes/{inner.id}/causes")).text
    assert "A run that is not visible to you" in page
    for secret in ("ams01-r1", "Count devices", "CountDevices", str(inner.cause)):
        assert secret not in page.partition("<main")[2].replace(str(inner.change_context_detail), ""), secret
    hal = await served.user("hal", "jobs.view_objectchange", "jobs.view_jobresult", "dcim.view_device")
    whole = (await hal.get(f"/changes/{number}/causes")).text
    assert "Count devices" in whole
    assert "Amsterdam" not in whole
    fired = (await served.app.results(ResultQuery(change_id=inner.id)))[0]
    for nobody in (hal, await served.user("ida", "dcim.view_location")):
        assert (await nobody.get(f"/results/{fired.id}/causes")).status_code == 404


async def test_a_run_behind_a_hidden_change_stands_below_a_row_that_says_so(served: Served):
    """Who sees locations and devices, but of changes those of devices only."""
    kim = await served.user("kim", "jobs.view_jobresult", "dcim.view_location", "dcim.view_device")
    await served.app.administration.grant(
        ["jobs.view_objectchange"],
        users=["kim"],
        constraints=[Constraint(path="object_type", operator="=", value="dcim.device")],
    )
    page = (await kim.get(f"/changes/{await edited(served)}/causes")).text
    told = re.findall(r"Step (\d+)(?:, \w+)?: </span>(?:<bdi>)?([^<]+)", page)
    hidden = told.index(("3", "A change that is not visible to you"))
    assert told[hidden - 1] == ("2", "Count devices")
    assert told[hidden + 1] == ("4", "Publish location")


async def test_a_tree_that_is_too_large_says_so_and_leads_to_the_rest(served: Served, monkeypatch: pytest.MonkeyPatch):
    from buttonhook.access import causes

    number = await edited(served)
    ann = await served.owner()
    monkeypatch.setattr(causes, "PAGE", 1)
    monkeypatch.setattr(causes, "AT_ONCE", 2)
    page = (await ann.get(f"/changes/{number}/causes")).text
    assert f'and more came of it. <a href="/changes/{number}/causes?all=yes">' in page
    assert f'href="/results?change={number}">It caused more' in page
    page = (await ann.get(f"/changes/{number}/causes?all=yes")).text
    assert "More came of it than is drawn" in page
    assert f'data-follow="/changes/{number}/causes?all=yes"' in page
    monkeypatch.setattr(causes, "PAGE", 100)
    whole = (await ann.get(f"/changes/{number}/causes")).text
    assert "ore came of it" not in whole
    monkeypatch.setattr(tree_pages, "DRAWN", 3)
    page = (await ann.get(f"/changes/{number}/causes")).text
    assert len(re.findall(r'class="cause-name"', page)) == 3
    assert "and more came of it" in page


async def test_the_tree_is_the_same_whether_asked_together_or_in_halves(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    from buttonhook.access import causes

    ann = await served.owner()
    address = f"/api/object-changes/{await edited(served)}/causes"
    together = (await ann.get(address)).json()
    monkeypatch.setattr(causes, "AT_ONCE", 1)
    assert (await ann.get(address)).json() == together
    assert len(together["items"]) >= 6


async def test_a_look_through_results_ends_in_time_and_goes_on_when_asked(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    from buttonhook.access import looking
    from buttonhook.http.pages import results

    monkeypatch.setattr(looking, "FIRST", 2)
    monkeypatch.setattr(results, "QUICK_SECONDS", 0.0)
    ann = await served.owner()
    answer = await ann.get("/results?status=failure&user=nobody")
    link = re.search(r'href="([^"]+)" rel="next">Look further back', answer.text)
    assert link, answer.text
    further = await ann.get(link[1].replace("&amp;", "&"))
    assert "Look further back" not in further.text
    assert "Nothing fits" in further.text
