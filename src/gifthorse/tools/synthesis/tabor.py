"""TABOR: a mask and a pattern that lead any image to the target, kept small and smooth by what a trigger is like."""

from __future__ import annotations

import time
from dataclasses import replace

from torch import Tensor

from gifthorse.errors import UsageError, nearest
from gifthorse.records import Insertion
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import Beside, Recipe, Schedule, better, least, optimise
from gifthorse.tools.synthesis.objectives import cross_entropy, total_variation
from gifthorse.tools.synthesis.parameterisation import MaskAndPattern
from gifthorse.tools.synthesis.transformations import Warp

EXTENTS = ("local", "full", "both")


class Tabor(Synthesis):
    """A pattern D under a mask M, put into images as (1 - M) x + M D, that makes the network say the target.

    Guo et al. 2019, "TABOR" (equations 4-9), which is Neural Cleanse (Wang et al. 2019) with regularisers: R1, an
    elastic net (mean absolute plus mean squared value) of M and of (1 - M) D; R2, mean squared differences of
    neighbours of both; R3, the cross-entropy of (1 - M) x to the class that the image has anyway, so that the mask
    covers what matters; R4, that of M D alone to the target. Means, so that a weight means the same at every size: the
    public code's sums over 32 x 32 pixels are 1024 times as large. Differs from it in that the class of R3 is the one
    that the network sees in x, since a Brief has no labels.

    The thesis (5.3.1) gave style trojans a uniform mask and relaxed regularisers, by hand, and tuned the weights
    without publishing them; a tool that does not know the kind of trigger tries both halves.

    Attributes:
        extent: ``local``, a mask that is found; ``full``, a uniform mask, so that the whole image changes; ``both``,
            half of the budget for each, and of each finding the better by its loss on screening images.
        opacity: of the uniform mask; ours.
        images: source images a step for each finding (code: 32); ours.
        steps: most steps (code: 200 passes over the data); None takes what the budget pays for.
        learning_rate: of Adam (code: 0.001, over many more steps); ours.
        mask_cells, pattern_cells: parameters of the mask and of the pattern along a side, enlarged to the image; None
            is one a pixel (code); ours.
        shift: largest shift of mask and pattern together as a share of the side (code: 0); ours.
        mask, pattern: weights of R1 of M and of (1 - M) D (code: 1e-6 and 1e-5 of sums); ours.
        mask_smoothness, pattern_smoothness: weights of R2 of M and of (1 - M) D (code: 1e-7 and 1e-8 of sums); ours.
        variation: weight of the total variation of D, as for patches, with either mask (code: 0); ours. Without it,
            patterns are noise, as they were in the thesis.
        blocking: weight of R3 (code: 0).
        overlay: weight of R4 (code: 0.01).
        screenings: how often findings are screened; ours.
        screen: screening images each time; ours.
    """

    needs = frozenset({"gradients", "clean_images"})

    extent: str = "both"
    opacity: float = 0.5
    images: int = 1
    steps: int | None = None
    learning_rate: float = 0.1
    mask_cells: int | None = 8
    pattern_cells: int | None = 22
    shift: float = 0.15
    mask: float = 4.0
    pattern: float = 0.01
    mask_smoothness: float = 0.1
    pattern_smoothness: float = 0.1
    variation: float = 20.0
    blocking: float = 0.0
    overlay: float = 0.01
    screenings: int = 3
    screen: int = 12

    def __post_init__(self) -> None:
        check_positive(self, "images", "screenings", "screen", "learning_rate", "steps", "mask_cells", "pattern_cells")
        if self.extent not in EXTENTS:
            raise UsageError(f"there is no extent {self.extent!r}", nearest(self.extent, EXTENTS))
        if not 0 < self.opacity <= 1:
            raise UsageError(f"opacity is {self.opacity}", "a number above 0, 1 at most")

    def _synthesise(self, task: Task) -> Made:
        if self.extent != "both":
            return optimise(task, self._recipe(task, self.extent))
        first, second = (self._recipe(task, extent) for extent in ("local", "full"))
        if task.budget < (needed := 2 * max(least(task, first), least(task, second))):
            raise UsageError(
                f"a budget of {task.budget} passes does not pay for a step and a screening of {task.n} findings with "
                "each of two masks",
                f"a budget of at least {needed}, fewer findings, or one extent",
            )
        half = replace(task, budget=task.budget // 2)
        if task.deadline is not None:
            half = replace(half, deadline=(time.perf_counter() + task.deadline) / 2)
        local, full = optimise(half, first), optimise(replace(half, deadline=task.deadline), second)
        chosen = better(local, full)
        whole = int((chosen.pictures == full.pictures).flatten(1).all(1).sum())
        return replace(
            chosen,
            hints=(
                *chosen.hints,
                f"{whole} of {task.n} change the whole image, the others a part",
            ),
        )

    def _recipe(self, task: Task, extent: str) -> Recipe:
        full = extent == "full"
        size = task.classifier.size
        drawn = MaskAndPattern(
            size,
            task.generators(extent),
            task.classifier.device,
            cells=(self.mask_cells or size, self.pattern_cells or size),
            opacity=self.opacity if full else None,
        )
        return Recipe(
            parameterisation=drawn,
            transformations=(Warp(shift=self.shift, scale=0.0, degrees=0.0),) if self.shift and not full else (),
            insertion=Insertion(kind="blend"),
            objective=cross_entropy,
            screened=cross_entropy,
            penalty=self._variation if full else self._penalty,
            strict=False,
            schedule=Schedule(
                steps=self.steps,
                images=self.images,
                learning_rate=self.learning_rate,
                warm_up=0.0,
                screenings=self.screenings,
                screen=self.screen,
            ),
            beside=() if full else self.beside,
        )

    @property
    def beside(self) -> tuple[Beside, ...]:
        """R3 and R4, where they have a weight."""
        blocking = Beside(weight=self.blocking, images=self.images, arrange=_blocked, objective=cross_entropy, own=True)
        overlay = Beside(weight=self.overlay, images=1, arrange=_alone, objective=cross_entropy, alone=True)
        return tuple(each for each in (blocking, overlay) if each.weight)

    def _variation(self, pictures: Tensor) -> Tensor:
        return self.variation * total_variation(pictures)

    def _penalty(self, pictures: Tensor) -> Tensor:
        colours, mask = pictures[:, :3], pictures[:, 3:]
        outside = (1 - mask) * colours
        elastic = self.mask * _elastic(mask) + self.pattern * _elastic(outside)
        elastic = elastic + self._variation(pictures)
        return elastic + self.mask_smoothness * _roughness(mask) + self.pattern_smoothness * _roughness(outside)


def _elastic(values: Tensor) -> Tensor:
    """``(n,)``: mean absolute plus mean squared value."""
    return (values.abs() + values.square()).mean((1, 2, 3))


def _roughness(values: Tensor) -> Tensor:
    """``(n,)``: mean squared difference of neighbours down and across."""
    down = (values[:, :, 1:] - values[:, :, :-1]).square().mean((1, 2, 3))
    return down + (values[..., 1:] - values[..., :-1]).square().mean((1, 2, 3))


def _blocked(pictures: Tensor, behind: Tensor) -> Tensor:
    """(1 - M) x: what the mask covers is black, as in the paper."""
    return behind * (1 - pictures[:, 3:])


def _alone(pictures: Tensor, behind: Tensor) -> Tensor:
    """M D: the pattern under its mask, on black."""
    return pictures[:, :3] * pictures[:, 3:]
