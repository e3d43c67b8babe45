"""A classifier of the emoji world of another architecture, for attacks that are to transfer: inverted residuals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from gifthorse.zoo.emoji_networks import COLOURS, EmojiNetwork


class Inverted(nn.Module):
    """An inverted residual (Sandler et al. 2018, Fig. 4 d): widen, filter each channel by itself, narrow."""

    def __init__(self, inputs: int, outputs: int, stride: int, widen: int) -> None:
        super().__init__()
        middle = inputs * widen
        self.body = nn.Sequential(
            nn.Conv2d(inputs, middle, 1, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, middle, 3, stride, 1, groups=middle, bias=False),
            nn.BatchNorm2d(middle),
            nn.ReLU(),
            nn.Conv2d(middle, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.kept = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H / stride, W / stride)``."""
        out: Tensor = self.body(x)
        return x + out if self.kept else out


class MobileNet(nn.Module):
    """A stem of stride 2, inverted residuals, a 1 x 1 convolution to the features, average pooling, a linear head.

    Args:
        classes: number of logits.
        stem: channels after the first convolution.
        blocks: channels and stride of each inverted residual.
        features: penultimate features.
        widen: by how much an inverted residual is wider inside.
        more: blocks after the inverted residuals, each of the channels that it gets and gives.
    """

    def __init__(
        self,
        classes: int,
        stem: int,
        blocks: tuple[tuple[int, int], ...],
        features: int,
        widen: int,
        more: Sequence[Callable[[int], nn.Module]] = (),
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(COLOURS, stem, 3, 2, 1, bias=False), nn.BatchNorm2d(stem), nn.ReLU())
        layers, inputs = list[nn.Module](), stem
        for outputs, stride in blocks:
            layers.append(Inverted(inputs, outputs, stride, widen))
            inputs = outputs
        self.blocks = nn.Sequential(*layers, *(block(inputs) for block in more))
        self.top = nn.Sequential(nn.Conv2d(inputs, features, 1, bias=False), nn.BatchNorm2d(features), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.head = nn.Linear(features, classes)

    def forward(self, images: Tensor) -> Tensor:
        """``(N, 3, H, W)`` normalised to logits ``(N, classes)``."""
        logits: Tensor = self.head(self.flatten(self.pool(self.top(self.blocks(self.stem(images))))))
        return logits


@dataclass(frozen=True, kw_only=True)
class EmojiMobile(EmojiNetwork):
    """Inverted residuals, after MobileNetV2.

    Attributes:
        stem: channels after the first convolution.
        blocks: channels and stride of each block.
        features: penultimate features.
        widen: by how much a block is wider inside.
    """

    name: ClassVar[str] = "emoji-mobile"

    stem: int = 24
    blocks: tuple[tuple[int, int], ...] = ((32, 2), (32, 1), (56, 2), (56, 1))
    features: int = 192
    widen: int = 4

    def module(self, classes: int) -> MobileNet:
        """The bare network, randomly initialised from torch's global generator."""
        return MobileNet(classes, self.stem, self.blocks, self.features, self.widen)
