"""Every route of the daemon as a request: what its path names, what it takes, and what it asks of who sends it.

All of it is made from the route table, so a new route is walked by itself. What cannot be found out stands in the
tables here; a route that lacks its line there fails with a sentence that says which.
"""

import json
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from itertools import count, pairwise
from typing import Any, Final, Literal

import httpx
import pytest

from buttonhook.http.application import make_routes
from buttonhook.http.declaring import RouteRow, act, on_objects, route_table
from buttonhook.permissions import RIGHTS, VIEW
from tests.api.world import OTHER, THING, THIRD, World
from tests.scenarios.test_permission_matrix import FINDS

ROWS: Final = route_table(make_routes())
"""All routes; no daemon is needed to tell them."""
Which = Literal["plain", "hidden", "missing", "made"]
_number = count()

# --- tables ---------------------------------------------------------------------------------------

KINDS: Final[Mapping[str, str]] = {
    "object_type": "types",
    "pk": "objects",
    "change": "changes",
    "result": "results",
    "button": "buttons",
    "object-changes": "changes",
    "job-results": "results",
    "job-hooks": "hooks",
    "job-buttons": "buttons",
}
"""What a parameter of a path, or the part before it, names; others are called as in `World.things`."""

INSIDE: Final[Mapping[str, Any]] = {
    "POST /api/objects": on_objects("add", "change"),
    "POST /api/imports": on_objects("add", "change"),
    "GET /api/users/{name}/permissions": act("see users"),
}
"""Routes for all who are logged in, which ask for more once they know what it is about."""

OWN: Final = {
    "POST /account/password": "one's own password",
    "POST /account/tokens": "a token of one's own, which reaches no further than what made it",
    "POST /api/tokens": "as above; one for somebody else asks more, see test_people",
    "POST /api/logout": "one's own login",
    "POST /logout": "one's own login",
    "POST /api/check": "owners alone may, see test_upkeep",
}
"""Writing routes for all who are logged in, and why no permission is asked for."""

EMPTY: Final = {
    "POST /api/object-types/{object_type}/upgrade": "goes through the objects that one may see, which may be none",
    "GET /hooks/{name}/try": "shows the hook, and of changes those that one may see, which may be none",
}
"""Routes that answer who may do nothing that there was nothing to do."""

MORE: Final[Mapping[str, tuple[str, ...]]] = {
    "POST /groups/{name}/members": ("users.view_group",),
    "POST /users/{name}/edit": ("users.view_group",),
    "GET /hooks/{name}/try": ("jobs.view_jobhook",),
    "POST /hooks/{name}/try": ("jobs.view_job", "jobs.view_jobhook"),
    "GET /permissions/{name}/edit": ("users.view_permission",),
    "POST /permissions/{name}/edit": ("users.view_permission", "users.delete_permission", "users.view_group"),
    "POST /sources/{name}/edit": ("users.add_token",),
    "POST /sources/{name}/secret": ("users.add_token",),
    "POST /api/job-hooks/try": ("jobs.view_job",),
    "POST /api/job-hooks/{name}/try": ("jobs.view_job", "jobs.view_jobhook"),
}
"""What must be held besides what is declared, to name what the route is about."""

BODIES: Final[Mapping[str, Any]] = {
    "POST /api/groups": {"name": "new {n}"},
    "POST /api/imports": [{"line": 1, "value": {"object_type": THING, "pk": "imported", "data": {}}}],
    "POST /api/job-buttons": {"name": "new {n}", "job": "Greet", "object_types": [THING]},
    "PATCH /api/job-buttons/{name}": {"weight": 5},
    "POST /api/job-buttons/{name}/press": {"object_type": THING, "pk": "a"},
    "POST /api/job-buttons/{name}/press-many": {"object_type": THING, "pks": ["a", "b"]},
    "POST /api/job-hooks": {"name": "new {n}", "job": "Note", "object_types": [OTHER]},
    "POST /api/job-hooks/try": {"job": "Note", "object_types": [THING], "change": "{change}"},
    "POST /api/job-hooks/{name}/try": {"change": "{change}"},
    "PATCH /api/job-hooks/{name}": {"actions": ["create"]},
    "PATCH /api/jobs/{name}": {"overrides": {"retries": 1}},
    "POST /api/object-types": {"object_type": "demo.new{n}"},
    "POST /api/objects": [{"object_type": THING, "pk": "line", "data": {}}],
    "POST /api/objects/{object_type}": {"name": "new"},
    "PUT /api/objects/{object_type}/{pk}": {"name": "put"},
    "PATCH /api/objects/{object_type}/{pk}": {"name": "patched"},
    "POST /api/permissions": {"permissions": ["demo.add_x"], "users": ["vic"], "name": "new {n}"},
    "POST /api/permissions/revoke": {"permissions": ["demo.view_y"], "user": "vic"},
    "POST /api/sources": {"name": "new{n}", "kind": "nautobot"},
    "PATCH /api/sources/{name}": {"enabled": False},
    "POST /api/users": {"name": "new{n}"},
    "PATCH /api/users/{name}": {"groups": []},
    "POST /api/users/{name}/password": {"password": "correct horse battery"},
    "POST /objects/{object_type}": {"button": "{button}", "pk": "a"},
}
"""What routes take; a list is a JSON object a line. Forms of pages are taken from their page where it has one."""

