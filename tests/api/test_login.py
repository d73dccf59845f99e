"""Logging in and out, sessions, CSRF, throttling, the first owner."""

import asyncio
from pathlib import Path

import httpx
import pytest

from buttonhook.http.logging_in import MOST_AT_ONCE
from buttonhook.http.throttle import FREE
from buttonhook.people import AuditQuery, LoginRecord
from tests.api.served import PASSWORD, Served, problem, served_app

WRONG = {"name": "bob", "password": "wrong horse battery"}


async def test_a_login_sets_a_cookie_that_scripts_cannot_read_and_that_says_who_it_is(served: Served):
    await served.user("bob", "dcim.view_device")
    await served.app.administration.set_password("bob", PASSWORD)
    client = await served.client()
    answer = await client.post("/api/login", json={"name": "bob", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    me = (await client.get("/api/me")).json()
    assert (me["name"], me["kind"], me["permissions"]) == ("bob", "login", ["dcim.view_device"])


async def test_the_name_of_nobody_and_a_wrong_password_are_answered_alike(served: Served):
    await served.user("bob")
    await served.app.administration.set_password("bob", PASSWORD)
    await served.user("off")
    await served.app.administration.set_password("off", PASSWORD)
    await served.app.administration.edit_user("off", is_disabled=True)
    client = await served.client()
    told = []
    for name, password in (("bob", "wrong"), ("nobody", "wrong"), ("off", PASSWORD), ("a\ud800", "x")):
        body = f'{{"name": "{name}", "password": "{password}"}}'.encode("utf-8", "replace")
        answer = await client.post("/api/login", content=body, headers={"Content-Type": "application/json"})
        shown = problem(answer, 401, "login-failed")
        del shown["request_id"]
        told.append(shown)
    assert told == [told[0]] * 4
    await served.daemon.auditor.settle()
    kinds = {each.kind for each in await served.app.reader.audit_entries(AuditQuery(user_name="bob"))}
    assert kinds == {"login_failed"}


async def test_guessing_is_slowed_down_for_names_that_exist_and_for_those_that_do_not(served: Served):
    client = await served.client()
    await served.user("bob")
    await served.app.administration.set_password("bob", PASSWORD)
    for name in ("bob", "nobody"):
        for _ in range(FREE):
            problem(await client.post("/api/login", json={**WRONG, "name": name}), 401, "login-failed")
        answer = await client.post("/api/login", json={"name": name, "password": PASSWORD})
        problem(answer, 429, "too-many-tries")
        assert int(answer.headers["retry-after"]) >= 1


async def test_tries_that_run_at_once_are_counted_before_they_are_judged(served: Served):
    client = await served.client()
    answers = await asyncio.gather(*(client.post("/api/login", json=WRONG) for _ in range(MOST_AT_ONCE)))
    assert sum(each.status_code == 401 for each in answers) <= FREE


async def test_logout_a_disabled_user_and_another_password_end_sessions_at_once(served: Served):
    people = served.app.administration
    client = await served.browser("bob")
    assert (await client.post("/api/logout")).status_code == 204
    client = await served.browser("bob")
    kept = dict(client.cookies)
    assert (await client.post("/api/logout")).status_code == 204
    stolen = await served.client(cookies=kept)
    problem(await stolen.get("/api/me"), 401, "not-logged-in")
    client = await served.browser("bob")
    await people.set_password("bob", "another horse battery")
    problem(await client.get("/api/me"), 401, "not-logged-in")
    client = await served.browser("bob")
    await people.edit_user("bob", is_disabled=True)
    problem(await client.get("/api/me"), 401, "not-logged-in")
    await people.edit_user("bob", is_disabled=False)
    assert (await client.get("/api/me")).status_code == 200  # it was refused, not forgotten


async def test_a_session_outlives_a_restart_and_is_kept_as_a_hash_only(tmp_path: Path):
    async with served_app(tmp_path) as served:
        client = await served.browser("bob")
        (text,) = client.cookies.values()
    assert text.partition(".")[2].encode() not in (tmp_path / "served.db").read_bytes()
    async with served_app(tmp_path) as again:
        back = await again.client(cookies={again.daemon.cookie_name("http"): text})
        assert (await back.get("/api/me")).json()["name"] == "bob"


async def test_a_session_that_is_old_or_was_not_used_for_long_is_over(served: Served, monkeypatch: pytest.MonkeyPatch):
    client = await served.browser("bob")
    (before,) = served.app.registry.all(LoginRecord)
    assert (await client.get("/api/me")).status_code == 200
    assert served.app.registry.all(LoginRecord) == [before]  # not every use is worth a write
    monkeypatch.setattr("buttonhook.logins.SEEN_EVERY", 0)
    assert (await client.get("/api/me")).status_code == 200
    (used,) = served.app.registry.all(LoginRecord)
    assert used.seen_at > before.seen_at
    with monkeypatch.context() as patched:
        patched.setattr("buttonhook.logins.IDLE", 0)
        problem(await client.get("/api/me"), 401, "not-logged-in")
    monkeypatch.setattr("buttonhook.logins.LIFE", 0)
    short = await served.client()
    await short.post("/api/login", json={"name": "bob", "password": PASSWORD})
    problem(await short.get("/api/me"), 401, "not-logged-in")


async def test_one_user_has_a_bounded_number_of_sessions(served: Served, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("buttonhook.logins.MOST_OF_ONE", 2)
    first = await served.browser("bob")
    second, third = await served.client(), await served.client()
    for client in (second, third):
        await client.post("/api/login", json={"name": "bob", "password": PASSWORD})
    assert [(await each.get("/api/me")).status_code for each in (first, second, third)] == [401, 200, 200]
    assert len(served.app.registry.all(LoginRecord)) == 2


async def test_a_session_that_somebody_made_up_is_none(served: Served):
    client = await served.browser("bob")
    ((name, text),) = client.cookies.items()
    for made_up in ("x", text[:-1], text.partition(".")[0] + ".x", "." + text, ""):
        other = await served.client(cookies={name: made_up})
        problem(await other.get("/api/me"), 401, "not-logged-in")


async def test_a_login_gives_a_new_session_and_ends_the_one_before(served: Served):
    client = await served.browser("bob")
    ((name, before),) = client.cookies.items()
    await client.post("/api/login", json={"name": "bob", "password": PASSWORD})
    assert client.cookies[name] != before
    old = await served.client(cookies={name: before})
    problem(await old.get("/api/me"), 401, "not-logged-in")


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ({"X-CSRF-Token": ""}, "csrf"),
        ({"X-CSRF-Token": "0" * 64}, "csrf"),
        ({"Sec-Fetch-Site": "cross-site"}, "cross-site"),
        ({"Sec-Fetch-Site": "same-site"}, "cross-site"),
        ({"Sec-Fetch-Site": "none"}, "cross-site"),
        ({"Origin": "https://evil.example"}, "cross-site"),
        ({"Origin": "null"}, "cross-site"),
    ],
)
async def test_another_site_cannot_make_a_browser_change_anything(served: Served, headers: dict[str, str], kind: str):
    client = await served.browser("bob", "users.add_user", "users.view_user")
    problem(await client.post("/api/users", json={"name": "x"}, headers=headers), 403, kind)
    assert (await client.post("/api/users", json={"name": "x"})).status_code == 201


async def test_another_site_cannot_log_a_browser_in(served: Served):
    client = await served.client()
    client.headers["Sec-Fetch-Site"] = "cross-site"
    problem(await client.post("/api/login", json=WRONG), 403, "cross-site")


async def test_a_token_is_asked_for_itself_whatever_cookie_comes_with_it(served: Served):
    browser = await served.browser("bob")
    _, token = await served.app.administration.add_token("ann")
    both = {"Authorization": f"Bearer {token}", "Sec-Fetch-Site": "cross-site"}
    assert (await browser.get("/api/me", headers=both)).json()["name"] == "ann"
    made = await browser.post("/api/users", json={"name": "x"}, headers=both)
    assert made.status_code == 201
    for wrong in ("Bearer x", f"Bearer {token}x", "Bearer", "Basic YW5uOnB3", "", "Bearer bhlocal_x"):
        answer = await browser.get("/api/me", headers={"Authorization": wrong})
        problem(answer, 401, "bad-token")


async def test_who_changes_their_own_password_must_know_it_and_goes_on_in_a_new_session(served: Served):
    client = await served.browser("bob")
    ((name, before),) = client.cookies.items()
    new = {"password": "another horse battery"}
    for current in ("", "wrong horse battery"):
        answer = await client.post("/api/users/bob/password", json={**new, "current_password": current})
        problem(answer, 403, "current-password")
    answer = await client.post("/api/users/bob/password", json={**new, "current_password": PASSWORD})
    assert answer.status_code == 204
    assert client.cookies[name] != before
    assert (await client.get("/api/me")).status_code == 200
    old = await served.client(cookies={name: before})
    problem(await old.get("/api/me"), 401, "not-logged-in")


async def test_the_set_up_code_makes_the_first_owner_once(served: Served):
    client = await served.client()
    code = served.daemon.setup.new_code()
    problem(await _set_up(client, "wrong"), 403, "setup-code")
    problem(await _set_up(client, code, password="weak"), 409, "record-conflict")
    done = await _set_up(client, code)
    assert (done.json()["name"], done.json()["is_owner"]) == ("root-ann", True)
    assert (await client.get("/api/me")).status_code == 200
    problem(await _set_up(client, code), 403, "csrf")
    problem(await _set_up(await served.client(), code), 403, "setup-code")
    problem(await _set_up(await served.client(), served.daemon.setup.new_code()), 403, "setup-code")
    await served.daemon.auditor.settle()
    kinds = [each.kind for each in await served.app.reader.audit_entries(AuditQuery())]
    assert kinds.count("setup") == 1


async def _set_up(client: httpx.AsyncClient, code: str, password: str = PASSWORD) -> httpx.Response:
    return await client.post("/api/setup", json={"code": code, "name": "root-ann", "password": password})


async def test_a_password_gives_a_program_a_token_without_a_cookie(served: Served):
    await served.user("bob", "dcim.view_device", "dcim.add_device")
    await served.app.administration.set_password("bob", PASSWORD)
    client = await served.client()
    wanted = {"name": "bob", "password": PASSWORD, "scopes": ["dcim.view_device"], "days": 1, "description": "cron"}
    answer = await client.post("/api/login/token", json=wanted)
    assert answer.status_code == 201, answer.text
    assert "set-cookie" not in answer.headers
    told = answer.json()
    assert (told["user"], told["scopes"], told["description"]) == ("bob", ["dcim.view_device"], "cron")
    by_token = await served.client(told["token"])
    me = (await by_token.get("/api/me")).json()
    assert (me["name"], me["kind"], me["scopes"]) == ("bob", "token", ["dcim.view_device"])
    await served.daemon.auditor.settle()
    [entry] = await served.app.reader.audit_entries(AuditQuery(user_name="bob"))
    assert (entry.kind, entry.what) == ("login", f"made token {told['name']} by password")


async def test_who_guesses_for_a_token_is_slowed_down_with_who_guesses_to_log_in(served: Served):
    await served.user("bob")
    await served.app.administration.set_password("bob", PASSWORD)
    client = await served.client()
    for place in range(FREE):
        path = "/api/login/token" if place % 2 else "/api/login"
        problem(await client.post(path, json=WRONG), 401, "login-failed")
    for path in ("/api/login", "/api/login/token"):
        problem(await client.post(path, json={**WRONG, "password": PASSWORD}), 429, "too-many-tries")
    assert not [each for each in served.app.administration.tokens("bob") if each.description]
