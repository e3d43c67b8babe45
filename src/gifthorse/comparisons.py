"""Comparisons: whether one tool beats another (two-way variance), and how many such claims can be made at once (Holm).

Scores are crossed: every unit of one kind (a participant, a seed, a network) meets every trojan, and both vary. A test
that pools them, or that clusters by one of the two only, finds differences that are not there (5 to 50% of the time,
see ``tests/test_comparisons.py``), so this file has no such test. :func:`two_way` is the one for "A beats B";
:func:`sign_flip` is exact, but only where nothing but the trojan varies, as for one run of an automatic judge.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from gifthorse import statistics
from gifthorse.errors import UsageError
from gifthorse.records import Interval

Floats = npt.NDArray[np.float64]

EXACT = 20
"""Pairs up to which a sign-flip test tries all 2^n signs."""

CONSISTENT = 0.75
"""Share of images in which a tool must be better to beat another consistently (our choice; the thesis names none)."""


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One tool's scores in long form, one entry an answer.

    Attributes:
        values: ``(n,)`` finite numbers: 1 or 0 for an answer, a confidence, a correlation.
        units: ``(n,)`` what answered: participant, or network and seed. A label that both tools share is one unit
            that did both (a paired design); labels of their own are a nested design.
        trojans: ``(n,)`` names; the tools should share them.
    """

    values: Sequence[float] | Floats
    units: Sequence[Hashable]
    trojans: Sequence[Hashable]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A difference of two tools' means and what can be said of it.

    Attributes:
        difference: mean of a minus mean of b, with its interval (``n`` is the number of trojans). Limits are NaN
            with fewer than two trojans.
        p: two-sided, from Student's t with ``trojans - 1`` degrees of freedom; NaN with fewer than two trojans.
        error: standard error of the difference.
        trojans: number of trojans that occur.
        units: number of units that occur.
        variance_units: the part of the error's square that comes from units alone.
        variance_trojans: the part that comes from trojans alone.
        variance_both: what single answers contribute, subtracted since both of the others count it.
    """

    difference: Interval
    p: float
    error: float
    trojans: int
    units: int
    variance_units: float
    variance_trojans: float
    variance_both: float

    def resolvable(self, power: float = 0.8, level: float = 0.05) -> float:
        """The smallest true difference that a study of this size and spread finds with this power; NaN if unknown."""
        if self.trojans < 2:
            return math.nan
        return smallest_difference(self.error, self.trojans, power, level)


def two_way(a: Scores, b: Scores, confidence: float = 0.95) -> Comparison:
    """Compare two tools over crossed units and trojans (Cameron, Gelbach and Miller 2011, eq. 2.11).

    The variance of the difference is ``max(Vu + Vt - Vr, Vu, Vt)``, from deviations summed within each unit, each
    trojan, and each answer; every part is scaled by G / (G - 1) of its groups. Differs from the paper in the maximum,
    which keeps the estimate above both one-way ones, and in t with (trojans - 1) degrees of freedom.

    Args:
        a: scores of the first tool.
        b: scores of the second.
        confidence: of the interval, in (0, 1).

    Raises:
        UsageError: no scores, values that are not finite, or labels that do not match them.
    """
    values_a, values_b = _checked(a), _checked(b)
    deviations = np.concatenate(
        [(values_a - values_a.mean()) / values_a.size, -(values_b - values_b.mean()) / values_b.size]
    )
    units, trojans = [*a.units, *b.units], [*a.trojans, *b.trojans]
    by_unit, n_units = _clustered(deviations, units)
    by_trojan, n_trojans = _clustered(deviations, trojans)
    # The intersection of the two clusterings: with nested units these are single answers.
    by_both, _ = _clustered(deviations, list(zip(units, trojans, strict=True)))
    variance = max(by_unit + by_trojan - by_both, by_unit, by_trojan)
    return _against_zero(
        float(values_a.mean() - values_b.mean()),
        math.sqrt(variance),
        (n_units, n_trojans),
        (by_unit, by_trojan, by_both),
        confidence,
    )


def paired(
    a: Sequence[float] | Floats,
    b: Sequence[float] | Floats,
    clusters: Sequence[Hashable] | None = None,
    confidence: float = 0.95,
) -> Comparison:
    """Compare two tools on the same images: a paired t test with errors clustered by image.

    It speaks of images like these and of no other trojans; a claim about tools in general needs :func:`two_way`.

    Args:
        a: ``(n,)`` scores of the first tool.
        b: ``(n,)`` scores of the second on the same images, in their order.
        clusters: ``(n,)`` the scene that each image was made from, where several were made from one.
        confidence: of the interval, in (0, 1).

    Returns:
        The comparison, in whose ``trojans`` and ``units`` stands the number of clusters.

    Raises:
        UsageError: as :func:`two_way`, or when the tools do not have one score an image each.
    """
    if len(a) != len(b):
        raise UsageError(f"{len(a)} scores cannot be paired with {len(b)}", "pass one score an image for each tool")
    scenes = list(range(len(a))) if clusters is None else list(clusters)
    return two_way(
        Scores(values=a, units=scenes, trojans=scenes), Scores(values=b, units=scenes, trojans=scenes), confidence
    )


@dataclass(frozen=True, kw_only=True)
class Advantage:
    """By how much one tool's maps score better than another's on the same images.

    Attributes:
        mean: of the differences, each oriented so that above 0 is better, with a bootstrap 95% interval over images.
        median: of the differences; NaN without images.
        positive: share of images in which the difference is above 0; NaN without images.
        p: two-sided, of a mean of 0: see :func:`paired`; NaN with fewer than two images.
    """

    mean: Interval
    median: float
    positive: float
    p: float

    def consistent(self, corrected: float, share: float = CONSISTENT, level: float = 0.05) -> bool:
        """Whether the first tool beats the second consistently: our reading of thesis 4.3, which defines no such word.

        Args:
            corrected: the p value after Holm's correction over all tools.
            share: of images in which it must be better.
            level: below which the p value must lie.
        """
        return self.median > 0 and self.positive >= share and corrected < level


def advantage(a: Sequence[float] | Floats, b: Sequence[float] | Floats, seed: int, lower: bool = False) -> Advantage:
    """Compare two tools image by image. It speaks of images like these, with these trojans in this network.

    Args:
        a: ``(n,)`` scores of the first tool; NaN where an image has none, which leaves it out of the comparison.
        b: ``(n,)`` scores of the second on the same images, in their order.
        seed: of the bootstrap.
        lower: whether lower scores are better.

    Raises:
        UsageError: other numbers of scores.
    """
    if len(a) != len(b):
        raise UsageError(f"{len(a)} scores cannot be paired with {len(b)}", "pass one score an image for each tool")
    one, other = (np.asarray(scores, dtype=np.float64).reshape(-1) for scores in (a, b))
    both = np.isfinite(one) & np.isfinite(other)
    one, other = (-one[both], -other[both]) if lower else (one[both], other[both])
    differences = one - other
    return Advantage(
        mean=statistics.bootstrap_mean(differences, seed),
        median=float(np.median(differences)) if differences.size else math.nan,
        positive=float((differences > 0).mean()) if differences.size else math.nan,
        p=paired(one, other).p if differences.size else math.nan,
    )


def _against_zero(
    difference: float,
    error: float,
    counts: tuple[int, int],
    variances: tuple[float, float, float],
    confidence: float,
) -> Comparison:
    units, trojans = counts
    p = half = math.nan
    if trojans > 1:
        df = trojans - 1
        half = error * float(special.stdtrit(df, 0.5 + confidence / 2))
        # Without any spread there is either no difference at all, or one that every answer shows alike.
        distance = abs(difference) / error if error > 0 else 0.0 if difference == 0 else math.inf
        p = 2 * float(special.stdtr(df, -distance))
    return Comparison(
        difference=Interval(value=difference, low=difference - half, high=difference + half, n=trojans),
        p=p,
        error=error,
        trojans=trojans,
        units=units,
        variance_units=variances[0],
        variance_trojans=variances[1],
        variance_both=variances[2],
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P values corrected for their number (Holm 1979): reject those at or below the level, in any order.

    Args:
        p_values: each in [0, 1]; NaN stays NaN and does not count.

    Raises:
        UsageError: a p value outside [0, 1].
    """
    wrong = [p for p in p_values if not math.isnan(p) and not 0 <= p <= 1]
    if wrong:
        raise UsageError(f"{wrong[0]} is not a p value", "pass numbers from 0 to 1")
    order = sorted((i for i, p in enumerate(p_values) if not math.isnan(p)), key=lambda i: p_values[i])
    corrected = [math.nan] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p_values[index]))
        corrected[index] = largest
    return corrected


