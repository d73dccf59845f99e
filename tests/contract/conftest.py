"""The stores that every test of this folder is run on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from buttonhook.stores.base import Store
from buttonhook.stores.sqlite.store import SqliteStore

OpenStore = Callable[[], Store]


def sqlite_stores(tmp_path: Path) -> OpenStore:
    return lambda: SqliteStore(tmp_path / "store.db", lock_wait_seconds=0)


@pytest.fixture(params=[sqlite_stores], ids=["sqlite"])
def make_store(request: pytest.FixtureRequest, tmp_path: Path) -> OpenStore:
    """Make a store on this test's own database; each call makes another store on the same one."""
    return request.param(tmp_path)
