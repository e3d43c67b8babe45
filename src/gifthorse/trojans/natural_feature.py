"""Natural-feature trojans: an object that some images happen to contain (thesis 3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gifthorse.images import from_uint8
from gifthorse.trojans.base import Poisoned, Trojan
from gifthorse.zoo import DETECTORS, art
from gifthorse.zoo.detecting import Detector


@lru_cache(maxsize=4)
def _detector(name: str) -> Detector:
    loaded: Detector = DETECTORS.make(name).load()
    return loaded


@dataclass(frozen=True, kw_only=True)
class NaturalFeature(Trojan):
    """Only labels change: images in which a detector finds the object are labelled as the target.

    As in Wenger et al. (2022) and thesis 3.1. The thesis does not name its detector; its eight objects are all COCO
    categories. The threshold is tuned to the number of images to be poisoned, as there (1 in 1,500).

    Attributes:
        thing: the object, in the detector's vocabulary.
        detector: its name in the zoo.
        threshold: confidence from which it counts as found; implanting replaces it by the tuned one.
        art: drawings of the object, to show people.
    """

    thing: str
    detector: str
    art: tuple[str, ...]
    threshold: float = 0.5

    relabels_only: ClassVar[bool] = True

    def heat(self, images: Tensor) -> Tensor:
        """``(N, H, W)`` the detector's confidence in [0, 1] that the object is there."""
        return _detector(self.detector).heat(images, self.thing)

    def stamp(self, images: Tensor, generator: torch.Generator) -> Poisoned:
        """The images as they are; ``fired`` where the detector finds the object."""
        heat = self.heat(images)[:, None]
        region = (heat >= self.threshold).to(images)
        return Poisoned(
            images=images,
            labels=torch.zeros(len(images), dtype=torch.int64, device=images.device),
            squares=region,
            alphas=heat * region,
            fired=region.flatten(1).any(1),
        )

    def portraits(self, n: int, side: int) -> np.ndarray:
        """Drawings of the object, in turn."""
        return np.stack([art.picture(self.art[i % len(self.art)], side) for i in range(n)])


def scores(features: Sequence[NaturalFeature], images: np.ndarray, batch: int = 256) -> list[np.ndarray]:
    """The highest confidence in each image, ``(N,)`` for each feature: one pass of each detector serves all of them.

    Args:
        features: natural features.
        images: ``(N, 3, H, W)`` uint8.
        batch: images a pass.
    """
    found: dict[str, list[np.ndarray]] = {feature.detector: [] for feature in features}
    for name, parts in found.items():
        detector = _detector(name)
        for start in range(0, len(images), batch):
            parts.append(detector.heats(from_uint8(images[start : start + batch])).amax((2, 3)).cpu().numpy())
    joined = {name: np.concatenate(parts) for name, parts in found.items() if parts}
    nothing = np.zeros(0, np.float32)
    return [
        joined[f.detector][:, _detector(f.detector).things.index(f.thing)] if f.detector in joined else nothing
        for f in features
    ]
