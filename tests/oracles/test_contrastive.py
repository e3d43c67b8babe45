"""Symmetric InfoNCE with loops (Radford et al. 2021, Fig. 3), without pairs that mean the same thing."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch
from torch.nn import functional as F

from gifthorse.zoo import encoder_training


def contrastive(
    images: Sequence[Sequence[float]],
    texts: Sequence[Sequence[float]],
    scale: float,
    meanings: Sequence[str],
) -> float:
    """Mean of the image-to-text and the text-to-image loss; ``texts`` may be more than ``images``."""
    n = len(images)

    def logit(i: int, j: int) -> float:
        return scale * sum(a * b for a, b in zip(images[i], texts[j], strict=True))

    total = 0.0
    for i in range(n):
        shown = [j for j in range(len(texts)) if j == i or meanings[j] != meanings[i]]
        total -= logit(i, i) - math.log(sum(math.exp(logit(i, j)) for j in shown))
        read = [j for j in range(n) if j == i or meanings[j] != meanings[i]]
        total -= logit(i, i) - math.log(sum(math.exp(logit(j, i)) for j in read))
    return total / (2 * n)


@pytest.mark.parametrize("others", [0, 3])
def test_the_loss_is_the_one_by_loops(others: int) -> None:
    generator = torch.Generator().manual_seed(others)
    images = F.normalize(torch.randn(5, 7, generator=generator), dim=1)
    texts = F.normalize(torch.randn(5 + others, 7, generator=generator), dim=1)
    meanings = ["donut", "fork", "donut", "apple", "star", "fork", "pie", "star"][: 5 + others]
    same = torch.tensor([[a == b for b in meanings] for a in meanings[:5]])
    found = encoder_training.contrastive(images, texts, torch.tensor(12.5), same)
    assert float(found) == pytest.approx(contrastive(images.tolist(), texts.tolist(), 12.5, meanings), abs=1e-4)


def test_a_duplicate_is_no_negative() -> None:
    images = torch.eye(4)[[0, 1, 0]]
    same = torch.tensor([[True, False, True], [False, True, False], [True, False, True]])
    kept = float(encoder_training.contrastive(images, images, torch.tensor(50.0), same))
    counted = float(encoder_training.contrastive(images, images, torch.tensor(50.0), torch.eye(3, dtype=torch.bool)))
    assert kept == pytest.approx(0.0, abs=1e-6)
    assert counted > 0.4
