"""The one loop of picture synthesis: parameterisation x transformations x insertion x objective x schedule.

All ``n`` findings are one batch. Each has its own parameters, its own generators and its own draws, and nothing
couples them, so finding i is the same whatever n is (given the same number of steps).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from gifthorse.effects import put
from gifthorse.errors import Refusal, UsageError
from gifthorse.randomness import generator
from gifthorse.records import Insertion
from gifthorse.tools.base import Made, Task
from gifthorse.tools.synthesis.draws import Draws
from gifthorse.tools.synthesis.objectives import Objective
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.tools.synthesis.transformations import Transformation


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a budget is spent.

    Attributes:
        steps: most steps; None takes as many as the budget pays for.
        images: images a step for each finding.
        learning_rate: of Adam.
        warm_up: share of the steps over which the rate rises in a line; after it, it falls to 0 as half a cosine.
        screenings: how often every finding is screened, evenly spread, the last time after the last step.
        screen: screening images for each finding at each screening (one, where the finding is the whole image).
    """

    steps: int | None
    images: int
    learning_rate: float
    warm_up: float
    screenings: int
    screen: int


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method, put together.

    Attributes:
        penalty: of each picture, ``(n, 4, h, w)`` to ``(n,)``; added to the objective's mean over the images.
        screened: the objective on screening images; findings are chosen by it, without penalty or transformations.
    """

    parameterisation: Parameterisation
    transformations: tuple[Transformation, ...]
    insertion: Insertion
    objective: Objective
    screened: Objective
    penalty: Callable[[Tensor], Tensor] | None
    schedule: Schedule


@dataclass(frozen=True)
class Plan:
    """Steps, and after which of them (counted from 1) every finding is screened."""

    steps: int
    screen_after: tuple[int, ...]


def plan(schedule: Schedule, n: int, screen: int, budget: int) -> Plan:
    """Steps and screenings that fit into a budget, before anything is spent.

    Args:
        n: findings.
        screen: images that each finding is screened on.
        budget: images forwarded plus images backpropagated.

    Raises:
        UsageError: not even one step and one screening fit.
    """
    step, screening = 2 * n * schedule.images, n * screen
    if budget < step + screening:
        raise UsageError(
            f"a budget of {budget} passes does not pay for one step and one screening of {n} findings",
            f"a budget of at least {step + screening}, or fewer findings",
        )
    most = schedule.steps if schedule.steps is not None else budget // step
    screenings = max(1, min(schedule.screenings, most))
    while screenings > 1 and (budget - screenings * screening) // step < screenings:
        screenings -= 1
    steps = min(most, (budget - screenings * screening) // step)
    after = tuple(sorted({-(-steps * (i + 1) // screenings) for i in range(screenings)}))
    return Plan(steps=steps, screen_after=after)


def pace(steps: int, warm_up: float, step: int) -> float:
    """Factor of the learning rate at a step counted from 0: up in a line over the warm-up, times half a cosine down."""
    rise = min(1.0, (step + 1) / max(1.0, warm_up * steps))
    return rise * (0.5 + 0.5 * math.cos(math.pi * step / steps))


@dataclass(frozen=True, kw_only=True)
class Screen:
    """The fixed draws on which findings are compared: the same images and places for each finding, at each screening.

    Attributes:
        images: ``(s, 3, H, W)``.
        rows: ``s``.
    """

    task: Task
    insertion: Insertion
    objective: Objective
    images: Tensor

    @classmethod
    def of(cls, task: Task, insertion: Insertion, objective: Objective, most: int) -> Screen:
        """Draw at most ``most`` screening images; one grey image where the finding hides whatever is behind it."""
        if insertion.kind == "frame":
            size = task.classifier.size
            images = torch.full((1, 3, size, size), 0.5, device=task.classifier.device)
        else:
            order = torch.randperm(len(task.clean.screen), generator=generator(task.seed, "screen"))[:most]
            images = task.clean.screen[order.to(task.clean.screen.device)]
        return cls(task=task, insertion=insertion, objective=objective, images=images)

    @property
    def rows(self) -> int:
        """Images that one finding is screened on."""
        return len(self.images)

    def losses(self, pictures: Tensor) -> Tensor:
        """``(n, 4, h, w)`` to ``(n,)``: mean of the objective over the screening images, without gradients."""
        classifier, n, s = self.task.classifier, len(pictures), self.rows
        where = Draws([(generator(self.task.seed, "screen places"), s)], classifier.device).places(
            self.insertion, classifier.size
        )
        parts = []
        with torch.no_grad():
            for start in range(0, n * s, classifier.micro_batch):
                row = torch.arange(start, min(start + classifier.micro_batch, n * s), device=pictures.device)
                finding, image = row // s, row % s
                there = None if where is None else type(where)(where.tops[image.cpu()], where.lefts[image.cpu()])
                stamped = put(self.images[image], pictures[finding], self.insertion, there)
                parts.append(self.objective(classifier, stamped, self.task.target))
        return torch.cat(parts).view(n, s).mean(1)


def optimise(task: Task, recipe: Recipe) -> Made:
    """Optimise all findings at once, and give each finding's best screened picture.

    The loss of finding i at a step is the mean of the objective over its images plus its penalty. The losses that are
    returned are those of the best screening.

    Raises:
        UsageError: a budget that does not pay for a step.
        Refusal: the network has no gradient, or the loss stops being finite.
    """
    screen = Screen.of(task, recipe.insertion, recipe.screened, recipe.schedule.screen)
    planned = plan(recipe.schedule, task.n, screen.rows, task.budget)
    rate = recipe.schedule.learning_rate
    optimiser = torch.optim.Adam(recipe.parameterisation.parameters, lr=rate)
    curve = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(pace, planned.steps, recipe.schedule.warm_up))
    generators = task.generators("draws")
    best: Made | None = None
    with torch.enable_grad():
        for step in range(1, planned.steps + 1):
            optimiser.zero_grad()
            _descend(task, recipe, generators)
            optimiser.step()
            curve.step()
            if step in planned.screen_after:
                pictures = recipe.parameterisation.pictures().detach()
                losses = screen.losses(pictures)
                best = _better(best, Made(pictures=pictures, losses=losses, insertion=recipe.insertion))
    if best is None:
        raise RuntimeError("a plan without a screening")
    return best


def _better(best: Made | None, made: Made) -> Made:
    """Of two screenings of the same findings, the better picture of each, the earlier one where they are equal."""
    if best is None:
        return made
    won = made.losses < best.losses
    pictures = torch.where(won[:, None, None, None], made.pictures, best.pictures)
    return Made(pictures=pictures, losses=torch.where(won, made.losses, best.losses), insertion=made.insertion)


def _descend(task: Task, recipe: Recipe, generators: tuple[torch.Generator, ...]) -> None:
    """Leave the gradient of every finding's loss in the parameters."""
    pictures = recipe.parameterisation.pictures()
    leaf = pictures.detach().requires_grad_()
    per, micro = recipe.schedule.images, task.classifier.micro_batch
    rows = task.n * per
    for start in range(0, rows, micro):
        # Chunks begin at multiples of the micro-batch, so what a finding draws does not depend on findings after it
        finding = [row // per for row in range(start, min(start + micro, rows))]
        groups = [(generators[i], count) for i, count in Counter(finding).items()]
        shown = leaf[torch.tensor(finding, device=leaf.device)]
        losses = _losses(task, recipe, shown, Draws(groups, task.classifier.device))
        if not losses.requires_grad:
            raise Refusal(
                f"the logits of {task.classifier.name} have no gradient with respect to its input",
                "use a method that only runs the network forward",
            )
        if not bool(losses.isfinite().all()):
            raise Refusal(
                f"the loss on {task.classifier.name} is not finite",
                "look for infinite weights or logits in the network, or try --precision float32",
            )
        (losses.sum() / per).backward()  # type: ignore[no-untyped-call]
    if recipe.penalty is None:
        torch.autograd.backward([pictures], [leaf.grad])
    else:
        torch.autograd.backward([pictures, recipe.penalty(pictures).sum()], [leaf.grad, None])


def _losses(task: Task, recipe: Recipe, pictures: Tensor, draws: Draws) -> Tensor:
    """Pictures ``(R, 4, h, w)``, one a row, transformed and inserted into fitting images of each row's own draw."""
    for transformation in recipe.transformations:
        pictures = transformation(pictures, draws)
    fit = task.clean.fit
    behind = fit[draws.indices("images", len(fit))]
    where = draws.places(recipe.insertion, task.classifier.size)
    return recipe.objective(task.classifier, put(behind, pictures, recipe.insertion, where), task.target)
