"""How well heat maps point at a mask: each measure row by row on ``(n, pixels)`` arrays. NumPy only.

Maps are finite floats of any range. What a measure cannot say of a row is NaN; which rows are left out for being
constant is the judge's rule (:func:`gifthorse.heat.constant`), not decided here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def pearson(heat: Floats, masks: Floats) -> Floats:
    """Pearson's correlation of each row of two ``(n, pixels)`` arrays, in [-1, 1]; NaN where a row is constant.

    Equal to ``scipy.stats.pearsonr``, but for rows so small or large that their squares would lose digits.
    """
    a = heat - heat.mean(axis=1, keepdims=True)
    b = masks - masks.mean(axis=1, keepdims=True)
    # Rows are brought to one length first, so that neither tiny nor huge maps lose digits in their squares.
    with np.errstate(invalid="ignore", divide="ignore"):
        a = a / np.abs(a).max(axis=1, keepdims=True)
        lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
        correlation: Floats = (a * b).sum(axis=1) / lengths
    return np.clip(correlation, -1.0, 1.0)


def scaled(heat: Floats) -> Floats:
    """Each row divided by its largest absolute value, so that it lies in [-1, 1]; a row of zeros stays."""
    largest = np.abs(heat).max(axis=1, keepdims=True)
    return heat / np.where(largest > 0, largest, 1.0)


def distance(heat: Floats, inside: Floats) -> Floats:
    """Mean absolute distance of each row, :func:`scaled`, from its mask of zeros and ones: in [0, 2]."""
    distances: Floats = np.abs(scaled(heat) - inside).mean(axis=1)
    return distances


def pointing(heat: Floats, inside: Floats) -> Floats:
    """Whether the highest pixel lies in the mask; of several equally high ones, their share in it: in [0, 1]."""
    top = heat == heat.max(axis=1, keepdims=True)
    hits: Floats = (top * inside).sum(axis=1) / top.sum(axis=1)
    return hits


def average_precision(heat: Floats, inside: Floats) -> Floats:
    """Area under the precision-recall curve of each row as a detector of its mask's pixels, in (0, 1].

    The sum over thresholds, from the highest value down, of precision times the recall gained there; pixels of one
    value are one threshold. NaN where the mask is empty. A map that knows nothing gets about the mask's share.
    """
    return np.array([_average_precision(a, b) for a, b in zip(heat, inside, strict=True)], dtype=np.float64)


def _average_precision(heat: Floats, inside: Floats) -> float:
    if not inside.any():
        return float("nan")
    order = np.argsort(-heat, kind="stable")
    ordered, hits = heat[order], np.cumsum(inside[order])
    last = np.append(np.flatnonzero(np.diff(ordered)), ordered.size - 1)
    precision = hits[last] / (last + 1)
    return float((precision * np.diff(hits[last], prepend=0.0)).sum() / hits[-1])


def overlap(heat: Floats, inside: Floats) -> Floats:
    """Intersection over union of each mask and as many of the row's highest pixels as the mask has, in [0, 1].

    Pixels that share the value at which the choice is cut off are chosen in equal parts, which is what drawing among
    them gives on average. NaN where the mask is empty.
    """
    return np.array([_overlap(a, b) for a, b in zip(heat, inside, strict=True)], dtype=np.float64)


def _overlap(heat: Floats, inside: Floats) -> float:
    wanted = int(inside.sum())
    if wanted == 0:
        return float("nan")
    cut = np.partition(heat, heat.size - wanted)[heat.size - wanted]
    above, tied = heat > cut, heat == cut
    taken = (wanted - above.sum()) / tied.sum()
    shared = inside[above].sum() + taken * inside[tied].sum()
    return float(shared / (2 * wanted - shared))


def overlap_by_chance(share: float) -> float:
    """What :func:`overlap` is where a mask's share of the chosen pixels is its share of the image."""
    return share / (2 - share)
