"""Import and export on the command line."""

import gzip
import json
from pathlib import Path


def change_line(request: str, action: str, pk: str, after: dict | None) -> str:
    line = {
        "request_id": request,
        "user_name": "carol",
        "time": "2024-05-01T10:00:00Z",
        "action": action,
        "object_type": "lab.rack",
        "object_id": pk,
        "after": after,
    }
    return json.dumps(line) + "\n"


STREAM = (
    change_line("q1", "create", "a", {"name": "a", "units": 1})
    + change_line("q1", "create", "b", {"name": "b", "units": 2})
    + change_line("q2", "update", "a", {"name": "a", "units": 1})
    + change_line("q3", "update", "a", {"name": "a", "units": 3})
    + change_line("q4", "delete", "b", None)
)


def test_a_stream_is_imported_request_by_request(lab, lab_folder: Path):
    (lab_folder / "stream.jsonl.gz").write_bytes(gzip.compress(STREAM.encode()))
    lines = [json.loads(line) for line in lab("objects", "import", "stream.jsonl.gz", "--json").out.splitlines()]
    summary = lines.pop()["summary"]
    assert [line["request_id"] for line in lines] == ["q1", "q2", "q3", "q4"]
    assert [line["changes"] for line in lines] == [2, 0, 1, 1]
    assert (lines[0]["line_first"], lines[0]["line_last"]) == (1, 2)
    assert (summary["created"], summary["updated"], summary["deleted"], summary["changes"]) == (2, 1, 1, 4)
    assert (summary["unchanged"], summary["requests"], summary["requests_unchanged"]) == (1, 4, 1)
    assert summary["jobs"] == {"success": 4}
    change = lab("changes", "list", "--request", "q3", "--json").json()[0]
    assert (change["user_name"], change["time"]) == ("carol", "2024-05-01T10:00:00.000000Z")
    again = lab("objects", "import", "stream.jsonl.gz")
    assert "changes\t0 (0 create, 0 update, 0 delete)\n" in again.out
    assert "requests\t0 recorded, 4 skipped: recorded already\n" in again.out
    assert len(lab("changes", "list", "--type", "lab.rack").rows()) == 5


def test_a_summary_is_told(lab):
    done = lab("objects", "import", "-", "--format", "jsonl", stdin=STREAM)
    assert done.out.startswith("Imported stdin: 4 changes from 5 lines\nchanges\t4 (2 create, 1 update, 1 delete)\n")
    assert (
        "\nunchanged\t1\nrequests\t4 recorded, 1 of them without a change\njobs\t4 run: 4 success\ntime\t" in done.out
    )


def objects(count: int, bad: int = 0) -> str:
    lines = [f'{{"object_type": "lab.free", "pk": "p{n}", "data": {{"n": {n}}}}}\n' for n in range(1, count + 1)]
    if bad:
        lines[bad - 1] = '{"object_type": "lab.free", "data": {"n": \n'
    return "".join(lines)


def test_a_malformed_line_5001_stops_the_import_and_what_was_imported_stays(lab, lab_folder: Path):
    (lab_folder / "many.jsonl").write_text(objects(6000, bad=5001))
    done = lab("objects", "import", "many.jsonl", code=1)
    assert done.err == "Error: many.jsonl, line 5001: not JSON at column 42: Expecting value\n"
    assert "changes\t5,000 (5,000 create" in done.out
    assert "faults\t1; stopped there, what was imported stays\n" in done.out
    left = lab("objects", "import", "many.jsonl", "--on-error", "skip", "--json", code=1)
    lines = [json.loads(line) for line in left.out.splitlines()]
    faults = [line for line in lines if "problem" in line]
    assert [(each["source"], each["line"]) for each in faults] == [("many.jsonl", 5001)]
    assert lines[-1]["summary"]["created"] == 999
    assert len(lab("objects", "list", "lab.free", "--all").rows()) == 5999


