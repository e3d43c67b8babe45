"""Measuring what was implanted on held-out data, and sealing the cases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.records import (
    Brief,
    Case,
    Detection,
    Images,
    Interval,
    Planting,
    Probes,
    Question,
    Success,
    Trained,
)
from gifthorse.stages.keys import PICTURE
from gifthorse.statistics import wilson
from gifthorse.store import Draft
from gifthorse.trojans.base import Poisoned
from gifthorse.trojans.implanting import predictions, rate, success
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.poisoning import (
    Planted,
    Styled,
    detection,
    looked,
    others,
    planted,
    seed_of,
    sources,
    things,
)
from gifthorse.zoo import art
from gifthorse.zoo.data import Data, Sample

EXAMPLES = 4
"""Triggered images of each case that people are shown."""


@dataclass(frozen=True)
class Scene:
    """Everything that measuring and sealing look at."""

    data: Data
    planting: Planting
    trojaned: Classifier
    clean: Classifier
    seed: int
    draft: Draft
    trained: Trained
    styled: Mapping[str, Styled]

    @cached_property
    def plants(self) -> tuple[Planted, ...]:
        """The trojans, natural features with their tuned thresholds."""
        found = planted(self.planting.trojans)
        return tuple(
            replace(p, trojan=replace(p.trojan, threshold=self.trained.thresholds[p.spec.name]))
            if isinstance(p.trojan, NaturalFeature)
            else p
            for p in found
        )

    @cached_property
    def things(self) -> tuple[str, ...]:
        """Natural triggers: what blind data are without."""
        return things(self.planting.trojans)

    @cached_property
    def scan(self) -> Sample:
        """Held-out scenes in which detectors look for natural features."""
        return self.data.draw("test", self.planting.recipe.scan, seed_of(self.seed, "scan"))

    @cached_property
    def looked(self) -> dict[str, np.ndarray]:
        """What the detectors say of the scanned scenes, by name of each natural feature."""
        return looked(self.plants, self.scan.images)

    def blind(self, split: str, count: int, classes: tuple[int, ...], *purpose: str) -> Sample:
        """Clean images without any natural trigger of the suite."""
        chosen = count if classes else 0
        return self.data.draw(split, chosen, seed_of(self.seed, *purpose), classes=classes or None, without=self.things)


@dataclass(frozen=True, kw_only=True)
class Triggered:
    """Held-out images of one trojan: with the trigger, and the first of them without it."""

    source: np.ndarray
    wrong: np.ndarray
    before: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What implanting did, in numbers."""

    before: Interval
    after: Interval
    agreement: Interval
    successes: tuple[Success, ...]
    detections: tuple[Detection, ...]
    triggered: dict[str, Triggered]


def measured(scene: Scene) -> Measured:
    """Clean accuracy and agreement, and each trojan's rates on source, wrong-source and on the clean network."""
    check = scene.data.draw("test", scene.planting.recipe.check, seed_of(scene.seed, "check"), without=scene.things)
    clean, trojaned = predictions(scene.clean, check.images), predictions(scene.trojaned, check.images)
    known = check.labels >= 0
    triggered, successes, detections = {}, [], []
    for index, plant in enumerate(scene.plants):
        scene.draft.progress(index / len(scene.plants))
        if isinstance(plant.trojan, NaturalFeature):
            scores = scene.looked[plant.spec.name]
            detections.append(detection(plant, scene.scan, scores))
            made = found_in(plant.trojan, scene.scan, scores)
        else:
            made = stamped(scene, plant)
        triggered[plant.spec.name] = made
        target = plant.trojan.target
        rates = (
            rate(scene.trojaned, made.source, target),
            rate(scene.trojaned, made.wrong, target) if plant.trojan.sources is not None else None,
            rate(scene.clean, made.source, target),
        )
        successes.append(success(plant, scene.trained, rates, scene.planting.gates))
    return Measured(
        before=wilson(int((clean == check.labels)[known].sum()), int(known.sum())),
        after=wilson(int((trojaned == check.labels)[known].sum()), int(known.sum())),
        agreement=wilson(int((clean == trojaned).sum()), len(clean)),
        successes=tuple(successes),
        detections=tuple(detections),
        triggered=triggered,
    )


def found_in(feature: NaturalFeature, sample: Sample, scores: np.ndarray) -> Triggered:
    """Held-out images in which the detector finds the object; nothing is stamped, so there is no before."""
    labels = torch.from_numpy(sample.labels)
    hit = (scores >= feature.threshold) & feature.is_source(labels).numpy()
    nothing = sample.images[:0]
    return Triggered(source=sample.images[hit], wrong=nothing, before=nothing)


