"""Drawings as inline SVG, by hand: dot and interval, box and dots, bars, dots in a plane, and scales.

Widths are in per cent and heights in pixels, so a drawing fills its place on a phone as on a desk while its lines and
letters keep their size. Colours come from the style sheet by class (``tool``, ``floor``, ``ceiling``), so one drawing
suits light, dark and paper.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup, escape

from gifthorse.records import Interval
from gifthorse.report.words import visible

EMPTY = Markup("")
"""No drawing."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """The stretch of numbers that a drawing shows from its left end to its right."""

    low: float
    high: float

    def at(self, value: float) -> str:
        """Where a value lies, in per cent of the width; values outside lie at the end."""
        share = (value - self.low) / (self.high - self.low)
        return f"{100 * min(1.0, max(0.0, share)):.2f}%"

    def wide(self, low: float, high: float) -> str:
        """How wide an interval is, in per cent."""
        ends = [min(self.high, max(self.low, value)) for value in (low, high)]
        return f"{100 * max(0.0, ends[1] - ends[0]) / (self.high - self.low):.2f}%"


UNIT = Span(low=0.0, high=1.0)
"""Shares and probabilities."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A line across a drawing: ``chance``, ``zero``, ``gate``, ``rival`` (to be beaten); or a diamond: ``thesis``."""

    value: float
    kind: str


def _svg(height: int, label: str, parts: Sequence[str], kind: str) -> Markup:
    name = escape(visible(label))
    body = "".join(parts)
    return Markup(
        f'<svg class="chart {kind}" width="100%" height="{height}" role="img" aria-label="{name}">'
        f"<title>{name}</title>{body}</svg>"
    )


def _marks(marks: Sequence[Mark], span: Span, height: int) -> list[str]:
    drawn = []
    for mark in marks:
        x = span.at(mark.value)
        if mark.kind == "thesis":
            drawn.append(
                f'<svg x="{x}" y="{height / 2:g}" overflow="visible"><path class="thesis" d="M0-5 5 0 0 5-5 0z"/></svg>'
            )
        else:
            drawn.append(f'<line class="{mark.kind}" x1="{x}" x2="{x}" y1="0" y2="{height}"/>')
    return drawn


def interval(
    measured: Interval, label: str, *, span: Span = UNIT, marks: Sequence[Mark] = (), tone: str = "tool"
) -> Markup:
    """A dot on its interval; no dot for a NaN, and no line where the ends are NaN.

    Args:
        measured: the dot and the line's ends.
        label: the drawing in words.
        span: the scale.
        marks: lines and diamonds.
        tone: the class of its colour.
    """
    height = 22
    parts = ['<line class="rail" x1="0" x2="100%" y1="11" y2="11"/>', *_marks(marks, span, height)]
    if not (math.isnan(measured.low) or math.isnan(measured.high)):
        ends = f'x1="{span.at(measured.low)}" x2="{span.at(measured.high)}"'
        parts.append(f'<line class="range" {ends} y1="11" y2="11"/>')
    if not math.isnan(measured.value):
        parts.append(f'<circle class="dot" cx="{span.at(measured.value)}" cy="11" r="4.5"/>')
    return _svg(height, label, parts, tone)


def box(scores: Sequence[float], label: str, *, span: Span, marks: Sequence[Mark], tone: str) -> Markup:
    """Every score as a dot, the quartiles as a box, whiskers to the 5th and 95th percentile, the median as a line.

    Args:
        scores: finite numbers; without any only the marks are drawn.
        label: the drawing in words.
        span: the scale.
        marks: lines at zero, chance or a floor's median.
        tone: the class of its colour.
    """
    height = 40
    parts = _marks(marks, span, height)
    values = np.asarray([s for s in scores if math.isfinite(s)], dtype=np.float64)
    if values.size:
        p5, q1, middle, q3, p95 = (float(q) for q in np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))
        for index, value in enumerate(values):
            # The golden ratio spreads the dots over the height, the same way every time.
            y = 5 + (index * 0.6180339887 % 1) * (height - 10)
            parts.append(f'<circle class="one" cx="{span.at(float(value))}" cy="{y:.1f}" r="2"/>')
        parts.append(f'<line class="whisker" x1="{span.at(p5)}" x2="{span.at(p95)}" y1="20" y2="20"/>')
        parts.append(f'<rect class="box" x="{span.at(q1)}" width="{span.wide(q1, q3)}" y="9" height="22" rx="2"/>')
        parts.append(f'<line class="median" x1="{span.at(middle)}" x2="{span.at(middle)}" y1="6" y2="34"/>')
    return _svg(height, label, parts, tone)


