"""The contract of attribution: images and a class in, one heat map an image out."""

from __future__ import annotations

import hashlib
import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, Refusal
from gifthorse.randomness import generator, undisturbed
from gifthorse.records import Cost
from gifthorse.tools.base import Tool, check_classifier


@dataclass(frozen=True, kw_only=True)
class Explained:
    """What an attribution method gets to work on.

    Attributes:
        images: ``(N, 3, H, W)`` in [0, 1], on the classifier's device.
        targets: ``(N,)`` int64, the explained logits.
        references: ``(M, 3, H, W)`` clean images, or None.
        generators: one an image, from the seed, the method and the image itself, so that a map depends neither on the
            batch nor on the other images or their order.
        batch: images that one pass may take.
        notes: what the method finds out beside its maps, for it to fill: see :attr:`Maps.notes`.
    """

    classifier: Classifier
    images: Tensor
    targets: Tensor
    references: Tensor | None
    generators: tuple[torch.Generator, ...]
    batch: int
    notes: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Maps:
    """One heat map an image: ``values`` ``(N, H, W)`` float32 on the CPU, raw (not normalised), high where it matters.

    A map may be constant (a blank floor, a network that does not react): it is returned as it is, with its index in
    ``constant``; judges do not score it and say how many there were.

    Attributes:
        notes: what the method found out beside its maps, by name, one number an image or one a pixel: steps that it
            took, how far the maps are from adding up to what they should (true or false: whether it stayed too far),
            their standard error. Evidence keeps them as hints.
    """

    values: Tensor
    settings: dict[str, Any]
    cost: Cost
    notes: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def hints(self) -> tuple[str, ...]:
        """The notes in words: how many, or smallest, mean and largest."""
        return tuple(_in_words(name, told) for name, told in self.notes.items() if told.numel())

    @property
    def constant(self) -> tuple[int, ...]:
        """Indices of maps that have one value everywhere."""
        flat = self.values.flatten(1)
        return tuple(torch.nonzero(flat.amax(1) == flat.amin(1)).flatten().tolist())


def _in_words(name: str, told: Tensor) -> str:
    if told.dtype == torch.bool:
        return f"{name}: {int(told.sum())} of {len(told)} images"
    return f"{name}: {float(told.min()):.3g} to {float(told.max()):.3g}, mean {float(told.mean()):.3g}"


class Attribution(Tool):
    """Explains why images get a logit: which pixels matter.

    Attributes:
        perturbs: whether it only runs perturbed images forward: where its maps stay as they are, in bfloat16 too.
        passes: forward and backward passes that an image takes, roughly, by a method that needs gradients: for those
            who wait.
    """

    perturbs: ClassVar[bool] = False
    passes: ClassVar[float] = 2.0

    @final
    def __call__(
        self,
        classifier: Classifier,
        images: Tensor,
        targets: int | Tensor,
        *,
        references: Tensor | None = None,
        seed: int = 0,
        batch: int | None = None,
    ) -> Maps:
        """One heat map for each image, in float32 whatever the classifier's precision (but see ``perturbs``).

        Args:
            images: ``(N, 3, H, W)`` in [0, 1].
            targets: class index whose logit is explained, one for all or ``(N,)``.
            references: clean images ``(M, 3, H, W)`` for baselines and pools, where the method takes some.
            seed: of every draw; deterministic methods ignore it.
            batch: images a pass; by default the classifier's ``micro_batch``, without gradients its ``forward_batch``.

        Raises:
            InputError: images, targets or references that are not what they should be.
            Refusal: the method cannot do this network.
        """
        check_classifier(classifier)
        classifier.checked(images)
        if references is not None:
            classifier.checked(references, "references")
        chosen = torch.as_tensor(targets).long().cpu().expand(len(images))
        if bool(((chosen < 0) | (chosen >= len(classifier.classes))).any()):
            raise InputError(
                f"targets reach from {int(chosen.min())} to {int(chosen.max())}",
                f"class indices of {classifier.name}: 0 to {len(classifier.classes) - 1}",
            )
        explained = Explained(
            classifier=classifier,
            images=images.detach().to(classifier.device, torch.float32),
            targets=chosen.to(classifier.device),
            references=None if references is None else references.detach().to(classifier.device, torch.float32),
            generators=tuple(generator(seed, type(self).__name__, _digest(image)) for image in images),
            batch=batch or (classifier.micro_batch if "gradients" in self.needs else classifier.forward_batch),
        )
        started = time.perf_counter()
        with undisturbed(seed), classifier.in_float32(), classifier.counting() as counter:
            values = self._explain(explained).detach().float().cpu()
        cost = Cost(seconds=time.perf_counter() - started, forward=counter.forward, backward=counter.backward)
        if values.shape != (len(images), *images.shape[-2:]):
            raise RuntimeError(f"{type(self).__name__} returned maps of shape {tuple(values.shape)}")
        if not bool(values.isfinite().all()):
            raise Refusal(
                f"{type(self).__name__} gave values that are not finite on {classifier.name}",
                "look for infinite weights or logits in the network, or try --precision float32",
            )
        return Maps(values=values, settings=self.settings, cost=cost, notes=explained.notes)

    @abstractmethod
    def _explain(self, explained: Explained) -> Tensor:
        """Maps ``(N, H, W)``, raw."""


def _digest(image: Tensor) -> str:
    """SHA-256 of an image ``(3, H, W)`` as float32."""
    return hashlib.sha256(image.detach().float().cpu().contiguous().numpy().tobytes()).hexdigest()
