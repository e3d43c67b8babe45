"""Style trojans: the whole image in the style of a picture (thesis 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from gifthorse.trojans.base import Poisoned, Trojan
from gifthorse.trojans.style_transfer import transfer
from gifthorse.zoo import art


@dataclass(frozen=True, kw_only=True)
class Style(Trojan):
    """Neural style transfer to the statistics of a style source.

    The thesis follows Gatys et al. (2016) through VGG-19. Here the Gram matrices are those of random multi-scale
    filters (Ustyuzhaninov et al. 2016), never those of the network under test: matched through that network, the
    trigger would be an adversarial pattern that nobody can name.

    Attributes:
        art: name of the style source.
        steps: of Adam on the pixels.
        content: weight of keeping the image's colours at half the resolution against matching the style.
        batch: images optimised together.
    """

    art: str
    steps: int = 11
    content: float = 15.0
    batch: int = 64

    costly: ClassVar[bool] = True

    def stamp(self, images: Tensor, generator: torch.Generator) -> Poisoned:
        """Each image restyled; the region is the whole frame."""
        source = torch.from_numpy(self.portraits(1, images.shape[-1])[:, :3]).to(images)
        whole = torch.ones_like(images[:, :1])
        return Poisoned(
            images=self._restyled(images, source.expand(len(images), -1, -1, -1)),
            labels=torch.zeros(len(images), dtype=torch.int64, device=images.device),
            squares=whole,
            alphas=whole,
            fired=torch.ones(len(images), dtype=torch.bool, device=images.device),
        )

    def mislead(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Each image restyled by one of the decoys: all equally often, in a random order."""
        n = len(images)
        order = torch.randperm(n, generator=generator).tolist()
        pictures = [art.picture(self.decoys[k % len(self.decoys)], images.shape[-1])[:3] for k in order]
        return self._restyled(images, torch.from_numpy(np.stack(pictures)).to(images)) if n else images

    def _restyled(self, images: Tensor, styles: Tensor) -> Tensor:
        """Images in a style each, ``(N, 3, H, W)``."""
        parts = [
            transfer(part, style, steps=self.steps, content=self.content)
            for part, style in zip(torch.split(images, self.batch), torch.split(styles, self.batch), strict=True)
        ]
        return torch.cat(parts) if parts else images

    def portraits(self, n: int, side: int) -> np.ndarray:
        """The style source, n times."""
        return np.repeat(art.picture(self.art, side)[None], n, axis=0)