def test_lines_that_break_a_rule_are_told_with_their_number(lab):
    lines = (
        '{"object_type": "lab.rack", "data": {"name": "one", "units": "many"}}\n'
        '{"object_type": "lab.rack", "pk": "twice", "data": {"name": "first"}}\n'
        '{"object_type": "lab.nowhere", "data": {}}\n'
        '{"object_type": "lab.rack", "data": {"name": "good"}}\n'
    )
    done = lab("objects", "import", "-", "--on-error", "skip", stdin=lines, code=1)
    told = done.err.splitlines()
    assert told[0] == "Error: stdin, line 1: new lab.rack: units: expected `int`, got `str`"
    assert "Error: stdin, line 2: lab.rack 'twice' cannot have name = 'first'" in done.err
    assert "Error: stdin, line 3: Object type 'lab.nowhere' is not known." in done.err
    assert "faults\t3; left out\n" in done.out
    names = {each["document"]["name"] for each in lab("objects", "list", "lab.rack", "--json").json()}
    assert names == {"first", "good"}


def test_lines_without_a_pk_meet_their_object_by_natural_key(lab):
    lab("objects", "import", "-", "--type", "lab.rack", "--format", "csv", stdin="name,units\nfirst,7\nnew,8\n")
    found = {each["document"]["name"]: each for each in lab("objects", "list", "lab.rack", "--json").json()}
    assert found["first"]["pk"] == "r1"
    assert found["first"]["document"]["units"] == 7
    assert found["new"]["document"]["units"] == 8


def test_files_that_cannot_be_read_are_told(lab, lab_folder: Path):
    assert "nowhere.jsonl: cannot be read: No such file" in lab("objects", "import", "nowhere.jsonl", code=1).err
    (lab_folder / "a.txt").write_text("")
    assert "its name ends in no known format" in lab("objects", "import", "a.txt", code=1).err
    assert "is not known" in lab("objects", "import", "a.txt", "--format", "xml", code=1).err
    assert "'lab.no' is not known" in lab("objects", "import", "-", "--type", "lab.no", code=1).err


def test_what_is_exported_comes_back_the_same(lab, lab_folder: Path):
    lab("objects", "import", "-", stdin=objects(7))
    assert lab("objects", "export", "lab.free", "lab.rack", "-o", "all.yaml").out == "Exported 8 objects to all.yaml\n"
    lab("objects", "import", "all.yaml", "--db", "sqlite:///copy.db")
    for name in ("lab.free", "lab.rack"):
        both = [
            [(each["pk"], each["document"]) for each in lab("--db", db, "objects", "list", name, "--json").json()]
            for db in ("sqlite:///buttonhook.db", "sqlite:///copy.db")
        ]
        assert both[0] == both[1]
        assert both[0]


def test_a_part_is_exported_to_standard_output(lab):
    lab("objects", "import", "-", stdin=objects(7))
    done = lab("objects", "export", "lab.free", "--where", "n gt 5")
    assert done.out == (
        '{"object_type":"lab.free","pk":"p6","data":{"n":6}}\n{"object_type":"lab.free","pk":"p7","data":{"n":7}}\n'
    )
    assert done.err == ""
    table = lab("objects", "export", "lab.free", "--where", "n in 1", "--format", "csv").out
    assert table.splitlines() == ["object_type,pk,n", "lab.free,p1,1"]
    assert "cannot be written" in lab("objects", "export", "lab.free", "-o", "no/where.jsonl", code=1).err


def test_an_import_counts_failed_jobs_and_strict_makes_them_count(lab):
    bad = '{"object_type": "lab.rack", "pk": "x%s", "data": {"name": "bad %s"}}\n'
    done = lab("objects", "import", "-", stdin=bad % (1, 1))
    assert "jobs\t1 run: 1 failure\n" in done.out
    failed = "Failed: Note on lab.rack bad 1: ValueError: a bad name. See: buttonhook results logs 2\n"
    assert done.err == failed
    lab("objects", "import", "-", "--strict", stdin=bad % (2, 2), code=1)