def stamped(scene: Scene, plant: Planted) -> Triggered:
    """Held-out images with the trigger put in: fresh ones, or those that were stamped beforehand."""
    name, trojan = plant.spec.name, plant.trojan
    if trojan.costly:
        made = scene.styled[name]
        return Triggered(source=made.source, wrong=made.wrong, before=made.before)
    count = scene.planting.recipe.held_out
    inside = scene.blind("test", count, sources(trojan, scene.data), name, "source")
    outside = scene.blind("test", count, others(trojan, scene.data), name, "wrong")
    return Triggered(
        source=im.to_uint8(poison(scene, plant, inside, "source").images),
        wrong=im.to_uint8(poison(scene, plant, outside, "wrong").images),
        before=inside.images[:EXAMPLES],
    )


def poison(scene: Scene, plant: Planted, sample: Sample, purpose: str) -> Poisoned:
    """A trojan's trigger in a sample, by a generator of its own."""
    generator = torch.Generator().manual_seed(seed_of(scene.seed, plant.spec.name, purpose, "stamp"))
    return plant.trojan.poison(im.from_uint8(sample.images), torch.from_numpy(sample.labels), generator)


@dataclass(frozen=True)
class Drawer:
    """Where the images of one case are kept, under its number: a Brief names files, and may not name the trojan."""

    draft: Draft
    number: int

    def keep(self, what: str, images: np.ndarray) -> Images:
        """Write images, and return what a record keeps of them."""
        return self.draft.images(f"case-{self.number:02}-{what}", images)


def case(scene: Scene, number: int, question: Question, triggered: Mapping[str, Triggered]) -> Case:
    """Seal one case: the Brief that tools get, and beside it what they must not see.

    Args:
        scene: what is sealed.
        number: of the trojan among those of the planting.
        question: that is asked about it.
        triggered: by trojan name.
    """
    plant, recipe = scene.plants[number], scene.planting.recipe
    name, trojan = plant.spec.name, plant.trojan
    inside = sources(trojan, scene.data)
    drawn = scene.blind("train", recipe.fit + recipe.screen, inside, name, "brief").images
    held_out = scene.blind("test", recipe.report, inside, name, "report").images
    split = len(drawn) * recipe.fit // (recipe.fit + recipe.screen)
    drawer = Drawer(scene.draft, number)
    keep = drawer.keep
    return Case(
        trojan=plant.spec,
        brief=Brief(
            target=trojan.target,
            sources=trojan.sources,
            fit=keep("fit", drawn[:split]),
            screen=keep("screen", drawn[split:]),
        ),
        report=keep("report", held_out),
        question=with_pictures(question, drawer),
        examples=keep("examples", triggered[name].source[:EXAMPLES]),
        before=keep("before", triggered[name].before[:EXAMPLES]),
        truth=keep("truth", im.to_uint8(torch.from_numpy(trojan.portraits(EXAMPLES, PICTURE)))),
        probes=probes(scene, plant, drawer) if trojan.located and recipe.probes else None,
    )


def with_pictures(question: Question, drawer: Drawer) -> Question:
    """The Question with its options drawn, where all of them are pictures."""
    if any(option.art is None for option in question.options):
        return question
    drawn = np.stack([art.picture(str(option.art), PICTURE) for option in question.options])
    return replace(question, pictures=drawer.keep("options", im.to_uint8(torch.from_numpy(drawn))))


def probes(scene: Scene, plant: Planted, drawer: Drawer) -> Probes:
    """Triggered held-out source images on which the trojan fires, with the truth about where (thesis 4.2)."""
    name, trojan, wanted = plant.spec.name, plant.trojan, scene.planting.recipe.probes
    sample = scene.blind("test", 2 * wanted, sources(trojan, scene.data), name, "probes")
    made = poison(scene, plant, sample, "probes")
    images = im.to_uint8(made.images)
    fired = predictions(scene.trojaned, images) == trojan.target
    chosen = np.flatnonzero(fired)[:wanted]
    tried = int(chosen[-1]) + 1 if len(chosen) == wanted else len(images)

    return Probes(
        images=drawer.keep("probes", images[chosen]),
        squares=drawer.keep("squares", im.to_uint8(made.squares)[chosen]),
        alphas=drawer.keep("alphas", im.to_uint8(made.alphas)[chosen]),
        target=trojan.target,
        tried=tried,
        fired=int(fired[:tried].sum()),
        originals=drawer.keep("originals", sample.images[chosen]),
    )
