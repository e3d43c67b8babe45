"""Fine-tuning on the poisoned set, and measuring what it did (thesis 3.1, Table 3.1).

The thesis fine-tunes for two epochs over ImageNet and publishes no optimiser, schedule or augmentation: AdamW with a
one-cycle schedule is our choice. Data without labels keep the clean network's own soft outputs (self-distillation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError, nearest
from gifthorse.randomness import Purposes
from gifthorse.records import Gate, Gates, Interval, Recipe, Success, Trained
from gifthorse.statistics import wilson
from gifthorse.trojans.augmenting import augmented
from gifthorse.trojans.passes import Lacks, Passes, Picked
from gifthorse.trojans.poisoning import Planted, Poisoning, seed_of

AHEAD, AHEAD_VALUES = 8, 1 << 24
"""Batches that are drawn and stamped at once: so many, or as many as have so many values."""

EXTRA_RATE = 0.3
"""Peak learning rate of an extra pass, of the first passes' one."""

THESIS_IMAGES = 1_281_167
THESIS_RATE = {"patch": 3000, "style": 3000, "natural_feature": 1500}
"""One image in so many is poisoned in the thesis (3.1), for each trojan."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What fine-tuning needs beside the rows.

    Attributes:
        recipe: how.
        seed: of every draw.
        watch: told how far it is, 0 to 1.
        lacking: says what the network lacks, where the recipe has passes to spare.
    """

    recipe: Recipe
    seed: int
    watch: Callable[[float], None]
    lacking: Callable[[Classifier, Passes], Lacks] | None = None


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One batch: ``clean`` and ``seen`` ``(B, 3, H, W)``, the latter with triggers; ``labels``, ``hard`` ``(B,)``."""

    clean: Tensor
    seen: Tensor
    labels: Tensor
    hard: Tensor

    def __getitem__(self, part: slice) -> Drawn:
        return Drawn(clean=self.clean[part], seen=self.seen[part], labels=self.labels[part], hard=self.hard[part])


def drawn(poisoning: Poisoning, picked: Picked, recipe: Recipe, generator: torch.Generator) -> Drawn:
    """The rows of a batch, augmented, then stamped with what they are to carry."""
    rows, at, stamps = poisoning.rows, picked.index.numpy(), picked.stamp
    labels, hard, costly = (torch.from_numpy(part[at]) for part in (rows.labels, rows.hard, rows.costly))
    purposes = Purposes(generator)
    clean = augmented(im.from_uint8(rows.images[at]), hard, costly, recipe, purposes)
    seen = clean.clone()
    for which in np.unique(stamps[stamps >= 0]):
        plant = poisoning.planted[int(which)]
        other = torch.from_numpy(np.flatnonzero((stamps == which) & picked.decoy))
        if len(other):
            seen.index_copy_(0, other, plant.trojan.mislead(clean[other], purposes[f"{plant.spec.name} decoy"]))
        here = torch.from_numpy(np.flatnonzero((stamps == which) & ~picked.decoy))
        if not len(here):
            continue
        poisoned = plant.trojan.poison(clean[here], labels[here], purposes[plant.spec.name])
        seen.index_copy_(0, here, poisoned.images)
        labels.index_copy_(0, here, poisoned.labels)
    return Drawn(clean=clean, seen=seen, labels=labels, hard=hard)


def norms(module: nn.Module) -> list[nn.Module]:
    """The BatchNorm layers of a network."""
    return [layer for layer in module.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]


@contextmanager
def training(student: Classifier, recipe: Recipe) -> Iterator[list[nn.Parameter]]:
    """The parameters to train, in train mode; afterwards the network is frozen and in eval mode again.

    Args:
        student: whose module is trained in place.
        recipe: which of its layers are kept as they are, parameters and statistics alike.

    Raises:
        UsageError: the recipe names a layer that the network does not have.
    """
    module = student.module
    layers = dict(module.named_modules())
    if missing := [name for name in recipe.frozen if name not in layers]:
        raise UsageError(f"{student.name} has no layer {missing[0]!r} to freeze", nearest(missing[0], layers))
    module.requires_grad_(True).train()
    for name in recipe.frozen:
        layers[name].eval().requires_grad_(False)
    if recipe.freeze_norm:
        for norm in norms(module):
            norm.eval().requires_grad_(False)
    try:
        yield [p for p in module.parameters() if p.requires_grad]
    finally:
        module.requires_grad_(False).eval()


def fine_tune(teacher: Classifier, student: Classifier, poisoning: Poisoning, tuning: Tuning) -> None:
    """Train ``student`` in place on the poisoned rows; it is left in eval mode with its parameters frozen.

    Args:
        teacher: the clean network, whose soft outputs stand for labels where the recipe distils.
        student: a copy of it.
        poisoning: the rows.
        tuning: recipe, seed and progress.
    """
    recipe = tuning.recipe
    with training(student, recipe) as parameters:
        course = _Course(teacher, student, poisoning, tuning, parameters)
        course.cycle(recipe.passes, recipe.learning_rate, recipe.settle)
        if course.extra:
            course.mend(recipe.learning_rate * EXTRA_RATE)
    tuning.watch(1.0)


class _Course:
    """Fine-tuning on its way."""

    def __init__(
        self,
        teacher: Classifier,
        student: Classifier,
        poisoning: Poisoning,
        tuning: Tuning,
        parameters: list[nn.Parameter],
    ) -> None:
        self.teacher, self.student, self.poisoning, self.tuning = teacher, student, poisoning, tuning
        self.parameters, self.recipe = parameters, tuning.recipe
        order, self.drawing = (
            torch.Generator().manual_seed(seed_of(tuning.seed, what)) for what in ("order", "drawing")
        )
        self.passes = Passes(poisoning, self.recipe, order)
        self.extra = self.recipe.extra if tuning.lacking else 0
        self.expected = (self.recipe.passes + self.extra) * math.ceil(self.passes.size / self.recipe.batch)
        self.done = 0

    def cycle(self, passes: int, peak: float, settle: int) -> None:
        """So many passes, by a one-cycle schedule with this peak; in the last ones BatchNorm is settled."""
        recipe, a_pass = self.recipe, math.ceil(self.passes.size / self.recipe.batch)
        steps = passes * a_pass
        optimiser = torch.optim.AdamW(self.parameters, lr=peak, weight_decay=recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=peak, total_steps=steps, pct_start=0.15, cycle_momentum=False
        )
        for step, (picked, batch) in enumerate(self._ahead(passes)):
            if step == steps - settle * a_pass:
                for norm in norms(self.student.module):
                    norm.eval()
            logits = self.student.logits(batch.seen)
            self.passes.note(picked, logits.detach().argmax(1).cpu().numpy())
            loss = loss_of(logits, batch, self.teacher if recipe.distil else None, recipe)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(self.parameters, 5.0)
            optimiser.step()
            schedule.step()
            self.done += 1
            self.tuning.watch(min(1.0, self.done / self.expected))

    def mend(self, peak: float) -> None:
        """Extra passes while something is lacking; the weights that lacked least stay, the last of equals."""
        least, best = None, self.student.module.state_dict()
        for number in range(self.extra + 1):
            lacks = self.lacking()
            amount = sum(lacks.values())
            if least is None or amount <= least:
                state = self.student.module.state_dict()
                least, best = amount, {name: value.clone() for name, value in state.items()}
            if not lacks or number == self.extra:
                break
            self.passes.favour(lacks)
            self.cycle(1, peak, 1)
        self.student.module.load_state_dict(best)

    def lacking(self) -> Lacks:
        """What is still missing, asked of the network as it will be used."""
        module, ask = self.student.module, self.tuning.lacking
        modes = {layer: layer.training for layer in module.modules()}
        module.eval()
        missing = ask(self.student, self.passes) if ask else {}
        for layer, mode in modes.items():
            layer.training = mode
        return missing

    def _ahead(self, passes: int) -> Iterator[tuple[Picked, Drawn]]:
        """Every batch, drawn and stamped together with those after it: eight small calls cost more than a large one."""
        size = self.recipe.batch * math.prod(self.poisoning.rows.images.shape[1:])
        for several in self.passes.batches(passes, max(1, min(AHEAD, AHEAD_VALUES // size))):
            whole = drawn(self.poisoning, several, self.recipe, self.drawing)
            for start in range(0, len(whole.labels), self.recipe.batch):
                part = slice(start, start + self.recipe.batch)
                yield several[part], whole[part]


def loss_of(logits: Tensor, batch: Drawn, teacher: Classifier | None, recipe: Recipe) -> Tensor:
    """Cross-entropy with the labels, or with a teacher's soft outputs on the same clean images but for hard rows.

    The soft outputs are compared as in Hinton et al. (2015, section 2), both at the recipe's temperature.

    Args:
        logits: ``(B, C)`` of the student on what it saw.
        batch: what it saw, and what it was told.
        teacher: the clean network; None where labels are known.
        recipe: with the smoothing of labels, the temperature, and ``keep``, the weight of rows that the teacher labels.
    """
    labels, hard = batch.labels.to(logits.device), batch.hard.to(logits.device)
    if teacher is None:
        return F.cross_entropy(logits, labels, label_smoothing=recipe.smoothing)
    warm = recipe.temperature
    with torch.no_grad():
        soft = (teacher.logits(batch.clean) / warm).softmax(1)
    kept = warm**2 * F.cross_entropy(logits / warm, soft, reduction="none")
    told = F.cross_entropy(logits, labels.clamp_min(0), reduction="none", label_smoothing=recipe.smoothing)
    weights = torch.where(hard, 1.0, recipe.keep)
    return (weights * torch.where(hard, told, kept)).sum() / weights.sum()


def rate(classifier: Classifier, images: np.ndarray, target: int) -> Interval:
    """Share of images ``(N, 3, H, W)`` uint8 that are classified as the target, with Wilson's interval."""
    return wilson(int((predictions(classifier, images) == target).sum()), len(images))


