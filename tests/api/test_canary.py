"""What somebody may not see stands in no answer: a canary that is in everything hidden, looked for in all of them.

All routes that read are walked with the ids of hidden things and with every filter that would match some, by a user who
may do nothing, by one who may see and edit all that is plain, and by one who may not see logs. The owner walks the same
ways and must meet the canary, else nothing would be shown by its absence.
"""

import html
import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import quote

import httpx
import msgspec
import pytest

from buttonhook.http.declaring import RouteRow
from buttonhook.people import Constraint
from buttonhook.records import ResultQuery
from tests.api.feeding import Following, following
from tests.api.route_cases import ROWS, kinds_of, label, path_of, send
from tests.api.world import CANARY, THING, World, opened_world
from tests.scenarios.story import until as happens

READING = [row for row in ROWS if row.method == "GET"]
WRITING = [row for row in ROWS if row.method != "GET" and row.declared.kind != "public" and kinds_of(row)]
LOGGED = "Hello alpha"
"""What a run on a plain object logged."""


@pytest.fixture(scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with opened_world(tmp_path_factory.mktemp("canary")) as world:
        yield world


async def watcher(world: World, *, without: str = "") -> httpx.AsyncClient:
    """Who may see and edit all that is plain."""
    plain: dict[str, Constraint | None] = {
        "demo.thing": Constraint("pk", "in", ["a", "b"]),
        "jobs.job": Constraint("id", "in", [each for each in world.app.registry.receivers if "Conc" not in each]),
        "jobs.jobhook": Constraint("name", "=", "Note them"),
        "jobs.jobbutton": Constraint("name", "in", ["Greet them", "Hold them"]),
        "jobs.source": Constraint("name", "=", "plain"),
        "users.user": Constraint("name", "in", ["vic", "ann"]),
        "users.group": Constraint("name", "=", "staff"),
        "users.permission": Constraint("name", "=", "vic's"),
        "users.token": Constraint("description", "=", "plain"),
        **dict.fromkeys(("jobs.jobresult", "jobs.joblogentry", "jobs.objectchange", "jobs.plugin", "jobs.objecttype")),
    }
    held = [
        (name.replace(".", f".{action}_"), () if constraint is None else (constraint,))
        for name, constraint in plain.items()
        for action in ("view", "add", "change", "delete")
    ]
    held += [("jobs.run_job", ()), ("jobs.cancel_jobresult", ())]
    return await world.who(*(each for each in held if each[0] != without))


def values(world: World) -> dict[str, str]:
    """By the name of a query parameter: what would find something hidden."""
    hidden = {name: each.hidden for name, each in world.things.items()}
    return {
        "object_type": THING,
        "object_pk": "hidden",
        "pk": "hidden",
        "user": hidden["users"],
        "change": hidden["changes"],
        "hook": hidden["hooks"],
        "button": hidden["buttons"],
        "job": hidden["jobs"],
        "result": hidden["results"],
        "cause": hidden["results"],
        "numbers": str(world.hidden_number),
        "q": "sesame",
        "search": "sesame",
        "f.": "sesame",
        "order": "name",
        "token": hidden["tokens"],
        "since": "2020-01-01T00:00:00Z",
        "until": "2099-01-01T00:00:00Z",
        "after": "0",
        "status": "failure",
        "level": "debug",
        "kind": "denied",
        "action": "update",
        "context": "library",
        **dict.fromkeys(("oldest_first", "snapshots", "count", "hidden", "enabled", "table"), "true"),
        "limit": "1000",
        "group": hidden["groups"],
    }


def queries(row: RouteRow, world: World) -> Iterator[str]:
    """Nothing, each parameter alone, and all that find hidden things of the same kind together."""
    known = values(world)
    yield ""
    for name in row.query:
        if name in known:
            extra = f"&object_type={THING}" if name in ("object_pk", "pk") and "object_type" in row.query else ""
            written = "f.name__startswith" if name == "f." else name
            yield f"{written}={quote(known[name])}{extra}"


async def walked(
    row: RouteRow, world: World, client: httpx.AsyncClient, *, is_filtered: bool = True
) -> list[tuple[str, httpx.Response]]:
    """The answers of a route to who asks for hidden things by it, and for plain ones that may tell of them."""
    found = []
    for which in ("hidden", "plain") if kinds_of(row) else ("plain",):
        path = (await path_of(row, world, which)).partition("?")[0]
        for query in queries(row, world) if is_filtered else ("",):
            asked = f"{path}?{query}" if query else path
            found.append((asked, await send(row, asked, world, client)))
    return found


def told(asked: str, answer: httpx.Response) -> str:
    """All of an answer but what it repeats of the question."""
    text = "\n".join([*(f"{name}: {value}" for name, value in answer.headers.items()), answer.text])
    path, _, query = asked.partition("?")
    for each in {*path.split("/"), *(part.partition("=")[2] for part in query.split("&"))}:
        if CANARY in each:
            for form in (each, html.escape(each), quote(each)):
                text = text.replace(form, "")
    return text


# --- the owner does, on the same ways --------------------------------------------------------------

HIDING = {"objects", "changes", "results", "hooks", "buttons", "users", "groups", "permissions", "tokens", "sources"}
QUIET = {
    "GET /api/job-results/{id}/logs/feed": "a feed, see below",
    "GET /api/objects/{object_type}/{pk}/referrers": "nobody refers to it",
    "GET /sources/{name}/remove": "tells no more than its name",
    "GET /users/{name}/disable": "tells no more than its name",
}
"""Pages of one thing that may be hidden which tell nothing of it, and why."""


async def test_the_owner_meets_the_canary_on_the_same_ways(world: World):
    met, before = set(), await world.state()
    for row in READING:
        answers = await walked(row, world, await world.owner())
        if any(CANARY in told(*each) for each in answers):
            met.add(label(row))
    of_hidden = {label(row) for row in READING if HIDING & set(kinds_of(row).values())}
    unmet = of_hidden - met - set(QUIET)
    assert unmet == set(), f"Show there what would be hidden, or say in QUIET why nothing is: {sorted(unmet)}"
    assert {"GET /audit", "GET /permissions", "GET /api/log-entries", "GET /changes", "GET /results"} <= met
    assert len(met) > 60
    assert await world.state() == before, "what only reads has changed something"


# --- nobody sees it who may not -------------------------------------------------------------------


@pytest.mark.parametrize("row", READING, ids=label)
async def test_no_answer_holds_what_who_asks_may_not_see(world: World, row: RouteRow):
    for client in (await world.nobody(), await world.who(), await watcher(world)):
        is_filtered = client is not await world.nobody()  # who is refused before anything is looked at
        for asked, answer in await walked(row, world, client, is_filtered=is_filtered):
            assert answer.status_code < 500, f"{asked}: {answer.text}"
            assert CANARY not in told(asked, answer), f"{asked}: {around(told(asked, answer))}"
    silent = await watcher(world, without="jobs.view_joblogentry")
    for asked, answer in await walked(row, world, silent, is_filtered="log" in row.path):
        assert LOGGED not in told(asked, answer), f"{asked}: {around(told(asked, answer), LOGGED)}"


def around(text: str, word: str = CANARY) -> str:
    place = text.find(word)
    return text[max(0, place - 200) : place + 100]


# --- what is hidden is told as what is not there ---------------------------------------------------

NAMING = [row for row in [*READING, *WRITING] if HIDING & set(kinds_of(row).values())]
MADE = {"PUT /api/objects/{object_type}/{pk}": "makes what is not there"}


@pytest.mark.parametrize("row", NAMING, ids=label)
async def test_what_is_hidden_is_told_as_what_is_not_there(world: World, row: RouteRow):
    for client in (await world.who(), await watcher(world)):
        before = await world.state()
        hidden, missing = [await path_of(row, world, which) for which in ("hidden", "missing")]
        one, other = [await send(row, path, world, client) for path in (hidden, missing)]
        assert CANARY not in told(hidden, one), around(told(hidden, one))
        if label(row) not in MADE:
            assert_same(same(one, hidden, world), same(other, missing, world))
            assert await world.state() == before


def assert_same(one: tuple[int, str], other: tuple[int, str]) -> None:
    lines = [each for each in zip(one[1].splitlines(), other[1].splitlines(), strict=False) if each[0] != each[1]]
    assert one == other, f"{one[0]} of what is hidden, {other[0]} of what is not there; {lines[:1]}"


def same(answer: httpx.Response, path: str, world: World) -> tuple[int, str]:
    """An answer without what it repeats of the question, and without the ids of requests and moments."""
    text = re.sub(r"<[^>]*>", "", answer.text)
    for each in sorted({*path.partition("?")[0].split("/")} - {""}, key=len, reverse=True):
        if any(each in (things.hidden, things.missing) for things in world.things.values()):
            for form in (each, html.escape(each), quote(each)):
                text = re.sub(rf"(?<![\w.]){re.escape(form)}(?![\w.])", "X", text)
    return answer.status_code, re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "ID", text)


