"""Lines become transactions: in order, one a request, each once, and a fault costs what it must."""

import asyncio
import io
import itertools
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from buttonhook import documents
from buttonhook.errors import ImportFault
from buttonhook.ids import Microseconds
from buttonhook.imports import pipeline
from buttonhook.imports.importer import Importer
from buttonhook.imports.read_ahead import ReadAhead
from buttonhook.imports.reports import ImportedRequest, ImportOptions, ImportSummary
from buttonhook.imports.sources import open_source
from buttonhook.objects.types import ObjectType
from tests.unit.import_doubles import MemoryGateway, resolve_type

Lines = list[dict[str, Any] | str]


def change(request: str, pk: str, after: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    """A line of a change stream; `after` None is a delete."""
    return {
        "request_id": request,
        "user_name": "ann",
        "time": "2020-01-01T00:00:00Z",
        "action": "update" if after is not None else "delete",
        "object_type": "test.free",
        "object_id": pk,
        "after": after,
    } | more


def thing(pk: str | None, object_type: str = "test.free", **data: Any) -> dict[str, Any]:
    line: dict[str, Any] = {"object_type": object_type, "data": data}
    return line if pk is None else line | {"pk": pk}


class Run:
    """One import over `gateway`; `events` holds what was reported."""

    def __init__(self, gateway: MemoryGateway, **options: Any) -> None:
        self.gateway = gateway
        self.options = ImportOptions(user_name="bob", **options)
        self.events: list[ImportedRequest | ImportFault] = []
        self.told = asyncio.Event()
        self.summary: ImportSummary | None = None

    async def report(self, event: ImportedRequest | ImportFault) -> None:
        if isinstance(event, ImportedRequest):
            assert event.skipped or event.request_id in self.gateway.recorded
        self.events.append(event)
        self.told.set()

    async def source(self, source, progress=None) -> ImportSummary:
        lookup = self.gateway.find_by_natural_key
        importer = Importer(self.gateway, resolve_type, lookup, self.options)
        with source:
            self.summary = await importer.run(source, self.report, progress)
        assert self.summary.seconds > 0
        return self.summary

    async def lines(self, *lines: dict[str, Any] | str) -> ImportSummary:
        text = "".join((line if isinstance(line, str) else documents.encode(line)) + "\n" for line in lines)
        return await self.source(open_source("-", stdin=io.BytesIO(text.encode())))

    @property
    def faults(self) -> list[ImportFault]:
        return [event for event in self.events if isinstance(event, ImportFault)]

    @property
    def requests(self) -> list[ImportedRequest]:
        return [event for event in self.events if isinstance(event, ImportedRequest)]


@pytest.fixture
def gateway() -> MemoryGateway:
    return MemoryGateway()


# --- change streams -------------------------------------------------------------------------------


async def test_each_request_of_a_stream_is_one_transaction_in_order(gateway: MemoryGateway):
    run = Run(gateway)
    summary = await run.lines(
        change("r1", "a", {"x": 1}),
        change("r1", "b", {"x": 1}),
        change("r2", "a", {"x": 2}, time="2020-01-02T00:00:00Z", user_name="eve"),
        change("r3", "b", None),
        change("r3", "gone", None),
    )
    assert gateway.documents("test.free") == {"a": {"x": 2}}
    first, second, third = gateway.requests
    assert [len(request.writes) for request in gateway.requests] == [2, 1, 2]
    assert (first.origin.user_name, first.origin.context, first.origin.detail) == ("ann", "import", "stdin")
    assert first.once
    assert second.origin.user_name == "eve"
    assert second.origin.time == Microseconds(1_577_923_200_000_000)
    assert third.origin.request_id == "r3"
    assert run.events == [
        ImportedRequest("r1", 1, 2, 2, change_ids=((1, 2),)),
        ImportedRequest("r2", 3, 3, 1, change_ids=((3, 3),)),
        ImportedRequest("r3", 4, 5, 1, unchanged=1, change_ids=((4, 4),)),
    ]
    counts = (summary.created, summary.updated, summary.deleted, summary.unchanged)
    assert counts == (2, 1, 1, 1)
    assert (summary.lines, summary.requests, summary.faults, summary.stopped) == (5, 3, 0, False)


async def test_a_stream_adds_no_defaults_but_object_lines_get_them(gateway: MemoryGateway):
    await Run(gateway).lines(
        change("r1", "a", {"name": "A"}, object_type="test.site"),
        thing("b", "test.site", name="B"),
    )
    assert gateway.documents("test.site") == {"a": {"name": "A"}, "b": {"name": "B", "region": "none"}}


async def test_a_second_import_finds_every_request_recorded(gateway: MemoryGateway):
    lines = [change("r1", "a", {"x": 1}), change("r2", "a", {"x": 1}), change("r3", "a", {"x": 3})]
    await Run(gateway).lines(*lines)
    changes = len(gateway.changes)
    again = Run(gateway)
    summary = await again.lines(*lines, change("r4", "a", {"x": 4}))
    assert again.events == [
        ImportedRequest("r1", 1, 1, 0, skipped=True),
        ImportedRequest("r2", 2, 2, 0, skipped=True),
        ImportedRequest("r3", 3, 3, 0, skipped=True),
        ImportedRequest("r4", 4, 4, 1, change_ids=((3, 3),)),
    ]
    assert (summary.requests, summary.requests_skipped, summary.stopped) == (1, 3, False)
    assert len(gateway.changes) == changes + 1


@pytest.mark.parametrize("on_error", ["stop", "skip"])
async def test_a_request_whose_lines_do_not_stand_together_is_told(gateway, on_error):
    run = Run(gateway, on_error=on_error)
    await run.lines(change("r1", "a", {"x": 1}), change("r2", "b", {"x": 1}), change("r1", "c", {"x": 1}))
    assert [str(fault) for fault in run.faults] == [
        "stdin, line 3: request 'r1' ended at line 1. The lines of one request must stand together"
    ]
    assert sorted(gateway.documents("test.free")) == ["a", "b"]


async def test_a_request_of_two_authors_is_told(gateway: MemoryGateway):
    run = Run(gateway)
    await run.lines(change("r1", "a", {}), change("r1", "b", {}, user_name="eve"))
    assert "'user_name' is not that of line 1" in run.faults[0].problem
    assert gateway.state == {}


async def test_a_request_without_end_is_refused(gateway, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(pipeline, "MAX_REQUEST_LINES", 3)
    run = Run(gateway)
    await run.lines(*(change("r1", str(number), {}) for number in range(5)))
    assert [fault.line for fault in run.faults] == [4]
    assert gateway.state == {}


# --- faults: stop ---------------------------------------------------------------------------------


async def test_malformed_line_5001_stops_the_import_and_what_came_before_stays(gateway):
    lines: Lines = [thing(str(number), n=number) for number in range(1, 6001)]
    lines[5000] = '{"object_type": "test.free", "pk": "5001", "data": {"n": }}'
    run = Run(gateway)
    summary = await run.lines(*lines)
    assert len(gateway.state) == 5000
    assert [str(fault).partition(":")[0] for fault in run.faults] == ["stdin, line 5001"]
    assert "not JSON at column 58" in run.faults[0].problem
    assert run.events[-1] is run.faults[0]
    assert summary.stopped
    assert (summary.lines, summary.created, summary.requests, summary.faults) == (5001, 5000, 10, 1)


async def test_lines_of_the_bad_lines_transaction_are_not_imported(gateway: MemoryGateway):
    run = Run(gateway)
    await run.lines(change("r1", "a", {}), change("r2", "b", {}), change("r2", "c", {}), "{", change("r3", "d", {}))
    assert sorted(gateway.documents("test.free")) == ["a"]
    assert [fault.line for fault in run.faults] == [4]
    assert run.faults[0].problem.endswith("Lines 2 to 3 of the same transaction: not imported")
    batch = Run(MemoryGateway(), batch_lines=2)
    await batch.lines(thing("a"), thing("b"), thing("c"), "{", thing("d"))
    assert sorted(batch.gateway.documents("test.free")) == ["a", "b"]
    assert batch.faults[0].problem.endswith("Line 3 of the same transaction: not imported")


async def test_a_bad_line_of_another_request_leaves_the_one_before_whole(gateway: MemoryGateway):
    run = Run(gateway)
    await run.lines(
        change("r1", "a", {}), change("r1", "b", {}), change("r2", "c", {}, action="paint"), change("r3", "d", {})
    )
    assert sorted(gateway.documents("test.free")) == ["a", "b"]
    assert run.events[0] == ImportedRequest("r1", 1, 2, 2, change_ids=((1, 2),))
    assert "'paint'" in run.faults[0].problem


@pytest.mark.parametrize("on_error", ["stop", "skip"])
async def test_a_request_cut_off_by_a_damaged_file_is_not_recorded(gateway, tmp_path, on_error):
    path = tmp_path / "a.json"
    lines = map(documents.encode, [change("r1", "a", {}), change("r2", "b", {})])
    path.write_text("[" + ",\n".join(lines) + ",\n{")
    run = Run(gateway, on_error=on_error)
    await run.source(open_source(path))
    assert gateway.recorded == {"r1"}
    assert run.faults[0].problem.endswith("Line 2 of the same transaction: not imported")


async def test_nothing_overtakes_a_transaction_that_the_recorder_refuses(gateway: MemoryGateway):
    run = Run(gateway)
    summary = await run.lines(
        change("r1", "a", {"name": "A"}, object_type="test.site"),
        change("r2", "x", {}),
        change("r3", "y", {}),
        change("r3", "b", {"name": "A"}, object_type="test.site"),
        change("r4", "z", {}),
        change("r5", "a", {"name": "Z"}, object_type="test.site"),
    )
    assert gateway.recorded == {"r1", "r2"}
    assert summary.stopped
    fault = run.faults[0]
    assert fault.line == 4
    assert "cannot have name = 'A': test.site 'a' has it already" in fault.problem
    assert fault.problem.endswith("Lines 3 to 4 of the same transaction: not imported")


async def test_an_unknown_type_stops_with_the_cure(gateway: MemoryGateway):
    run = Run(gateway)
    await run.lines(thing("a", "test.fre"))
    assert "Did you mean 'test.free'?" in str(run.faults[0])


# --- faults: skip ---------------------------------------------------------------------------------


async def test_skipping_leaves_out_the_bad_lines_alone(gateway: MemoryGateway):
    run = Run(gateway, on_error="skip")
    summary = await run.lines(
        change("r1", "a", {}),
        "{",
        change("r1", "b", {}),
        change("r1", "c/", {}),
        change("r1", "d", {}),
        thing("e"),
        "[]",
        thing("f"),
    )
    assert sorted(gateway.documents("test.free")) == ["a", "b", "d", "e", "f"]
    assert [fault.line for fault in run.faults] == [2, 4, 7]
    assert [(event.line_first, event.line_last) for event in run.requests] == [(1, 5), (6, 8)]
    assert (summary.faults, summary.requests, summary.stopped) == (3, 2, False)


async def test_skipping_reports_a_refused_request_with_its_lines_and_goes_on(gateway):
    run = Run(gateway, on_error="skip")
    await run.lines(
        change("r1", "a", {"name": "A"}, object_type="test.site"),
        change("r2", "x", {}),
        change("r2", "b", {"name": "A"}, object_type="test.site"),
        change("r3", "y", {}),
    )
    assert gateway.recorded == {"r1", "r3"}
    assert [fault.line for fault in run.faults] == [3]
    assert "Lines 2 to 3 of the same transaction" in run.faults[0].problem
    assert [event.request_id for event in run.requests] == ["r1", "r3"]


async def test_skipping_in_a_refused_batch_leaves_out_only_the_lines_to_blame(gateway):
    run = Run(gateway, on_error="skip")
    summary = await run.lines(
        thing("a", "test.site", name="A"),
        thing("b", "test.site", name="A"),
        thing("c", "test.site", name="C"),
        thing("d", "test.site", name="C"),
        thing("e"),
    )
    assert sorted(pk for _, pk in gateway.state) == ["a", "c", "e"]
    assert [fault.line for fault in run.faults] == [2, 4]
    (request,) = run.requests
    assert (request.line_first, request.line_last, request.changes, request.unchanged) == (1, 5, 3, 0)
    assert len({one.origin.request_id for one in gateway.requests}) == 1
    assert (summary.created, summary.requests, summary.faults) == (3, 1, 2)


# --- object lines ---------------------------------------------------------------------------------


async def test_object_lines_go_in_batches_under_the_callers_name(gateway: MemoryGateway):
    run = Run(gateway, batch_lines=3, object_type="test.free")
    await run.lines(*({"pk": str(n), "data": {}} for n in range(7)), {"model": "test.free", "pk": 7, "fields": {}})
    assert [len(request.writes) for request in gateway.requests] == [3, 3, 2]
    assert {request.origin.user_name for request in gateway.requests} == {"bob"}
    assert len(gateway.recorded) == 3
    assert not any(request.once for request in gateway.requests)
    assert len(gateway.state) == 8


async def test_lines_without_a_pk_match_by_natural_key_else_create(gateway: MemoryGateway):
    gateway.state["test.box", "old"] = {"name": "old"}
    run = Run(gateway, batch_lines=4)
    summary = await run.lines(
        thing(None, "test.box", name="old", height=1),
        thing(None, "test.box", name="new", height=1),
        thing(None, "test.box", name="new", height=2),
        thing("mine", "test.box", name="third"),
        thing(None, "test.box", name="new", height=3),
        thing(None, "test.box", name="third", height=4),
        thing(None, "test.port", name="p"),
        thing(None, "test.port", name="p"),
    )
    boxes = gateway.documents("test.box")
    assert boxes["old"]["height"] == 1
    assert boxes["mine"]["height"] == 4
    (new,) = set(boxes) - {"old", "mine"}
    assert new[14] == "7"
    assert boxes[new] == {"name": "new", "height": 3}
    assert len(gateway.documents("test.port")) == 2
    assert (summary.created, summary.updated) == (4, 3)


async def test_an_object_renamed_earlier_in_the_batch_is_not_found_by_its_old_name(gateway):
    gateway.state["test.box", "a"] = {"name": "x"}
    await Run(gateway).lines(thing("a", "test.box", name="y"), thing(None, "test.box", name="x"))
    assert Counter(box["name"] for box in gateway.documents("test.box").values()) == {"x": 1, "y": 1}
    assert gateway.documents("test.box")["a"] == {"name": "y"}


@pytest.mark.parametrize(("on_error", "written"), [("stop", []), ("skip", ["c"])])
async def test_a_natural_key_that_two_objects_have_is_told(gateway, on_error, written):
    gateway.state["test.box", "a"] = gateway.state["test.box", "b"] = {"name": "twin"}
    run = Run(gateway, on_error=on_error)
    await run.lines(thing("c", "test.box", name="c"), thing(None, "test.box", name="twin"))
    assert [fault.line for fault in run.faults] == [2]
    assert "More than one test.box" in run.faults[0].problem
    assert sorted(set(gateway.documents("test.box")) - {"a", "b"}) == written


# --- pipelining -----------------------------------------------------------------------------------


async def test_transactions_are_sent_one_behind_the_other_within_bounds(gateway: MemoryGateway):
    gateway.turns = 20
    run = Run(gateway, in_flight=5, writes_in_flight=100)
    await run.lines(*(change(f"r{n}", str(n % 7), {"n": n}) for n in range(60)))
    assert gateway.most_waiting == 5
    assert [request.origin.request_id for request in gateway.requests] == [f"r{n}" for n in range(60)]
    assert [event.request_id for event in run.requests] == [f"r{n}" for n in range(60)]
    few = Run(MemoryGateway(turns=20), writes_in_flight=4)
    await few.lines(*(change(f"r{n // 2}", str(n), {"n": n}) for n in range(60)))
    assert few.gateway.most_waiting == 2
    one = Run(MemoryGateway(), writes_in_flight=1)
    await one.lines(*(change("r", str(n), {"n": n}) for n in range(60)))
    assert len(one.gateway.state) == 60


async def test_a_request_is_reported_while_the_stream_is_still_open(gateway: MemoryGateway):
    reading, writing = os.pipe()
    run = Run(gateway)
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", 0) as stdout:
        running = asyncio.create_task(run.source(open_source("-", stdin=stdin)))
        for number, name in enumerate(("r1", "r2", "r3")):
            stdout.write(documents.encode(change(name, "a", {"by": name})).encode() + b"\n")
            async with asyncio.timeout(10):
                while len(run.events) < number:  # the last one stays open
                    await run.told.wait()
                    run.told.clear()
        assert not running.done()
        stdout.close()
        await running
    assert [event.request_id for event in run.requests] == ["r1", "r2", "r3"]


async def test_a_refusal_ends_an_import_whose_stream_stays_open(gateway: MemoryGateway):
    reading, writing = os.pipe()
    run = Run(gateway, batch_lines=1)
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", 0) as stdout:
        running = asyncio.create_task(run.source(open_source("-", stdin=stdin)))
        for pk in ("a", "b", "c"):
            stdout.write(documents.encode(thing(pk, "test.site", name="A")).encode() + b"\n")
        async with asyncio.timeout(10):
            await run.told.wait()
        stdout.close()
        assert (await running).stopped
    assert list(gateway.documents("test.site")) == ["a"]
    assert [fault.line for fault in run.faults] == [2]


async def test_a_store_that_fails_ends_the_import_after_what_was_committed(gateway):
    gateway.fail_at = 4
    run = Run(gateway, in_flight=8)
    with pytest.raises(OSError, match="the disk is gone"):
        await run.lines(*(change(f"r{n}", str(n), {}) for n in range(1, 1000)))
    assert [event.request_id for event in run.requests][:3] == ["r1", "r2", "r3"]
    assert {event.request_id for event in run.requests} == gateway.recorded
    assert len(gateway.recorded) < 50
    assert no_thread_reads()


async def test_a_report_that_fails_ends_the_import(gateway: MemoryGateway):
    async def report(event: object) -> None:
        raise ValueError("nobody listens")

    importer = Importer(gateway, resolve_type, gateway.find_by_natural_key, ImportOptions(user_name="bob"))
    text = "".join(documents.encode(change(f"r{n}", "a", {})) + "\n" for n in range(3000))
    with (
        open_source("-", stdin=io.BytesIO(text.encode())) as source,
        pytest.raises(ValueError, match="nobody listens"),
    ):
        await importer.run(source, report)
    assert no_thread_reads()


async def test_a_cancelled_import_leaves_no_thread_and_no_task(gateway: MemoryGateway):
    gateway.gate = asyncio.Event()
    run = Run(gateway)
    before = asyncio.all_tasks()
    running = asyncio.create_task(run.lines(*(change(f"r{n}", "a", {}) for n in range(20_000))))
    await gateway.crowded.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert asyncio.all_tasks() == before
    assert no_thread_reads()
    assert run.events == []


async def test_progress_is_told_in_bytes(gateway: MemoryGateway, tmp_path: Path):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(documents.encode(thing(str(n))) + "\n" for n in range(1000)))
    told: list[tuple[int, int | None]] = []
    await Run(gateway).source(open_source(path), lambda read, total: told.append((read, total)))
    size = path.stat().st_size
    assert len(told) >= 5
    assert told[-1] == (size, size)
    assert sorted(told) == told


async def test_what_reading_raises_is_raised_after_the_items_before_it():
    def items():
        yield from range(5)
        raise ZeroDivisionError

    async with ReadAhead(items(), 2, "reading") as ahead:
        found = [await ahead.next_batch(), await ahead.next_batch(), await ahead.next_batch()]
        with pytest.raises(ZeroDivisionError):
            await ahead.next_batch()
    assert found == [[0, 1], [2, 3], [4]]


async def test_reading_ahead_is_bounded():
    read = 0

    def items():
        nonlocal read
        while read < 1000:
            read += 1
            yield read

    async with ReadAhead(items(), 10, "reading") as ahead:
        assert await ahead.next_batch() == list(range(1, 11))
        for _ in range(50):
            await asyncio.sleep(0.002)
        assert read <= 50
    assert read <= 60


def no_thread_reads() -> bool:
    threads = [one for one in threading.enumerate() if one.name.startswith("import ")]
    for thread in threads:
        thread.join(5)
    return not any(thread.is_alive() for thread in threads)


# --- the shared stream ----------------------------------------------------------------------------


async def test_the_real_stream_arrives_at_its_own_states(shared_dir: Path):
    free = {name: ObjectType(name) for name in ("dcim.devicetype", "dcim.moduletype")}
    gateway = MemoryGateway(1, free.__getitem__)
    importer = Importer(gateway, free.__getitem__, gateway.find_by_natural_key, ImportOptions(user_name="bob"))
    requests: list[ImportedRequest] = []

    async def report(event: object) -> None:
        assert isinstance(event, ImportedRequest), event
        requests.append(event)

    path = shared_dir / "data" / "devicetype_changes.jsonl.xz"
    with open_source(path) as source:
        summary = await importer.run(source, report)
    assert (summary.lines, summary.requests) == (10_003, 1028)
    assert (summary.created, summary.updated, summary.deleted) == (3692, 4279, 939)
    assert (summary.unchanged, summary.faults) == (1093, 0)
    assert sum(1 for event in requests if event.changes) == 1016
    assert sum(event.changes for event in requests) == len(gateway.changes) == 8910
    assert len(gateway.state) == 2753
    assert requests[0].line_first == 1
    assert all(one.line_last + 1 == two.line_first for one, two in itertools.pairwise(requests))
