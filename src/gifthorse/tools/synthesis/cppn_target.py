"""Feature visualisation of the target's logit with pictures from small networks."""

from __future__ import annotations

from gifthorse.errors import UsageError
from gifthorse.records import Insertion
from gifthorse.tools.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import Recipe, Schedule, optimise
from gifthorse.tools.synthesis.objectives import target_logit
from gifthorse.tools.synthesis.parameterisation import Cppn
from gifthorse.tools.synthesis.transformations import Warp


class CppnTarget(Synthesis):
    """Whole pictures that maximise the target's logit, drawn by compositional pattern-producing networks (CPPN).

    Olah, Mordvintsev and Schubert 2017, "Feature Visualization"; Mordvintsev et al. 2018, "Differentiable Image
    Parameterizations"; settings of Lucent (commit 6123386), which thesis 5.3.1 used. The loss is minus the target's
    logit, mean over transformed views; the screened loss is minus the logit of the untransformed picture. No clean
    image is looked at: the picture is the whole image.
    Differs from Lucent in that shift, scale and rotation are one bilinear resampling of our own draws (Lucent: pad 12,
    jitter 8, scale 0.9 to 1.1, rotate, jitter 4 of 224 pixels, one after the other), that what comes in from outside
    is grey as there, that a view is always as large as the classifier's input, that the rate warms up and decays, and
    that pictures begin as patterns: from Lucent's flat grey (``last=0``), within the 200 steps of a small budget, two
    in three pictures of a planted trigger on a small network ended in one flat colour; from patterns, one in fifteen.

    Attributes:
        resolution: side of the pictures in pixels, enlarged to the classifier's input; None is that input's side.
        views: transformed views a step for each finding (Lucent: 1).
        steps: most steps (Lucent: 512); None takes what the budget pays for.
        learning_rate: of Adam (Lucent's notebook: 0.005, constant), falling to 0 as half a cosine.
        warm_up: share of the steps over which the rate rises first; ours.
        shift: largest shift as a share of the side (Lucent: jitter 8 and 4 of 224, that is +- 6 pixels).
        scale: of views, 1 +- scale (Lucent: 0.1).
        degrees: of rotation (Lucent: 10).
        layers, hidden: of each network (Lucent).
        last: the last layer's first weights, as a share of those that the other layers have (Lucent: 0); ours.
        screenings: how often findings are screened; ours.
    """

    needs = frozenset({"gradients"})

    resolution: int | None = None
    views: int = 1
    steps: int | None = None
    learning_rate: float = 0.005
    warm_up: float = 0.15
    shift: float = 6 / 224
    scale: float = 0.1
    degrees: float = 10.0
    layers: int = 8
    hidden: int = 24
    last: float = 1.0
    screenings: int = 8

    def __post_init__(self) -> None:
        for name in ("views", "screenings", "learning_rate", "hidden"):
            if not getattr(self, name) > 0:
                raise UsageError(f"{name} is {getattr(self, name)}", "a number above 0")
        if self.layers < 2:
            raise UsageError(f"layers is {self.layers}", "2 or more")

    def _synthesise(self, task: Task) -> Made:
        size = task.classifier.size
        networks = Cppn(
            self.resolution or size,
            task.generators("networks"),
            task.classifier.device,
            layers=self.layers,
            hidden=self.hidden,
            last=self.last,
        )
        recipe = Recipe(
            parameterisation=networks,
            transformations=(Warp(shift=self.shift, scale=self.scale, degrees=self.degrees, size=size),),
            insertion=Insertion(kind="frame"),
            objective=target_logit,
            screened=target_logit,
            penalty=None,
            schedule=Schedule(
                steps=self.steps,
                images=self.views,
                learning_rate=self.learning_rate,
                warm_up=self.warm_up,
                screenings=self.screenings,
                screen=1,
            ),
        )
        return optimise(task, recipe)
