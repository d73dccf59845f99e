"""What the tests of the API share: an app that is served over real HTTP, and clients of it."""

import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from buttonhook.app import App, open_app
from buttonhook.http.binding import listening
from buttonhook.http.daemon import Daemon
from buttonhook.http.serving import Serving, serving
from buttonhook.people import Constraint
from buttonhook.settings import Settings

PASSWORD = "correct horse battery"
OWNER = "ann"
CERTIFICATES = ssl.create_default_context()
"""Read once: each client would take as long for it as a whole request."""


class Served:
    """A served app. Clients of it are closed with it."""

    def __init__(self, current: Serving, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.app: App = current.app
        self.daemon: Daemon = current.daemon
        self.url = current.url

    async def client(self, token: str | None = None, **options: Any) -> httpx.AsyncClient:
        """Somebody with a token, or nobody."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        options.setdefault("verify", CERTIFICATES)
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20, trust_env=False, **options)
        return await self._stack.enter_async_context(client)

    async def owner(self) -> httpx.AsyncClient:
        """The database's owner, with a token."""
        _, token = await self.app.administration.add_token(OWNER)
        return await self.client(token)

    async def user(
        self, name: str, *permissions: str, constraints: Sequence[Constraint] = (), scopes: Sequence[str] | None = None
    ) -> httpx.AsyncClient:
        """A user of this name who is given these permissions, with a token; made if there is none."""
        people = self.app.administration
        if all(each.name != name for each in people.users()):
            await people.add_user(name)
        if permissions:
            await people.grant(permissions, users=[name], constraints=constraints)
        _, token = await people.add_token(name, scopes=scopes)
        return await self.client(token)

    async def browser(self, name: str, *permissions: str) -> httpx.AsyncClient:
        """As `user`, logged in with a password: the cookie says who it is, and the CSRF token is sent."""
        await self.user(name, *permissions)
        await self.app.administration.set_password(name, PASSWORD)
        client = await self.client()
        answer = await client.post("/api/login", json={"name": name, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        client.headers["X-CSRF-Token"] = answer.json()["csrf_token"]
        return client


@asynccontextmanager
async def served_app(folder: Path, *, receivers: Sequence[type[Any]] = (), **settings: Any) -> AsyncIterator[Served]:
    """An app on a database in a folder, with the shipped plugins, served on a free port of this machine."""
    chosen = Settings(db=f"sqlite:///{folder / 'served.db'}", user=OWNER, port=0, lock_wait=0.0, **settings)
    with listening(chosen) as bound:
        async with (
            open_app(settings=chosen, receivers=receivers) as app,
            serving(app, bound) as current,
            AsyncExitStack() as stack,
        ):
            yield Served(current, stack)


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told["status"] == status
    assert told["type"] == (kind if kind == "about:blank" else f"urn:buttonhook:problem:{kind}"), told
    assert told["request_id"] == answer.headers["x-request-id"]
    return dict(told)


class Started:
    """A `buttonhook serve` in a process of its own, after it began to serve; `told` is what it wrote until then."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.told = ""
        while "Serving " not in self.told or ("Nobody can log in" in self.told and "#" not in self.told):
            line = process.stderr.readline() if process.stderr else ""
            assert line, f"It ended with {process.wait(20)}: {self.told}"
            self.told += line
        found = re.search(r"at (https?://\S+) ", self.told)
        assert found, self.told
        self.url = found[1]

    def set_up_code(self) -> str:
        """The code of the set-up link, which is the next line."""
        assert self.process.stderr is not None
        if "#" not in self.told:
            self.told += self.process.stderr.readline()
        return self.told.partition("/setup#")[2].split()[0]

    def rest(self) -> str:
        """What it writes until it ends."""
        assert self.process.stderr is not None
        return self.process.stderr.read()