EDITS: Final[Mapping[str, dict[str, str | list[str]]]] = {
    "POST /buttons/add": {"job": "{job}", "object_types": THING},
    "POST /groups/{name}/members": {"user": "vic"},
    "POST /hooks/add": {"job": "{hook job}", "object_types": THIRD, "actions": ["create"]},
    "POST /permissions/new": {"permissions": ["demo.view_x"], "users": "vic"},
    "POST /permissions/{name}/edit": {"permissions": ["demo.view_y"], "users": "vic"},
    "POST /sources/new": {"kind": "nautobot"},
    "POST /sources/{name}/edit": {"description": "edited"},
    "POST /tokens": {"user": "vic", "days": "1"},
    "POST /users/{name}/password": {"password": "correct horse battery", "again": "correct horse battery"},
    "POST /jobs/{name}/edit": {"o.retries": "3"},
    "POST /objects/{object_type}/{pk}/edit": {"rest": '{"name": "edited"}'},
}
"""What is changed in a form before it is sent; one that changes nothing is refused to nobody."""

QUERIES: Final[Mapping[str, str]] = {"GET /runs": "numbers=1", "GET /changes/new": "after=0"}
"""What a route needs behind its path."""

FILLS: Final[Mapping[str, str]] = {}
"""By name: what is written into a field of a form that must not be empty; others get a new name."""


# --- requests -------------------------------------------------------------------------------------


def label(row: RouteRow) -> str:
    return f"{row.method} {row.path}"


def is_page(row: RouteRow) -> bool:
    """Whether it is for people: they are sent to log in, and read what they are denied."""
    return not row.path.startswith(("/api", "/static", "/metrics", "/healthz", "/readyz"))


def kinds_of(row: RouteRow) -> dict[str, str]:
    """By parameter of the path: the kind of thing that it names."""
    parts = row.path.split("/")
    found = {}
    for before, part in pairwise(parts):
        if part.startswith("{"):
            name = part[1:-1]
            found[name] = KINDS.get(name) or KINDS.get(before, before)
    return found


async def path_of(row: RouteRow, world: World, which: Which) -> str:
    """The path of a route with names in it. Where an object is hidden, its type and buttons are not."""
    path, kinds = row.path, kinds_of(row)
    for name, kind in kinds.items():
        if kind not in world.things:
            pytest.fail(
                f"{label(row)}: what {{{name}}} names is not known. Say it in KINDS of tests/api/route_cases.py, "
                f"or add {kind!r} to World.things of tests/api/world.py."
            )
        things = world.things[kind]
        is_outer = kind != "objects" and "pk" in kinds
        if which == "made" and things.make is not None and not is_outer and _is_taken(row, kind):
            chosen = await things.make()
        elif is_outer or which in ("plain", "made"):
            chosen = things.plain
        else:
            chosen = things.hidden if which == "hidden" else things.missing
        path = path.replace(f"{{{name}}}", chosen)
    return f"{path}?{QUERIES[label(row)]}" if label(row) in QUERIES else path


def _is_taken(row: RouteRow, kind: str) -> bool:
    """Whether a route may take away or change what its path names."""
    return row.method != "GET" and (kind != "results" or row.path.endswith("/cancel"))


async def send(row: RouteRow, path: str, world: World, client: httpx.AsyncClient) -> httpx.Response:
    """A request to a route with what it takes. Of a feed, which does not end, the head is the answer."""
    request = client.build_request(row.method, path, **await body_of(row, path, world, client))
    answer = await client.send(request, stream=True)
    try:
        if answer.headers.get("content-type", "").startswith("text/event-stream"):
            return httpx.Response(answer.status_code, headers=answer.headers, request=request)
        await answer.aread()
    finally:
        await answer.aclose()
    return answer


