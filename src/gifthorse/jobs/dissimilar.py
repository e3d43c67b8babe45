"""The experiment on dissimilar classes: every class of one list with every class of another (thesis 5.2.4)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse.errors import UsageError
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Bench, Watching
from gifthorse.jobs.hunting import Pair
from gifthorse.jobs.pairs import Question, answer
from gifthorse.runner import Runner
from gifthorse.store import Store
from gifthorse.suites import replications
from gifthorse.zoo import world


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Placed):
    """What is asked for.

    Attributes:
        n: pairs, drawn at random; None for all.
        sources, targets: names of the classes of the two lists; none for ten garments and ten traffic objects, on
            photographs those of the thesis.
    """

    sources: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network or class, a class in both lists, or more pairs than there are.
        FailedCells: some pairs could not be searched; the page is of the others.
    """
    ground, classes = hunting.grounded(order)
    usual = world if order.data is None else replications
    named = order.sources or usual.GARMENTS, order.targets or usual.TRAFFIC
    if both := set(named[0]) & set(named[1]):
        raise UsageError(f"{sorted(both)[0]} is a source and a target", "two lists that have no class in common")
    sources, targets = ([hunting.index_of(classes, name) for name in names] for names in named)
    every = [Pair(source, target) for source in sources for target in targets]
    pairs = hunting.drawn(every, order.n, order.seed)
    question = Question(
        title="Natural patches between classes that have nothing in common",
        pairs=f"{len(pairs)} of {len(every)}: {', '.join(named[0])} to {', '.join(named[1])}",
        notes=lambda _told: (
            "In the thesis, on ImageNet, 1 of 1,000 natural patches was successful in half, 54% fooled an image, and "
            "87 of 100 pairs had one that did (5.2.4).",
        ),
    )
    return answer(order, ground, pairs, question, Bench(store, runner, watch))
