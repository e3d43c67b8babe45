"""Footprint: does an attribution map point at the trigger? (Casper 2023, the thesis, 4.2; ``methods.md`` 1.5.)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
import numpy.typing as npt

from gifthorse.errors import InputError
from gifthorse.heat import CONSTANT, constant
from gifthorse.judges import localisation
from gifthorse.judges.base import Judge
from gifthorse.records import Evidence, Measure, Recovery, Verdict
from gifthorse.statistics import bootstrap_mean, wilson

Array = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

RANGES = {"pearson": (-1.0, 1.0), "l1": (0.0, 2.0)}
"""Least and greatest value of a measure, by the first word of its name; the others are shares."""

COUNTED = ("pointing_game", "pointing_game_alpha", "recovering_rate")
"""Measures of hits and misses, whose interval is Wilson's where every score is 0 or 1."""


@final
@dataclass(frozen=True, kw_only=True)
class FootprintJudge(Judge[[Array, Array, Array, Recovery | None]]):
    """Compares heat maps with the trigger's mask, image by image, in several measures.

    - ``pearson``: pixel-wise Pearson correlation of the map and the trigger's square, the thesis's measure; chance 0.
    - ``pearson_absolute``, ``pearson_positive``: the same of the map's magnitudes, and of its positive parts with all
      else 0. The sign of a map is a convention that changes its score; where a map has no value below 0, all three
      agree. They start from the map as it is: channels that were reduced already cannot be reduced otherwise here.
    - ``l1``: mean absolute distance of the square and the map divided by its own largest absolute value, in [0, 2],
      *lower is better*. An earlier measure of the thesis's authors; its chance is what a blank map scores, the
      square's share of the image (0.0816 in the thesis).
    - ``auprc``: area under the precision-recall curve of the map as a detector of the square's pixels (the average
      precision). Chance is the square's share.
    - ``iou``: intersection over union of the square and as many of the map's highest pixels as the square has, so that
      no threshold is chosen by hand. Chance is that of an overlap by the square's share s: s / (2 - s).
    - ``pointing_game``: whether the map's highest point lies in the square (Zhang et al. 2018, here without their
      tolerance); of several equally high points, their share in it. Chance is the square's share of the image.
    - ``recovering_rate``: whether the label returns when the original pixels are pasted back inside the found region
      (Lin, Lee and Celik 2021, "What Do You See?"), as the house tried it out: see :class:`~gifthorse.records.Recovery`
      for the region, which differs from the paper's, and for chance. Left out where nobody tried it.

    ``pearson_alpha`` has the drawing's own coverage as the second ground truth, where the tile is not a full square;
    ``auprc_alpha``, ``iou_alpha`` and ``pointing_game_alpha`` have its silhouette, the pixels that are covered by more
    than half; their chance is the silhouette's share.

    Intervals are bootstrap intervals over images; hits and misses have Wilson's.

    The scores of a Verdict are in the probes' order, NaN where an image was left out. A constant map (by the one rule
    of :func:`gifthorse.heat.constant`) is left out of every measure but ``l1``, which it does have, and counted in
    ``excluded``; if all maps are constant, ``not_scored`` says so and ``l1`` is the only measure.
    """

    name: ClassVar[str] = "footprint"
    version: ClassVar[int] = 2
    judges: ClassVar[str] = "attribution"

    def judge(
        self,
        verdict: Verdict,
        evidence: Evidence,
        /,
        maps: Array,
        squares: Array,
        alphas: Array,
        recovery: Recovery | None,
    ) -> Verdict:
        """Score maps against masks.

        Args:
            verdict: to fill in.
            evidence: whose maps these are.
            maps: ``(n, H, W)`` floats of any finite range.
            squares: ``(n, 1, H, W)`` uint8, above 127 inside the trigger's square.
            alphas: ``(n, 1, H, W)`` uint8, coverage of the drawing, 255 is full.
            recovery: what pasting the original pixels back did, in the order of the maps; None where nobody tried it.

        Raises:
            InputError: shapes that do not match, values that are not finite, or a square that is empty or everything.
        """
        heat, inside, coverage = _checked(evidence, maps, squares, alphas)
        if len(heat) == 0:
            return replace(verdict, not_scored="no triggered image was explained")
        if recovery is not None and len(recovery.returned) != len(heat):
            raise InputError(
                f"{evidence.tool.name} on {evidence.trojan}: {len(recovery.returned)} images were pasted back, "
                f"and {len(heat)} have a map",
                "give the recovery of this evidence",
            )
        seed, flat = self.seed(evidence), constant(heat)
        l1 = _measure("l1", localisation.distance(heat, inside), seed, float(inside.mean()))
        if flat.all():
            return replace(
                verdict,
                measures=(l1,),
                not_scored="every map is constant: there is nothing to correlate",
                excluded=len(heat),
                excluded_reason=CONSTANT,
            )
        measures = [l1]
        for name, scores, chance in _ranking(heat, inside, coverage):
            measures.append(_measure(name, np.where(flat, np.nan, scores), seed, chance))
        if recovery is not None:
            measures.append(_recovering(recovery, flat, seed))
        return replace(
            verdict,
            # what has no score at all says nothing, and an interval of nothing would have to be explained
            measures=tuple(m for m in measures if m.interval.n),
            excluded=int(flat.sum()),
            excluded_reason=CONSTANT if flat.any() else None,
        )


