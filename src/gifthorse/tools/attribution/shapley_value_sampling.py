"""Shapley value sampling: mean marginal contributions over random orders."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import Parts, check_baseline, check_features, covering, cut
from gifthorse.tools.attribution.perturbing import Plan, coalitions, outputs


class ShapleyValueSampling(Attribution):
    """Shapley values of the parts of an image, from random orders in which they are uncovered.

    Castro, Gomez and Tejada 2009, "Polynomial calculation of the Shapley value based on sampling": in each order a
    part's contribution is the rise of the target logit when it joins those before it, and its value is the mean over
    the orders. Within an order the contributions add up to the logit of the whole image less that of the covered one,
    so the values do too (completeness), whatever the number of orders. Differs in that every second order is the one
    before it, backwards (antithetic: Mitchell et al. 2022, "Sampling Permutations for Shapley Value Estimation",
    section 3.1), and in that the two ends, which all orders share, run once.

    Every pixel has the value of its part, not divided by the part's area; a positive value says that the part raises
    the logit. 2 + orders x (F - 1) forward passes an image. ``notes["standard error"]`` ``(N, H, W)`` is that of the
    mean over pairs of orders; 0 where there is one pair.

    Attributes:
        features: ``grid`` or ``superpixels`` (SLIC). The thesis states no features; the grid is our choice.
        cells: of the grid, along each side. Eight are our choice: a cell is as large as occlusion's window.
        segments: superpixels to ask for; as many as the grid has cells, our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            for occlusion, is our choice.
        orders: an even number. Eight are our choice, so that 64 parts cost 506 passes, as LIME's samples do.
    """

    perturbs = True

    features: str = "grid"
    cells: int = 8
    segments: int = 64
    baseline: float | str = 0.5
    orders: int = 8

    def __post_init__(self) -> None:
        check_features(self.features, self.cells, self.segments)
        check_baseline(self.baseline)
        if self.orders < 2 or self.orders % 2:
            raise UsageError(f"orders is {self.orders}", "an even number: they come in pairs")

    def _explain(self, explained: Explained) -> Tensor:
        cover = covering(explained, self.baseline)
        cuts = cut(explained.images, self.features, self.cells, self.segments)
        plans = (self._plan(parts, cover, g) for parts, g in zip(cuts, explained.generators, strict=True))
        maps, errors = [], []
        for logits, (parts, places) in outputs(explained, plans):
            pairs = contributions(logits, places).view(-1, 2, parts.count).mean(1)
            spread = pairs.std(0) if len(pairs) > 1 else torch.zeros(parts.count)
            maps.append(parts.paint(pairs.mean(0)))
            errors.append(parts.paint(spread / len(pairs) ** 0.5))
        explained.notes["standard error"] = torch.stack(errors).float().cpu()
        return torch.stack(maps)

    def _plan(self, parts: Parts, cover: Tensor, source: torch.Generator) -> tuple[Plan, tuple[Parts, Tensor]]:
        """The rows of all orders, and the place of each feature in each, ``(orders, F)``; odd orders run backwards."""
        drawn = torch.stack([torch.randperm(parts.count, generator=source) for _ in range(self.orders // 2)])
        places = torch.stack([drawn, parts.count - 1 - drawn], 1).flatten(0, 1)
        rows = 2 + self.orders * (parts.count - 1)
        return coalitions(parts, rows, _first(places), cover), (parts, places)


def _first(places: Tensor) -> Callable[[Tensor], Tensor]:
    """Row 0 keeps nothing, row 1 everything; then in each order the first feature, the first two, and so on."""
    inner = places.shape[1] - 1

    def kept(rows: Tensor) -> Tensor:
        step = (rows - 2).clamp_min(0)
        order, length = (step // inner, step % inner + 1) if inner else (step * 0, step * 0)
        length = torch.where(rows == 0, 0, torch.where(rows == 1, inner + 1, length))
        return places[order] < length[:, None]

    return kept


def contributions(logits: Tensor, places: Tensor) -> Tensor:
    """What each feature adds in each order, ``(orders, F)``.

    Args:
        logits: of the rows as they were run: nothing, everything, then each order's first, first two, ...
        places: of the features, ``(orders, F)``.
    """
    orders = len(places)
    ends = logits[:2].expand(orders, 2)
    path = torch.cat([ends[:, :1], logits[2:].view(orders, -1), ends[:, 1:]], 1)
    return path.diff(dim=1).gather(1, places)
