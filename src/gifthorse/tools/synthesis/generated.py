"""What attacks through a generator share: parameters inside of it, and what makes a patch look like something else.

Thesis 5.1, equations 5.1 and 5.2: the patch is a generator's picture; beside the attack's cross-entropy it is to be
smooth, real to the discriminator, sure to be something to a disguise classifier, and not the target.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from gifthorse.images import GREY, opaque, resize
from gifthorse.randomness import Purposes
from gifthorse.recomputing import in_parts
from gifthorse.tools.synthesis.base import Task
from gifthorse.tools.synthesis.draws import Draws
from gifthorse.tools.synthesis.objectives import total_variation
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.tools.synthesis.transformations import Transformation, layered
from gifthorse.zoo.disguise import Disguise
from gifthorse.zoo.generator import Change, Generator, Latents

SPACES = ("generator", "pixels")
"""What is perturbed: a latent inside of the generator, or the pixels of what it drew."""

STARTS = ("class", "mixed")
"""Where latents begin: each with a class at random, or all with every class alike."""


def begun(task: Task, generator: Generator, start: str, truncation: float) -> tuple[Latents, tuple[int, ...]]:
    """A latent for each finding, and the generator's classes that show the target, which no latent has any of."""
    closed = generator.showing(task.classifier.classes[task.target])
    seeds = task.generators("latents")
    if start == "class":
        others = set(range(len(generator.classes))) - set(closed)
        return generator.of_class(seeds, others, truncation), closed
    return generator.mixed(seeds, closed, truncation), closed


class Perturbed(Parameterisation):
    """Pictures of a generator with something added to what one of its layers puts out, which begins as nothing.

    The noise and the classes change too, at a rate of their own; the classes in ``closed`` stay at what they are.

    Args:
        latents: where the pictures begin, ``n`` of them.
        input_rate: factor of the learning rate of noise and classes.
    """

    solid = True

    def __init__(
        self, generator: Generator, latents: Latents, layer: str, closed: Sequence[int], input_rate: float
    ) -> None:
        n, device = len(latents), latents.noise.device
        self._generator, self._latents, self._layer = generator, latents, layer
        self._open = torch.ones(latents.classes.shape[1], device=device)
        self._open[list(closed)] = 0.0
        self._added = torch.zeros(n, *generator.shape(layer), device=device).requires_grad_()
        self._noise = torch.zeros_like(latents.noise).requires_grad_()
        self._classes = torch.zeros_like(latents.classes).requires_grad_()
        self.parameters = [self._added, self._noise, self._classes]
        self.rates = (1.0, input_rate, input_rate)

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        latents = Latents(
            noise=self._latents.noise + self._noise, classes=self._latents.classes + self._classes * self._open
        )
        return opaque(self._generator.draw(latents, Change(layer=self._layer, values=self._added)))


class Painted(Parameterisation):
    """The pixels of pictures that a generator drew: where attacks without it begin (thesis 5.1, "No Gen").

    Each pixel is the sigmoid of a parameter of its own; alpha is one.
    """

    solid = True

    def __init__(self, generator: Generator, latents: Latents) -> None:
        with torch.no_grad():
            drawn = generator.draw(latents).clamp(0.02, 0.98)
        self.parameters = [torch.logit(drawn).requires_grad_()]

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        return opaque(torch.sigmoid(self.parameters[0]))


class Retrained(Parameterisation):
    """Pictures of a generator whose weights are the parameters, all findings' together.

    Each time that they are drawn with gradients, the latents are moved at random, so that what is learnt is a
    distribution; without gradients, each is drawn from its own latent.

    Args:
        latents: one a finding.
        generators: of the moves, one a finding.
        wander: standard deviation of the moves.
    """

    solid = True

    def __init__(
        self, generator: Generator, latents: Latents, generators: Sequence[torch.Generator], wander: float
    ) -> None:
        self._generator, self._latents, self._generators, self._wander = generator, latents, generators, wander
        self._module = generator.thawed()
        self.parameters = list(self._module.parameters())

    def pictures(self) -> Tensor:
        """``(n, 4, side, side)``."""
        noise = self._latents.noise
        if torch.is_grad_enabled():
            moves = torch.stack([torch.randn(noise.shape[1], generator=g) for g in self._generators])
            noise = noise + self._wander * moves.to(noise)
        latents = Latents(noise=noise, classes=self._latents.classes)
        return opaque(self._generator.draw(latents, module=self._module))


