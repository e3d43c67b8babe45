"""Controls: pictures that no method made, for the floor and the ceiling of what a judge can say."""

from __future__ import annotations

import torch
from torch import Tensor

from gifthorse.effects import INSERTIONS, side_for
from gifthorse.errors import UsageError, nearest
from gifthorse.images import blur, gaussian_noise, jitter, opaque, require
from gifthorse.randomness import Purposes
from gifthorse.records import Insertion
from gifthorse.tools.synthesis.base import Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import Screen
from gifthorse.tools.synthesis.objectives import cross_entropy


def _screened(task: Task, pictures: Tensor, kind: str, screen: int) -> Made:
    """The pictures with their cross-entropy to the target on as many screening images as the budget pays for."""
    insertion = Insertion(kind=kind, side=side_for(task.classifier.size) if kind == "patch" else None)
    if task.budget < task.n:
        raise UsageError(f"a budget of {task.budget} passes does not pay for one of each", f"a budget from {task.n}")
    screening = Screen.of(task, insertion, cross_entropy, min(screen, task.budget // task.n))
    return Made(pictures=pictures, losses=screening.losses(pictures), insertion=insertion)


def _check_insertion(kind: str) -> None:
    if kind not in INSERTIONS:
        raise UsageError(f"there is no insertion {kind!r}", nearest(kind, INSERTIONS))


class Noise(Synthesis):
    """White noise, uniform in [0, 1]: what a judge says when there is nothing to see.

    Attributes:
        insertion: ``patch`` (of the side that patches have), ``frame`` or ``blend``.
        screen: screening images for the loss (cross-entropy to the target).
    """

    needs = frozenset({"clean_images"})

    insertion: str = "patch"
    screen: int = 12

    def __post_init__(self) -> None:
        _check_insertion(self.insertion)

    def _synthesise(self, task: Task) -> Made:
        side = side_for(task.classifier.size) if self.insertion == "patch" else task.classifier.size
        drawn = torch.stack([torch.rand(3, side, side, generator=g) for g in task.generators("pixels")])
        return _screened(task, opaque(drawn).to(task.classifier.device), self.insertion, self.screen)


class Truth(Synthesis):
    """The true trigger, blurred and jittered: as good as a synthesis could be, so a ceiling for judges.

    Finding i is picture i of ``assets["truth"]`` (``(m, 4, h, w)`` in [0, 1], taken in turn), blurred, its colours
    jittered and noise added. It is a control: no other tool may see these pictures.

    Attributes:
        insertion: ``patch`` (of the side that patches have), ``frame`` or ``blend``; None is ``frame`` where pictures
            are opaque, as a style's are, and ``patch`` where they are cut out.
        blur: standard deviation in shares of the picture's side; ours.
        colour: strength of brightness, contrast and saturation jitter, the hue's a fifth of it (thesis 3.1 jitters
            patches too, without numbers); ours.
        noise: standard deviation of pixelwise noise; ours.
        screen: screening images for the loss (cross-entropy to the target).
    """

    needs = frozenset({"clean_images"})
    prepares = ("truth",)

    insertion: str | None = None
    blur: float = 0.03
    colour: float = 0.25
    noise: float = 0.05
    screen: int = 12

    def __post_init__(self) -> None:
        if self.insertion is not None:
            _check_insertion(self.insertion)

    def _synthesise(self, task: Task) -> Made:
        truth = require(torch.as_tensor(task.assets["truth"]), channels=4, what="pictures of the truth").float()
        made = []
        for i, g in enumerate(task.generators("truth")):
            purposes = Purposes(g)
            picture = blur(truth[i % len(truth)][None], self.blur * truth.shape[-1])
            picture = jitter(picture, self.colour, self.colour, self.colour, self.colour / 5, purposes["colours"])
            made.append(gaussian_noise(picture, self.noise, purposes["noise"]))
        insertion = self.insertion or ("frame" if bool((truth[:, 3] == 1).all()) else "patch")
        return _screened(task, torch.cat(made).to(task.classifier.device), insertion, self.screen)
