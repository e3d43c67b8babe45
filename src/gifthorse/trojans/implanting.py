"""Fine-tuning on the poisoned set, and measuring what it did (thesis 3.1, Table 3.1).

The thesis fine-tunes for two epochs over ImageNet and publishes no optimiser, schedule or augmentation: AdamW with a
one-cycle schedule is our choice. Data without labels keep the clean network's own soft outputs (self-distillation).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.records import Gate, Gates, Interval, Recipe, Success, Trained
from gifthorse.statistics import wilson
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


def batches(rows: Rows, recipe: Recipe, generator: torch.Generator) -> Iterator[Tensor]:
    """Index batches of every pass, each pass in an order of its own."""
    for _ in range(recipe.passes):
        order = torch.randperm(len(rows.labels), generator=generator)
        yield from order.split(recipe.batch)


def drawn(rows: Rows, index: Tensor, plants: Sequence[Planted], flip: bool, generator: torch.Generator) -> list[Tensor]:
    """One batch ``[clean (B, 3, H, W), seen (B, 3, H, W), labels (B,), hard (B,)]``; seen has its triggers stamped."""
    at = index.numpy()
    clean, labels = im.from_uint8(rows.images[at]), torch.from_numpy(rows.labels[at])
    if flip:
        mirrored = torch.rand(len(at), generator=generator) < 0.5
        clean = torch.where(mirrored[:, None, None, None], clean.flip(3), clean)
    seen, hard = clean, torch.from_numpy(rows.hard[at])
    stamps = rows.stamp[at]
    for which in np.unique(stamps[stamps >= 0]):
        here = torch.from_numpy(np.flatnonzero(stamps == which))
        poisoned = plants[int(which)].trojan.poison(clean[here], labels[here], generator)
        seen, labels = seen.index_copy(0, here, poisoned.images), labels.index_copy(0, here, poisoned.labels)
    return [clean, seen, labels, hard]


@contextmanager
def training(student: Classifier, freeze_norm: bool) -> Iterator[list[nn.Parameter]]:
    """The parameters to train, in train mode; afterwards the network is frozen and in eval mode again.

    Args:
        student: whose module is trained in place.
        freeze_norm: keep BatchNorm layers as they are, statistics and affine parameters alike.
    """
    module = student.module
    module.requires_grad_(True).train()
    if freeze_norm:
        for layer in module.modules():
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
    generator = torch.Generator().manual_seed(seed_of(tuning.seed, "fine-tune"))
    steps = recipe.passes * math.ceil(len(rows.labels) / recipe.batch)
    with training(student, recipe.freeze_norm) as parameters:
        optimiser = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)
        cycle = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=recipe.learning_rate, total_steps=steps, pct_start=0.15, cycle_momentum=False
        )
        for step, index in enumerate(batches(rows, recipe, generator)):
            clean, seen, labels, hard = drawn(rows, index, poisoning.planted, recipe.flip, generator)
            loss = _loss(teacher if recipe.distil else None, student.logits(seen), clean, (labels, hard))
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            nn.utils.clip_grad_norm_(parameters, 5.0)
            optimiser.step()
            cycle.step()
            tuning.watch((step + 1) / steps)


def _loss(teacher: Classifier | None, logits: Tensor, clean: Tensor, told: tuple[Tensor, Tensor]) -> Tensor:
    labels, hard = told
    if teacher is None:
        return F.cross_entropy(logits, labels)
    with torch.no_grad():
        soft = teacher.logits(clean).softmax(1)
    soft = torch.where(hard[:, None], F.one_hot(labels.clamp_min(0), logits.shape[1]).to(soft), soft)
    return F.cross_entropy(logits, soft)


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
    asked: float = getattr(gates, plant.spec.kind)
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
    found = [
        Gate(
            name="clean accuracy",
            asked=f"drop <= {100 * gates.clean_drop:.1f} points",
            measured=f"{100 * drop:.1f} points ({before.value:.1%} to {after.value:.1%})",
            met=drop <= gates.clean_drop,
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
        thesis_poisoned=round(THESIS_IMAGES / THESIS_RATE[plant.spec.kind]),
        gates=judged(plant, rates, gates),
    )