def sign_flip(differences: Sequence[float] | Floats, seed: int, draws: int = 20_000) -> float:
    """P of a mean this far from 0 if each difference could as well have had the other sign, two-sided.

    Valid where the differences are independent: one a trojan, from an automatic judge. With people in common to all
    trojans it is wrong (0.17 for a level of 0.05 in simulation); use :func:`two_way`.

    Args:
        differences: ``(n,)`` paired differences, one a trojan.
        seed: of the random signs; used only above 20 differences, below which all 2^n signs are tried.
        draws: random signs above 20 differences; the observed ones count as one more.

    Returns:
        A number in (0, 1]; 1 without differences.

    Raises:
        UsageError: a difference that is not finite.
    """
    numbers = np.asarray(differences, dtype=np.float64).reshape(-1)
    if not np.isfinite(numbers).all():
        raise UsageError("a difference is not finite", "leave out trojans that either tool has no score for")
    if numbers.size == 0:
        return 1.0
    # Rounding must not decide between two sums that are equal on paper.
    observed = abs(numbers.sum()) - 1e-12 * np.abs(numbers).sum()
    if numbers.size <= EXACT:
        sums = np.zeros(1)
        for number in numbers[1:]:
            # The first sign is fixed: the other half of the signs mirrors this one.
            sums = np.concatenate([sums + number, sums - number])
        return float((np.abs(sums + numbers[0]) >= observed).mean())
    generator = np.random.default_rng(seed)
    signs = generator.integers(0, 2, size=(draws, numbers.size)) * 2.0 - 1.0
    return float((1 + (np.abs(signs @ numbers) >= observed).sum()) / (draws + 1))


