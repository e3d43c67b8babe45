"""Intervals against independent references, their edges, and their coverage."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from gifthorse.errors import UsageError
from gifthorse.records import Interval, plain, read
from gifthorse.statistics import BLOCK, RESAMPLES, binomial_above, bootstrap_mean, newcombe, wilson

EXACT = 1e-10


def proportions(count: int, seed: int) -> list[tuple[int, int]]:
    """Random (hits, n) with the ends among them."""
    generator = np.random.default_rng(seed)
    sizes = np.exp(generator.uniform(0, math.log(5000), size=count)).astype(int)
    drawn = [(int(generator.integers(0, n + 1)), int(n)) for n in sizes]
    return [*drawn, (0, 1), (1, 1), (0, 100), (100, 100), (1, 100), (99, 100)]


def score_limit(hits: int, n: int, z: float, upper: bool) -> float:
    """Wilson's limit from its definition: the p whose score statistic is z."""

    def far(p: float) -> float:
        return (hits / n - p) ** 2 - z * z * p * (1 - p) / n

    # The share itself is a root where it is 0 or 1, and not the one that is meant.
    share, off = hits / n, 1e-9
    if upper:
        return 1.0 if hits == n else float(optimize.brentq(far, share + off * (1 - share), 1.0, xtol=1e-15, rtol=1e-14))
    return 0.0 if hits == 0 else float(optimize.brentq(far, 0.0, share - off * share, xtol=1e-15, rtol=1e-14))


def test_wilson_is_scipy_s() -> None:
    for confidence in (0.8, 0.95, 0.99):
        for hits, n in proportions(400, seed=1):
            expected = stats.binomtest(hits, n).proportion_ci(confidence, method="wilson")
            found = wilson(hits, n, confidence)
            assert found.value == hits / n
            assert found.n == n
            assert found.low == pytest.approx(expected.low, abs=EXACT)
            assert found.high == pytest.approx(expected.high, abs=EXACT)


def test_wilson_of_nothing_knows_nothing_and_survives_json() -> None:
    found = wilson(0, 0)
    assert (found.low, found.high, found.n) == (0.0, 1.0, 0)
    assert math.isnan(found.value)
    assert math.isnan(read(Interval, plain(found)).value)


@pytest.mark.parametrize(("hits", "n"), [(0, 1), (1, 1), (0, 7), (7, 7)])
def test_wilson_reaches_its_ends(hits: int, n: int) -> None:
    found = wilson(hits, n)
    assert (found.low == 0.0) == (hits == 0)
    assert (found.high == 1.0) == (hits == n)
    assert found.low <= found.value <= found.high


@given(n=st.integers(1, 10_000), data=st.data())
def test_wilson_holds_its_value_and_mirrors(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    found, mirrored = wilson(hits, n), wilson(n - hits, n)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=EXACT)


@pytest.mark.parametrize(("hits", "n"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_proportions_are_refused(hits: int, n: int) -> None:
    with pytest.raises(UsageError, match="is no proportion"):
        wilson(hits, n)
    with pytest.raises(UsageError, match="is no proportion"):
        newcombe(hits, n, 1, 2)
    with pytest.raises(UsageError, match="is no proportion"):
        binomial_above(hits, n, 0.1)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0, math.nan])
def test_a_confidence_is_a_probability(confidence: float) -> None:
    with pytest.raises(UsageError, match="confidence"):
        wilson(1, 2, confidence)
    with pytest.raises(UsageError, match="confidence"):
        bootstrap_mean([1.0, 2.0], 0, confidence=confidence)


