"""Hostile text in everything that people and other systems write: it stays text, in pages and in questions.

Every page is walked with markup in names, objects, logs, errors and in each query parameter, and its elements are
compared with what our templates write: nothing comes from the text.
"""

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest

from buttonhook.http.declaring import RouteRow
from buttonhook.ids import now
from buttonhook.people import AuditEntry
from tests.api.route_cases import ROWS, is_page, label, path_of
from tests.api.world import THING, World, opened_world

BAIT = "\"'><img src=x onerror=alert(7410)><script>alert(7410)</script>{{7*7}}${7*7}javascript:alert(7410)"
SHOWN = "&lt;img src=x onerror=alert(7410)&gt;"
PAGES = [row for row in ROWS if row.method == "GET" and is_page(row) and row.path != "/static/{path}"]
FOREIGN = frozenset({"img", "iframe", "object", "embed", "base", "style"})
"""Elements that no template of ours has."""
SQL = (
    *("'", '"', "name') OR 1=1 --", "x'; DROP TABLE object; --"),
    *('") UNION SELECT 1 FROM sqlite_master --', "$.\\", "%"),
)


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with opened_world(tmp_path_factory.mktemp("hostile")) as world:
        await plant(world)
        yield world


async def plant(world: World) -> None:
    """Put the bait wherever text can be put."""
    app, things = world.app, world.things
    thing = await app.objects(THING).get("a")
    thing.name, thing[BAIT] = BAIT, BAIT  # type: ignore[index] # a free object takes any key
    await thing.save()
    setup, people = app.configuration, app.administration
    await setup.edit_button(things["buttons"].plain, name=f"b{BAIT}", text=f"{BAIT} {{name}}", group=BAIT)
    await setup.edit_hook(things["hooks"].plain, name=f"h{BAIT}")
    await setup.edit_job(things["jobs"].plain, description=BAIT, grouping=BAIT)
    await people.add_group(f"g{BAIT}")
    await people.add_user(f"u{BAIT}", groups=[f"g{BAIT}"])
    await people.grant(["demo.view_x"], users=[f"u{BAIT}"], groups=[f"g{BAIT}"], name=f"p{BAIT}")
    await people.add_token("ann", description=BAIT)
    app.audit(AuditEntry(time=now(), kind="denied", user_name=BAIT, what=BAIT))
    await app.press(things["buttons"].plain, THING, ["a"], user="ann")


class Elements(HTMLParser):
    """What a page is made of that could run something or load it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        links = [given.get(name) or "" for name in ("href", "src", "action", "formaction")]
        is_ours = tag not in FOREIGN and (tag != "script" or (given.get("src") or "").startswith("/static/"))
        runs = [name for name in given if name.startswith("on") or name in ("style", "srcdoc")]
        leads = [each for each in links if each.strip().lower().startswith(("javascript:", "data:", "vbscript:", "//"))]
        if not is_ours or runs or leads:
            self.found.append(f"<{tag} {attrs}>")


@pytest.mark.parametrize("row", PAGES, ids=label)
async def test_no_page_takes_markup_from_what_it_shows_or_is_asked(world: World, row: RouteRow):
    owner = await world.owner()
    for path in await ways(row, world):
        answer = await owner.get(path, headers={"Accept": "text/html"})
        assert answer.status_code < 500, path
        assert Elements(answer.text).found == [], path
        assert "${49}" not in answer.text, path
        location = answer.headers.get("location", "/")
        assert location.startswith("/")
        assert not location.startswith("//")


async def ways(row: RouteRow, world: World) -> list[str]:
    path = (await path_of(row, world, "plain")).partition("?")[0]
    asked = [path, *(f"{path}?{name}={quote(BAIT)}" for name in row.query if name != "f.")]
    if "f." in row.query:
        asked += [f"{path}?f.name={quote(BAIT)}", f"{path}?f.{quote(BAIT)}=1"]
    return asked


async def test_the_bait_is_shown_as_text(world: World):
    owner = await world.owner()
    for path in ("", "/a"):
        assert SHOWN in (await owner.get(f"/objects/{THING}{path}")).text
    for path in ("hooks", "buttons", "groups", "users", "audit", "results"):
        assert SHOWN in (await owner.get(f"/{path}")).text, path


@pytest.mark.parametrize("text", SQL)
async def test_no_question_is_made_of_what_is_asked(world: World, text: str):
    owner, before = await world.owner(), await world.state()
    everything = len((await owner.get(f"/api/objects/{THING}")).json()["items"])
    asked: list[dict[str, Any]] = [
        *({f"f.name__{operator}": text} for operator in ("exact", "contains", "startswith", "in", "gt")),
        *({f"f.{text}": "1"}, {f"f.a.{text}": "1"}, {"order": text}, {"order": f"-{text}"}, {"cursor": text}),
    ]
    for params in asked:
        answer = await owner.get(f"/api/objects/{THING}", params=params)
        assert answer.status_code in (200, 400), answer.text
        assert "syntax error" not in answer.text
        if answer.status_code == 200 and not {"order", "f.name__contains", "f.name__gt"} & set(params):
            assert answer.json()["items"] == [], params
    for path in ("object-changes", "job-results", "log-entries", "audit", "jobs", "users"):
        for name in next(row for row in ROWS if row.path == f"/api/{path}" and row.method == "GET").query:
            assert (await owner.get(f"/api/{path}", params={name: text})).status_code in (200, 400, 404)
    assert await world.state() == before
    assert len((await owner.get(f"/api/objects/{THING}")).json()["items"]) == everything
