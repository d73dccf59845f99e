"""Records are read from every format with their lines, and hostile input costs one clear fault."""

import gzip
import io
import json
import lzma
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook.errors import ImportFault, QueryError
from buttonhook.imports import cells, readers, yaml_values
from buttonhook.imports.forms import Form, form_of
from buttonhook.imports.readers import BadLine, Record, read_records
from buttonhook.imports.sources import open_source
from tests.unit.import_doubles import Box


def read(path: Path | str, data: bytes | str | None = None, **options) -> list[Record | BadLine]:
    if data is not None:
        Path(path).write_bytes(data.encode() if isinstance(data, str) else data)
    with open_source(path, **options) as source:
        return list(read_records(source))


def pairs(items: list[Record | BadLine]) -> list[tuple[int, object]]:
    """(line, value) of records and (line, problem) of faults."""
    return [
        (item.line, item.value) if isinstance(item, Record) else (item.fault.line, item.fault.problem) for item in items
    ]


def values(items: list[Record | BadLine]) -> list[object]:
    assert all(isinstance(item, Record) for item in items), items
    return [item.value for item in items if isinstance(item, Record)]


def only_fault(items: list[Record | BadLine]) -> ImportFault:
    (item,) = items
    assert isinstance(item, BadLine)
    return item.fault


# --- forms and opening ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", Form("jsonl")),
        ("a.b.NDJSON", Form("jsonl")),
        ("a.json.gz", Form("json", "gz")),
        ("a.yml", Form("yaml")),
        ("a.yaml.xz", Form("yaml", "xz")),
        ("dir.csv/a.csv.XZ", Form("csv", "xz")),
        ("-", Form("jsonl")),
    ],
)
def test_the_name_tells_the_form(name: str, form: Form):
    assert form_of(name) == form


@pytest.mark.parametrize("name", ["a", "a.txt", "a.gz", "a.xml.gz", ".csv/a", "jsonl", "a.jsonl.bz2"])
def test_a_name_that_tells_no_form_is_refused_with_the_known_ones(name: str):
    with pytest.raises(ImportFault, match=r"\.jsonl, \.json, \.yaml and \.csv.*--format"):
        form_of(name)


def test_a_given_format_wins_over_the_name_and_keeps_its_compression():
    assert form_of("dump.txt", "csv") == Form("csv")
    assert form_of("dump.json.gz", "jsonl") == Form("jsonl", "gz")
    assert form_of("-", "yaml.xz") == Form("yaml", "xz")
    with pytest.raises(ImportFault, match="format 'xls' is not known"):
        form_of("a.csv", "xls")


def test_a_file_that_is_missing_or_a_folder_is_told_with_its_path(tmp_path: Path):
    with pytest.raises(ImportFault, match=r"gone\.jsonl: cannot be read: No such file"):
        open_source(tmp_path / "gone.jsonl")
    (tmp_path / "dir.jsonl").mkdir()
    with pytest.raises(ImportFault, match="cannot be read: Is a directory"):
        open_source(tmp_path / "dir.jsonl")


def test_standard_input_is_read_and_stays_open():
    stdin = io.BytesIO(b'{"a":1}\n')
    assert pairs(read("-", stdin=stdin)) == [(1, {"a": 1})]
    assert not stdin.closed
    assert values(read("-", format="csv", stdin=io.BytesIO(b"a\nx\n"))) == [{"data": {"a": "x"}}]


def test_a_pipe_gives_its_lines_as_they_come(tmp_path: Path):
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as stdin, os.fdopen(writing, "wb", 0) as stdout:
        stdout.write(b'{"a":1}\n')
        with open_source("-", stdin=stdin) as source:
            records = read_records(source)
            assert next(records) == Record(1, {"a": 1}, 7)
            stdout.write(b'{"a":2}\n')
            assert next(records) == Record(2, {"a": 2}, 7)


