"""The experiment on replications: natural patches for any list of pairs of classes (thesis 5.2.3, Figure 5.11)."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse.errors import UsageError
from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Bench, Watching
from gifthorse.jobs.hunting import Pair
from gifthorse.jobs.pairs import Question, answer
from gifthorse.report import hunted, words
from gifthorse.runner import Runner
from gifthorse.store import Store
from gifthorse.suites.replications import REPLICATIONS

ARROW = ">"
"""Between a source and a target."""


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Placed):
    """What is asked for.

    Attributes:
        pairs: ``source>target``; none for the thesis's nine, in the emoji world those of which it has both classes.
    """

    pairs: tuple[str, ...] = ()


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Raises:
        UsageError: an unknown network or class, or a pair that is none.
        FailedCells: some pairs could not be searched; the page is of the others.
    """
    ground, classes = hunting.grounded(order)
    named = order.pairs or tuple(ARROW.join(each) for each in usual(order.data is not None))
    every = [parsed(text, classes) for text in named]
    pairs = hunting.drawn(every, order.n, order.seed)
    question = Question(
        title="Natural patches for pairs that others have found",
        pairs=", ".join(ARROW.join(classes[k] for k in pair if k is not None) for pair in pairs),
        notes=beside_the_thesis,
    )
    return answer(order, ground, pairs, question, Bench(store, runner, watch))


def usual(photographs: bool) -> list[tuple[str, str]]:
    """The thesis's pairs by their ImageNet names, or those that stand for them in the emoji world."""
    if photographs:
        return [(each.source, each.target) for each in REPLICATIONS]
    return [each.stand_in for each in REPLICATIONS if each.stand_in]


def parsed(text: str, classes: Sequence[str]) -> Pair:
    """A pair from words.

    Raises:
        UsageError: it is no pair of two different classes.
    """
    source, arrow, target = (part.strip() for part in text.partition(ARROW))
    if not arrow or source == target:
        raise UsageError(f"{text!r} is no pair of classes", "source>target, as in bee>fly")
    return Pair(hunting.index_of(classes, source), hunting.index_of(classes, target))


def beside_the_thesis(told: Sequence[hunted.Pair]) -> tuple[str, ...]:
    """Mean success of each pair, and the thesis's of the pair that it stands for, in words."""
    found = []
    for pair in told:
        record = pair.hunted
        mean = statistics.fmean(map(record.success, record.natural))
        of_pair = (record.source, record.target)
        same = next((one for one in REPLICATIONS if of_pair in (one.stand_in, (one.source, one.target))), None)
        there = f" ({same.source} to {same.target}, {same.found}: {words.score(same.rate, 3)} there)" if same else ""
        found.append(f"{record.source} to {record.target} {words.score(mean, 3)}{there}")
    asked = {(pair.hunted.source, pair.hunted.target) for pair in told}
    rest = [
        f"{one.source} to {one.target} {words.score(one.rate, 3)}"
        for one in REPLICATIONS
        if not {one.stand_in, (one.source, one.target)} & asked
    ]
    here = f"Mean success of the natural patches here, and in the thesis on photographs: {words.listed(found)}."
    return (here, f"Of other pairs, in the thesis: {words.listed(rest)}.") if rest else (here,)
