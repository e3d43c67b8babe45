"""What a picture is optimised for: losses for each row of a batch, and penalties for each picture.

Objectives add, subtract and scale, and say what they are: ``-logit + 0.5 * neuron[17]`` is one. A loss is what is
lowered, so an objective that is to be raised stands behind a minus.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from gifthorse.classifier import Classifier


@dataclass(frozen=True)
class Seen:
    """One pass of images through the network, which all terms of an objective share.

    Attributes:
        logits: ``(R, C)``.
        features: penultimate activations ``(R, F)``, where they were wanted.
    """

    logits: Tensor
    features: Tensor | None = None

    @classmethod
    def of(cls, classifier: Classifier, images: Tensor, inner: bool) -> Seen:
        """What the network makes of images ``(R, 3, H, W)`` in [0, 1].

        Args:
            inner: whether penultimate activations are wanted too.
        """
        if not inner:
            return cls(classifier(images))
        features, logits = classifier.features_and_logits(images)
        return cls(logits, features)

    @property
    def penultimate(self) -> Tensor:
        """The penultimate activations."""
        if self.features is None:
            raise RuntimeError("an objective that looks at penultimate activations does not say so")
        return self.features

    def split(self, rows: list[int]) -> tuple[Seen, ...]:
        """What was seen of the first so many images, of the next, and so on."""
        logits = torch.split(self.logits, rows)
        features = (None,) * len(rows) if self.features is None else torch.split(self.features, rows)
        return tuple(Seen(*part) for part in zip(logits, features, strict=True))


@dataclass(frozen=True)
class Objective:
    """A loss for each row, lower is better.

    Attributes:
        name: what it is, as people would write it.
        loss: what was seen and ``(R,)`` int64, what each row is for (a class index, or a neuron's), to ``(R,)``.
        inner: whether it looks at penultimate activations.
    """

    name: str
    loss: Callable[[Seen, Tensor], Tensor]
    inner: bool = False

    def __call__(self, classifier: Classifier, images: Tensor, aims: Tensor) -> Tensor:
        """Losses ``(R,)`` of images ``(R, 3, H, W)`` in [0, 1].

        Args:
            aims: ``(R,)`` int64, the class or neuron that each row is for.

        Raises:
            Refusal: it looks at penultimate activations, and the network does not end in a linear layer.
        """
        return self.loss(Seen.of(classifier, images, self.inner), aims)

    def __add__(self, other: Objective) -> Objective:
        """The sum of both."""
        return self._joined(other, "+", 1.0)

    def __sub__(self, other: Objective) -> Objective:
        """The difference."""
        return self._joined(other, "-", -1.0)

    def __mul__(self, factor: float) -> Objective:
        """Scaled."""
        return Objective(
            f"{factor:g} * {self._bracketed()}", lambda seen, aims: factor * self.loss(seen, aims), self.inner
        )

    __rmul__ = __mul__

    def __neg__(self) -> Objective:
        """What lowers the loss by raising it."""
        return Objective(f"-{self._bracketed()}", lambda seen, aims: -self.loss(seen, aims), self.inner)

    def of(self, index: int) -> Objective:
        """The same of one class or neuron, whatever rows are for: ``logit - 0.5 * neuron.of(17)``."""
        return Objective(
            f"{self._bracketed()}[{index}]",
            lambda seen, aims: self.loss(seen, torch.full_like(aims, index)),
            self.inner,
        )

    def __str__(self) -> str:
        return self.name

    def _joined(self, other: Objective, sign: str, factor: float) -> Objective:
        right = other._bracketed() if sign == "-" else other.name
        return Objective(
            f"{self.name} {sign} {right}",
            lambda seen, aims: self.loss(seen, aims) + factor * other.loss(seen, aims),
            self.inner or other.inner,
        )

    def _bracketed(self) -> str:
        return f"({self.name})" if " + " in self.name or " - " in self.name else self.name


def _of_each(values: Tensor, aims: Tensor) -> Tensor:
    """The column of ``(R, K)`` that each row is for."""
    picked: Tensor = values.gather(1, aims[:, None].to(values.device))[:, 0]
    return picked


logit = Objective("logit", lambda seen, aims: _of_each(seen.logits, aims))
"""The logit of the class that a row is for."""

cross_entropy = Objective(
    "cross-entropy", lambda seen, aims: F.cross_entropy(seen.logits, aims.to(seen.logits.device), reduction="none")
)
"""-log of the probability of the class that a row is for."""

neuron = Objective("neuron", lambda seen, aims: _of_each(seen.penultimate, aims), inner=True)
"""The penultimate activation, an input of the last linear layer, that a row is for."""


def total_variation(pictures: Tensor) -> Tensor:
    """``(n,)``: mean absolute difference of neighbours in a column plus the same in a row, over the colours.

    A mean, so that a weight means the same at every side. ``pictures`` are ``(n, 4, h, w)``.
    """
    colours = pictures[:, :3]
    down = (colours[:, :, 1:] - colours[:, :, :-1]).abs().mean((1, 2, 3))
    across = (colours[..., 1:] - colours[..., :-1]).abs().mean((1, 2, 3))
    return down + across
