"""Every route, by everybody who may not and by one who may exactly that: cells made from the route table.

Nobody; a user without permissions; one who holds what is asked for another thing; one who lacks one of the permissions;
one who has them all. Who may not is refused, sees nothing and changes nothing, and no job runs.
"""

from collections.abc import AsyncIterator

import httpx
import pytest

from buttonhook.http import daemon
from buttonhook.http.declaring import RouteRow
from buttonhook.people import AuditQuery, Constraint
from tests.api.route_cases import (
    EMPTY,
    INSIDE,
    OWN,
    ROWS,
    asked,
    found_by,
    is_list,
    is_page,
    label,
    path_of,
    send,
    words,
)
from tests.api.served import OWNER
from tests.api.world import World, opened_world

CLOSED = [row for row in ROWS if row.declared.kind != "public"]
ASKING = [row for row in CLOSED if asked(row)]
NOWHERE = [Constraint("pk", "=", "other")]
"""Narrows a permission to what is not there."""


@pytest.fixture(scope="module")
async def closed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """For everybody who is refused: nothing changes in it, and the audit log keeps up."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(daemon, "AUDIT_BURST", 1_000_000)
        patch.setattr(daemon, "AUDIT_A_SECOND", 1_000_000)
        async with opened_world(tmp_path_factory.mktemp("closed")) as world:
            yield world


@pytest.fixture(scope="module")
async def open_(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """For those who may: things are made for what takes them away."""
    async with opened_world(tmp_path_factory.mktemp("open")) as world:
        yield world


@pytest.mark.parametrize("row", CLOSED, ids=label)
async def test_nobody_is_asked_to_log_in(closed: World, row: RouteRow):
    before = await closed.state()
    answer = await send(row, await path_of(row, closed, "plain"), closed, await closed.nobody())
    if is_page(row):
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith("/login")
    else:
        assert answer.status_code == 401, answer.text
        assert answer.headers["www-authenticate"] == "Bearer"
    assert await closed.state() == before


@pytest.mark.parametrize("row", ASKING, ids=label)
async def test_who_lacks_any_of_what_is_asked_is_refused(closed: World, row: RouteRow):
    needs, finds = asked(row), found_by(row)
    users = {"holds nothing": [], "holds it for another": [(each, NOWHERE) for each in needs]}
    if len({each.rpartition("_")[2] for each in needs}) == len(needs):  # else one of them would do
        for lacked in needs:
            users[f"lacks {lacked}"] = [(each, []) for each in {*needs, *finds} - {lacked}]
    path = await path_of(row, closed, "plain")
    for who, permissions in users.items():
        held = {each for each, _ in permissions}
        extra = [(each, []) for each in finds if each not in held and who == "holds it for another"]
        client = await closed.who(*permissions, *extra)
        before = await closed.state()
        answer = await send(row, path, closed, client)
        assert_refused(row, answer, who)
        assert await closed.state() == before, f"{label(row)} by who {who} changed something"
        if answer.status_code == 403:
            assert await is_audited(closed, answer), f"{label(row)} by who {who}: the audit log does not tell of it"


async def is_audited(world: World, answer: httpx.Response) -> bool:
    await world.served.daemon.auditor.settle()
    entries = await world.app.access(OWNER).history.audit_entries(AuditQuery(kind="denied", limit=10))
    return answer.headers["x-request-id"] in [each.request_id for each in entries]


def assert_refused(row: RouteRow, answer: httpx.Response, who: str) -> None:
    told = f"{label(row)} by who {who}: {words(answer)}"
    kind = answer.headers["content-type"]
    if answer.status_code == 200 and label(row) in EMPTY:
        return
    if answer.status_code == 200 and kind == "application/x-ndjson":
        assert '"request":' not in answer.text, told
        return
    if answer.status_code == 200 and row.method == "GET":
        items = answer.json().get("items") if kind == "application/json" else None
        if items is not None:
            assert [each for each in items if not each.get("user", "").startswith("asker")] == [], told
            return
        is_asked = who == "holds it for another" and not row.declared.act.startswith("see")
        if is_list(row) or (is_page(row) and is_asked):  # it shows what they may see, and may ask what they may not do
            return
    assert answer.status_code in (403, 404), (
        f"{told}\nIf it asks what the body is before it asks who sends it, give it a body that it takes: "
        "BODIES in tests/api/route_cases.py."
    )


@pytest.mark.parametrize("row", ASKING, ids=label)
async def test_who_holds_just_what_is_asked_may(open_: World, row: RouteRow):
    client = await open_.who(*((each, []) for each in [*asked(row), *found_by(row)]))
    answer = await send(row, await path_of(row, open_, "made"), open_, client)
    assert answer.status_code < 400, (
        f"{label(row)} by who holds {asked(row)}: {words(answer)}\n"
        "If it only wants a body, give it one: BODIES in tests/api/route_cases.py; if it asks for more, "
        "declare that, or say it in MORE there."
    )
    assert not answer.headers.get("location", "").startswith("/login")


def test_writing_routes_for_all_who_are_logged_in_say_why_or_what_they_ask():
    writing = {label(row) for row in CLOSED if row.declared.kind == "login" and row.method != "GET"}
    told = set(INSIDE) | set(OWN)
    assert writing <= told, (
        f"Say in tests/api/route_cases.py why these need no permission (OWN), or which they ask for (INSIDE): "
        f"{sorted(writing - told)}"
    )
    assert told <= set(map(label, CLOSED)), f"There is no such route any more: {sorted(told - set(map(label, CLOSED)))}"


async def test_a_cookie_without_the_token_of_its_pages_changes_nothing_by_any_route(closed: World):
    browser = await closed.served.browser("bea", "demo.*", "jobs.*", "users.*")
    del browser.headers["X-CSRF-Token"]
    before = await closed.state()
    writing = [row for row in CLOSED if row.method != "GET"]
    assert len(writing) > 40
    for row in writing:
        answer = await send(row, await path_of(row, closed, "plain"), closed, browser)
        assert answer.status_code == 403, f"{label(row)}: {answer.status_code}"
        assert await closed.state() == before