def test_newcombe_is_its_definition() -> None:
    first, second = proportions(500, seed=2), proportions(500, seed=3)
    z = float(stats.norm.ppf(0.975))
    for (hits_a, n_a), (hits_b, n_b) in zip(first, reversed(second), strict=True):
        a, b = hits_a / n_a, hits_b / n_b
        low_a, high_a = (score_limit(hits_a, n_a, z, upper) for upper in (False, True))
        low_b, high_b = (score_limit(hits_b, n_b, z, upper) for upper in (False, True))
        found = newcombe(hits_a, n_a, hits_b, n_b)
        assert found.value == pytest.approx(a - b, abs=EXACT)
        assert found.low == pytest.approx(a - b - math.sqrt((a - low_a) ** 2 + (high_b - b) ** 2), abs=EXACT)
        assert found.high == pytest.approx(a - b + math.sqrt((high_a - a) ** 2 + (b - low_b) ** 2), abs=EXACT)


def test_newcombe_gives_the_published_example() -> None:
    # Newcombe 1998, table II, column (a), method 10: 56/70 - 48/80.
    found = newcombe(56, 70, 48, 80)
    assert (round(found.low, 4), round(found.high, 4)) == (0.0524, 0.3339)


def test_newcombe_with_an_empty_group_knows_nothing() -> None:
    found = newcombe(0, 0, 3, 4)
    assert (found.low, found.high, found.n) == (-1.0, 1.0, 4)
    assert math.isnan(found.value)


def test_the_binomial_test_is_exact() -> None:
    for hits, n in proportions(500, seed=4):
        for chance in (0.125, 0.5, 0.9):
            expected = stats.binomtest(hits, n, chance, alternative="greater").pvalue
            assert binomial_above(hits, n, chance) == pytest.approx(expected, abs=EXACT)


def test_the_binomial_test_is_exact_in_fractions() -> None:
    chance = Fraction(1, 8)
    for n in (1, 5, 12):
        for hits in range(n + 1):
            tail = sum(math.comb(n, k) * chance**k * (1 - chance) ** (n - k) for k in range(hits, n + 1))
            assert binomial_above(hits, n, 0.125) == pytest.approx(float(tail), rel=1e-12)
    assert binomial_above(0, 0, 0.125) == 1.0


@pytest.mark.parametrize("chance", [0.0, 1.0, 8.0])
def test_chance_is_a_probability(chance: float) -> None:
    with pytest.raises(UsageError, match="chance"):
        binomial_above(1, 2, chance)


def test_a_bootstrap_of_nothing_of_one_and_of_equals() -> None:
    nothing, one, equal = bootstrap_mean([], 0), bootstrap_mean([0.3], 0), bootstrap_mean([0.1] * 6, 0)
    assert nothing.n == 0
    assert math.isnan(nothing.value)
    assert (one.value, one.n) == (0.3, 1)
    assert math.isnan(one.low)
    assert math.isnan(one.high)
    assert (equal.value, equal.low, equal.high, equal.n) == (0.1, 0.1, 0.1, 6)
    cluster = bootstrap_mean([0.2, 0.4], 0, clusters=["a", "a"])
    assert cluster.value == pytest.approx(0.3)
    assert math.isnan(cluster.low)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), st.integers(0, 2**63))
@settings(max_examples=60)
def test_a_bootstrap_holds_its_value_within_its_bounds(values: list[float], seed: int) -> None:
    least, greatest = min(values), max(values)
    found = bootstrap_mean(values, seed, resamples=200)
    cut = bootstrap_mean(values, seed, resamples=200, within=(least, greatest))
    slack = 1e-9 * max(1.0, abs(least), abs(greatest))
    assert found.low <= found.value <= found.high
    assert least - slack <= cut.low <= cut.value <= cut.high <= greatest + slack
    assert found == bootstrap_mean(values, seed, resamples=200)
    if len(values) >= 8:
        assert found == cut


def test_few_values_reach_as_far_as_students_t() -> None:
    values = np.random.default_rng(4).normal(size=4)
    found, expected = bootstrap_mean(values, 0), stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=EXACT)
    copies = bootstrap_mean(np.repeat(values, 3), 0, clusters=np.repeat(np.arange(4), 3).tolist())
    assert (copies.low, copies.high) == pytest.approx((expected.low, expected.high), abs=EXACT)
    with pytest.raises(UsageError, match="do not lie within"):
        bootstrap_mean([0.5, 1.5], 0, within=(0, 1))


