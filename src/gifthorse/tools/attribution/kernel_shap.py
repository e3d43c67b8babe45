"""KernelSHAP: Shapley values from one weighted regression."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import Parts, check_baseline, check_features, covering, cut
from gifthorse.tools.attribution.perturbing import Plan, coalitions, outputs

CHUNK = 4096
"""Coalitions that enter the normal equations at a time."""


class KernelShap(Attribution):
    """Shapley values of the parts of an image, as the regression of the target logit on which parts are seen.

    Lundberg and Lee 2017, "A Unified Approach to Interpreting Model Predictions", theorem 2: least squares with weight
    (F - 1) / (C(F, s) s (F - s)) for s of F parts seen, where the values add up to the logit of the whole image less
    that of the covered one. That sum is a constraint of the regression here, solved with it and so exact, not two
    samples of large weight as in Captum. Coalitions are drawn in pairs, one with its complement (Covert and Lee 2021,
    "Improving KernelSHAP", section 4.2), and every size is drawn as often as any other, with the weight in the
    regression and not in the draw (Musco and Witter 2025, "Provably Accurate Shapley Value Estimation via Leverage
    Score Sampling"): on the emoji network this came a quarter nearer to the values than drawing by weight did. Where
    all 2^F - 2 coalitions are within the samples, they are all run, and the values are exact.

    Every pixel has the value of its part, not divided by the part's area; a positive value says that the part raises
    the logit. At most ``samples`` + 2 forward passes an image: a coalition drawn twice is run once.

    Attributes:
        features: ``grid`` or ``superpixels`` (SLIC, which the paper has for images). The thesis states no features;
            the grid is our choice.
        cells: of the grid, along each side. Eight are our choice: a cell is as large as occlusion's window.
        segments: superpixels to ask for; as many as the grid has cells, our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            for occlusion, is our choice.
        samples: coalitions. 500 are our choice, about eight for each of 64 values; Captum's default is 25. With fewer
            than there are parts, the shortest values that fit are given.
    """

    perturbs = True

    features: str = "grid"
    cells: int = 8
    segments: int = 64
    baseline: float | str = 0.5
    samples: int = 500

    def __post_init__(self) -> None:
        check_features(self.features, self.cells, self.segments)
        check_baseline(self.baseline)
        if self.samples < 2:
            raise UsageError(f"samples is {self.samples}", "two or more; several for each feature")

    def _explain(self, explained: Explained) -> Tensor:
        cover = covering(explained, self.baseline)
        cuts = cut(explained.images, self.features, self.cells, self.segments)
        plans = (self._plan(parts, cover, g) for parts, g in zip(cuts, explained.generators, strict=True))
        maps = []
        for logits, (parts, seen, weights) in outputs(explained, plans):
            nothing, everything = logits[:2]
            maps.append(parts.paint(solve(seen, logits[2:] - nothing, weights, float(everything - nothing))))
        return torch.stack(maps)

    def _plan(self, parts: Parts, cover: Tensor, source: torch.Generator) -> tuple[Plan, tuple[Parts, Tensor, Tensor]]:
        seen, weights = draw(parts.count, self.samples, source)
        return coalitions(parts, 2 + len(seen), _with_ends(seen), cover), (parts, seen, weights)


def _with_ends(seen: Tensor) -> Callable[[Tensor], Tensor]:
    """Row 0 keeps nothing, row 1 everything, row r coalition r - 2."""
    ends = torch.tensor([[False], [True]]).expand(2, seen.shape[1])
    return torch.cat([ends, seen]).__getitem__


def draw(count: int, samples: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
    """Coalitions ``(S, F)`` bool, none twice, with their weights ``(S,)`` float64, which add up to 1; S <= samples.

    Args:
        count: features, F. Of one there is no coalition.
        samples: how many at most.
        source: of the draws; where there are no more coalitions than samples, nothing is drawn.
    """
    if count == 1:
        return torch.zeros(0, 1, dtype=torch.bool), torch.zeros(0, dtype=torch.float64)
    if 2**count - 2 <= samples:
        numbers = torch.arange(1, 2**count - 1)
        seen, times = (numbers[:, None] >> torch.arange(count)) % 2 == 1, None
    else:
        sizes = torch.randint(1, count, (samples // 2,), generator=source)
        half = torch.cat([_of_sizes(part, count, source) for part in torch.split(sizes, CHUNK)])
        seen, times = torch.unique(torch.cat([half, ~half]), dim=0, return_counts=True)
    sizes = seen.sum(1).double()
    weights = 1 / (sizes * (count - sizes))
    if times is None:
        alike = torch.tensor([math.comb(count, size) for size in range(count + 1)], dtype=torch.float64)
        weights = weights / alike[sizes.long()]
    else:
        weights = weights * times
    return seen, weights / weights.sum()


def _of_sizes(sizes: Tensor, count: int, source: torch.Generator) -> Tensor:
    """A random coalition of each size, ``(len(sizes), F)`` bool."""
    return torch.rand(len(sizes), count, generator=source).argsort(1) < sizes[:, None]


def solve(seen: Tensor, rises: Tensor, weights: Tensor, total: float) -> Tensor:
    """The values ``(F,)`` that add up to ``total`` and fit best; of several that fit, those nearest to equal shares.

    Args:
        seen: coalitions ``(S, F)`` bool.
        rises: ``(S,)`` float64, the logit of each less that of the covered image.
        weights: ``(S,)`` float64.
        total: the logit of the whole image less that of the covered one.
    """
    count = seen.shape[1]
    equal = total / count
    gram, right = torch.zeros(count, count, dtype=torch.float64), torch.zeros(count, dtype=torch.float64)
    for part, rise, weight in zip(
        torch.split(seen, CHUNK), torch.split(rises, CHUNK), torch.split(weights, CHUNK), strict=True
    ):
        # without its mean a row is orthogonal to the ones: what is found then adds up to 0, beside the equal shares
        row = part.double()
        left = rise - equal * row.sum(1)
        row = row - row.mean(1, keepdim=True)
        gram += row.T @ (weight[:, None] * row)
        right += row.T @ (weight * left)
    found: Tensor = torch.linalg.pinv(gram, hermitian=True) @ right
    return equal + found - found.mean()
