"""Integrated gradients."""

from __future__ import annotations

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.baselines import baseline_of, check_baseline
from gifthorse.tools.attribution.engine import batches, check_reduction, reduce_channels, require_gradients

LEAST = 1e-4
"""Differences of logits below this share of a map's total magnitude are lost in float32's rounding: a relative error is
taken of no less than that."""


class IntegratedGradients(Attribution):
    """The target logit's gradient, averaged on the straight line from a baseline to the image, times their difference.

    Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks", section 3, through Captum's
    ``IntegratedGradients`` (Gauss-Legendre points). Differs in the number of steps: where a map does not add up to the
    difference of the two logits (completeness, proposition 1), the steps are doubled for that image until it does. The
    steps of each image and its remaining error are in the notes, with how many images were left above the tolerance;
    each step is a forward and a backward pass.

    Attributes:
        baseline: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Black as in the paper;
            the thesis states none.
        steps: at first. 50 is Captum's default, and of the 20 to 300 that the paper's section 5 found enough.
        tolerance: how far the map's sum may be from the difference of the logits, as a share of it. 1% is our choice;
            the paper advises 5%.
        most: steps after which an image is left as it is, its error noted. 1600, five doublings, is our choice.
        sign: ``signed`` (our choice: the thesis says neither), ``absolute`` or ``positive``.
        channels: ``sum`` (our choice: a map then adds up to the difference of the logits), ``mean`` or ``max``.
    """

    needs = frozenset({"gradients"})
    passes = 400.0  # two doublings of 50 steps

    baseline: float | str = 0.0
    steps: int = 50
    tolerance: float = 0.01
    most: int = 1600
    sign: str = "signed"
    channels: str = "sum"

    def __post_init__(self) -> None:
        check_baseline(self.baseline)
        check_reduction(self.sign, self.channels)
        if not 1 <= self.steps <= self.most:
            raise UsageError(f"steps is {self.steps} and most {self.most}", "steps from 1, and most no less")
        if not self.tolerance > 0:
            raise UsageError(f"tolerance is {self.tolerance}", "a share of the difference, above 0")

    def _explain(self, explained: Explained) -> Tensor:
        baseline = baseline_of(explained, self.baseline)
        require_gradients(explained.classifier, explained.images[:1])
        wanted = self._difference(explained, baseline)
        values = torch.zeros_like(explained.images)
        error, taken = torch.zeros_like(wanted), torch.zeros_like(wanted)
        left, steps = torch.arange(len(wanted), device=wanted.device), self.steps
        while len(left):
            values[left] = made = self._integrate(explained, baseline, left, steps)
            magnitude = made.abs().flatten(1).sum(1)
            scale = torch.maximum(wanted[left].abs(), LEAST * magnitude).clamp_min(torch.finfo(wanted.dtype).tiny)
            error[left] = (made.flatten(1).sum(1) - wanted[left]).abs() / scale
            taken[left] = steps
            left, steps = left[error[left] > self.tolerance], steps * 2
            if steps > self.most:
                break
        explained.notes["steps"] = taken.float()
        explained.notes["completeness error"] = error
        explained.notes[f"completeness error above {self.tolerance:.3g} after the most steps"] = error > self.tolerance
        return reduce_channels(values, self.sign, self.channels)

    def _difference(self, explained: Explained, baseline: Tensor) -> Tensor:
        """Target logits less those of the baseline, ``(N,)``."""
        with torch.no_grad():
            below = explained.classifier.logits(baseline)
            parts = [explained.classifier.logits(images) for images, _ in batches(explained)]
        return (torch.cat(parts) - below).gather(1, explained.targets[:, None])[:, 0]

    def _integrate(self, explained: Explained, baseline: Tensor, left: Tensor, steps: int) -> Tensor:
        """Attributions ``(n, 3, H, W)`` of the images with the indices that are left."""
        method = CaptumIntegratedGradients(explained.classifier.view)
        parts = []
        for chosen in torch.split(left, explained.batch):
            made: Tensor = method.attribute(
                explained.images[chosen],
                baselines=baseline,
                target=explained.targets[chosen],
                n_steps=steps,
                internal_batch_size=explained.batch,
            )
            parts.append(made.detach().float())
        return torch.cat(parts)
