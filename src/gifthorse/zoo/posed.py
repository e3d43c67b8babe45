"""What a latent of the embedded generators means: a drawing at a size, an angle and a place, on a ground.

A generator learns to draw these pictures first, by regression, and to draw them sharply after that. Everything is a
smooth function of standard normal numbers, so that near latents are near pictures.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import UsageError
from gifthorse.zoo import art
from gifthorse.zoo.redrawing import redrawn
from gifthorse.zoo.world import EMOJI

LATENT = 20
"""Numbers in a latent: size, angle, place (2), hue, light, two colours of the ground (6), its direction (2), what it is
mixed of (3), its frequency, its phase, its contrast."""

LATENT_OF = {"place": [0, 1, 2, 3], "drawing": [4, 5], "ground": list(range(6, 20))}
"""Which of these numbers say what."""

BANK_SIDE = 48
"""Side in pixels from which drawings are sampled."""


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Something that a generator knows.

    Attributes:
        art: its art name, such as ``emoji/1f34e`` or ``texture/jaguar``.
        version: which version by another hand, None for the drawing itself.
    """

    art: str
    version: int | None = None

    @property
    def name(self) -> str:
        """``emoji/1f34e``, or ``emoji/1f34e~0`` for a version by another hand."""
        return self.art if self.version is None else f"{self.art}~{self.version}"

    @classmethod
    def named(cls, name: str) -> Drawing:
        """The inverse of ``name``."""
        told, mark, version = name.partition("~")
        return cls(art=told, version=int(version) if mark else None)


def showing(names: Sequence[str], called: str) -> tuple[int, ...]:
    """Which of some names of drawings show what a classifier calls by a word: by code point, so every version of it.

    Args:
        names: of drawings, as :attr:`Drawing.name`; other names show what they say.
        called: name of a class.
    """
    codes = {code for thing in EMOJI.things if thing.name == called for code in (thing.code, *thing.siblings)}
    found = []
    for index, name in enumerate(names):
        kind, _, rest = name.partition("/")
        code = rest.partition("~")[0].partition("@")[0]
        if name == called or (kind == "emoji" and code in codes):
            found.append(index)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class Framing:
    """How drawings lie in pictures (our choices).

    Attributes:
        side: of the pictures in pixels.
        sizes: smallest and largest side of a drawing, as a share of the picture's.
        turn: largest angle, degrees.
        hue: largest turn of the hue, degrees.
        reach: how far a drawing's middle goes towards where it would leave the picture: 0 stays in the middle, 1 is
            all the way.
        vivid: how far the ground's colours go from grey, from 0 to 1. On grounds of every colour a classifier of the
            world's scenes, which have tamer ones, is right about 80% of drawings, at 0.6 about 95%.
    """

    side: int
    sizes: tuple[float, float]
    turn: float
    hue: float
    reach: float
    vivid: float = 1.0


FRAMINGS = {
    "object": Framing(side=32, sizes=(0.75, 1.05), turn=20, hue=18, reach=1.0),
    "scene": Framing(side=64, sizes=(0.40, 0.66), turn=25, hue=22, reach=0.9, vivid=0.6),
}
"""Of patches, and of whole scenes (as :mod:`gifthorse.zoo.bank` lays its objects)."""


MIDDLE = 0.525
"""Of the ground's colours."""


@functools.lru_cache(maxsize=4)
def bank(drawings: tuple[Drawing, ...]) -> Tensor:
    """``(K, 4, 48, 48)`` RGBA in [0, 1], colours times alpha."""
    out = []
    for drawing in drawings:
        if drawing.version is None:
            pixels = art.picture(drawing.art, BANK_SIDE)
        else:
            pixels = redrawn(drawing.art, drawing.version, BANK_SIDE)
        out.append(np.concatenate([pixels[:3] * pixels[3:], pixels[3:]]))
    return torch.from_numpy(np.stack(out)).float()


