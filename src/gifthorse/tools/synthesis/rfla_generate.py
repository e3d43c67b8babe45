"""RFLA-Gen: the generator itself is led to draw patches that lead to the target, many different ones."""

from __future__ import annotations

from gifthorse.errors import UsageError, nearest
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import optimise
from gifthorse.tools.synthesis.generated import STARTS, Apart, Look, Looks, Retrained, begun
from gifthorse.tools.synthesis.patching import patches, shaken
from gifthorse.zoo.generator import Generator


class RflaGenerate(Synthesis):
    """Robust feature-level adversaries from a fine-tuned generator: a distribution of patches (thesis 5.3.1).

    The weights of a copy of the generator are trained so that what it draws leads to the target; the loss is that of
    RFLA-Perturb. Nothing else was published and the code was not released: settings are what code derived from it has
    (Adam at 0.01 x 0.005, cross-entropy times 3, total variation 0.0015, entropy 0.2), or ours. All findings are drawn
    by the same weights, from a latent each; at every step the latents are moved at random, so that it is a distribution
    that is learnt. Released galleries show ten times the same patch; the diversity term is ours: minus each picture's
    mean distance to the others, at 8 x 8 pixels.

    Attributes:
        side: of the patch in pixels; None is 18 of 64, 64 of 224.
        start: ``class``, a class at random for each finding, never the target; ``mixed``, all alike (derived code).
        truncation: of the noise.
        wander: standard deviation by which latents are moved at every step.
        images: source images a step for each finding; ours.
        steps: most steps; None takes what the budget pays for.
        learning_rate: of Adam, falling to 0 as half a cosine; ours (derived code: 5e-5, constant).
        diversity: weight of the diversity term; 0 is the thesis's.
        variation: weight of the total variation; ours.
        real: weight of the discriminator (as RFLA-Perturb).
        sure: weight of the disguise classifier's entropy (derived code: 0.2 / 3).
        unlike: weight of minus its cross-entropy to the target (as RFLA-Perturb).
        quantile: of the discriminator's classes that count.
        shown: transformed copies that the disguise classifier sees each step; ours.
        degrees, scale, brightness, contrast, saturation, hue, noise: of the transformations, as RFLA-Perturb's.
        screenings: how often findings are screened; ours.
        screen: screening images each time; ours.
    """

    needs = frozenset({"gradients", "clean_images"})
    prepares = ("generator", "disguise")

    side: int | None = None
    start: str = "class"
    truncation: float = 0.4
    wander: float = 0.3
    images: int = 2
    steps: int | None = None
    learning_rate: float = 1e-4
    diversity: float = 0.5
    variation: float = 5.0
    real: float = 0.005 / 3
    sure: float = 0.2 / 3
    unlike: float = 0.2 / 3
    quantile: float = 0.5
    shown: int = 2
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
        check_positive(self, "images", "screenings", "screen", "learning_rate", "steps", "side", "shown", "truncation")
        if self.start not in STARTS:
            raise UsageError(f"there is no start {self.start!r}", nearest(self.start, STARTS))

    def _synthesise(self, task: Task) -> Made:
        generator: Generator = task.assets["generator"]
        latents, _ = begun(task, generator, self.start, self.truncation)
        drawn = Retrained(generator, latents, task.generators("wander"), self.wander)
        look = Look(task, Looks.of(self), shaken(self), generator, task.assets["disguise"])
        return optimise(task, patches(self, task, drawn, Apart(look, self.diversity)))
