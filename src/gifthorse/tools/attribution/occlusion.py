"""Occlusion: how far a logit falls when a window is covered."""

from __future__ import annotations

import torch
from captum.attr import Occlusion as CaptumOcclusion
from torch import Tensor

from gifthorse.errors import InputError, UsageError
from gifthorse.tools.attribution.engine import batches
from gifthorse.tools.base import Attribution, Explained


class Occlusion(Attribution):
    """Fall of the target logit when a sliding window is covered, mean over the windows that cover a pixel.

    Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks", section 4.2 (a grey square,
    slid over the image). Through Captum's ``Occlusion``: all perturbations of one image are batches of their own, no
    gradients. Differs from the paper in that the map shows differences of the logit for each pixel, not the
    probability for each position of the window. Where the stride does not end at the border, it cuts the last window.

    Attributes:
        window: side of the window, a share of the image's side below 1 and pixels from 1 on. One eighth is our choice:
            well below the trigger, since a window of the trigger's size would know what is looked for; the thesis
            states none.
        stride: step of the window, likewise. One sixteenth is our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            in the paper, unless told otherwise.
    """

    window: float = 0.125
    stride: float = 0.0625
    baseline: float | str = 0.5

    def __post_init__(self) -> None:
        for name, value in (("window", self.window), ("stride", self.stride)):
            if not value > 0:
                raise UsageError(f"{name} is {value}", "a share of the side below 1, or pixels from 1 on")
        if self.baseline != "mean" and (isinstance(self.baseline, str) or not 0 <= self.baseline <= 1):
            raise UsageError(f"baseline is {self.baseline!r}", "a value from 0 to 1, or 'mean'")

    def _explain(self, explained: Explained) -> Tensor:
        size = explained.images.shape[-1]
        window, stride = pixels(self.window, size), pixels(self.stride, size)
        if stride > window:
            raise UsageError(
                f"the window of {window} pixels moves by {stride}, so that pixels between are never covered",
                "a stride no longer than the window",
            )
        method = CaptumOcclusion(explained.classifier.view)
        baseline = self._baseline(explained)
        maps = []
        for images, targets in batches(explained):
            for image, target in zip(images, targets, strict=True):
                values: Tensor = method.attribute(
                    image[None],
                    sliding_window_shapes=(3, window, window),
                    strides=(3, stride, stride),
                    baselines=baseline,
                    target=target,
                    perturbations_per_eval=explained.batch,
                )
                maps.append(values[0].mean(0).cpu())
        return torch.stack(maps)

    def _baseline(self, explained: Explained) -> float | Tensor:
        if not isinstance(self.baseline, str):
            return self.baseline
        if explained.references is None:
            raise InputError("the baseline is the mean of the references, and there are none", "references=images")
        return explained.references.mean(0, keepdim=True)


def pixels(length: float, size: int) -> int:
    """A length that is a share of ``size`` below 1, or pixels from 1 on: pixels, from 1 to ``size``."""
    return max(1, min(size, round(length * size if length < 1 else length)))