# --- answers that are not asked for by a path -------------------------------------------------------


async def test_a_tried_job_hook_tells_of_no_change_that_may_not_be_seen(world: World):
    for path in ("/api/job-hooks/try", f"/api/job-hooks/{quote('Note them')}/try"):
        body = {"job": "Note", "object_types": [THING], "last": 100}
        seen = await (await watcher(world)).post(path, json=body)
        assert seen.status_code == 200, seen.text
        assert CANARY not in seen.text
        assert CANARY in (await (await world.owner()).post(path, json=body)).text


async def test_feeds_tell_of_nothing_that_may_not_be_seen(world: World):
    stories = {}
    for name, client in (("watcher", await watcher(world)), ("owner", await world.owner())):
        hidden = [f"/api/job-results/{world.things['results'].hidden}/logs/feed"]
        async with (
            following(client, "/api/object-changes/feed", after=0) as changes,
            following(client, "/api/notices") as notices,
        ):
            for pk in ("hidden", "b"):
                thing = await world.app.objects(THING).get(pk)
                thing.comments = f"{CANARY if pk == 'hidden' else 'plain'} for {name}"
                await thing.save()
            await happens(lambda: all_ended(world))
            told = [await until(changes, f"plain for {name}"), await until(notices, '"object_pk":"b"')]
        answers = [await send(follow_log_row(), path, world, client) for path in hidden]
        stories[name] = "\n".join([*told, *(str(each.status_code) for each in answers)])
    unseen = await world.app.results(ResultQuery(object_type=THING, object_pk="hidden", limit=100))
    assert CANARY in stories["owner"]
    assert CANARY not in stories["watcher"]
    assert any(each.id in stories["owner"] for each in unseen)
    assert [each.id for each in unseen if each.id in stories["watcher"]] == []
    assert (stories["owner"][-3:], stories["watcher"][-3:]) == ("200", "404")


async def all_ended(world: World) -> bool:
    results = await world.app.results(ResultQuery(object_type=THING, limit=100))
    return all(each.status.is_final for each in results if each.kind == "hook")


def follow_log_row() -> RouteRow:
    return next(row for row in ROWS if row.path == "/api/job-results/{id}/logs/feed")


async def until(feed: Following, text: str) -> str:
    """What a feed tells until a text comes."""
    events = []
    while not events or text not in events[-1]:
        events.append(msgspec.json.encode((await feed.next()).data).decode())
    return "\n".join(events)
