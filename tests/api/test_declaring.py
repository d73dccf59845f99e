"""Every route says what it asks of who calls it."""

import pytest
from litestar import get as plain_get

from buttonhook.errors import UsageError
from buttonhook.http.application import ROUTES, make_routes
from buttonhook.http.declaring import act
from buttonhook.permissions import RIGHTS
from tests.api.route_cases import ROWS, is_page
from tests.api.served import Served

OPEN = {
    *("/healthz", "/readyz", "/api/login", "/api/login/token", "/api/setup", "/static/{path}"),
    *("/login", "/setup", "/theme"),
    "/api/sources/{name}",  # a webhook is signed instead
}


async def test_a_route_without_a_declaration_keeps_the_daemon_from_starting(served: Served):
    @plain_get("/api/forgotten")
    async def forgotten() -> str:
        return ""

    with pytest.raises(UsageError, match=r"Route GET /api/forgotten \(.*forgotten\) declares nothing"):
        make_routes((*ROUTES, forgotten))


def test_an_act_that_the_table_of_rights_does_not_know_is_refused():
    with pytest.raises(UsageError, match="'fly' is no act"):
        act("fly")


def test_the_open_routes_are_these_and_no_others():
    """The others refuse nobody, see test_route_matrix."""
    assert {row.path for row in ROWS if row.declared.kind == "public"} == OPEN
    assert len(ROWS) > 100


async def test_who_lacks_the_declared_act_is_turned_away_before_the_body_is_read(served: Served):
    stranger = await served.user("bob")
    for row in ROWS:
        if row.declared.kind == "act" and not row.declared.or_own:
            needs = [need for need in RIGHTS[row.declared.act] if not need.or_own]
            answer = await stranger.request(row.method, row.path.replace("{name}", "ann"), content=b"\xff")
            assert answer.status_code == 403, f"{row.method} {row.path}: {answer.text}"
            told = answer.text if is_page(row) else answer.json()["detail"]
            assert any(need.permission in told for need in needs)