def smallest_difference(error: float, trojans: int, power: float = 0.8, level: float = 0.05) -> float:
    """The true difference that the two-way test finds with this power, for a standard error over so many trojans.

    Args:
        error: standard error of the difference, 0 or more.
        trojans: their number, at least 2.
        power: chance of finding it, above ``level`` and below 1.
        level: of the two-sided test.

    Raises:
        UsageError: fewer than two trojans, or a power that is not between level and 1.
    """
    if trojans < 2 or not 0 < level < power < 1:
        raise UsageError(
            f"power {power} at level {level} with {trojans} trojans has no answer",
            "pass two or more trojans and 0 < level < power < 1",
        )
    df = trojans - 1
    bound = float(special.stdtrit(df, 1 - level / 2))
    return error * float(special.nctdtrinc(df, 1 - power, bound))


def _checked(scores: Scores) -> Floats:
    values = np.asarray(scores.values, dtype=np.float64).reshape(-1)
    if values.size == 0 or not np.isfinite(values).all():
        raise UsageError("a tool has no scores, or some that are not finite", "leave out what was not scored")
    if len(scores.units) != values.size or len(scores.trojans) != values.size:
        raise UsageError(
            f"{values.size} scores have {len(scores.units)} units and {len(scores.trojans)} trojans",
            "pass one unit and one trojan a score",
        )
    return values


def _clustered(deviations: Floats, labels: Sequence[Hashable]) -> tuple[float, int]:
    """Variance of a sum whose terms are dependent within a label, and the number of labels."""
    order = {label: place for place, label in enumerate(dict.fromkeys(labels))}
    sums = np.bincount(np.array([order[label] for label in labels], dtype=np.intp), weights=deviations)
    groups = len(order)
    scale = groups / (groups - 1) if groups > 1 else 0.0
    return float(scale * (sums**2).sum()), groups
