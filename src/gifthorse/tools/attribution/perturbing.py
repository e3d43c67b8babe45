"""Perturbed images in full batches: what occlusion, ablation, permutation, LIME and the Shapley methods run on.

A method states a :class:`Plan` for each image, and :func:`outputs` runs all plans as one stream of rows: a batch may
end one image and begin the next, and is never larger than ``explained.batch``. Rows are made when their batch is, into
one buffer that every batch uses again: whatever the number of samples, there are as many perturbed images in memory as
one batch has. Nothing needs a gradient, so the network runs under ``torch.inference_mode``; in float32, but where
:meth:`~gifthorse.classifier.Classifier.perturbing_in` says bfloat16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from gifthorse.errors import Refusal
from gifthorse.tools.attribution.base import Explained
from gifthorse.tools.attribution.features import Parts

About = TypeVar("About")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one image is perturbed, row by row.

    Attributes:
        rows: perturbed images.
        make: row indices ``(b,)`` int64 on the CPU to what is kept, ``(b, H, W)`` bool, and to what stands where
            nothing is kept, ``(b or 1, 3, H, W)`` in [0, 1]; both on the image's device.
    """

    rows: int
    make: Callable[[Tensor], tuple[Tensor, Tensor]]


def coalitions(parts: Parts, rows: int, kept: Callable[[Tensor], Tensor], cover: Tensor) -> Plan:
    """A plan whose rows keep some features of an image.

    Args:
        parts: the image's F features.
        rows: how many.
        kept: row indices ``(b,)`` to the features that stay, ``(b, F)`` bool on the CPU.
        cover: what stands where a feature is hidden, ``(1, 3, H, W)``.
    """

    def make(chosen: Tensor) -> tuple[Tensor, Tensor]:
        mask = kept(chosen).to(parts.of.device).index_select(1, parts.of.flatten())
        return mask.view(-1, *parts.of.shape), cover

    return Plan(rows=rows, make=make)


def outputs(explained: Explained, plans: Iterable[tuple[Plan, About]]) -> Iterator[tuple[Tensor, About]]:
    """The target's logit for every row of every plan, one image after the other.

    Plans are asked for only when their image is next and forgotten when its last row has run, so that no more of them
    are in memory than a batch reaches over.

    Args:
        explained: images, targets and the batch.
        plans: one an image, in the order of the images, with what the method reads the logits by.

    Yields:
        Logits ``(rows,)`` float64 on the CPU, and what came with the plan.

    Raises:
        Refusal: a logit is not finite.
    """
    batch, waiting = _Batch(explained), list[tuple[Tensor, About]]()
    for index, (plan, about) in enumerate(plans):
        waiting.append((torch.empty(plan.rows, dtype=torch.float64), about))
        start = 0
        while start < plan.rows:
            start += batch.take(index, plan, start, waiting[-1][0])
            if batch.full:
                batch.run()
                done = len(waiting) if start == plan.rows else len(waiting) - 1
                yield from waiting[:done]
                del waiting[:done]
    batch.run()
    yield from waiting


class _Batch:
    """The one buffer, and for each stretch of rows in it where their logits belong."""

    def __init__(self, explained: Explained) -> None:
        self._explained = explained
        shape = (explained.batch, *explained.images.shape[1:])
        images = explained.images
        self._buffer = torch.empty(shape, device=images.device, memory_format=torch.channels_last)
        self._images = images.contiguous(memory_format=torch.channels_last)
        self._stretches: list[tuple[int, Tensor]] = []
        self._used = 0

    @property
    def full(self) -> bool:
        return self._used == len(self._buffer)

    def take(self, index: int, plan: Plan, start: int, results: Tensor) -> int:
        """Makes rows of a plan from ``start`` on, as many as there is room for, and says how many that were."""
        count = min(plan.rows - start, len(self._buffer) - self._used)
        kept, cover = plan.make(torch.arange(start, start + count))
        place = self._buffer[self._used : self._used + count]
        torch.where(kept[:, None], self._images[index], cover, out=place)
        self._stretches.append((index, results[start : start + count]))
        self._used += count
        return count

    def run(self) -> None:
        """Sends what is in the buffer through the network and empties it."""
        if not self._used:
            return
        classifier, targets = self._explained.classifier, self._explained.targets
        owners = [len(place) for _, place in self._stretches]
        chosen = targets[[index for index, _ in self._stretches]].repeat_interleave(
            torch.tensor(owners, device=targets.device)
        )
        with torch.inference_mode():
            logits = classifier.perturbed(self._buffer[: self._used])
            found = logits.gather(1, chosen[:, None])[:, 0].double().cpu()
            for (_, place), part in zip(self._stretches, torch.split(found, owners), strict=True):
                place.copy_(part)
        self._stretches, self._used = [], 0
        if not bool(found.isfinite().all()):
            raise Refusal(
                f"the logits of {classifier.name} are not finite for a perturbed image",
                "look for infinite weights or logits in the network, or try --precision float32",
            )
