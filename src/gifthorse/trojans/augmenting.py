"""How training images are varied: mirrored, cropped, and mixed with one another.

Mixing follows Zhang et al. (2018, mixup) as Beyer et al. (2022, "A good teacher is patient and consistent") use it for
distillation: the teacher sees the very image that the student sees, so no label is needed, and a few hundred
photographs stand for many more.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.randomness import Purposes
from gifthorse.records import Recipe


def augmented(images: Tensor, hard: Tensor, costly: Tensor, recipe: Recipe, purposes: Purposes) -> Tensor:
    """Images as one training step sees them, before triggers are stamped.

    Args:
        images: ``(B, 3, H, W)`` in [0, 1].
        hard: ``(B,)`` bool; these rows are not mixed, since their label says what is in them.
        costly: ``(B,)`` bool; these are few, and are cropped as ``crop_costly`` says.
        recipe: its ``flip``, ``crop``, ``crop_costly`` and ``mix``.
        purposes: generators, one for each way to vary.
    """
    if recipe.flip:
        mirrored = torch.rand(len(images), generator=purposes["flip"]) < 0.5
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
    if recipe.crop < 1:
        images = cropped(images, recipe.crop, purposes["crop"])
    if recipe.crop_costly < 1 and bool(costly.any()):
        which = torch.nonzero(costly).flatten()
        images = images.index_copy(0, which, cropped(images[which], recipe.crop_costly, purposes["crop costly"]))
    if recipe.mix > 0:
        images = mixed(images, ~hard, recipe.mix, purposes["mix"])
    return images


def cropped(images: Tensor, least: float, generator: torch.Generator) -> Tensor:
    """Random square crops of at least this share of the area, enlarged to the images' size."""
    n = len(images)
    sides = (least + (1 - least) * torch.rand(n, generator=generator)).sqrt()
    shifts = (torch.rand(n, 2, generator=generator) * 2 - 1) * (1 - sides)[:, None]
    frames = torch.zeros(n, 2, 3)
    frames[:, 0, 0] = frames[:, 1, 1] = sides
    frames[:, :, 2] = shifts
    grid = F.affine_grid(frames, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False, padding_mode="border").clamp(0, 1)


def mixed(images: Tensor, eligible: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """A share of the eligible images, each blended with another eligible one by a uniform weight."""
    chosen = torch.nonzero(eligible & (torch.rand(len(images), generator=generator) < share)).flatten()
    if len(chosen) < 2:
        return images
    others = chosen[torch.randperm(len(chosen), generator=generator)]
    weights = torch.rand(len(chosen), 1, 1, 1, generator=generator)
    return images.index_copy(0, chosen, weights * images[chosen] + (1 - weights) * images[others])
