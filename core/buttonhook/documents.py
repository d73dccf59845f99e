"""JSON documents: reading them strictly, comparing them, patching them, walking their paths.

A document is I-JSON (RFC 7493): UTF-8, no NaN or infinity, no key twice, no U+0000 and no lone surrogate, nested
at most `MAX_DEPTH` deep and at most `MAX_BYTES` long. What is refused is refused with the path of the fault. Two
values are the same when they are the same JSON value: true is not 1, 1 is 1.0, the order of keys does not
matter, the order of list members does.
"""

import json
import math
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

import msgspec

from buttonhook.errors import Fault, InvalidDocument, QueryError

MAX_DEPTH: Final = 64
MAX_BYTES: Final = 1_000_000
MAX_FAULTS: Final = 20
ABSENT: Final = msgspec.UNSET
"""Stands for a key that is not there, where null would be a value."""

MAX_COMPARED: Final = 250_000
"""Pairs of changed list members that are compared with each other; in longer lists they pair by their places alone."""

_NAMES: Final = frozenset({"id", "pk", "name", "key", "slug"})
_NAMED: Final = 1000

_Node = tuple[Any, tuple[str, ...]]

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()
_ONE_BRACKET: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def encode(value: Any) -> str:
    """Encode a checked value as compact JSON text."""
    return _encoder.encode(value).decode()


def decode(text: str) -> Any:
    """Decode JSON text that this module encoded or checked before."""
    return _decoder.decode(text)


def parse(data: bytes | str, subject: str, max_bytes: int = MAX_BYTES) -> Any:
    """Read one JSON value that came from outside.

    Raises:
        InvalidDocument: it is not I-JSON; `subject` opens the message.
    """
    size = len(data) if isinstance(data, bytes) or data.isascii() else len(data.encode("utf-8", "surrogatepass"))
    if size > max_bytes:
        raise InvalidDocument(subject, [Fault("", f"{size:,} bytes are more than the {max_bytes:,} allowed")])
    value = _parse_sound(data)
    return _parse_any(data, subject) if value is ABSENT else value


def _parse_sound(data: bytes | str) -> Any:
    """Read what is certainly I-JSON, several times faster than `_parse_any`; ABSENT for all else.

    The fast decoder lets through three things that I-JSON does not: keys that stand twice, U+0000, deep nesting.
    A key that stood twice is missing from the value, so its text written anew has fewer members.
    """
    try:
        encoded = data.encode() if isinstance(data, str) else data
        if b"\\u0000" in encoded or not (encoded.isascii() or encoded.decode()):
            return ABSENT
        value = _decoder.decode(encoded)
        anew = _encoder.encode(value)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError):
        return ABSENT
    structure = b""
    if anew != encoded:
        structure = _outside_text(encoded)
        if structure.count(b":") != _outside_text(anew).count(b":"):
            return ABSENT
    if encoded.count(b"[") + encoded.count(b"{") > MAX_DEPTH:
        brackets = (structure or _outside_text(encoded)).translate(_ONE_BRACKET, _NO_BRACKETS)
        for _ in range(MAX_DEPTH):  # each round takes the innermost level away
            if not (brackets := brackets.replace(b"[]", b"")):
                return value
        return ABSENT
    return value


def _outside_text(encoded: bytes) -> bytes:
    """What stands outside the strings of JSON that is well-formed."""
    if b"\\" in encoded:
        encoded = encoded.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(encoded.split(b'"')[::2])


def _parse_any(data: bytes | str, subject: str) -> Any:
    """Read JSON text, telling whatever is wrong with it."""
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidDocument(subject, [Fault("", f"byte {exc.start + 1} is not UTF-8")]) from exc
    if text.startswith("\ufeff"):
        text = text[1:]
    try:
        value = json.loads(text, object_pairs_hook=_pairs, parse_constant=_refuse_constant, parse_int=_parse_int)
    except json.JSONDecodeError as exc:
        where = f"line {exc.lineno}, column {exc.colno}"
        raise InvalidDocument(subject, [Fault("", f"not JSON at {where}: {exc.msg}")]) from exc
    except RecursionError as exc:
        raise InvalidDocument(subject, [Fault("", f"nested deeper than {MAX_DEPTH}")]) from exc
    check(value, subject)
    return value


