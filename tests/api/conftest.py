"""The API is tested over real HTTP: uvicorn in the test's loop on a free port, or a whole process of the command.

`served` is an app of the test's own; `daemon` starts `buttonhook serve` as people do.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from buttonhook import credentials
from tests.api.served import Served, Started, served_app
from tests.command_line import CommandLine


@pytest.fixture(autouse=True, scope="session")
def cheap_hashes() -> Iterator[None]:
    """Passwords hashed with the least; daemons in processes of their own take the real cost."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(credentials, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        yield


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """A served app with the shipped plugins; its owner is ann, who has no password."""
    async with served_app(tmp_path) as served:
        yield served


@pytest.fixture
def daemon(cli: CommandLine) -> Callable[..., Started]:
    """Start `buttonhook serve` on a free port in the test's folder: `daemon("--grace", "1")`."""

    def start(*args: str, **options: Any) -> Started:
        return Started(cli.start("serve", "--port", "0", *args, **options))

    return start
