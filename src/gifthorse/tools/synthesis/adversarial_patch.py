"""Adversarial patch: pixels that lead any image to the target."""

from __future__ import annotations

from torch import Tensor

from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import optimise
from gifthorse.tools.synthesis.objectives import total_variation
from gifthorse.tools.synthesis.parameterisation import Pixels
from gifthorse.tools.synthesis.patching import patches, side_of


class AdversarialPatch(Synthesis):
    """A square patch, optimised under random transformations, places and source images, with total variation.

    Brown et al. 2017, "Adversarial Patch": maximise the expectation of log Pr(target | A(patch, image, place,
    transformation)) over images, places and transformations; with the total variation of thesis 5.3.1. For finding i
    the loss is the mean cross-entropy to the target over its images, plus ``total_variation`` times the mean absolute
    difference of neighbouring pixels. The screened loss is the cross-entropy on screening images, untransformed.
    Differs from the paper in that the patch is a square of fixed size, pixels are sigmoids, and colours are jittered.
    The thesis publishes no settings: those of its RFLA notebook are marked so, the rest is our choice.

    Attributes:
        side: of the patch in pixels; None is 18 of 64, 64 of 224.
        images: source images a step for each finding (notebook: 32); ours.
        steps: most steps (notebook: 64); None takes what the budget pays for.
        learning_rate: of Adam, falling to 0 as half a cosine; ours (notebook: 0.01, constant, in a generator).
        total_variation: weight of the total variation; ours (notebook: 0.001, of a sum).
        deviation: of the normal numbers that the pixels begin as, before the sigmoid; ours.
        degrees: of rotation (notebook: 10).
        scale: of the patch, 1 +- scale; the square stays (notebook: side 64 +- 10).
        brightness, contrast, saturation, hue: strengths of the colour jitter (notebook).
        noise: standard deviation of pixelwise noise in [0, 1] units (notebook: 0.1 after normalisation); ours.
        screenings: how often findings are screened; ours.
        screen: screening images each time; ours.
    """

    needs = frozenset({"gradients", "clean_images"})

    side: int | None = None
    images: int = 1
    steps: int | None = None
    learning_rate: float = 0.2
    total_variation: float = 5.0
    deviation: float = 0.3
    degrees: float = 10.0
    scale: float = 0.1
    brightness: float = 0.25
    contrast: float = 0.25
    saturation: float = 0.25
    hue: float = 0.05
    noise: float = 0.05
    screenings: int = 3
    screen: int = 12

    def __post_init__(self) -> None:
        check_positive(self, "images", "screenings", "screen", "learning_rate", "steps", "side")

    def _synthesise(self, task: Task) -> Made:
        def penalty(pictures: Tensor) -> Tensor:
            return self.total_variation * total_variation(pictures)

        drawn = Pixels(side_of(self, task), self.deviation, task.generators("pixels"), task.classifier.device)
        return optimise(task, patches(self, task, drawn, penalty))
