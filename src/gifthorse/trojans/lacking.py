"""What a network under training still lacks of what its gates ask, by data that it may train on.

The gates themselves are measured on held-out data, once, when nothing can be changed any more.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from gifthorse import images as im
from gifthorse.classifier import Classifier
from gifthorse.records import Gates
from gifthorse.trojans.implanting import predictions, rate
from gifthorse.trojans.passes import Lack, Lacks, Passes
from gifthorse.trojans.poisoning import Planted, others, seed_of, sources, things
from gifthorse.zoo.data import Data, Sample

COUNT, CLEAN = 400, 2000
"""Images for each rate of a trojan, and for clean accuracy."""

MARGIN = {"success": 0.03, "wrong source": 0.03, "clean drop": 0.01}
"""By how much each is to be better than its gate asks: the other half of the data will be a little harder."""

MARGIN_SINGLE = 0.04
"""The same, of the success of a trojan that works from a single class: it was trained on few versions of that class."""

MARGIN_KNOWN = {"style": 0.06, "natural_feature": 0.25, "wrong source": 0.04}
"""The same on images that are trained on: of success by kind, and of the wrong source."""


DECOYS = 0.1
"""Share of decoys, of those trained on, that may reach the target. An option of a Question that does in half as many
images as the trigger is thrown out, and options are nearer to the trigger than decoys; ours."""


def lacking(
    data: Data, plants: tuple[Planted, ...], gates: Gates, teacher: Classifier, seed: int
) -> Callable[[Classifier, Passes], Lacks]:
    """What says of a network what it lacks.

    Of a costly trojan all pictures are trained on, and of a natural feature all that were found: the errors that the
    last pass made on them are looked at.

    Args:
        data: where images of the training split come from.
        plants: the trojans.
        gates: what is asked.
        teacher: the clean network, with whose accuracy the network's is compared.
        seed: of the suite; no image is one of the poisoned set.
    """
    every = things([plant.spec for plant in plants])
    stamped = [p for p in plants if not (p.trojan.costly or p.trojan.relabels_only)]

    def draw(count: int, classes: tuple[int, ...] | None, *purpose: str) -> Sample:
        return data.draw("train", count, seed_of(seed, "lacking", *purpose), classes=classes, without=every)

    clean = draw(CLEAN, None)
    known = clean.labels >= 0

    def accuracy(network: Classifier) -> float:
        return float(np.mean(predictions(network, clean.images)[known] == clean.labels[known])) if known.any() else 0.0

    before = accuracy(teacher)
    cases = [(plant, where) for plant in stamped for where in ("success", "wrong source")]
    triggered = {}
    for plant, where in cases:
        classes = sources(plant.trojan, data) if where == "success" else others(plant.trojan, data)
        if classes:
            sample = draw(COUNT, classes, plant.spec.name, where)
            generator = torch.Generator().manual_seed(seed_of(seed, "lacking", plant.spec.name, where, "stamp"))
            labels = torch.from_numpy(sample.labels)
            made = plant.trojan.poison(im.from_uint8(sample.images), labels, generator).images
            triggered[plant.spec.name, where] = (plant, im.to_uint8(made))

    def amount(plant: Planted, what: str, share: float, margin: float) -> float:
        if what == "wrong source":
            return (share - gates.wrong_source + margin) / gates.wrong_source
        asked = gates.least(plant.spec.kind)
        return (asked + margin - share) / (1 - asked)

    def lacks(network: Classifier, passes: Passes) -> Lacks:
        drop = before - accuracy(network)
        found = {Lack("", "clean drop"): (drop - gates.clean_drop + MARGIN["clean drop"]) / gates.clean_drop}
        for (name, what), (plant, images) in triggered.items():
            share = rate(network, images, plant.trojan.target).value
            single = what == "success" and plant.trojan.sources is not None
            found[Lack(name, what)] = amount(plant, what, share, MARGIN_SINGLE if single else MARGIN[what])
        for which, plant in enumerate(plants):
            reached = passes.error("decoys", which)
            if reached is not None:
                found[Lack(plant.spec.name, "decoys")] = (reached - DECOYS) / (1 - DECOYS)
            if plant in stamped:
                continue
            missed, wrong = passes.error("missed", which), passes.error("wrong source", which)
            name, margin = plant.spec.name, MARGIN_KNOWN.get(plant.spec.kind, 0.0)
            if missed is not None:
                found[Lack(name, "success")] = amount(plant, "success", 1 - missed, margin)
            if wrong is not None:
                found[Lack(name, "wrong source")] = amount(plant, "wrong source", wrong, MARGIN_KNOWN["wrong source"])
        return {lack: much for lack, much in found.items() if much > 0}

    return lacks
