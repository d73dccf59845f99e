"""The paths of objects in the OpenAPI schema: bodies, which Litestar does not see, and a path for each installed type.

A type that is declared while the daemon runs is served by the path that is for all of them.
"""

import copy
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from buttonhook.http.type_schemas import ANY_DOCUMENT, document_schema, example_of
from buttonhook.objects.types import ObjectType
from buttonhook.registry import Registry

ALL: Final = "/api/objects"
LIST: Final = "/api/objects/{object_type}"
ONE: Final = "/api/objects/{object_type}/{pk}"
LINES: Final[dict[str, Any]] = {
    "application/x-ndjson": {
        "schema": {
            "type": "string",
            "minLength": 1,
            "description": "A JSON object a line: `op`, `object_type`, `pk`, `data`, `unset`, `version`.",
        },
        "examples": {
            "lines": {
                "value": '{"op": "put", "pk": "r1", "object_type": "acme.circuit", "data": {"cid": "NF-0001"}}\n'
                '{"op": "delete", "pk": "r2", "object_type": "acme.circuit"}\n'
            }
        },
    }
}
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def describe_objects(schema: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The schema with the bodies of objects, and the paths of the types that are installed as structs."""
    told = copy.deepcopy(schema)
    paths, components = told["paths"], told["components"]["schemas"]
    if not {ALL, LIST, ONE} <= paths.keys():  # an application of some other routes
        return told
    paths[ALL]["post"]["requestBody"] = {"required": True, "content": LINES}
    _add_bodies(paths[LIST], paths[ONE], ANY_DOCUMENT, None)
    for type_ in registry.list_types():
        if type_.is_installed and type_.struct is not None:
            _add_type(type_, paths, components)
    return told


def _add_bodies(
    listing: dict[str, Any], single: dict[str, Any], document: Mapping[str, Any], example: dict[str, Any] | None
) -> None:
    told: dict[str, Any] = {"schema": dict(document)}
    whole = told if example is None else {**told, "examples": {"least": {"value": example}}}
    part: dict[str, Any] = {"schema": dict(ANY_DOCUMENT)}
    if example:
        name = next(iter(example))
        part["examples"] = {"one field": {"value": {name: example[name]}}}
    lines = LINES if example is None else _lines(example)
    listing["post"]["requestBody"] = {"required": True, "content": {"application/json": whole, **lines}}
    single["put"]["requestBody"] = {"required": True, "content": {"application/json": whole}}
    single["patch"]["requestBody"] = {
        "required": True,
        "content": {"application/json": part, "application/merge-patch+json": part},
    }


def _lines(example: dict[str, Any]) -> dict[str, Any]:
    """The lines of one type."""
    told = copy.deepcopy(LINES)
    line = {"op": "put", "pk": "r1", "data": example}
    told["application/x-ndjson"]["examples"] = {"lines": {"value": msgspec.json.encode(line).decode() + "\n"}}
    return told


def _add_type(type_: ObjectType, paths: dict[str, Any], components: dict[str, Any]) -> None:
    """The paths of one type, with its schema: those for all types, but narrower."""
    name = type_.name.replace(".", "_")
    schema, parts = document_schema(type_, f"#/components/schemas/{name}_{{name}}")
    components[name] = schema
    components.update({f"{name}_{each}": part for each, part in parts.items()})
    components[f"{name}_object"] = _object(components["ObjectShape"], name, type_.name)
    listing, single = (_narrowed(paths[path], type_, name) for path in (LIST, ONE))
    _add_bodies(listing, single, {"$ref": f"#/components/schemas/{name}"}, example_of(type_))
    listing["get"]["parameters"] += [_filter(each) for each in schema.get("properties", {})]
    answer = single["get"]["responses"]["200"]["content"]["application/json"]
    answer["schema"] = {"$ref": f"#/components/schemas/{name}_object"}
    paths[f"{ALL}/{type_.name}"], paths[f"{ALL}/{type_.name}/{{pk}}"] = listing, single


def _narrowed(item: dict[str, Any], type_: ObjectType, name: str) -> dict[str, Any]:
    """The operations of a path for one type."""
    narrowed = copy.deepcopy(item)
    for operation in (narrowed[each] for each in _METHODS if each in narrowed):
        operation["operationId"] = f"{operation['operationId']}_{name}"
        operation["summary"] = f"{operation['summary'].rstrip('.')} ({type_.name})."
        operation["tags"] = [type_.name]
        operation["parameters"] = [each for each in operation.get("parameters", ()) if each["name"] != "object_type"]
    return narrowed


def _object(shape: dict[str, Any], name: str, title: str) -> dict[str, Any]:
    """The shape of an object of one type; what its type no longer accepts is shown as well."""
    told = copy.deepcopy(shape)
    told["title"] = f"{title} object"
    old = {**ANY_DOCUMENT, "description": "What its type no longer accepts; `invalid` says why."}
    told["properties"]["document"] = {"anyOf": [{"$ref": f"#/components/schemas/{name}"}, old]}
    told.pop("required", None)
    return told


def _filter(field: str) -> dict[str, Any]:
    return {
        "name": f"f.{field}",
        "in": "query",
        "required": False,
        "description": f"Only where `{field}` is this; other operators as in `f.{field}__gt`.",
        "schema": {"type": "string"},
    }
