"""The documentation tells of every route of the API, and of none that does not exist."""

import re
from pathlib import Path

from buttonhook.http.application import make_routes
from buttonhook.http.declaring import route_table

SPAN = re.compile(r"`(?:[A-Z]+ )?((?:/api|\.\.\.)/[^`?]*)[^`]*`")
VARIED = re.compile(r"\{[^}]*\}|(?<=/)[A-Z]{2,}(?=/|$)")
OURS = {"/api/docs", "/api/schema", "/api/schema/{}", "/api/schema/openapi.json"}


def told(root: Path) -> set[str]:
    """The paths in the pages, `{}` where something is to be filled in; those below another one begin with `...`."""
    pages = [*(root / "core" / "docs").glob("*.md"), root / "README.md"]
    spans = (found for page in pages for found in SPAN.findall(page.read_text(encoding="utf-8")))
    return {VARIED.sub("{}", each).rstrip("/") for each in spans if "/api/extras/" not in each}


def routes() -> set[str]:
    return {VARIED.sub("{}", row.path) for row in route_table(make_routes()) if row.path.startswith("/api")}


def is_named(route: str, names: set[str]) -> bool:
    return route in names or any(each.startswith("...") and route.endswith(each[3:]) for each in names)


def test_every_route_is_told_of(root_dir: Path):
    names = told(root_dir)
    assert [each for each in sorted(routes() - OURS) if not is_named(each, names)] == []


def test_every_route_that_is_told_of_exists(root_dir: Path):
    there = routes()
    wrong = [
        each
        for each in sorted(told(root_dir))
        if not any(path == each or (each.startswith("...") and path.endswith(each[3:])) for path in there)
        and re.sub(r"/[^/{}]+$", "/{}", each) not in there  # with an example's name
    ]
    assert wrong == []