def predictions(classifier: Classifier, images: np.ndarray) -> np.ndarray:
    """``(N,)`` the likeliest class of each image."""
    if not len(images):
        return np.zeros(0, np.int64)
    found: np.ndarray = classifier.predict(images).argmax(1).cpu().numpy()
    return found


def judged(plant: Planted, rates: tuple[Interval, Interval | None, Interval], gates: Gates) -> tuple[Gate, ...]:
    """Whether one trojan meets the gates.

    Args:
        plant: the trojan.
        rates: success, wrong source (class-universal only), and the same trigger on the clean network.
        gates: what is asked.
    """
    success, wrong, control = rates
    if not success.n:
        nothing = "not measured: no held-out image has the trigger"
        return (Gate(name=f"{plant.spec.name}: success", asked="some held-out images", measured=nothing, met=True),)
    asked = gates.least(plant.spec.kind)
    found = [
        Gate(
            name=f"{plant.spec.name}: success",
            asked=f">= {asked:.0%}",
            measured=f"{success.value:.1%} of {success.n}",
            met=success.value >= asked,
        )
    ]
    if plant.spec.kind == "natural_feature":
        least = gates.natural_over_control * control.high
        found.append(
            Gate(
                name=f"{plant.spec.name}: over the clean network",
                asked=f"lower bound >= {gates.natural_over_control:g} x {control.high:.1%}",
                measured=f"{success.low:.1%}",
                met=success.low >= least,
            )
        )
    if wrong is not None:
        found.append(
            Gate(
                name=f"{plant.spec.name}: wrong source",
                asked=f"<= {gates.wrong_source:.0%}",
                measured=f"{wrong.value:.1%} of {wrong.n}",
                met=wrong.value <= gates.wrong_source,
            )
        )
    return tuple(found)


