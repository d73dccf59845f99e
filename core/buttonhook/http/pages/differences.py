"""Two states of a document side by side: what differs, at every depth, and what does not, to be folded away.

Members of lists are paired as the documents themselves are merged (`documents.paired`), so one that moved or got a
neighbour is not told as removed and added. All of it is bounded: beyond `MOST_ROWS` rows, and where comparing would
take long, values stand whole, and the comparison says so.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from buttonhook.documents import ABSENT, paired, same
from buttonhook.http.pages.text_differences import Hunk, Piece, Work, line_hunks, word_pieces

MOST_ROWS: Final = 1_500
MOST_PAIRS: Final = 40_000
"""Members of two lists that are compared with each other; in longer lists they pair by their places alone."""

Fate = Literal["same", "changed", "added", "removed", "moved"]


class Row(Struct, kw_only=True):
    """A key or a place, and what stands there before and after.

    Of two that are both nested `rows` tell the difference, of two long texts `hunks`, of two short ones `pieces`.
    """

    label: str
    fate: Fate
    before: Any = ABSENT
    after: Any = ABSENT
    rows: Sequence["Row"] = ()
    hunks: Sequence[Hunk] = ()
    pieces: tuple[Sequence[Piece], Sequence[Piece]] | None = None
    is_place: bool = False
    """A member of a list; its label is its place, counted from 0."""

    @property
    def has_before(self) -> bool:
        return self.before is not ABSENT

    @property
    def has_after(self) -> bool:
        return self.after is not ABSENT


class Comparison(Struct):
    """All rows of two documents. `is_cut`: some stand whole, because there are too many."""

    rows: Sequence[Row]
    is_cut: bool

    @property
    def count(self) -> int:
        """How many fields differ."""
        return sum(each.fate != "same" for each in self.rows)


class _Comparing:
    def __init__(self) -> None:
        self.rows_left = MOST_ROWS
        self.work = Work()
        self.is_cut = False

    def fields(self, before: dict[str, Any], after: dict[str, Any]) -> list[Row]:
        """Keys that differ first, as they stand after; those that went away behind them."""
        keys = [*after, *(key for key in before if key not in after)]
        rows = [self.row(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
        return sorted(rows, key=lambda each: each.fate == "same")

    def row(self, label: str, before: Any, after: Any, *, is_place: bool = False) -> Row:
        self.rows_left -= 1
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
        return made

    def _nest(self, row: Row, before: Any, after: Any) -> None:
        if len(before) + len(after) > self.rows_left:
            self.is_cut = True
            return
        row.rows = self.fields(before, after) if isinstance(before, dict) else self.members(before, after)

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
    if len(olds) * len(news) > MOST_PAIRS:
        return pairs | {head + place: head + place for place in range(min(len(olds), len(news)))}
    return pairs | {head + new: head + old for new, old in paired(olds, news).items()}


def compare(before: dict[str, Any] | None, after: dict[str, Any] | None) -> Comparison:
    """The rows of two documents; of one that is not there every key of the other was added or removed."""
    comparing = _Comparing()
    rows = comparing.fields(before or {}, after or {})
    return Comparison(rows, comparing.is_cut or comparing.work.is_spent)
