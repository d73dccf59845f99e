"""YAML read and written as JSON's types only.

YAML 1.1 makes a number of a MAC address, False of `no` and a date of a version. Here a plain scalar
is `true`, `false`, `null` (or nothing at all: null), a decimal number, or else text. Numbers are
written as in JSON, but an exponent counts only after a decimal point, so that `12e3` stays the text
it usually is. Keys are always text. Tags, merge keys (`<<`) and keys that stand twice are refused.
Aliases are followed up to a bounded total size, so that no small file grows into a large one.

Values are built from the parser's events; no constructor of the YAML library runs.
"""

import math
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml
from msgspec import Struct
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from buttonhook.documents import MAX_DEPTH

MAX_ALIAS_NODES: Final = 100_000
_LOADER: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DUMPER: Final[Any] = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_WORDS: Final[dict[str, bool | None]] = {"true": True, "false": False, "null": None, "": None}
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_FLOAT: Final = re.compile(r"-?(?:0|[1-9][0-9]*)\.[0-9]+(?:[eE][-+]?[0-9]+)?\Z")
_MOST_DIGITS: Final = 4000
_MERGE_KEY: Final = "<<"
_YamlStarts = MappingStartEvent | SequenceStartEvent


class YamlRecord(Struct, frozen=True):
    """A member of a list document, or a whole document. `problem` says why `value` is not to be used."""

    line: int
    value: Any
    problem: str | None = None


def read_records(text: str) -> Iterator[YamlRecord]:
    """Read each document of `text`, and each member of one that is a list. Empty documents are passed over.

    Raises:
        yaml.YAMLError: the text is not YAML from there on.
    """
    return _Reader(yaml.parse(text, Loader=_LOADER)).records()


def describe(exc: yaml.YAMLError) -> tuple[int, str]:
    """The line (0 where it is not known) and the reason of an error of the YAML library."""
    if isinstance(exc, yaml.MarkedYAMLError) and exc.problem_mark is not None:
        return exc.problem_mark.line + 1, exc.problem or "it cannot be read"
    reason = getattr(exc, "reason", "it cannot be read")
    return 0, f"{reason} at character {getattr(exc, 'position', 0) + 1}"


def plain_value(text: str) -> Any:
    """What a plain scalar stands for."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) <= _MOST_DIGITS:
        if _INTEGER.match(text):
            return int(text)
        if _FLOAT.match(text) and math.isfinite(number := float(text)):
            return number
    return text


class _Reader:
    """Builds values from events. A fault is noted and reading goes on, so that the next record is found."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._events = iter(events)
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._problem: str | None = None
        self._nodes = 0
        self._alias_nodes = 0

    def records(self) -> Iterator[YamlRecord]:
        for event in self._events:
            if isinstance(event, DocumentStartEvent):
                self._anchors.clear()
                self._alias_nodes = 0
            elif isinstance(event, SequenceStartEvent) and event.tag is None:
                while not isinstance(member := next(self._events), SequenceEndEvent):
                    yield self._record(member)
            elif isinstance(event, NodeEvent) and not _is_empty(event):
                yield self._record(event)

    def _record(self, event: Event) -> YamlRecord:
        self._problem = None
        value = self._value(event, 0)
        return YamlRecord(_line(event), value, self._problem)

    def _value(self, event: Event, depth: int) -> Any:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        assert isinstance(event, ScalarEvent | MappingStartEvent | SequenceStartEvent)  # noqa: S101 - the grammar
        if event.tag is not None:
            self._note(event, f"tag {event.tag!r} is not allowed; only JSON's types are read")
        nodes = self._nodes
        self._nodes += 1
        value: Any
        if isinstance(event, ScalarEvent):
            value = plain_value(event.value) if event.implicit[0] else event.value
        elif depth > MAX_DEPTH:
            self._note(event, f"nested deeper than {MAX_DEPTH}")
            self._skip()
            value = None
        elif isinstance(event, SequenceStartEvent):
            value = self._list(depth)
        else:
            value = self._object(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value, self._nodes - nodes
        return value

    def _list(self, depth: int) -> list[Any]:
        result = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            result.append(self._value(event, depth + 1))
        return result

    def _object(self, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            value = self._value(next(self._events), depth + 1)
            if key in result:
                self._note(event, f"key {key!r} stands twice in one object")
            result[key] = value
        return result

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            self._note(event, "a key is not text")
            if isinstance(event, _YamlStarts):
                self._skip()
            return ""
        if event.tag is not None:
            self._note(event, f"tag {event.tag!r} is not allowed; only JSON's types are read")
        if event.value == _MERGE_KEY and event.implicit[0]:
            self._note(event, "merge keys ('<<') are not followed; write the keys out, or quote it")
        return str(event.value)

    def _alias(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            self._note(event, f"alias {event.anchor!r} names nothing that ends before it")
            return None
        value, nodes = self._anchors[event.anchor]
        self._alias_nodes += nodes
        if self._alias_nodes > MAX_ALIAS_NODES:
            self._note(event, f"aliases stand for more than {MAX_ALIAS_NODES:,} values; write them out")
            return None
        self._nodes += nodes
        return value

    def _skip(self) -> None:
        """Pass over what is left of a list or object that was just begun."""
        depth = 1
        while depth:
            event = next(self._events)
            if isinstance(event, _YamlStarts):
                depth += 1
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                depth -= 1

    def _note(self, event: Event, problem: str) -> None:
        if self._problem is None:
            self._problem = f"{problem} (line {_line(event)})"


def _line(event: Event) -> int:
    return event.start_mark.line + 1 if event.start_mark is not None else 0


def _is_empty(event: NodeEvent) -> bool:
    return isinstance(event, ScalarEvent) and event.value == "" and event.implicit[0]


class _Dumper(_DUMPER):  # type: ignore[misc]
    """Writes what both this module and readers of YAML 1.1 take for the same value: doubtful text is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-0123456789"))
_Dumper.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-0123456789"))


def write_document(value: Any) -> str:
    """Write one document, opened by `---`."""
    text: str = yaml.dump(
        value,
        Dumper=_Dumper,
        allow_unicode=True,
        sort_keys=False,
        explicit_start=True,
        default_flow_style=False,
        width=100,
    )
    return text
