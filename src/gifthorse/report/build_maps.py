"""Builds "Attribution": maps beside the masks (Figure 4.1) and their scores (Figure 4.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from gifthorse.heat import constant
from gifthorse.records import Evidence, Interval, Probes, Verdict
from gifthorse.report import words
from gifthorse.report.build_compared import compared, measures, named
from gifthorse.report.charts import Mark, Span, axis, box, interval
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_maps import Attribution, Mapped, MapRow, MapTable, ScoreRow, Scores
from gifthorse.report.desk import Desk, measure_of, part_anchor, tools_of
from gifthorse.report.gather import Kept, Puzzle, role
from gifthorse.report.pictures import Floats, colour, missing, own_scale, scale_bar
from gifthorse.tables.found import MEASURES as SCORED

ROWS = 6
"""Images shown, shared out over the trojans."""

MEASURES = {
    "pearson": "How well the map and the trigger's square agree, over the pixels of an image; 1 is best (thesis 4.2)",
    "pearson_alpha": "The same with the trigger's own outline instead of its square",
    "l1": "Mean distance of the map, divided by its largest value, from the square: lower is better",
    "auprc": "Area under the precision-recall curve of the map as a detector of the square's pixels",
    "iou": "Overlap of the square and as many of the map's highest pixels as it has",
    "pointing_game": "Share of images whose highest point lies in the square: each image scores 0 or 1",
    "recovering_rate": "Share of images whose class returns when the original pixels are pasted back where the map is "
    "highest, as many as the square has",
}

TABLED = frozenset(SCORED) - set(MEASURES)
"""Measures that stand in tables only: the same under other conventions."""

BOXES = "Dots are images; the box holds the middle half of them, its thick line the median, the whiskers nine tenths"
ONES = "The dot is the mean, with its interval"

Pieces = Sequence[tuple[Puzzle, Kept[Evidence]]]
Shown = tuple[Puzzle, Probes, int]
Scale = Callable[[str, Floats], float]
"""What a tool's map is divided by."""
Scored = tuple[str, float, str]
"""(trojan, score, unit key) of one image."""


TRACING = ("edges_", "input_x_")
"""Tools whose maps are made of the image's own pixels: of a photograph, they are a drawing."""


def attribution(desk: Desk, network: str) -> Attribution | None:
    """One network's part, or None where no attribution tool looked at it."""
    pieces = [(p, e) for p, e in desk.run.all_evidence("attribution") if p.network == network]
    if not pieces:
        return None
    return Attribution(
        anchor=part_anchor("attribution", network),
        network=network,
        maps=_tables(desk, pieces),
        scores=_scores(desk, network, pieces),
        dropped=_dropped(pieces),
        compared=compared(desk, network),
        measures=measures(desk, network),
        made=_made(pieces),
    )


def _made(pieces: Pieces) -> tuple[Fact, ...]:
    """What a tool says of its work, where it says anything; its arithmetic once where it is the same everywhere."""
    found: dict[str, tuple[dict[str, None], list[str]]] = {}
    for puzzle, kept in pieces:
        arithmetic, told = found.setdefault(kept.record.tool.name, ({}, []))
        if kept.record.precision is not None:
            arithmetic[words.precision(kept.record.precision)] = None
        if kept.record.hints:
            told.append(f"{puzzle.name}: {'; '.join(kept.record.hints)}")
    texts = {tool: ". ".join([*arithmetic, *told]) for tool, (arithmetic, told) in found.items()}
    return tuple(Fact(name=tool, text=f"{text}.") for tool, text in sorted(texts.items()) if text)


def _dropped(pieces: Pieces) -> str:
    unique = {puzzle.name: puzzle.case.probes for puzzle, _ in pieces if puzzle.case.probes}
    if not unique:
        return ""
    explained = {name: max(e.record.explained for p, e in pieces if p.name == name) for name in unique}
    tried = sum(probes.tried for probes in unique.values())
    fired = sum(probes.fired for probes in unique.values())
    kept = sum(explained.values())
    return (
        f"{tried:,} triggered images were tried; the trojan fired on {fired:,} of them, "
        f"of which {kept:,} are explained."
    )


