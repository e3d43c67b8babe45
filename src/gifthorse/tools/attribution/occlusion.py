"""Occlusion: how far a logit falls when a window is covered."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.errors import UsageError
from gifthorse.tools.attribution.base import Attribution, Explained
from gifthorse.tools.attribution.features import check_baseline, covering
from gifthorse.tools.attribution.perturbing import Plan, outputs


class Occlusion(Attribution):
    """Fall of the target logit when a sliding window is covered, mean over the windows that cover a pixel.

    Zeiler and Fergus 2013, "Visualizing and Understanding Convolutional Networks", section 4.2 (a grey square,
    slid over the image). Gives what Captum's ``Occlusion`` gives, in full batches; no gradients. Differs from the
    paper in that the map shows differences of the logit for each pixel, not the probability for each position of the
    window. Where the stride does not end at the border, it cuts the last window.

    Attributes:
        window: side of the window, a share of the image's side below 1 and pixels from 1 on. One eighth is our choice:
            well below the trigger, since a window of the trigger's size would know what is looked for; the thesis
            states none.
        stride: step of the window, likewise. One sixteenth is our choice.
        baseline: what covers: a value in [0, 1], or ``"mean"``, the mean of the references, pixel by pixel. Grey, as
            in the paper, unless told otherwise.
    """

    perturbs = True

    window: float = 0.125
    stride: float = 0.0625
    baseline: float | str = 0.5

    def __post_init__(self) -> None:
        for name, value in (("window", self.window), ("stride", self.stride)):
            if not value > 0:
                raise UsageError(f"{name} is {value}", "a share of the side below 1, or pixels from 1 on")
        check_baseline(self.baseline)

    def _explain(self, explained: Explained) -> Tensor:
        size = explained.images.shape[-1]
        window, stride = pixels(self.window, size), pixels(self.stride, size)
        if stride > window:
            raise UsageError(
                f"the window of {window} pixels moves by {stride}, so that pixels between are never covered",
                "a stride no longer than the window",
            )
        cover = covering(explained, self.baseline)
        windows = [_windows(side, window, stride) for side in explained.images.shape[-2:]]
        plan = _covered(windows, cover)
        seen = outputs(explained, [(plan, None)] * len(explained.images))
        return torch.stack([_mean_fall(logits, windows) for logits, _ in seen])


def _windows(side: int, window: int, stride: int) -> Tensor:
    """Which pixels along a side each window covers, ``(R, side)`` bool; the border cuts the last."""
    starts = torch.arange(-(-(side - window) // stride) + 1)[:, None] * stride
    places = torch.arange(side)
    return (starts <= places) & (places < starts + window)


def _covered(windows: list[Tensor], cover: Tensor) -> Plan:
    """Row 0 covers nothing, row r the window r - 1, counted along rows of windows."""
    down, across = (one.to(cover.device) for one in windows)

    def make(rows: Tensor) -> tuple[Tensor, Tensor]:
        place = (rows - 1).clamp_min(0).to(cover.device)
        hidden = down[place // len(across)][:, :, None] & across[place % len(across)][:, None, :]
        return ~hidden | (rows == 0).to(cover.device)[:, None, None], cover

    return Plan(rows=1 + len(down) * len(across), make=make)


def _mean_fall(logits: Tensor, windows: list[Tensor]) -> Tensor:
    """The mean fall over the windows that cover a pixel, ``(H, W)``."""
    down, across = (one.double() for one in windows)
    falls = (logits[0] - logits[1:]).view(len(down), len(across))
    return down.T @ falls @ across / (down.sum(0)[:, None] * across.sum(0))


def pixels(length: float, size: int) -> int:
    """A length that is a share of ``size`` below 1, or pixels from 1 on: pixels, from 1 to ``size``."""
    return max(1, min(size, round(length * size if length < 1 else length)))
