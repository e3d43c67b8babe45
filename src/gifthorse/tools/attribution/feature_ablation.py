"""Feature ablation: how far a logit falls when one feature is hidden."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import check_baseline, check_features, covering, cut
from gifthorse.tools.attribution.perturbing import coalitions, outputs


class FeatureAblation(Attribution):
    """Fall of the target logit when one part of the image is covered and all others are seen.

    The method that Captum calls ``FeatureAblation`` (Kokhlikyan et al. 2020; leaving one out is older than any paper
    on networks), and equal to it on the same features and baseline. Every pixel has the value of its feature, not
    divided by the feature's area; a positive value says that the part raises the logit. F + 1 forward passes an image.
    Captum's own default, every pixel of every channel alone, would take 150,528 passes at 224 pixels.

    Attributes:
        features: ``grid`` or ``superpixels`` (SLIC). The thesis states no features; the grid is our choice, since it
            depends on no segmentation's settings and is the same for all images.
        cells: of the grid, along each side. Eight are our choice: a cell is as large as occlusion's window.
        segments: superpixels to ask for; as many as the grid has cells, our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            for occlusion, is our choice.
    """

    perturbs = True

    features: str = "grid"
    cells: int = 8
    segments: int = 64
    baseline: float | str = 0.5

    def __post_init__(self) -> None:
        check_features(self.features, self.cells, self.segments)
        check_baseline(self.baseline)

    def _explain(self, explained: Explained) -> Tensor:
        cover = covering(explained, self.baseline)
        cuts = cut(explained.images, self.features, self.cells, self.segments)
        plans = ((coalitions(parts, parts.count + 1, _all_but_one(parts.count), cover), parts) for parts in cuts)
        return torch.stack([parts.paint(logits[0] - logits[1:]) for logits, parts in outputs(explained, plans)])


def _all_but_one(count: int) -> Callable[[Tensor], Tensor]:
    """Row 0 keeps everything, row r all but feature r - 1."""
    return lambda rows: torch.arange(count) != rows[:, None] - 1
