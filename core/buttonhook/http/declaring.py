"""Routes, each with what it asks of who calls it. One that declares nothing keeps the daemon from starting.

    @get("/api/users", act("see users", or_own=True), tags=["people"])
    async def list_users(request: Request, cursor: str | None = None) -> Page[UserShape]: ...

The declaration is asked before the body is read: whoever may do the act to nothing at all is turned away there. Whether
they may do it to the thing in question is asked again by `Access`, which alone decides.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, Literal, get_args

import msgspec
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, ParameterKwarg
from litestar.routes import HTTPRoute
from litestar.typing import FieldDefinition
from msgspec import Struct

from buttonhook.errors import UsageError
from buttonhook.http.handling import Route
from buttonhook.http.paging import Page
from buttonhook.http.problems import Problem
from buttonhook.permissions import RIGHTS

DECLARED: Final = "declared"
QUERY_NAMES: Final = "query_names"
NO_TEXT: Final = "no_text"
FIELD_NAMES: Final = "field_names"
"""The fields that a list's items have, of which `fields` may name some."""
FILTERS: Final = "filters"
FORM: Final = "form"
"""A route that takes a form of a page: the CSRF token stands among its fields."""
BODY: Final = "body"
"""What the schema tells of a body that a route reads itself: by media type."""
FILTER_PREFIX: Final = "f."
_OURS: Final = frozenset({"request", "data", "state", "headers", "cookies", "scope", "body", "query"})

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Declaration(Struct, frozen=True):
    """What a route asks: nothing, a login, an act of the table of rights, or an action on objects.

    With `or_own` the act is not asked of who does it to what is their own, so `Access` alone decides. Of several
    `actions` one suffices; the model is that of the path's `object_type`.
    """

    kind: Literal["public", "login", "act", "objects"]
    act: str = ""
    or_own: bool = False
    actions: tuple[str, ...] = ()


PUBLIC: Final = Declaration("public")
LOGIN: Final = Declaration("login")


def act(name: str, *, or_own: bool = False) -> Declaration:
    """Raises: UsageError: it is no act of the table of rights."""
    if name not in RIGHTS:
        raise UsageError(f"{name!r} is no act. Add it to permissions.RIGHTS, or name one of there.")
    return Declaration("act", act=name, or_own=or_own)


def on_objects(*actions: str) -> Declaration:
    """Some of `view`, `add`, `change`, `delete` on objects of the type in the path."""
    return Declaration("objects", actions=actions)


def route(
    method: Method,
    path: str,
    declared: Declaration,
    *,
    has_filters: bool = False,
    is_form: bool = False,
    body: Mapping[str, Any] | None = None,
    **given: Any,
) -> Callable[[Callable[..., Any]], HTTPRouteHandler]:
    """A route of the API; `given` are Litestar's own parameters, `body` what the schema tells of one it reads itself.

    The first line of the docstring is its summary in the schema, the rest its description.
    """

    def decorate(function: Callable[..., Any]) -> HTTPRouteHandler:
        summary, _, rest = (function.__doc__ or function.__name__).strip().partition("\n")
        options = {
            "operation_id": function.__name__,
            "summary": summary,
            "description": rest.strip() or None,
            "opt": {DECLARED: declared, FILTERS: has_filters, FORM: is_form, BODY: body},
            **given,
            "responses": {**_refusals(declared, method, path), **given.get("responses", {})},
        }
        return Route(path, http_method=method, **options)(function)

    return decorate


get = partial(route, "GET")
post = partial(route, "POST")
put = partial(route, "PUT")
patch = partial(route, "PATCH")
delete = partial(route, "DELETE")


def _refusals(declared: Declaration, method: Method, path: str) -> dict[int, ResponseSpec]:
    """The answers besides success that a route may give, for the schema."""
    told = {400: "The request cannot be understood.", 421: "This host is not served here."}
    told[401] = "A token was sent that fits nobody."
    if declared.kind != "public":
        told |= {401: "Nobody is logged in, and no token was sent that fits.", 403: "The asker may not do that."}
    if "{object_type" in path:
        told[422] = "The path names what cannot be an object."
    if "{" in path:
        told[404] = "There is no such thing, or not for the asker."
    if method != "GET":
        told |= {
            403: "The asker may not do that, or the request may be forged.",
            404: "There is no such thing, or not for the asker.",
            409: "It contradicts what is stored.",
            413: "The body is too large.",
            415: "The body is of another media type.",
            422: "A field cannot be so; `errors` names each.",
            507: "The disk is full.",
        }
    told[429] = "Too many requests of this kind; wait as long as `Retry-After` says."
    told[503] = "It cannot be done now; wait as long as `Retry-After` says."
    return {
        status: ResponseSpec(Problem, description=text, media_type="application/problem+json", generate_examples=False)
        for status, text in sorted(told.items())
    }


class RouteRow(Struct, frozen=True):
    """One route of the table."""

    method: str
    path: str
    name: str
    declared: Declaration
    query: tuple[str, ...] = ()
    """The names of its query parameters, once `note_query_names` was there; `f.` for filters of any path."""


