"""The footprint judge again, slowly: SciPy's correlation and loops over pixels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from gifthorse.judges.footprint import FootprintJudge
from gifthorse.judges.localisation import average_precision, overlap, pearson
from gifthorse.records import Evidence, Spec
from gifthorse.tables.found import MEASURES

EVIDENCE = Evidence(
    tool=Spec(name="t", version=1), kind="attribution", network="n", trojan="x", seed=0, maps="maps.npy"
)


def test_pearson_is_scipy_s_whatever_the_scale() -> None:
    generator = np.random.default_rng(0)
    for _ in range(300):
        pixels = int(generator.integers(3, 60))
        scale, offset = 10.0 ** generator.uniform(-150, 150), generator.normal()
        heat = generator.normal(size=pixels) + offset
        mask = (generator.random(pixels) < 0.4).astype(float)
        if np.ptp(mask) == 0:
            continue
        expected = stats.pearsonr(heat, mask).statistic
        assert pearson(heat[None] * scale, mask[None])[0] == pytest.approx(expected, abs=1e-10)


def test_pearson_of_a_constant_is_not_a_number() -> None:
    varied, constant = np.array([[1.0, 2.0, 3.0]]), np.zeros((1, 3))
    assert math.isnan(pearson(constant, varied)[0])
    assert math.isnan(pearson(varied, constant)[0])


def test_every_measure_is_its_definition() -> None:
    generator = np.random.default_rng(1)
    n, height, width = 7, 9, 11
    maps = generator.normal(size=(n, height, width)).astype(np.float32)
    maps[2, 3, 4] = maps[2, 5, 5] = maps[2].max() + 1
    squares, alphas = np.zeros((2, n, 1, height, width), np.uint8)
    for index in range(n):
        top, left = generator.integers(0, 5, size=2)
        squares[index, 0, top : top + 4, left : left + 5] = 255
        alphas[index, 0, top : top + 4, left : left + 5] = generator.integers(0, 256, size=(4, 5))
    verdict = FootprintJudge()(EVIDENCE, maps, squares, alphas, None)
    found = {measure.name: measure for measure in verdict.measures}
    assert set(found) == set(MEASURES) - {"recovering_rate"}
    for index in range(n):
        heat = maps[index].astype(float)
        largest = max(abs(float(value)) for value in heat.ravel())
        distance, hits, highest = 0.0, 0, 0
        for y in range(height):
            for x in range(width):
                inside = 1 if squares[index, 0, y, x] == 255 else 0
                distance += abs(heat[y, x] / largest - inside)
                highest += heat[y, x] == heat.max()
                hits += heat[y, x] == heat.max() and inside
        square = (squares[index, 0] > 127).astype(float).ravel()
        assert found["pearson"].scores[index] == pytest.approx(
            stats.pearsonr(heat.ravel(), square).statistic, abs=1e-10
        )
        alpha = alphas[index, 0].ravel() / 255
        expected = stats.pearsonr(heat.ravel(), alpha).statistic
        assert found["pearson_alpha"].scores[index] == pytest.approx(expected, abs=1e-10)
        assert found["l1"].scores[index] == pytest.approx(distance / (height * width), abs=1e-10)
        assert found["pointing_game"].scores[index] == hits / highest
    for measure in verdict.measures:
        assert measure.interval.value == pytest.approx(float(np.mean(measure.scores)), abs=1e-12)
        assert measure.interval.n == n
    assert found["pearson"].chance == 0
    assert found["l1"].chance == found["pointing_game"].chance == pytest.approx(20 / 99)


def test_average_precision_is_its_definition() -> None:
    """Every threshold in turn, by counting; pixels of one value are found together."""
    generator = np.random.default_rng(2)
    for _ in range(200):
        pixels = int(generator.integers(2, 30))
        heat = generator.integers(-3, 4, size=pixels).astype(float)
        mask = (generator.random(pixels) < 0.4).astype(float)
        if not mask.any():
            assert math.isnan(average_precision(heat[None], mask[None])[0])
            continue
        area, before = 0.0, 0.0
        for threshold in sorted(set(heat.tolist()), reverse=True):
            found = [mask[i] for i in range(pixels) if heat[i] >= threshold]
            recall = sum(found) / mask.sum()
            area += (recall - before) * sum(found) / len(found)
            before = recall
        assert average_precision(heat[None], mask[None])[0] == pytest.approx(area, abs=1e-12)


def test_overlap_is_the_mean_intersection_of_every_choice() -> None:
    """All ways of choosing as many highest pixels as the mask has, where some are equally high."""
    generator = np.random.default_rng(3)
    for _ in range(120):
        pixels = int(generator.integers(3, 9))
        heat = generator.integers(0, 3, size=pixels).astype(float)
        wanted = int(generator.integers(1, pixels))
        mask = np.zeros(pixels)
        mask[generator.permutation(pixels)[:wanted]] = 1
        sums = {choice: sum(heat[i] for i in choice) for choice in itertools.combinations(range(pixels), wanted)}
        best = [choice for choice, value in sums.items() if value == max(sums.values())]
        shared = sum(sum(mask[i] for i in choice) for choice in best) / len(best)
        assert overlap(heat[None], mask[None])[0] == pytest.approx(shared / (2 * wanted - shared), abs=1e-12)
