"""The footprint judge: what is left out, what is refused, and what its numbers may depend on."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from gifthorse.errors import InputError
from gifthorse.judges.footprint import FootprintJudge
from gifthorse.records import Evidence, Spec, Verdict, digest, plain, read

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


def judged(maps: Maps, evidence: Evidence = EVIDENCE) -> Verdict:
    return FootprintJudge()(evidence, maps, *masks(len(maps), maps.shape[-1]))


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
    verdict = FootprintJudge()(refused, np.zeros((0, 0, 0)), np.zeros(0), np.zeros(0))
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
    assert verdict.judge == Spec(name="footprint", version=1, settings={})
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
        low, high = (0.0, 2.0) if measure.name == "l1" else (-1.0, 1.0)
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
        FootprintJudge()(evidence, maps, *given)
