"""Charts, drawn by the daemon as SVG: what `macros/charts.html` needs to know of each.

made = stacked("Job results", moments, [Series("success", "success", counts), ...], unit="a minute", ends=AGO)
{% from "macros/charts.html" import chart %}{{ chart(made) }}

The drawing is stretched to the width there is, so it holds no text: labels stand beside it as HTML, evenly spaced,
which is why an axis is always cut into equal steps. Every chart has its figures as a table, too.
"""

import math
from collections.abc import Sequence
from typing import Final

from msgspec import Struct

COLUMN: Final = 10.0
"""How wide one column is drawn; the drawing is `HEIGHT` high and stretched to its place."""
HEIGHT: Final = 100.0
GAP: Final = 2.0
LEAST_HEIGHT: Final = 1.2
"""What is not nothing is seen, however high the others are."""
STEPS: Final = 4
LEAST_POWER: Final = -3
"""Durations below a thousandth of a second are drawn as such: what starts at once has waited for nothing."""
_NICE: Final = (1, 2, 2.5, 5, 10)
_UNITS: Final = ((1e-6, "µs"), (1e-3, "ms"), (1.0, "s"), (60.0, "min"), (3600.0, "h"))


class Series(Struct, frozen=True):
    """One figure over all columns; `kind` is its colour: a status of a job result, an action, `a` or `b`.

    None where there is nothing to tell.
    """

    label: str
    kind: str
    values: Sequence[float | None]


