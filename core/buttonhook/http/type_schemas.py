"""What object types look like: JSON schemas of their documents, made from their structs, and examples they accept."""

from typing import Any, Final

import msgspec

from buttonhook.objects.types import ObjectType

ANY_DOCUMENT: Final[dict[str, Any]] = {"type": "object"}
MAX_STEPS: Final = 20


def document_schema(type_: ObjectType, template: str = "#/$defs/{name}") -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a type's documents, and the schemas that it refers to by `template`.

    Free documents, and structs with fields that JSON schema cannot tell of, are any JSON object.
    """
    if type_.struct is None:
        return dict(ANY_DOCUMENT), {}
    try:
        (own,), parts = msgspec.json.schema_components([type_.struct], ref_template=template)
    except TypeError:  # a type with hooks of its own
        return dict(ANY_DOCUMENT), {}
    name = next((each for each in parts if template.format(name=each) == own.get("$ref")), None)
    whole = own if name is None else parts.pop(name)
    whole["title"] = type_.name
    return whole, parts


def example_of(type_: ObjectType) -> dict[str, Any] | None:
    """A document with the fields that a type requires; None where none can be made that it accepts."""
    schema, parts = document_schema(type_)
    found = {name: _example(name, schema["properties"][name], parts, 0) for name in schema.get("required", ()) if name}
    return None if type_.faults(found) else found


def _example(name: str, schema: dict[str, Any], parts: dict[str, Any], depth: int) -> Any:
    """A value for a field: its default, one of those it may have, or a plain one of its kind."""
    for given in ("default", "const"):
        if given in schema:
            return schema[given]
    for given in ("enum", "examples"):
        if schema.get(given):
            return schema[given][0]
    if depth > MAX_STEPS:
        return None
    for several in ("anyOf", "oneOf", "allOf"):
        if several in schema:
            return _example(name, schema[several][0], parts, depth + 1)
    if "$ref" in schema:
        part = parts.get(schema["$ref"].rpartition("/")[2], {})
        return _example(name, part, parts, depth + 1)
    return _plain(name, schema, parts, depth)


def _plain(name: str, schema: dict[str, Any], parts: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type")
    if kind == "object":
        inner = schema.get("properties", {})
        return {each: _example(each, inner[each], parts, depth + 1) for each in schema.get("required", ())}
    if kind == "array":
        return []
    if kind == "integer":
        return schema.get("minimum", 1)
    if kind == "number":
        return schema.get("minimum", 1.5)
    if kind == "boolean":
        return True
    return None if kind == "null" else name
