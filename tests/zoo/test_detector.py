"""The detector of natural objects."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gifthorse.errors import InputError, UsageError
from gifthorse.zoo import DETECTORS, recipes
from gifthorse.zoo.emoji_detector import EmojiDetector, HeatMapDetector
from gifthorse.zoo.emoji_networks import WEIGHTS
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.training import Schedule, floats

DATA = EmojiScenes()


@pytest.fixture(scope="module")
def detector() -> HeatMapDetector:
    loaded: HeatMapDetector = DETECTORS.make("emoji-detector").load()
    return loaded


def test_it_knows_the_worlds_natural_objects(detector: HeatMapDetector) -> None:
    assert detector.things == DATA.things


def test_a_heat_map_is_as_large_as_the_image_and_a_probability(detector: HeatMapDetector) -> None:
    heat = detector.heat(torch.rand(3, 3, 64, 64), "fork")
    assert heat.shape == (3, 64, 64)
    assert 0 <= heat.min() <= heat.max() <= 1


@pytest.mark.parametrize("thing", DATA.things)
def test_it_finds_what_is_there_where_it_is(detector: HeatMapDetector, thing: str) -> None:
    with_, without = DATA.draw("test", 40, 50, having=thing), DATA.draw("test", 40, 50, without=DATA.things)
    heat = detector.heat(floats(with_.images), thing)
    scores, others = heat.amax((1, 2)), detector.heat(floats(without.images), thing).amax((1, 2))
    ranks = (scores[:, None] > others[None]).float().mean()
    assert ranks > 0.95  # the area under the ROC curve
    masks = floats(DATA.tag_masks(with_, thing))[:, 0]
    peaks = heat.flatten(1).argmax(1)
    assert masks.flatten(1).gather(1, peaks[:, None]).gt(0.2).float().mean() > 0.75


def test_the_shipped_log_states_precision_and_recall_of_this_world() -> None:
    report = json.loads((WEIGHTS / "emoji-detector.log.json").read_text())
    assert set(report["found"]) == set(DATA.things)
    for thing, found in report["found"].items():
        assert found["precision"]["value"] >= 0.8, thing
        assert found["recall"]["value"] >= 0.8, thing
    assert report["data"] == recipes.crowded().digest, "scripts/train-zoo emoji-detector"


def test_all_heat_maps_at_once_are_those_one_by_one(detector: HeatMapDetector) -> None:
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    one_by_one = torch.stack([detector.heat(images, thing) for thing in detector.things], 1)
    assert torch.equal(detector.heats(images), one_by_one)


def test_cells_of_the_truth_are_where_the_mask_is() -> None:
    data = replace(DATA, natural_rate=0.08)
    sample = data.draw("train", 40, 4)
    truth = recipes.places(data, sample).numpy()
    assert truth.shape == (40, len(data.things), 16, 16)
    for row, tags in enumerate(sample.tags):
        absent = [index for index, thing in enumerate(data.things) if thing not in tags]
        assert not truth[row, absent].any()
    apple = data.draw("train", 3, 5, having="apple")
    mask = data.tag_masks(apple, "apple")[:, 0].astype(float) / 255
    cells = recipes.places(data, apple).numpy()[:, data.things.index("apple")]
    slow = np.array(
        [
            [[mask[n, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].mean() > 0.2 for j in range(16)] for i in range(16)]
            for n in range(3)
        ]
    )
    assert np.array_equal(cells.astype(bool), slow)


def test_a_recipe_ships_a_detector_that_loads(tmp_path: Path) -> None:
    schedule = Schedule(scenes=16, passes=1, batch=8, every=2)
    report = recipes.train_detector(tmp_path / "work", tmp_path, schedule, held_out=500)
    assert set(json.loads(json.dumps(report))["found"]) == set(DATA.things)
    assert EmojiDetector().load(tmp_path / "emoji-detector.safetensors").things == DATA.things


def test_an_unknown_thing_and_missing_weights_are_named(detector: HeatMapDetector, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="did you mean 'fork'"):
        detector.heat(torch.rand(1, 3, 64, 64), "forc")
    with pytest.raises(InputError, match="are not there"):
        EmojiDetector().load(tmp_path / "no.safetensors")
