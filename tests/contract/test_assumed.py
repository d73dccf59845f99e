"""Writes that say what an object was before it was known here, and keys that let a transaction in once."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from buttonhook import App, Ref, StaleObject, TrackedObject, UniqueViolation, open_app
from buttonhook.errors import AlreadyRecorded, InvalidDocument, InvalidKey, StillReferenced
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer, TransactionRequest
from buttonhook.records import ChangeQuery, Origin


class Site(TrackedObject, object_type="t.site", unique=("name",)):
    name: str


class Rack(TrackedObject, object_type="t.rack"):
    site: Ref[Site]
    name: str = ""


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    async with open_app(str(tmp_path / "a.db"), object_types=[Site, Rack, "t.thing"], load_plugins=False) as opened:
        yield opened


async def commit(app: App, kind: Any, pk: str = "x", type_: str = "t.thing", **fields: Any) -> TransactionAnswer:
    once_key = fields.pop("once_key", "")
    write = Write(kind=kind, object_type=type_, pk=pk, fill=False, **fields)
    origin = Origin(user_name="ann", context="webhook", request_id="r1")
    return await app.commit(TransactionRequest(origin=origin, writes=(write,), once=bool(once_key), once_key=once_key))


async def test_an_unknown_object_is_told_from_what_it_is_said_to_have_been(app: App):
    (change,) = (await commit(app, "put", document={"a": 2}, before={"a": 1, "b": 1})).changes
    assert (change.action, json.loads(change.prechange or ""), json.loads(change.postchange or "")) == (
        "update",
        {"a": 1, "b": 1},
        {"a": 2},
    )
    assert (await app.objects("t.thing").get("x")).document == {"a": 2}


async def test_what_is_stored_counts_for_more_than_what_is_said(app: App):
    await commit(app, "put", document={"a": 5})
    (change,) = (await commit(app, "put", document={"a": 2}, before={"a": 1})).changes
    assert json.loads(change.prechange or "") == {"a": 5}


async def test_the_delete_of_an_unknown_object_is_told_with_its_last_state(app: App):
    (change,) = (await commit(app, "delete", before={"a": 1}, missing_ok=True)).changes
    assert (change.action, change.prechange, change.postchange) == ("delete", '{"a":1}', None)
    assert await app.objects("t.thing").count() == 0


async def test_a_strict_write_with_a_state_before_finds_no_version(app: App):
    await commit(app, "put", document={"a": 2}, before={"a": 1}, strict=True)
    with pytest.raises(StaleObject):
        await commit(app, "put", document={"a": 3}, before={"a": 2}, strict=True)
    with pytest.raises(StaleObject):
        await commit(app, "put", "y", document={"a": 3}, before={"a": 2}, strict=True, version=0)


async def test_a_state_that_was_never_stored_frees_no_unique_value_of_another_object(app: App):
    await commit(app, "put", "one", "t.site", document={"name": "AMS"})
    await commit(app, "put", "two", "t.site", document={"name": "RTM"}, before={"name": "AMS"})
    with pytest.raises(UniqueViolation):
        await commit(app, "put", "three", "t.site", document={"name": "AMS"})


async def test_a_reference_that_stayed_the_same_is_kept_from_now_on(app: App):
    await commit(app, "put", "ams", "t.site", document={"name": "AMS"})
    await commit(app, "put", "r1", "t.rack", document={"site": "ams", "name": "2"}, before={"site": "ams", "name": "1"})
    with pytest.raises(StillReferenced):
        await commit(app, "delete", "ams", "t.site")


async def test_a_state_before_that_cannot_be_kept_is_refused(app: App):
    with pytest.raises(InvalidDocument):
        await commit(app, "put", document={}, before={"a": float("nan")})
    with pytest.raises(InvalidKey):
        await commit(app, "put", "a/b", document={}, before={"a": 1})
    assert await app.changes(ChangeQuery()) == []


async def test_a_key_of_its_own_lets_one_request_id_in_again_and_the_key_only_once(app: App):
    await commit(app, "put", document={"a": 1}, once_key="k1")
    await commit(app, "put", document={"a": 2}, once_key="k2")
    with pytest.raises(AlreadyRecorded):
        await commit(app, "put", document={"a": 3}, once_key="k1")
    assert (await app.objects("t.thing").get("x")).document == {"a": 2}