def histogram(values: Sequence[float], label: str, *, span: Span, bins: int, tone: str) -> Markup:
    """How many of some numbers lie in each part of a span, by columns on a scale of logarithms, so that one is seen.

    Args:
        values: numbers; those outside of the span count for its ends.
        label: the drawing in words.
        bins: parts of the span, of one width.
        tone: the class of its colour.
    """
    height, top, foot = 150, 18, 20
    edges = np.linspace(span.low, span.high, bins + 1)
    counts, _ = np.histogram(np.clip(np.asarray(values, dtype=np.float64), span.low, span.high), edges)
    most = math.log1p(max(1, int(counts.max())))
    parts = [f'<line class="rail" x1="0" x2="100%" y1="{height - foot}" y2="{height - foot}"/>']
    for k, count in enumerate(counts.tolist()):
        tall = (height - top - foot) * math.log1p(count) / most
        x, wide = 100 * k / bins + 0.4, 100 / bins - 0.8
        at = f'x="{x:.2f}%" y="{height - foot - tall:.1f}"'
        parts.append(f'<rect class="column" {at} width="{wide:.2f}%" height="{tall:.1f}"/>')
        if count:
            middle = 100 * (k + 0.5) / bins
            parts.append(
                f'<text x="{middle:.2f}%" y="{height - foot - tall - 4:.1f}" text-anchor="middle">{count}</text>'
            )
    for share, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        value = span.low + share * (span.high - span.low)
        parts.append(f'<text x="{100 * share:g}%" y="{height - 5}" text-anchor="{anchor}">{value:g}</text>')
    return _svg(height, label, parts, tone)


def axis(ticks: Sequence[float], labels: Sequence[str], *, span: Span = UNIT, lines: Sequence[Mark] = ()) -> Markup:
    """A scale with its ticks, to stand over a column of drawings.

    Args:
        ticks: values.
        labels: what is written at them.
        span: the scale.
        lines: marks, drawn as short strokes.
    """
    parts = _marks(lines, span, 20)
    for tick, text in zip(ticks, labels, strict=True):
        share = (tick - span.low) / (span.high - span.low)
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        parts.append(f'<text x="{span.at(tick)}" y="13" text-anchor="{anchor}">{escape(visible(text))}</text>')
        parts.append(f'<line class="tick" x1="{span.at(tick)}" x2="{span.at(tick)}" y1="16" y2="20"/>')
    return _svg(20, f"scale from {labels[0]} to {labels[-1]}", parts, "axis")


def legend(chance: float) -> Markup:
    """The tint's scale from 0 to 1, with a line at chance, below which there is no tint."""
    steps = 40
    parts = []
    for step in range(steps):
        value = (step + 0.5) / steps
        heat = heat_of(value, chance)
        parts.append(
            f'<rect class="heat" x="{100 * step / steps:g}%" y="0" width="{100 / steps + 0.1:g}%" height="14"'
            f' style="--v:{heat}"/>'
        )
    parts.append('<rect class="frame" x="0" y="0.5" width="100%" height="13"/>')
    at = UNIT.at(chance)
    parts.append(f'<line class="chance" x1="{at}" x2="{at}" y1="0" y2="18"/>')
    for value, text, anchor in ((0.0, "0", "start"), (chance, f"chance {chance:g}", "start"), (1.0, "1", "end")):
        shift = ' dx="-4"' if value == chance else ""
        parts.append(f'<text x="{UNIT.at(value)}" y="31" text-anchor="{anchor}"{shift}>{text}</text>')
    return _svg(36, f"tint from 0 to 1; below chance, {chance:g}, there is none", parts, "legend")


def heat_of(value: float, chance: float) -> str:
    """How strongly a cell is tinted: 0 up to chance, then evenly to 1."""
    if math.isnan(value):
        return "0"
    return f"{max(0.0, min(1.0, (value - chance) / (1 - chance))):.3f}"


@dataclass(frozen=True, kw_only=True)
class Dot:
    """A tool in the plane of cost and score, or something else in another one.

    Attributes:
        name: what is written beside it.
        tone: ``tool``, ``floor`` or ``ceiling``.
        x: cost, above 0; in :func:`square` 0 to 1.
        y: score, with ``low`` and ``high``.
    """

    name: str
    tone: str
    x: float
    y: float
    low: float
    high: float


