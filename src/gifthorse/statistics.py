"""Intervals for one measured value: proportions (Wilson, Newcombe) and means (bootstrap), with NumPy and SciPy only.

What compares two tools is in :mod:`gifthorse.comparisons`. Neither file has a test that pools trials over people or
trojans: in simulation pooled tests called a difference that was not there in up to half of all cases.

An :class:`~gifthorse.records.Interval` may hold NaN where there is nothing to say: ``value`` where nothing was
observed, ``low`` and ``high`` of a mean where one observation shows no spread. Records and tables know how to keep it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from gifthorse.errors import UsageError
from gifthorse.records import Interval

Floats = npt.NDArray[np.float64]
"""Any array of float64."""

RESAMPLES = 4_000
"""Bootstrap draws: the Monte Carlo error of a limit is then a small part of the interval's own width."""

FEW = 8
"""Below so many observations or clusters an interval reaches at least as far as Student's."""

BLOCK = 2_000_000
"""Numbers drawn at a time by the bootstrap, so that memory stays bounded."""


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """A proportion with Wilson's score interval (Wilson 1927), without continuity correction.

    Args:
        hits: successes, 0 to ``n``.
        n: trials. With none, the value is NaN and the interval is [0, 1]: nothing is known.
        confidence: coverage, in (0, 1).

    Raises:
        UsageError: ``hits`` outside [0, n], or a confidence outside (0, 1).
    """
    _check_proportion(hits, n)
    if n == 0:
        return Interval(value=math.nan, low=0.0, high=1.0, n=0)
    z = _two_sided_normal(confidence)
    share = hits / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the formula is exact and its rounding is not: no hit must give 0, and all hits 1.
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    high = 1.0 if hits == n else min(1.0, middle + half)
    return Interval(value=share, low=low, high=high, n=n)


def newcombe(hits_a: int, n_a: int, hits_b: int, n_b: int, confidence: float = 0.95) -> Interval:
    """A difference of two independent proportions, a - b, with Newcombe's hybrid score interval (1998, method 10).

    Args:
        hits_a: successes of the first group, of ``n_a``.
        n_a: trials of the first group.
        hits_b: successes of the second group, of ``n_b``.
        n_b: trials of the second group.
        confidence: coverage, in (0, 1).

    Returns:
        The difference in [-1, 1]; its ``n`` is ``n_a + n_b``. With an empty group the value is NaN and the
        interval is [-1, 1].

    Raises:
        UsageError: hits outside [0, n], or a confidence outside (0, 1).
    """
    a, b = wilson(hits_a, n_a, confidence), wilson(hits_b, n_b, confidence)
    if n_a == 0 or n_b == 0:
        return Interval(value=math.nan, low=-1.0, high=1.0, n=n_a + n_b)
    difference = a.value - b.value
    low = difference - math.hypot(a.value - a.low, b.high - b.value)
    high = difference + math.hypot(a.high - a.value, b.value - b.low)
    return Interval(value=difference, low=max(-1.0, low), high=min(1.0, high), n=n_a + n_b)


def binomial_above(hits: int, n: int, chance: float) -> float:
    """P of at least so many hits by chance: the exact one-sided binomial test, in [0, 1] (1 without trials).

    Args:
        hits: successes, 0 to ``n``.
        n: independent trials (people, not answers of one person).
        chance: success probability of a guess, in (0, 1).

    Raises:
        UsageError: hits outside [0, n], or chance outside (0, 1).
    """
    _check_proportion(hits, n)
    if not 0 < chance < 1:
        raise UsageError(f"chance is {chance}, expected a probability above 0 and below 1", "pass 1 / options")
    # The upper tail of the binomial is a regularised incomplete beta function (Abramowitz and Stegun 26.5.24).
    return 1.0 if hits == 0 else float(special.betainc(hits, n - hits + 1, chance))


