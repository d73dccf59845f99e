"""A tree of causes as it is drawn: a row for each change and run, its place in the tree, and its bars over time.

What led to the one that was asked for comes first, then all that came of it, each below its cause. Across, places are
per cent of the time from the first to the last; the drawing is as wide as the page. Where somebody may not see what
stands between two that they may, a row without a name stands for it; it tells nothing but that.
"""

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct

from buttonhook.access.causes import Caused, Step
from buttonhook.ids import Microseconds
from buttonhook.records import ChangeRecord, JobResult

ROW: Final = 46
TOP: Final = 26
FIRST_X: Final = 14
STEP_X: Final = 16
MOST_STEPS: Final = 11
"""Deeper rows are not moved further to the right."""
LEAST: Final = 0.4
"""Per cent: what took no time at all is seen."""
TICKS: Final = 4

Kind = Literal["change", "result", "hidden"]


class Node(Struct, kw_only=True):
    """One row. `parent` is the place of its cause among the rows."""

    kind: Kind
    depth: int
    parent: int | None
    what: ChangeRecord | JobResult | None = None
    has_more: bool = False
    is_asked: bool = False
    """The one that was asked for."""
    note: str = ""
    """Of one that is hidden: what it is."""
    waits: tuple[float, float] | None = None
    """From where to where it waited, in per cent of the time drawn; None where that does not apply."""
    runs: tuple[float, float] | None = None
    at: float = 0.0
    """Of a change: when it was made."""
    y: int = 0
    x: int = 0
    link: str = ""
    """The line from its cause, as a path."""

    @property
    def label_x(self) -> int:
        return self.x + 16


class Tick(Struct, frozen=True):
    at: float
    text: str


class Drawing(Struct):
    """All rows in order, and what is told of them together."""

    nodes: Sequence[Node]
    ticks: Sequence[Tick]
    height: int
    begin: Microseconds
    end: Microseconds
    is_live: bool
    is_cut: bool
    """More came of it than is shown."""

    @property
    def mark(self) -> str:
        """Changes when anything in it does; while something runs with each look, since its bar grows."""
        told = ".".join(
            f"{each.what.status}{each.what.attempt}" for each in self.nodes if isinstance(each.what, JobResult)
        )
        return f"{len(self.nodes)}.{self.end if self.is_live else ''}.{hash(told)}"


def draw(before: Sequence[Step], tree: Sequence[Caused], now: Microseconds) -> Drawing:
    """The drawing of what led to the first of a tree, and of the tree."""
    nodes = list(_rows(before, tree))
    runs = [each.what for each in nodes if isinstance(each.what, JobResult)]
    is_live = any(not each.status.is_final for each in runs)
    begin, end = _span([each.what for each in nodes if each.what is not None], now)
    _place(nodes)
    for node in nodes:
        _time(node, begin, end, now)
    return Drawing(
        nodes=nodes,
        ticks=_ticks(end - begin),
        height=TOP + ROW * len(nodes),
        begin=begin,
        end=end,
        is_live=is_live,
        is_cut=any(each.has_more for each in nodes),
    )


# --- rows -----------------------------------------------------------------------------------------


def _rows(before: Sequence[Step], tree: Sequence[Caused]) -> Iterator[Node]:
    """The rows in order, each with its depth and the place of its cause."""
    children: dict[int, list[int]] = {}
    for place, each in enumerate(tree):
        if each.parent is not None:
            children.setdefault(each.parent, []).append(place)
    rows: list[Node] = []
    cause: Step | None = None
    above: int | None = None
    for step in before:
        above = _add(rows, step, cause, above)
        cause = step
    waiting: list[tuple[int, Step | None, int | None]] = [(0, cause, above)]
    while waiting:
        place, cause, above = waiting.pop()
        own = _add(rows, tree[place].what, cause, above)
        rows[own].has_more = tree[place].has_more
        rows[own].is_asked = place == 0
        waiting += [(each, tree[place].what, own) for each in reversed(children.get(place, ()))]
    return iter(rows)


