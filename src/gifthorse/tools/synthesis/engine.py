"""The one loop of picture synthesis: parameterisation x transformations x insertion x objective x schedule.

All ``n`` findings are one batch. Each has its own parameters, its own generators and its own draws, and nothing
couples them, so finding i is the same whatever n is (given the same number of steps).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.effects import put
from gifthorse.errors import Refusal, UsageError
from gifthorse.images import resize, to_uint8
from gifthorse.randomness import Purposes, generator
from gifthorse.records import Insertion
from gifthorse.tools.synthesis.base import Film, Made, Task
from gifthorse.tools.synthesis.draws import Draws
from gifthorse.tools.synthesis.objectives import Objective, Seen
from gifthorse.tools.synthesis.parameterisation import Parameterisation
from gifthorse.tools.synthesis.transformations import Transformation, layered


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
class Beside:
    """Something else that is asked of every finding at every step, in images of its own.

    Attributes:
        weight: of its mean over its images, against the objective's.
        images: a step for each finding.
        arrange: pictures ``(R, 4, h, w)`` and the images behind them ``(R, 3, H, W)`` to images.
        own: whether rows are for the class that the network sees in the image behind, not for what the finding is for.
        alone: whether what is arranged has no image behind it.
    """

    weight: float
    images: int
    arrange: Callable[[Tensor, Tensor], Tensor]
    objective: Objective
    own: bool = False
    alone: bool = False

    @property
    def passes(self) -> int:
        """That a step takes for each finding."""
        return self.images * (3 if self.own else 2)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A method, put together.

    Attributes:
        penalty: of each picture, ``(n, 4, h, w)`` to ``(n,)``; added to the objective's mean over the images.
        screened: the objective on screening images; findings are chosen by it, without penalty or transformations.
        strict: whether of a finding's screenings that with the lowest loss is kept, or that with the lowest sum of loss
            and penalty: where the loss soon reaches its floor, the first picture that does is the least like a trigger.
        beside: what else is asked.
        aims: ``(n,)`` int64, the class or neuron that each finding is for; None is the task's target.
    """

    parameterisation: Parameterisation
    transformations: tuple[Transformation, ...]
    insertion: Insertion
    objective: Objective
    screened: Objective
    penalty: Callable[[Tensor], Tensor] | None
    schedule: Schedule
    strict: bool = True
    beside: tuple[Beside, ...] = ()
    aims: Tensor | None = None

    def aims_of(self, task: Task) -> Tensor:
        """``(n,)`` int64 on the CPU."""
        return torch.full((task.n,), task.target) if self.aims is None else self.aims


@dataclass(frozen=True)
class Plan:
    """Steps, and after which of them (counted from 1) every finding is screened."""

    steps: int
    screen_after: tuple[int, ...]


def least(task: Task, recipe: Recipe) -> int:
    """The smallest budget, in passes, that pays for one step and one screening."""
    rows = 1 if recipe.insertion.kind == "frame" else min(recipe.schedule.screen, len(task.clean.screen))
    return task.n * (2 * recipe.schedule.images + sum(each.passes for each in recipe.beside) + rows)


