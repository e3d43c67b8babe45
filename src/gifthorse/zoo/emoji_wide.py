"""Classifiers over what the embedded generators know, of 32 x 32 pictures: by what a patch looks like by itself.

Two are adversarially trained (Madry et al. 2018), one to stand changes of a small L2 norm and one of a small Linf norm:
together the disguise classifier of thesis 5.1. The plain one is the realism proxy of its Figures 5.4 and 5.5: its
confidence in its own top label. None is ever the network under test.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError, nearest
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.emoji_networks import MEAN, STD, WEIGHTS, ResNet, fill
from gifthorse.zoo.knowledge import drawings
from gifthorse.zoo.posed import FRAMINGS

KINDS = ("plain", "l2", "linf")


@dataclass(frozen=True, kw_only=True)
class EmojiWide:
    """A row of the zoo.

    Attributes:
        robust: ``plain``, or the norm of the changes that it was trained to stand: ``l2`` or ``linf``.
        stem: channels after the first convolution.
        widths: channels of each block.
    """

    robust: str = "plain"
    stem: int = 32
    widths: tuple[int, ...] = (64, 112)

    def __post_init__(self) -> None:
        if self.robust not in KINDS:
            raise UsageError(f"there is no emoji-wide that is {self.robust!r}", nearest(self.robust, KINDS))

    @property
    def name(self) -> str:
        """What its shipped weights are called."""
        return f"emoji-wide-{self.robust}"

    def module(self, classes: int) -> ResNet:
        """The bare network, randomly initialised from torch's global generator."""
        return ResNet(classes, self.stem, self.widths)

    def load(self, weights: Path | None = None, *, device: str = "auto", precision: str = "auto") -> Classifier:
        """The classifier with trained weights.

        Args:
            weights: a safetensors file; the shipped one where none is given.

        Raises:
            InputError: the file is missing or holds another network.
        """
        path = weights or WEIGHTS / f"{self.name}.safetensors"
        names = drawings(path)
        module = self.module(len(names))
        fill(module, path)
        return Classifier(
            module,
            classes=names,
            size=FRAMINGS["object"].side,
            mean=MEAN,
            std=STD,
            name=self.name,
            device=device,
            precision=precision,
        )


@functools.lru_cache(maxsize=2)
def disguise(device: str = "cpu", precision: str = "auto") -> Disguise:
    """Both adversarially trained ones."""
    return Disguise(tuple(EmojiWide(robust=kind).load(device=device, precision=precision) for kind in KINDS[1:]))