def test_the_bytes_read_are_those_of_the_file(tmp_path: Path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n' * 5000))
    with open_source(path) as source:
        assert source.bytes_read == 0
        assert sum(1 for _ in read_records(source)) == 5000
        assert source.bytes_read == source.total == path.stat().st_size
    with open_source("-", stdin=io.BytesIO(b"{}\n{}\n")) as source:
        assert list(read_records(source))
        assert (source.bytes_read, source.total) == (6, None)


# --- JSON lines -----------------------------------------------------------------------------------


def test_json_lines_are_counted_from_one_and_blank_ones_passed_over(tmp_path: Path):
    data = b'\xef\xbb\xbf{"a":1}\r\n\r\n  \n{"a":"\xc3\xa9"}\n\n{"a":3}'
    items = read(tmp_path / "a.jsonl", data)
    assert pairs(items) == [(1, {"a": 1}), (4, {"a": "é"}), (6, {"a": 3})]


@pytest.mark.parametrize("suffix", ["jsonl", "json", "yaml", "csv"])
def test_an_empty_file_holds_no_records(tmp_path: Path, suffix: str):
    items = read(tmp_path / f"a.{suffix}", b"")
    if suffix == "json":  # which is a value, not nothing
        assert "not JSON" in only_fault(items).problem
    else:
        assert items == []


def test_a_file_of_a_byte_order_mark_and_blank_lines_holds_no_records(tmp_path: Path):
    for suffix in ("jsonl", "yaml", "csv"):
        assert read(tmp_path / f"a.{suffix}", b"\xef\xbb\xbf\r\n\n") == []


def test_malformed_line_5001_is_named_and_the_others_are_read(tmp_path: Path):
    lines = [f'{{"n":{number}}}' for number in range(1, 6001)]
    lines[5000] = '{"n":5001,'
    items = read(tmp_path / "a.jsonl", "\n".join(lines))
    faults = [item.fault for item in items if isinstance(item, BadLine)]
    assert [str(fault) for fault in faults] == [
        "a.jsonl, line 5001: not JSON at column 11: Expecting property name enclosed in double quotes"
    ]
    assert len(items) == 6000
    assert items[-1] == Record(6000, {"n": 6000}, 10)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b'{"a":{"b":1,"b":2}}', "key stands twice"),
        (b'{"a":NaN}', "is not a JSON number"),
        (b'{"a":"\xff"}', "byte 7 is not UTF-8"),
        (b'{"a":"\\ud800"}', "a: text holds a lone surrogate"),
        (b'{"a":"\\u0000"}', "a: text holds U+0000"),
        (b"[" * 70 + b"]" * 70, "nested deeper than 64"),
        (b"[" * 200_000, "nested deeper than 64"),
        ('{"a":1}'.encode("utf-16"), "byte 1 is not UTF-8"),
        (b'{"a":"' + b"x" * readers.MAX_LINE_BYTES + b'"}', "allowed in a line"),
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_a_hostile_line_costs_itself_alone(tmp_path: Path, line: bytes, problem: str):
    items = read(tmp_path / "a.jsonl", b'{"n":1}\n' + line + b'\n{"n":3}\n')
    assert isinstance(items[1], BadLine)
    assert items[1].fault.line == 2
    assert problem in items[1].fault.problem
    assert items[-1] == Record(items[-1].line, {"n": 3}, 7)
    assert not items[1].is_end


def test_a_line_without_end_is_never_held_whole(tmp_path: Path):
    path = tmp_path / "a.jsonl.xz"
    path.write_bytes(lzma.compress(b'{"n":1}\n"' + b"x" * 60_000_000 + b'\n{"n":3}\n', preset=0))
    tracemalloc.start()
    try:
        items = read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [line for line, _ in pairs(items)] == [1, 2, 3]
    assert "60,000,002 bytes" in items[1].fault.problem
    assert peak < 12_000_000


