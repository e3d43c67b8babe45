"""The experiment on similar classes: each source with the targets that the network confuses it with most (5.2.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gifthorse.classifier import Classifier
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Bench, Watching
from gifthorse.jobs.hunting import Pair
from gifthorse.jobs.pairs import Question, answer
from gifthorse.jobs.surroundings import Surroundings
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.store import Store
from gifthorse.zoo.data import Data
from gifthorse.zoo.scenes import EmojiScenes
from gifthorse.zoo.world_measures import mean_probabilities

TARGETS = 5
"""Of each source (thesis 5.2.4)."""

ASKED = 6_000
"""Scenes that the confusion matrix is measured on."""

EACH = 50
"""Photographs of each source that its row is measured on, at most."""

SEED = 5
"""Of their draw."""


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Placed):
    """What is asked for.

    Attributes:
        n: pairs, drawn at random (thesis: all 5,000); None for all.
        sources: names of the classes that are attacked, or all.
    """

    n: int | None = 60
    sources: tuple[str, ...] = ()


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network or class, or more pairs than there are.
        FailedCells: some pairs could not be searched; the page is of the others.
    """
    ground, classes = hunting.grounded(order)
    where = order.surroundings()
    sources = [hunting.index_of(classes, name) for name in order.sources]
    where.check(sources, ())
    every = confused(from_zoo(order.net, ground), where, sources or where.enough(range(len(classes))))
    pairs = hunting.drawn(every, order.n, order.seed)
    question = Question(
        title="Natural patches between classes that a network confuses",
        pairs=f"{len(pairs)} of {len(every)}: each source with the {TARGETS} classes that it is confused with most",
        notes=lambda _told: (
            "In the thesis, on ImageNet, 6.9% of 50,000 natural patches were successful in half, 10.4% of crops of the "
            "target's class, and 963 of 5,000 pairs had a natural patch that fooled an image (5.2.4).",
        ),
    )
    return answer(order, ground, pairs, question, Bench(store, runner, watch))


def confused(classifier: Classifier, where: Surroundings, sources: Sequence[int]) -> list[Pair]:
    """Each source with the targets that it is confused with most, by the mean post-softmax confusion matrix; only
    targets of which there are images."""
    rows = means(classifier, where.data, sources)
    there = where.seen(range(len(classifier.classes)))
    return [
        Pair(source, target)
        for source in sources
        for target in sorted((k for k in there if k != source), key=lambda k: (-rows[source][k], k))[:TARGETS]
    ]


def means(classifier: Classifier, data: Data, sources: Sequence[int]) -> dict[int, np.ndarray]:
    """Mean probabilities ``(C,)`` over images of each source: rows of the confusion matrix."""
    if isinstance(data, EmojiScenes):
        matrix = mean_probabilities(classifier, data.draw("test", ASKED, SEED, without=data.things))
        return {source: matrix[source] for source in sources}
    # photographs of each source by itself: among those of all classes, a source might have none
    drawn = {source: data.draw("test", EACH, SEED, classes=(source,)).images for source in sources}
    return {source: classifier.predict(images).mean(0).numpy() for source, images in drawn.items()}
