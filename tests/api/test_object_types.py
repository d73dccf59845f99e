"""Object types over HTTP, and their paths in the schema."""

from msgspec import Struct

from buttonhook.http.object_paths import describe_objects
from buttonhook.http.type_schemas import document_schema, example_of
from buttonhook.objects.types import ObjectType
from tests.api.served import Served, problem

TYPES = "/api/object-types"


async def test_types_are_listed_with_what_one_may_do(served: Served):
    ann, bob = await served.owner(), await served.user("bob", "dcim.view_device")
    await ann.put("/api/objects/dcim.device/r1", json={"name": "a"})
    told = {each["object_type"]: each for each in (await bob.get(f"{TYPES}?count=true")).json()["items"]}
    assert told["dcim.device"]["rights"] == ["view"]
    assert (told["dcim.device"]["count"], told["dcim.device"]["is_capped"]) == (1, False)
    assert "count" not in told["dcim.location"]
    assert told["dcim.location"]["rights"] == []
    assert {"field": "location", "object_type": "dcim.location", "on_delete": "protect"} in told["dcim.device"][
        "references"
    ]
    assert "count" not in (await bob.get(TYPES)).json()["items"][0]
    sparse = (await bob.get(f"{TYPES}?fields=object_type,count&limit=1")).json()["items"]
    assert sparse == [{"object_type": "dcim.device"}]


async def test_a_free_type_is_declared_and_used_at_once(served: Served):
    ann, bob = await served.owner(), await served.user("bob")
    problem(await bob.post(TYPES, json={"object_type": "acme.thing"}), 403, "permission-denied")
    made = await ann.post(TYPES, json={"object_type": "acme.thing"})
    assert (made.status_code, made.json()["is_free"], made.json()["plugin"]) == (201, True, None)
    problem(await ann.post(TYPES, json={"object_type": "acme.thing"}), 409, "record-conflict")
    for bad in ("Acme", "jobs.thing", "a.b.c", ""):
        problem(await ann.post(TYPES, json={"object_type": bad}), 422, "invalid-key")
    put = await ann.put("/api/objects/acme.thing/a", json={"any": [1, {"x": None}]})
    assert put.json()["object"]["document"] == {"any": [1, {"x": None}]}


async def test_a_type_is_shown_with_its_schema_and_an_example_that_it_accepts(served: Served):
    ann = await served.owner()
    shown = (await ann.get(f"{TYPES}/dcim.device")).json()
    assert shown["document_schema"]["required"] == ["name"]
    assert (await ann.post("/api/objects/dcim.device", json=shown["example"])).status_code == 201
    for name in ("dcim.nothing", "x"):
        problem(await ann.get(f"{TYPES}/{name}"), 404, "unknown-object-type")


async def test_each_installed_type_has_a_path_of_its_own_in_the_schema(served: Served):
    ann = await served.owner()
    schema = (await ann.get("/api/schema")).json()
    operation = schema["paths"]["/api/objects/dcim.device/{pk}"]["put"]
    assert next(each["name"] for each in operation["parameters"]) == "pk"
    assert operation["operationId"] == "put_object_dcim_device"
    content = operation["requestBody"]["content"]["application/json"]
    assert content["schema"] == {"$ref": "#/components/schemas/dcim_device"}
    assert schema["components"]["schemas"]["dcim_device"]["required"] == ["name"]
    example = content["examples"]["least"]["value"]
    assert (await ann.put("/api/objects/dcim.device/r1", json=example)).status_code == 201
    listing = schema["paths"]["/api/objects/dcim.device"]["get"]
    assert "f.name" in [each["name"] for each in listing["parameters"]]
    generic = schema["paths"]["/api/objects/{object_type}"]["post"]["requestBody"]["content"]
    assert set(generic) == {"application/json", "application/x-ndjson"}
    names = [each["operationId"] for item in schema["paths"].values() for each in item.values()]
    assert len(names) == len(set(names))


def test_what_json_schema_cannot_tell_of_is_any_object():
    class Odd(Struct):
        part: complex

    assert document_schema(ObjectType("lab.odd", Odd)) == ({"type": "object"}, {})
    assert example_of(ObjectType("lab.odd", Odd)) is None
    assert describe_objects({"paths": {}, "components": {"schemas": {}}}, None)["paths"] == {}