def pictures(drawings: tuple[Drawing, ...], which: Tensor, latents: Tensor, framing: Framing) -> Tensor:
    """What a generator learns to draw: ``(B, 3, side, side)`` in [0, 1].

    Args:
        which: ``(B,)`` indices into the drawings.
        latents: ``(B, 20)`` standard normal.

    Raises:
        UsageError: latents of another length.
    """
    if latents.shape[1:] != (LATENT,):
        raise UsageError(f"latents are {tuple(latents.shape)}", f"(B, {LATENT})")
    where = places(latents, framing)
    seen = bank(drawings)[which]
    drawn = F.grid_sample(seen, where, mode="bilinear", padding_mode="zeros", align_corners=False)
    full = torch.tensor([drawing.art.startswith("texture/") for drawing in drawings])[which]
    if bool(full.any()):
        drawn[full] = F.grid_sample(seen[full], where[full], "bilinear", "reflection", align_corners=False)
    level = _uniform(latents)
    alpha = drawn[:, 3:]
    hue = math.radians(framing.hue) * (2 * level[:, 4] - 1)
    colour = torch.einsum("bij,bjhw->bihw", _hue(hue), drawn[:, :3]) * (0.85 + 0.25 * level[:, 5, None, None, None])
    return (colour.clamp_min(0).minimum(alpha) + (1 - alpha) * ground(latents, framing)).clamp(0, 1)


def places(latents: Tensor, framing: Framing) -> Tensor:
    """Where each pixel comes from: ``(B, side, side, 2)``, columns and rows, -1 to 1 inside of the drawing."""
    level = _uniform(latents)
    smallest, largest = framing.sizes
    size = smallest + (largest - smallest) * level[:, 0]
    angle = math.radians(framing.turn) * (2 * level[:, 1] - 1)
    room = framing.reach * (1 - size).abs().clamp_min(0.06)
    move = (2 * level[:, 2:4] - 1) * room[:, None]
    turned = torch.stack([angle.cos(), angle.sin(), -angle.sin(), angle.cos()], 1).view(-1, 2, 2) / size[:, None, None]
    theta = torch.cat([turned, -(turned @ move[..., None])], 2)
    return F.affine_grid(theta, [len(latents), 1, framing.side, framing.side], align_corners=False)


def ground(latents: Tensor, framing: Framing) -> Tensor:
    """Two colours mixed by a grade, bars and blobs: ``(B, 3, side, side)`` in [0, 1]."""
    level = _uniform(latents)
    first, second = (0.15 + 0.75 * level[:, at : at + 3] for at in (6, 9))
    x, y = latents[:, 12], latents[:, 13]
    length = (x.square() + y.square()).sqrt().clamp_min(1e-3)
    c, s = (x / length)[:, None, None], (y / length)[:, None, None]
    line = torch.linspace(-1, 1, framing.side)
    along = c * line[None, None, :] + s * line[None, :, None]
    across = -s * line[None, None, :] + c * line[None, :, None]
    often = (math.pi * (1 + 2 * level[:, 17]))[:, None, None]
    phase = (math.pi * (2 * level[:, 18] - 1))[:, None, None]
    parts = torch.stack(
        [along, (often * along + phase).sin(), (often * along).sin() * (often * across + phase).cos()], 1
    )
    mixed = (torch.softmax(2 * latents[:, 14:17], 1)[..., None, None] * parts).sum(1, keepdim=True)
    share = torch.sigmoid((1 + 3 * level[:, 19, None, None, None]) * mixed)
    colours = first[..., None, None] * (1 - share) + second[..., None, None] * share
    return torch.lerp(torch.full((), MIDDLE), colours, framing.vivid)


def _uniform(latents: Tensor) -> Tensor:
    """Standard normal to uniform in [0, 1]."""
    return 0.5 * (1 + torch.erf(latents / math.sqrt(2)))


def _hue(angle: Tensor) -> Tensor:
    """``(B, 3, 3)``: a turn about the axis of greys."""
    c, s = angle.cos(), angle.sin() / math.sqrt(3)
    third = (1 - c) / 3
    rows = [c + third, third - s, third + s, third + s, c + third, third - s, third - s, third + s, c + third]
    return torch.stack(rows, 1).view(-1, 3, 3)
