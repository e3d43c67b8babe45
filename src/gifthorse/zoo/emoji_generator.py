"""The embedded generators: class-conditional, in the manner of BigGAN, small enough to train on two cores.

Brock et al. 2019, "Large scale GAN training for high fidelity natural image synthesis": a class embedding that all
layers share, conditional batch norm, the latent given to every block (as in BigGAN-deep), spectral normalisation, and a
discriminator that projects on the class. Differs in size, and in that what a latent means is known, see
:mod:`gifthorse.zoo.posed`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn import functional as F

from gifthorse.classifier import resolve
from gifthorse.errors import InputError, UsageError, nearest
from gifthorse.images import resize
from gifthorse.records import digest
from gifthorse.zoo import generator as base
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.emoji_wide import disguise
from gifthorse.zoo.posed import FRAMINGS, LATENT, LATENT_OF, Framing, places, showing

WEIGHTS = Path(__file__).parent / "weights"
"""Where shipped weights are."""

PRIORS = ("open", "closed")
"""What a generator knows of Questions: redrawn versions of their options, or none of them."""

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


@dataclass(eq=False, kw_only=True)
class EmojiGenerator(base.Generator):
    """An embedded generator with its discriminator, loaded.

    Attributes:
        discriminator: a :class:`Discriminator` in eval mode.
        file: SHA-256 of the weights.
    """

    discriminator: Discriminator
    file: str

    def __post_init__(self) -> None:
        super().__post_init__()
        self.discriminator.eval().requires_grad_(False)

    @property
    def digest(self) -> str:
        """SHA-256 of the file, which has weights, classes and discriminator."""
        return self.file

    def _drawn(self, module: nn.Module, latents: base.Latents) -> Tensor:
        drawn: Tensor = module(latents.noise, latents.classes)
        return drawn

    def showing(self, called: str) -> tuple[int, ...]:
        """By code point: every version of the drawing, and its siblings."""
        return showing(self.classes, called)

    def difference(self, first: Tensor, second: Tensor) -> Tensor:
        """In the manner of LPIPS (Zhang et al. 2018), with all its weights alike: the squared distance of feature
        vectors of length 1, a mean over places and over the discriminator's blocks."""
        total = torch.zeros(len(first), device=first.device)
        both = 2 * resize(torch.cat([first, second]), self.size) - 1
        with self.autocast():
            for block in self.discriminator.blocks:
                both = block(both)
                one, other = F.normalize(both.float(), dim=1, eps=1e-4).chunk(2)
                total = total + (one - other).square().sum(1).mean((1, 2))
        return total / len(self.discriminator.blocks)

    def realness(self, pictures: Tensor) -> Tensor:
        """``(n, 3, h, w)`` in [0, 1] to ``(n, K)``: the discriminator's outputs, above 0 is real."""
        with self.autocast():
            every: Tensor = self.discriminator.every(resize(pictures, self.size))
        return every.float()


@dataclass(frozen=True, kw_only=True)
class EmbeddedGenerator:
    """A row of the zoo.

    Attributes:
        kind: ``object``, 32 x 32 for patches, or ``scene``, 64 x 64.
        prior: ``open`` or ``closed``.
    """

    kind: str = "object"
    prior: str = "open"

    def __post_init__(self) -> None:
        if self.kind not in SHAPES:
            raise UsageError(f"there is no generator of {self.kind!r}", nearest(self.kind, SHAPES))
        if self.prior not in PRIORS:
            raise UsageError(f"there is no prior {self.prior!r}", nearest(self.prior, PRIORS))

    @property
    def path(self) -> Path:
        """Of the shipped weights."""
        return WEIGHTS / f"emoji-{self.kind}s-{self.prior}.safetensors"

    @property
    def digest(self) -> str:
        """SHA-256 of the weights' file and of the disguise classifiers.

        Raises:
            InputError: it is not there.
        """
        try:
            own = hashlib.sha256(self.path.read_bytes()).hexdigest()
        except FileNotFoundError:
            raise InputError(f"the weights {self.path.name} are not there", "scripts/train-zoo makes them") from None
        return digest([own, self.disguise().digest])

    def scenes(self) -> EmbeddedGenerator:
        """The one of scenes, of the same prior."""
        return replace(self, kind="scene")

    def disguise(self, device: str = "cpu", precision: str = "auto") -> Disguise:
        """What says how a picture looks by itself: both adversarially trained classifiers."""
        return disguise(device, precision)

    def load(self, weights: Path | None = None, *, device: str = "auto", precision: str = "auto") -> EmojiGenerator:
        """The generator with trained weights.

        Args:
            weights: a safetensors file; the shipped one where none is given.
            device: ``auto`` or a device.
            precision: ``auto``, ``float32`` or ``bfloat16``.

        Raises:
            InputError: the file is missing or holds something else.
        """
        path = weights or self.path
        try:
            with safe_open(path, "pt") as file:
                told = file.metadata() or {}
                state = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
            names = tuple(json.loads(told["drawings"]))
            shape = SHAPES[told["kind"]]
            generator, discriminator = (
                Generator(shape, len(names), FRAMINGS[told["kind"]]),
                Discriminator(shape, len(names)),
            )
            generator.load_state_dict(_under("generator.", state))
            discriminator.load_state_dict(_under("discriminator.", state))
        except FileNotFoundError:
            raise InputError(f"the weights {path.name} are not there", "scripts/train-zoo makes them") from None
        except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
            said = str(error).splitlines()[0]
            raise InputError(f"{path.name} holds no generator: {said}", "weights of the same architecture") from None
        ground = resolve(device, precision)
        for module in (generator, discriminator):
            torch.nn.Module.to(module.to(ground.device), memory_format=torch.channels_last)
        return EmojiGenerator(
            module=generator,
            name=f"emoji-{told['kind']}s-{told['prior']}",
            classes=names,
            size=FRAMINGS[told["kind"]].side,
            noise=LATENT,
            insertion=INSERTIONS[told["kind"]],
            placing=tuple(LATENT_OF["place"]),
            device=ground.device,
            precision=ground.precision,
            discriminator=discriminator,
            file=hashlib.sha256(path.read_bytes()).hexdigest(),
        )


def _under(prefix: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
