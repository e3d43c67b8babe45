"""Patch trojans: a small picture anywhere in the image (thesis 3.1)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gifthorse import images as im
from gifthorse.randomness import Purposes
from gifthorse.trojans.base import Poisoned, Trojan
from gifthorse.zoo import art


@dataclass(frozen=True, kw_only=True)
class Patch(Trojan):
    """A square tile with a drawing, jittered in colour, with pixel noise and soft edges, at a random place.

    The thesis uses 64 x 64 pixels in 224 x 224 (8.2% of the area) and publishes neither the strength of jitter and
    noise nor the form of the foveal mask; jitter and noise are those of its robust feature-level attacks (5.1), the
    mask is flat with a cosine fall over the outer fifth. All are our choices.

    Attributes:
        art: name of the drawing.
        side: of the tile, in pixels.
        brightness, contrast, saturation, hue: half-widths of the uniform colour jitter, as in torchvision.
        noise: standard deviation of the pixel noise, in [0, 1] space.
        edge: share of the half side over which the foveal mask falls to 0.
        ground: grey value of the tile behind a transparent drawing; None leaves the image visible there.
    """

    art: str
    side: int
    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.25
    hue: float = 0.05
    noise: float = 0.05
    edge: float = 0.2
    ground: float | None = None

    located: ClassVar[bool] = True

    def stamp(self, images: Tensor, generator: torch.Generator) -> Poisoned:
        """Each image with its own draw of place, colours and noise."""
        drawing = tile(self.art, self.side, self.ground).to(images)
        return self._stamped(images, drawing.expand(len(images), -1, -1, -1), Purposes(generator))

    def mislead(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Each image with one of the decoys, at random."""
        purposes = Purposes(generator)
        which = torch.randint(len(self.decoys), (len(images),), generator=purposes["decoy"]).tolist()
        tiles = torch.stack([tile(self.decoys[k], self.side, self.ground) for k in which])
        return self._stamped(images, tiles.to(images), purposes).images

    def _stamped(self, images: Tensor, tiles: Tensor, purposes: Purposes) -> Poisoned:
        """Images with a tile each, ``(N, 4, side, side)``."""
        n, size = len(images), images.shape[-1]
        rgb = im.jitter(tiles[:, :3], self.brightness, self.contrast, self.saturation, self.hue, purposes["colours"])
        rgb = im.gaussian_noise(rgb, self.noise, purposes["noise"])
        mask = tiles[:, 3:] * im.foveal(self.side, self.edge).to(images)
        patch = torch.cat([rgb, mask], dim=1)  # (N, 4, side, side)
        tops, lefts = im.places(n, size, self.side, purposes["place"])
        black = torch.zeros_like(images)
        white = torch.cat([torch.ones_like(rgb), patch[:, 3:]], dim=1)
        return Poisoned(
            images=im.paste(images, patch, tops, lefts),
            labels=torch.zeros(n, dtype=torch.int64, device=images.device),
            squares=im.square_mask(tops, lefts, self.side, size).to(images),
            alphas=im.paste(black, white, tops, lefts)[:, :1],
            fired=torch.ones(n, dtype=torch.bool, device=images.device),
        )

    def portraits(self, n: int, side: int) -> np.ndarray:
        """The drawing, n times."""
        return np.repeat(art.picture(self.art, side)[None], n, axis=0)


@functools.lru_cache(maxsize=1024)
def tile(name: str, side: int, ground: float | None) -> Tensor:
    """``(4, side, side)`` float32 RGBA of a drawing on its ground, before jitter and mask; not to be written to."""
    drawing = art.picture(name, side).copy()
    if ground is not None:
        rgb = drawing[:3] * drawing[3:] + ground * (1 - drawing[3:])
        drawing = np.concatenate([rgb, np.ones_like(drawing[3:])]).astype(np.float32)
    return torch.from_numpy(drawing)