def check(value: Any, subject: str) -> None:  # noqa: C901 - one branch a kind of value, on the hot path
    """Refuse what I-JSON cannot hold, wherever in `value` it stands.

    Raises:
        InvalidDocument: with the path of each fault, `MAX_FAULTS` at most.
    """
    if type(value) is dict and _is_plain(value):
        return
    faults: list[Fault] = []
    pending: list[_Node] = [(value, ())]
    while pending and len(faults) < MAX_FAULTS:
        node, path = pending.pop()
        kind = type(node)
        if kind is str:
            if not node.isascii() or "\0" in node:
                _check_text(node, path, faults)
        elif kind is int or kind is bool or node is None:
            continue
        elif (kind is dict or kind is list) and len(path) >= MAX_DEPTH:
            faults.append(Fault(f"{join_path(path[:4])}...", f"nested deeper than {MAX_DEPTH}"))
        elif kind is dict:
            _check_keys(node, path, faults)
            pending.extend((member, (*path, key)) for key, member in node.items())
        elif kind is list:
            pending.extend((member, (*path, str(index))) for index, member in enumerate(node))
        elif kind is _Flawed:
            faults.append(Fault(join_path((*path, *node.steps)), node.message))
        elif kind is not float:
            faults.append(Fault(join_path(path), f"{kind.__name__} is not a JSON value"))
        elif not math.isfinite(node):
            faults.append(Fault(join_path(path), f"{node} is not a JSON number"))
    if faults:
        raise InvalidDocument(subject, faults)


def same(left: Any, right: Any) -> bool:
    """Whether both are the same JSON value."""
    kind = type(left)
    if kind is not type(right):
        return {kind, type(right)} == {int, float} and bool(left == right)
    if kind is not dict and kind is not list:
        return bool(left == right)
    if left is right:
        return True
    if left != right:  # Python takes true for 1, so what it holds for equal may differ, but not the other way round
        return False
    return _have_same_text(left, right) or _same_members(left, right)


def _have_same_text(left: Any, right: Any) -> bool:
    try:
        return _encoder.encode(left) == _encoder.encode(right)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError, RecursionError):  # no JSON values
        return False


def _same_members(left: Any, right: Any) -> bool:
    if type(left) is dict:
        return all(same(member, right[key]) for key, member in left.items())
    return all(map(same, left, right))


def overlay(stored: Any, base: Any, new: Any) -> Any:
    """Bring into `stored` what differs between `base` and `new`, two views of it; all else keeps its value.

    `base` is what a struct showed of `stored` when it was loaded, `new` what it shows now. Keys that the view
    does not know stay, at every depth; in lists, members the view left alone keep what is stored for them.
    """
    if same(base, new):
        return stored
    if isinstance(new, dict) and isinstance(base, dict) and isinstance(stored, dict):
        result = {key: value for key, value in stored.items() if key in new or key not in base}
        for key, value in new.items():
            if key in stored:
                result[key] = overlay(stored[key], base[key], value) if key in base else value
            elif key not in base or not same(base[key], value):  # a default that was only shown is not stored
                result[key] = value
        return result
    if isinstance(new, list) and isinstance(base, list) and isinstance(stored, list) and len(stored) == len(base):
        return _overlay_list(stored, base, new)
    return new


def _overlay_list(stored: list[Any], base: list[Any], new: list[Any]) -> list[Any]:
    """Members keep what the view does not know of them, wherever they moved and whatever was changed in them."""
    pairs = paired(base, new)
    return [
        overlay(stored[pairs[place]], base[pairs[place]], member) if place in pairs else member
        for place, member in enumerate(new)
    ]


def paired(base: list[Any], new: list[Any], most: int = MAX_COMPARED) -> dict[int, int]:
    """Which member of `base` each of `new` was, by place: equal ones, then those most alike, then runs in order.

    Those most alike are looked for among `most` pairs, and not at all where there are more.
    """
    before = [_canonical(member) for member in base]
    after = [_canonical(member) for member in new]
    opcodes = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    pairs: dict[int, int] = {}
    for word, b0, b1, n0, n1 in opcodes:
        if word == "equal":
            pairs.update(zip(range(n0, n1), range(b0, b1), strict=True))
    left = set(range(len(base))).difference(pairs.values())
    places: dict[bytes, list[int]] = {}
    for place in sorted(left, reverse=True):
        places.setdefault(before[place], []).append(place)
    for place in range(len(new)):
        if place not in pairs and places.get(after[place]):
            pairs[place] = places[after[place]].pop()
            left.remove(pairs[place])
    _pair_alike(base, new, left, pairs, most)
    for word, b0, b1, n0, n1 in opcodes:
        if word == "replace":
            olds = [place for place in range(b0, b1) if place in left]
            news = [place for place in range(n0, n1) if place not in pairs]
            if len(olds) <= len(news):  # of fewer members than before nobody can tell which ones went
                pairs.update(zip(news, olds, strict=False))
    return pairs


