"""RFLA on regions: part of a generated scene becomes something that leads to the target, and a patch is cut from it."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from gifthorse.errors import Refusal, UsageError, nearest
from gifthorse.randomness import generator as seeded
from gifthorse.records import Insertion
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import Recipe, Schedule, Screen, optimise
from gifthorse.tools.synthesis.inserted import CHANGES, Inserted, Want, Wants, generalised, known
from gifthorse.tools.synthesis.objectives import cross_entropy
from gifthorse.tools.synthesis.transformations import Mirror, Noise
from gifthorse.zoo.generator import Generator

SHOWN = ("patch", "scene")
"""What a finding is: the patch that is cut out, or a scene with what was inserted."""


class RflaRegion(Synthesis):
    """Robust feature-level adversaries, regions, generalized patches and channels (thesis 5.1.2).

    Casper et al. 2022: what a layer of a generator of scenes puts out is replaced, in a square of all channels or in
    some channels whole, by the same values in every scene, so that the scenes are taken for the target. Scenes are of
    the brief's source classes, or of any but the target's. Of the scenes with and without the change a generalized
    patch is cut: the pixels that change most, in most scenes, whatever their shape. The loss is the cross-entropy to
    the target, with the regularisers of :class:`~gifthorse.tools.synthesis.inserted.Wants`.

    Differs from the notebook in that LPIPS is that of the generator's discriminator (no network of ours was trained on
    photographs), that the disguise classifier sees the square that changed and not a composite, that means stand where
    it has sums, and that the norm of the perturbation and the entropy have gradients: there the one compares a tensor
    with itself, and the other is turned into a number first.

    Attributes:
        shown: ``patch``, the generalized patch; ``scene``, one scene with the change, which fills the image.
        change: ``square``, or ``channels`` (arXiv 2110.03605).
        share: of the layer's area, or of its channels, that is replaced (thesis: 1/8).
        side: of the patch in pixels; None is that of 1/8 of the image.
        layer: whose output is changed; None is the generator's own.
        truncation: of the noise (notebook: 0.4).
        faithful: the two regularisers that have no effect in the released code, the norm and the entropy, have none.
        steps: most steps (notebook: 128); None takes what the budget pays for.
        learning_rate: of Adam, falling to 0 as half a cosine (notebook: 0.05, constant).
        variation: weight of the total variation of the change; ours (notebook: 1e-5 of a sum).
        near: weight of the norm of the perturbation (notebook: 1e-4 of a sum).
        alike: weight of the perceptual distance; ours (notebook: 4, of another distance).
        real: weight of the discriminator (notebook: 0.1).
        sure: weight of the disguise classifier's entropy (notebook: 0.2).
        unlike: weight of minus its cross-entropy to the target (notebook: 0.1).
        best: of the discriminator's classes that count (notebook: 5).
        noise: standard deviation of pixelwise noise in [0, 1] units; ours. Scenes are mirrored at random (notebook).
        cut: scenes of which a patch is cut (notebook: 20).
        screenings: how often findings are screened; ours.
        screen: screening images of the patches; ours.
    """

    needs = frozenset({"gradients", "clean_images"})
    prepares = ("scenes", "disguise")

    shown: str = "patch"
    change: str = "square"
    share: float = 1 / 8
    side: int | None = None
    layer: str | None = None
    truncation: float = 0.4
    faithful: bool = False
    steps: int | None = None
    learning_rate: float = 0.05
    variation: float = 1.0
    near: float = 0.01
    alike: float = 1.0
    real: float = 0.02
    sure: float = 0.2
    unlike: float = 0.1
    best: int = 5
    noise: float = 0.05
    cut: int = 20
    screenings: int = 3
    screen: int = 12

    def __post_init__(self) -> None:
        check_positive(self, "screenings", "screen", "learning_rate", "steps", "side", "truncation", "cut", "best")
        for name, valid in (("shown", SHOWN), ("change", CHANGES)):
            if (value := getattr(self, name)) not in valid:
                raise UsageError(f"there is no {name} {value!r}", nearest(value, valid))
        if not 0 < self.share <= 1:
            raise UsageError(f"share is {self.share}", "above 0, 1 at most")

    def _synthesise(self, task: Task) -> Made:
        generator: Generator = task.assets["scenes"]
        what = (self.layer or generator.insertion, self.change, self.share)
        drawn = Inserted(generator, task.generators("scenes"), known(task, generator), self.truncation, what)
        weights = {name: getattr(self, name) for name in ("variation", "near", "alike", "real", "sure", "unlike")}
        if self.faithful:
            weights |= {"near": 0.0, "sure": 0.0}
        wants = Wants(**weights, best=self.best)
        recipe = Recipe(
            parameterisation=drawn,
            transformations=(Noise(sigma=self.noise), Mirror()),
            insertion=Insertion(kind="frame"),
            objective=cross_entropy,
            screened=cross_entropy,
            penalty=Want(task, wants, drawn, generator, task.assets["disguise"]),
            schedule=Schedule(
                steps=self.steps,
                images=1,
                learning_rate=self.learning_rate,
                warm_up=0.0,
                screenings=self.screenings,
                screen=1,
            ),
        )
        if self.shown == "scene":
            return optimise(task, recipe)
        insertion = Insertion(kind="patch", side=self._side(task))
        screen = Screen.of(task, insertion, cross_entropy, self.screen)
        # a budget that does not pay for the patches' own screening does not pay for a step either
        made = optimise(replace(task, budget=max(1, task.budget - task.n * screen.rows)), recipe)
        with torch.no_grad():
            pictures = self._patches(task, drawn, generator)
            return replace(made, pictures=pictures, losses=screen.losses(pictures), insertion=insertion)

    def _side(self, task: Task) -> int:
        size = task.classifier.size
        side = self.side or round(size * math.sqrt(1 / 8))
        if side > size:
            raise Refusal(
                f"a patch of {side} pixels does not fit into the {size} of {task.classifier.name}", "a smaller side"
            )
        return side

    def _patches(self, task: Task, drawn: Inserted, generator: Generator) -> Tensor:
        """``(n, 4, side, side)``, each cut from scenes that no step was made on."""
        made = []
        for finding in range(task.n):
            row = [finding] * self.cut
            latents = drawn.scenes([seeded(task.seed, "cut", finding, k) for k in range(self.cut)], row)
            after, before = generator.draw(latents, drawn.change(row)), generator.draw(latents)
            made.append(generalised(after, before, self._side(task)))
        return torch.stack(made)
