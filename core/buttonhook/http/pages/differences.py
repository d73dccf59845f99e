"""Two states of a document side by side: what differs, at every depth, and what does not, to be folded away.

Members of lists are paired as the documents themselves are merged (`documents.paired`), so one that moved or got a
neighbour is not told as removed and added. All of it is bounded: beyond `MOST_ROWS` rows that differ, and where
comparing would take long, values stand whole, and the comparison says so.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook.documents import ABSENT, encode, paired, same
from buttonhook.http.pages.text_differences import Hunk, Piece, Work, cost_of, line_hunks, word_pieces

MOST_ROWS: Final = 250
MOST_FOLDED: Final = 200
"""How many rows that are the same can be looked at."""
MOST_MEMBERS: Final = 8_000
"""Keys and members of two nested values that are compared with each other."""
LARGE: Final = 6_000
"""Characters: a longer nested value is not shown in a row."""
MOST_STEPS: Final = 150_000
"""Lists that take more steps to compare are paired by places alone."""
MOST_ALIKE: Final = 20_000
"""Pairs of changed members that are looked at for what they have in common."""

Fate = Literal["same", "changed", "added", "removed", "moved"]


class Row(Struct, kw_only=True):
    """A key or a place, and what stands there before and after.

    Of two that are both nested `runs` tell the difference, of two long texts `hunks`, of two short ones `pieces`.
    """

    label: str
    fate: Fate
    before: Any = ABSENT
    after: Any = ABSENT
    runs: Sequence["Run"] = ()
    hunks: Sequence[Hunk] = ()
    pieces: tuple[Sequence[Piece], Sequence[Piece]] | None = None
    is_place: bool = False
    """A member of a list; its label is its place, counted from 0."""

    @property
    def is_large(self) -> bool:
        """Whether a value is too long to be shown here."""
        return any(
            isinstance(each, dict | list) and len(encode(each)) > LARGE
            for each in (self.before, self.after)
            if each is not ABSENT
        )

    @property
    def differing(self) -> int:
        """How many of the rows within differ."""
        return sum(each.count for each in self.runs if not each.is_same)

    @property
    def count(self) -> int:
        """How many rows there are within."""
        return sum(each.count for each in self.runs)

    @property
    def has_before(self) -> bool:
        return self.before is not ABSENT

    @property
    def has_after(self) -> bool:
        return self.after is not ABSENT


class Run(Struct, frozen=True):
    """Rows that differ, or some that are the same, to be folded: `count` of them, of which `rows` can be looked at."""

    rows: Sequence[Row]
    is_same: bool
    count: int


class Comparison(Struct, frozen=True):
    """All rows of two documents. `is_cut`: some stand whole, because there are too many."""

    runs: Sequence[Run]
    is_cut: bool

    @property
    def rows(self) -> list[Row]:
        return [row for each in self.runs for row in each.rows]

    @property
    def differing(self) -> int:
        """How many fields differ."""
        return sum(each.count for each in self.runs if not each.is_same)

    @property
    def count(self) -> int:
        return sum(each.count for each in self.runs)


class _Comparing:
    def __init__(self) -> None:
        self.rows_left = MOST_ROWS
        self.folded_left = MOST_FOLDED
        self.work = Work()
        self.is_cut = False

    def fields(self, before: dict[str, Any], after: dict[str, Any]) -> list[Row]:
        """Keys that differ first, as they stand after; those that went away behind them."""
        keys = [*after, *(key for key in before if key not in after)]
        rows = [self.row(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
        return sorted(rows, key=lambda each: each.fate == "same")

    def row(self, label: str, before: Any, after: Any, *, is_place: bool = False) -> Row:
        made = Row(label=label, fate="changed", before=before, after=after, is_place=is_place)
        if before is ABSENT or after is ABSENT:
            made.fate = "added" if before is ABSENT else "removed"
        elif same(before, after):
            made.fate = "same"
        elif isinstance(before, dict | list) and type(before) is type(after):
            self._nest(made, before, after)
        elif isinstance(before, str) and isinstance(after, str):
            made.hunks = line_hunks(before, after, self.work)
            made.pieces = None if made.hunks else word_pieces(before, after, self.work)
        self.rows_left -= made.fate != "same"
        return made

    def _nest(self, row: Row, before: Any, after: Any) -> None:
        if self.rows_left <= 0 or len(before) + len(after) > MOST_MEMBERS:
            self.is_cut = True
            return
        row.runs = self.runs(self.fields(before, after) if isinstance(before, dict) else self.members(before, after))

    def runs(self, rows: Sequence[Row]) -> list[Run]:
        """The rows in runs of those that are the same, and of those that are not."""
        made = []
        for is_same, run in groupby(rows, lambda each: each.fate == "same"):
            found = list(run)
            shown = found[: self.folded_left] if is_same else found
            self.folded_left -= len(shown) if is_same else 0
            made.append(Run(shown, is_same, len(found)))
        return made

    def members(self, before: list[Any], after: list[Any]) -> list[Row]:
        """Members in their order; what went away stands where it stood."""
        pairs = _pairs(before, after)
        gone = sorted(set(range(len(before))).difference(pairs.values()))
        rows: list[Row] = []
        highest = -1
        for place, member in enumerate(after):
            old = pairs.get(place)
            if old is not None and old > highest:
                while gone and gone[0] < old:
                    rows.append(self._gone(before, gone.pop(0)))
            made = self.row(str(place), ABSENT if old is None else before[old], member, is_place=True)
            if old is not None and old < highest:
                made.label = f"{old} → {place}"
                made.fate = "moved" if made.fate == "same" else made.fate
            highest = max(highest, -1 if old is None else old)
            rows.append(made)
        return [*rows, *(self._gone(before, old) for old in gone)]

    def _gone(self, before: list[Any], old: int) -> Row:
        return self.row(str(old), before[old], ABSENT, is_place=True)


def _pairs(before: list[Any], after: list[Any]) -> dict[int, int]:
    """Which member of the one each of the other was; both ends that are the same cost nothing."""
    short = min(len(before), len(after))
    head = next((place for place in range(short) if not same(before[place], after[place])), short)
    left = short - head
    tail = next((back for back in range(left) if not same(before[-1 - back], after[-1 - back])), left)
    pairs = {place: place for place in range(head)}
    pairs |= {len(after) - 1 - back: len(before) - 1 - back for back in range(tail)}
    olds, news = before[head : len(before) - tail], after[head : len(after) - tail]
    if cost_of(list(map(encode, olds)), list(map(encode, news))) > MOST_STEPS:
        return pairs | {head + place: head + place for place in range(min(len(olds), len(news)))}
    return pairs | {head + new: head + old for new, old in paired(olds, news, MOST_ALIKE).items()}


def compare(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Comparison:
    """The rows of two documents; of one that is not there every key of the other was added or removed."""
    comparing = _Comparing()
    runs = comparing.runs(comparing.fields(before or {}, after or {}))
    return Comparison(runs, comparing.is_cut or comparing.work.is_spent)
