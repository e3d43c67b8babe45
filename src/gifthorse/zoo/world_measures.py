"""What a classifier of the emoji world made of it: what it confuses, and which dataset biases it learnt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gifthorse.classifier import Classifier
from gifthorse.records import Interval
from gifthorse.statistics import bootstrap_mean
from gifthorse.zoo import bank
from gifthorse.zoo.canvas import Array
from gifthorse.zoo.data import Bytes, Sample
from gifthorse.zoo.scenes import EmojiScenes, lay, placed
from gifthorse.zoo.world import Bias, Thing

LEAST = 1e-6
"""Probabilities are raised to this before their logarithm."""


@dataclass(frozen=True)
class Confusion:
    """The mean post-softmax confusion matrix.

    Attributes:
        matrix: ``(C, C)``, row i the mean probabilities over images of class i.
        within: mean probability of another class of the same family; ``outside``: of a class of another family.
        accuracy: of the same images.
    """

    matrix: Array
    within: float
    outside: float
    accuracy: float


def confusion(classifier: Classifier, data: EmojiScenes, count: int, seed: int = 5) -> Confusion:
    """Over ``count`` held-out scenes without a natural object (as thesis 5.2.4 has it, over its validation set)."""
    sample = data.draw("test", count, seed, without=data.things)
    matrix, told = _told(classifier, sample)
    family = np.array([thing.family for thing in data.tables.classes])
    same = family[:, None] == family[None]
    np.fill_diagonal(same, False)
    apart = family[:, None] != family[None]
    hits = told.argmax(1) == sample.labels
    return Confusion(matrix, float(matrix[same].mean()), float(matrix[apart].mean()), float(hits.mean()))


def mean_probabilities(classifier: Classifier, sample: Sample) -> Array:
    """The mean post-softmax confusion matrix ``(C, C)`` over a sample; rows of classes without an image are zero."""
    return _told(classifier, sample)[0]


def _told(classifier: Classifier, sample: Sample) -> tuple[Array, Array]:
    """That matrix, and the probabilities of each image ``(N, C)``."""
    told = classifier.predict(sample.images).cpu().numpy()
    rows = [told[sample.labels == label] for label in range(told.shape[1])]
    return np.stack([row.mean(0) if len(row) else np.zeros(told.shape[1], told.dtype) for row in rows]), told


@dataclass(frozen=True)
class Learnt:
    """What pasting the thing of a bias into scenes of other classes does to its class.

    Attributes:
        bias: the pair.
        rise: mean rise of the log-odds of the class, in nats, over that of pasting an ordinary bystander at the same
            place into the same scenes; paired, with a bootstrap interval.
    """

    bias: Bias
    rise: Interval

    @property
    def learnt(self) -> bool:
        """Whether the interval lies above 0."""
        return self.rise.low > 0


def biases(classifier: Classifier, data: EmojiScenes, count: int, seed: int = 6) -> tuple[Learnt, ...]:
    """Each bias of the world: pasted into ``count`` held-out scenes of classes that it is not about."""
    found = []
    things = {thing.name: thing for thing in data.tables.beside}
    known = {bias.thing for bias in data.tables.biases}
    controls = [thing for thing in data.tables.bystanders if thing.name not in known]
    for number, bias in enumerate(data.tables.biases):
        label = data.classes.index(bias.label)
        others = tuple(k for k, name in enumerate(data.classes) if name not in (bias.label, bias.thing))
        sample = data.draw("test", count, seed + number, classes=others, without=(*data.things, bias.thing))
        scenes = sample.images.transpose(0, 2, 3, 1)
        rng = np.random.default_rng([seed, number])
        dice = rng.random((count, 2 + 2 * 4)).tolist()
        with_it = _pasted(scenes, [things[bias.thing]] * count, dice)
        chosen = [controls[int(k)] for k in rng.integers(len(controls), size=count)]
        rise = _odds(classifier, with_it, label) - _odds(classifier, _pasted(scenes, chosen, dice), label)
        interval = bootstrap_mean(rise, seed=seed + number)
        found.append(Learnt(bias, interval))
    return tuple(found)


def _pasted(scenes: Bytes, things: list[Thing], dice: list[list[float]]) -> Bytes:
    out = scenes.copy()
    for image, thing, luck in zip(out, things, dice, strict=True):
        lay(image, placed(thing, bank.BYSTANDER, "test", luck, None))
    return out


def _odds(classifier: Classifier, scenes: Bytes, label: int) -> Array:
    told = classifier.predict(np.ascontiguousarray(scenes.transpose(0, 3, 1, 2))).cpu().numpy()[:, label]
    told = np.clip(told.astype(np.float64), LEAST, 1 - LEAST)
    return np.asarray(np.log(told) - np.log1p(-told))