def _ranking(heat: Floats, inside: Floats, coverage: Floats) -> Iterator[tuple[str, Floats, float]]:
    """Name, scores and chance of every measure that needs pixels of different values."""
    outline = (coverage > 0.5).astype(np.float64)
    yield "pearson", localisation.pearson(heat, inside), 0.0
    yield "pearson_alpha", localisation.pearson(heat, coverage), 0.0
    for name, reduced in (("absolute", np.abs(heat)), ("positive", np.maximum(heat, 0.0))):
        correlation = localisation.pearson(reduced, inside)
        yield f"pearson_{name}", np.where(constant(reduced), np.nan, correlation), 0.0
    for suffix, mask in (("", inside), ("_alpha", outline)):
        share = float(mask.mean())
        yield f"auprc{suffix}", localisation.average_precision(heat, mask), share
        yield f"iou{suffix}", localisation.overlap(heat, mask), localisation.overlap_by_chance(share)
        hits = localisation.pointing(heat, mask)
        yield f"pointing_game{suffix}", np.where(mask.any(axis=1), hits, np.nan), share


def _recovering(recovery: Recovery, flat: npt.NDArray[np.bool_], seed: int) -> Measure:
    scores = np.where(flat, np.nan, np.array(recovery.returned, dtype=np.float64))
    chances = np.array(recovery.chance, dtype=np.float64)[~np.isnan(scores)]
    return _measure("recovering_rate", scores, seed, float(chances.mean()) if chances.size else 0.0)


def _measure(name: str, scores: Floats, seed: int, chance: float) -> Measure:
    """A measure over the images that have a score; each image is drawn as a whole, since it has one map."""
    there = scores[~np.isnan(scores)]
    if name in COUNTED and np.isin(there, (0.0, 1.0)).all():
        interval = wilson(int(there.sum()), there.size)
    else:
        interval = bootstrap_mean(there, seed, within=RANGES.get(name.partition("_")[0], (0.0, 1.0)))
    return Measure(name=name, interval=interval, scores=tuple(scores.tolist()), chance=chance)


def _checked(evidence: Evidence, maps: Array, squares: Array, alphas: Array) -> Sequence[Floats]:
    """Maps, squares (0 or 1) and coverage in [0, 1], each ``(n, pixels)`` float64."""
    about = f"{evidence.tool.name} on {evidence.trojan}"
    expected = (maps.shape[0], 1, *maps.shape[1:])
    if maps.ndim != 3 or squares.shape != expected or alphas.shape != expected:
        raise InputError(
            f"{about}: maps {maps.shape} do not go with squares {squares.shape} and alphas {alphas.shape}",
            "give maps (n, H, W) and masks (n, 1, H, W) of the same probes, in their order",
        )
    if squares.dtype != np.uint8 or alphas.dtype != np.uint8:
        raise InputError(
            f"{about}: masks are {squares.dtype} and {alphas.dtype}", "give uint8 masks, 255 inside the trigger"
        )
    n, pixels = len(maps), int(np.prod(maps.shape[1:]))
    heat = maps.astype(np.float64).reshape(n, pixels)
    bad = int((~np.isfinite(heat)).any(axis=1).sum())
    if bad:
        raise InputError(f"{about}: {bad} of {n} maps hold NaN or infinity", "the tool is at fault; run it again")
    inside = (squares.reshape(n, pixels) > 127).astype(np.float64)
    coverage = alphas.reshape(n, pixels) / 255.0
    if n and min(np.ptp(inside, axis=1).min(), np.ptp(coverage, axis=1).min()) == 0:
        raise InputError(
            f"{about}: a mask is empty or covers the whole image", "probes must show where the trigger is and is not"
        )
    return heat, inside, coverage
