"""The contract of synthesis: a Brief and a budget in, pictures of what a class is suspected to react to out."""

from __future__ import annotations

import hashlib
import math
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, TypedDict, Unpack, final

import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.errors import InputError, Refusal, UsageError
from gifthorse.images import require, to_uint8
from gifthorse.randomness import generator, undisturbed
from gifthorse.records import Brief, Cost, Finding, Images, Insertion
from gifthorse.tools.base import Tool, check_classifier

PROBE, SAFE = 16, 0.85
"""Passes for each finding in the trials that turn seconds into a budget, and how much of the time left it may take."""


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
    backpropagated, or within ``seconds``; ``seed`` of every draw; ``assets``, the prepared inputs that the tool names,
    by name. Seconds are turned into a budget by a short trial, so another call need not give the same findings.
    """

    n: int
    budget: int
    seconds: float
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
        deadline: of ``time.perf_counter``, by which it ends though the budget is not spent; None where there is none.
    """

    classifier: Classifier
    target: int
    sources: tuple[int, ...] | None
    clean: Clean
    n: int
    budget: int
    seed: int
    assets: Mapping[str, Any] = field(default_factory=dict)
    deadline: float | None = None

    def generators(self, purpose: str) -> tuple[torch.Generator, ...]:
        """One generator a finding, from (seed, purpose, index): finding i does not depend on how many there are."""
        return tuple(generator(self.seed, purpose, i) for i in range(self.n))


@dataclass(frozen=True)
class Film:
    """How a picture came about.

    Attributes:
        frames: ``(k, 4, h, w)`` uint8 on the CPU.
        after: the steps after which they were taken, k of them.
    """

    frames: Tensor
    after: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a synthesis method made.

    Attributes:
        pictures: ``(n, 4, h, w)`` in [0, 1], straight alpha.
        losses: ``(n,)`` on the screening images; lower is better.
        insertion: how the pictures are put into images.
        hints: what people should know about how it went.
        ranks: ``(n,)`` where findings are for different things, such as neurons: which thing, 0 the most important. Of
            each the best finding is kept, in this order, before any second best: their losses do not compare.
        films: one a finding, or none at all.
        sources: one a finding, its id in the pool that it was chosen from; none at all where they were made.
    """

    pictures: Tensor
    losses: Tensor
    insertion: Insertion
    hints: tuple[str, ...] = ()
    ranks: tuple[int, ...] | None = None
    films: tuple[Film, ...] = ()
    sources: tuple[str, ...] = ()

    def best(self, keep: int) -> tuple[int, ...]:
        """Indices of the ``keep`` best findings, best first."""
        losses, ranks = self.losses.tolist(), self.ranks or (0,) * len(self.losses)
        order = sorted(range(len(losses)), key=lambda i: (losses[i], i))
        if self.ranks is not None:
            turn = {i: [j for j in order if ranks[j] == ranks[i]].index(i) for i in order}
            order.sort(key=lambda i: (turn[i], ranks[i]))
        return tuple(order[:keep])


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Pictures ``(n, 4, h, w)`` float32 on the CPU, one finding each, and which are kept, best first.

    The film is the best one's.
    """

    pictures: Tensor
    findings: tuple[Finding, ...]
    kept: tuple[int, ...]
    settings: dict[str, Any]
    cost: Cost
    hints: tuple[str, ...] = ()
    film: Film | None = None


class Synthesis(Tool):
    """Draws what a target class is suspected to react to.

    Attributes:
        natural: whether its findings are pictures as they are in a pool of natural ones, rather than made for the
            network: what a set of them has in common can be said in words (:mod:`gifthorse.captioners`).
    """

    natural: ClassVar[bool] = False

    @final
    def __call__(self, classifier: Classifier, brief: Brief, clean: Clean, **order: Unpack[Order]) -> Findings:
        """Make findings about one target class.

        Args:
            brief: target and sources. Its images are given as ``clean``.
            clean: images to optimise on and to choose by.
            order: ``n``, ``budget`` or ``seconds``, ``keep``, ``seed`` and ``assets``, see :class:`Order`; by default
                10 findings within 4,000 passes, 5 kept, seed 0, no assets.

        Raises:
            InputError: images that are not what they should be, or a missing asset.
            UsageError: a budget that does not pay for one step, or numbers below 1.
            Refusal: the method cannot do this network.
        """
        check_classifier(classifier)
        keep = order.get("keep", 5)
        task = self._task(classifier, brief, clean, order)
        if not 1 <= keep <= task.n:
            raise UsageError(f"keep is {keep} of n = {task.n}", f"keep from 1 to {task.n}")
        started = time.perf_counter()
        with classifier.counting() as whole:
            if "seconds" in order:
                task = self._within(task, order["seconds"], started)
            with undisturbed(task.seed), classifier.counting() as counter:
                made = self._synthesise(task)
        cost = Cost(seconds=time.perf_counter() - started, forward=whole.forward, backward=whole.backward)
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

    def _within(self, task: Task, seconds: float, started: float) -> Task:
        """The task with a budget for what is left of some seconds after two short trials, and a deadline.

        Raises:
            UsageError: they do not pay for the trials, or are no positive number.
        """
        if not 0 < seconds < math.inf:
            raise UsageError(f"seconds is {seconds}", "a number above 0")
        task, passes, each = replace(task, deadline=started + seconds), PROBE * task.n, 0.0
        for _ in range(2):  # the first one pays for what is made on first use
            began = time.perf_counter()
            passes = self._afforded(task, passes)
            now = time.perf_counter()
            each = (now - began) / passes
            if now + passes * each / SAFE > started + seconds:
                wanted = passes * each * (2 + 1 / SAFE)
                raise UsageError(
                    f"{seconds:g} seconds do not pay for {task.n} findings of {type(self).__name__} on "
                    f"{task.classifier.name}: {passes} passes take {passes * each:.2g}",
                    f"{wanted:.2g} seconds or more, or fewer findings",
                )
        return replace(task, budget=int(SAFE * (started + seconds - now) / each))

    def _afforded(self, task: Task, passes: int) -> int:
        """Spend so many passes, or twice as many until they pay for a step, and say how many."""
        for _ in range(12):
            try:
                with undisturbed(task.seed):
                    self._synthesise(replace(task, budget=passes))
                return passes
            except UsageError:
                passes *= 2
        raise UsageError(f"{passes} passes do not pay for {task.n} findings of {type(self).__name__}", "fewer findings")

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
            Finding(insertion=made.insertion, loss=float(loss), picture=i, source=source)
            for i, (loss, source) in enumerate(zip(losses.tolist(), made.sources or (None,) * task.n, strict=True))
        )
        kept = replace(made, losses=losses).best(keep)
        return Findings(
            pictures=pictures,
            findings=findings,
            kept=kept,
            settings=self.settings,
            cost=cost,
            hints=made.hints,
            film=made.films[kept[0]] if made.films else None,
        )
