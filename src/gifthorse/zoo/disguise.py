"""Classifiers that say what a picture looks like by itself: what a patch must not be taken for, and should be.

Never the network under test (thesis 5.1: two adversarially trained networks, whose gradients look like things).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gifthorse.classifier import TIMES, Classifier
from gifthorse.errors import InputError
from gifthorse.images import over, resize
from gifthorse.recomputing import fitting, in_parts
from gifthorse.zoo.posed import showing


@dataclass(frozen=True, eq=False)
class Disguise:
    """One or more classifiers of the same classes.

    Raises:
        InputError: there is none, or they have different classes.
    """

    classifiers: tuple[Classifier, ...]

    def __post_init__(self) -> None:
        if len({tuple(each.classes) for each in self.classifiers}) != 1:
            raise InputError("the disguise classifiers have different classes, or there is none", "one set of classes")

    @property
    def classes(self) -> Sequence[str]:
        """Names by index."""
        return self.classifiers[0].classes

    @property
    def digest(self) -> str:
        """SHA-256 of all of them."""
        return hashlib.sha256("".join(each.digest for each in self.classifiers).encode()).hexdigest()

    def showing(self, called: str) -> tuple[int, ...]:
        """Indices of the classes that show what a class of another network is called after; maybe none."""
        return showing(self.classes, called)

    @property
    def at_once(self) -> int:
        """Pictures whose gradients fit into the classifiers' memory; of more, parts are looked at twice."""
        one = TIMES * sum(each.held for each in self.classifiers)
        return fitting(min(each.memory for each in self.classifiers), one)

    def log_probabilities(self, pictures: Tensor) -> Tensor:
        """Log of the mean probability over the classifiers: ``(n, 3 | 4, h, w)`` in [0, 1] to ``(n, K)``."""
        flat = over(pictures) if pictures.shape[1] == 4 else pictures

        def told(rows: slice) -> Tensor:
            each = [one(resize(flat[rows], one.size).clamp(0, 1)).log_softmax(1) for one in self.classifiers]
            return torch.stack(each).logsumexp(0) - torch.tensor(float(len(each))).log()

        return in_parts(told, len(flat), self.at_once)
