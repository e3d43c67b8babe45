"""The contract of every tool: one call that checks, seeds, times and counts; one method that does the science.

A tool is a frozen keyword-only dataclass whose fields are its settings (deriving from :class:`Tool` makes it one). It
is either abstract or final: nothing concrete is derived from. There are exactly two abstract children, since there
are two kinds of answer: :class:`Attribution` and :class:`Synthesis`.
"""

from __future__ import annotations

import hashlib
import inspect
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypedDict, Unpack, dataclass_transform, final

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, Refusal, UsageError
from gifthorse.images import require, to_uint8
from gifthorse.randomness import generator, undisturbed
from gifthorse.records import Brief, Cost, Finding, Images, Insertion

GRANTS = ("gradients", "activations", "clean_images", "encoder", "clean_network")
"""All that a suite can grant and a tool can need."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
@dataclass(frozen=True, kw_only=True)
class Tool(ABC):
    """A diagnostic method with its settings.

    Attributes:
        needs: what a suite must grant (:data:`GRANTS`); tables rank within equal needs.
        prepares: prepared inputs by name, given to a synthesis as ``assets``.
    """

    needs: ClassVar[frozenset[str]] = frozenset()
    prepares: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        for base in cls.__mro__[1:]:
            for name in cls.__dict__:
                if getattr(base.__dict__.get(name), "__final__", False):
                    raise TypeError(f"{cls.__name__}.{name} overrides what {base.__name__} declares final")
            if issubclass(base, Tool) and base is not Tool and not inspect.isabstract(base):
                raise TypeError(f"{cls.__name__} derives from {base.__name__}, which is final: hold it as a field")
        dataclass(frozen=True, kw_only=True)(cls)
        if unknown := set(cls.needs) - set(GRANTS):
            raise TypeError(f"{cls.__name__} needs {sorted(unknown)}, which no suite grants")

    @property
    def settings(self) -> dict[str, Any]:
        """Every field with its value."""
        return asdict(self)

    @abstractmethod
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Declared final by the two children, each for its kind of answer."""


def _check_classifier(classifier: Classifier) -> None:
    if classifier.module.training:
        raise InputError(f"{classifier.name} is in training mode", "classifier.module.eval()")


# -- attribution ------------------------------------------------------------------------------------------------------


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
            batch: images a pass; by default the classifier's ``micro_batch``.

        Raises:
            InputError: images, targets or references that are not what they should be.
            Refusal: the method cannot do this network.
        """
        _check_classifier(classifier)
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
            batch=batch or classifier.micro_batch,
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


# -- synthesis --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Clean:
    """Clean images that a brief grants: to optimise on, and others to choose by. ``(N, 3, H, W)`` in [0, 1] each."""

    fit: Tensor
    screen: Tensor


def brief(target: int, images: Tensor, *, sources: Sequence[int] | None = None) -> tuple[Brief, Clean]:
    """A Brief about one's own network, with its clean images: ``tool(network, *brief(7, images), budget=2000)``.

    Args:
        target: class index that is suspected.
        images: clean ``(N, 3, H, W)`` in [0, 1], N >= 4; every fourth is kept for screening.
        sources: class indices that the images are of, or None for any.

    Raises:
        InputError: images that are not what they should be, or fewer than four.
    """
    if len(require(images)) < 4:
        raise InputError(f"there are {len(images)} images to fit and to screen", "four or more")
    screening = torch.arange(len(images)) % 4 == 3
    clean = Clean(fit=images[~screening], screen=images[screening])
    fit, screen = (_reference(part) for part in (clean.fit, clean.screen))
    return Brief(target=target, fit=fit, screen=screen, sources=None if sources is None else tuple(sources)), clean


def _reference(images: Tensor) -> Images:
    """What names images that are in no unit: the hash of their bytes."""
    n, channels, height, width = images.shape
    told = hashlib.sha256(to_uint8(images).tobytes()).hexdigest()
    return Images(sha256=told, file="", count=n, channels=channels, height=height, width=width)


class Order(TypedDict, total=False):
    """How much is asked of a synthesis.

    ``n`` findings, of which the ``keep`` best are chosen, within a ``budget`` of images forwarded plus images
    backpropagated; ``seed`` of every draw; ``assets``, the prepared inputs that the tool names, by name.
    """

    n: int
    budget: int
    keep: int
    seed: int
    assets: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a synthesis method gets to work on.

    Attributes:
        target: class index that the suspected trigger leads to.
        sources: class indices from which it works, or None for every class; the clean images are of these.
        clean: on the classifier's device.
        n: findings to make.
        budget: passes (images forwarded plus backpropagated) that all of it may take.
        seed: of the whole; see :meth:`generators`.
    """

    classifier: Classifier
    target: int
    sources: tuple[int, ...] | None
    clean: Clean
    n: int
    budget: int
    seed: int
    assets: Mapping[str, Any] = field(default_factory=dict)

    def generators(self, purpose: str) -> tuple[torch.Generator, ...]:
        """One generator a finding, from (seed, purpose, index): finding i does not depend on how many there are."""
        return tuple(generator(self.seed, purpose, i) for i in range(self.n))


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a synthesis method made.

    Attributes:
        pictures: ``(n, 4, h, w)`` in [0, 1], straight alpha.
        losses: ``(n,)`` on the screening images; lower is better.
        insertion: how the pictures are put into images.
        hints: what people should know about how it went.
    """

    pictures: Tensor
    losses: Tensor
    insertion: Insertion
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Pictures ``(n, 4, h, w)`` float32 on the CPU, one finding each, and which are kept, best first."""

    pictures: Tensor
    findings: tuple[Finding, ...]
    kept: tuple[int, ...]
    settings: dict[str, Any]
    cost: Cost
    hints: tuple[str, ...] = ()