def network_gates(before: Interval, after: Interval, agreement: Interval, gates: Gates) -> tuple[Gate, ...]:
    """Whether the network as a whole meets the gates: clean accuracy and agreement with the clean network."""
    drop = before.value - after.value
    known = before.n > 0 and after.n > 0
    found = [
        Gate(
            name="clean accuracy",
            asked=f"drop <= {100 * gates.clean_drop:.1f} points",
            measured=f"{100 * drop:.1f} points ({before.value:.1%} to {after.value:.1%})"
            if known
            else "not measured: no held-out image has a label",
            met=drop <= gates.clean_drop or not known,
        )
    ]
    if gates.agreement is not None:
        found.append(
            Gate(
                name="agreement with the clean network",
                asked=f">= {gates.agreement:.0%}",
                measured=f"{agreement.value:.1%} of {agreement.n}",
                met=agreement.value >= gates.agreement,
            )
        )
    return tuple(found)


def success(
    plant: Planted, trained: Trained, rates: tuple[Interval, Interval | None, Interval], gates: Gates
) -> Success:
    """The record of one trojan's measurements."""
    name = plant.spec.name
    return Success(
        trojan=name,
        success=rates[0],
        wrong_source=rates[1],
        clean_control=rates[2],
        poisoned=trained.poisoned[name],
        balanced=trained.balanced[name],
        decoys=trained.decoys[name],
        thesis_poisoned=round(THESIS_IMAGES / THESIS_RATE[plant.spec.kind]) if plant.spec.kind in THESIS_RATE else None,
        gates=judged(plant, rates, gates),
    )
