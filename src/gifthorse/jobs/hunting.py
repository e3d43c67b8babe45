"""Natural patches for pairs of classes, for experiments: searched by SNAFUE, tried on scenes that nothing has seen.

A pair is a unit of a run folder, so a stopped experiment goes on where it was. A source may be None: any scene.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

from gifthorse.classifier import pin, resolve
from gifthorse.errors import UsageError, nearest
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Watching
from gifthorse.jobs.pair_search import ANY, Hunt, best_of, together
from gifthorse.jobs.run import begin
from gifthorse.jobs.surroundings import Surroundings, surroundings
from gifthorse.randomness import generator
from gifthorse.records import (
    Cell,
    Failure,
    Ground,
    Hit,
    Hunted,
    Swept,
    cell,
    plain,
    read,
)
from gifthorse.runner import Runner
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store, Unit
from gifthorse.tools import TOOLS
from gifthorse.zoo import GENERATORS
from gifthorse.zoo.patch_pool import PatchPool

VERSION = 1
"""Raised whenever the same inputs give another content."""

FITTED, TRIED = 96, 50
"""Scenes of the source that patches are made on, of which a quarter screens, and others that they are tried on."""

SCREEN = 24
"""Screening scenes for each patch that is tried out (thesis: 50, the ones that patches were made on)."""

PASSES = 2_000
"""Passes that go into a pair's synthetic patches."""

SYNTHETIC, SCREENED, KEPT = 10, 300, 10
"""Synthetic patches, natural ones that are tried out, and those that are kept (thesis 5.2.1: M, K' and K)."""


@dataclass(frozen=True, kw_only=True)
class Order(attacking.Order):
    """What is asked for.

    Attributes:
        n: pairs, drawn at random from those that there are; None for all.
    """

    n: int | None = None

    @property
    def places(self) -> dict[str, str | None]:
        """Where its photographs and its pool lie; nowhere, in the emoji world."""
        return {"photographs": None, "pool": None}

    def surroundings(self) -> Surroundings:
        """Its images and its pool.

        Raises:
            UsageError: an unknown network, or photographs without a pool.
            InputError: there is no such folder or pool.
        """
        return surroundings(self.net, **self.places)


@dataclass(frozen=True, kw_only=True)
class Placed(Order):
    """What is asked for, of pairs in the emoji world or on photographs.

    Attributes:
        data: folder of photographs, for an ImageNet classifier; None for the emoji world.
        pool: natural patches to go with them: a folder of pictures, of tar shards or of Parquet files.
    """

    data: Path | None = None
    pool: Path | None = None

    @property
    def places(self) -> dict[str, str | None]:
        """Where its photographs and its pool lie."""
        told = {"photographs": self.data, "pool": self.pool}
        return {name: None if path is None else str(path.resolve()) for name, path in told.items()}


class Pair(NamedTuple):
    """Class indices; a source of None is any scene but the target's."""

    source: int | None
    target: int


def grounded(order: Order) -> tuple[Ground, tuple[str, ...]]:
    """Where it is computed, pinned, and the names of the network's classes.

    Raises:
        UsageError: an unknown network, or photographs without a pool.
        InputError: there is no such folder or pool.
    """
    order.surroundings()
    ground = resolve(order.device, order.precision, order.threads)
    pin(ground)
    return ground, tuple(from_zoo(order.net, ground).classes)


def drawn(pairs: Sequence[Pair], n: int | None, seed: int) -> list[Pair]:
    """So many of some pairs, at random, in their order.

    Raises:
        UsageError: there are not as many, or n is below 1.
    """
    if n is None:
        return list(pairs)
    if not 1 <= n <= len(pairs):
        raise UsageError(f"--n is {n}", f"1 to {len(pairs)}, the pairs that there are")
    order = torch.randperm(len(pairs), generator=generator(seed, "pairs"))[:n]
    return [pairs[k] for k in sorted(order.tolist())]


