"""What a change did, in a line: some of the fields that differ, with their values before and after."""

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from buttonhook import diffs, documents
from buttonhook.http.pages.templating import short
from buttonhook.records import ChangeRecord

MOST_STEPS: Final = 3
MOST_READ: Final = 40_000
"""Bytes of both documents beyond which they are not compared for a list."""
MOST_SHOWN: Final = 32


class Step(Struct, frozen=True):
    """A field that differs; None where it is not set."""

    key: str
    before: str | None
    after: str | None


class ChangeSteps(Struct, frozen=True):
    """A change, some of what it did to the object, and how many more fields differ."""

    change: ChangeRecord
    steps: Sequence[Step] = ()
    more: int = 0


def steps_of(change: ChangeRecord) -> ChangeSteps:
    """What an update changed; of a create and a delete nothing is told, as all fields differ."""
    before, after = change.prechange, change.postchange
    if before is None or after is None or len(before) + len(after) > MOST_READ:
        return ChangeSteps(change)
    old, new = documents.decode(before), documents.decode(after)
    keys = diffs.changed_keys(old, new)
    steps = [Step(key, _text(old.get(key)), _text(new.get(key))) for key in keys[:MOST_STEPS]]
    return ChangeSteps(change, steps, len(keys) - len(steps))


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else short(value, MOST_SHOWN)