class Mark(Struct, frozen=True):
    """A rectangle of the drawing."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Line(Struct, frozen=True):
    """A line of the drawing; where figures are missing it is broken. Single figures are dots."""

    kind: str
    path: str
    dots: Sequence[tuple[float, float]]


class Place(Struct, frozen=True):
    """A column that can be pointed at: what it tells, and where it leads."""

    x: float
    text: str
    href: str = ""


class Bar(Struct, frozen=True):
    """One column of `single`: a run, as a rule."""

    text: str
    kind: str
    value: float
    href: str = ""


class Chart(Struct, frozen=True, kw_only=True):
    """All that is drawn and told. `levels` are the labels at the side, from the top; `ends` those below."""

    title: str
    told: str
    """What the chart shows, as a sentence."""
    width: float
    levels: Sequence[str]
    ends: Sequence[str]
    legend: Sequence[tuple[str, str]]
    """Kind and label."""
    marks: Sequence[Mark] = ()
    lines: Sequence[Line] = ()
    places: Sequence[Place] = ()
    head: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    """The same as a table."""


def stacked(title: str, moments: Sequence[str], series: Sequence[Series], *, unit: str, ends: Sequence[str]) -> Chart:
    """Counts on top of each other, a column for each moment; `unit` is what they count, as in `changes a minute`."""
    columns = [[each.values[at] or 0 for each in series] for at in range(len(moments))]
    top = nice_top(max(map(sum, columns), default=0), whole=True)
    marks = [mark for at, column in enumerate(columns) for mark in _pile(at, column, [s.kind for s in series], top)]
    told = [", ".join(f"{short_number(v)} {s.label}" for v, s in zip(c, series, strict=True) if v) for c in columns]
    total = ", ".join(f"{short_number(sum(v or 0 for v in each.values))} {each.label}" for each in series)
    return Chart(
        title=title,
        told=f"{title}, {unit}: {total}. At most {short_number(max(map(sum, columns), default=0))} in one column.",
        width=COLUMN * max(1, len(moments)),
        levels=[short_number(top * step / STEPS) for step in range(STEPS, -1, -1)],
        ends=ends,
        legend=[(each.kind, each.label) for each in series],
        marks=marks,
        places=[Place(at * COLUMN, f"{moments[at]}: {told[at] or 'nothing'}") for at in range(len(moments))],
        head=["", *(each.label for each in series)],
        rows=[[moments[at], *map(short_number, column)] for at, column in enumerate(columns) if any(column)],
    )


def lines(title: str, moments: Sequence[str], series: Sequence[Series], *, ends: Sequence[str]) -> Chart:
    """Durations in seconds as lines, on a scale where each step is ten times the one below."""
    given = [value for each in series for value in each.values if value is not None and value > 0]
    low = max(LEAST_POWER, math.floor(math.log10(min(given)))) if given else LEAST_POWER
    high = max(low + 1, math.ceil(math.log10(max(given)) - 1e-9)) if given else 0
    told = [
        ", ".join(f"{each.label} {duration(value)}" for each in series if (value := each.values[at]) is not None)
        for at in range(len(moments))
    ]
    return Chart(
        title=title,
        told=f"{title}: " + (f"from {duration(min(given))} to {duration(max(given))}." if given else "nothing ran."),
        width=COLUMN * max(1, len(moments)),
        levels=[_power_of_ten(power) for power in range(high, low - 1, -1)],
        ends=ends,
        legend=[(each.kind, each.label) for each in series],
        lines=[_line(each.kind, [_height(value, low, high) for value in each.values]) for each in series],
        places=[Place(at * COLUMN, f"{moments[at]}: {told[at] or 'nothing'}") for at in range(len(moments))],
        head=["", *(each.label for each in series)],
        rows=[
            [moments[at], *("" if each.values[at] is None else duration(each.values[at] or 0) for each in series)]
            for at in range(len(moments))
            if told[at]
        ],
    )


def single(title: str, bars: Sequence[Bar], *, legend: Sequence[tuple[str, str]], ends: Sequence[str] = ()) -> Chart:
    """A column for each thing, as high as it lasted in seconds, that leads to it: the last runs of a job."""
    longest = max((each.value for each in bars), default=0)
    size, word = _unit(longest)
    top = nice_top(longest / size, whole=False)
    return Chart(
        title=title,
        told=f"{title}: {len(bars)}, the longest {duration(longest)}." if bars else f"{title}: none.",
        width=COLUMN * max(1, len(bars)),
        levels=[f"{short_number(top * step / STEPS)} {word}" for step in range(STEPS, -1, -1)],
        ends=ends,
        legend=legend,
        marks=[mark for at, each in enumerate(bars) for mark in _pile(at, [each.value / size], [each.kind], top)],
        places=[Place(at * COLUMN, f"{each.text}: {duration(each.value)}", each.href) for at, each in enumerate(bars)],
        head=["", "lasted"],
        rows=[[each.text, duration(each.value)] for each in bars],
    )


def shares(title: str, parts: Sequence[tuple[str, str, int]]) -> Chart:
    """Parts of a whole as one bar; each is its kind, its label and its count."""
    whole = sum(count for _, _, count in parts)
    marks, x = [], 0.0
    for kind, _, count in parts:
        width = 100 * count / whole if whole else 0.0
        marks.append(Mark(kind, round(x, 3), 0, round(width, 3), 10))
        x += width
    told = [(kind, f"{count:,} {label} ({percent(count, whole)})") for kind, label, count in parts if count]
    text = f"{title}: {', '.join(label for _, label in told) or 'none'}."
    return Chart(title=title, told=text, width=100, levels=(), ends=(), legend=told, marks=marks)


def percent(part: int, whole: int) -> str:
    """A share, never rounded to all or nothing where it is not."""
    if not whole:
        return "0 %"
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1 %"
    return "over 99 %" if 99 < share < 100 else f"{share:.0f} %"


def _pile(at: int, values: Sequence[float], kinds: Sequence[str], top: float) -> list[Mark]:
    """The marks of one column, the first at the bottom."""
    made, floor = [], HEIGHT
    for value, kind in zip(values, kinds, strict=True):
        if value > 0:
            height = max(LEAST_HEIGHT, HEIGHT * value / top)
            floor -= height
            made.append(Mark(kind, at * COLUMN + GAP / 2, round(floor, 2), COLUMN - GAP, round(height, 2)))
    return made


def _power_of_ten(power: int) -> str:
    """A step of the scale of durations; the lowest there is stands for all below it."""
    if power >= 0:
        return f"{10**power:,} s"
    return f"{'≤ ' if power == LEAST_POWER else ''}{10 ** (power + 3)} ms"


def _height(value: float | None, low: int, high: int) -> float | None:
    """Where a duration stands between two powers of ten."""
    if value is None:
        return None
    return HEIGHT * (1 - (math.log10(max(value, 10.0**low)) - low) / (high - low))


def _line(kind: str, heights: Sequence[float | None]) -> Line:
    path, dots = [], []
    for at, y in enumerate(heights):
        if y is None:
            continue
        has_before = at > 0 and heights[at - 1] is not None
        has_after = at + 1 < len(heights) and heights[at + 1] is not None
        x = at * COLUMN + COLUMN / 2
        if has_before or has_after:
            path.append(f"{'L' if has_before else 'M'}{x:g} {y:.2f}")
        else:
            dots.append((x, round(y, 2)))
    return Line(kind, " ".join(path), dots)


def nice_top(most: float, *, whole: bool) -> float:
    """The end of an axis that holds `most` and is cut into `STEPS` round steps."""
    if most <= 0:
        return STEPS if whole else 1.0
    step = most / STEPS
    size = 10.0 ** math.floor(math.log10(step))
    chosen = next(each for each in _NICE if each * size >= step * (1 - 1e-9)) * size
    return max(1.0, math.ceil(chosen)) * STEPS if whole else chosen * STEPS


def duration(seconds: float) -> str:
    """How long, in the unit that fits: `2.5 ms`, `14 s`."""
    if not seconds:
        return "0"
    size, word = _unit(seconds)
    return f"{short_number(seconds / size)} {word}"


def _unit(seconds: float) -> tuple[float, str]:
    return next((each for each in reversed(_UNITS) if seconds >= each[0] * (1 - 1e-9)), _UNITS[0])


def short_number(value: float) -> str:
    """A number in three digits or so: `7`, `1,234`, `12.5`, `45k`."""
    for size, word in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if value >= size:
            return f"{value / (1e3 if word == 'k' else size):.3g}{word}"
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"
