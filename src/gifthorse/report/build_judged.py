"""Builds the judge's table (Figure 5.18), what can be said from it, and what everything cost."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from gifthorse.comparisons import Scores as Crossed
from gifthorse.comparisons import holm, two_way
from gifthorse.records import Interval, Measure
from gifthorse.report import words
from gifthorse.report.charts import EMPTY, Mark, axis, heat_of, interval, legend
from gifthorse.report.contexts import Number, Prose
from gifthorse.report.contexts_found import Cell, Group, Judged, JudgedRow
from gifthorse.report.desk import Desk, part_anchor, tool_name
from gifthorse.report.gather import Puzzle, role

KINDS = ("patch", "style", "natural_feature")
LEVEL = 0.05

Score = tuple[str, str, str, str, float, str]
"""(judge, network, tool, trojan, score, verdict key)."""


def judged(desk: Desk, network: str) -> tuple[Judged, ...]:
    """One table a judge that answered questions about one network."""
    puzzles = sorted(desk.run.within(network), key=lambda p: KINDS.index(p.case.trojan.kind) if _known(p) else 9)
    judges = sorted({judge for judge, at, *_ in scores(desk) if at == network})
    return tuple(_table(desk, network, judge, puzzles) for judge in judges)


def _known(puzzle: Puzzle) -> bool:
    return puzzle.case.trojan.kind in KINDS


def scores(desk: Desk) -> tuple[Score, ...]:
    """The main measure of every answered question; what was not scored is not among them."""
    found = []
    for puzzle, evidence in desk.run.all_evidence("synthesis"):
        for verdict in desk.run.verdicts.get(evidence.key, ()):
            record = verdict.record
            if record.measures and not record.not_scored and math.isfinite(record.measures[0].interval.value):
                value = record.measures[0].interval.value
                tool = evidence.record.tool.name
                found.append((record.judge.name, puzzle.network, tool, puzzle.name, value, verdict.key))
    return tuple(found)


def _table(desk: Desk, network: str, judge: str, puzzles: Sequence[Puzzle]) -> Judged:
    measures = [
        v.record.measures[0]
        for p in puzzles
        for e in p.evidence
        if e.record.kind == "synthesis" and (v := desk.run.judged(e, judge)) and v.record.measures
    ]
    chance = next((m.chance for m in measures if m.chance is not None), 0.125)
    tools = {e.record.tool.name for p in puzzles for e in p.evidence if e.record.kind == "synthesis"}
    rows = [_row(desk, tool, judge, puzzles, chance) for tool in tools]
    rank = {"tool": 0, "floor": 1, "ceiling": 2}
    kinds = dict.fromkeys(p.case.trojan.kind for p in puzzles)
    return Judged(
        anchor=part_anchor("judged", network, judge),
        network=network,
        judge=judge,
        measure=_named(measures[0]) if measures else "",
        groups=tuple(
            Group(
                kind=words.kind(kind),
                columns=tuple(desk.local(p) for p in puzzles if p.case.trojan.kind == kind),
            )
            for kind in kinds
        ),
        rows=tuple(sorted(rows, key=lambda r: (rank[r.tool.role], -(r.mean.value if r.mean else -9), r.tool.name))),
        legend=legend(chance),
        axis=axis((0, 0.5, 1), ("0", "0.5", "1"), lines=[Mark(value=chance, kind="chance")]),
        chance=words.score(chance, 3),
    )


def _named(measure: Measure) -> str:
    known = {"confidence": "the probability that the judge gives to the right one of the options, mean over findings"}
    return known.get(measure.name, measure.name)


def _row(desk: Desk, tool: str, judge: str, puzzles: Sequence[Puzzle], chance: float) -> JudgedRow:
    cells, found = [], []
    for puzzle in puzzles:
        cell, scored = _cell(desk, puzzle, tool, judge, chance)
        cells.append(cell)
        found += scored
    mean = desk.mean(found, f"mean of {tool} over trojans, {judge}")
    chart = EMPTY
    if mean:
        label = f"{judge} of {tool}: mean {words.score(mean[0].value)}, chance {words.score(chance, 3)}"
        chart = interval(mean[0], label, marks=[Mark(value=chance, kind="chance")], tone=role(tool))
    return JudgedRow(tool=tool_name(tool), cells=tuple(cells), mean=mean[1] if mean else None, chart=chart)


def _cell(
    desk: Desk, puzzle: Puzzle, tool: str, judge: str, chance: float
) -> tuple[Cell, list[tuple[str, float, str]]]:
    pieces = puzzle.of(tool)
    verdicts = [v for e in pieces if (v := desk.run.judged(e, judge))]
    scored = [v for v in verdicts if v.record.measures and not v.record.not_scored]
    if not scored:
        reasons = [v.record.not_scored for v in verdicts if v.record.not_scored]
        reasons += [e.record.refusal for e in pieces if e.record.refusal]
        note = reasons[0] if reasons else "it failed or has not run"
        return Cell(number=None, heat="0", note=note or ""), []
    found = [(puzzle.name, v.record.measures[0].interval.value, v.key) for v in scored]
    if len(scored) == 1:
        measured = scored[0].record.measures[0].interval
        number = desk.number(measured, [scored[0].key])
    else:
        mean = desk.mean(found, f"mean of {tool} on {puzzle.name} over seeds, {judge}")
        if mean is None:
            return Cell(number=None, heat="0", note="no finite score"), []
        measured, number = mean
    note = ", ".join(part for part in (number.between, number.n) if part)
    return Cell(number=number, heat=heat_of(measured.value, chance), note=note), found


def separable(trojans: int) -> str:
    """What a run over so many trojans can tell apart.

    In simulation (100 answers a cell, power 0.7) 12 trojans separate 17 points, and four times as many half of that.

    Args:
        trojans: scored by the judge, over all networks.
    """
    if trojans < 2:
        return "One trojan says nothing about the order of tools."
    points = round(100 * 0.174 * math.sqrt(12 / trojans))
    told = f"{words.counted(trojans, 'trojan')} can tell tools apart that differ by about {min(points, 100)} points"
    more = "" if trojans >= 48 else " More trojans, not more findings, would show smaller ones: emoji48 has 48."
    return f"{told}; smaller differences are not findings.{more}"


def findings(desk: Desk) -> tuple[Prose, ...]:
    """Which pairs of tools differ: two-way variance over networks and trojans, Holm's correction."""
    made: list[Prose] = []
    every = scores(desk)
    for judge in sorted({score[0] for score in every}):
        made += _pairs(desk, judge, [s for s in every if s[0] == judge and role(s[2]) == "tool"])
    return tuple(made)


