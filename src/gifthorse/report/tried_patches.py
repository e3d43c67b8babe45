"""Pages of experiments that try patches out elsewhere: on another network (A.1), and on paper (5.1.3)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

from gifthorse.images import to_uint8
from gifthorse.records import Attack
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import Made, patch, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean, wilson

WIDTH = 112
"""CSS pixels of a picture, about."""


def draw_transfer(found: Mapping[str, Made], best: tuple[int, float], facts: Mapping[str, str]) -> str:
    """The page of patches that are tried on a network that was held out.

    Args:
        found: arm to its attacks.
        best: how many are shown, and the mean confidence above which one counts.
    """
    album, (many, least) = Album(side=128, inputs=True), best
    galleries = []
    for arm, (attacks, pictures) in found.items():
        order = sorted(range(len(attacks)), key=lambda k: -attacks[k].confidence)[:many]
        shown = tuple(patch(album, arm, attacks[k], pictures[k]) for k in order)
        galleries.append(Gallery(name=f"The best, {arm}", shown=shown, empty="No patch was made."))
    return _page(
        ExperimentPage(
            title="Patches that are tried on a network that nobody looked into",
            facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
            lead=(
                "Each patch is to make any scene a random target. Those that transfer were made on other networks "
                "alone; beside them are patches for the same targets that were made on the network itself."
            ),
            heading="What transfers",
            charts=(),
            columns=("patches", "mean target confidence", f"above {least:g}", "disguised", "confidence of each patch"),
            rows=tuple(_row(arm, attacks, least) for arm, (attacks, _) in found.items() if attacks),
            notes=(),
            galleries=tuple(galleries),
            style=sheet(),
        )
    )


def _row(arm: str, attacks: Sequence[Attack], least: float) -> Row:
    values = [attack.confidence for attack in attacks]
    return Row(
        name=arm,
        cells=(
            str(len(attacks)),
            spelt(bootstrap_mean(values, 0, within=(0.0, 1.0)), "score"),
            spelt(wilson(sum(value > least for value in values), len(values)), "percent"),
            spelt(wilson(sum(attack.disguised for attack in attacks), len(attacks)), "percent"),
        ),
        spread=charts.box(
            values,
            f"{arm}: mean target confidence of each patch",
            span=charts.UNIT,
            marks=(charts.Mark(value=least, kind="gate"),),
            tone="tool",
        ),
    )


def figures(found: Mapping[str, Made], least: float) -> dict[str, Any]:
    """What that page says, as JSON values."""
    told = {}
    for arm, (attacks, _) in found.items():
        if attacks:
            values = [attack.confidence for attack in attacks]
            above = wilson(sum(value > least for value in values), len(values))
            told[arm] = {
                "patches": len(attacks),
                "confidence": sum(values) / len(values),
                "above": [above.value, above.low, above.high],
            }
    return {"arms": told}


def physical_figures(found: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Mean, standard deviation, number, and mean over the digital one's, for each way that patches were shown."""
    digital = statistics.fmean(found["digital"])
    return {
        "shown": {
            name: {
                "mean": statistics.fmean(values),
                "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
                "n": len(values),
                "of_digital": statistics.fmean(values) / digital if digital else math.nan,
            }
            for name, values in found.items()
        }
    }


def draw_physical(
    attacks: Sequence[Attack],
    pictures: tuple[Bytes, Tensor],
    found: Mapping[str, Sequence[float]],
    facts: Mapping[str, str],
) -> str:
    """The page of patches on paper.

    Args:
        attacks: those that are printed.
        pictures: of them ``(n, 4, h, w)`` uint8, and what the camera took of each beside each object.
        found: how they were shown, to the target confidence of each photograph.
    """
    album, (patches, taken) = Album(side=128, inputs=True), pictures
    told = physical_figures(found)["shown"]
    printed = tuple(patch(album, f"number {k + 1}", attack, patches[k]) for k, attack in enumerate(attacks))
    simulated = found["on paper, simulated"]
    order = np.argsort(-np.asarray(simulated), kind="stable")[:12]
    each = len(taken) // max(1, len(attacks))
    photos = tuple(
        Shown(
            picture=album.drawn(to_uint8(taken[int(k) : int(k) + 1])[0], "a simulated photograph", WIDTH, str(int(k))),
            strong=f"{attacks[int(k) // each].aimed} {words.percent(simulated[int(k)])}",
            said=f"patch {int(k) // each + 1}",
        )
        for k in order
    )
    return _page(
        ExperimentPage(
            title="Patches on paper",
            facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
            lead=(
                "Each printed patch is held beside each object. The thesis photographed ten patches beside nine "
                "objects: mean 0.312, standard deviation 0.318, less than half of the digital confidence lost. What is "
                "simulated here is our choice, and no camera's."
            ),
            heading="What is left of them",
            charts=(),
            columns=("photographs", "mean target confidence", "standard deviation", "of digital", "each"),
            rows=tuple(
                Row(
                    name=name,
                    cells=(
                        str(told[name]["n"]),
                        words.score(told[name]["mean"], 3),
                        words.score(told[name]["deviation"], 3),
                        words.percent(told[name]["of_digital"]),
                    ),
                    spread=charts.box(values, f"{name}: each", span=charts.UNIT, marks=(), tone="tool"),
                )
                for name, values in found.items()
            ),
            notes=(),
            galleries=(
                Gallery(name="What is printed", shown=printed, empty="Nothing."),
                Gallery(name="The photographs in which it does most", shown=photos, empty="Nothing."),
            ),
            style=sheet(),
        )
    )


def _page(page: ExperimentPage) -> str:
    return environment().get_template("experiment.html.j2").render({"page": page})
