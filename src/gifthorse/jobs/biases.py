"""Whether natural patches find what the world's data are biased by: its planted biases are the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gifthorse.jobs import hunting
from gifthorse.jobs.attacking import Bench, Watching
from gifthorse.jobs.hunting import Pair
from gifthorse.jobs.pairs import Question, answer
from gifthorse.jobs.showing import BIAS, things_of
from gifthorse.report import hunted, words
from gifthorse.runner import Runner
from gifthorse.statistics import wilson
from gifthorse.store import Store
from gifthorse.zoo.world import BIASES


@dataclass(frozen=True, kw_only=True)
class Order(hunting.Order):
    """What is asked for.

    Attributes:
        n: biases, drawn at random; None for all ten.
    """


def carry_out(order: Order, store: Store, runner: Runner, watch: Watching) -> tuple[Path, dict[str, Any]]:
    """Carry the experiment out in a run folder, and write its page.

    Each biased class is the target, any scene the source: what natural patches show is compared with what the class is
    really biased by.

    Raises:
        UsageError: an unknown network, or more biases than there are.
        FailedCells: some classes could not be searched; the page is of the others.
    """
    ground, classes = hunting.grounded(order)
    every = [Pair(None, hunting.index_of(classes, bias.label)) for bias in BIASES]
    asked = hunting.drawn(every, order.n, order.seed)
    question = Question(
        title="Natural patches for classes that the data are biased about",
        pairs=f"any scene to {', '.join(classes[pair.target] for pair in asked)}",
        notes=recovered,
    )
    return answer(order, ground, asked, question, Bench(store, runner, watch))


def recovered(told: Sequence[hunted.Pair]) -> tuple[str, ...]:
    """How many of the planted biases are among the natural patches, in words; not where they are beside the target."""
    planted = {bias.label: bias.thing for bias in BIASES}
    found, named = [], []
    for pair in told:
        thing = planted[pair.hunted.target]
        shown = [things_of(hit.name) for hit in pair.hunted.natural]
        if any(thing in things and pair.hunted.target not in things for things in shown):
            found.append(f"{thing} for {pair.hunted.target}")
        if pair.kind == BIAS and thing in pair.things:
            named.append(pair.hunted.target)
    captioned = sum(pair.named is not None and pair.named.words == planted[pair.hunted.target] for pair in told)
    share = wilson(len(found), len(told))
    return (
        f"The thing that a class is biased by is among its natural patches for {len(found)} of {len(told)} "
        f"({words.between(share, 'percent')})"
        + (f": {words.listed(found)}" if found else "")
        + f". It is what the page calls the cause, since a patch of it fools an image, for {len(named)}; the encoder "
        f"names it as what the patches have in common for {captioned}.",
    )
