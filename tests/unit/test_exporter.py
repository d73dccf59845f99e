"""What is exported comes back as it was, and an interrupted export leaves no half file."""

import asyncio
import csv
import gzip
import io
import lzma
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook.errors import ImportFault, QueryError
from buttonhook.imports import cells
from buttonhook.imports.entries import Entry, read_entries
from buttonhook.imports.exporter import ExportedObject, export_objects
from buttonhook.imports.sources import open_source
from tests.unit.import_doubles import resolve_type

HOSTILE: list[ExportedObject] = [
    ("test.free", "a", {}),
    ("test.free", "b", {"mac": "00:11:22:33:44:55", "answer": "no", "time": "12:30:45", "null": None}),
    ("test.free", "c", {"n": 1.0, "i": 2**70, "t": "1.0", "deep": {"x": [{"y": "é\n\u2028"}, []]}}),
    ("test.free", "d", {"pk": "own", "object_type": "own", "a.b": {"": 1, "\\": "=1+1"}, "e": ""}),
    ("test.free", "=pk", {"u": "\ud7ff\U0001f600\x85\x7f\x01", "<<": "x", "k: v": [" ", "- a", "#"]}),
]


async def stream(objects: list[ExportedObject]) -> AsyncIterator[ExportedObject]:
    for item in objects:
        await asyncio.sleep(0)
        yield item


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def read_back(path: Path) -> list[ExportedObject]:
    with open_source(path) as source:
        entries = list(read_entries(source, resolve_type, None))
    assert all(isinstance(entry, Entry) for entry in entries), entries
    return [(entry.type.name, entry.pk, entry.document) for entry in entries]


FORMATS = [f"{name}{packed}" for name in ("jsonl", "json", "yaml") for packed in ("", ".gz", ".xz")]


@pytest.mark.parametrize("suffix", FORMATS)
async def test_an_export_comes_back_as_it_was(tmp_path: Path, suffix: str):
    path = tmp_path / f"all.{suffix}"
    assert await export_objects(stream(HOSTILE), path) == len(HOSTILE)
    assert repr(read_back(path)) == repr(HOSTILE)
    assert names_in(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [*FORMATS, "csv", "csv.gz"])
async def test_an_export_of_nothing_comes_back_as_nothing(tmp_path: Path, suffix: str):
    path = tmp_path / f"all.{suffix}"
    assert await export_objects(stream([]), path) == 0
    assert read_back(path) == []


async def test_a_file_larger_than_a_batch_comes_back_whole_and_progress_is_told(tmp_path: Path):
    objects = [("test.free", str(number), {"n": number}) for number in range(1001)]
    told: list[int] = []
    for suffix in ("jsonl", "json", "yaml"):
        path = tmp_path / f"all.{suffix}"
        await export_objects(stream(objects), path, progress=told.append)
        assert read_back(path) == objects
    assert told[:6] == [200, 400, 600, 800, 1000, 1001]


async def test_the_same_objects_make_the_same_compressed_file(tmp_path: Path):
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        await export_objects(stream(HOSTILE), tmp_path / name)
    assert (tmp_path / "a.jsonl.gz").read_bytes() == (tmp_path / "b.jsonl.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()).count(b"\n") == len(HOSTILE)


# --- tables ---------------------------------------------------------------------------------------


async def rows(tmp_path: Path, *documents: dict[str, Any]) -> list[list[str]]:
    path = tmp_path / "all.csv"
    objects = [("test.free", str(number), one) for number, one in enumerate(documents)]
    await export_objects(stream(objects), path)
    return [row[2:] for row in csv.reader(io.StringIO(path.read_text(), newline=""))]


async def test_a_table_has_a_column_a_field(tmp_path: Path):
    found = await rows(
        tmp_path,
        {"name": "a", "site": {"name": "AMS", "code": None}, "tags": ["x", 1]},
        {"n": 1.5, "site": None, "ok": True, "none": {}, "a.b": 1},
    )
    assert found == [
        ["name", "site.name", "site.code", "tags", "n", "ok", "none", r"a\.b"],
        ["a", "AMS", "", '["x",1]', "", "", "", ""],
        ["", "", "", "", "1.5", "true", "{}", "1"],
    ]


async def test_a_field_that_is_a_value_here_and_an_object_there_has_one_column(tmp_path: Path):
    found = await rows(tmp_path, {"x": {"y": {"z": 1}}}, {"x": {"y": 2}}, {"x": {"w": 3}})
    assert found == [["x.y", "x.w"], ['{"z":1}', ""], ["2", ""], ["", "3"]]


async def test_no_cell_is_a_formula(tmp_path: Path):
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "'=x", "'x", "x=1"]
    found = await rows(tmp_path, {str(number): text for number, text in enumerate(texts)}, {"0": -5})
    assert found[1] == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "''=x", "'x", "x=1"]
    assert found[2][0] == "-5"
    assert read_back(tmp_path / "all.csv")[0][2] == {str(n): text for n, text in enumerate(texts)}


