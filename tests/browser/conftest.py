"""The pages, in a real browser: Debian's Chromium by playwright.

Each visit fails on any console error, violation of the policy, request to another host, unexpected refusal, and on
what axe finds serious.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.browser.browsing import CHROMIUM, Visitor, has_chromium, launched, visiting

pytest.importorskip("playwright", reason="playwright is not installed: make install")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Any]:
    """One Chromium for the tests of a file: an event loop that stayed open would keep later tests from theirs."""
    if not has_chromium():
        pytest.skip(f"there is no browser at {CHROMIUM}: apt-get install chromium")
    async with launched() as started:
        yield started


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Any]:
    """A served app with the shipped plugins; its owner is ann."""
    from tests.api.served import served_app

    async with served_app(tmp_path) as app:
        yield app


@pytest.fixture
async def visitor(served: Any, browser: Any) -> AsyncIterator[Callable[..., Any]]:
    """Let people in: `ann = await visitor("ann")`, `await visitor(phone=True)`; all are settled at the end."""
    async with AsyncExitStack() as stack:
        met: list[Visitor] = []

        async def come(name: str = "", **options: Any) -> Visitor:
            made = await stack.enter_async_context(visiting(served, browser, **options))
            met.append(made)
            if name:
                await made.log_in(name)
            return made

        yield come
        for each in met:
            each.settle()
