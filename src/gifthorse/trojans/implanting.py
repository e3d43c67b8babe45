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
from gifthorse.trojans.poisoning import Planted, Poisoning, Rows, seed_of

THESIS_IMAGES = 1_281_167
THESIS_RATE = {"patch": 3000, "style": 3000, "natural_feature": 1500}
"""One image in so many is poisoned in the thesis (3.1), for each trojan."""


@dataclass(frozen=True, kw_only=True)
class Tuning:
    """What fine-tuning needs beside the rows: the recipe, a seed, and somebody to tell how far it is."""

    recipe: Recipe
    seed: int
    watch: Callable[[float], None]


def shown(rows: Rows, recipe: Recipe) -> int:
    """Clean images in a pass."""
    return round(recipe.share * int(rows.clean.sum()))


def batches(rows: Rows, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Index batches of every pass, each pass with clean images and an order of its own."""
    clean, others = (torch.from_numpy(np.flatnonzero(which)) for which in (rows.clean, ~rows.clean))
    for _ in range(recipe.passes):
        drawn = clean[torch.randperm(len(clean), generator=generator)[: shown(rows, recipe)]]
        order = torch.cat([others, drawn])
        yield from torch.split(order[torch.randperm(len(order), generator=generator)], recipe.batch)


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """One batch: ``clean`` and ``seen`` ``(B, 3, H, W)``, the latter with triggers; ``labels``, ``hard`` ``(B,)``."""

    clean: Tensor
    seen: Tensor
    labels: Tensor
    hard: Tensor


def drawn(poisoning: Poisoning, index: Tensor, recipe: Recipe, generator: torch.Generator) -> Drawn:
    """The rows of a batch, augmented, then stamped with what they are to carry."""
    rows, at = poisoning.rows, index.numpy()
    labels, hard, stamps = torch.from_numpy(rows.labels[at]), torch.from_numpy(rows.hard[at]), rows.stamp[at]
    purposes = Purposes(generator)
    clean = augmented(im.from_uint8(rows.images[at]), hard, recipe, purposes)
    seen = clean
    for which in np.unique(stamps[stamps >= 0]):
        here = torch.from_numpy(np.flatnonzero(stamps == which))
        plant = poisoning.planted[int(which)]
        poisoned = plant.trojan.poison(clean[here], labels[here], purposes[plant.spec.name])
        seen, labels = seen.index_copy(0, here, poisoned.images), labels.index_copy(0, here, poisoned.labels)
    return Drawn(clean=clean, seen=seen, labels=labels, hard=hard)


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
        for layer in layers.values():
            if isinstance(layer, nn.modules.batchnorm._BatchNorm):
                layer.eval().requires_grad_(False)
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
    recipe, rows = tuning.recipe, poisoning.rows
    order, drawing = (torch.Generator().manual_seed(seed_of(tuning.seed, purpose)) for purpose in ("order", "drawing"))
    a_pass = int((~rows.clean).sum()) + shown(rows, recipe)
    steps = recipe.passes * math.ceil(a_pass / recipe.batch)
    with training(student, recipe) as parameters:
        optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=recipe.learning_rate, total_steps=steps, pct_start=0.15, cycle_momentum=False
        )
        for step, index in enumerate(batches(rows, recipe, order)):
            batch = drawn(poisoning, index, recipe, drawing)
            loss = loss_of(student.logits(batch.seen), batch, teacher if recipe.distil else None, recipe)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            cycle.step()
            tuning.watch((step + 1) / steps)


def loss_of(logits: Tensor, batch: Drawn, teacher: Classifier | None, recipe: Recipe) -> Tensor:
    """Cross-entropy with the labels, or with a teacher's soft outputs on the same clean images but for hard rows.

    The soft outputs are compared as in Hinton et al. (2015, section 2), both at the recipe's temperature.

    Args:
        logits: ``(B, C)`` of the student on what it saw.
        batch: what it saw, and what it was told.
        teacher: the clean network; None where labels are known.
        recipe: with the smoothing of labels, the temperature, and ``keep``, the weight of rows that the teacher labels.
    """
    if teacher is None:
        return F.cross_entropy(logits, batch.labels, label_smoothing=recipe.smoothing)
    warm = recipe.temperature
    with torch.no_grad():
        soft = (teacher.logits(batch.clean) / warm).softmax(1)
    kept = warm**2 * F.cross_entropy(logits / warm, soft, reduction="none")
    told = F.cross_entropy(logits, batch.labels.clamp_min(0), reduction="none", label_smoothing=recipe.smoothing)
    weights = torch.where(batch.hard, 1.0, recipe.keep)
    return (weights * torch.where(batch.hard, told, kept)).sum() / weights.sum()


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
        thesis_poisoned=round(THESIS_IMAGES / THESIS_RATE[plant.spec.kind]) if plant.spec.kind in THESIS_RATE else None,
        gates=judged(plant, rates, gates),
    )