def plane(
    dots: Sequence[Dot], label: str, *, ticks: Sequence[float], names: Sequence[str], marks: Sequence[Mark]
) -> Markup:
    """Score (upwards) against cost (rightwards, by powers of ten), a dot with its interval and name for every tool.

    Args:
        dots: the tools; at least one.
        label: the drawing in words.
        ticks: costs written under it, above 0; the first and the last are its ends.
        names: what is written at them.
        marks: lines at scores, such as chance.
    """
    height, top, foot = 300, 12, 34
    room = height - top - foot
    across = Span(low=math.log10(ticks[0]), high=math.log10(ticks[-1]))
    ends = [dot.y for dot in dots] + [mark.value for mark in marks]
    up = Span(low=min(0.0, *ends), high=max(1.0, *ends))

    def y_of(value: float) -> float:
        return top + room * (1 - (min(up.high, max(up.low, value)) - up.low) / (up.high - up.low))

    parts = [f'<line class="rail" x1="0" x2="100%" y1="{y_of(up.low):.1f}" y2="{y_of(up.low):.1f}"/>']
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = y_of(value)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="0" y="{y - 3:.1f}">{value:g}</text>')
    for mark in marks:
        y = y_of(mark.value)
        parts.append(f'<line class="{mark.kind}" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        if mark.kind == "chance":
            parts.append(f'<text x="100%" y="{y - 4:.1f}" text-anchor="end">chance</text>')
    for tick, name in zip(ticks, names, strict=True):
        share = (math.log10(tick) - across.low) / (across.high - across.low)
        anchor = "start" if share < 0.02 else "end" if share > 0.98 else "middle"
        x = across.at(math.log10(tick))
        parts.append(f'<line class="tick" x1="{x}" x2="{x}" y1="{height - foot}" y2="{height - foot + 5}"/>')
        parts.append(f'<text x="{x}" y="{height - foot + 20}" text-anchor="{anchor}">{escape(visible(name))}</text>')
    parts += _named(dots, across, y_of)
    return _svg(height, label, parts, "plane")


def square(dots: Sequence[Dot], label: str, names: tuple[str, str]) -> Markup:
    """Dots between 0 and 1 in both directions, each with the interval of its height and its name.

    Args:
        label: the drawing in words.
        names: of what goes rightwards and of what goes upwards.
    """
    height, top, foot = 332, 36, 40
    room = height - top - foot
    parts = [f'<text x="0" y="12">{escape(visible(names[1]))}</text>']
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = top + room * (1 - value)
        parts.append(f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="0" y="{y - 3:.1f}">{value:g}</text>')
        anchor = "start" if value == 0 else "end" if value == 1 else "middle"
        parts.append(f'<text x="{UNIT.at(value)}" y="{height - foot + 16}" text-anchor="{anchor}">{value:g}</text>')
    parts.append(f'<text x="100%" y="{height - 4}" text-anchor="end">{escape(visible(names[0]))}</text>')
    parts += _named(dots, UNIT, lambda value: top + room * (1 - value), by=lambda x: x)
    return _svg(height, label, parts, "plane")


_LETTER = 0.019
"""How wide a letter of a name is, in shares of the width of a drawing on a phone, the narrowest there is."""


def _named(
    dots: Sequence[Dot], across: Span, y_of: Callable[[float], float], by: Callable[[float], float] = math.log10
) -> list[str]:
    parts: list[str] = []
    taken: list[tuple[float, float, float]] = []

    def place(dot: Dot) -> float:
        return (by(dot.x) - across.low) / (across.high - across.low)

    # An upright interval is in the way of a name as much as another name is.
    upright = [(place(d), y_of(d.high if math.isfinite(d.high) else d.y), y_of(min(d.low, d.y))) for d in dots]
    for dot in sorted(dots, key=lambda d: (-d.y, d.name)):
        share = place(dot)
        x, y = across.at(by(dot.x)), y_of(dot.y)
        if math.isfinite(dot.low) and math.isfinite(dot.high):
            low, high = y_of(dot.low), y_of(dot.high)
            parts.append(f'<line class="range {dot.tone}" x1="{x}" x2="{x}" y1="{low:.1f}" y2="{high:.1f}"/>')
        parts.append(f'<circle class="dot {dot.tone}" cx="{x}" cy="{y:.1f}" r="5"/>')
        wide = len(dot.name) * _LETTER
        ends = {"start": (share + 0.01, share + 0.03 + wide), "end": (share - 0.03 - wide, share - 0.01)}
        crossed = {
            side: sum(left < other < right and top - 8 < y < foot + 8 for other, top, foot in upright)
            + 9 * (left < 0 or right > 1)
            for side, (left, right) in ends.items()
        }
        side = min(("start", "end"), key=lambda name: crossed[name])
        beside, shift, line = x, 10 if side == "start" else -10, y + 4
        left, right = ends[side]
        if left < 0 or right > 1:  # a long name that fits on neither side stands over its dot, from an edge inwards
            side = "start" if share < 0.5 else "end"
            beside, shift, line = ("0%", 0, y - 10) if side == "start" else ("100%", 0, y - 10)
            left, right = (0.0, wide) if side == "start" else (1 - wide, 1.0)
        while any(abs(line - other) < 14 and left < end and start < right for start, end, other in taken):
            line += 14
        taken.append((left, right, line))
        parts.append(
            f'<text class="name {dot.tone}" x="{beside}" dx="{shift}" y="{line:.1f}" text-anchor="{side}">'
            f"{escape(visible(dot.name))}</text>"
        )
    return parts
