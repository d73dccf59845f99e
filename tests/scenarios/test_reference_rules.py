"""Whatever is written in whatever order, references hold: what a short model says of them is what the store keeps."""

import asyncio
import sqlite3
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from buttonhook import App, Ref, TrackedObject, open_app
from buttonhook.documents import decode
from buttonhook.errors import ObjectError
from buttonhook.objects.session import Write
from buttonhook.objects.transactions import TransactionAnswer
from buttonhook.records import ObjectQuery


class Place(TrackedObject, object_type="net.place", on_delete={"inside": "clear"}, kw_only=True):
    n: int = 0
    inside: Ref["Place"] | UnsetType = UNSET


class Thing(TrackedObject, object_type="net.thing", on_delete={"part_of": "cascade", "spare": "clear"}, kw_only=True):
    n: int = 0
    place: Ref[Place] | UnsetType | None = UNSET
    part_of: Ref["Thing"] | UnsetType = UNSET
    spare: Ref["Thing"] | UnsetType | None = UNSET


RULES = {
    ("net.place", "inside"): ("net.place", "clear"),
    ("net.thing", "place"): ("net.place", "protect"),
    ("net.thing", "part_of"): ("net.thing", "cascade"),
    ("net.thing", "spare"): ("net.thing", "clear"),
}
TAKES_NULL = {"place", "spare"}
Key = tuple[str, str]
Objects = dict[Key, dict[str, Any]]

pks = st.sampled_from("abc")
maybe = st.sampled_from([None, None, "a", "b", "c"])
places = st.builds(lambda inside, n: {"inside": inside, "n": n}, maybe, st.integers(0, 1))
things = st.builds(
    lambda place, part_of, spare, n: {"place": place, "part_of": part_of, "spare": spare, "n": n},
    *(maybe, maybe, maybe, st.integers(0, 1)),
)
puts = st.tuples(st.just("net.place"), pks, places) | st.tuples(st.just("net.thing"), pks, things)
deletes = st.tuples(st.sampled_from(["net.place", "net.thing"]), pks, st.none())
transactions = st.lists(puts | deletes, min_size=1, max_size=4)
batches = st.lists(st.lists(transactions, min_size=1, max_size=5), min_size=2, max_size=8)


def document_of(fields: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if fields is None else {key: value for key, value in fields.items() if value is not None}


def referring(objects: Objects) -> list[tuple[Key, str, Key, str]]:
    """Every reference: who, by which field, to what, and what a delete of that does."""
    found = []
    for key, document in objects.items():
        for (object_type, field), (target, word) in RULES.items():
            if key[0] == object_type and isinstance(document.get(field), str):
                found.append((key, field, (target, document[field]), word))
    return found


def expected(before: Objects, writes: list[Any]) -> Objects | None:
    """The objects after a transaction, None where it must be refused."""
    after = {key: dict(document) for key, document in before.items()}
    for object_type, pk, fields in writes:
        document = document_of(fields)
        if document is None:
            after.pop((object_type, pk), None)
        else:
            after[object_type, pk] = document
    grew = True
    while grew:
        along = [
            key
            for key, _, target, word in referring(after)
            if word == "cascade" and target in before and target not in after
        ]
        for key in along:
            after.pop(key, None)
        grew = bool(along)
    for key, field, target, word in referring(after):
        if target not in after:
            if word != "clear" or target not in before:
                return None
            if field in TAKES_NULL:
                after[key][field] = None
            else:
                del after[key][field]
    return after


async def commit(app: App, writes: list[Any]) -> TransactionAnswer | ObjectError:
    asked = tuple(
        Write(
            kind="delete" if fields is None else "put",
            object_type=object_type,
            pk=pk,
            document=document_of(fields),
            missing_ok=True,
        )
        for object_type, pk, fields in writes
    )
    try:
        return await app.commit(app.session("ann").request(asked))
    except ObjectError as exc:
        return exc


async def stored(app: App) -> Objects:
    found: Objects = {}
    for object_type in ("net.place", "net.thing"):
        for each, _ in await app.reader.objects(ObjectQuery(object_type=object_type)):
            found[each.key] = decode(each.document)
    return found


def rows_of(path: Path) -> set[tuple[Any, ...]]:
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        return set(connection.execute("SELECT object_type, pk, field, target_type, target_pk FROM object_reference"))
    finally:
        connection.close()


def check_changes(answer: TransactionAnswer, before: Objects, after: Objects) -> None:
    """Each object that differs has one change, in an order in which nothing refers to what is gone."""
    created_in_between = {
        key
        for key, count in Counter((each.object_type, each.object_pk) for each in answer.changes).items()
        if count == 2 and key not in before and key not in after
    }
    recorded = [
        (each.object_type, each.object_pk)
        for each in answer.changes
        if (each.object_type, each.object_pk) not in created_in_between
    ]
    differing = {key for key in {**before, **after} if before.get(key) != after.get(key)}
    assert Counter(recorded) == Counter(differing)
    assert set(answer.objects) >= differing


async def play(app: App, path: Path, steps: list[list[list[Any]]]) -> None:
    await commit(app, [(*key, None) for key in await stored(app)])
    known: Objects = {}
    for batch in steps:
        answers = await asyncio.gather(*(commit(app, writes) for writes in batch))
        for writes, answer in zip(batch, answers, strict=True):
            wanted = expected(known, writes)
            if wanted is None:
                assert isinstance(answer, ObjectError), writes
                continue
            assert isinstance(answer, TransactionAnswer), answer
            check_changes(answer, known, wanted)
            known = wanted
        assert await stored(app) == known
        assert rows_of(path) == {(*key, field, *target) for key, field, target, _ in referring(known)}
    assert (await app.check()).problems == []


async def keep_open(path: Path, opened: "asyncio.Future[App]", is_over: asyncio.Event) -> None:
    """An app is opened and closed by one task, whoever uses it in between."""
    async with open_app(str(path), object_types=[Place, Thing], load_plugins=False, dispatch=False) as app:
        opened.set_result(app)
        await is_over.wait()


def test_no_order_of_writes_leaves_a_reference_that_leads_nowhere(rounds: int):
    with TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path = Path(folder) / "references.db"
        opened: asyncio.Future[App] = runner.get_loop().create_future()
        is_over = asyncio.Event()
        keeper = runner.get_loop().create_task(keep_open(path, opened, is_over))

        async def until_open() -> App:
            return await opened

        async def close() -> None:
            is_over.set()
            await keeper

        app = runner.run(until_open())

        @settings(
            max_examples=120 * rounds,
            deadline=None,
            phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
        )
        @given(batches)
        def whatever_is_written(steps: list[list[list[Any]]]) -> None:
            runner.run(play(app, path, steps))

        try:
            whatever_is_written()
        finally:
            runner.run(close())
