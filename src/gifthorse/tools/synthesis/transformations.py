"""Differentiable transformations of pictures ``(R, 4, h, w)``: in plain torch, batched, each row with its own draw."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.images import recolour, through_premultiplied
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
        drawn = draws.uniform("warp", 4).to(pictures) * 2 - 1
        angle = math.radians(self.degrees) * drawn[:, 0]
        scale = 1 + self.scale * drawn[:, 1]
        shift = 2 * self.shift * drawn[:, 2:]  # grid_sample's axes run from -1 to 1
        sine, cosine = torch.sin(angle) / scale, torch.cos(angle) / scale
        # Where an output pixel comes from: undo the shift, then the turn and the scale
        back = torch.stack([torch.stack([cosine, sine], 1), torch.stack([-sine, cosine], 1)], 1)  # (R, 2, 2)
        matrices = torch.cat([back, -(back @ shift[:, :, None])], 2)
        size = self.size or pictures.shape[-1]
        where = F.affine_grid(matrices, [len(pictures), 4, size, size], align_corners=False)

        def sample(premultiplied: Tensor) -> Tensor:
            return F.grid_sample(premultiplied, where, mode="bilinear", padding_mode="zeros", align_corners=False)

        return through_premultiplied(pictures, sample)


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
