"""The footprint judge: what is left out, what is refused, and what its numbers may depend on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gifthorse.errors import InputError
from gifthorse.heat import constant, highest
from gifthorse.judges import localisation
from gifthorse.judges.footprint import FootprintJudge
from gifthorse.records import Evidence, Recovery, Spec, Verdict, digest, plain, read
from gifthorse.statistics import wilson

EVIDENCE = Evidence(
    tool=Spec(name="occlusion", version=2), kind="attribution", network="net", trojan="star", seed=3, maps="maps.npy"
)
Bytes = npt.NDArray[np.uint8]
Maps = npt.NDArray[np.float32]


def masks(n: int = 5, size: int = 12) -> tuple[Bytes, Bytes]:
    squares = np.zeros((n, 1, size, size), np.uint8)
    squares[:, :, 2:6, 3:7] = 255
    alphas = squares.copy()
    alphas[:, :, 2, 3] = 0
    return squares, alphas


def noise(n: int = 5, size: int = 12) -> Maps:
    return np.random.default_rng(0).normal(size=(n, size, size)).astype(np.float32)


def judged(maps: Maps, evidence: Evidence = EVIDENCE, recovery: Recovery | None = None) -> Verdict:
    return FootprintJudge()(evidence, maps, *masks(len(maps), maps.shape[-1]), recovery)


def scores(verdict: Verdict, name: str) -> tuple[float, ...]:
    return next(measure.scores for measure in verdict.measures if measure.name == name)


def test_the_mask_itself_is_perfect_and_its_opposite_the_reverse() -> None:
    squares, _ = masks()
    heat = (squares[:, 0] / 255).astype(np.float32)
    assert scores(judged(heat), "pearson") == pytest.approx([1.0] * 5)
    assert scores(judged(-heat), "pearson") == pytest.approx([-1.0] * 5)
    assert scores(judged(heat), "l1") == (0.0,) * 5
    assert scores(judged(heat), "pointing_game") == (1.0,) * 5
    assert scores(judged(-heat), "pointing_game") == (0.0,) * 5
    assert all(0.9 < score < 1 for score in scores(judged(heat), "pearson_alpha"))


def test_pearson_does_not_depend_on_scale_and_l1_does_not_on_a_factor() -> None:
    maps = noise()
    for factor, offset in ((3.0, 0.0), (1e-20, 0.0), (0.5, 7.0)):
        moved = (maps * np.float32(factor) + np.float32(offset)).astype(np.float32)
        assert scores(judged(moved), "pearson") == pytest.approx(scores(judged(maps), "pearson"), abs=1e-5)
    assert scores(judged(maps * 8), "l1") == pytest.approx(scores(judged(maps), "l1"), abs=1e-7)


def test_a_constant_map_is_left_out_and_counted() -> None:
    maps = noise()
    maps[1], maps[3] = 0.0, 0.7
    verdict = judged(maps)
    assert verdict.not_scored is None
    assert verdict.excluded == 2
    assert verdict.excluded_reason is not None
    assert "constant" in verdict.excluded_reason
    share = 16 / 144
    for measure in verdict.measures:
        if measure.name == "pearson_positive":
            continue
        left_out = [math.isnan(score) for score in measure.scores]
        assert left_out == [measure.name != "l1" and index in (1, 3) for index in range(5)]
        assert measure.interval.n == (5 if measure.name == "l1" else 3)
    assert scores(verdict, "l1")[1] == pytest.approx(share)
    assert scores(verdict, "l1")[3] == pytest.approx(1 - share)


def test_rounding_does_not_make_a_constant_map_a_varied_one() -> None:
    maps = noise()
    maps[0] = np.float32(1e3) + np.arange(144, dtype=np.float32).reshape(12, 12) % 2 * np.float32(6e-5)
    assert np.ptp(maps[0]) > 0
    assert judged(maps).excluded == 1


def test_only_constant_maps_are_not_scored_but_have_a_distance() -> None:
    verdict = judged(np.zeros((5, 12, 12), np.float32))
    assert verdict.not_scored is not None
    assert "constant" in verdict.not_scored
    assert [measure.name for measure in verdict.measures] == ["l1"]
    measure = verdict.measures[0]
    assert measure.interval.value == measure.chance == pytest.approx(16 / 144)
    assert verdict.excluded == 5


def test_a_refusal_is_not_scored_with_its_reason() -> None:
    refused = replace(EVIDENCE, refusal="it has no gradients", maps=None)
    verdict = FootprintJudge()(refused, np.zeros((0, 0, 0)), np.zeros(0), np.zeros(0), None)
    assert verdict.not_scored == "refused: it has no gradients"
    assert verdict.measures == ()


def test_no_maps_are_not_scored() -> None:
    verdict = judged(np.zeros((0, 12, 12), np.float32))
    assert verdict.not_scored == "no triggered image was explained"


def test_the_verdict_says_what_it_is_about_and_comes_back_from_json() -> None:
    maps = noise()
    maps[0] = 0
    verdict = judged(maps)
    assert (verdict.evidence, verdict.network, verdict.tool, verdict.trojan) == (
        digest(EVIDENCE),
        "net",
        "occlusion",
        "star",
    )
    assert verdict.judge == Spec(name="footprint", version=2, settings={})
    again = read(Verdict, plain(verdict))
    assert digest(again) == digest(verdict)
    assert math.isnan(scores(again, "pearson")[0])


def test_the_same_evidence_gets_the_same_verdict_and_other_evidence_other_draws() -> None:
    maps = noise(20)
    assert judged(maps) == judged(maps.copy())
    other = judged(maps, replace(EVIDENCE, seed=4))
    assert scores(other, "pearson") == scores(judged(maps), "pearson")
    assert other.measures[0].interval != judged(maps).measures[0].interval


def test_intervals_stay_possible() -> None:
    squares, _ = masks(3)
    heat = (squares[:, 0] / 255 + noise(3) * 0.2).astype(np.float32)
    for measure in judged(heat).measures:
        low, high = (0.0, 2.0) if measure.name == "l1" else (-1.0 if "pearson" in measure.name else 0.0, 1.0)
        assert low <= measure.interval.low <= measure.interval.value <= measure.interval.high <= high


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("fewer masks", "do not go with"),
        ("float masks", "give uint8 masks"),
        ("nan", "1 of 5 maps hold NaN"),
        ("empty mask", "a mask is empty"),
        ("full mask", "a mask is empty or covers"),
        ("synthesis", "scores attribution evidence"),
    ],
)
def test_what_does_not_belong_together_is_refused(what: str, message: str) -> None:
    maps, (squares, alphas), evidence = noise(), masks(), EVIDENCE
    given: tuple[npt.NDArray[np.generic], npt.NDArray[np.generic]] = (squares, alphas)
    if what == "fewer masks":
        given = (squares[:4], alphas)
    elif what == "float masks":
        given = (squares / 255, alphas)
    elif what == "nan":
        maps[2, 0, 0] = np.nan
    elif what == "empty mask":
        alphas[1] = 0
    elif what == "full mask":
        squares[1] = 255
    else:
        evidence = replace(evidence, kind="synthesis")
    with pytest.raises(InputError, match=message):
        FootprintJudge()(evidence, maps, *given, None)


def recovered(*returned: float) -> Recovery:
    n = len(returned)
    return Recovery(
        evidence="e",
        network="net",
        tool="occlusion",
        trojan="star",
        returned=returned,
        chance=(0.25,) * n,
        region=(16,) * n,
    )


def test_signs_are_reported_under_each_convention() -> None:
    squares, _ = masks()
    heat = (squares[:, 0] / 255).astype(np.float32)
    assert "recovering_rate" not in {measure.name for measure in judged(heat).measures}
    for name in ("pearson_absolute", "pearson_positive"):
        assert scores(judged(heat), name) == pytest.approx(scores(judged(heat), "pearson"))
    assert scores(judged(-heat), "pearson_absolute") == pytest.approx([1.0] * 5)
    # nothing is above 0: what would be left is constant, so there is no such score at all
    assert "pearson_positive" not in {measure.name for measure in judged(-heat).measures}


def test_what_the_house_tried_is_a_measure_of_hits() -> None:
    maps = noise()
    maps[2] = 0
    verdict = judged(maps, recovery=recovered(1.0, 0.0, math.nan, math.nan, 1.0))
    (measure,) = (measure for measure in verdict.measures if measure.name == "recovering_rate")
    assert measure.interval.n == 3
    assert measure.interval.value == pytest.approx(2 / 3)
    assert measure.chance == 0.25
    assert measure.interval == wilson(2, 3)
    assert verdict.excluded == 1


def test_a_recovery_of_other_maps_is_refused() -> None:
    with pytest.raises(InputError, match="4 images were pasted back, and 5 have a map"):
        judged(noise(), recovery=recovered(1.0, 1.0, 0.0, 0.0))


def test_the_silhouette_is_a_second_truth() -> None:
    squares, alphas = masks()
    alphas[:, :, 4:] = 100  # covered by less than half: not of the silhouette
    heat = (alphas[:, 0] > 127).astype(np.float32)
    verdict = FootprintJudge()(EVIDENCE, heat, squares, alphas, None)
    assert scores(verdict, "iou_alpha") == scores(verdict, "auprc_alpha") == (1.0,) * 5
    assert all(score < 1 for score in scores(verdict, "iou"))
    chance = {measure.name: measure.chance for measure in verdict.measures}
    assert chance["auprc_alpha"] == pytest.approx(7 / 144)
    assert chance["iou"] == pytest.approx((16 / 144) / (2 - 16 / 144))


@given(st.integers(0, 2**32 - 1), st.floats(1e-3, 1e3), st.floats(-5, 5))
@settings(max_examples=40, deadline=None)
def test_measures_that_rank_pixels_do_not_depend_on_scale(seed: int, factor: float, offset: float) -> None:
    heat = np.random.default_rng(seed).integers(-4, 5, size=(3, 36)).astype(np.float64)
    mask = np.zeros((3, 36))
    mask[:, 5:14] = 1
    for measure in (localisation.average_precision, localisation.overlap, localisation.pointing):
        assert measure(heat * factor + offset, mask) == pytest.approx(measure(heat, mask), abs=1e-9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 35))
@settings(max_examples=60, deadline=None)
def test_shares_stay_shares_and_perfect_maps_get_one(seed: int, area: int) -> None:
    generator = np.random.default_rng(seed)
    mask = np.zeros((1, 36))
    mask[0, generator.permutation(36)[:area]] = 1
    heat = generator.integers(0, 3, size=(1, 36)).astype(np.float64)
    for measure in (localisation.average_precision, localisation.overlap, localisation.pointing):
        assert 0 <= measure(heat, mask)[0] <= 1
        assert measure(mask * 3 - 7, mask)[0] == 1
    # a map that prefers nothing has the share of the mask
    assert localisation.average_precision(heat * 0, mask)[0] == pytest.approx(area / 36)
    assert localisation.overlap(heat * 0, mask)[0] == pytest.approx(localisation.overlap_by_chance(area / 36))


def test_one_rule_says_which_maps_are_constant() -> None:
    maps = np.stack([np.zeros((4, 4)), np.full((4, 4), 3.0), np.eye(4), 1 + 1e-9 * np.eye(4)]).astype(np.float64)
    assert constant(maps).tolist() == [True, True, False, True]
    assert constant(maps[:0]).tolist() == []


def test_the_highest_pixels_are_as_many_as_asked_and_ties_are_drawn() -> None:
    values = np.array([[5.0, 1.0, 3.0], [3.0, 3.0, 0.0]])
    seen = set()
    for seed in range(40):
        chosen = highest(values, 2, np.random.default_rng(seed))
        assert chosen.sum() == 2
        assert chosen[0, 0]
        seen |= {(int(y), int(x)) for y, x in np.argwhere(chosen)}
    assert seen == {(0, 0), (0, 2), (1, 0), (1, 1)}
    assert highest(values, 0, np.random.default_rng(0)).sum() == 0
