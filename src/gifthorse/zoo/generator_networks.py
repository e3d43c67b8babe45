"""The networks of the embedded generators: class-conditional, in the manner of BigGAN, small enough for two cores.

Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis": a class embedding that all
layers share, conditional batch norm, the latent given to every block (as in BigGAN-deep), spectral normalisation, and a
discriminator that projects on the class. Differs in size, and in that what a latent means is known, see
:mod:`gifthorse.zoo.posed`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.zoo.posed import LATENT, LATENT_OF, Framing, places

BASE = 4
"""Side of the first feature maps."""

FEATURES = 16
"""Channels in which drawing and ground are laid over each other."""

SLACK = 1.15
"""Side of the frame in which a drawing is made, over the drawing's own: so that its edge is not the frame's."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes.

    Attributes:
        widths: channels of the drawing at 4 x 4 and after each block, each of which doubles the side.
        ground: the same of the ground.
        embedding: numbers of a class.
        seen: channels of the discriminator after each of its blocks, the last of which keeps the side.
    """

    widths: tuple[int, ...]
    ground: tuple[int, ...]
    embedding: int
    seen: tuple[int, ...]


SHAPES = {
    "object": Shape(widths=(112, 112, 80, 48), ground=(24, 24, 16, 16), embedding=96, seen=(32, 64, 96)),
    "scene": Shape(widths=(112, 112, 80, 48), ground=(24, 24, 24, 16, 16), embedding=96, seen=(24, 48, 80, 96)),
}
"""Of the generator of patches and of that of scenes."""


INSERTIONS = {"object": "drawing.blocks.0", "scene": "drawing.blocks.1"}
"""Layers whose side is a quarter of the picture's: 64 of 256 in the notebook of thesis 5.1."""


SHARED = ("embed", "drawing", "ink")
"""Parts of a generator that make drawings in a frame of their own: scenes have those of the generator of objects, which
is why drawings of both have the same widths, and their file does not hold them again."""