def plan(schedule: Schedule, n: int, screen: int, budget: int, beside: int = 0) -> Plan:
    """Steps and screenings that fit into a budget, before anything is spent.

    Args:
        n: findings.
        screen: images that each finding is screened on.
        budget: images forwarded plus images backpropagated.
        beside: of them, what a step takes for each finding beside its images.

    Raises:
        UsageError: not even one step and one screening fit.
    """
    step, screening = n * (2 * schedule.images + beside), n * screen
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
        aims: ``(n,)``, the class or neuron that each finding is for.
    """

    task: Task
    insertion: Insertion
    objective: Objective
    images: Tensor
    aims: Tensor

    @classmethod
    def of(
        cls, task: Task, insertion: Insertion, objective: Objective, most: int, aims: Tensor | None = None
    ) -> Screen:
        """Draw at most ``most`` screening images; one grey image where the finding hides whatever is behind it."""
        aims = torch.full((task.n,), task.target) if aims is None else aims
        if insertion.kind == "frame":
            size = task.classifier.size
            images = torch.full((1, 3, size, size), 0.5, device=task.classifier.device)
        else:
            order = torch.randperm(len(task.clean.screen), generator=generator(task.seed, "screen"))[:most]
            images = task.clean.screen[order.to(task.clean.screen.device)]
        return cls(task=task, insertion=insertion, objective=objective, images=images, aims=aims)

    @property
    def rows(self) -> int:
        """Images that one finding is screened on."""
        return len(self.images)

    def losses(self, pictures: Tensor) -> Tensor:
        """``(n, 4, h, w)`` to ``(n,)``: mean of the objective over the screening images, without gradients."""
        classifier, n, s = self.task.classifier, len(pictures), self.rows
        where = Draws([(Purposes(generator(self.task.seed, "screen places")), s)], classifier.device).places(
            self.insertion, classifier.size
        )
        parts = []
        with torch.no_grad():
            if where is not None:  # each picture once, not once for each image that it is tried in
                pictures = resize(pictures, self.insertion.side or classifier.size)
            images = self.images.contiguous(memory_format=torch.channels_last)  # as pasting and convolutions want them
            for start in range(0, n * s, classifier.forward_batch):
                row = torch.arange(start, min(start + classifier.forward_batch, n * s), device=pictures.device)
                finding, image = row // s, row % s
                there = None if where is None else type(where)(where.tops[image.cpu()], where.lefts[image.cpu()])
                stamped = put(images[image], pictures[finding], self.insertion, there)
                parts.append(self.objective(classifier, stamped, self.aims[finding.cpu()]))
        return torch.cat(parts).view(n, s).mean(1)


def optimise(task: Task, recipe: Recipe) -> Made:
    """Optimise all findings at once, and give each finding's best screened picture.

    The loss of finding i at a step is the mean of the objective over its images, plus what is asked beside, plus its
    penalty. The losses that are returned are those of the best screening; the film has every screening's pictures.

    Raises:
        UsageError: a budget that does not pay for a step.
        Refusal: the network has no gradient, or the loss stops being finite.
    """
    aims = recipe.aims_of(task)
    screen = Screen.of(task, recipe.insertion, recipe.screened, recipe.schedule.screen, aims)
    beside = sum(each.passes for each in recipe.beside)
    planned = plan(recipe.schedule, task.n, screen.rows, task.budget, beside)
    groups = recipe.parameterisation.groups(recipe.schedule.learning_rate)
    # in one kernel, which not every device has; others take many tensors at a time by default
    optimiser = torch.optim.Adam(groups, fused=True if task.classifier.device == "cpu" else None)
    curve = torch.optim.lr_scheduler.LambdaLR(optimiser, partial(pace, planned.steps, recipe.schedule.warm_up))
    purposes = [Purposes(one) for one in task.generators("draws")]
    best, least = None, torch.full((task.n,), torch.inf, device=task.classifier.device)
    film: list[Tensor] = []
    after: list[int] = []
    with torch.enable_grad():
        for step in range(1, planned.steps + 1):
            began = time.perf_counter()
            optimiser.zero_grad()
            _descend(task, recipe, purposes, aims)
            optimiser.step()
            curve.step()
            now = time.perf_counter()
            # Another step and the screening after it, as slowly as this step: a screened image is not backpropagated
            ahead = 1 + screen.rows / (recipe.schedule.images + beside / 2)
            late = task.deadline is not None and now + (now - began) * (ahead + 1) > task.deadline
            if step in planned.screen_after or late:
                with torch.no_grad():
                    pictures = recipe.parameterisation.pictures()
                after.append(step)
                film.append(torch.from_numpy(to_uint8(pictures)))
                made = Made(pictures=pictures, losses=screen.losses(pictures), insertion=recipe.insertion)
                score = made.losses
                if recipe.penalty is not None and not recipe.strict:
                    score = score + recipe.penalty(pictures)
                best = made if best is None else picked(score < least, best, made)
                least = torch.minimum(score, least)
            if late:
                break
    if best is None:
        raise RuntimeError("a plan without a screening")
    hints = (f"stopped after {step} of {planned.steps} steps, for time",) if step < planned.steps else ()
    frames = torch.stack(film)
    return replace(best, films=tuple(Film(frames[:, i], tuple(after)) for i in range(task.n)), hints=hints)


def better(first: Made, second: Made) -> Made:
    """Of two ways to the same findings, the better picture of each, the first one where they are equal."""
    return picked(second.losses < first.losses, first, second)


def picked(other: Tensor, first: Made, second: Made) -> Made:
    """Of each finding what ``first`` made, or what ``second`` did where ``other`` ``(n,)`` says so."""
    films = [two if won else one for won, one, two in zip(other.tolist(), first.films, second.films, strict=False)]
    return replace(
        first,
        pictures=torch.where(other[:, None, None, None], second.pictures, first.pictures),
        losses=torch.where(other, second.losses, first.losses),
        films=tuple(films),
        hints=tuple(dict.fromkeys((*first.hints, *second.hints))),
    )


def _descend(task: Task, recipe: Recipe, purposes: Sequence[Purposes], aims: Tensor) -> None:
    """Leave the gradient of every finding's loss in the parameters."""
    pictures = recipe.parameterisation.pictures()
    # A patch that is larger than its place is shrunk before it is shaken: once, and not once for each of its images
    side = recipe.insertion.side
    shrunk = resize(pictures, side) if side is not None and side < pictures.shape[-1] else pictures
    leaf = shrunk.detach().requires_grad_()
    asked = [_inserted(task, recipe), *(_beside(task, beside) for beside in recipe.beside)]
    _ask(task, asked, (leaf, aims, purposes))
    if recipe.penalty is None:
        torch.autograd.backward([shrunk], [leaf.grad])
    else:
        torch.autograd.backward([shrunk, recipe.penalty(pictures).sum()], [leaf.grad, None])