async def body_of(row: RouteRow, path: str, world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    """What goes along with a request, as httpx wants it."""
    if row.method in ("GET", "DELETE"):
        return {}
    given = _filled(BODIES.get(label(row)), world)
    if is_page(row):
        edits = _filled(EDITS.get(label(row), {}), world)
        fields = {**await _form_at(row, path, world, client), **edits} if given is None else given
        return {"data": fields, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
    if isinstance(given, list):
        lines = "\n".join(map(json.dumps, given))
        return {"content": lines, "headers": {"Content-Type": "application/x-ndjson"}}
    return {"json": {} if given is None else given}


def _filled(given: Any, world: World) -> Any:
    """A body with what stands for names in it."""
    if isinstance(given, dict):
        return {name: _filled(each, world) for name, each in given.items()}
    if isinstance(given, list):
        return [_filled(each, world) for each in given]
    if given in ("{job}", "{hook job}"):
        return world.things["jobs"].plain.replace("Greet", "Note" if given == "{hook job}" else "Greet")
    if given == "{change}":
        return int(world.things["changes"].plain)
    if isinstance(given, str):
        return given.replace("{n}", str(next(_number))).replace("{button}", world.things["buttons"].plain)
    return given


# --- what a route asks ----------------------------------------------------------------------------


def asked(row: RouteRow) -> list[str]:
    """The permissions that a route asks for. With several actions on objects one of them would do."""
    declared = INSIDE.get(label(row), row.declared)
    if declared.kind == "objects":
        return [f"demo.{action}_thing" for action in declared.actions]
    if declared.kind == "act":
        needs = RIGHTS[declared.act]
        return ["demo.view_thing" if need.permission == VIEW else need.permission for need in needs]
    return []


def found_by(row: RouteRow) -> list[str]:
    """What must be held besides, to find what it is about."""
    declared = INSIDE.get(label(row), row.declared)
    views = ["demo.view_thing"] if declared.kind == "objects" else []
    return [*FINDS.get(declared.act, ()), *MORE.get(label(row), ()), *views]


def is_list(row: RouteRow) -> bool:
    """Whether it may answer with nothing instead of a refusal."""
    return row.method == "GET" and not (set(kinds_of(row)) - {"object_type"})


def words(answer: httpx.Response) -> str:
    """What an answer tells, of a page the text between its menu and its foot."""
    main = re.sub(r"(?s)^.*<main[^>]*>|</main>.*$|<svg.*?</svg>|<[^>]*>", " ", answer.text)
    return f"{answer.status_code} {' '.join(main.split())[:1500]}"


# --- forms ----------------------------------------------------------------------------------------


async def _form_at(row: RouteRow, path: str, world: World, client: httpx.AsyncClient) -> dict[str, Any]:
    """The fields of the form that is sent to this path, as its page shows them to who sends it, or to the owner."""
    for reader in (client, await world.owner()):
        for place in (path, path.rpartition("/")[0] or "/"):
            page = await reader.get(place, headers={"Accept": "text/html"})
            if page.status_code == 200 and "html" in page.headers["content-type"]:
                forms = Forms(page.text).sent_to(row.path)
                if forms:
                    return {**max(forms, key=len), "csrf_token": ""}
    return {}


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]


class Forms(HTMLParser):
    """The forms of a page, each with where it is sent to and the fields that a browser would send."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self._select: tuple[str, bool] | None = None
        self._area: str | None = None
        self.feed(text)

    def sent_to(self, path: str) -> list[dict[str, Any]]:
        """Those of a route; a page may name what it is about otherwise than its own path does."""
        pattern = re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))
        return [fields for action, fields in self.found if not action or re.fullmatch(pattern, action)]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given: Callable[[str], str] = lambda name: dict(attrs).get(name) or ""  # noqa: E731
        has = dict(attrs).keys()
        if tag == "form":
            self.found.append((re.sub(r"\?.*", "", given("action")), {}))
        if not self.found or "disabled" in has:
            return
        fields, name = self.found[-1][1], given("name")
        if tag == "input" and name and given("type") not in ("submit", "button"):
            if given("type") not in ("checkbox", "radio") or "checked" in has:
                value = given("value") or (self._new(name) if "required" in has else "")
                is_one_of = given("type") == "checkbox" and name in fields
                fields[name] = [*_listed(fields[name]), value] if is_one_of else value
        elif tag == "textarea":
            fields[name], self._area = "", name
        elif tag == "select":
            self._select = (name, "multiple" in has)
        elif tag == "option" and self._select is not None:
            self._option(fields, given("value"), is_chosen="selected" in has)

    def _option(self, fields: dict[str, Any], value: str, *, is_chosen: bool) -> None:
        name, is_multiple = self._select or ("", False)
        if is_chosen or (not is_multiple and not fields.get(name)):
            fields[name] = value

    def handle_data(self, data: str) -> None:
        if self._area is not None:
            self.found[-1][1][self._area] += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = None
        if tag == "textarea" and self._area is not None:
            text = self.found[-1][1][self._area]
            self.found[-1][1][self._area], self._area = text.removeprefix("\n"), None

    def _new(self, name: str) -> str:
        return FILLS.get(name, f"new{next(_number)}")
