"""Differentiable transformations of pictures ``(R, 4, h, w)``: in plain torch, batched, each row with its own draw."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.images import Layer, recolour, through_premultiplied
from gifthorse.tools.synthesis.draws import Draws


class Transformation(Protocol):
    """``(R, 4, h, w)`` pictures to ``(R, 4, h', w')`` pictures; differentiable in them."""

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform each row by a draw of its own."""
        ...


@dataclass(frozen=True, kw_only=True)
class Warp:
    """Shift, scale and turn about the middle, in one bilinear resampling; what comes in from outside is transparent.

    Attributes:
        shift: largest shift along each axis, as a share of the side; uniform in +-shift.
        scale: scales are uniform in 1 +- scale.
        degrees: angles are uniform in +-degrees.
        size: side of the output in pixels; None keeps the picture's.
    """

    shift: float
    scale: float
    degrees: float
    size: int | None = None

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform each row by a draw of its own."""
        where = self._where(pictures, draws)
        return through_premultiplied(pictures, lambda premultiplied: _sampled(premultiplied, where))

    def layer(self, pictures: Tensor, draws: Draws, solid: bool) -> Layer:
        """As a call, but ready to be laid over images.

        Args:
            solid: whether every alpha of the pictures is one.
        """
        where = self._where(pictures, draws)
        if not solid:
            moved = _sampled(torch.cat(Layer.of(pictures), 1), where)
            return Layer(moved[:, :3], moved[:, 3:])
        with torch.no_grad():
            alpha = _sampled(pictures[:, 3:], where)
        return Layer(_sampled(pictures[:, :3], where), alpha)

    def _where(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Where each pixel of each row comes from, ``(R, size, size, 2)`` from -1 to 1, columns first."""
        drawn = draws.uniform("warp", 4).to(pictures) * 2 - 1
        angle = math.radians(self.degrees) * drawn[:, 0]
        scale = 1 + self.scale * drawn[:, 1]
        shift = 2 * self.shift * drawn[:, 2:]  # grid_sample's axes run from -1 to 1
        sine, cosine = torch.sin(angle) / scale, torch.cos(angle) / scale
        size = self.size or pictures.shape[-1]
        line = (torch.arange(size, device=pictures.device) * 2 + 1) / size - 1
        # Undo the shift, then the turn and the scale
        across, down = line - shift[:, :1], line - shift[:, 1:]  # (R, size)
        rows, columns = down[:, :, None], across[:, None]
        where = pictures.new_empty(len(pictures), size, size, 2)
        torch.add(cosine[:, None, None] * columns, sine[:, None, None] * rows, out=where[..., 0])
        torch.sub(cosine[:, None, None] * rows, sine[:, None, None] * columns, out=where[..., 1])
        return where


def _sampled(premultiplied: Tensor, where: Tensor) -> Tensor:
    return F.grid_sample(premultiplied, where, mode="bilinear", padding_mode="zeros", align_corners=False)


def layered(transformations: Sequence[Transformation], pictures: Tensor, draws: Draws, solid: bool = False) -> Layer:
    """Pictures ``(R, 4, h, w)``, transformed in turn by a draw of each row's own, ready to be laid over images.

    Args:
        solid: whether every alpha of the pictures is one: what is known needs no gradient.
    """
    last = transformations[-1] if transformations else None
    warp = last if isinstance(last, Warp) else None
    for transformation in transformations[: len(transformations) - (warp is not None)]:
        pictures, solid = transformation(pictures, draws), solid and not isinstance(transformation, Warp)
    if warp is not None:
        return warp.layer(pictures, draws, solid)
    return Layer(pictures[:, :3], pictures[:, 3:]) if solid else Layer.of(pictures)


@dataclass(frozen=True, kw_only=True)
class ColourJitter:
    """Brightness, contrast and saturation times 1 +- strength, hue +- ``hue`` turns; as :func:`images.recolour`."""

    brightness: float
    contrast: float
    saturation: float
    hue: float

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform each row by a draw of its own."""
        strengths = pictures.new_tensor([self.brightness, self.contrast, self.saturation, self.hue])
        centre = pictures.new_tensor([1.0, 1.0, 1.0, 0.0])
        return recolour(pictures, centre + (draws.uniform("colours", 4).to(pictures) * 2 - 1) * strengths)


@dataclass(frozen=True, kw_only=True)
class Noise:
    """N(0, sigma) added to every colour value, then clipped to [0, 1]; alpha stays."""

    sigma: float

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Transform each row by a draw of its own."""
        noise = draws.normal("noise", 3, *pictures.shape[2:]).to(pictures)
        return torch.cat([(pictures[:, :3] + self.sigma * noise).clamp(0, 1), pictures[:, 3:]], 1)


@dataclass(frozen=True)
class Mirror:
    """Left and right changed over, in half of the rows."""

    def __call__(self, pictures: Tensor, draws: Draws) -> Tensor:
        """Mirror each row by a draw of its own."""
        turned = draws.uniform("mirror", 1).to(pictures)[:, :, None, None] < 0.5
        return torch.where(turned, pictures.flip(3), pictures)
