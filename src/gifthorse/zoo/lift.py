"""What goes with what in training data: whether a patch works by a bias of the data, or by a misgeneralisation.

An object that is beside a class in the training scenes more often than elsewhere is a *dataset bias*: a network that
takes it for evidence of the class learnt what it was shown. One that is not is a *misgeneralisation* (thesis,
Figure 5.10).
"""

from __future__ import annotations

import functools
from collections import Counter
from dataclasses import dataclass

from gifthorse.records import Interval
from gifthorse.statistics import wilson
from gifthorse.zoo import DATA
from gifthorse.zoo.scenes import EmojiScenes

CERTAIN = 0.999
"""Confidence of the interval of a rate: many things are asked about."""

COUNTED = 60_000
"""Training scenes whose tags are counted."""


@dataclass(frozen=True, kw_only=True)
class Lift:
    """How much more often a thing is in scenes of a class than in scenes of the others.

    Attributes:
        thing, label: names.
        rate: share of the class's scenes that have it.
        elsewhere: share of the other classes' scenes that have it.
    """

    thing: str
    label: str
    rate: Interval
    elsewhere: float

    @property
    def value(self) -> float:
        """The one over the other; infinite where only the class has it."""
        if self.elsewhere == 0:
            return float("inf") if self.rate.value > 0 else 1.0
        return self.rate.value / self.elsewhere

    @property
    def biased(self) -> bool:
        """Whether the interval of the class's rate lies above the others' rate."""
        return self.rate.low > self.elsewhere


def lift(thing: str, label: str) -> Lift:
    """Of a thing of the emoji world with one of its classes, over the tags of training scenes.

    A thing that is in no scene has a rate of 0 in both.
    """
    together, labels, things = _counts()
    with_label, have = labels[label], together[thing, label]
    rest = sum(labels.values()) - with_label
    return Lift(
        thing=thing,
        label=label,
        rate=wilson(have, with_label, CERTAIN),
        elsewhere=(things[thing] - have) / rest,
    )


@functools.cache
def _counts() -> tuple[Counter[tuple[str, str]], Counter[str], Counter[str]]:
    """Scenes with a thing and of a class, of a class, and with a thing."""
    data: EmojiScenes = DATA.make("emoji")
    contents = data.contents("train", COUNTED, 0)
    together, labels, things = Counter[tuple[str, str]](), Counter[str](), Counter[str]()
    for label, tags in zip(contents.labels.tolist(), data.tags(contents), strict=True):
        name = data.classes[label]
        labels[name] += 1
        for tag in tags - {name}:
            things[tag] += 1
            together[tag, name] += 1
    return together, labels, things
