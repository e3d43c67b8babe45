"""SNAFUE: natural patches that do to the network what synthetic adversaries do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gifthorse.errors import Refusal, UsageError
from gifthorse.images import from_uint8, opaque, over, resize
from gifthorse.records import Insertion
from gifthorse.registry import base, own_settings
from gifthorse.tools import TOOLS
from gifthorse.tools.base import check_positive
from gifthorse.tools.synthesis.base import Clean, Made, Synthesis, Task
from gifthorse.tools.synthesis.engine import Screen
from gifthorse.tools.synthesis.objectives import Objective
from gifthorse.tools.synthesis.patching import side_of
from gifthorse.zoo.candidates import Candidates

confidence = Objective(
    "minus the target's probability",
    lambda seen, aims: -seen.logits.softmax(1).gather(1, aims[:, None].to(seen.logits.device))[:, 0],
)

SMALL = 1e-6
"""Added to a mean that a spread is divided by."""


class Snafue(Synthesis):
    """Search for natural adversarial features using embeddings (thesis 5.2.1; Casper et al. 2022, "Diagnostics").

    Synthetic patches are made through a generator, without disguise; what the network's penultimate layer makes of them
    is compared with what it makes of very many natural patches; the natural ones nearest to any of them are tried out
    at random places of screening images, and the best are kept.

    Differs from the thesis in that the success weights act on similarities: they scale whole embeddings there, which
    cosine similarity does not see; and in that images for making, screening and reporting are three sets: there
    screening and reporting use the images that the patches were made on. ``faithful`` follows it in both (reporting
    is not the tool's). A patch is out if the target is among the top hundredth of its classes, at least one; there, ten
    of 1,000.

    Attributes:
        attack: the tool that makes synthetic patches, with settings of its own.
        synthetic: how many (thesis: 10).
        share: of the budget that goes into them.
        screened: natural patches that are tried out (thesis: 300), or as many as the budget pays for.
        screen: screening images for each (thesis: 50).
        out: share of the classes that the target must not be among.
        faithful: as published.
        side: of the patch in pixels; None is 18 of 64, 64 of 224.
    """

    needs = frozenset({"gradients", "clean_images"})
    prepares = ("generator", "disguise", "pool")

    attack: str = "rfla_perturb@real=0.0@sure=0.0@unlike=0.0"
    synthetic: int = 10
    share: float = 0.5
    screened: int = 300
    screen: int = 12
    out: float = 0.01
    faithful: bool = False
    side: int | None = None

    def __post_init__(self) -> None:
        check_positive(self, "synthetic", "screened", "screen", "side")
        for name in ("share", "out"):
            if not 0 < getattr(self, name) < 1:
                raise UsageError(f"{name} is {getattr(self, name)}", "above 0, below 1")
        made = TOOLS.load(base(self.attack))
        if not issubclass(made, Synthesis) or not set(made.prepares) < set(self.prepares):
            raise UsageError(
                f"{self.attack} makes no synthetic patches for snafue", "rfla_perturb, or adversarial_patch"
            )

    def _synthesise(self, task: Task) -> Made:
        made: Synthesis = TOOLS.make(base(self.attack), own_settings(self.attack))
        candidates: Candidates = task.assets["pool"]
        task.classifier.head_weight()  # refuses at once what has none
        insertion = Insertion(kind="patch", side=side_of(self, task))
        tried = replace(task, clean=Clean(fit=task.clean.fit, screen=task.clean.fit)) if self.faithful else task
        with task.classifier.counting() as passed:
            found = made._synthesise(replace(task, n=self.synthetic, budget=int(self.share * task.budget)))
            with torch.no_grad():
                gains = self._gains(tried, found.pictures, insertion)
                looks = task.classifier.penultimate(_alone(found.pictures, task)).double().cpu().numpy()
            kept = candidates.of(task.classifier)
            asked, scales = weighted(looks, gains, self.faithful)
            # twice as many as are tried out are seen by themselves, since those that show the target are passed over
            rows = min(self.screen, len(tried.clean.screen))
            most = min(self.screened, (task.budget - passed.passes) // (2 + rows))
            if most < task.n:
                raise UsageError(
                    f"a budget of {task.budget} passes leaves {max(0, most)} natural patches to try out for "
                    f"{task.n} findings",
                    "a larger budget, fewer findings, or fewer screening images",
                )
            ids = ranked(kept.search(asked, 2 * most, device=task.classifier.device), scales)[: 2 * most]
            seen = len(ids)
            pictures = opaque(from_uint8(candidates.pool.pictures(ids)).to(task.classifier.device))
            with torch.no_grad():
                free = self._free(task, pictures).nonzero()[:most, 0]
                pictures, ids = pictures[free], [ids[k] for k in free.tolist()]
                if len(pictures) < task.n:
                    raise Refusal(
                        f"{len(pictures)} of {seen} natural patches do not show the target", "a larger pool"
                    )
                scores = self._gains(tried, pictures, insertion)
        best = torch.argsort(scores, descending=True, stable=True)[: task.n]
        chosen = tuple(ids[k] for k in best.tolist())
        return Made(pictures=pictures[best], losses=-scores[best], insertion=insertion, sources=chosen)

    def _gains(self, task: Task, pictures: Tensor, insertion: Insertion) -> Tensor:
        """Mean probability of the target with each patch, ``(m,)``; what it is without is the same for all."""
        whole = replace(task, n=len(pictures))
        return -Screen.of(whole, insertion, confidence, self.screen).losses(pictures)

    def _free(self, task: Task, pictures: Tensor) -> Tensor:
        """Which patches the network does not take for the target by themselves."""
        logits = torch.cat([task.classifier(part) for part in torch.split(_alone(pictures, task), 256)])
        top = logits.topk(max(1, round(self.out * logits.shape[1])), 1).indices
        return ~(top == task.target).any(1)


def _alone(pictures: Tensor, task: Task) -> Tensor:
    return over(resize(pictures, task.classifier.size)).clamp(0, 1)


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
