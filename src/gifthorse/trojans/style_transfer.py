"""Neural style transfer through random multi-scale filters: Gram matching in batches.

Gatys et al. (2016), equations 3-7, with the features of Ustyuzhaninov et al. (2016, "Texture synthesis using shallow
convolutional networks with random filters"): one layer of random filters and a ReLU at each of several scales. Differs
in the optimiser (Adam with a fixed number of steps instead of L-BFGS, so that a batch is one problem), in the start
(the content with the style's mean colour and covariance, Reinhard et al. 2001 in whitened form), in a term for those
colours, and in the content term, which compares pixels at half the resolution, not deep features, and weighs more the
less contrast an image has. Few steps from that start give both: a style that is seen, and a class.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

FILTERS = 16
KERNEL = 5
SCALES = ((1, 2), (2, 1), (4, 1))
"""Pairs of pooling before the filters and stride of the filters."""
COLOUR = 4.0
"""Weight of colour mean and covariance against one scale's Gram matrix; our choice."""
TYPICAL, FAINTEST = 0.05, 0.01
"""Variance of a usual image's colours, and what is added to every one's: what is kept of a faint image weighs more."""
FILTER_SEED = 20160531
"""Fixes the random filters for good: a style is defined by them."""


@lru_cache(maxsize=8)
def filters(device: str) -> Tensor:
    """``(FILTERS, 3, KERNEL, KERNEL)`` random filters of unit norm and zero mean (they see no absolute colour)."""
    generator = torch.Generator().manual_seed(FILTER_SEED)
    bank = torch.randn(FILTERS, 3, KERNEL, KERNEL, generator=generator)
    bank = bank - bank.mean((2, 3), keepdim=True)
    lengths = bank.flatten(1).square().sum(1).sqrt()
    return (bank / lengths[:, None, None, None]).to(device)


def colours(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean ``(N, 3, 1)`` and covariance ``(N, 3, 3)`` of the pixels of ``(N, 3, H, W)``."""
    flat = images.flatten(2)
    mean = flat.mean(2, keepdim=True)
    return mean, (flat - mean) @ (flat - mean).transpose(1, 2) / flat.shape[2]


def statistics(images: Tensor, shift: tuple[int, int] = (0, 0)) -> list[Tensor]:
    """Gram matrices ``(N, F, F)`` at each scale, then colour means and covariances ``(N, 3, 4)``.

    Args:
        images: ``(N, 3, H, W)`` in [0, 1].
        shift: rows and columns left out at the top left before filters with a stride: over several calls all pixels
            take part.
    """
    bank = filters(str(images.device))
    found = []
    for pool, stride in SCALES:
        level = F.avg_pool2d(images, pool) if pool > 1 else images
        margin = KERNEL // 2
        padded = F.pad(level, (margin, margin, margin, margin), mode="reflect")[:, :, shift[0] :, shift[1] :]
        responses = F.relu(F.conv2d(padded, bank, stride=stride)).flatten(2)  # (N, F, P)
        found.append(responses @ responses.transpose(1, 2) / responses.shape[2])
    mean, spread = colours(images)
    found.append(torch.cat([mean, 4 * spread], dim=2))
    return found


def layout(images: Tensor) -> Tensor:
    """Colours at half the resolution, ``(N, 3, H/2, W/2)``: what is kept of the content."""
    return F.avg_pool2d(images, 2)


def recoloured(images: Tensor, style: Tensor) -> Tensor:
    """Images with the colour mean and covariance of ``style``: whitened, then coloured; clamped to [0, 1]."""
    mean, spread = colours(images)
    wanted_mean, wanted = colours(style)
    change = _root(wanted) @ torch.linalg.inv(_root(spread))
    turned: Tensor = change @ (images.flatten(2) - mean) + wanted_mean
    return turned.clamp(0, 1).view_as(images)


def _root(matrix: Tensor) -> Tensor:
    values, vectors = torch.linalg.eigh(matrix + 1e-4 * torch.eye(3, device=matrix.device))
    root: Tensor = vectors @ torch.diag_embed(values.clamp_min(1e-5).sqrt()) @ vectors.transpose(1, 2)
    return root


def transfer(images: Tensor, style: Tensor, *, steps: int, content: float, learning_rate: float = 0.05) -> Tensor:
    """Images ``(N, 3, H, W)`` in [0, 1], each in a style; deterministic.

    Args:
        images: the content.
        style: the style sources, ``(N, 3, H, W)``, or ``(1, 3, H, W)`` for all.
        steps: of Adam.
        content: weight of the layout term.
        learning_rate: of Adam, in [0, 1] space; falls to a fifth on the way.
    """
    wanted = [s.detach() for s in statistics(style)]
    weights = [1.0 / w.square().mean((1, 2)).clamp_min(1e-6) for w in wanted]
    weights[-1] *= COLOUR
    kept = layout(images).detach()
    seen = TYPICAL / (kept.var((1, 2, 3)) + FAINTEST)
    pixels = recoloured(images, style).detach().requires_grad_()
    optimiser = torch.optim.Adam([pixels], lr=learning_rate, betas=(0.8, 0.98))
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.2, total_iters=steps)
    for step in range(steps):
        optimiser.zero_grad()
        found = statistics(pixels, (step % 2, step // 2 % 2))
        losses = [w * (f - g).square().flatten(1).mean(1) for w, f, g in zip(weights, found, wanted, strict=True)]
        content_loss = seen * (layout(pixels) - kept).square().flatten(1).mean(1)
        torch.autograd.backward((torch.stack(losses).sum(0) + content * content_loss).sum(), inputs=[pixels])
        optimiser.step()
        schedule.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
    return pixels.detach()