COARSE = 8
"""Side at which two pictures are compared: what differs there is another picture, not another grain."""


class Apart:
    """A penalty with a diversity term: minus the mean distance of each picture to the others.

    Args:
        look: the penalty beside it.
        weight: of the term.
    """

    def __init__(self, look: Callable[[Tensor], Tensor], weight: float) -> None:
        self._look, self._weight = look, weight

    def __call__(self, pictures: Tensor) -> Tensor:
        """Penalties ``(n,)``."""
        penalty = self._look(pictures)
        if not self._weight or len(pictures) < 2:
            return penalty
        return penalty - self._weight * spread(pictures)


def spread(pictures: Tensor) -> Tensor:
    """``(n,)``: mean absolute difference of each picture's colours to those of the others, at 8 x 8 pixels."""
    coarse = resize(pictures[:, :3], COARSE).flatten(1)
    distances = (coarse[:, None] - coarse[None]).abs().mean(2)
    return distances.sum(1) / (len(pictures) - 1)


@dataclass(frozen=True, kw_only=True)
class Looks:
    """Weights of what a picture should look like by itself, against the attack's cross-entropy; 0 switches one off.

    Attributes:
        variation: of the total variation.
        real: of the discriminator: minus its mean output over the classes above the ``quantile``.
        sure: of the entropy of what the disguise classifier says.
        unlike: of minus the disguise classifier's cross-entropy to the target.
        quantile: of the discriminator's classes, above which they count (notebook: 0.5).
        shown: transformed copies of each picture that the disguise classifier sees (notebook: 16).
    """

    variation: float
    real: float
    sure: float
    unlike: float
    quantile: float
    shown: int

    @classmethod
    def of(cls, tool: Any) -> Looks:
        """Those of a tool, whose settings have these names."""
        return cls(**{each.name: getattr(tool, each.name) for each in fields(cls)})


class Look:
    """The four regularisers of thesis 5.1 as a penalty of each picture without holes, ``(n, 4, h, w)`` to ``(n,)``."""

    def __init__(
        self,
        task: Task,
        weights: Looks,
        transformations: Sequence[Transformation],
        generator: Generator,
        disguise: Disguise | None,
    ) -> None:
        self._weights, self._transformations = weights, tuple(transformations)
        self._generator, self._disguise = generator, disguise
        self._purposes = [Purposes(one) for one in task.generators("disguise")]
        self._device = task.classifier.device
        called = task.classifier.classes[task.target]
        self._targets = list(disguise.showing(called)) if disguise is not None else []

    def __call__(self, pictures: Tensor) -> Tensor:
        """Penalties ``(n,)``."""
        weights = self._weights
        total = weights.variation * total_variation(pictures)
        if weights.real:
            scores = self._generator.realness(pictures[:, :3])
            count = max(1, round(scores.shape[1] * (1 - weights.quantile)))
            total = total - weights.real * scores.topk(count, 1).values.mean(1)
        if self._disguise is not None and (weights.sure or weights.unlike):
            total = total + self._disguised(pictures, self._disguise)
        return total

    def _disguised(self, pictures: Tensor, disguise: Disguise) -> Tensor:
        weights, n = self._weights, len(pictures)
        draws = Draws([(purposes, weights.shown) for purposes in self._purposes[:n]], self._device)
        finding = torch.arange(n, device=pictures.device).repeat_interleave(weights.shown)

        def look(rows: slice) -> Tensor:
            drawn = draws.part(rows.start, rows.stop)
            shown = layered(self._transformations, pictures[finding[rows]], drawn, solid=True)
            return disguise.log_probabilities(shown.over(GREY))

        told = in_parts(look, len(finding), disguise.at_once)
        penalty = weights.sure * -(told.exp() * told).sum(1)
        if self._targets:
            # -log of a probability goes to infinity; past e^-10 a picture is as unlike the target as it can be
            penalty = penalty + weights.unlike * told[:, self._targets].logsumexp(1).clamp_min(-10.0)
        return penalty.view(n, weights.shown).mean(1)
