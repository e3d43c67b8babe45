"""The page of what each tool's pictures can do: Table 5.1 of the thesis, with figures where it has marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gifthorse.records import Interval
from gifthorse.report import charts, words
from gifthorse.report.contexts import Fact
from gifthorse.report.contexts_experiment import ExperimentPage, Gallery, Row, Shown
from gifthorse.report.disguised import HALF, SHOWN, WIDTH, spelt
from gifthorse.report.environment import environment, sheet
from gifthorse.report.pictures import Album, Bytes
from gifthorse.statistics import bootstrap_mean, wilson

LEAD = (
    "What each tool's pictures can do, tried as patches in scenes that no tool saw. Targeted: targets for which the "
    "patch takes at least half of the scenes. Universal: scenes, of any class, that are taken for the target. "
    "Disguised: patches that the network does not take for the target by themselves. Physical: mean target confidence "
    "when it is printed and photographed, simulated. Transferable: mean target confidence of a network that was held "
    "out. Copy/paste: how far the target's confidence rises, on average, when the drawing that the patch looks most "
    "like to an image-text encoder, none of the target, is pasted instead. Intervals are of 95%, over targets."
)

COLUMNS = (
    "targets", "targeted", "universal", "disguised", "physical", "transferable", "copy/paste",
    "mean target confidence of each patch",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one picture did.

    Attributes:
        aimed: the target.
        hits: scenes taken for it, of ``n``.
        confidence: mean probability of the target in them.
        disguised: whether the picture by itself is taken for something else, ``alone``.
        physical: mean probability when it is printed and photographed.
        transferred: mean probability by the network that was held out.
        guess: what it looks like.
        guessed: mean rise of the probability when that is pasted instead.
    """

    aimed: str
    hits: int
    n: int
    confidence: float
    disguised: bool
    alone: str
    physical: float
    transferred: float
    guess: str
    guessed: float


Made = tuple[Sequence[Proof], Bytes]
"""What some pictures did, and they ``(n, 4, h, w)`` uint8."""


def draw(found: Mapping[str, Made], facts: Mapping[str, str]) -> str:
    """The page as HTML.

    Args:
        found: tool to what its pictures did; those without any are left out.
        facts: what is said at the top, by name.
    """
    album = Album(side=128, inputs=True)
    page = ExperimentPage(
        title="What the pictures of each tool can do",
        facts=tuple(Fact(name=name, text=text) for name, text in facts.items()),
        lead=LEAD,
        heading="Capabilities, measured",
        charts=(),
        columns=COLUMNS,
        rows=tuple(_row(tool, proofs) for tool, (proofs, _) in found.items()),
        notes=(),
        galleries=tuple(_gallery(album, tool, made) for tool, made in found.items()),
        style=sheet(),
    )
    return environment().get_template("experiment.html.j2").render({"page": page})


def figures(found: Mapping[str, Made]) -> dict[str, Any]:
    """The table as JSON values: each cell with its interval."""
    return {
        "tools": {
            tool: {name: [each.value, each.low, each.high] for name, each in cells(proofs).items()}
            for tool, (proofs, _) in found.items()
        }
    }


def cells(proofs: Sequence[Proof]) -> dict[str, Interval]:
    """A row of the table, but for its number of targets."""
    shares = [proof.hits / proof.n for proof in proofs]
    return {
        "targeted": wilson(sum(share >= HALF for share in shares), len(shares)),
        "universal": bootstrap_mean(shares, 0, within=(0.0, 1.0)),
        "disguised": wilson(sum(proof.disguised for proof in proofs), len(proofs)),
        "physical": bootstrap_mean([proof.physical for proof in proofs], 0, within=(0.0, 1.0)),
        "transferable": bootstrap_mean([proof.transferred for proof in proofs], 0, within=(0.0, 1.0)),
        "copy/paste": bootstrap_mean([proof.guessed for proof in proofs], 0, within=(-1.0, 1.0)),
    }


STYLES = {"targeted": "percent", "universal": "percent", "disguised": "percent"}


def _row(tool: str, proofs: Sequence[Proof]) -> Row:
    told = [spelt(each, STYLES.get(name, "score")) for name, each in cells(proofs).items()]
    return Row(
        name=tool,
        cells=(str(len(proofs)), *told),
        spread=charts.box(
            [proof.confidence for proof in proofs],
            f"{tool}: mean target confidence of each patch",
            span=charts.UNIT,
            marks=(charts.Mark(value=HALF, kind="gate"),),
            tone="tool",
        ),
    )


def _gallery(album: Album, tool: str, made: Made) -> Gallery:
    proofs, pictures = made
    order = sorted(range(len(proofs)), key=lambda k: -proofs[k].confidence)[:SHOWN]
    shown = tuple(
        Shown(
            picture=album.drawn(pictures[k], f"{tool}: a picture for {proofs[k].aimed}", WIDTH, proofs[k].aimed),
            strong=f"{proofs[k].aimed} {words.percent(proofs[k].confidence)}",
            said=f"alone: {proofs[k].alone}; looks like {proofs[k].guess}, which pasted adds "
            f"{words.score(proofs[k].guessed)}",
        )
        for k in order
    )
    return Gallery(name=tool, shown=shown, empty="No picture was made.")