# --- compression ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("suffix", "compress"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_compressed_files_are_read_and_damage_is_told(tmp_path: Path, suffix: str, compress):
    whole = "".join(json.dumps({"n": os.urandom(40).hex()}) + "\n" for _ in range(5000)).encode()
    packed = compress(whole)
    path = tmp_path / f"a.jsonl.{suffix}"
    assert len(values(read(path, packed))) == 5000
    cut = read(path, packed[: len(packed) // 2])
    assert 1000 < len(cut) < 4000
    assert isinstance(cut[-1], BadLine)
    assert cut[-1].is_end
    assert cut[-1].fault.line == len(cut)
    assert f"Is it a whole .{suffix} file?" in cut[-1].fault.problem
    damaged = bytearray(packed)
    damaged[len(packed) // 2] ^= 0xFF
    last = read(path, bytes(damaged))[-1]
    assert isinstance(last, BadLine)
    assert last.is_end


@pytest.mark.parametrize("suffix", ["gz", "xz"])
def test_a_wrong_suffix_and_an_empty_compressed_file_are_told(tmp_path: Path, suffix: str):
    path = tmp_path / f"a.jsonl.{suffix}"
    assert f"Is it a whole .{suffix} file?" in only_fault(read(path, b'{"a":1}\n')).problem
    path.write_bytes(b"")
    with pytest.raises(ImportFault, match=f"is empty, which no .{suffix} file is"):
        open_source(path)


def test_a_compressed_file_under_a_plain_name_is_not_taken_for_text(tmp_path: Path):
    items = read(tmp_path / "a.jsonl", gzip.compress(b'{"a":1}\n'))
    assert all(isinstance(item, BadLine) for item in items)
    assert "is not UTF-8" in items[0].fault.problem


# --- JSON files -----------------------------------------------------------------------------------


def test_a_json_file_is_one_object_or_a_list_of_them(tmp_path: Path):
    path = tmp_path / "a.json"
    assert pairs(read(path, '\ufeff {"a":\n[1]}\n')) == [(1, {"a": [1]})]
    text = '[\n {"a":1},\n {"a":"],["} , {"a":3}\n ,\n4]\n'
    items = read(path, text)
    assert pairs(items) == [(2, {"a": 1}), (3, {"a": "],["}), (3, {"a": 3}), (5, 4)]
    assert [item.place for item in items] == [1, 2, 3, 4]
    assert read(path, " [ ]\n") == []


def test_a_bad_member_of_a_json_list_costs_itself_alone(tmp_path: Path):
    items = read(tmp_path / "a.json", '[{"a":1},\n{"b":1,"b":1},\n"\\ud800", NaN, {"a":4}]')
    assert [line for line, _ in pairs(items)] == [1, 2, 3, 3, 3]
    assert (items[0], items[-1]) == (Record(1, {"a": 1}, 7, 1), Record(3, {"a": 4}, 7, 5))
    problems = [str(problem) for _, problem in pairs(items)[1:4]]
    assert [problem[:10] for problem in problems] == ["record 2: ", "record 3: ", "record 4: "]
    assert "b: key stands twice in one object" in problems[0]
    assert "lone surrogate" in problems[1]
    assert "is not a JSON number" in problems[2]


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('[{"a":1},\n{"a":}]', 2, "record 2: not JSON at column 6"),
        ('[{"a":1}\n{"a":2}]', 2, "',' or ']' is missing"),
        ('[{"a":1},\n]', 2, "record 2: not JSON"),
        ('[{"a":1},', 1, "record 2: not JSON"),
        ('[{"a":1}', 1, "',' or ']' is missing"),
        ('[{"a":1}]\n[]', 2, "text follows the list's end"),
        ('[{"a":1}, ' + "[" * 100_000, 1, "record 2: nested deeper"),
        ('[{"a":1}, ' + "1" * 5000 + "x", 1, "',' or ']' is missing"),
    ],
)
def test_a_broken_json_list_is_read_up_to_the_break(tmp_path: Path, text, line, problem):
    items = read(tmp_path / "a.json", text)
    assert items[0] == Record(1, {"a": 1}, 7, 1)
    last = items[-1]
    assert isinstance(last, BadLine)
    assert last.is_end
    assert last.fault.line == line
    assert problem in last.fault.problem


def test_json_lines_in_a_json_file_are_told_apart(tmp_path: Path):
    assert "is it .jsonl?" in only_fault(read(tmp_path / "a.json", "{}\n{}\n")).problem


def test_files_that_are_read_whole_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(readers, "MAX_WHOLE_BYTES", 1000)
    for suffix in ("json", "yaml"):
        fault = only_fault(read(tmp_path / f"a.{suffix}", "[" + "1," * 1000 + "1]"))
        assert "Write it as .jsonl" in fault.problem
        assert "byte 2 is not UTF-8" in only_fault(read(tmp_path / f"a.{suffix}", b"[\xff]")).problem


# --- YAML -----------------------------------------------------------------------------------------

YAML_TEXTS = [
    "no", "yes", "on", "off", "y", "N", "True", "FALSE", "Null", "~", "12:30:45", "00:11:22:33:44:55",
    "1:20", "0123", "0o17", "0x1F", "0b11", "1_000", "+1", ".5", "1.", "1e3", "12e03", ".inf", ".nan",
    "2023-01-31", "2023-01-31T10:00:00Z", "1.2.3", "-", "=", "é", "1 2", "- x", "--1", "01.5", "-01",
    "1.5e999", "٣", "9" * 5000,
]  # fmt: skip
YAML_VALUES = [
    ("true", True), ("false", False), ("null", None), ("", None), ("0", 0), ("-0", 0), ("12", 12),
    ("-7", -7), ("1.5", 1.5), ("-0.25", -0.25), ("1.0e+3", 1000.0), ("1.5e3", 1500.0),
    ("18446744073709551616", 18446744073709551616), ("'12'", "12"), ('"true"', "true"), ("''", ""),
    ("|\n  a\n  b", "a\nb\n"),
]  # fmt: skip


@pytest.mark.parametrize("text", [text for text in YAML_TEXTS if text not in ("-", "- x")])
def test_yaml_keeps_as_text_what_json_has_no_word_for(tmp_path: Path, text: str):
    path = tmp_path / "a.yaml"
    assert values(read(path, f"a: {text}\n")) == [{"a": text}]
    assert values(read(path, f"- {text}\n")) == [text]


@pytest.mark.parametrize(("text", "value"), YAML_VALUES)
def test_yaml_has_json_values(tmp_path: Path, text: str, value: object):
    (found,) = values(read(tmp_path / "a.yaml", f"a: {text}\n"))
    assert found == {"a": value}
    assert type(found["a"]) is type(value)


def test_yaml_keys_are_text(tmp_path: Path):
    found = values(read(tmp_path / "a.yaml", "no: 1\n1: 2\n1.5: 3\n2001-01-01: 4\n'': 5\nnull: 6\n"))
    assert found == [{"no": 1, "1": 2, "1.5": 3, "2001-01-01": 4, "": 5, "null": 6}]


def test_yaml_documents_and_list_members_are_records_with_their_lines(tmp_path: Path):
    text = "---\na: 1\n---\n# nothing\n---\n- a: 2\n-\n  a: [x, {y: z}]\n...\n---\na: 4\n"
    items = read(tmp_path / "a.yaml", text)
    assert pairs(items) == [(2, {"a": 1}), (6, {"a": 2}), (8, {"a": ["x", {"y": "z"}]}), (11, {"a": 4})]
    assert [item.place for item in items] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{a: 1, b: 2, a: 3}", "key 'a' stands twice in one object (line 2)"),
        ("{1: x, '1': y}", "key '1' stands twice"),
        ("!!python/object/apply:os.system [ls]", "tag 'tag:yaml.org,2002:python/object/apply:os.system'"),
        ("!!str 5", "only JSON's types are read"),
        ("! 5", "only JSON's types are read"),
        ("{!!str a: 1}", "only JSON's types are read"),
        ("{a: &x 1, <<: *x}", "merge keys"),
        ("{[a]: 1}", "a key is not text"),
        ("{{a: b}: 1}", "a key is not text"),
        ("*gone", "alias 'gone' names nothing"),
        ("&x [*x]", "alias 'x' names nothing"),
        ("[" * 70 + "]" * 70, "nested deeper than 64"),
        ("[" * 500 + "]" * 500, "nested deeper than 64"),
        ('"\\0"', "U+0000"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_a_bad_yaml_record_costs_itself_alone(tmp_path: Path, text: str, problem: str):
    items = read(tmp_path / "a.yaml", f"- good\n- {text}\n- after\n")
    assert [item.value for item in items if isinstance(item, Record)] == ["good", "after"]
    assert isinstance(items[1], BadLine)
    assert items[1].fault.line == 2
    assert problem in items[1].fault.problem
    assert items[1].fault.problem.startswith("record 2: ")


def test_aliases_are_followed_within_bounds(tmp_path: Path):
    text = "- &base {a: [1, 2]}\n- {x: *base, y: *base}\n"
    assert values(read(tmp_path / "a.yaml", text))[1] == {"x": {"a": [1, 2]}, "y": {"a": [1, 2]}}


def test_an_alias_bomb_is_refused_at_once(tmp_path: Path):
    levels = [f"- &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 30)]
    items = read(tmp_path / "a.yaml", "- &l0 [lol]\n" + "\n".join(levels) + "\n- after\n")
    problems = [item.fault.problem for item in items if isinstance(item, BadLine)]
    assert f"aliases stand for more than {yaml_values.MAX_ALIAS_NODES:,} values" in problems[0]
    assert items[-1] == Record(31, "after", 0, 31)


@pytest.mark.parametrize("bad", ["- [b", "- b: c: d", "- '", "\t- b", "- \x01", '- "\\ud800"', "- %"])
def test_broken_yaml_is_read_up_to_the_break(tmp_path: Path, bad: str):
    items = read(tmp_path / "a.yaml", f"- a\n{bad}\n- c\n")
    last = items[-1]
    assert isinstance(last, BadLine)
    assert last.is_end
    assert "not YAML" in last.fault.problem
    assert last.fault.line in ((0,) if bad == "- \x01" else (1, 2, 3, 4))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    | st.sampled_from([*YAML_TEXTS, *(text for text, _ in YAML_VALUES), "<<", "---", "a: b", "x\n", " "]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*YAML_TEXTS[:20], "<<", "? x", ""]) | st.text("ab:# '\n", max_size=6), inner, max_size=4
        )
    ),
    max_leaves=15,
)


