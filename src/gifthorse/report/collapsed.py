"""The page of the experiment on mode collapse: how alike the patches of one fine-tuned generator are."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from gifthorse.records import Drawn, Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import WIDTH, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean

Made = Sequence[tuple[Drawn, Bytes]]
"""Targets of an arm, each with its patches ``(n, 4, h, w)`` uint8."""

SHOWN = 3
"""Targets of each arm that are shown, the same ones."""


def draw(found: Mapping[str, Made], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        found: arm to its targets; those without any are left out.
        facts: what is said at the top, by name.
    """
    album = Album(side=96, inputs=True)
    told = {arm: made for arm, made in found.items() if made}
    page = ExperimentPage(
        title="How alike the patches of one fine-tuned generator are",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=(
            "A generator that is fine-tuned for a target may draw the same patch from every latent: its modes "
            "collapse. Apart is the mean difference of two of a target's patches, of their colours at 8 by 8 pixels, "
            "from 0 to 1. Confidences are means over scenes that no patch was made on. Intervals are of 95%, over "
            "targets."
        ),
        heading="With a diversity term, and without",
        charts=(),
        columns=("targets", "apart", "mean target confidence", "confidence of each patch"),
        rows=tuple(_row(arm, made) for arm, made in told.items()),
        notes=_notes(told),
        galleries=tuple(
            _gallery(album, record, pictures) for arm in told for record, pictures in list(told[arm])[:SHOWN]
        ),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def cells(made: Made) -> dict[str, Interval]:
    """Mean distance of two patches and mean confidence of an arm, over targets."""
    return {
        "apart": bootstrap_mean([record.apart for record, _ in made], 0, within=(0.0, 1.0)),
        "confidence": bootstrap_mean(
            [statistics.fmean(record.confidences) for record, _ in made], 0, within=(0.0, 1.0)
        ),
    }


def _row(arm: str, made: Made) -> Row:
    found = cells(made)
    return Row(
        name=arm,
        cells=(str(len(made)), spelt(found["apart"], "score"), spelt(found["confidence"], "score")),
        spread=charts.box(
            [value for record, _ in made for value in record.confidences],
            f"{arm}: mean target confidence of each patch",
            span=charts.UNIT,
            marks=(),
            tone="tool",
        ),
    )


def _notes(told: Mapping[str, Made]) -> tuple[str, ...]:
    if len(told) < 2:
        return ()
    first, *others = told
    base = {record.target: record.apart for record, _ in told[first]}
    notes = []
    for arm in others:
        gains = [base[record.target] - record.apart for record, _ in told[arm] if record.target in base]
        if gains:
            gain = bootstrap_mean(gains, 0, within=(-1.0, 1.0))
            notes.append(f"{first}: patches are {spelt(gain, 'score')} further apart than {arm}, paired by target.")
    return tuple(notes)


def _gallery(album: Album, record: Drawn, pictures: Bytes) -> Gallery:
    shown = tuple(
        Shown(
            picture=album.drawn(picture, f"a patch for {record.target}", WIDTH, f"{record.arm} {record.target} {k}"),
            strong=words.percent(value, 0),
            said="",
        )
        for k, (picture, value) in enumerate(zip(pictures, record.confidences, strict=True))
    )
    return Gallery(
        name=f"{record.target}, {record.arm}: {words.score(record.apart)} apart",
        shown=shown,
        empty="No patch was made.",
    )


def figures(found: Mapping[str, Made]) -> dict[str, Any]:
    """What the page says, as JSON values."""
    return {
        "arms": {
            arm: {name: [each.value, each.low, each.high] for name, each in cells(made).items()}
            for arm, made in found.items()
            if made
        }
    }