def _tables(desk: Desk, pieces: Pieces) -> tuple[MapTable, ...]:
    tools = tools_of([e for _, e in pieces if e.record.maps])
    chosen = _chosen(pieces)
    if not tools or not chosen:
        return ()
    tops = {tool: _top(pieces, tool) for tool in tools}
    signed = any(top[1] for top in tops.values())
    low = -1.0 if signed else 0.0

    def own(_tool: str, values: Floats) -> float:
        return own_scale(values)

    def shared(tool: str, _values: Floats) -> float:
        return tops[tool][0]

    made = []
    for title, note, scale in (
        (
            "Each map on its own scale, clamped, as in the thesis",
            "Every map is divided by the 99th percentile of its own absolute values and clamped at 1. "
            "Clamping hides differences between large values, and a map with nothing in it looks as loud as any other. "
            "The number under a map is what it was divided by; the title of a map has the range of its raw values.",
            own,
        ),
        (
            "Each tool on one scale",
            "All maps of a tool are divided by the largest absolute value in any of them, shown or not, "
            "so that a faint map is faint. Nothing is clamped.",
            shared,
        ),
    ):
        made.append(
            MapTable(
                title=title,
                note=note,
                tools=tuple(named(desk, pieces[0][0].network, tool) for tool in tools),
                rows=tuple(_map_row(desk, shown, tools, scale) for shown in chosen),
                bar=desk.album.drawn(scale_bar(low), "the colours of the maps, low to high", 128, "drawn here"),
                ends=(f"{words.MINUS}1" if signed else "0", "0" if signed else "", "1"),
            )
        )
    return tuple(made)