async def test_no_header_is_a_formula(tmp_path: Path):
    assert (await rows(tmp_path, {"=1+1": "x", "a": {"=b": "y"}}))[0] == ["'=1+1", "a.=b"]
    assert read_back(tmp_path / "all.csv")[0][2] == {"=1+1": "x", "a": {"=b": "y"}}


async def test_a_table_of_structs_comes_back_but_for_what_a_cell_cannot_tell(tmp_path: Path):
    box = {
        "name": "007",
        "height": 2,
        "weight": 0.5,
        "is_full": False,
        "ports": [{"name": "p1", "speed": 10}],
        "site": {"name": "AMS", "region": "=x"},
        "limits": {"a": 5},
    }
    path = tmp_path / "all.csv.xz"
    await export_objects(stream([("test.box", "-1", box), ("test.box", "b", {"name": "b", "weight": None})]), path)
    assert read_back(path) == [("test.box", "-1", box), ("test.box", "b", {"name": "b"})]
    assert lzma.decompress(path.read_bytes()).startswith(b"object_type,pk,name,")


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@given(st.dictionaries(st.lists(texts, min_size=1, max_size=1).map(tuple), texts, min_size=1, max_size=4))
def test_any_keys_and_texts_come_back_from_a_table(values):
    written = io.StringIO(newline="")
    writer = csv.writer(written)
    writer.writerow([cells.header_text(path) for path in values])
    writer.writerow([cells.cell_of(text) for text in values.values()])
    header, row = csv.reader(io.StringIO(written.getvalue(), newline=""), strict=True)
    assert cells.nest(cells.read_header(header), row) == {"data": {key: text for (key,), text in values.items()}}


async def test_blanks_around_a_header_are_not_part_of_the_key(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("object_type, pk ,a , b.c,d\\ , \\ e\n" + "test.free,1,2,3,4,5\n")
    assert read_back(path) == [("test.free", "1", {"a": "2", "b": {"c": "3"}, "d ": "4", " e": "5"})]


async def test_a_key_that_no_header_can_say_is_told(tmp_path: Path):
    with pytest.raises(QueryError, match=r"Write these objects as \.jsonl"):
        await rows(tmp_path, {"": 1})
    assert names_in(tmp_path) == []


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "json.gz", "csv.xz"])
async def test_an_interrupted_export_leaves_what_was_there(tmp_path: Path, suffix: str):
    path = tmp_path / f"all.{suffix}"
    path.write_text("old")

    async def broken() -> AsyncIterator[ExportedObject]:
        for number in range(500):
            yield "test.free", str(number), {}
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await export_objects(broken(), path)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == [path.name]


async def test_a_cancelled_export_leaves_nothing(tmp_path: Path):
    reached = asyncio.Event()

    async def endless() -> AsyncIterator[ExportedObject]:
        for number in range(500):
            yield "test.free", str(number), {}
        reached.set()
        await asyncio.Event().wait()

    exporting = asyncio.create_task(export_objects(endless(), tmp_path / "all.jsonl"))
    await reached.wait()
    exporting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await exporting
    assert names_in(tmp_path) == []


async def test_a_replaced_file_keeps_its_permissions_and_its_links(tmp_path: Path):
    target, link = tmp_path / "target.jsonl", tmp_path / "link.jsonl"
    target.write_text("old")
    target.chmod(0o640)
    link.symlink_to(target)
    await export_objects(stream(HOSTILE), link)
    assert link.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert read_back(target) == HOSTILE


async def test_a_device_is_written_to_and_never_replaced(tmp_path: Path):
    link = tmp_path / "null.jsonl"
    link.symlink_to("/dev/null")
    await export_objects(stream(HOSTILE), link)
    assert Path("/dev/null").is_char_device()
    assert names_in(tmp_path) == ["null.jsonl"]


async def test_standard_output_is_written_and_stays_open():
    out = io.BytesIO()
    await export_objects(stream([("test.free", "a", {"x": 1})]), "-", stdout=out)
    assert out.getvalue() == b'{"object_type":"test.free","pk":"a","data":{"x":1}}\n'
    out = io.BytesIO()
    await export_objects(stream([("test.free", "a", {"x": 1})]), "-", "csv.gz", stdout=out)
    assert gzip.decompress(out.getvalue()) == b"object_type,pk,x\r\ntest.free,a,1\r\n"


async def test_a_place_that_cannot_be_written_is_told(tmp_path: Path):
    with pytest.raises(ImportFault, match=r"all\.jsonl: cannot be written: No such file"):
        await export_objects(stream(HOSTILE), tmp_path / "gone" / "all.jsonl")
    with pytest.raises(ImportFault, match="ends in no known format"):
        await export_objects(stream(HOSTILE), tmp_path / "all.txt")
