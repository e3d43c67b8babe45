"""The page of the experiment on disguised patches: Figures 5.4 and 5.5 of the thesis, and galleries as its 5.3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gifthorse.records import Attack, Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import Chart, ExperimentPage, Gallery, Row, Shown
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean, wilson

WIDTH = 112
"""CSS pixels of a patch, about."""

SHOWN = 8
"""Patches of each arm: the disguised ones that work best."""

HALF = 0.5
"""Mean confidence above which an attack mostly works (thesis, Figure 5.4)."""

LEAD = (
    "Each attack is one patch that is to make any scene a random target, wherever it is pasted. It is disguised if the "
    "network does not take the patch by itself for the target. Confidences are of disguised patches, each a mean over "
    "scenes that the attack did not see; what a patch looks like is said by a classifier of drawings that no attack "
    "saw. Intervals are of 95%."
)

COLUMNS = ("attacks", "disguised", "mean target confidence", "above one half", "realism", "confidence of each attack")

Made = tuple[Sequence[Attack], Bytes]
"""Attacks, and their pictures ``(n, 4, h, w)`` uint8."""


def draw(found: Mapping[str, Made], baselines: Mapping[str, Sequence[float]], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        found: arm to its attacks; an arm may have none.
        baselines: name to mean target confidences of natural pictures.
        facts: what is said at the top, by name.
    """
    album = Album(side=128, inputs=True)
    told = {arm: summary(attacks) for arm, (attacks, _) in found.items() if attacks}
    planes = (
        _plane(told, ("disguised", "share disguised"), ("confidence", "mean target confidence")),
        _plane(told, ("confidence", "mean target confidence"), ("realism", "confidence in what it looks like")),
    )
    missing = [arm for arm in found if arm not in told]
    notes = [
        f"{name} as patches: {words.score(sum(values) / len(values), 4)} mean target confidence, {len(values)} targets."
        for name, values in baselines.items()
        if values
    ]
    page = ExperimentPage(
        title="How well patch attacks work, and how often they look like something else",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=LEAD,
        heading="Performance, disguise and realism",
        charts=planes if told else (),
        columns=COLUMNS,
        rows=tuple(_row(arm, found[arm][0], one) for arm, one in told.items()),
        notes=(*notes, *([f"No attack was made of {words.listed(missing)}."] if missing else [])),
        galleries=tuple(_gallery(album, arm, found[arm]) for arm in told),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def summary(attacks: Sequence[Attack]) -> dict[str, Interval]:
    """Of an arm: share ``disguised`` of all; and of the disguised ones, as in the thesis, mean target ``confidence``,
    share of attacks ``above`` one half, and mean ``realism``, all of them where none is disguised."""
    kept = [attack for attack in attacks if attack.disguised] or list(attacks)
    return {
        "disguised": wilson(sum(attack.disguised for attack in attacks), len(attacks)),
        "confidence": bootstrap_mean([attack.confidence for attack in kept], 0, within=(0.0, 1.0)),
        "above": wilson(sum(attack.confidence > HALF for attack in kept), len(kept)),
        "realism": bootstrap_mean([attack.realism for attack in kept], 0, within=(0.0, 1.0)),
    }


def figures(found: Mapping[str, Made], baselines: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """What the page says, as JSON values."""
    arms = {}
    for arm, (attacks, _) in found.items():
        if attacks:
            told = {name: [each.value, each.low, each.high] for name, each in summary(attacks).items()}
            arms[arm] = {"attacks": len(attacks)} | told
    return {"arms": arms, "baselines": {name: sum(v) / len(v) for name, v in baselines.items() if v}}


def _plane(told: Mapping[str, Mapping[str, Interval]], x: tuple[str, str], y: tuple[str, str]) -> Chart:
    dots = [
        charts.Dot(name=arm, tone="tool", x=one[x[0]].value, y=one[y[0]].value, low=one[y[0]].low, high=one[y[0]].high)
        for arm, one in told.items()
    ]
    name = f"{y[1]} against {x[1]}, a dot for each arm"
    return Chart(name=name, drawing=charts.square(dots, name, (x[1], y[1])))


def _row(arm: str, attacks: Sequence[Attack], told: Mapping[str, Interval]) -> Row:
    kept = [attack.confidence for attack in attacks if attack.disguised] or [a.confidence for a in attacks]
    styles = {"disguised": "percent", "confidence": "score", "above": "percent", "realism": "score"}
    return Row(
        name=arm,
        cells=(str(len(attacks)), *(spelt(told[name], style) for name, style in styles.items())),
        spread=charts.box(
            kept,
            f"{arm}: mean target confidence of each attack",
            span=charts.UNIT,
            marks=(charts.Mark(value=HALF, kind="gate"),),
            tone="tool",
        ),
    )


def spelt(interval: Interval, style: str) -> str:
    """A figure with its interval, as ``percent`` or as ``score``."""
    value = words.percent(interval.value) if style == "percent" else words.score(interval.value)
    spread = words.between(interval, style)
    return f"{value} ({spread})" if spread else value


def _gallery(album: Album, arm: str, made: Made) -> Gallery:
    attacks, pictures = made
    order = sorted((k for k, attack in enumerate(attacks) if attack.disguised), key=lambda k: -attacks[k].confidence)
    shown = tuple(patch(album, arm, attacks[k], pictures[k]) for k in order[:SHOWN])
    return Gallery(name=arm, shown=shown, empty="No patch is disguised.")


def patch(album: Album, arm: str, attack: Attack, picture: Bytes) -> Shown:
    """A patch, labelled as in Figure 5.3: target confidence, and what it is by itself."""
    return Shown(
        picture=album.drawn(picture, f"{arm}: a patch for {attack.aimed}", WIDTH, attack.aimed),
        strong=f"{attack.aimed} {words.percent(attack.confidence)}",
        said=f"alone: {attack.alone} {words.percent(attack.alone_confidence)}; looks like {attack.looks}",
    )
