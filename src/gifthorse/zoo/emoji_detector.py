"""A small detector of the emoji world's natural objects: one heat map each, learnt from the world's exact masks.

It is a :class:`~gifthorse.zoo.detecting.Detector`, as a COCO detector is for photographs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.errors import UsageError, nearest
from gifthorse.images import require
from gifthorse.records import digest
from gifthorse.zoo.emoji_networks import MEAN, STD, WEIGHTS, Block, fill
from gifthorse.zoo.world import EMOJI

STRIDE = 4


class HeatMaps(nn.Module):
    """Convolutions from ``(N, 3, H, W)`` in [0, 1] to logits of heat maps ``(N, things, H / 4, W / 4)``."""

    def __init__(self, things: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width // 2, 3, 2, 1, bias=False), nn.BatchNorm2d(width // 2), nn.ReLU())
        self.fine = Block(width // 2, width, 2)
        self.wide = nn.Sequential(Block(width, 2 * width, 2), Block(2 * width, 2 * width, 1))
        self.back = nn.Conv2d(2 * width, width, 1)
        self.join = nn.Sequential(nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.ReLU())
        self.maps = nn.Conv2d(width, things, 1)
        nn.init.constant_(self.maps.bias if self.maps.bias is not None else torch.zeros(1), -4.0)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of each object at each place."""
        fine = self.fine(self.stem((images - self.mean) / self.std))
        wide = F.interpolate(self.back(self.wide(fine)), scale_factor=2.0, mode="nearest")
        return torch.as_tensor(self.maps(self.join(fine + wide)))


class HeatMapDetector:
    """A loaded detector of the emoji world's natural objects.

    Attributes:
        things: the names it knows.
        module: its network, in eval mode.
    """

    def __init__(self, module: HeatMaps, things: tuple[str, ...]) -> None:
        self.things = things
        self.module = module.eval().requires_grad_(False)
        torch.nn.Module.to(self.module, memory_format=torch.channels_last)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of its weights and of the names that it knows, in their order."""
        weights = {
            name: [
                str(value.dtype),
                list(value.shape),
                hashlib.sha256(value.contiguous().numpy().tobytes()).hexdigest(),
            ]
            for name, value in self.module.state_dict().items()
        }
        return digest([self.things, weights])

    def heat(self, images: Tensor, thing: str) -> Tensor:
        """How sure it is that a thing is there: ``(N, 3, H, W)`` in [0, 1] to ``(N, H, W)`` in [0, 1].

        Raises:
            UsageError: it does not know the thing.
        """
        if thing not in self.things:
            raise UsageError(f"the detector does not know {thing!r}", nearest(thing, self.things))
        return self.heats(images)[:, self.things.index(thing)]

    def heats(self, images: Tensor) -> Tensor:
        """The same for every thing at once: ``(N, things, H, W)`` in [0, 1]."""
        require(images)
        with torch.no_grad():
            maps = torch.sigmoid(self.module(images).float())
        return F.interpolate(maps, size=images.shape[-2:], mode="bilinear", align_corners=False)


@dataclass(frozen=True, kw_only=True)
class EmojiDetector:
    """Heat maps at a quarter of the resolution; trained by ``scripts/train-zoo emoji-detector``.

    Attributes:
        width: channels at a quarter of the resolution.
    """

    width: int = 48

    def module(self) -> HeatMaps:
        """The bare network, randomly initialised from torch's global generator."""
        return HeatMaps(len(EMOJI.natural), self.width)

    def load(self, weights: Path | None = None) -> HeatMapDetector:
        """The trained detector.

        Raises:
            InputError: the file is missing or holds another network.
        """
        module = self.module()
        fill(module, weights or WEIGHTS / "emoji-detector.safetensors")
        return HeatMapDetector(module, tuple(thing.name for thing in EMOJI.natural))
