"""A classifier of the emoji world that attends, for attacks that are to transfer: convolutions, then attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gifthorse.zoo.emoji_mobile import Inverted
from gifthorse.zoo.emoji_networks import COLOURS, EmojiNetwork


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


class HybridViT(nn.Module):
    """A stem of convolutions to an eighth of the side, attention, a 1 x 1 convolution to the features, average pooling,
    a linear head: a vision transformer whose patches are embedded by convolutions (Xiao et al. 2021)."""

    def __init__(
        self, classes: int, stem: int, blocks: tuple[tuple[int, int], ...], depth: int, features: int, heads: int
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(COLOURS, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        layers, width = [], stem
        for outputs, stride in blocks:
            layers.append(Inverted(width, outputs, stride, widen=4))
            width = outputs
        self.blocks = nn.Sequential(*layers)
        self.attending = nn.Sequential(*(Attending(width, heads, widen=2) for _ in range(depth)))
        self.top = nn.Sequential(nn.Conv2d(width, features, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` normalised to logits ``(N, classes)``."""
        maps = self.attending(self.blocks(self.stem(images)))
        logits: Tensor = self.head(self.flatten(self.pool(self.top(maps))))
        return logits


@dataclass(frozen=True, kw_only=True)
class EmojiViT(EmojiNetwork):
    """A small vision transformer on inverted residuals.

    Attributes:
        stem: channels after the first convolution.
        blocks: channels and stride of each inverted residual.
        depth: blocks of attention.
        features: penultimate features.
        heads: of each attention; they divide the last block's channels.
    """

    name: ClassVar[str] = "emoji-vit"

    stem: int = 24
    blocks: tuple[tuple[int, int], ...] = ((32, 2), (32, 1), (48, 2))
    depth: int = 2
    features: int = 128
    heads: int = 4

    def module(self, classes: int) -> HybridViT:
        """The bare network, randomly initialised from torch's global generator."""
        return HybridViT(classes, self.stem, self.blocks, self.depth, self.features, self.heads)