def bootstrap_mean(
    values: Sequence[float] | Floats,
    seed: int,
    clusters: Sequence[Any] | None = None,
    confidence: float = 0.95,
    resamples: int = RESAMPLES,
    within: tuple[float, float] | None = None,
) -> Interval:
    """A mean with an expanded percentile bootstrap interval (Hesterberg 2015, section 3.3), widened where data are few.

    The plain percentile interval is too short for few observations (coverage 0.83 for five from a normal
    distribution), so its two tails are taken at ``Phi(-t(G - 1) * sqrt(G / (G - 1)))`` of G observations or clusters
    instead of at 0.025. It never leaves the range of the values, and a mean does so in one of 2^(G - 1) samples or
    more; so for fewer than eight the interval reaches at least as far as Student's (our choice). Coverage measured in
    ``tests/test_statistics.py``: 0.92 to 0.99 for normal and uniform values from G = 3 on, and for skewed ones from
    G = 12 on; less for fewer skewed ones.

    Args:
        values: ``(n,)`` finite numbers. For hits and misses use :func:`wilson`.
        seed: of the resampling; the same seed and values give the same interval.
        clusters: ``(n,)`` labels; values of one label are drawn together (pictures of one image, cells of one trojan).
        confidence: coverage, in (0, 1).
        resamples: bootstrap draws.
        within: least and greatest possible value, at which the limits are cut: (0, 1) for probabilities, (-1, 1) for
            correlations; None where there are no such bounds.

    Returns:
        The mean of all values, its limits, and their number. Without values all three are NaN; with one value, or one
        cluster, the limits are NaN, since nothing shows how it varies; if all values are equal, so are the limits.

    Raises:
        UsageError: a value that is not finite or not within its bounds, or as many labels as there are not values.
    """
    numbers = np.asarray(values, dtype=np.float64).reshape(-1)
    _check_values(numbers, clusters, within)
    if numbers.size == 0:
        return Interval(value=math.nan, low=math.nan, high=math.nan, n=0)
    sums, sizes = _by_cluster(numbers, clusters)
    mean = float(numbers.mean())
    if sums.size == 1:
        return Interval(value=mean, low=math.nan, high=math.nan, n=numbers.size)
    if np.ptp(numbers) == 0:
        same = float(numbers[0])
        return Interval(value=same, low=same, high=same, n=numbers.size)
    means = _resampled(sums, sizes, seed, resamples)
    tail = _expanded_tail(sums.size, confidence)
    low, high = (float(limit) for limit in np.quantile(means, [tail, 1 - tail]))
    if sums.size < FEW:
        half = _student_half(sums, sizes, confidence)
        low, high = min(low, mean - half), max(high, mean + half)
    if within is not None:
        low, high = max(low, within[0]), min(high, within[1])
    return Interval(value=mean, low=min(low, mean), high=max(high, mean), n=numbers.size)


def student_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t distribution with ``df`` degrees of freedom."""
    return float(special.stdtrit(df, probability))


def _check_values(numbers: Floats, clusters: Sequence[Any] | None, within: tuple[float, float] | None) -> None:
    if not np.isfinite(numbers).all():
        raise UsageError(
            f"{int((~np.isfinite(numbers)).sum())} of {numbers.size} values are not finite",
            "leave out what was not scored, and count it as excluded",
        )
    if clusters is not None and len(clusters) != numbers.size:
        raise UsageError(f"{numbers.size} values have {len(clusters)} cluster labels", "pass one label a value")
    if within is not None and numbers.size and not within[0] <= numbers.min() <= numbers.max() <= within[1]:
        raise UsageError(
            f"values from {numbers.min():.4g} to {numbers.max():.4g} do not lie within {within}",
            "pass their own bounds",
        )


def _resampled(sums: Floats, sizes: Floats, seed: int, resamples: int) -> Floats:
    """``(resamples,)`` means of as many clusters as there are, drawn with replacement, in blocks of bounded size."""
    generator = np.random.default_rng(seed)
    means = np.empty(resamples)
    step = max(1, BLOCK // sums.size)
    for start in range(0, resamples, step):
        drawn = generator.integers(sums.size, size=(min(step, resamples - start), sums.size))
        means[start : start + step] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    return means


def _student_half(sums: Floats, sizes: Floats, confidence: float) -> float:
    """Half of Student's interval of a ratio of cluster sums to cluster sizes (a plain mean for single values)."""
    groups = sums.size
    deviations = (sums - sums.sum() / sizes.sum() * sizes) / sizes.mean()
    error = math.sqrt(float((deviations**2).sum()) / (groups - 1) / groups)
    return student_quantile(0.5 + confidence / 2, groups - 1) * error


def _by_cluster(numbers: Floats, clusters: Sequence[Any] | None) -> tuple[Floats, Floats]:
    """Sums and sizes of the clusters, in the order of their first value, so that a label's spelling changes nothing."""
    if clusters is None:
        return numbers, np.ones_like(numbers)
    order = {label: place for place, label in enumerate(dict.fromkeys(clusters))}
    index = np.array([order[label] for label in clusters], dtype=np.intp)
    sums: Floats = np.bincount(index, weights=numbers).astype(np.float64)
    return sums, np.bincount(index).astype(np.float64)


def _expanded_tail(groups: int, confidence: float) -> float:
    _two_sided_normal(confidence)
    t = student_quantile(0.5 + confidence / 2, groups - 1)
    return float(special.ndtr(-t * math.sqrt(groups / (groups - 1))))


def _two_sided_normal(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise UsageError(f"a confidence of {confidence} was asked for", "pass one above 0 and below 1, such as 0.95")
    return float(special.ndtri(0.5 + confidence / 2))


def _check_proportion(hits: int, n: int) -> None:
    if not 0 <= hits <= n:
        raise UsageError(f"{hits} hits of {n} trials is no proportion", "pass 0 <= hits <= n")
