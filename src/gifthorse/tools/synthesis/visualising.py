"""Feature visualisation: whole pictures that a logit or an inner neuron reacts to most, however they are drawn.

Olah, Mordvintsev and Schubert 2017, "Feature Visualization"; thesis 5.3.1, which used Lucent with its settings (commit
6123386) unless a method says otherwise. Pictures are frames: no clean image lies behind them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal, UsageError
from gifthorse.records import Insertion
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Made, Task
from gifthorse.tools.synthesis.engine import Recipe, Schedule, optimise
from gifthorse.tools.synthesis.objectives import Objective, logit, neuron
from gifthorse.tools.synthesis.parameterisation import Cppn, Fourier, Layers, Parameterisation
from gifthorse.tools.synthesis.transformations import Warp


@dataclass(frozen=True, kw_only=True)
class Viewing:
    """How pictures are looked at while they are optimised: the settings that all visualisations share.

    Differs from Lucent in that shift, scale and rotation are one bilinear resampling of our own draws (Lucent: pad 12,
    jitter 8, scale 0.9 to 1.1, rotate, jitter 4 of 224 pixels, one after the other), that what comes in from outside
    is grey as there, that a view is always as large as the classifier's input, and that the rate warms up and decays.

    Attributes:
        resolution: side of the pictures in pixels, enlarged to the classifier's input; None is that input's side.
        views: transformed views a step for each finding (Lucent: 1).
        steps: most steps (Lucent: 512); None takes what the budget pays for.
        warm_up: share of the steps over which the rate of Adam rises; after it, it falls to 0 as half a cosine; ours.
        shift: largest shift as a share of the side (Lucent: jitter 8 and 4 of 224, that is +- 6 pixels).
        scale: of views, 1 +- scale (Lucent: 0.1).
        degrees: of rotation (Lucent: 10).
        screenings: how often findings are screened; ours.
    """

    resolution: int | None = None
    views: int = 1
    steps: int | None = None
    warm_up: float = 0.15
    shift: float = 6 / 224
    scale: float = 0.1
    degrees: float = 10.0
    screenings: int = 8

    def __post_init__(self) -> None:
        check_positive(self, "views", "screenings", "learning_rate", "neurons", "hidden", "steps", "resolution")
        if (layers := getattr(self, "layers", 2)) < 2:
            raise UsageError(f"layers is {layers}", "2 or more")

    def side(self, task: Task) -> int:
        """Of the pictures, in pixels."""
        return self.resolution or task.classifier.size

    def seek(self, task: Task, drawn: Parameterisation, rate: float, aims: Tensor | None = None) -> Made:
        """Pictures that raise the target's logit, or where there are ``aims`` those penultimate neurons.

        Args:
            rate: of Adam.
            aims: ``(n,)`` int64.
        """
        raised: Objective = -(logit if aims is None else neuron)
        schedule = Schedule(
            steps=self.steps,
            images=self.views,
            learning_rate=rate,
            warm_up=self.warm_up,
            screenings=self.screenings,
            screen=1,
        )
        recipe = Recipe(
            parameterisation=drawn,
            transformations=(
                Warp(shift=self.shift, scale=self.scale, degrees=self.degrees, size=task.classifier.size),
            ),
            insertion=Insertion(kind="frame"),
            objective=raised,
            screened=raised,
            penalty=None,
            schedule=schedule,
            aims=aims,
        )
        return optimise(task, recipe)

    def seek_inner(self, task: Task, drawn: Parameterisation, rate: float, neurons: int) -> Made:
        """Pictures that raise the penultimate neurons on which the target's logit depends most.

        With n findings for m = min(n, ``neurons``) neurons, finding i is for the neuron of rank i modulo m: in the
        thesis's protocol (100 findings), ten runs for each of ten neurons, of which the best of each is kept.

        Raises:
            Refusal: the network does not end in a linear layer.
        """
        needed = task.n * (2 * self.views + 1)
        if task.budget < (most := min(needed + len(task.clean.fit), -(-4 * needed // 3) + 1)):
            raise UsageError(
                f"a budget of {task.budget} passes does not pay for ranking the neurons, one step and one screening of "
                f"{task.n} findings",
                f"a budget of at least {most}, or fewer findings",
            )
        images = task.clean.fit[: max(1, min(len(task.clean.fit), task.budget // 4))]
        ranked = ranked_neurons(task.classifier, images, task.target)[: min(neurons, task.n)]
        ranks = tuple(i % len(ranked) for i in range(task.n))
        left = replace(task, budget=task.budget - len(images))
        made = self.seek(left, drawn, rate, ranked[list(ranks)])
        told = ", ".join(map(str, ranked.tolist()))
        return replace(made, ranks=ranks, hints=(*made.hints, f"penultimate neurons, the most important first: {told}"))


@dataclass(frozen=True, kw_only=True)
class Waves(Viewing):
    """Pictures drawn as Fourier coefficients with decorrelated colours.

    Attributes:
        learning_rate: of Adam (Lucent: 0.05, constant).
        deviation: of the coefficients at the start (Lucent: 0.01, which is flat grey); ours. On flat grey most
            penultimate neurons of a small network are silent, and a silent one has no gradient to follow.
        decay: power of the frequency that a coefficient is divided by (Lucent: 1).
    """

    learning_rate: float = 0.05
    deviation: float = 1.0
    decay: float = 1.0

    def drawn(self, task: Task) -> Fourier:
        """As they begin."""
        told = task.generators("coefficients")
        return Fourier(self.side(task), told, task.classifier.device, self.deviation, self.decay)


@dataclass(frozen=True, kw_only=True)
class Networks(Viewing):
    """Pictures drawn by compositional pattern-producing networks.

    Attributes:
        learning_rate: of Adam (Lucent's notebook: 0.005, constant).
        layers, hidden: of each network (Lucent).
        last: the last layer's first weights, as a share of those that the other layers have (Lucent: 0); ours.
    """

    learning_rate: float = 0.005
    layers: int = 8
    hidden: int = 24
    last: float = 1.0

    def drawn(self, task: Task) -> Cppn:
        """As they begin."""
        return Cppn(
            self.side(task),
            task.generators("networks"),
            task.classifier.device,
            Layers(self.layers, self.hidden, self.last),
            memory=task.classifier.memory,
        )


def ranked_neurons(classifier: Classifier, images: Tensor, target: int) -> Tensor:
    """Penultimate neurons by how much the target's logit rises on average when one is doubled: ``(F,)`` int64.

    Thesis 5.3.1 doubles each neuron in turn. The head is linear, so doubling neuron j adds w[target, j] * a_j, and its
    mean is w[target, j] times the mean activation: no loop is needed.

    Args:
        images: clean ``(N, 3, H, W)`` in [0, 1].

    Raises:
        Refusal: the network does not end in a linear layer, or its logits are not finite.
    """
    total: Tensor | float = 0.0
    with torch.no_grad():
        for start in range(0, len(images), classifier.micro_batch):
            inner, logits = classifier.features_and_logits(images[start : start + classifier.micro_batch])
            if not bool(logits.isfinite().all()):
                raise Refusal(
                    f"the logits of {classifier.name} are not finite",
                    "look for infinite weights in the network, or try --precision float32",
                )
            total = total + inner.sum(0)
    gain = classifier.head_weight()[target] * total / len(images)
    return torch.argsort(gain.cpu(), descending=True, stable=True)