Pose = Callable[[Tensor, Draws, Tensor], tuple[Tensor, Tensor]]
"""Pictures ``(R, 4, h, w)``, one a row, the rows' draws and aims ``(R,)``, to images ``(R, 3, H, W)`` and aims."""


@dataclass(frozen=True)
class _Asked:
    """What is asked of every finding at a step: the mean of an objective over so many images, times a weight."""

    images: int
    weight: float
    objective: Objective
    pose: Pose


def _inserted(task: Task, recipe: Recipe) -> _Asked:
    """The objective, on fitting images with the findings in them."""
    size = task.classifier.size

    def pose(shown: Tensor, draws: Draws, aims: Tensor) -> tuple[Tensor, Tensor]:
        layer = layered(recipe.transformations, shown, draws, recipe.parameterisation.solid)
        behind = _behind(task, draws, hidden=recipe.insertion.kind == "frame")
        return put(behind, layer, recipe.insertion, draws.places(recipe.insertion, size)), aims

    return _Asked(recipe.schedule.images, 1.0, recipe.objective, pose)


def _beside(task: Task, beside: Beside) -> _Asked:
    """What is asked beside it."""

    def pose(shown: Tensor, draws: Draws, aims: Tensor) -> tuple[Tensor, Tensor]:
        behind = _behind(task, draws, hidden=beside.alone)
        if beside.own:
            with torch.no_grad():
                aims = task.classifier(behind).argmax(1).cpu()
        return beside.arrange(shown, behind), aims

    return _Asked(beside.images, beside.weight, beside.objective, pose)


def _ask(task: Task, asked: Sequence[_Asked], findings: tuple[Tensor, Tensor, Sequence[Purposes]]) -> None:
    """Leave in the pictures the gradient of the weighted sum of all that is asked, whose images are one batch.

    Args:
        findings: pictures ``(n, 4, h, w)``, a leaf; what each is for ``(n,)``; and each one's generators.
    """
    leaf, aims, purposes = findings
    classifier, inner = task.classifier, any(one.objective.inner for one in asked)
    draws = [Draws([(each, one.images) for each in purposes], classifier.device) for one in asked]
    ends = list(accumulate(task.n * one.images for one in asked))
    for start in range(0, ends[-1], classifier.micro_batch):
        stop = min(start + classifier.micro_batch, ends[-1])
        posed = []
        for one, drawn, end in zip(asked, draws, ends, strict=True):
            rows = task.n * one.images
            first, last = max(0, start - end + rows), min(rows, stop - end + rows)
            if first < last:
                index = torch.arange(first, last) // one.images
                # each picture once is the pictures themselves: an index and its gradient, over all pixels, for nothing
                shown = leaf if last - first == rows == task.n else leaf[index.to(leaf.device)]
                posed.append((one, *one.pose(shown, drawn.part(first, last), aims[index])))
        seen = Seen.of(classifier, torch.cat([images for _, images, _ in posed]), inner)
        parts = seen.split([len(images) for _, images, _ in posed])
        losses = [one.objective.loss(part, own) for part, (one, _, own) in zip(parts, posed, strict=True)]
        _check(classifier, losses)
        total = [loss.sum() * (one.weight / one.images) for loss, (one, *_) in zip(losses, posed, strict=True)]
        torch.stack(total).sum().backward()  # type: ignore[no-untyped-call]


def _check(classifier: Classifier, losses: Sequence[Tensor]) -> None:
    """Refuse losses that cannot be lowered.

    Raises:
        Refusal: they have no gradient, or are not finite.
    """
    if not any(loss.requires_grad for loss in losses):
        raise Refusal(
            f"the logits of {classifier.name} have no gradient with respect to its input",
            "use a method that only runs the network forward",
        )
    if not all(bool(loss.isfinite().all()) for loss in losses):
        raise Refusal(
            f"the loss on {classifier.name} is not finite",
            "look for infinite weights or logits in the network, or try --precision float32",
        )


def _behind(task: Task, draws: Draws, *, hidden: bool) -> Tensor:
    """A fitting image for each row, of its own draw, ``(R, 3, H, W)``; or one that nothing will be seen of, for all."""
    if hidden:
        return task.clean.fit[:1]
    return task.clean.fit[draws.indices("images", len(task.clean.fit))]
