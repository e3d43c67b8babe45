"""Heat maps as numbers: which of them say nothing, and which pixels are the highest. NumPy only.

Judges, the report, the summary and the house's own trials all ask here, so that a constant map is one in a score, in a
plot and in a count alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.floating[Any]]

FLAT = 1e-6
"""A map whose values differ by no more than this share of the largest is constant: float32 cannot tell them apart."""

CONSTANT = "the map is constant, so that it neither correlates with a mask nor has a highest point"
"""Why such a map is not scored."""


def constant(maps: Floats) -> npt.NDArray[np.bool_]:
    """Which maps ``(n, ...)`` have one value everywhere: ``(n,)``.

    The rule for all of them: a constant map ranks no pixel above another, so it is left out of every measure that ranks
    pixels, with the reason :data:`CONSTANT`, and counted; it is not drawn, and the word ``constant`` stands in its
    place. Its distance to a mask exists, and that of a blank map is the floor of this measure.
    """
    if maps.size == 0:
        return np.ones(len(maps), dtype=np.bool_)
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    same: npt.NDArray[np.bool_] = np.ptp(flat, axis=1) <= FLAT * np.abs(flat).max(axis=1)
    return same


def highest(heat: Floats, count: int, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    """The ``count`` highest pixels of one map ``(H, W)``: ``(H, W)`` true or false.

    Where several pixels have the value at which the choice is cut off, those that are taken are drawn.

    Args:
        count: from 0 to the number of pixels.
        generator: of the draw.
    """
    flat = heat.reshape(-1)
    shuffled = generator.permutation(flat.size)
    order = shuffled[np.argsort(-flat[shuffled], kind="stable")]
    chosen = np.zeros(flat.size, dtype=np.bool_)
    chosen[order[:count]] = True
    return chosen.reshape(heat.shape)
