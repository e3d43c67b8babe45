"""The page of the experiment of Figure 5.8: what becomes of natural patches when a search is given less."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gifthorse.records import Interval, Swept
from gifthorse.report import charts
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Row
from gifthorse.report.disguised import spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.statistics import bootstrap_mean


def draw(told: Sequence[Swept], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        told: one a pair, all with the same numbers.
        facts: what is said at the top, by name.
    """
    page = ExperimentPage(
        title="How much natural patches need",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=(
            "Mean success of the best natural patches of random pairs of classes, with its interval of 95% over pairs: "
            "a row for each number of synthetic patches that a search goes by, a column for each number of natural "
            "patches that are tried out. One search a pair: the smaller numbers are its first patches."
        ),
        heading="Mean success",
        charts=(),
        columns=(*(f"{count} tried out" for count in told[0].screened), "each pair, with the most tried out")
        if told
        else (),
        rows=tuple(_row(told, k) for k in range(len(told[0].synthetic))) if told else (),
        notes=() if told else ("No pair could be searched.",),
        galleries=(),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def _row(told: Sequence[Swept], k: int) -> Row:
    count = told[0].synthetic[k]
    name = f"{count} synthetic" if count > 1 else "one synthetic"
    return Row(
        name=name,
        cells=tuple(spelt(mean(told, k, j), "score") for j in range(len(told[0].screened))),
        spread=charts.box(
            [one.success[k][-1] for one in told],
            f"{name}: mean success for each pair",
            span=charts.Span(low=-0.1, high=1.0),
            marks=(charts.Mark(value=0.0, kind="zero"),),
            tone="tool",
        ),
    )


def mean(told: Sequence[Swept], k: int, j: int) -> Interval:
    """Mean success over pairs for the k-th number of synthetic patches and the j-th of natural ones."""
    return bootstrap_mean([one.success[k][j] for one in told], 0, within=(-1.0, 1.0))


def figures(told: Sequence[Swept]) -> dict[str, Any]:
    """What the page says, as JSON values."""
    if not told:
        return {"pairs": 0}
    rows = range(len(told[0].synthetic))
    return {
        "pairs": len(told),
        "synthetic": list(told[0].synthetic),
        "screened": list(told[0].screened),
        "success": [
            [statistics.fmean(one.success[k][j] for one in told) for j in range(len(told[0].screened))] for k in rows
        ],
    }
