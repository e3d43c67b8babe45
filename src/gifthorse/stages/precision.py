"""In which precision a method explains a network: bfloat16 only where its maps and its score stay as they are.

Found out for each method and network, on images of the very set that is explained, so that one key gives one decision.
Only methods that run perturbed images forward are tried. Those that need gradients stay in float32: they promise sums
to a thousandth or a hundredth of a logit, and a number of bfloat16 has eight binary digits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from gifthorse import heat
from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.judges import localisation
from gifthorse.records import Precision
from gifthorse.tools.attribution.base import Attribution, Maps

TRIED = 4
"""Images that a method explains in both precisions, the first ones of a set: our choice."""

LEAST = 0.99
"""Mean correlation of the maps in bfloat16 with those in float32, at least."""

MOST = 0.01
"""How far the score may move."""

HALF, SINGLE = "bfloat16", "float32"

Floats = npt.NDArray[np.float64]


def decide(
    tool: Attribution,
    network: Classifier,
    explain: Callable[[int], Maps],
    count: int,
    squares: npt.NDArray[Any] | None = None,
) -> Precision:
    """What a method's maps of a set of images are to be made in.

    Args:
        tool: the method.
        network: in bfloat16, where that was asked for or found to be fast.
        explain: maps of the first so many images of the set.
        count: images in the set.
        squares: ``(count, H, W)``, true inside the trigger's square, where there is one.

    Raises:
        Refusal: the method cannot do this network in float32.
    """
    if network.precision != HALF:
        return Precision(used=SINGLE, reason=f"the network runs in {network.precision}")
    if not tool.perturbs:
        return Precision(used=SINGLE, reason="only methods that perturb images are tried in bfloat16")
    tried = min(TRIED, count)
    single = explain(tried).values.numpy()
    try:
        with network.perturbing_in(HALF):
            half = explain(tried).values.numpy()
    except Refusal as refusal:
        return Precision(used=SINGLE, reason=f"in bfloat16, {refusal.cause}", tried=tried)
    return judged(single, half, None if squares is None else squares[:tried])


def judged(single: npt.NDArray[Any], half: npt.NDArray[Any], squares: npt.NDArray[Any] | None) -> Precision:
    """The decision, from maps of the same images in both precisions.

    An image whose map is constant in both says nothing; where it is in one of them, the maps do not correlate. Moves
    are taken image by image, so that one up and one down do not cancel: their mean is no less than what the mean score
    moves by.

    Args:
        single, half: ``(n, H, W)`` in float32 and in bfloat16.
        squares: ``(n, H, W)``, true inside the trigger's square, or None.
    """
    one, other = _rows(single), _rows(half)
    flat = heat.constant(one), heat.constant(other)
    kept = ~(flat[0] & flat[1])
    if not kept.any():
        return Precision(used=SINGLE, reason="there is no map to compare: all are constant", tried=len(single))
    correlation = float(np.nan_to_num(localisation.pearson(one[kept], other[kept])).mean())
    moved = None
    if squares is not None:
        inside = _rows(squares)[kept]
        scores = [np.nan_to_num(localisation.pearson(rows[kept], inside)) for rows in (one, other)]
        moved = float(np.abs(scores[0] - scores[1]).mean())
    missed = [f"maps correlate by {correlation:.4f}, less than {LEAST}"] if correlation < LEAST else []
    missed += [f"the score moves by {moved:.4f}, more than {MOST}"] if moved is not None and moved > MOST else []
    return Precision(
        used=SINGLE if missed else HALF,
        reason=f"in bfloat16, {' and '.join(missed)}" if missed else "maps and score stay as they are",
        correlation=correlation,
        moved=moved,
        tried=len(single),
    )


def _rows(maps: npt.NDArray[Any]) -> Floats:
    return maps.astype(np.float64).reshape(len(maps), -1)