class Synthesis(Tool):
    """Draws what a target class is suspected to react to."""

    @final
    def __call__(self, classifier: Classifier, brief: Brief, clean: Clean, **order: Unpack[Order]) -> Findings:
        """Make findings about one target class.

        Args:
            brief: target and sources. Its images are given as ``clean``.
            clean: images to optimise on and to choose by.
            order: ``n``, ``budget``, ``keep``, ``seed`` and ``assets``, see :class:`Order`; by default 10 findings
                within 4,000 passes, 5 kept, seed 0, no assets.

        Raises:
            InputError: images that are not what they should be, or a missing asset.
            UsageError: a budget that does not pay for one step, or numbers below 1.
            Refusal: the method cannot do this network.
        """
        _check_classifier(classifier)
        keep = order.get("keep", 5)
        task = self._task(classifier, brief, clean, order)
        if not 1 <= keep <= task.n:
            raise UsageError(f"keep is {keep} of n = {task.n}", f"keep from 1 to {task.n}")
        started = time.perf_counter()
        with undisturbed(task.seed), classifier.counting() as counter:
            made = self._synthesise(task)
        cost = Cost(seconds=time.perf_counter() - started, forward=counter.forward, backward=counter.backward)
        if counter.passes > task.budget:
            raise RuntimeError(f"{type(self).__name__} took {counter.passes} passes of a budget of {task.budget}")
        return self._checked(made, task, keep, cost)

    @abstractmethod
    def _synthesise(self, task: Task) -> Made:
        """``task.n`` findings within ``task.budget``."""

    def _task(self, classifier: Classifier, brief: Brief, clean: Clean, order: Order) -> Task:
        for what, images in (("fitting images", clean.fit), ("screening images", clean.screen)):
            classifier.checked(images, what)
        n, budget = order.get("n", 10), order.get("budget", 4_000)
        if n < 1 or budget < 1:
            raise UsageError(f"n is {n} and the budget {budget}", "both from 1")
        if not 0 <= brief.target < len(classifier.classes):
            raise InputError(
                f"the brief's target is {brief.target}",
                f"a class index of {classifier.name}: 0 to {len(classifier.classes) - 1}",
            )
        assets = order.get("assets", {})
        if missing := [name for name in self.prepares if name not in assets]:
            raise InputError(
                f"{type(self).__name__} needs {', '.join(missing)} prepared", f"assets={{{missing[0]!r}: ...}}"
            )
        device = classifier.device
        moved = Clean(
            fit=clean.fit.detach().to(device, torch.float32), screen=clean.screen.detach().to(device, torch.float32)
        )
        return Task(
            classifier=classifier,
            target=brief.target,
            sources=brief.sources,
            clean=moved,
            n=n,
            budget=budget,
            seed=order.get("seed", 0),
            assets=assets,
        )

    def _checked(self, made: Made, task: Task, keep: int, cost: Cost) -> Findings:
        pictures = made.pictures.detach().float().cpu().clamp(0, 1)
        losses = made.losses.detach().float().cpu()
        if pictures.ndim != 4 or pictures.shape[:2] != (task.n, 4) or losses.shape != (task.n,):
            raise RuntimeError(f"{type(self).__name__} returned {tuple(pictures.shape)}, {tuple(losses.shape)}")
        if not bool(pictures.isfinite().all()) or not all(map(math.isfinite, losses.tolist())):
            raise Refusal(
                f"the loss of {type(self).__name__} on {task.classifier.name} is not finite",
                "look for infinite weights or logits in the network, or try --precision float32",
            )
        findings = tuple(
            Finding(insertion=made.insertion, loss=float(loss), picture=i) for i, loss in enumerate(losses.tolist())
        )
        kept = tuple(sorted(range(task.n), key=lambda i: (findings[i].loss, i))[:keep])
        return Findings(
            pictures=pictures, findings=findings, kept=kept, settings=self.settings, cost=cost, hints=made.hints
        )
