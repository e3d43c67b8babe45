"""Natural patches by what a network makes of synthetic ones: the steps of SNAFUE, which experiments take one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import UsageError
from gifthorse.images import from_uint8, opaque, over, resize
from gifthorse.records import Insertion
from gifthorse.tools.synthesis.base import Task
from gifthorse.tools.synthesis.engine import Screen
from gifthorse.tools.synthesis.objectives import Objective
from gifthorse.zoo.candidates import Candidates

confidence = Objective(
    "minus the target's probability",
    lambda seen, aims: -seen.logits.softmax(1).gather(1, aims[:, None].to(seen.logits.device))[:, 0],
)

SMALL = 1e-6
"""Added to a mean that a spread is divided by."""

SEEN = 256
"""Patches that are looked at by themselves at once."""


@dataclass(frozen=True, kw_only=True)
class Synthetic:
    """Synthetic patches, as a search for natural ones sees them.

    Attributes:
        looks: ``(M, L)`` float64, what the penultimate layer makes of each by itself; not negative.
        gains: ``(M,)`` mean increase of the target's probability, up to a number that is the same for all.
    """

    looks: np.ndarray
    gains: Tensor

    @classmethod
    def of(cls, task: Task, pictures: Tensor, insertion: Insertion, screen: int) -> Synthetic:
        """Of pictures ``(M, 4, h, w)``, tried out on ``screen`` of the task's screening images."""
        with torch.no_grad():
            tried = gains(task, pictures, insertion, screen)
            looks = task.classifier.penultimate(by_itself(pictures, task.classifier)).double().cpu().numpy()
        return cls(looks=looks, gains=tried)

    def first(self, count: int) -> Synthetic:
        """The first so many of them."""
        return Synthetic(looks=self.looks[:count], gains=self.gains[:count])


@dataclass(frozen=True, kw_only=True)
class Shortlist:
    """The natural patches of a pool that are nearest to synthetic ones, the nearest first.

    Attributes:
        ids: in the pool.
        pictures: ``(k, 4, side, side)`` in [0, 1].
        dropped: how many were passed over, since they show the target.
    """

    ids: tuple[str, ...]
    pictures: Tensor
    dropped: int


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """How natural patches are ranked, and which are out.

    Attributes:
        out: share of the classes, at least one, among whose likeliest the target must not be.
        faithful: as published: success weights scale embeddings, which cosine similarity does not see.
        looked: patches that are looked at by themselves for each that is wanted, since those that show the target are
            passed over.
    """

    out: float = 0.01
    faithful: bool = False
    looked: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.out < 1:
            raise UsageError(f"out is {self.out}", "above 0, below 1")


def shortlist(task: Task, candidates: Candidates, synthetic: Synthetic, most: int, how: Ranking) -> Shortlist:
    """At most ``most`` patches that do not show the target, of ``how.looked`` times as many."""
    asked, scales = weighted(synthetic.looks, synthetic.gains, how.faithful)
    kept = candidates.of(task.classifier)
    wide = how.looked * most
    ids = ranked(kept.search(asked, wide, device=task.classifier.device), scales)[:wide]
    pictures = opaque(from_uint8(candidates.pool.pictures(ids)).to(task.classifier.device))
    with torch.no_grad():
        free = without_target(task.classifier, task.target, pictures, how.out)
    place = free.nonzero()[:most, 0]
    last = int(place[-1]) + 1 if len(place) == most else len(ids)
    chosen = tuple(ids[k] for k in place.tolist())
    return Shortlist(ids=chosen, pictures=pictures[place], dropped=last - len(place))


def gains(task: Task, pictures: Tensor, insertion: Insertion, screen: int) -> Tensor:
    """Mean probability of the target with each picture ``(m, 4, h, w)`` at random places of ``screen`` screening
    images, ``(m,)``; what it is without is the same for all."""
    whole = replace(task, n=len(pictures))
    return -Screen.of(whole, insertion, confidence, screen).losses(pictures)


def without_target(classifier: Classifier, target: int, pictures: Tensor, out: float) -> Tensor:
    """Of pictures ``(m, 4, h, w)`` those that the classifier does not take for the target by themselves, ``(m,)``: it
    is not among the likeliest ``out`` of the classes, at least one."""
    logits = torch.cat([classifier(by_itself(part, classifier)) for part in torch.split(pictures, SEEN)])
    top = logits.topk(max(1, round(out * logits.shape[1])), 1).indices
    return ~(top == target).any(1)


def by_itself(pictures: Tensor, classifier: Classifier) -> Tensor:
    """Pictures ``(m, 4, h, w)`` as whole images of a classifier."""
    return over(resize(pictures, classifier.size)).clamp(0, 1)


def weighted(looks: np.ndarray, gains: Tensor, faithful: bool) -> tuple[np.ndarray, np.ndarray]:
    """Masked embeddings to search by, and what their similarities are multiplied by.

    Args:
        looks: ``(M, L)`` of the synthetic patches, not negative.
        gains: ``(M,)`` mean increase of the target's probability, up to a number that is the same for all.

    Returns:
        ``(m, L)``, without rows of no weight, and ``(m,)``.
    """
    mean = looks.mean(0)
    spread = looks.std(0, ddof=1) / (mean + SMALL) if len(looks) > 1 else np.zeros_like(mean)
    masked = looks * np.clip(1 - spread, 0, None)
    if not masked.any():
        masked = looks  # nothing is common to all
    told = gains.double().cpu().numpy()
    span = told.max() - told.min()
    scales = np.ones(len(told)) if faithful or span <= 0 else (told - told.min()) / span
    alive = (scales > 0) & masked.any(1)
    return masked[alive], scales[alive]


def ranked(found: Any, scales: np.ndarray) -> list[str]:
    """Ids by their highest weighted similarity to any of the queries, ties by id."""
    best: dict[str, float] = {}
    for names, values, scale in zip(found.ids, found.similarities, scales.tolist(), strict=True):
        for name, value in zip(names, values, strict=True):
            best[name] = max(best.get(name, -2.0), scale * value)
    return sorted(best, key=lambda name: (-best[name], name))