def _pair_alike(base: list[Any], new: list[Any], left: set[int], pairs: dict[int, int], most: int) -> None:
    """Pair the members that were changed with those that have most in common with them; `left` are places in `base`."""
    news = [place for place in range(len(new)) if place not in pairs]
    if len(left) * len(news) > most:
        return
    alike = sorted(
        (-likeness, abs(old - place), old, place)
        for old in left
        for place in news
        if (likeness := _likeness(base[old], new[place]))
    )
    for _, _, old, place in alike:
        if old in left and place not in pairs:
            pairs[place] = old
            left.remove(old)


def _likeness(old: Any, new: Any) -> int:
    """How many fields two members have in common; one that names them counts more than all others."""
    if not isinstance(old, dict) or not isinstance(new, dict):
        return 0
    return sum(_NAMED if key in _NAMES else 1 for key, value in old.items() if key in new and same(value, new[key]))


def copied(value: Any, depth: int = MAX_DEPTH) -> Any:
    """The same value in dicts and lists of its own; what lies deeper than a document may is left as it is."""
    if depth < 0:
        return value
    if type(value) is dict:
        return {key: copied(member, depth - 1) for key, member in value.items()}
    if type(value) is list:
        return [copied(member, depth - 1) for member in value]
    return value


def fill_missing(document: dict[str, Any], shown: Mapping[str, Any]) -> dict[str, Any]:
    """Add the keys that a struct shows (its defaults) and the document lacks; nothing that is there changes."""
    missing = {key: value for key, value in shown.items() if key not in document}
    return {**document, **missing} if missing else document


def split_path(path: str) -> tuple[str, ...]:
    r"""Split a dotted path; `\.` stands for a dot in a key, numbers for places in a list."""
    if not path:
        raise QueryError(path, "is an empty path", "Name a field, as in 'name' or 'location.name'.")
    parts: list[str] = []
    current: list[str] = []
    characters = iter(path)
    for character in characters:
        if character == "\\":
            current.append(next(characters, "\\"))
        elif character == ".":
            parts.append("".join(current))
            current = []
        else:
            current.append(character)
    parts.append("".join(current))
    if not all(parts):
        raise QueryError(path, "has an empty step", r"Write '\.' for a dot inside a key.")
    return tuple(parts)


def join_path(parts: Sequence[str]) -> str:
    r"""The dotted form of a path, dots within a key as `\.`."""
    return ".".join(str(part).replace("\\", "\\\\").replace(".", "\\.") for part in parts)


def read_path(value: Any, parts: Sequence[str]) -> Any:
    """What stands at a path, or ABSENT."""
    for part in parts:
        if isinstance(value, dict):
            value = value.get(part, ABSENT)
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def clean(text: str) -> str:
    """Text that every store can hold: U+0000 and lone surrogates become U+FFFD."""
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    return text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _canonical(value: Any) -> bytes:
    return msgspec.json.encode(value, order="sorted")


def _is_plain(document: dict[Any, Any]) -> bool:
    """Whether a document holds but texts of ASCII, small numbers and words: most do, and nothing can be wrong there."""
    for key, member in document.items():
        if type(key) is not str or not key.isascii() or "\0" in key:
            return False
        kind = type(member)
        if kind is str:
            if not member.isascii() or "\0" in member:
                return False
        elif kind is not bool and kind is not int and member is not None:
            return False
    return True


def _check_keys(node: dict[Any, Any], path: tuple[str, ...], faults: list[Fault]) -> None:
    for key in node:
        if type(key) is not str:
            faults.append(Fault(join_path(path), f"key {key!r} is not text"))
        elif not key.isascii() or "\0" in key:
            _check_text(key, path, faults)


def _check_text(text: str, path: tuple[str, ...], faults: list[Fault]) -> None:
    if "\0" in text:
        faults.append(Fault(join_path(path), "text holds U+0000"))
    try:
        text.encode()
    except UnicodeEncodeError as exc:
        faults.append(Fault(join_path(path), f"text holds a lone surrogate at character {exc.start + 1}"))


class _Flawed:
    """Stands in a value that is being read for what cannot be; `check` adds where it stands."""

    def __init__(self, message: str, *steps: str) -> None:
        self.message, self.steps = message, steps


def _pairs(pairs: list[tuple[str, Any]]) -> Any:
    result = dict(pairs)
    if len(result) == len(pairs):
        return result
    seen: set[str] = set()
    twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return _Flawed("key stands twice in one object", twice)


def _refuse_constant(word: str) -> Any:
    return _Flawed(f"{word} is not a JSON number")


def _parse_int(digits: str) -> Any:
    """Whole numbers are kept exactly; Python's own limit on their length answers with a clear fault."""
    try:
        return int(digits)
    except ValueError:
        return _Flawed(f"a number of {len(digits):,} digits is too long")
