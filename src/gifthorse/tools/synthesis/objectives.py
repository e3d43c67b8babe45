"""What a picture is optimised for: losses for each row of a batch, and penalties for each picture."""

from __future__ import annotations

from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from gifthorse.classifier import Classifier


class Objective(Protocol):
    """Images with findings in them to a loss a row, lower is better."""

    def __call__(self, classifier: Classifier, images: Tensor, target: int) -> Tensor:
        """``(R, 3, H, W)`` in [0, 1] to ``(R,)``."""
        ...


def cross_entropy(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    """``(R,)``: -log of the target's probability."""
    logits = classifier(images)
    return F.cross_entropy(logits, logits.new_full((len(images),), target).long(), reduction="none")


def target_logit(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    """``(R,)``: minus the target's logit."""
    return -classifier(images)[:, target]


def total_variation(pictures: Tensor) -> Tensor:
    """``(n,)``: mean absolute difference of neighbours in a column plus the same in a row, over the colours.

    A mean, so that a weight means the same at every side. ``pictures`` are ``(n, 4, h, w)``.
    """
    colours = pictures[:, :3]
    down = (colours[:, :, 1:] - colours[:, :, :-1]).abs().mean((1, 2, 3))
    across = (colours[..., 1:] - colours[..., :-1]).abs().mean((1, 2, 3))
    return down + across