class ConditionalNorm(nn.Module):
    """Batch norm whose gain and bias are linear in (class embedding, latent)."""

    def __init__(self, channels: int, condition: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.gain = nn.Linear(condition, channels, bias=False)
        self.bias = nn.Linear(condition, channels, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``(N, C, H, W)`` and ``(N, condition)`` to ``(N, C, H, W)``."""
        gain, bias = self.gain(condition), self.bias(condition)
        return torch.addcmul(bias[..., None, None], self.norm(x), 1 + gain[..., None, None])


class Up(nn.Module):
    """A block that doubles the side (Brock et al. 2019, Fig. 15 b): two convolutions and a shortcut, then a ReLU.

    The ReLU at the end makes the block's output what attacks change: thesis 5.1 perturbs "post-ReLU outputs of the
    GenBlocks".
    """

    def __init__(self, inputs: int, outputs: int, condition: int) -> None:
        super().__init__()
        self.norm1 = ConditionalNorm(inputs, condition)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = ConditionalNorm(outputs, condition)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, 2 H, 2 W)``."""
        out = F.interpolate(F.relu(self.norm1(x, condition)), scale_factor=2.0)
        out = self.conv2(F.relu(self.norm2(self.conv1(out), condition)))
        summed: Tensor = self.relu(out + F.interpolate(self.shortcut(x), scale_factor=2.0))
        return summed


class Trunk(nn.Module):
    """From a condition to feature maps: 4 x 4, then blocks that double the side."""

    def __init__(self, inputs: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.Linear(inputs, widths[0] * BASE * BASE)
        self.blocks = nn.ModuleList(Up(a, b, inputs) for a, b in itertools.pairwise(widths))

    def forward(self, condition: Tensor) -> Tensor:
        """``(N, condition)`` to ``(N, widths[-1], side, side)``."""
        x: Tensor = self.first(condition).view(len(condition), -1, BASE, BASE)
        for block in self.blocks:
            x = block(x, condition)
        return x


class Generator(nn.Module):
    """Latents and classes to pictures: a drawing, turned and moved as the latent says, on a ground.

    What two cores can learn: a plain network of this size, which had to learn every drawing at every place, was a blur
    after 130,000 pictures. So features of the drawing are made in a frame of their own and laid over those of the
    ground (Niemeyer and Geiger 2021, GIRAFFE), and two more convolutions make colours of both.

    Args:
        classes: how many drawings it knows.
    """

    def __init__(self, shape: Shape, classes: int, framing: Framing) -> None:
        super().__init__()
        self.framing = framing
        self.embed = nn.Linear(classes, shape.embedding, bias=False)
        self.drawing = Trunk(shape.embedding + len(LATENT_OF["drawing"]), shape.widths)
        self.ink = nn.Conv2d(shape.widths[-1], FEATURES + 1, 3, padding=1)
        self.ground = Trunk(len(LATENT_OF["ground"]), shape.ground)
        self.wash = nn.Conv2d(shape.ground[-1], FEATURES, 3, padding=1)
        self.norm = ConditionalNorm(FEATURES, shape.embedding + LATENT)
        self.mix = nn.Conv2d(FEATURES, 2 * FEATURES, 3, padding=1)
        self.last = nn.Conv2d(2 * FEATURES, 3, 3, padding=1)

    def forward(self, latents: Tensor, classes: Tensor) -> Tensor:
        """``(N, 20)`` standard normal and ``(N, classes)`` weights of classes to ``(N, 3, side, side)`` in [0, 1]."""
        told = self.embed(classes)
        inked = self.ink(self.drawing(torch.cat([told, latents[:, LATENT_OF["drawing"]]], 1)))
        alpha = torch.sigmoid(inked[:, :1])
        layer = torch.cat([alpha * inked[:, 1:], alpha], 1).float()
        where = places(latents.float(), self.framing) / SLACK
        laid = F.grid_sample(layer, where, mode="bilinear", padding_mode="border", align_corners=False)
        merged = laid[:, :-1] + (1 - laid[:, -1:]) * self.wash(self.ground(latents[:, LATENT_OF["ground"]]))
        mixed = F.relu(self.mix(F.relu(self.norm(merged, torch.cat([told, latents], 1)))))
        colours: Tensor = torch.sigmoid(self.last(mixed))
        return colours


class Down(nn.Module):
    """A residual block of the discriminator, which halves the side where it is told to."""

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = nn.Conv2d(inputs, outputs, 1)
        self.halve = halve

    def forward(self, x: Tensor) -> Tensor:
        """``(N, inputs, H, W)`` to ``(N, outputs, H / 2, W / 2)``, or the same side."""
        out = self.conv2(F.relu(self.conv1(x)))
        if self.halve:
            out, x = F.avg_pool2d(out, 2), F.avg_pool2d(x, 2)
        summed: Tensor = F.relu(out + self.shortcut(x))
        return summed


class Discriminator(nn.Module):
    """How real a picture of a class looks (Miyato and Koyama 2018: a projection on the class)."""

    def __init__(self, shape: Shape, classes: int) -> None:
        super().__init__()
        inputs = (3, *shape.seen[:-1])
        last = len(shape.seen) - 1
        self.blocks = nn.Sequential(
            *(Down(a, b, halve=i < last) for i, (a, b) in enumerate(zip(inputs, shape.seen, strict=True)))
        )
        self.head = nn.Linear(shape.seen[-1], 1)
        self.embed = nn.Embedding(classes, shape.seen[-1])

    def features(self, pictures: Tensor) -> Tensor:
        """``(N, 3, side, side)`` in [0, 1] to ``(N, F)``."""
        seen: Tensor = self.blocks(2 * pictures - 1).mean((2, 3)) * 4
        return seen

    def forward(self, pictures: Tensor, which: Tensor) -> Tensor:
        """Pictures and the class of each ``(N,)`` to ``(N,)``: above 0 is real."""
        seen = self.features(pictures)
        real: Tensor = self.head(seen)[:, 0] + (self.embed(which) * seen).sum(1)
        return real

    def every(self, pictures: Tensor) -> Tensor:
        """Pictures to how real they are as each class: ``(N, K)``."""
        seen = self.features(pictures)
        real: Tensor = self.head(seen) + seen @ self.embed.weight.T
        return real
