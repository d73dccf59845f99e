"""Two drawings in SVG, without a library: lines on two logarithmic axes, and ranges on one.

They bring their own ground and colours for light and for dark, so they can stand on any page.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 70, 170, 50, 55
LABEL_HEIGHT = 16
ROW_HEIGHT = 36

# a palette that colour-blind readers can tell apart (Okabe and Ito), darkest first
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999", "#b8a800")
STYLE = """
  .ground { fill: #ffffff } .ink { fill: #24292f } .faint { fill: #57606a } .grid { stroke: #d0d7de }
  text { font: 13px system-ui, sans-serif } .title { font-size: 15px; font-weight: 600 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #161b22 } .ink { fill: #e6edf3 } .faint { fill: #9da7b3 } .grid { stroke: #3d444d }
  }
"""

Points = Sequence[tuple[float, float]]


class Scale:
    """A logarithmic axis: from a value to its place. It ends at whole powers of ten, or, tight, at the values."""

    def __init__(self, values: Iterable[float], start: float, end: float, *, is_tight: bool = False) -> None:
        known = [math.log10(value) for value in values if value > 0] or [0.0]
        self.low = min(known) if is_tight else float(math.floor(min(known)))
        self.high = max(known) if is_tight else float(math.ceil(max(known)))
        if self.high == self.low:
            self.high += 1
        self._start, self._end = start, end

    def place(self, value: float) -> float:
        share = (math.log10(max(value, 10**self.low)) - self.low) / (self.high - self.low)
        return self._start + share * (self._end - self._start)

    def decades(self) -> list[float]:
        return [10.0**power for power in range(math.ceil(self.low), math.floor(self.high) + 1)]


def lines(title: str, labels: tuple[str, str], series: Mapping[str, Points]) -> str:
    """Named lines; `labels` name the axes, and the names stand at the lines' ends."""
    across = sorted({x for points in series.values() for x, _ in points})
    ups = Scale((y for points in series.values() for _, y in points), HEIGHT - BOTTOM, TOP)
    sides = Scale(across, LEFT, WIDTH - RIGHT, is_tight=True)
    parts = [_text(LEFT, 28, title, "ink title"), *_frame(ups, sides, across, labels)]
    ends = _apart({name: ups.place(points[-1][1]) for name, points in series.items()})
    for (name, points), colour in zip(series.items(), COLOURS, strict=False):
        places = [(sides.place(x), ups.place(y)) for x, y in points]
        dash = ' stroke-dasharray="6 4"' if name == "ceiling" else ""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"{dash}/>')
        for x, y in (*places, (WIDTH - RIGHT + 14, ends[name] - 4)):
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')
        parts.append(_text(WIDTH - RIGHT + 24, ends[name], f"{name} {points[-1][1]:,.0f}", "ink"))
    return _svg(parts, HEIGHT, title)


def _frame(ups: Scale, sides: Scale, across: Sequence[float], labels: tuple[str, str]) -> list[str]:
    """Grid, numbers and names of the axes."""
    right, middle = WIDTH - RIGHT, (TOP + HEIGHT - BOTTOM) / 2
    parts = []
    for value in ups.decades():
        y = ups.place(value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 8, y + 4, _number(value), "faint", "end"))
    numbers = [_text(sides.place(each), HEIGHT - BOTTOM + 20, _number(each), "faint", "middle") for each in across]
    upright = f'<text class="ink" text-anchor="middle" transform="translate(18 {middle:.0f}) rotate(-90)">'
    return [
        *parts,
        *numbers,
        _text((LEFT + right) / 2, HEIGHT - 12, labels[0], "ink", "middle"),
        f"{upright}{escape(labels[1])}</text>",
    ]


def ranges(title: str, label: str, rows: Sequence[tuple[str, float, float]]) -> str:
    """For each name two values, p50 and p99, and the line between them (a bar has no beginning on such an axis)."""
    scale = Scale((value for _, *values in rows for value in values), LEFT + 70, WIDTH - 90)
    height = TOP + len(rows) * ROW_HEIGHT + BOTTOM
    parts = [_text(20, 28, title, "ink title")]
    for value in scale.decades():
        x = scale.place(value)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>')
        parts.append(_text(x, height - BOTTOM + 20, _number(value), "faint", "middle"))
    for number, (name, low, high) in enumerate(rows):
        y = TOP + ROW_HEIGHT * (number + 0.6)
        left, right = scale.place(low), scale.place(high)
        colour = COLOURS[1 if number else 0]
        parts += [
            _text(LEFT + 60, y + 4, name, "ink", "end"),
            f'<line x1="{left:.1f}" x2="{right:.1f}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-width="2.5"/>',
            f'<circle cx="{left:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>',
            f'<circle cx="{right:.1f}" cy="{y:.1f}" r="6" fill="{colour}"/>',
            _text(left, y - 9, f"{low:,.3g}", "faint", "middle"),
            _text(right + 12, y + 4, f"{high:,.3g}", "ink"),
        ]
    parts.append(_text(WIDTH / 2, height - 12, label, "ink", "middle"))
    return _svg(parts, height, title)


def _svg(parts: Sequence[str], height: int, title: str) -> str:
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title, quote=True)}">\n<style>{STYLE}</style>\n'
        f'<rect class="ground" width="{WIDTH}" height="{height}" rx="8"/>\n{body}\n</svg>\n'
    )


def _text(x: float, y: float, words: str, kind: str, anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _apart(places: Mapping[str, float]) -> dict[str, float]:
    """Places of labels, moved down where two would touch, and up again where they would leave the drawing."""
    ordered = sorted(places, key=lambda name: places[name])
    found: dict[str, float] = {}
    last = -math.inf
    for name in ordered:
        found[name] = last = max(places[name] + 4, last + LABEL_HEIGHT)
    floor = float(HEIGHT - BOTTOM + 4)
    for name in reversed(ordered):
        found[name] = min(found[name], floor)
        floor = found[name] - LABEL_HEIGHT
    return found
