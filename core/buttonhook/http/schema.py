"""The OpenAPI schema as it is served: Litestar's, made truer where it knows too little of our structs."""

import re
from collections.abc import Iterator, Set
from typing import Any, Final

import msgspec
from litestar.enums import MediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin

from buttonhook.http.declaring import route_table
from buttonhook.http.object_paths import describe_objects
from buttonhook.http.shapes.base import Input, Shape

_GENERIC: Final = re.compile(r"(\w+)_[\w.]*?(\w+)_")


class SchemaPlugin(OpenAPIRenderPlugin):
    """Answers the schema as JSON."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"], media_type=MediaType.JSON)
        self._text: bytes | None = None

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        if self._text is None:
            public = [row for row in route_table(request.app) if row.declared.kind == "public"]
            told = describe_objects(openapi_schema, request.app.state.daemon.app.registry)
            self._text = msgspec.json.encode(mended(told, {(row.path, row.method) for row in public}))
        return self._text


def mended(schema: dict[str, Any], public: Set[tuple[str, str]]) -> dict[str, Any]:
    """Inputs refuse unknown fields, shapes may be sparse, parameters are not null, and names are short.

    What is `public`, by path and method, asks for no token.
    """
    text = msgspec.json.encode(schema).decode()
    names = {name: _short(name) for name in schema["components"]["schemas"]}
    for name, short in names.items():
        if short != name:
            text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{short}"')
    told: dict[str, Any] = msgspec.json.decode(text)
    components = told["components"]["schemas"]
    told["components"]["schemas"] = {names[name]: _component(names[name], each) for name, each in components.items()}
    for path, item in told["paths"].items():
        for method, operation in item.items():
            _mend_operation(operation)
            if (path, method.upper()) in public:
                operation["security"] = []
    return told


def _short(name: str) -> str:
    found = _GENERIC.fullmatch(name)
    return f"{found[1]}_{found[2]}" if found else name


def _component(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    if name in _names_below(Input):
        schema["additionalProperties"] = False
    elif name in _names_below(Shape):
        schema.pop("required", None)
    if "title" in schema:
        schema["title"] = name
    return schema


def _mend_operation(operation: dict[str, Any]) -> None:
    if operation.get("description") == operation.get("summary"):
        operation.pop("description", None)
    operation["responses"].get("204", {}).pop("content", None)
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if "enum" in schema:
            schema["enum"] = [each for each in schema["enum"] if each is not None]
        rest = [each for each in schema.get("oneOf", ()) if each != {"type": "null"}]
        if len(rest) == 1:
            del schema["oneOf"]
            schema.update(rest[0])


def _names_below(base: type[Any]) -> set[str]:
    return {each.__name__ for each in _below(base)}


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for each in base.__subclasses__():
        yield each
        yield from _below(each)
