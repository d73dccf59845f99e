"""The schema says what is so, and the page made from it loads nothing from elsewhere."""

import re
from typing import Any

from buttonhook.http.application import make_routes
from buttonhook.http.declaring import route_table
from tests.api.served import Served, problem


async def schema_of(served: Served) -> dict[str, Any]:
    owner = await served.owner()
    return dict((await owner.get("/api/schema")).json())


async def test_every_route_of_the_api_stands_in_the_schema_with_its_answers(served: Served):
    schema = await schema_of(served)
    assert schema["openapi"].startswith("3.1")
    told = {(method.upper(), path) for path, item in schema["paths"].items() for method in item}
    table = {(row.method, row.path) for row in route_table(make_routes())}
    unlisted = {"/api/docs", "/api/schema", "/api/schema/openapi.json", "/api/schema/{path}"}
    pages = {row for row in table if not row[1].startswith("/api/")} - told
    assert not pages & {("GET", path) for path in ("/healthz", "/readyz", "/metrics")}
    narrow = {row for row in told if "/api/objects/dcim." in row[1]}  # the generic paths, once more for each type
    assert told - narrow == {row for row in table if row[1] not in unlisted} - pages
    assert {method for method, _ in narrow} == {"GET", "POST", "PUT", "PATCH", "DELETE"}
    for item in schema["paths"].values():
        for operation in item.values():
            assert operation["summary"].endswith(".")
            assert operation["operationId"].isidentifier()
            assert {"400", "421", "503"} <= set(operation["responses"])


async def test_inputs_refuse_unknown_fields_and_no_name_holds_a_module(served: Served):
    components = (await schema_of(served))["components"]["schemas"]
    assert components["UserInput"]["additionalProperties"] is False
    assert components["UserInput"]["properties"]["name"]["examples"] == ["ann"]
    assert "required" not in components["UserShape"]
    assert "Page_UserShape" in components
    assert [name for name in components if "." in name] == []


async def test_what_asks_for_no_token_says_so_and_answers_without_a_body_have_none(served: Served):
    paths = (await schema_of(served))["paths"]
    assert paths["/healthz"]["get"]["security"] == []
    assert "security" not in paths["/api/users"]["get"]
    assert "content" not in paths["/api/logout"]["post"]["responses"]["204"]
    cursor = next(each for each in paths["/api/users"]["get"]["parameters"] if each["name"] == "cursor")
    assert cursor["schema"]["type"] == "string"
    kind = next(each for each in paths["/api/jobs"]["get"]["parameters"] if each["name"] == "kind")
    assert kind["schema"]["enum"] == ["hook", "button", "enqueue"]


async def test_every_reference_of_the_schema_leads_somewhere(served: Served):
    owner = await served.owner()
    text = (await owner.get("/api/schema")).text
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert names
    assert names <= set((await owner.get("/api/schema")).json()["components"]["schemas"])


async def test_the_page_of_the_schema_takes_a_login_and_loads_nothing_from_elsewhere(served: Served):
    nobody, bob = await served.client(), await served.browser("bob")
    problem(await nobody.get("/api/docs"), 401, "not-logged-in")
    problem(await nobody.get("/api/schema"), 401, "not-logged-in")
    page = await bob.get("/api/docs")
    assert page.headers["content-type"].startswith("text/html")
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert all(each.startswith("/") and not each.startswith("//") for each in linked)
    for each in linked:
        answer = await bob.get(each)
        assert answer.status_code == 200, each
        assert "http://" not in answer.text or each == "/api/schema"
    assert not re.search(r"<script(?![^>]*src=)|<style|\son\w+=|\sstyle=", page.text)


async def test_static_files_are_those_of_the_package_and_no_others(served: Served):
    client = await served.client()
    found = await client.get("/static/docs.js")
    assert found.headers["content-type"] == "text/javascript; charset=utf-8"
    again = await client.get("/static/docs.js", headers={"If-None-Match": found.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for path in ("docs.html", "../application.py", "..%2fapplication.py", "%2e%2e/application.py", "/etc/passwd", ""):
        assert (await client.get(f"/static/{path}")).status_code == 404, path


async def test_bounds_that_are_0_and_those_of_the_items_of_a_list_stand_in_the_schema(served: Served):
    schema = await schema_of(served)
    feed = schema["paths"]["/api/object-changes/feed"]["get"]
    after = next(each for each in feed["parameters"] if each["name"] == "after")
    assert after["schema"]["minimum"] == 0
    assert "schema" not in feed["responses"]["200"]["content"]["text/event-stream"]
    pks = schema["components"]["schemas"]["BulkPressInput"]["properties"]["pks"]
    assert pks["items"]["minLength"] == 1


async def test_null_is_no_value_of_a_parameter_that_is_no_text(served: Served):
    owner = await served.owner()
    told = problem(await owner.get("/api/jobs?enabled=null"), 400, "bad-parameter")
    assert "'enabled' is 'null'. Leave it out" in told["detail"]


async def test_bodies_that_routes_read_themselves_stand_in_the_schema(served: Served):
    paths = (await schema_of(served))["paths"]
    webhook = paths["/api/sources/{name}"]["post"]["requestBody"]
    assert webhook["required"] is True
    assert set(webhook["content"]) == {"application/json"}
    assert set(paths["/api/imports"]["post"]["requestBody"]["content"]) == {"application/x-ndjson"}


async def test_a_list_tells_the_names_of_its_fields_and_refuses_others_even_while_it_is_empty(served: Served):
    schema, owner = await schema_of(served), await served.owner()
    told = next(each for each in schema["paths"]["/api/sources"]["get"]["parameters"] if each["name"] == "fields")
    assert "Known: id, name, kind, is_kind_installed, acts_as" in told["description"]
    assert (await owner.get("/api/sources?fields=name, kind")).json() == {"items": [], "next": None}
    answer = problem(await owner.get("/api/sources?fields=name,secret"), 400, "bad-parameter")
    assert "names no field with 'secret'. Known: id, name, kind" in answer["detail"]


async def test_a_whole_number_may_be_written_with_a_fraction_of_zero(served: Served):
    owner = await served.owner()
    given = {"kind": "nautobot", "acts_as": "ann", "window_seconds": 60.0}
    for name, seconds, status in (("a", 60.0, 201), ("b", 6e1, 201), ("c", 60.5, 422), ("d", 0.0, 422)):
        answer = await owner.post("/api/sources", json={**given, "name": name, "window_seconds": seconds})
        assert answer.status_code == status, answer.text
    assert [each.window_seconds for each in served.app.sources.all()] == [60, 60]
    assert answer.json()["errors"][0]["path"] == "window_seconds"
