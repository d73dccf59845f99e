"""Two texts side by side: long ones line by line, short ones word by word, with a bound on the work."""

import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Final

from msgspec import Struct

MOST_WORK: Final = 400_000
"""About how many steps finding what is the same may take for all texts of one comparison."""
CONTEXT: Final = 3
LONG: Final = 240
MOST_LINES: Final = 250
"""How many lines of one text are shown."""
MOST_FOLDED: Final = 30
"""How many lines of a fold can be looked at."""
_WORDS: Final = re.compile(r"\w+|\s+|[^\w\s]")


def cost_of(olds: Sequence[str], news: Sequence[str]) -> int:
    """About how many steps it takes to find what two sequences have in common: more where one thing stands often."""
    before, after = Counter(olds), Counter(news)
    same = sum(count * after[text] for text, count in before.items())
    return same + len(olds) + len(news) + len(olds) * len(news) // 50


class Work:
    """How much comparing is left."""

    def __init__(self) -> None:
        self._left = MOST_WORK
        self.is_spent = False

    def may(self, cost: int) -> bool:
        """Take so much, if there is so much."""
        if cost > self._left:
            self.is_spent = True
            return False
        self._left -= cost
        return True


class Piece(Struct, frozen=True):
    """A part of a text; a marked one is not in the other."""

    text: str
    is_marked: bool


class Pair(Struct, frozen=True):
    """A line before and the line after it became, numbered from 1; None where there is none."""

    before_number: int | None = None
    before: Sequence[Piece] = ()
    after_number: int | None = None
    after: Sequence[Piece] = ()

    @property
    def is_same(self) -> bool:
        return self.before is self.after


class Hunk(Struct, frozen=True):
    """Lines that are shown, or folded because they are the same."""

    pairs: Sequence[Pair]
    is_folded: bool = False
    left_out: int = 0
    """How many lines behind these are not shown at all."""


def line_hunks(before: str, after: str, work: Work) -> list[Hunk]:
    """The lines of two texts, if one has several; nothing for short ones."""
    if "\n" not in before.rstrip("\n") and "\n" not in after.rstrip("\n"):
        return []
    return _folded(_pairs(before.split("\n"), after.split("\n"), work))


def _pairs(olds: list[str], news: list[str], work: Work) -> list[Pair]:
    head, tail = _ends(olds, news)
    old_middle, new_middle = olds[head : len(olds) - tail], news[head : len(news) - tail]
    pairs = [_same(place, place, olds[place]) for place in range(head)]
    if work.may(cost_of(old_middle, new_middle)):
        matcher = SequenceMatcher(None, old_middle, new_middle, autojunk=False)
        for word, b0, b1, a0, a1 in matcher.get_opcodes():
            if word == "equal":
                pairs += [_same(head + b0 + n, head + a0 + n, old_middle[b0 + n]) for n in range(b1 - b0)]
            else:
                pairs += _replaced(old_middle[b0:b1], new_middle[a0:a1], (head + b0, head + a0), work)
    else:
        pairs += _replaced(old_middle, new_middle, (head, head), None)
    return pairs + [_same(len(olds) - back, len(news) - back, olds[-back]) for back in range(tail, 0, -1)]


def _ends(olds: Sequence[str], news: Sequence[str]) -> tuple[int, int]:
    """How many members are the same at the beginning, and at the end."""
    short = min(len(olds), len(news))
    head = next((place for place in range(short) if olds[place] != news[place]), short)
    left = short - head
    return head, next((back for back in range(left) if olds[-1 - back] != news[-1 - back]), left)


def _same(old: int, new: int, text: str) -> Pair:
    pieces = (Piece(text, is_marked=False),)
    return Pair(old + 1, pieces, new + 1, pieces)


def _replaced(olds: list[str], news: list[str], begins: tuple[int, int], work: Work | None) -> list[Pair]:
    """Lines that stand for others, one beside the other as far as there are both."""
    made = []
    for place in range(max(len(olds), len(news))):
        old = olds[place] if place < len(olds) else None
        new = news[place] if place < len(news) else None
        pieces: tuple[Sequence[Piece], Sequence[Piece]] | None = None
        if old is not None and new is not None and work is not None:
            pieces = word_pieces(old, new, work)
        left, right = pieces or ((Piece(old or "", is_marked=False),), (Piece(new or "", is_marked=False),))
        made.append(
            Pair(
                None if old is None else begins[0] + place + 1,
                () if old is None else left,
                None if new is None else begins[1] + place + 1,
                () if new is None else right,
            )
        )
    return made


def _folded(pairs: list[Pair]) -> list[Hunk]:
    """Same lines that are far from what differs are folded, and what is too long ends early."""
    differing = [place for place, each in enumerate(pairs) if not each.is_same]
    near = {place + step for place in differing for step in range(-CONTEXT, CONTEXT + 1)}
    hunks: list[Hunk] = []
    begin = 0
    for place in range(1, len(pairs) + 1):
        if place == len(pairs) or (place in near) != (begin in near):
            is_folded = begin not in near and place - begin > 1
            hunks.append(Hunk(pairs[begin:place], is_folded))
            begin = place
    return _bounded(hunks)


def _bounded(hunks: list[Hunk]) -> list[Hunk]:
    left = MOST_LINES
    kept: list[Hunk] = []
    for place, hunk in enumerate(hunks):
        if left <= 0:
            rest = sum(len(each.pairs) for each in hunks[place:])
            kept.append(Hunk((), left_out=rest))
            return kept
        shown = hunk.pairs[: min(left, MOST_FOLDED) if hunk.is_folded else left]
        kept.append(Hunk(shown, hunk.is_folded, len(hunk.pairs) - len(shown)))
        left -= len(shown)
    return kept


def word_pieces(before: str, after: str, work: Work) -> tuple[list[Piece], list[Piece]] | None:
    """Two short texts with the words marked that differ; None where nearly all would be."""
    if max(len(before), len(after)) > 4 * LONG:
        return None
    olds, news = _WORDS.findall(before), _WORDS.findall(after)
    if not work.may(len(olds) * len(news)):
        return None
    matcher = SequenceMatcher(None, olds, news, autojunk=False)
    if matcher.ratio() < 0.35:
        return None
    left: list[Piece] = []
    right: list[Piece] = []
    for word, b0, b1, a0, a1 in matcher.get_opcodes():
        if b1 > b0:
            left.append(Piece("".join(olds[b0:b1]), word != "equal"))
        if a1 > a0:
            right.append(Piece("".join(news[a0:a1]), word != "equal"))
    return left, right
