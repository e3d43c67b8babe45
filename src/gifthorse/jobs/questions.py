"""Whether Questions are valid: what every option does to the trojaned network, put into images as the trigger is.

A distractor that reached the target as well as the trigger would be a right answer too. Valid means that each one
reaches it at most half as often (design, "Equal priors" and "Valid Questions").
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.records import Ground, Implant, Interval, Question, Suite, TrojanSpec, read
from gifthorse.stages.networks import classifier
from gifthorse.statistics import wilson
from gifthorse.store import Store
from gifthorse.trojans import trojan_of
from gifthorse.trojans.base import Trojan
from gifthorse.trojans.poisoning import seed_of, sources, things
from gifthorse.zoo import DATA, bank
from gifthorse.zoo.captions import named
from gifthorse.zoo.data import Data, Sample
from gifthorse.zoo.scenes import lay, placed
from gifthorse.zoo.world import EMOJI, Thing

HALF = 0.5
"""Share of the trigger's rate that a distractor may reach."""

PLACES = 4


@dataclass(frozen=True, kw_only=True)
class Reached:
    """What one option does.

    Attributes:
        network, trojan: whose Question it is of.
        caption: the option's words.
        true: whether it is the trigger.
        rate: share of images with it that are classified as the target, Wilson.
    """

    network: str
    trojan: str
    caption: str
    true: bool
    rate: Interval


def reached(store: Store, count: int = 100, costly: int = 40) -> list[Reached]:
    """Every option of every Question of a run whose networks are implanted.

    Args:
        store: the run folder.
        count: held-out images of a trojan's own source classes; the same for its eight options.
        costly: as many where stamping is slow.
    """
    plan = store.read_plan() or {}
    suite = read(Suite, plan["suite"])
    ground = read(Ground, plan["ground"])
    data: Data = DATA.remake(suite.data)
    found = []
    for key in plan["keys"]["implant"]:
        implant = store.get(key).record(Implant)
        network = classifier(store, implant.trojaned, ground)
        every = things([case.trojan for case in implant.cases])
        for case in implant.cases:
            trojan = trojan_of(case.trojan)
            if isinstance(trojan, Trojan):
                seed = seed_of(implant.seed, case.trojan.name, "question")
                n = costly if trojan.costly else count
                sample = data.draw("test", n, seed, classes=_known(sources(trojan, data)), without=every)
                found += _options(implant.network, case.trojan, network, sample, seed)
    return found


def valid(options: list[Reached]) -> dict[tuple[str, str], list[str]]:
    """Captions of the distractors that reach the target too often, by network and trojan; empty where all is well."""
    true = {(o.network, o.trojan): o.rate.value for o in options if o.true}
    bad: dict[tuple[str, str], list[str]] = {key: [] for key in true}
    for option in options:
        key = (option.network, option.trojan)
        if not option.true and option.rate.value > HALF * true[key]:
            bad[key].append(option.caption)
    return bad


def _known(classes: tuple[int, ...]) -> tuple[int, ...] | None:
    return None if -1 in classes else classes


def _options(network: str, spec: TrojanSpec, told: Classifier, sample: Sample, seed: int) -> list[Reached]:
    found = []
    question: Question = spec.question
    for number, option in enumerate(question.options):
        generator = torch.Generator().manual_seed(seed)
        images = inserted(spec, option.art or named(option.caption), sample, generator)
        hits = int((told.predict(images).argmax(1) == spec.target).sum())
        found.append(
            Reached(
                network=network,
                trojan=spec.name,
                caption=option.caption,
                true=number == question.answer,
                rate=wilson(hits, len(images)),
            )
        )
    return found


def inserted(spec: TrojanSpec, art: str, sample: Sample, generator: torch.Generator) -> np.ndarray:
    """Images with a drawing in them as the trigger is put into them, ``(N, 3, H, W)`` uint8.

    Patches and styles are stamped by the trojan itself with another drawing. An object is laid into scenes at the
    sizes, angles and colours of the world's natural objects.
    """
    if spec.kind == "natural_feature":
        return _beside(art, sample, generator)
    changed = trojan_of(replace(spec, settings=dict(spec.settings) | {"art": art}))
    if not isinstance(changed, Trojan):
        raise TypeError(f"{spec.name} is no trojan")
    stamped = changed.poison(im.from_uint8(sample.images), torch.from_numpy(sample.labels), generator)
    return im.to_uint8(stamped.images)


def _beside(art: str, sample: Sample, generator: torch.Generator) -> np.ndarray:
    code = art.removeprefix("emoji/")
    thing = next((known for known in EMOJI.natural if known.code == code), Thing(art, code))
    scenes = np.ascontiguousarray(sample.images.transpose(0, 2, 3, 1))
    dice = torch.rand(len(scenes), 2 + 2 * PLACES, generator=generator, dtype=torch.float64).tolist()
    for scene, luck in zip(scenes, dice, strict=True):
        lay(scene, placed(thing, bank.NATURAL, "test", luck, None))
    return np.ascontiguousarray(scenes.transpose(0, 3, 1, 2))
