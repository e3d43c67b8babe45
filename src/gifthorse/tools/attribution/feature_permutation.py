"""Feature permutation: how far a logit falls when one feature is another image's."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import InputError, UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import Parts, check_features, cut, references
from gifthorse.tools.attribution.perturbing import Plan, outputs


class FeaturePermutation(Attribution):
    """Mean fall of the target logit when one part of the image is replaced by the same part of other images.

    Breiman 2001, "Random Forests", section 10, as Fisher et al. 2019, "All Models are Wrong, but Many are Useful",
    section 3, state it, for one image: its feature takes values from a pool, the ``references``. Differs from Captum's
    ``FeaturePermutation``, which permutes within the batch that is explained: there a map depends on its company, and
    an image alone gets zeros. Pool images are drawn for each feature without replacement; where the pool has no more
    than are asked for, each is used once and the result is exact. References that are the image itself are left out.

    Every pixel has the value of its feature, not divided by the feature's area; a positive value says that the part
    raises the logit. 1 + F x draws forward passes an image. ``notes["standard error"]`` ``(N, H, W)`` is that of the
    mean over the draws, of an endless pool; 0 where there is one draw.

    Attributes:
        features: ``grid`` or ``superpixels`` (SLIC). The thesis states no features; the grid is our choice.
        cells: of the grid, along each side. Eight are our choice: a cell is as large as occlusion's window.
        segments: superpixels to ask for; as many as the grid has cells, our choice.
        draws: pool images for each feature. Five are our choice: as many passes as the other sampling methods take,
            within a factor of two, for they cost 320.
    """

    needs = frozenset({"clean_images"})
    perturbs = True

    features: str = "grid"
    cells: int = 8
    segments: int = 64
    draws: int = 5

    def __post_init__(self) -> None:
        check_features(self.features, self.cells, self.segments)
        if self.draws < 1:
            raise UsageError(f"draws is {self.draws}", "a whole number from 1")

    def _explain(self, explained: Explained) -> Tensor:
        pool = references(explained, "the pool that features are drawn from is the references")
        others = [_others(pool, image) for image in explained.images]
        cuts = cut(explained.images, self.features, self.cells, self.segments)
        given = zip(cuts, others, explained.generators, strict=True)
        plans = (
            (_plan(parts, pool, mine[self._drawn(parts.count, len(mine), source)]), parts)
            for parts, mine, source in given
        )
        maps, errors = [], []
        for logits, parts in outputs(explained, plans):
            falls = (logits[0] - logits[1:]).view(parts.count, -1)
            draws = falls.shape[1]
            spread = falls.std(1) if draws > 1 else torch.zeros(parts.count)
            maps.append(parts.paint(falls.mean(1)))
            errors.append(parts.paint(spread / draws**0.5))
        explained.notes["standard error"] = torch.stack(errors).float().cpu()
        return torch.stack(maps)

    def _drawn(self, count: int, pool: int, source: torch.Generator) -> Tensor:
        """Pool images for each feature, ``(F, D)``, no one twice for a feature."""
        return torch.stack([torch.randperm(pool, generator=source)[: self.draws] for _ in range(count)])


def _others(pool: Tensor, image: Tensor) -> Tensor:
    """Which of a pool are not the image, ``(M,)`` indices on the CPU; one after the other, so that none is copied."""
    others = torch.tensor([index for index, one in enumerate(pool) if not torch.equal(one, image)])
    if not len(others):
        raise InputError("every reference is the image that is explained", "references=other images")
    return others


def _plan(parts: Parts, pool: Tensor, drawn: Tensor) -> Plan:
    """Row 0 is the image, row 1 + f D + d has feature f from the d-th of its pool images."""
    features, draws = drawn.shape

    def make(rows: Tensor) -> tuple[Tensor, Tensor]:
        place = (rows - 1).clamp_min(0)
        feature = torch.where(rows == 0, -1, place // draws).to(parts.of.device)
        return parts.of != feature[:, None, None], pool[drawn.flatten()[place].to(pool.device)]

    return Plan(rows=1 + features * draws, make=make)
