"""Objects over HTTP: reading, writing, conditions on versions, lists, and what nobody may learn by them."""

import asyncio
import sqlite3
from contextlib import closing
from typing import Any

import httpx
import pytest

from buttonhook.http.api import objects as routes
from buttonhook.objects.session import Write
from buttonhook.people import Constraint
from buttonhook.records import ChangeQuery
from tests.api.served import Served, problem

DEVICES = "/api/objects/dcim.device"
LOCATIONS = "/api/objects/dcim.location"
JSON = {"Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


async def put(client: httpx.AsyncClient, path: str, document: dict[str, Any], **headers: str) -> dict[str, Any]:
    answer = await client.put(path, json=document, headers=headers)
    assert answer.is_success, answer.text
    return dict(answer.json())


async def names(client: httpx.AsyncClient, query: str = "") -> list[str]:
    answer = await client.get(f"{DEVICES}?fields=document.name{query and '&'}{query}")
    assert answer.status_code == 200, answer.text
    return [each["document"]["name"] for each in answer.json()["items"]]


# --- one object -----------------------------------------------------------------------------------


async def test_an_object_is_made_replaced_patched_and_deleted(served: Served):
    ann = await served.owner()
    made = await ann.put(f"{DEVICES}/r 1", json={"name": "ams01-r1", "extra": {"a": 1}})
    assert (made.status_code, made.headers["location"]) == (201, f"{DEVICES}/r%201")
    told = made.json()
    assert told["action"] == "create"
    assert told["object"]["document"] == {"name": "ams01-r1", "extra": {"a": 1}, "serial": "", "status": "active"}
    assert made.headers["etag"] == f'"{told["change"]}"'
    shown = await ann.get(made.headers["location"])
    assert shown.json() == told["object"]
    assert (shown.json()["object_repr"], shown.json()["updated_by"]) == ("ams01-r1", "ann")
    changed = await ann.patch(f"{DEVICES}/r 1", json={"serial": "X1", "asset_tag": None})
    assert changed.json()["action"] == "update"
    assert changed.json()["object"]["document"]["extra"] == {"a": 1}
    again = await ann.patch(f"{DEVICES}/r 1", json={"serial": "X1"})
    assert (again.json()["action"], again.json()["change"], again.json()["changes"]) == ("unchanged", None, [])
    assert again.headers["etag"] == changed.headers["etag"]
    whole = await ann.put(f"{DEVICES}/r 1", json={"name": "ams01-r1"})
    assert (whole.status_code, "extra" in whole.json()["object"]["document"]) == (200, False)
    gone = await ann.delete(f"{DEVICES}/r 1")
    assert (gone.status_code, gone.json()["action"], gone.json()["object"]) == (200, "delete", None)
    problem(await ann.get(f"{DEVICES}/r 1"), 404, "object-not-found")
    problem(await ann.delete(f"{DEVICES}/r 1"), 404, "object-not-found")
    changes = await served.app.changes(ChangeQuery(object_type="dcim.device", ascending=True))
    assert [each.action for each in changes] == ["create", "update", "update", "delete"]
    assert {each.change_context for each in changes} == {"api"}
    assert changes[0].request_id == made.headers["x-request-id"]


async def test_a_merge_patch_merges_at_every_depth_and_takes_away_by_null(served: Served):
    ann = await served.owner()
    await put(ann, f"{DEVICES}/r1", {"name": "a", "site": {"row": 1, "rack": {"u": 2, "face": "front"}}, "old": 1})
    answer = await ann.patch(
        f"{DEVICES}/r1", content=b'{"site": {"rack": {"face": null}, "row": 3}, "old": null}', headers=MERGE
    )
    document = answer.json()["object"]["document"]
    assert (document["site"], "old" in document) == ({"row": 3, "rack": {"u": 2}}, False)
    plain = await ann.patch(f"{DEVICES}/r1", json={"site": {"row": 4}, "old": None})
    document = plain.json()["object"]["document"]
    assert (document["site"], document["old"]) == ({"row": 4}, None)
    problem(await ann.patch(f"{DEVICES}/nowhere", json={}), 404, "object-not-found")


async def test_a_made_object_gets_a_key_of_its_own(served: Served):
    ann = await served.owner()
    answer = await ann.post(DEVICES, json={"name": "a"})
    assert answer.status_code == 201
    assert answer.headers["location"] == f"{DEVICES}/{answer.json()['object']['pk']}"


async def test_a_write_expects_a_version_an_object_or_none(served: Served):
    ann, bob = await served.owner(), await served.user("bob", "dcim.*")
    path = f"{DEVICES}/r1"
    problem(await ann.put(path, json={"name": "a"}, headers={"If-Match": "*"}), 404, "object-not-found")
    first = await ann.put(path, json={"name": "a"}, headers={"If-None-Match": "*"})
    told = problem(await ann.put(path, json={"name": "b"}, headers={"If-None-Match": "*"}), 409, "object-exists")
    assert told["detail"] == "dcim.device 'r1' exists already. Get it and change that one."
    assert (await bob.patch(path, json={"serial": "B"}, headers={"If-Match": "*"})).status_code == 200
    stale = {"If-Match": first.headers["etag"]}
    for answer in (
        await ann.put(path, json={"name": "b"}, headers=stale),
        await ann.patch(path, json={"name": "b"}, headers=stale),
        await ann.delete(path, headers=stale),
    ):
        detail = problem(answer, 409, "stale-object")["detail"]
        assert "changed by bob" in detail
        assert "refresh()" not in detail
    weak = {"If-Match": f"W/{(await ann.get(path)).headers['etag']}"}  # as a proxy makes it that packs answers
    assert (await ann.put(path, json={"name": "b"}, headers=weak)).status_code == 200
    for header in ({"If-Match": "12"}, {"If-None-Match": '"12"'}, {"If-Match": "*", "If-None-Match": "*"}):
        problem(await ann.put(path, json={"name": "c"}, headers=header), 400, "bad-etag")
    huge = await ann.delete(path, headers={"If-Match": f'"{9 * 10**30}"'})
    problem(huge, 409, "stale-object")


async def test_an_object_that_is_still_so_is_not_sent_again(served: Served):
    ann = await served.owner()
    await put(ann, f"{DEVICES}/r1", {"name": "a"})
    tag = (await ann.get(f"{DEVICES}/r1")).headers["etag"]
    for header in (tag, f'"1", {tag}', "*", f"W/{tag}"):
        same = await ann.get(f"{DEVICES}/r1", headers={"If-None-Match": header})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
    await put(ann, f"{DEVICES}/r1", {"name": "b"})
    assert (await ann.get(f"{DEVICES}/r1", headers={"If-None-Match": tag})).status_code == 200


async def test_patches_of_other_fields_at_once_all_stay(served: Served):
    ann = await served.owner()
    await put(ann, f"{DEVICES}/r1", {"name": "a"})
    answers = await asyncio.gather(*(ann.patch(f"{DEVICES}/r1", json={f"f{n}": n}) for n in range(20)))
    assert [each.status_code for each in answers] == [200] * 20
    document = (await ann.get(f"{DEVICES}/r1")).json()["document"]
    assert all(document[f"f{n}"] == n for n in range(20))


async def test_merge_patches_of_one_field_at_once_lose_nothing_without_a_word(served: Served):
    ann = await served.owner()
    await put(ann, f"{DEVICES}/r1", {"name": "a", "tags": {}})
    answers = await asyncio.gather(
        *(ann.patch(f"{DEVICES}/r1", content=f'{{"tags": {{"t{n}": 1}}}}', headers=MERGE) for n in range(6))
    )
    document = (await ann.get(f"{DEVICES}/r1")).json()["document"]
    done = {f"t{n}" for n, answer in enumerate(answers) if answer.status_code == 200}
    assert set(document["tags"]) == done
    assert {each.status_code for each in answers} <= {200, 409}


async def test_what_contradicts_the_data_is_told_with_the_other_object(served: Served):
    ann = await served.owner()
    await put(ann, f"{LOCATIONS}/ams", {"name": "AMS01"})
    await put(ann, f"{DEVICES}/r1", {"name": "a", "location": "ams"})
    taken = problem(await ann.put(f"{DEVICES}/r2", json={"name": "a"}), 409, "unique-violation")
    assert "dcim.device 'r1' has it already" in taken["detail"]
    assert taken["errors"] == [{"path": "name", "message": "another has this value"}]
    broken = problem(await ann.patch(f"{DEVICES}/r1", json={"location": "x"}), 409, "broken-reference")
    assert broken["errors"][0]["path"] == "location"
    held = problem(await ann.delete(f"{LOCATIONS}/ams"), 409, "still-referenced")
    assert "dcim.device 'r1' (field 'location')" in held["detail"]
    referrers = (await ann.get(f"{LOCATIONS}/ams/referrers")).json()
    assert referrers == {"items": [{"object_type": "dcim.device", "pk": "r1", "field": "location"}], "next": None}


# --- what cannot be -------------------------------------------------------------------------------


BAD_BODIES = (
    (b"{", 422, "not JSON"),
    (b"", 422, "not JSON"),
    (b'"\xff"', 422, "is not UTF-8"),
    (b"[" * 100_000, 422, "nested"),
    (b'{"a": ' * 70 + b"1" + b"}" * 70, 422, "nested"),
    (b'{"name": "a", "name": "b"}', 422, "name"),
    (b'{"name": NaN}', 422, "NaN"),
    (b'{"name": "\\ud800"}', 422, "surrogate"),
    (b"[]", 422, "an object is a JSON object"),
    (b"{}", 422, "name"),
    (b'{"name": 7}', 422, "name: expected `str`"),
    (b'{"name": "' + b"x" * 1_000_001 + b'"}', 422, "1,000,000"),
    (b'{"name": "' + b"x" * 2_100_000 + b'"}', 413, ""),
)


async def test_a_bad_document_is_refused_with_its_path(served: Served):
    ann = await served.owner()
    for body, status, words in BAD_BODIES:
        for answer in (
            await ann.put(f"{DEVICES}/r1", content=body, headers=JSON),
            await ann.post(DEVICES, content=body, headers=JSON),
        ):
            assert answer.status_code == status, answer.text
            assert words in answer.json()["detail"]
    assert await served.app.changes(ChangeQuery(object_type="dcim.device")) == []


async def test_keys_and_types_that_cannot_be_are_refused(served: Served):
    ann = await served.owner()
    for pk in ("a%00b", "%20a", "a" * 201, "e%CC%81", "a%0Ab"):
        problem(await ann.put(f"{DEVICES}/{pk}", json={"name": "a"}), 422, "invalid-key")
        assert (await ann.get(f"{DEVICES}/{pk}")).status_code == 404
    for path in ("a%2Fb", "a%2fb", "r1%2Freferrers", "..%2Fr1"):
        for method in ("GET", "PUT", "DELETE"):
            answer = await ann.request(method, f"{DEVICES}/{path}", json={"name": "a"})
            assert answer.status_code in (404, 405, 422), answer.text
    problem(await ann.get("/api/objects/dcim.nothing/a"), 404, "unknown-object-type")
    problem(await ann.get("/api/objects/DCIM/a"), 422, "invalid-key")
    problem(await ann.put("/api/objects/jobs.job/a", json={}), 422, "invalid-key")
    problem(await ann.put("/api/objects/users.user/ann", json={"is_owner": True}), 422, "invalid-key")
    problem(await ann.put(f"{DEVICES}/r1", content=b"{}", headers={"Content-Type": "text/plain"}), 415, "media-type")
    assert await served.app.changes(ChangeQuery(object_type="dcim.device")) == []


async def test_what_is_ours_of_an_object_is_set_by_no_document(served: Served):
    ann = await served.owner()
    given = {"name": "a", "version": 7, "pk": "x", "updated_by": "eve", "updated_at": "2001", "object_type": "a.b"}
    told = (await put(ann, f"{DEVICES}/r1", given))["object"]
    assert (told["pk"], told["updated_by"], told["object_type"]) == ("r1", "ann", "dcim.device")
    assert told["version"] != 7
    assert told["document"]["version"] == 7


# --- lists ----------------------------------------------------------------------------------------


@pytest.fixture
async def ten(served: Served) -> httpx.AsyncClient:
    """The owner, and ten devices: d0 to d9, those with an even number at ams."""
    ann = await served.owner()
    writes = [Write(kind="put", object_type="dcim.location", pk="ams", document={"name": "AMS01"})]
    for n in range(10):
        document = {"name": f"d{n}", "u": n % 3, "serial": str(n), **({"location": "ams"} if n % 2 == 0 else {})}
        writes.append(Write(kind="put", object_type="dcim.device", pk=f"d{n}", document=document))
    session = served.app.session()
    await served.app.commit(session.request(tuple(writes)))
    return ann


QUERIES = (
    ("f.name=d3", "3"),
    ("f.name__in=d1,d2,x", "1 2"),
    ("f.u__gt=1&f.u__lte=2", "2 5 8"),
    ("f.serial=5", "5"),
    ("f.serial__ne=5&f.name__in=d4,d5", "4"),
    ("f.location.name__startswith=AMS&f.u=0", "0 6"),
    ("f.location=ams&f.u=1", "4"),
    ("f.location__isnull=true&limit=2", "1 3"),
    ("f.name__icontains=D7", "7"),
    ("f.pk__in=d9,d8", "8 9"),
    ("order=-name&limit=3", "9 8 7"),
    ("order=u,-name&limit=5", "9 6 3 0 7"),
)


async def test_filters_and_orders_mean_what_they_mean_on_the_command_line(ten: httpx.AsyncClient):
    for query, found in QUERIES:
        assert await names(ten, query) == [f"d{each}" for each in found.split()], query


async def test_pages_hold_everything_once_while_objects_come_and_go(ten: httpx.AsyncClient, served: Served):
    for turn, order in enumerate(("", "&order=u", "&order=-u,name", "&f.u__gte=0")):
        seen: list[str] = []
        path = f"{DEVICES}?limit=3{order}"
        page = (await ten.get(path)).json()
        while True:
            seen.extend(each["pk"] for each in page["items"])
            if page["next"] is None:
                break
            pk = f"c{turn}.{len(seen)}"
            await served.app.objects("dcim.device").create(pk=pk, name=pk)
            page = (await ten.get(f"{path}&cursor={page['next']}")).json()
        assert sorted(each for each in seen if each.startswith("d")) == [f"d{n}" for n in range(10)]
        assert len(seen) == len(set(seen))


async def test_counts_are_told_on_demand_and_capped(ten: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    page = (await ten.get(f"{DEVICES}?limit=2")).json()
    assert set(page) == {"items", "next"}
    page = (await ten.get(f"{DEVICES}?limit=2&count=true&f.location=ams")).json()
    assert (len(page["items"]), page["count"], page["is_capped"]) == (2, 5, False)
    monkeypatch.setattr(routes, "MAX_COUNT", 3)
    page = (await ten.get(f"{DEVICES}?count=true")).json()
    assert (page["count"], page["is_capped"]) == (3, True)


async def test_fields_are_left_out_but_for_those_named(ten: httpx.AsyncClient):
    page = (await ten.get(f"{DEVICES}?limit=1&fields=pk,document.name,document.nothing")).json()
    assert page["items"] == [{"pk": "d0", "document": {"name": "d0"}}]
    page = (await ten.get(f"{DEVICES}?limit=1&fields=version,invalid")).json()
    assert list(page["items"][0]) == ["version"]
    problem(await ten.get(f"{DEVICES}?fields=password"), 400, "query-error")


BAD_QUERIES = (
    "f.name__regex=(a%2B)%2B",
    "f.=1",
    "f.a__=1",
    "f.a..b=1",
    "f.name__in=" + ",".join(["x"] * 300),
    "&".join(["f.name=a"] * 60),
    'f.name={"a"',
    'f.a"b=1',
    "f.u__isnull=x",
    "f.u__gt=[1]",
    f"f.u={10**30}",
    "f.location.parent.name=x",
    "order=" + ",".join(["a"] * 9),
    "order=a..b",
    "limit=0",
    "limit=x",
    "cursor=xx",
    "cursor=W10",
    "name=d1",
    "limit=1&limit=2",
)


async def test_a_question_that_cannot_be_is_refused(ten: httpx.AsyncClient):
    for query in BAD_QUERIES:
        answer = await ten.get(f"{DEVICES}?{query}")
        assert answer.status_code == 400, f"{query}: {answer.text}"
        assert answer.headers["content-type"] == "application/problem+json"


async def test_a_cursor_belongs_to_its_list(ten: httpx.AsyncClient):
    following = (await ten.get(f"{DEVICES}?limit=2&order=u")).json()["next"]
    for query in ("", "order=-u", "order=u&f.u=1"):
        problem(await ten.get(f"{DEVICES}?cursor={following}&{query}"), 400, "query-error")
    for keyset in ([None], [1, None], [1, 2, "d"], [2**70, "d"], [{"a": 1}, "d"], [[], "d"], [True, 5]):
        forged = routes.encode_cursor(["objects", "dcim.device", [], "u"], keyset)
        problem(await ten.get(f"{DEVICES}?cursor={forged}&order=u"), 400, "query-error")


async def test_a_page_of_large_documents_ends_early(ten: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routes, "PAGE_BYTES", 150)
    seen: list[str] = []
    cursor = ""
    while cursor is not None:
        page = (await ten.get(f"{DEVICES}?limit=1000{cursor and f'&cursor={cursor}'}")).json()
        assert 1 <= len(page["items"]) < 4
        seen.extend(each["pk"] for each in page["items"])
        cursor = page["next"]
    assert seen == [f"d{n}" for n in range(10)]


async def test_a_list_that_takes_too_long_says_so(ten: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(routes, "SECONDS", 0.0)
    told = problem(await ten.get(f"{DEVICES}?f.u=1"), 400, "query-too-slow")
    assert "Filter by an indexed field" in told["detail"]


# --- what nobody may learn ------------------------------------------------------------------------


async def test_a_hidden_object_is_as_good_as_absent_on_every_path(served: Served):
    ann = await served.owner()
    await put(ann, f"{LOCATIONS}/vault", {"name": "sesame"})
    await put(ann, f"{DEVICES}/seen", {"name": "seen", "status": "active"})
    await put(ann, f"{DEVICES}/hidden", {"name": "sesame", "status": "planned", "location": "vault"})
    only = [Constraint("status", "=", "active")]
    bob = await served.user("bob", "dcim.view_device", "dcim.change_device", "dcim.delete_device", constraints=only)
    told = []
    for method, sub in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("GET", "/referrers")):
        for headers in ({}, {"If-Match": '"1"'}):
            there = await bob.request(method, f"{DEVICES}/hidden{sub}", json={"status": "active"}, headers=headers)
            missing = await bob.request(method, f"{DEVICES}/nothing{sub}", json={"status": "active"}, headers=headers)
            if (method, bool(headers)) != ("DELETE", True):
                assert there.json()["detail"] == missing.json()["detail"].replace("nothing", "hidden")
            problem(there, 404, "object-not-found")
            told.append(there)
    await served.user("bob", "dcim.add_device")
    told.append(await bob.put(f"{DEVICES}/mine", json={"name": "sesame"}))
    assert "another has it already" in problem(told[-1], 409, "unique-violation")["detail"].replace("sesame", "")
    told[-1] = await bob.put(f"{DEVICES}/hidden", json={"name": "x"})
    problem(told[-1], 403, "permission-denied")
    told.append(await bob.get(DEVICES, params={"count": "true", "order": "-name"}))
    assert [each["pk"] for each in told[-1].json()["items"]] == ["seen"]
    assert told[-1].json()["count"] == 1
    for query in ("f.name__startswith=ses", "f.pk=hidden", "f.status=planned", "f.location=vault"):
        told.append(await bob.get(f"{DEVICES}?count=true&{query}"))
        assert told[-1].json() == {"items": [], "next": None, "count": 0, "is_capped": False}
    told.append(await bob.get(f"{DEVICES}?f.location.name__startswith=s"))
    problem(told[-1], 403, "permission-denied")
    assert not any("sesame" in each.text for each in told)


async def test_filters_by_a_reference_ask_nothing_of_objects_that_are_seen_in_part(served: Served):
    ann = await served.owner()
    await put(ann, f"{LOCATIONS}/vault", {"name": "sesame", "status": "planned"})
    await put(ann, f"{DEVICES}/r1", {"name": "r1", "location": "vault"})
    only = [Constraint("status", "=", "active")]
    bob = await served.user("bob", "dcim.view_device")
    await served.user("bob", "dcim.view_location", constraints=only)
    assert [each["pk"] for each in (await bob.get(f"{DEVICES}?f.location=vault")).json()["items"]] == ["r1"]
    problem(await bob.get(f"{DEVICES}?f.location.name__startswith=s"), 403, "permission-denied")


async def test_who_may_write_but_not_see_is_told_no_more_than_that_it_was_written(served: Served):
    bob = await served.user("bob", "dcim.add_device")
    answer = await bob.post(DEVICES, json={"name": "a", "secret": "sesame"})
    assert answer.status_code == 201
    assert answer.json()["object"] is None
    problem(await bob.get(DEVICES), 403, "permission-denied")
    problem(await bob.patch(f"{DEVICES}/a", json={}), 403, "permission-denied")


async def test_an_object_may_not_be_written_out_of_what_one_may_write(served: Served):
    bob = await served.user("bob", "dcim.*", constraints=[Constraint("status", "=", "active")])
    await put(bob, f"{DEVICES}/r1", {"name": "a"})
    problem(await bob.patch(f"{DEVICES}/r1", json={"status": "planned"}), 403, "permission-denied")
    problem(await bob.put(f"{DEVICES}/r2", json={"name": "b", "status": "planned"}), 403, "permission-denied")
    assert (await bob.get(f"{DEVICES}/r1")).json()["document"]["status"] == "active"


async def test_an_object_that_its_type_no_longer_accepts_is_shown_with_the_reasons(served: Served):
    ann = await served.owner()
    await put(ann, f"{DEVICES}/r1", {"name": "a"})
    with closing(sqlite3.connect(served.app.settings.database_path)) as other, other:
        other.execute("UPDATE object SET document = ? WHERE pk = 'r1'", ['{"name": "a", "serial": null}'])
    shown = (await ann.get(f"{DEVICES}/r1")).json()
    assert shown["document"] == {"name": "a", "serial": None}
    assert shown["invalid"][0]["path"] == "serial"
    mended = await ann.patch(f"{DEVICES}/r1", json={"serial": "x"})
    assert "invalid" not in mended.json()["object"]
