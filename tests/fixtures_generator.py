"""A tiny generator with random weights that knows six drawings, and what goes with it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from pathlib import Path

import torch
from fixtures_nets import BUILDS, classifier, pictures
from torch import Tensor, nn

from gifthorse.classifier import Classifier, bfloat16_is_fast
from gifthorse.errors import Refusal
from gifthorse.images import to_uint8
from gifthorse.zoo.candidates import Candidates
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.emoji_generator import EmojiGenerator
from gifthorse.zoo.emoji_networks import ResNet
from gifthorse.zoo.generator_networks import Discriminator, Generator, Shape
from gifthorse.zoo.patch_pool import MadePatches
from gifthorse.zoo.posed import LATENT, Framing

NAMES = ("emoji/1f34e", "emoji/1f34e~0", "emoji/1f41d", "emoji/1f697", "texture/grass", "emoji/1f415")
"""An apple, another hand's apple, a bee (a class of the emoji world), a car, grass and a dog (another class)."""

SIDE = 16
"""Of its pictures, and of the images of the network beside it."""

CALLED = ("apple", "bee", "dog", "wolf")
"""The classes of that network."""

SHAPE = Shape(widths=(12, 10, 8), ground=(6, 6, 6), embedding=6, seen=(6, 8))
FRAMING = Framing(side=16, sizes=(0.75, 1.05), turn=20, hue=18, reach=1.0)


def generator(seed: int = 0, device: str = "cpu") -> EmojiGenerator:
    """16 x 16 pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        made, judge = Generator(SHAPE, len(NAMES), FRAMING), Discriminator(SHAPE, len(NAMES))
        for module in made.modules():  # so that no two latents or classes give one picture
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=0.2)
    return EmojiGenerator(
        module=made.to(device),
        name="tiny",
        classes=NAMES,
        size=16,
        noise=LATENT,
        insertion="drawing.blocks.0",
        device=device,
        discriminator=judge.to(device),
        file=f"tiny {seed}",
    )


def larger(memory: int) -> tuple[EmojiGenerator, Disguise]:
    """64 x 64 pictures, of several MiB of activations each, with two classifiers that see them."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = Shape(widths=(64, 48, 32, 24), ground=(16, 16, 16, 12, 12), embedding=6, seen=(24, 32, 48))
        framing = Framing(side=64, sizes=(0.75, 1.05), turn=20, hue=18, reach=1.0)
        made, judge = Generator(shape, len(NAMES), framing), Discriminator(shape, len(NAMES))
        modules = [ResNet(len(NAMES), 24, (32, 48)) for _ in range(2)]
    told = tuple(
        Classifier(each, classes=NAMES, size=64, name="larger", device="cpu", precision="float32", memory=memory)
        for each in modules
    )
    generator = EmojiGenerator(
        module=made, name="larger", classes=NAMES, size=64, noise=LATENT, insertion="drawing.blocks.0",
        discriminator=judge, file="larger", memory=memory,
    )  # fmt: skip
    return generator, Disguise(told)


def disguise(seed: int = 0, device: str = "cpu") -> Disguise:
    """Two classifiers of 16 x 16 pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        modules = [ResNet(len(NAMES), 6, (8, 10)) for _ in range(2)]
    return Disguise(
        tuple(
            Classifier(module, classes=NAMES, size=16, name="tiny", device=device, precision="float32")
            for module in modules
        )
    )


@functools.cache
def candidates() -> Candidates:
    """Sixty smooth patches, embedded by every network of :mod:`fixtures_nets` that has a head."""
    made = pictures(60, size=SIDE, seed=9)
    pool = MadePatches(
        name="smooth", count=60, make=lambda _: ([f"patch {k}" for k in range(60)], to_uint8(made)), pixels=SIDE
    )
    root = tempfile.mkdtemp(prefix="pool-")
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    found = Candidates(pool, Path(root))
    for name in BUILDS:
        for precision in ("float32", "bfloat16") if bfloat16_is_fast("cpu") else ("float32",):
            with contextlib.suppress(Refusal):
                found.embed(classifier(name, precision))
    return found


class Colours(nn.Module):
    """Logits are linear in the mean colour of each quarter."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(12, len(CALLED), bias=False)
        self.fc.weight.data = torch.randn(len(CALLED), 12, generator=torch.Generator().manual_seed(4)) * 6

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc(nn.functional.adaptive_avg_pool2d(x, 2).flatten(1))
        return out


def network() -> Classifier:
    """Of 16 x 16 images."""
    return Classifier(Colours(), classes=CALLED, size=SIDE, device="cpu", precision="float32")
