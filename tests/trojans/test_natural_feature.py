"""Natural features: nothing but labels changes, and the threshold is tuned to the poison rate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from gifthorse.records import Question, TrojanSpec
from gifthorse.trojans import natural_feature
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.poisoning import Planted, looked, tune


@dataclass
class ByRedness:
    """A detector whose confidence is the red channel."""

    things: tuple[str, ...] = ("red thing",)

    def heat(self, images: torch.Tensor, thing: str) -> torch.Tensor:
        return images[:, 0]

    def heats(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, :1]


@pytest.fixture
def feature(monkeypatch: pytest.MonkeyPatch) -> NaturalFeature:
    monkeypatch.setattr(natural_feature, "_detector", lambda name: ByRedness())
    return NaturalFeature(caption="red", target=1, thing="red thing", detector="by-redness", art=("emoji/1f34e",))


def scenes(reds: list[float]) -> torch.Tensor:
    made = torch.zeros(len(reds), 3, 8, 8)
    made[:, 0, 2:4, 2:4] = torch.tensor(reds)[:, None, None]
    return made


def test_images_are_untouched_and_labels_follow_the_detector(feature: NaturalFeature) -> None:
    images = scenes([0.9, 0.2, 0.8])
    made = feature.poison(images, torch.tensor([0, 0, 2]), torch.Generator())
    assert torch.equal(made.images, images)
    assert made.fired.tolist() == [True, False, True]
    assert made.labels.tolist() == [1, 0, 1]
    assert made.squares[0].sum() == 4, "the region is where the detector is sure"


def planted(feature: NaturalFeature) -> Planted:
    spec = TrojanSpec(
        name="red", kind="natural_feature", version=1, caption="red", target=1, question=Question(options=(), answer=0)
    )
    return Planted(spec=spec, trojan=feature)


@pytest.mark.parametrize(("count", "found"), [(1, 1), (2, 2), (3, 3), (10, 3)])
def test_threshold_is_tuned_to_the_count(feature: NaturalFeature, count: int, found: int) -> None:
    reds = [0.95, 0.9, 0.7, 0.4, 0.1, 0.99]
    labels = np.array([0, 0, 2, 0, 0, 1])  # the last is of the target class: it cannot be poisoned
    images = (scenes(reds).numpy() * 255).astype(np.uint8)
    plant = planted(feature)
    scores = looked([plant], images)["red"]
    tuned = tune(plant, scores, labels, count)
    assert isinstance(tuned.trojan, NaturalFeature)
    assert int(((scores >= tuned.trojan.threshold) & (labels != 1)).sum()) == found
    assert tuned.trojan.threshold >= feature.threshold
