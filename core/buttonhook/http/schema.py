"""The OpenAPI schema as it is served: Litestar's, made truer where it knows too little of our structs."""

import re
from collections.abc import Iterator
from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from litestar import Litestar
from litestar.enums import MediaType
from litestar.openapi.plugins import OpenAPIRenderPlugin

from buttonhook.http.daemon import DAEMON, Daemon
from buttonhook.http.declaring import field_names, own_bodies, route_table, zero_floors
from buttonhook.http.object_paths import describe_objects
from buttonhook.http.shapes.base import Input, Shape

_GENERIC: Final = re.compile(r"(\w+)_[\w.]*?(\w+)_")


class SchemaPlugin(OpenAPIRenderPlugin):
    """Answers the schema as JSON."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"], media_type=MediaType.JSON)
        self._texts: WeakKeyDictionary[Daemon, bytes] = WeakKeyDictionary()

    def render(self, request: Any, openapi_schema: dict[str, Any]) -> bytes:
        daemon = request.scope[DAEMON]
        text = self._texts.get(daemon)
        if text is None:
            told = describe_objects(openapi_schema, daemon.app.registry)
            text = self._texts[daemon] = msgspec.json.encode(mended(told, request.app))
        return text


def mended(schema: dict[str, Any], application: Litestar) -> dict[str, Any]:
    """Structs as msgspec reads them, shapes that may be sparse, parameters that are not null, and short names.

    Litestar forgets what bounds the items of a list, and bounds that are 0.
    """
    text = msgspec.json.encode(schema).decode()
    names = {name: _short(name) for name in schema["components"]["schemas"]}
    for name, short in names.items():
        if short != name:
            text = text.replace(f'"#/components/schemas/{name}"', f'"#/components/schemas/{short}"')
    told: dict[str, Any] = msgspec.json.decode(text)
    components = {names[name]: each for name, each in told["components"]["schemas"].items()}
    told["components"]["schemas"] = _components(components)
    public = {(row.path, row.method) for row in route_table(application) if row.declared.kind == "public"}
    floors, bodies, fields = zero_floors(application), own_bodies(application), field_names(application)
    for path, item in told["paths"].items():
        for method, operation in item.items():
            _mend_operation(operation)
            if (path, method.upper()) in public:
                operation["security"] = []
            if (path, method.upper()) in bodies:
                operation["requestBody"] = {"required": True, "content": bodies[path, method.upper()]}
            for parameter in operation.get("parameters", ()):
                if (path, method.upper(), parameter["name"]) in floors:
                    parameter["schema"]["minimum"] = 0
                if parameter["name"] == "fields" and (path, method.upper()) in fields:
                    parameter["description"] += f" Known: {', '.join(fields[path, method.upper()])}."
    return told


def _short(name: str) -> str:
    found = _GENERIC.fullmatch(name)
    return f"{found[1]}_{found[2]}" if found else name


def _components(given: dict[str, Any]) -> dict[str, Any]:
    """The components, those of our structs made by msgspec, with what these refer to."""
    shapes = {each.__name__ for each in _below(Shape)}
    structs = [each for each in (*_below(Input), *_below(Shape)) if each.__name__ in given]
    _, ours = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    found = {**given, **ours}
    for name, schema in found.items():
        if name in shapes:
            schema.pop("required", None)
        if "title" in schema:
            schema["title"] = name
    return found


def _mend_operation(operation: dict[str, Any]) -> None:
    if operation.get("description") == operation.get("summary"):
        operation.pop("description", None)
    operation["responses"].get("204", {}).pop("content", None)
    feed = operation["responses"].get("200", {}).get("content", {}).get("text/event-stream", {})
    feed.pop("schema", None)  # it would be that of all events as one text
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        if "enum" in schema:
            schema["enum"] = [each for each in schema["enum"] if each is not None]
        rest = [each for each in schema.get("oneOf", ()) if each != {"type": "null"}]
        if len(rest) == 1:
            del schema["oneOf"]
            schema.update(rest[0])


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for each in base.__subclasses__():
        yield each
        yield from _below(each)
