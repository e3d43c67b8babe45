"""Builds the judge's table (Figure 5.18), and what can be said from it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gifthorse.records import Interval, Measure
from gifthorse.report import words
from gifthorse.report.charts import EMPTY, Mark, axis, heat_of, interval, legend
from gifthorse.report.contexts import Prose
from gifthorse.report.contexts_found import Cell
from gifthorse.report.contexts_page import Group, Judged, JudgedRow
from gifthorse.report.desk import Desk, part_anchor, tool_name
from gifthorse.report.gather import Puzzle, role
from gifthorse.tables.compare import compare_tools
from gifthorse.tables.found import Row

KINDS = ("patch", "style", "natural_feature")
MAIN = "confidence"
"""The judge's measure that the table shows, the thesis's own."""


def judged(desk: Desk, network: str) -> tuple[Judged, ...]:
    """One table a judge that answered questions about one network."""
    puzzles = sorted(desk.run.within(network), key=lambda puzzle: _rank(puzzle.case.trojan.kind))
    return tuple(_table(desk, network, judge, puzzles) for judge in judges_of(desk, network))


def judges_of(desk: Desk, network: str) -> tuple[str, ...]:
    """The judges that answered questions about one network."""
    return tuple(sorted({row["judge"] for row in desk.run.tables["match"] if row["network"] == network}))


def chance_of(desk: Desk, network: str, judge: str) -> float:
    """What guessing gives a judge, as its verdicts say; one in eight where they do not."""
    rows = (r for r in desk.run.tables["match"] if (r["network"], r["judge"]) == (network, judge))
    return next((row["chance"] for row in rows if row["chance"] is not None), 0.125)


def _rank(kind: str) -> int:
    return KINDS.index(kind) if kind in KINDS else len(KINDS)


def _table(desk: Desk, network: str, judge: str, puzzles: Sequence[Puzzle]) -> Judged:
    looked = [(p, e) for p in puzzles for e in p.evidence if e.record.kind == "synthesis"]
    verdicts = [v for _, e in looked if (v := desk.run.judged(e, judge))]
    measures = [v.record.measures[0] for v in verdicts if v.record.measures]
    chance = chance_of(desk, network, judge)
    tools = sorted({e.record.tool.name for _, e in looked})
    rows = [_row(desk, (network, judge, tool), puzzles, chance) for tool in tools]
    place = {"tool": 0, "floor": 1, "ceiling": 2}
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
            for kind in dict.fromkeys(p.case.trojan.kind for p in puzzles)
        ),
        rows=tuple(sorted(rows, key=lambda r: (place[r.tool.role], -(r.mean.value if r.mean else -9), r.tool.name))),
        legend=legend(chance),
        axis=axis((0, 0.5, 1), ("0", "0.5", "1"), lines=[Mark(value=chance, kind="chance")]),
        chance=words.score(chance, 3),
    )


def _named(measure: Measure) -> str:
    known = {MAIN: "the probability that the judge gives to the right one of the options, mean over a tool's findings"}
    return known.get(measure.name, measure.name)


def _row(desk: Desk, about: tuple[str, str, str], puzzles: Sequence[Puzzle], chance: float) -> JudgedRow:
    network, judge, tool = about
    mean = desk.summed(desk.run.sums.get((network, judge, MAIN, tool)))
    chart = EMPTY
    if mean:
        label = f"{judge} of {tool}: mean {words.score(mean[0].value)}, chance {words.score(chance, 3)}"
        chart = interval(mean[0], label, marks=[Mark(value=chance, kind="chance")], tone=role(tool))
    return JudgedRow(
        tool=tool_name(tool),
        cells=tuple(cell(desk, puzzle, tool, judge, chance) for puzzle in puzzles),
        mean=mean[1] if mean else None,
        chart=chart,
    )


def cell(desk: Desk, puzzle: Puzzle, tool: str, judge: str, chance: float) -> Cell:
    """What a judge gives to the right answer, shown what one tool left of one trojan; over seeds where they are many.

    Args:
        desk: the records.
        puzzle: the trojan.
        tool: whose findings.
        judge: who judged.
        chance: up to which there is no tint.
    """
    pieces = puzzle.of(tool)
    verdicts = [v for e in pieces if (v := desk.run.judged(e, judge))]
    scored = [v for v in verdicts if v.record.measures and not v.record.not_scored]
    if len(scored) == 1:
        measured = scored[0].record.measures[0].interval
        number = desk.number(measured, [scored[0].key])
    else:
        found = [(v.record.measures[0].interval.value, v.key) for v in scored]
        mean = desk.mean(found, f"{judge}: mean of {tool} on {puzzle.name} over seeds")
        if mean is None:
            reasons = [*(v.record.not_scored for v in verdicts), *(e.record.refusal for e in pieces)]
            why = next((reason for reason in reasons if reason), "it failed or has not run")
            return Cell(number=None, heat="0", note=why)
        measured, number = mean
    note = ", ".join(part for part in (number.between, number.n) if part)
    return Cell(number=number, heat=heat_of(measured.value, chance), note=note)


def resolvable(desk: Desk) -> str:
    """What a run of this size can show: the smallest difference of two tools that its own spread would show."""
    rows = [row for row in _pairs(desk) if row["resolvable"] is not None]
    # A floor hardly varies, so less is needed to be told from it than between two contenders.
    rows = [row for row in rows if role(row["a"]) == role(row["b"]) == "tool"] or rows
    if not rows:
        return ""
    ends = [words.score(end([row["resolvable"] for row in rows])) for end in (min, max)]
    most = max(row["trojans"] for row in rows)
    return (
        f"With {words.counted(most, 'trojan')}, two tools are told apart here if their means differ by about "
        f"{' to '.join(dict.fromkeys(ends))} or more (power 0.8); smaller differences are not findings. "
        f"More trojans would show smaller ones, more findings of each would not."
    )


def findings(desk: Desk) -> tuple[Prose, ...]:
    """Which tool beats which, as the tables compare them: two-way variance and Holm's correction."""
    made: list[Prose] = []
    how = "two-way variance over networks and trojans, Student's t, Holm's correction, level 0.05"
    for judge in sorted({row["judge"] for row in desk.run.tables["match"]}):
        pairs = [row for row in _pairs(desk) if row["judge"] == judge and row["p"] is not None]
        told = [row for row in pairs if row["winner"]]
        if told:
            count = f"{len(told)} of {words.counted(len(pairs), 'pair')} of tools"
            made.append(Prose(parts=(f"By {judge}, {count} are told apart ({how}):",)))
            made += [_difference(desk, row) for row in told]
        elif pairs:
            count = "the only pair of tools" if len(pairs) == 1 else f"any of the {len(pairs)} pairs of tools"
            made.append(Prose(parts=(f"By {judge}, this run does not tell {count} apart ({how}).",)))
    return tuple(made)


def _pairs(desk: Desk) -> list[Row]:
    """Comparisons of contenders with each other and with the floors."""
    rows = compare_tools(desk.run.tables["match"])
    return [row for row in rows if "ceiling" not in (role(row["a"]), role(row["b"]))]


def _difference(desk: Desk, row: Row) -> Prose:
    winner = row["winner"]
    loser = row["b"] if winner == row["a"] else row["a"]
    ends = [math.nan if row[end] is None else row[end] for end in ("low", "high")]
    if row["difference"] < 0:
        ends = [-end for end in reversed(ends)]
    measured = Interval(value=abs(row["difference"]), low=ends[0], high=ends[1], n=row["trojans"])
    keys = [r["key"] for r in desk.run.tables["match"] if r["judge"] == row["judge"] and r["tool"] in (winner, loser)]
    number = desk.number(measured, keys, what=f"{row['judge']}: mean of {winner} minus mean of {loser}")
    return Prose(parts=(f"{winner} over {loser} by", number, f", {_p(row['p_holm'])}."))


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"
