"""LIME: a linear model of the logit around an image."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import UsageError, nearest
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import Parts, check_baseline, check_features, covering, cut
from gifthorse.tools.attribution.perturbing import Plan, coalitions, outputs

DISTANCES = ("cosine", "pixels")

CHUNK = 4096
"""Samples that enter the normal equations at a time."""

ROUNDING = 1e-12
"""Variance of a column of zeros and ones that is none."""


class Lime(Attribution):
    """Coefficients of a weighted ridge regression of the target logit on which parts of the image are seen.

    Ribeiro, Singh and Guestrin 2016, "Why Should I Trust You?", section 3.3 and equation 1: each sample keeps every
    part with probability one half, the rest is covered, and a sample's weight is exp(-d^2 / (2 width^2)) of its
    distance d to the whole image. As in the authors' code for images, d is the cosine distance between which parts
    are seen and all ones, 1 - sqrt(parts seen / parts), and the model a ridge regression on logits, not on the K parts
    that a Lasso picks. ``pixels`` counts pixels instead of parts, for parts of unlike size. The whole image is a
    sample too.

    The regression has no scale: outputs multiplied by a number give coefficients multiplied by it, and the penalty is
    a share of what a part's column weighs in the normal equations. So no choice of units makes a map zero, as
    Captum's default Lasso (alpha = 0.01 whatever the outputs) does. The intercept is not penalised. Every pixel has
    its part's coefficient, not divided by the part's area; a positive one says that the part raises the logit.
    ``samples`` forward passes an image. ``notes["r2"]`` ``(N,)`` is the weighted share of the outputs' variance that
    the model explains: 1 where it is exact, 0 where the outputs do not vary.

    Attributes:
        features: ``grid`` or ``superpixels`` (SLIC, which the paper has). The thesis states no features; the grid is
            our choice, since it is the same for all methods and images.
        cells: of the grid, along each side. Eight are our choice: a cell is as large as occlusion's window.
        segments: superpixels to ask for; as many as the grid has cells, our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            for occlusion, is our choice; the authors' code takes each superpixel's mean colour.
        samples: 500 are our choice, about eight for each of 64 coefficients; Captum's default of 25 determines none.
        distance: ``cosine`` (the authors' for images) or ``pixels``.
        width: of the kernel, in units of the distance. A quarter is that of the authors' code for images.
        ridge: the penalty, as a share of a part's weighted variance. A hundredth is our choice: it shrinks
            coefficients by about as much, and makes the equations solvable whatever the samples.
    """

    perturbs = True

    features: str = "grid"
    cells: int = 8
    segments: int = 64
    baseline: float | str = 0.5
    samples: int = 500
    distance: str = "cosine"
    width: float = 0.25
    ridge: float = 0.01

    def __post_init__(self) -> None:
        check_features(self.features, self.cells, self.segments)
        check_baseline(self.baseline)
        if self.samples < 2:
            raise UsageError(f"samples is {self.samples}", "two or more; several for each feature")
        if self.distance not in DISTANCES:
            raise UsageError(f"distance is {self.distance!r}", nearest(self.distance, DISTANCES))
        for name, value in (("width", self.width), ("ridge", self.ridge)):
            if not value > 0:
                raise UsageError(f"{name} is {value}", "a number above 0")

    def _explain(self, explained: Explained) -> Tensor:
        cover = covering(explained, self.baseline)
        cuts = cut(explained.images, self.features, self.cells, self.segments)
        plans = (self._plan(parts, cover, g) for parts, g in zip(cuts, explained.generators, strict=True))
        maps, fits = [], []
        for logits, (parts, seen) in outputs(explained, plans):
            coefficients, r2 = fit(seen, logits, self._weights(seen, parts), self.ridge)
            maps.append(parts.paint(coefficients))
            fits.append(r2)
        explained.notes["r2"] = torch.tensor(fits)
        return torch.stack(maps)

    def _plan(self, parts: Parts, cover: Tensor, source: torch.Generator) -> tuple[Plan, tuple[Parts, Tensor]]:
        """Samples, the first of which is the whole image, and which parts each shows, ``(samples, F)`` bool."""
        seen = torch.empty(self.samples, parts.count, dtype=torch.bool).bernoulli_(0.5, generator=source)
        seen[0] = True
        return coalitions(parts, self.samples, seen.__getitem__, cover), (parts, seen)

    def _weights(self, seen: Tensor, parts: Parts) -> Tensor:
        """Of the samples, ``(samples,)`` float64, by their distance to the whole image."""
        sizes = parts.pixels if self.distance == "pixels" else torch.ones(parts.count, dtype=torch.float64)
        share = torch.cat([part.double() @ sizes for part in torch.split(seen, CHUNK)]) / sizes.sum()
        return torch.exp(-(1 - share.sqrt()).square() / (2 * self.width**2))


def fit(seen: Tensor, outputs: Tensor, weights: Tensor, ridge: float) -> tuple[Tensor, float]:
    """Weighted ridge regression with a free intercept.

    Args:
        seen: ``(S, F)`` bool.
        outputs: ``(S,)`` float64.
        weights: ``(S,)`` float64, positive.
        ridge: penalty on a coefficient, as a share of its column's weighted sum of squares about its mean.

    Returns:
        Coefficients ``(F,)`` float64 (0 for a column that does not vary), and the weighted R2.
    """
    share = weights / weights.sum()
    left = outputs - outputs[0]  # exactly 0 where the outputs do not vary, which their mean alone would not give
    left = left - share @ left
    pieces = list(zip(torch.split(seen, CHUNK), torch.split(share, CHUNK), torch.split(left, CHUNK), strict=True))
    middle = torch.stack([part @ columns.double() for columns, part, _ in pieces]).sum(0)
    gram, right = torch.zeros(len(middle), len(middle), dtype=torch.float64), torch.zeros_like(middle)
    for columns, part, rest in pieces:
        row = columns.double() - middle
        gram += row.T @ (part[:, None] * row)
        right += row.T @ (part * rest)
    varies = gram.diagonal()
    # a column that is the same in every sample says nothing, and what rounding leaves of it must not be divided by
    penalty = torch.where(varies > ROUNDING, ridge * varies, torch.ones_like(varies))
    found = torch.linalg.solve(gram + penalty.diag(), right)
    total = float(share @ left.square())
    missed = total - float(2 * found @ right - found @ gram @ found)
    return found, 1 - missed / total if total > 0 else 0.0