@given(st.lists(json_values.filter(lambda value: not isinstance(value, list) and value is not None), max_size=3))
def test_yaml_that_we_write_is_read_back_as_it_was(documents):
    text = "".join(map(yaml_values.write_document, documents))
    found = list(yaml_values.read_records(text))
    assert [record.problem for record in found] == [None] * len(documents)
    assert repr([record.value for record in found]) == repr(documents)


# --- CSV ------------------------------------------------------------------------------------------


def test_csv_headers_nest_and_empty_cells_are_unset(tmp_path: Path):
    data = (
        b"\xef\xbb\xbfobject_type,pk,name,site.name,site.region.code,a\\.b,\\pk\r\n"
        b'test.box,1,"a ""quoted""\nname",AMS,,x,own\r\n'
        b",,,,,,\r\n"
        b"\r\n"
        b",,b,,nl,,\r\n"
    )
    assert pairs(read(tmp_path / "a.csv", data)) == [
        (
            2,
            {
                "object_type": "test.box",
                "pk": "1",
                "data": {"name": 'a "quoted"\nname', "site": {"name": "AMS"}, "a.b": "x", "pk": "own"},
            },
        ),
        (6, {"data": {"name": "b", "site": {"region": {"code": "nl"}}}}),
    ]


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("name,x,name", "'name' heads two columns"),
        ("pk,pk", "'pk' heads two columns"),
        ("name,", "an empty path"),
        ("a..b", "an empty step"),
        ("site,site.name", "is inside the column 'site'"),
        ("a.b.c,a", "is inside the column 'a'"),
        ('"a', "not CSV"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_a_bad_csv_header_ends_the_reading(tmp_path: Path, header: str, problem: str):
    data = f"{header}\n1,2,3\n".encode(errors="surrogateescape")
    items = read(tmp_path / "a.csv", data)
    assert isinstance(items[0], BadLine)
    assert items[0].is_end
    assert items[0].fault.line == 1
    assert problem in items[0].fault.problem


def test_bad_csv_rows_cost_themselves_alone(tmp_path: Path):
    rows = [b"a,b", b"1,2", b"1,2,3", b"1", b"\xff,2", b'"x"y,2', b"1,\x00", b"z" * 140_000 + b",2", b"3,4"]
    items = pairs(read(tmp_path / "a.csv", b"\n".join(rows)))
    assert items[0] == (2, {"data": {"a": "1", "b": "2"}})
    assert items[1] == (3, "3 cells where the header has 2")
    assert items[2] == (4, "1 cells where the header has 2")
    assert items[3] == (5, "byte 1 is not UTF-8")
    assert [line for line, _ in items[4:]] == [6, 7, 8, 9]
    assert "not CSV" in str(items[4][1])
    assert "U+0000" in str(items[5][1])
    assert "field limit" in str(items[6][1])
    assert items[7] == (9, {"data": {"a": "3", "b": "4"}})


def test_an_unclosed_quote_is_told(tmp_path: Path):
    items = read(tmp_path / "a.csv", 'a,b\n1,2\n"3,4\n5,6\n')
    assert pairs(items)[-1] == (3, "not CSV: unexpected end of data")


@given(st.text())
def test_guarded_text_comes_back(text):
    assert cells.unguard(cells.guard(text)) == text
    assert not cells.guard(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_cells_become_what_the_struct_says():
    data = {
        "name": "12",
        "height": "2",
        "weight": "1.5",
        "is_full": "true",
        "ports": '[{"name":"p1","speed":10}]',
        "site": {"name": "AMS", "zip": "0123"},
        "limits": {"a": "5"},
        "unknown": "7",
    }
    assert cells.convert(data, Box, "box") == {
        "name": "12",
        "height": 2,
        "weight": 1.5,
        "is_full": True,
        "ports": [{"name": "p1", "speed": 10}],
        "site": {"name": "AMS", "zip": "0123"},
        "limits": {"a": 5},
        "unknown": "7",
    }


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"height": "tall"}, "height: "),
        ({"is_full": "maybe"}, "is_full: "),
        ({"ports": "p1"}, "ports: "),
        ({"ports": '[{"name":1}]'}, "ports: "),
        ({"ports": '[{"name":}]'}, "ports: not JSON"),
        ({"site": {"name": "A", "region": "x"}, "weight": "x"}, "weight: "),
    ],
)
def test_a_cell_that_does_not_fit_is_told_by_its_path(data, path):
    with pytest.raises(Exception, match=f"box is not valid: {path}"):
        cells.convert(data, Box, "box")


def test_a_header_cannot_name_an_empty_key():
    with pytest.raises(QueryError, match="empty key"):
        cells.header_text(("a", ""))
