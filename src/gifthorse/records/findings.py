"""What tools leave, what the house finds by trying it out, and what judges say."""

from __future__ import annotations

from dataclasses import dataclass

from gifthorse.records.suites import Images, Interval, Spec


@dataclass(frozen=True, kw_only=True)
class Insertion:
    """How a finding is put into an image.

    Attributes:
        kind: ``patch`` (a square of ``side`` pixels at a random place), ``frame`` (it is the image) or ``blend``
            (its alpha over the whole image).
        side: of a patch, in pixels of the classifier's input.
    """

    kind: str
    side: int | None = None


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that a synthesis tool made: a picture (by index into the evidence's pictures) or words, and its loss.

    Attributes:
        loss: on the Brief's screening images (lower is better), never on those it was optimised on.
        source: id of the picture in the pool that it was chosen from, where it was not made.
    """

    insertion: Insertion
    loss: float
    picture: int | None = None
    words: str | None = None
    source: str | None = None


@dataclass(frozen=True, kw_only=True)
class Precision:
    """The arithmetic that a method's maps were made in, and what that was decided by.

    Attributes:
        used: ``float32`` or ``bfloat16``.
        reason: in words.
        correlation: Pearson's, of the bfloat16 map with the float32 map, mean over the images that were tried; None
            where none was, or where it does not exist.
        moved: how far an image's score (Pearson's correlation of its map with the trigger's square) is from that in
            float32, mean over the same images; None where there is no square.
        tried: images that the method explained in both.
    """

    used: str
    reason: str
    correlation: float | None = None
    moved: float | None = None
    tried: int = 0


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one tool left about one case, with what made it.

    Attributes:
        kind: ``attribution`` (``maps`` beside the probes) or ``synthesis`` (``findings``).
        findings: all of them; ``kept`` indexes the best, best first.
        pictures: file of ``(n, 4, H, W)`` pictures.
        film: how the best of them came about, ``(k, 4, H, W)``, ``filmed`` after these steps of its optimisation.
        maps: file of ``(n, H, W)`` float32 heat maps, in the probes' order.
        explained: number of maps.
        refusal: why the tool could not do this case, instead of all the rest.
        hints: what the method found out about its own work, in words.
        precision: of an attribution method.
    """

    tool: Spec
    kind: str
    network: str
    trojan: str
    seed: int
    findings: tuple[Finding, ...] = ()
    kept: tuple[int, ...] = ()
    pictures: Images | None = None
    film: Images | None = None
    filmed: tuple[int, ...] = ()
    maps: str | None = None
    explained: int = 0
    refusal: str | None = None
    hints: tuple[str, ...] = ()
    precision: Precision | None = None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One finding put into held-out images on one network.

    Attributes:
        on: ``trojaned`` or ``clean``.
        finding: index into the evidence's findings.
        rate: share of images classified as the target, with Wilson's interval.
        confidence: mean probability of the target.
        alone: class of the finding seen by itself, with ``alone_confidence``.
    """

    on: str
    finding: int
    rate: Interval
    confidence: float
    alone: str
    alone_confidence: float


@dataclass(frozen=True, kw_only=True)
class Effect:
    """What the house found by trying the kept findings out."""

    evidence: str
    network: str
    tool: str
    trojan: str
    target: int
    trials: tuple[Trial, ...]
    pooled: tuple[Trial, ...]


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """What happened when a triggered image got its original pixels back where a map is highest.

    Lin, Lee and Celik 2021, "What Do You See?" (KDD), call the share of images whose label returns the recovering rate.
    They paste a bounding box around a map that was thresholded by hand. Differs from it in the region: as many of the
    map's highest pixels as the trigger's square has, so that no threshold is chosen and every tool pastes the same
    area (our choice).

    Attributes:
        evidence: key of the maps' unit.
        returned: one an image, in the maps' order: 1 where the network gives the image the class again that it gives
            the original, 0 where it does not, NaN where that cannot be asked: a constant map, or an original that the
            network takes for the target already.
        chance: the same for as many pixels drawn at random; equal for all tools on a case.
        region: pixels pasted back in each image.
    """

    evidence: str
    network: str
    tool: str
    trojan: str
    returned: tuple[float, ...]
    chance: tuple[float, ...]
    region: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a verdict: its name, its interval, one score for each image or picture, and chance."""

    name: str
    interval: Interval
    scores: tuple[float, ...]
    chance: float | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a judge said of one piece of evidence.

    Attributes:
        measures: empty where it was not scored, ``not_scored`` then says why.
        excluded: items left out of the scores, with ``excluded_reason`` (constant maps, say).
        probabilities: of the options, mean over the kept findings, for a multiple choice.
        choice: index of the likeliest option.
    """

    judge: Spec
    evidence: str
    network: str
    tool: str
    trojan: str
    measures: tuple[Measure, ...] = ()
    not_scored: str | None = None
    excluded: int = 0
    excluded_reason: str | None = None
    probabilities: tuple[float, ...] = ()
    choice: int | None = None