def _pairs(desk: Desk, judge: str, found: list[Score]) -> list[Prose]:
    tools = sorted({score[2] for score in found})
    compared = []
    for a, b in itertools.combinations(tools, 2):
        of_a, of_b = ([s for s in found if s[2] == tool] for tool in (a, b))
        both = {(s[1], s[3]) for s in of_a} & {(s[1], s[3]) for s in of_b}
        of_a, of_b = ([s for s in side if (s[1], s[3]) in both] for side in (of_a, of_b))
        if len({trojan for _, trojan in both}) > 1:
            compared.append((a, b, two_way(_crossed(of_a), _crossed(of_b)), [s[5] for s in (*of_a, *of_b)]))
    if not compared:
        return []
    corrected = holm([comparison.p for _, _, comparison, _ in compared])
    told = [
        _difference(desk, (a, b), comparison.difference, keys)
        for (a, b, comparison, keys), p in zip(compared, corrected, strict=True)
        if p <= LEVEL
    ]
    how = "two-way variance over networks and trojans, Student's t, Holm's correction, level 0.05"
    if not told:
        count = "the only pair of tools" if len(compared) == 1 else f"any of the {len(compared)} pairs of tools"
        return [Prose(parts=(f"By {judge}, this run does not tell {count} apart ({how}).",))]
    intro = f"By {judge}, {len(told)} of {words.counted(len(compared), 'pair')} of tools differ ({how}):"
    return [Prose(parts=(intro,)), *told]


def _crossed(found: Sequence[Score]) -> Crossed:
    return Crossed(values=[s[4] for s in found], units=[s[1] for s in found], trojans=[s[3] for s in found])


def _difference(desk: Desk, tools: tuple[str, str], difference: Interval, keys: Sequence[str]) -> Prose:
    above, below = tools
    if difference.value < 0:
        above, below = below, above
        difference = Interval(value=-difference.value, low=-difference.high, high=-difference.low, n=difference.n)
    number: Number = desk.number(difference, keys, what=f"mean of {above} minus mean of {below}")
    return Prose(parts=(f"{above} over {below} by", number))