def _chosen(pieces: Pieces) -> list[Shown]:
    """Which images are shown: the first ones of each trojan, so that nobody picked them."""
    explained = {p.name: (p, p.case.probes) for p, e in pieces if e.record.maps}
    puzzles = [(puzzle, probes) for puzzle, probes in explained.values() if probes]
    each = max(1, ROWS // max(1, len(puzzles)))
    return [(puzzle, probes, i) for puzzle, probes in puzzles for i in range(min(each, probes.images.count))]


def _top(pieces: Pieces, tool: str) -> tuple[float, bool]:
    """The largest absolute value of a tool's maps, and whether any of them is below 0."""
    largest, below = 0.0, False
    for _, kept in pieces:
        if kept.record.tool.name == tool and kept.record.maps:
            values = np.nan_to_num(kept.unit.array(kept.record.maps))
            if values.size:
                largest = max(largest, float(np.abs(values).max()))
                below = below or float(values.min()) < 0
    return largest or 1.0, below


def _map_row(desk: Desk, shown: Shown, tools: tuple[str, ...], scale: Scale) -> MapRow:
    puzzle, probes, index = shown
    caption = puzzle.case.trojan.caption
    return MapRow(
        trojan=desk.local(puzzle),
        image=desk.of_case(puzzle, probes.images, index, f"an image with {caption}", 96, private=True),
        mask=desk.of_case(puzzle, probes.squares, index, f"where {caption} is in it", 96),
        maps=tuple(_map(desk, puzzle, index, tool, scale) for tool in tools),
    )


def _map(desk: Desk, puzzle: Puzzle, index: int, tool: str, scale: Scale) -> Mapped | None:
    kept = next((e for e in puzzle.of(tool) if e.record.maps and index < e.record.explained), None)
    if kept is None or kept.record.maps is None:
        return None
    values = kept.unit.array(kept.record.maps)[index]
    if bool(constant(values[None])[0]):
        return Mapped(picture=None, under="constant")
    divisor, ends = scale(tool, values), (float(values.min()), float(values.max()))
    raw = " to ".join(f"{end:.3g}".replace("-", words.MINUS) for end in ends)
    place = f"evidence {kept.key[:12]}, {kept.record.maps}, map {index}, raw {raw}, divided by {divisor:.3g}"
    alt = f"{tool} on the image with {puzzle.case.trojan.caption}"
    if not desk.album.inputs and tool.startswith(TRACING):
        return Mapped(picture=missing(alt, 96, 96, place), under="")
    return Mapped(picture=desk.album.drawn(colour(values / divisor), alt, 96, place), under=f"÷ {divisor:.3g}")


def _scores(desk: Desk, network: str, pieces: Pieces) -> tuple[Scores, ...]:
    verdicts = [(e, v) for _, e in pieces for v in desk.run.verdicts.get(e.key, ())]
    names = list(dict.fromkeys(m.name for _, v in verdicts for m in v.record.measures if m.name not in TABLED))
    return tuple(_measure(desk, verdicts, name, _how(desk, network, name)) for name in sorted(names, key=_rank))


def _rank(measure: str) -> tuple[int, str]:
    known = list(MEASURES)
    return (known.index(measure) if measure in known else len(known), measure)


def _how(desk: Desk, network: str, measure: str) -> str:
    """What the means' intervals are, in the tables' words."""
    rows = (row for (at, _, named, _), row in desk.run.sums.items() if (at, named) == (network, measure))
    return next((row["interval"] for row in rows if row["interval"]), "no interval")


def _measure(desk: Desk, verdicts: Sequence[tuple[Kept[Evidence], Kept[Verdict]]], name: str, how: str) -> Scores:
    found: dict[str, list[Kept[Verdict]]] = {}
    for evidence, verdict in verdicts:
        found.setdefault(evidence.record.tool.name, []).append(verdict)
    values = {tool: _values(kept, name) for tool, kept in found.items()}
    explained = {tool: sum(e.record.explained for e, _ in verdicts if e.record.tool.name == tool) for tool in found}
    chances = [m.chance for _, v in verdicts if (m := measure_of(v.record.measures, name)) and m.chance is not None]
    every = [value for scores in values.values() for _, value, _ in scores if math.isfinite(value)]
    lower = name == "l1"
    span = Span(low=-0.5 if min(every, default=0.0) >= -0.5 else -1.0, high=1.0) if "pearson" in name else _span(every)
    chance = sum(chances) / len(chances) if chances else None
    marks = [] if chance is None else [Mark(value=chance, kind="chance")]
    binary = bool(every) and set(every) <= {0.0, 1.0}
    best = _best_floor(values, binary=binary, lower=lower)
    marks += [Mark(value=best[1], kind="rival")] if best else []
    ticks = [t for t in (-1.0, -0.5, 0.0, 0.5, 1.0) if span.low <= t <= span.high]
    drawn = _Drawn(name=name, span=span, marks=tuple(marks), binary=binary)
    rows = [row for tool, kept in found.items() if (row := _row(desk, kept, values[tool], explained[tool], drawn))]
    note = MEASURES.get(name, "")
    if chance is not None:
        note += f"{'. ' if note else ''}The dotted line is chance, {words.score(chance, 3 if chance else 0)}"
    if best:
        middle = "mean" if binary else "median"
        note += f"{'. ' if note else ''}The red line is the {middle} of {best[0]}, the floor to beat"
    note += f"{'. ' if note else ''}{ONES if binary else BOXES}"
    return Scores(
        measure=words.measure(name),
        how=how,
        note=f"{note}.",
        axis=axis(ticks, [words.score(t, 1 if t else 0) for t in ticks], span=span),
        silent=_silent(verdicts, name, {row.tool.name for row in rows}),
        rows=tuple(sorted(rows, key=lambda row: _order(row, lower=lower))),
    )


def _order(row: ScoreRow, *, lower: bool) -> tuple[float, float, str]:
    sign = 1 if lower else -1
    return sign * _sortable(row.median.value), sign * _sortable(row.mean.value), row.tool.name


def _best_floor(values: Mapping[str, Sequence[Scored]], *, binary: bool, lower: bool) -> tuple[str, float] | None:
    """The floor with the best median (of zeros and ones: mean), and that number: what a tool is to beat."""
    middle = np.mean if binary else np.median
    found = [(float(middle(scores)), tool) for tool, scores in _finite(values).items() if role(tool) == "floor"]
    if not found:
        return None
    best, tool = min(found) if lower else max(found)
    return tool, best


def _finite(values: Mapping[str, Sequence[Scored]]) -> dict[str, list[float]]:
    """The scores of each tool that has any."""
    kept = {tool: [s for _, s, _ in scored if math.isfinite(s)] for tool, scored in values.items()}
    return {tool: scores for tool, scores in kept.items() if scores}


def _silent(verdicts: Sequence[tuple[Kept[Evidence], Kept[Verdict]]], name: str, scored: set[str]) -> tuple[Fact, ...]:
    reasons: dict[str, str] = {}
    for evidence, verdict in verdicts:
        tool = evidence.record.tool.name
        if tool not in scored:
            reasons.setdefault(tool, verdict.record.not_scored or f"it has no {words.measure(name)}")
    return tuple(Fact(name=tool, text=reasons[tool]) for tool in sorted(reasons))


def _span(values: Sequence[float]) -> Span:
    return Span(low=min(0.0, *values, 0.0), high=max(1.0, *values, 1.0))


def _sortable(value: float) -> float:
    return value if math.isfinite(value) else -math.inf


def _values(kept: Sequence[Kept[Verdict]], name: str) -> list[Scored]:
    """What every image scored."""
    return [
        (v.record.trojan, score, v.key)
        for v in kept
        if (measure := measure_of(v.record.measures, name))
        for score in measure.scores
    ]


def _chart(scores: Sequence[float], mean: Interval, label: str, tone: str, drawn: _Drawn) -> Markup:
    if drawn.binary:
        return interval(mean, label, span=drawn.span, marks=drawn.marks, tone=tone)
    return box(scores, label, span=drawn.span, marks=drawn.marks, tone=tone)


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """A measure, and how its scores are drawn: as a box, or as a mean where they are zeros and ones."""

    name: str
    span: Span
    marks: tuple[Mark, ...]
    binary: bool


def _row(
    desk: Desk, kept: Sequence[Kept[Verdict]], values: Sequence[Scored], explained: int, drawn: _Drawn
) -> ScoreRow | None:
    tool, name = kept[0].record.tool, drawn.name
    mean = desk.summed(desk.run.sums.get((kept[0].record.network, kept[0].record.judge.name, name, tool)))
    if mean is None:
        return None
    scores = [value for _, value, _ in values if math.isfinite(value)]
    middle = float(np.median(scores))
    shown = named(desk, kept[0].record.network, tool)
    reasons = _reasons(desk, {v.key for v in kept}, name)
    # A verdict leaves images out of one of its measures or another: those that have no score by this one are meant.
    left = max(0, explained - len(scores))
    label = f"{words.measure(name)} of {tool}: median {words.score(middle)}, {words.counted(len(scores), 'image')}"
    return ScoreRow(
        tool=shown,
        chart=_chart(scores, mean[0], label, shown.role, drawn),
        median=desk.plain(middle, words.score(middle), [k for _, _, k in values], f"median {name} of {tool}"),
        mean=mean[1],
        images=desk.plain(len(scores), words.whole(len(scores)), [k for _, _, k in values], f"scores of {tool}"),
        excluded=f"{left:,} left out: {words.listed(reasons) or 'no reason given'}" if left else "",
    )


def _reasons(desk: Desk, keys: set[str], measure: str) -> list[str]:
    """Why images have no score by a measure, in the tables' words."""
    rows = desk.run.tables["footprint"]
    told = {row["excluded_reason"] for row in rows if row["key"] in keys and row["measure"] == measure}
    return sorted(told - {None})