def _add(rows: list[Node], step: Step, cause: Step | None, above: int | None) -> int:
    """Add a row, and one above it for what it says caused it and nobody showed. Returns its place."""
    hidden = _hidden_between(step, cause)
    if hidden:
        depth = 0 if above is None else rows[above].depth + 1
        rows.append(Node(kind="hidden", depth=depth, parent=above, note=hidden))
        above = len(rows) - 1
    depth = 0 if above is None else rows[above].depth + 1
    kind: Kind = "result" if isinstance(step, JobResult) else "change"
    rows.append(Node(kind=kind, depth=depth, parent=above, what=step))
    return len(rows) - 1


def _hidden_between(step: Step, cause: Step | None) -> str:
    """What stands between the two, or before the first one, without being shown."""
    if isinstance(step, JobResult) and step.kind == "hook" and step.change_ids and not isinstance(cause, ChangeRecord):
        return "A change"
    if cause is None and step.cause is not None:
        return "A run"
    return ""


def _place(nodes: Sequence[Node]) -> None:
    """Give each row its place on the left, and the line from its cause."""
    for number, node in enumerate(nodes):
        node.y = TOP + ROW * number
        node.x = FIRST_X + STEP_X * min(node.depth, MOST_STEPS)
        if node.parent is not None:
            cause = nodes[node.parent]
            top, middle = cause.y + ROW // 2 + 9, node.y + ROW // 2
            if cause.x == node.x:
                node.link = f"M{cause.x} {top}V{middle - 9}"
            else:
                node.link = f"M{cause.x} {top}V{middle - 6}q0 6 6 6H{node.x - 9}"


# --- time -----------------------------------------------------------------------------------------


def _span(steps: Sequence[Step], now: Microseconds) -> tuple[Microseconds, Microseconds]:
    """From the first to the last moment of all of them."""
    begin = min(_began(each) for each in steps)
    end = max(_ended(each, now) for each in steps)
    return begin, Microseconds(max(end, begin + 1_000))


def _began(step: Step) -> Microseconds:
    return step.created_at if isinstance(step, JobResult) else step.recorded_at


def _ended(step: Step, now: Microseconds) -> Microseconds:
    if isinstance(step, ChangeRecord):
        return step.recorded_at
    if step.ended_at is not None:
        return step.ended_at
    return max(now, step.created_at)


def _time(node: Node, begin: Microseconds, end: Microseconds, now: Microseconds) -> None:
    """Give a row its bars."""

    def across(moment: int) -> float:
        return round(100 * min(max(moment - begin, 0), end - begin) / (end - begin), 3)

    step = node.what
    if isinstance(step, ChangeRecord):
        node.at = across(step.recorded_at)
    elif isinstance(step, JobResult):
        ended = across(_ended(step, now))
        started = ended if step.started_at is None else across(step.started_at)
        created = across(step.created_at)
        node.waits = (created, max(started - created, 0.0))
        if step.started_at is not None:
            width = max(ended - started, LEAST)
            node.runs = (min(started, 100 - width), width)


def _ticks(span: int) -> list[Tick]:
    """Equal steps of a round length, told as the time since the beginning."""
    rough = span / TICKS
    unit = 10 ** (len(str(max(int(rough), 1))) - 1)
    step = next((unit * each for each in (1, 2, 5, 10) if unit * each >= rough), rough)
    if rough > 60_000_000:
        minutes = (60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 43200, 86400)
        step = next(
            (each * 1_000_000 for each in minutes if each * 1_000_000 >= rough),
            86_400_000_000 * (rough // 86_400_000_000 + 1),
        )
    count = int(span // step)
    return [Tick(round(100 * number * step / span, 3), _after(int(number * step))) for number in range(count + 1)]


def _after(span: int) -> str:
    if span == 0:
        return "0"
    for size, unit in (
        (86_400_000_000, "d"),
        (3_600_000_000, "h"),
        (60_000_000, "min"),
        (1_000_000, "s"),
        (1_000, "ms"),
    ):
        if span >= size:
            return f"{span / size:.3g} {unit}"
    return f"{span} µs"
