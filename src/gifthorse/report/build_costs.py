"""Builds "Costs": seconds, passes and memory of each tool, and its score against them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gifthorse.records import Evidence, Interval
from gifthorse.report import words
from gifthorse.report.build_judged import MAIN
from gifthorse.report.charts import Dot, Mark, plane
from gifthorse.report.contexts import Number
from gifthorse.report.contexts_page import CostPlot, CostRow, Costs, StageRow
from gifthorse.report.desk import Desk, tool_name, tools_of
from gifthorse.report.gather import Kept

Mean = tuple[Interval, Number]


def costs(desk: Desk) -> Costs:
    """What everything cost."""
    rows: list[CostRow] = []
    plots: list[CostPlot] = []
    for network in sorted({p.network for p in desk.run.puzzles}):
        for kind in ("attribution", "synthesis"):
            pieces = [e for p, e in desk.run.all_evidence(kind) if p.network == network]
            means = {tool: _score(desk, network, kind, tool) for tool in tools_of(pieces)}
            made = [
                _row(desk, network, kind, tool, [e for e in pieces if e.record.tool.name == tool], means[tool])
                for tool in means
            ]
            rows += made
            plots += _plot(network, kind, made, means)
    return Costs(rows=tuple(rows), plots=tuple(plots), stages=_stages(desk))


def _row(
    desk: Desk, network: str, kind: str, tool: str, pieces: Sequence[Kept[Evidence]], mean: Mean | None
) -> CostRow:
    keys = [piece.key for piece in pieces]
    paid = [piece.cost for piece in pieces if piece.cost]
    what = f"{tool} on {network}, all its evidence"
    taken = sum(cost.seconds for cost in paid)
    peak = max((cost.peak_bytes for cost in paid), default=0)
    forward, backward = sum(cost.forward for cost in paid), sum(cost.backward for cost in paid)
    return CostRow(
        network=network,
        tool=tool_name(tool),
        kind=kind,
        cells=desk.plain(len(pieces), words.whole(len(pieces)), keys, what),
        seconds=desk.plain(taken, words.seconds(taken), keys, what),
        forward=desk.plain(forward, words.whole(forward), keys, what),
        backward=desk.plain(backward, words.whole(backward), keys, what),
        peak=desk.plain(peak, words.size(peak) if peak else "not measured", keys, what),
        score=mean[1] if mean else None,
    )


def _score(desk: Desk, network: str, kind: str, tool: str) -> Mean | None:
    """The tool's mean by the first judge, the one that the plot shows."""
    measure = "pearson" if kind == "attribution" else MAIN
    rows = (row for (at, _, name, who), row in desk.run.sums.items() if (at, name, who) == (network, measure, tool))
    return desk.summed(next(rows, None))


def _plot(network: str, kind: str, rows: Sequence[CostRow], means: dict[str, Mean | None]) -> list[CostPlot]:
    dots = []
    for row in rows:
        mean = means[row.tool.name]
        if mean is None or row.seconds.value <= 0:
            continue
        dots.append(
            Dot(
                name=row.tool.name,
                tone=row.tool.role,
                x=row.seconds.value,
                y=mean[0].value,
                low=mean[0].low,
                high=mean[0].high,
            )
        )
    if not dots:
        return []
    low = math.floor(math.log10(min(dot.x for dot in dots)))
    high = max(low + 1, math.ceil(math.log10(max(dot.x for dot in dots))))
    ticks = [10.0**power for power in range(low, high + 1)]
    what = "mean correlation" if kind == "attribution" else "mean probability of the right answer"
    marks = [Mark(value=0.125, kind="chance")] if kind == "synthesis" else [Mark(value=0.0, kind="chance")]
    label = f"{what} against seconds, {network}: " + ", ".join(
        f"{dot.name} {words.score(dot.y)} in {words.seconds(dot.x)}" for dot in dots
    )
    chart = plane(dots, label, ticks=ticks, names=[_tick(tick) for tick in ticks], marks=marks)
    return [CostPlot(title=f"{network}, {kind}: {what} (upwards) against seconds in all (rightwards)", chart=chart)]


def _tick(value: float) -> str:
    return f"{value:g} s" if value < 1000 else f"{value:,.0f} s"


def _stages(desk: Desk) -> tuple[StageRow, ...]:
    spent: dict[str, list[tuple[str, float]]] = {}
    for unit in desk.run.units:
        cost = unit.cost()
        spent.setdefault(unit.kind, []).append((unit.key, cost.seconds if cost else 0.0))
    rows = []
    for kind, units in sorted(spent.items()):
        keys, taken, what = [key for key, _ in units], sum(seconds for _, seconds in units), f"all units of kind {kind}"
        rows.append(
            StageRow(
                kind=kind,
                what=words.unit(kind),
                units=desk.plain(len(units), words.whole(len(units)), keys, what),
                seconds=desk.plain(taken, words.seconds(taken), keys, what),
            )
        )
    return tuple(rows)