def test_a_bootstrap_depends_on_its_seed_only() -> None:
    values = np.random.default_rng(0).normal(size=20)
    assert bootstrap_mean(values, 1) != bootstrap_mean(values, 2)
    np.random.seed(0)
    first = bootstrap_mean(values, 1)
    np.random.seed(1)
    assert first == bootstrap_mean(values, 1)


def test_a_bootstrap_drawn_in_blocks_is_whole() -> None:
    values = np.random.default_rng(0).normal(size=3_000)
    assert values.size * RESAMPLES > 4 * BLOCK
    found = bootstrap_mean(values, 5)
    error = values.std(ddof=1) / math.sqrt(values.size)
    assert found.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert found.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_the_tails_are_expanded_as_published() -> None:
    values = np.random.default_rng(6).random(9)
    tail = float(stats.norm.cdf(-stats.t.ppf(0.975, 8) * math.sqrt(9 / 8)))
    means = values[np.random.default_rng(7).integers(9, size=(200_000, 9))].mean(axis=1)
    found = bootstrap_mean(values, 0, resamples=200_000)
    assert (found.low, found.high) == pytest.approx(np.quantile(means, [tail, 1 - tail]), abs=0.04 * means.std())


def test_clusters_of_copies_are_as_wide_as_without_the_copies() -> None:
    values = np.random.default_rng(3).random(15)
    single = bootstrap_mean(values, 1)
    copies = bootstrap_mean(np.repeat(values, 4), 1, clusters=np.repeat(np.arange(15), 4).tolist())
    alone = bootstrap_mean(np.repeat(values, 4), 1)
    assert (copies.low, copies.high) == pytest.approx((single.low, single.high), abs=1e-12)
    assert alone.high - alone.low < 0.7 * (copies.high - copies.low)


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(UsageError, match="1 of 3 values are not finite"):
        bootstrap_mean([0.1, math.nan, 0.2], 0)
    with pytest.raises(UsageError, match="2 cluster labels"):
        bootstrap_mean([0.1, 0.3, 0.2], 0, clusters=["a", "b"])


def covered(n: int, kind: str, repetitions: int, expanded: bool = True) -> float:
    """Share of bootstrap intervals that hold the true mean."""
    generator = np.random.default_rng(n)
    true = {"normal": 0.0, "uniform": 0.5, "skewed": 0.25}[kind]
    hits = 0
    for repetition in range(repetitions):
        drawn = {
            "normal": generator.normal(size=n),
            "uniform": generator.random(n),
            "skewed": generator.beta(0.5, 1.5, size=n),
        }[kind]
        if expanded:
            found = bootstrap_mean(drawn, repetition, resamples=1_000)
            low, high = found.low, found.high
        else:
            means = drawn[generator.integers(n, size=(1_000, n))].mean(axis=1)
            low, high = np.quantile(means, [0.025, 0.975])
        hits += low <= true <= high
    return hits / repetitions


CASES = [(3, "normal"), (5, "normal"), (5, "uniform"), (12, "skewed"), (25, "skewed"), (100, "uniform")]


@pytest.mark.parametrize(("n", "kind"), CASES)
def test_bootstrap_intervals_cover(n: int, kind: str) -> None:
    assert 0.90 <= covered(n, kind, 400) <= 0.99


def test_the_plain_percentile_interval_would_not_cover() -> None:
    assert covered(5, "normal", 400, expanded=False) < 0.88


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 5, 7, 8, 12, 25, 100])
@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_bootstrap_intervals_cover_at_length(n: int, kind: str) -> None:
    assert 0.92 <= covered(n, kind, 2_000) <= 0.99


def test_wilson_intervals_cover() -> None:
    for n in (20, 60, 100, 200):
        for p in (0.125, 0.3, 0.5, 0.9):
            chances = stats.binom.pmf(np.arange(n + 1), n, p)
            holds = [wilson(hits, n).low <= p <= wilson(hits, n).high for hits in range(n + 1)]
            assert 0.92 <= float(chances[holds].sum()) <= 0.99
