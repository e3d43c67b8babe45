"""The page of the experiment on sources: who was attacked with whose patches."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gifthorse.records import Crossed, Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import WIDTH, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean


def gain(rows: Sequence[Crossed]) -> Interval:
    """How much more confident the target is on scenes of a patch's own source than on those of others, a patch each."""
    differences = []
    for row in rows:
        own = row.tried.index(row.source)
        for k, value in enumerate(row.confidences[own]):
            others = [each[k] for place, each in enumerate(row.confidences) if place != own]
            differences.append(value - statistics.fmean(others))
    return bootstrap_mean(differences, 0, within=(-1.0, 1.0))


def draw(rows: Sequence[Crossed], pictures: Sequence[Bytes], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        rows: one a source; ``pictures`` are their patches, ``(n, 4, h, w)`` uint8 each.
        facts: what is said at the top, by name.
    """
    album, found = Album(side=128, inputs=True), gain(rows)
    galleries = []
    for row, made in zip(rows, pictures, strict=True):
        own = row.confidences[row.tried.index(row.source)]
        shown = tuple(
            Shown(
                picture=album.drawn(picture, f"a patch made on {row.source}", WIDTH, row.source),
                strong=words.percent(value),
                said=f"on scenes of {row.source}",
            )
            for picture, value in zip(made, own, strict=True)
        )
        galleries.append(Gallery(name=f"Made on {row.source}", shown=shown, empty="No patch was made."))
    page = ExperimentPage(
        title="Whether adversaries depend on their source",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=(
            "Patches were made on scenes of one class each, all for the same target, and tried on unseen scenes of "
            "every class: a row for each class that they were made on, a column for each that they were tried on."
        ),
        heading="Made on, tried on: mean target confidence",
        charts=(),
        columns=tuple(rows[0].tried),
        rows=tuple(
            Row(
                name=row.source,
                cells=tuple(words.score(statistics.fmean(each)) for each in row.confidences),
                spread=charts.EMPTY,
            )
            for row in rows
        ),
        notes=(
            f"On their own source patches are {spelt(found, 'score')} more confident than on others, "
            f"mean over {sum(len(row.confidences[0]) for row in rows)} patches with its 95% interval.",
        ),
        galleries=tuple(galleries),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def figures(rows: Sequence[Crossed]) -> dict[str, Any]:
    """What the page says, as JSON values."""
    found = gain(rows)
    return {
        "confidence": {
            row.source: dict(zip(row.tried, map(statistics.fmean, row.confidences), strict=True)) for row in rows
        },
        "gain": [found.value, found.low, found.high],
    }
