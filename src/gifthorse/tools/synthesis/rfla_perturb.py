"""RFLA-Perturb: a patch that a generator draws, led to the target by what is added to one of its latents."""

from __future__ import annotations

from gifthorse.errors import UsageError, nearest
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import optimise
from gifthorse.tools.synthesis.generated import SPACES, STARTS, Look, Looks, Painted, Perturbed, begun
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.tools.synthesis.patching import patches, shaken
from gifthorse.zoo.generator import Generator


class RflaPerturb(Synthesis):
    """Robust feature-level adversaries, patches: what a layer of a generator puts out is perturbed (thesis 5.1).

    Casper et al. 2022, equations 5.1 and 5.2: the patch is P(a) of a latent a plus a perturbation that begins at 0;
    the loss is the cross-entropy of images with the patch to the target, with the regularisers of
    :class:`~gifthorse.tools.synthesis.generated.Looks`. Noise and class vector are perturbed too, at a lower rate, and
    the target's own class cannot be reached through the class vector. Weights are the notebook's, divided by that of
    its cross-entropy (3). Differs from it in that the total variation is a mean, that all n patches are one batch with
    two images a step each, that a patch which is drawn larger than it is pasted is shrunk before it is shaken, and that
    each begins as another class where the notebook begins with all of them at once.

    Attributes:
        side: of the patch in pixels; None is 18 of 64, 64 of 224.
        layer: whose output is perturbed; None is the generator's own, of a quarter of the side (notebook: 64 of 256).
        space: ``generator``, or ``pixels``: those of the picture that the generator draws first (thesis: "No Gen").
        start: ``class``, a class at random for each finding, never the target; ``mixed``, all alike (notebook).
        truncation: of the noise (notebook: 0.4).
        images: source images a step for each finding (notebook: 32); ours.
        steps: most steps (notebook: 64); None takes what the budget pays for.
        learning_rate: of Adam, falling to 0 as half a cosine; ours (notebook: 0.01, constant).
        input_rate: factor of the learning rate for noise and class vector (notebook: 0.025).
        variation: weight of the total variation; ours (notebook: 0.001 / 3 of a sum).
        real: weight of the discriminator (notebook: 0.005 / 3).
        sure: weight of the disguise classifier's entropy (notebook: 0.2 / 3).
        unlike: weight of minus its cross-entropy to the target (notebook: 0.2 / 3).
        quantile: of the discriminator's classes that count (notebook: 0.5).
        shown: transformed copies that the disguise classifier sees each step (notebook: 16); ours.
        degrees: of rotation (notebook: 10).
        scale: of the patch, 1 +- scale; the square stays (notebook: side 64 +- 10).
        brightness, contrast, saturation, hue: strengths of the colour jitter (notebook).
        noise: standard deviation of pixelwise noise in [0, 1] units (notebook: 0.1 after normalisation); ours.
        screenings: how often findings are screened; ours.
        screen: screening images each time; ours.
    """

    needs = frozenset({"gradients", "clean_images"})
    prepares = ("generator", "disguise")

    side: int | None = None
    layer: str | None = None
    space: str = "generator"
    start: str = "class"
    truncation: float = 0.4
    images: int = 2
    steps: int | None = None
    learning_rate: float = 0.05
    input_rate: float = 0.025
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
        for name, valid in (("start", STARTS), ("space", SPACES)):
            if (value := getattr(self, name)) not in valid:
                raise UsageError(f"there is no {name} {value!r}", nearest(value, valid))

    def _synthesise(self, task: Task) -> Made:
        generator: Generator = task.assets["generator"]
        latents, closed = begun(task, generator, self.start, self.truncation)
        if self.space == "pixels":
            drawn: Parameterisation = Painted(generator, latents)
        else:
            drawn = Perturbed(generator, latents, self.layer or generator.insertion, closed, self.input_rate)
        look = Look(task, Looks.of(self), shaken(self), generator, task.assets["disguise"])
        return optimise(task, patches(self, task, drawn, look))