def index_of(classes: Sequence[str], name: str) -> int:
    """Of a class by name.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in classes:
        raise UsageError(f"there is no class {name!r}", nearest(name, list(classes)))
    return list(classes).index(name)


def cells(order: Order, ground: Ground, pairs: Sequence[Pair], what: str = "hunt") -> list[Cell]:
    """The cells of some pairs.

    Args:
        what: ``hunt``, or ``sweep`` for what becomes of a search with less.

    Raises:
        InputError: there are too few images of a class.
    """
    where = order.surroundings()
    where.check((pair.source for pair in pairs), (pair.target for pair in pairs))
    classifier = from_zoo(order.net, ground)
    inputs = inputs_of(order, ground, where.pool) | {
        "net": order.net,
        "data": where.data.digest,
        "classifier": classifier.digest,
        "sweep": [list(FEWER), list(NARROWER)] if what == "sweep" else None,
    }
    names = classifier.classes
    return [
        cell(
            "swept" if what == "sweep" else "hunted",
            f"{ANY if pair.source is None else names[pair.source]} to {names[pair.target]}",
            f"gifthorse.jobs.hunting:{what}",
            inputs | {"pair": list(pair)},
            context=dict(order.places),
            weight=WEIGHT,
        )
        for pair in pairs
    ]


WEIGHT = float(PASSES + SCREENED * SCREEN)
"""Of a pair, in passes, for forecasts."""


def inputs_of(order: Order, ground: Ground, pool: PatchPool) -> dict[str, Any]:
    """What every search depends on, besides its network and its pair."""
    row = GENERATORS.make("emoji-objects", {"prior": order.prior})
    return {
        "version": VERSION,
        "attack": plain(TOOLS.spec("rfla_perturb", attacking.UNDISGUISED)),
        "assets": {"prior": order.prior, "digest": row.digest, "pool": pool.digest},
        "ground": plain(ground),
        "seed": order.seed,
        "scenes": [FITTED, TRIED, SCREEN],
        "counts": [PASSES, SYNTHETIC, SCREENED, KEPT],
    }


def made(
    asked: Sequence[Cell], store: Store, runner: Runner, watch: Watching, ground: Ground
) -> tuple[list[Unit], tuple[Failure, ...]]:
    """The units of some cells that could be made, and what became of the others."""
    with runner.starting(functools.partial(begin, ground, False)) as started:
        outcome = fulfil(store, asked, runner=started, watch=lambda progress: watch("hunt", progress))
    return [store.get(one.key) for one in asked if store.has(one.key)], outcome.failed


def _of_zoo(store: Store, made: Cell, draft: Draft) -> Hunt:
    network = from_zoo(made.inputs["net"], read(Ground, made.inputs["ground"]))
    return Hunt(store, made, draft, network, surroundings(made.inputs["net"], **made.context))


def hunt(store: Store, cell: Cell, draft: Draft) -> Hunted:
    """Make a unit: the best natural patches of a pair, beside crops of the target's class and synthetic patches."""
    made = _of_zoo(store, cell, draft)
    with made.network.counting() as passed:
        task, synthetic = made.task()
        listed = made.listed(task, made.seen(task, synthetic))
        draft.progress(0.4)
        best = best_of(made.screening(task, listed.pictures), made.kept)
        names, crops = made.crops()
        chosen = best_of(made.screening(task, crops), made.kept)
        draft.progress(0.9)
        natural, cut = listed.pictures[best], crops[chosen]
        alike, near = made.likeness(natural)
        told = Hunted(
            **made.named,
            n=len(made.report),
            before=made.before,
            natural=made.hits([listed.ids[k] for k in best], natural),
            crops=made.hits([names[k] for k in chosen], cut),
            synthetic=made.hits([f"synthetic {k}" for k in range(len(synthetic))], synthetic),
            dropped=listed.dropped,
            alike=alike,
            near=near,
            published=made.published(task, listed),
            pictures=together(draft, (natural, cut, synthetic)),
        )
    draft.count(forward=passed.forward, backward=passed.backward)
    return told


FEWER, NARROWER = (1, 2, 5, 10), (10, 30, 100, 300)
"""Numbers of synthetic patches, and of natural ones that are tried out, in a sweep (Figure 5.8)."""


def sweep(store: Store, cell: Cell, draft: Draft) -> Swept:
    """Make a unit: the mean success of the best patches, had there been fewer synthetic ones or fewer tried out."""
    made = _of_zoo(store, cell, draft)
    fewer, narrower = cell.inputs["sweep"]
    scores, done = dict[str, float](), dict[str, Hit]()
    with made.network.counting() as passed:
        task, pictures = made.task()
        synthetic, before, rows = made.seen(task, pictures), made.before, []
        for count in fewer:
            listed = made.listed(task, synthetic.first(count))
            new = [k for k, name in enumerate(listed.ids) if name not in scores]
            if new:
                tried = made.screening(task, listed.pictures[new])
                scores |= {listed.ids[k]: score for k, score in zip(new, tried.tolist(), strict=True)}
            row = []
            for width in narrower:
                told = torch.tensor([scores[name] for name in listed.ids[:width]])
                best = best_of(told, made.kept)
                fresh = [k for k in best if listed.ids[k] not in done]
                hits = made.hits([listed.ids[k] for k in fresh], listed.pictures[fresh])
                done |= {hit.name: hit for hit in hits}
                success = [(done[listed.ids[k]].hits - before) / len(made.report) for k in best]
                row.append(sum(success) / len(success))
            rows.append(tuple(row))
            draft.progress(len(rows) / len(fewer))
    draft.count(forward=passed.forward, backward=passed.backward)
    return Swept(
        **made.named,
        synthetic=tuple(fewer),
        screened=tuple(narrower),
        success=tuple(rows),
    )
