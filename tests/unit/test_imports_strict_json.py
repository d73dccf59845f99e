"""Reading JSON strictly: the fast way says exactly what the thorough way says."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from buttonhook import documents
from buttonhook.errors import InvalidDocument

TEXTS = [
    "1", "-0", "-0.0", "1e5", "1E400", "-1e400", "5e-324", "1" * 25, "-" + "9" * 400, "1" * 5000,
    "9007199254740993.0", "0.1e1", "01", "1.", ".5", "+1", "NaN", "-Infinity", "nul", "true", "",
    " ", "[1,]", "[,]", "{}", "[]", '{"a":1,}', '{"a":1 "b":2}', '"\x01"', '"\x00"', '"\x7f"',
    r'"\u0000"', r'"\\u0000"', r'"\ud800"', r'"\ud83d\ude00"', r'"\x"', r'"\/"', '"', r'"\"',
    '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"a":{"b":1,"b":1}}', '[{"b":1},{"b":1}]',
    '{":":":","\\"":":\\":"}', '{"\\\\":1,"\\\\":2}', '{"a\\\\":":","b":"[{"}', '{"":0,"":0}',
    "\ufeff1", "\ufeff", "1 2", " { } ", "\x0c1", "\xa01", '"é"', '"\ud800"', '{"é":1,"é":1}',
]  # fmt: skip


def nested(depth: int, opening: str = "[", closing: str = "]", inner: str = "") -> str:
    return opening * depth + inner + closing * depth


TEXTS += [nested(depth) for depth in (1, 32, 63, 64, 65, 66, 500, 5000, 100_000)]
TEXTS += [nested(depth, '{"a":', "}", "1") for depth in (63, 64, 65, 3000)]
TEXTS += [nested(depth, '["]",', ',"["]', "1") for depth in (63, 64, 65, 66)]
TEXTS += ["[" + ",".join(["[]", "{}"] * 40) + "]", nested(64, "[", "]", '"]"'), "[" * 65]


def outcome(read, *args):
    """The value with its types and the order of its keys, or the message."""
    try:
        return repr(read(*args))
    except InvalidDocument as exc:
        return f"refused: {exc}"


def both_ways_agree(data: bytes | str) -> None:
    thorough = outcome(documents._parse_any, data, "it")
    assert outcome(documents.parse, data, "it") == thorough


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: ascii(text[:30]))
def test_a_hostile_text_is_read_as_the_thorough_way_reads_it(text: str):
    both_ways_agree(text)
    both_ways_agree(text.encode(errors="surrogatepass"))


@pytest.mark.parametrize("data", [b"\xff", b'"\xed\xa0\x80"', b'"\xc0\x80"', b'{"\xe9":1}', b'"\xf4\x90\x80\x80"'])
def test_bytes_that_are_not_utf8_are_refused(data: bytes):
    both_ways_agree(data)
    with pytest.raises(InvalidDocument, match="UTF-8"):
        documents.parse(data, "it")


def test_sound_json_takes_the_fast_way():
    for text in ('{"a":[1,2.5,null,"x"]}', '{ "a" : [ 1 ] }', nested(64), '{"a":"\\u00e9\\n","b":"é"}'):
        assert documents._parse_sound(text) is not documents.ABSENT


@pytest.mark.parametrize("text", ['{"a":1,"a":2}', r'"\u0000"', nested(65), "NaN", "1e400"])
def test_what_the_fast_way_would_let_through_is_refused(text: str):
    assert documents._parse_sound(text) is documents.ABSENT
    with pytest.raises(InvalidDocument):
        documents.parse(text, "it")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", ":", '"', "\\", "é"]) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(values, st.booleans(), st.sampled_from([None, 0, 2]), st.sampled_from([(",", ":"), (", ", " : ")]))
def test_any_value_written_in_any_style_is_read_alike(value, is_ascii, indent, separators):
    both_ways_agree(json.dumps(value, ensure_ascii=is_ascii, indent=indent, separators=separators))


@given(values, st.data())
def test_any_damage_is_told_alike(value, data):
    text = bytearray(json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass"))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b"0", b"e", b"\xff", b'"a":1,'])
        )
    both_ways_agree(bytes(text))


@given(st.lists(st.sampled_from(['"a":1', '"b":2', '"\\u0061":1', '"c":{"a":1,"a":2}', '"d":":"']), max_size=5))
def test_keys_that_stand_twice_are_found_however_they_are_written(members):
    both_ways_agree("{" + ", ".join(members) + "}")
