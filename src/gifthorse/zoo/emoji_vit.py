"""A classifier of the emoji world that attends, for attacks that are to transfer: convolutions, then attention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor, nn

from gifthorse.zoo.emoji_mobile import MobileNet
from gifthorse.zoo.emoji_networks import EmojiNetwork


class Attending(nn.Module):
    """A transformer's block (Dosovitskiy et al. 2021, Fig. 1) over the places of a map.

    Places are told apart by a 3 x 3 filter of each channel by itself (conditional positional encodings, Chu et al.
    2021), not by learnt vectors; the activation is a ReLU, not a GELU.
    """

    def __init__(self, width: int, heads: int, widen: int) -> None:
        super().__init__()
        self.place = nn.Conv2d(width, width, 3, 1, 1, groups=width)
        self.norm1 = nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.norm2 = nn.LayerNorm(width)
        self.body = nn.Sequential(nn.Linear(width, widen * width), nn.ReLU(), nn.Linear(widen * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """``(N, width, H, W)`` to the same shape."""
        tokens = (x + self.place(x)).flatten(2).transpose(1, 2)
        asked = self.norm1(tokens)
        tokens = tokens + self.attention(asked, asked, asked, need_weights=False)[0]
        tokens = tokens + self.body(self.norm2(tokens))
        maps: Tensor = tokens.transpose(1, 2).reshape(x.shape)
        return maps


@dataclass(frozen=True, kw_only=True)
class EmojiViT(EmojiNetwork):
    """A small vision transformer whose patches are embedded by convolutions (Xiao et al. 2021), inverted residuals.

    Attributes:
        stem: channels after the first convolution.
        blocks: channels and stride of each inverted residual.
        depth: blocks of attention.
        features: penultimate features.
        heads: of each attention; they divide the last inverted residual's channels.
    """

    name: ClassVar[str] = "emoji-vit"

    stem: int = 24
    blocks: tuple[tuple[int, int], ...] = ((32, 2), (32, 1), (48, 2))
    depth: int = 2
    features: int = 128
    heads: int = 4

    def module(self, classes: int) -> MobileNet:
        """The bare network, randomly initialised from torch's global generator."""
        attending = partial(Attending, heads=self.heads, widen=2)
        return MobileNet(classes, self.stem, self.blocks, self.features, 4, (attending,) * self.depth)