def route_table(application: Litestar) -> list[RouteRow]:
    """Every route with what it asks, by path and method.

    Raises:
        UsageError: naming the route that declares nothing.
    """
    rows = []
    for path, method, handler in _handlers(application):
        declared = handler.opt.get(DECLARED)
        if not isinstance(declared, Declaration):
            raise UsageError(
                f"Route {method} {path} ({handler.handler_name}) declares nothing. Make it with "
                "buttonhook.http.declaring, as in @get(PATH, act('see users')), or with PUBLIC or LOGIN for the act."
            )
        filters = (FILTER_PREFIX,) if handler.opt.get(FILTERS) else ()
        query = (*handler.opt.get(QUERY_NAMES, ()), *filters)
        rows.append(RouteRow(method, path, handler.handler_name, declared, query))
    return sorted(rows, key=lambda row: (row.path, row.method))


def note_query_names(application: Litestar) -> None:
    """Let each route know the names of its query parameters, so that others can be refused."""
    for _, _, handler in _handlers(application):
        names: dict[str, bool] = {}
        no_text = set()
        for name, field in _query_fields(handler):
            names[name] = field.is_non_string_collection
            if str not in (field.annotation, *get_args(field.annotation)):
                no_text.add(name)
        handler.opt[FIELD_NAMES] = _field_names(handler)
        handler.opt[QUERY_NAMES] = names
        handler.opt[NO_TEXT] = frozenset(no_text)


def _field_names(handler: HTTPRouteHandler) -> tuple[str, ...]:
    """Those of the items of a `Page`; none where the route is no such list, or knows better itself."""
    answered = handler.parsed_fn_signature.return_type
    items = answered.args[0] if answered.origin is Page and answered.args else None
    return items.__struct_fields__ if isinstance(items, type) and issubclass(items, Struct) else ()


def field_names(application: Litestar) -> dict[tuple[str, str], tuple[str, ...]]:
    """By path and method: what `fields` may name."""
    found = (((path, method), handler.opt) for path, method, handler in _handlers(application))
    return {key: opt[FIELD_NAMES] for key, opt in found if opt.get(FIELD_NAMES) and "fields" in opt[QUERY_NAMES]}


def zero_floors(application: Litestar) -> set[tuple[str, str, str]]:
    """Path, method and name of the query parameters that are 0 at least, which Litestar leaves out of the schema."""
    return {
        (path, method, name)
        for path, method, handler in _handlers(application)
        for name, field in _query_fields(handler)
        if isinstance(field.kwarg_definition, ParameterKwarg) and field.kwarg_definition.ge == 0
    }


def own_bodies(application: Litestar) -> dict[tuple[str, str], Mapping[str, Any]]:
    """By path and method: the bodies that routes read themselves."""
    found = (((path, method), handler.opt.get(BODY)) for path, method, handler in _handlers(application))
    return {key: body for key, body in found if body}


def _query_fields(handler: HTTPRouteHandler) -> Iterator[tuple[str, FieldDefinition]]:
    for name, field in handler.parsed_fn_signature.parameters.items():
        told = field.kwarg_definition
        if name not in _OURS and not isinstance(told, HeaderParameter):
            alias = told.query if isinstance(told, ParameterKwarg) else None
            yield alias or name, field


def _handlers(application: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """All handlers but those that Litestar adds to answer OPTIONS, which tell the methods of a path."""
    for each in application.routes:
        if not isinstance(each, HTTPRoute):
            raise UsageError(f"Route {each.path} is not one of HTTP alone. Make it with buttonhook.http.declaring.")
        for handler in each.route_handlers:
            is_litestars = handler.http_methods == {"OPTIONS"} and handler.fn.__module__ == HTTPRoute.__module__
            if not is_litestars:
                for method in sorted(handler.http_methods):
                    yield each.path_format, method, handler


def check_query(handler_opt: dict[str, Any], given: list[tuple[str, str]]) -> str | None:
    """What is wrong with the query's parameters, None where nothing is."""
    known: dict[str, bool] = handler_opt.get(QUERY_NAMES, {})
    names = [name for name, _ in given]
    for name, value in given:
        if name not in known and not (handler_opt.get(FILTERS) and name.startswith(FILTER_PREFIX)):
            listed = ", ".join([*sorted(known), *(["f.PATH__OP"] if handler_opt.get(FILTERS) else [])])
            return f"Query parameter {name!r} is not known. {f'Known: {listed}.' if listed else 'There is none.'}"
        if names.count(name) > 1 and not known.get(name, True):
            return f"Query parameter {name!r} is given more than once."
        if value.lower() == "null" and name in handler_opt.get(NO_TEXT, ()):
            return f"Query parameter {name!r} is {value!r}. Leave it out, or give it a value."
        if name == "fields" and (wrong := _wrong_field(handler_opt, value)) is not None:
            return wrong
    return None


def _wrong_field(handler_opt: dict[str, Any], value: str) -> str | None:
    known = handler_opt.get(FIELD_NAMES, ())
    for name in value.split(","):
        if known and name.strip() not in known:
            return f"Query parameter 'fields' names no field with {name.strip()[:60]!r}. Known: {', '.join(known)}."
    return None


def encode(value: Any) -> bytes:
    """JSON as the API writes it."""
    return msgspec.json.encode(value)
