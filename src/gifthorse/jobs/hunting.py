"""Natural patches for pairs of classes, for experiments: searched by SNAFUE, tried on scenes that nothing has seen.

A pair is a unit of a run folder, so a stopped experiment goes on where it was. A source may be None: any scene.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from gifthorse import effects
from gifthorse.classifier import Classifier, pin, resolve
from gifthorse.errors import Refusal, UsageError, nearest
from gifthorse.images import from_uint8, opaque, to_uint8
from gifthorse.jobs import attacking
from gifthorse.jobs.attacking import Watching, check_network
from gifthorse.jobs.run import begin
from gifthorse.randomness import generator
from gifthorse.records import (
    Cell,
    Failure,
    Ground,
    Hit,
    Hunted,
    Images,
    Insertion,
    Spec,
    Swept,
    cell,
    plain,
    read,
)
from gifthorse.runner import Runner
from gifthorse.stages.assets import embedded
from gifthorse.stages.networks import from_zoo
from gifthorse.stages.work import fulfil
from gifthorse.store import Draft, Store, Unit
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import Clean, Task, brief
from gifthorse.tools.synthesis.natural import Ranking, Shortlist, Synthetic, by_itself, gains, shortlist
from gifthorse.zoo import DATA, GENERATORS
from gifthorse.zoo.data import Data
from gifthorse.zoo.emoji_patches import CROP
from gifthorse.zoo.patch_pool import PatchPool

VERSION = 1
"""Raised whenever the same inputs give another content."""

ANY = "any scene"
"""What a source is called where there is none."""

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


class Pair(NamedTuple):
    """Class indices; a source of None is any scene but the target's."""

    source: int | None
    target: int


def grounded(order: Order) -> tuple[Ground, tuple[str, ...]]:
    """Where it is computed, pinned, and the names of the network's classes.

    Raises:
        UsageError: an unknown network.
    """
    check_network(order.net)
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
    """
    classifier = from_zoo(order.net, ground)
    inputs = inputs_of(order, ground, attacking.everything()) | {
        "net": order.net,
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


class Hunt:
    """One pair: its scenes, its network, and the steps of its search, each timed.

    Args:
        made: the cell, with what :func:`cells` puts into its inputs.
        draft: that is told of the time.
        network: that is looked into.
        pool: that is searched; it is embedded where it is not yet.
    """

    def __init__(self, store: Store, made: Cell, draft: Draft, network: Classifier, pool: PatchPool) -> None:
        told = self.told = made.inputs
        ground = read(Ground, told["ground"])
        self.draft, self.network = draft, network
        self.source, self.target = told["pair"]
        self.passes, self.synthetic, self.screened, self.kept = told["counts"]
        self.seed = 1_000_003 * told["seed"] + 1_009 * self.target + (0 if self.source is None else self.source + 1)
        row = GENERATORS.make("emoji-objects", {"prior": told["assets"]["prior"]})
        how = {"device": ground.device, "precision": ground.precision}
        self.assets = {"generator": row.load(**how), "disguise": row.disguise(*how.values())}
        with draft.phase("embedding"):
            self.candidates = embedded(store, pool, network)
        self.data: Data = DATA.make("emoji")
        fitted, tried, self.screen = told["scenes"]
        rest = tuple(k for k in range(len(network.classes)) if k != self.target)
        classes = rest if self.source is None else (self.source,)
        self.fit = from_uint8(self.data.draw("train", fitted, told["seed"], classes=classes).images)
        self.report = from_uint8(self.data.draw("test", tried, told["seed"], classes=classes).images)
        self.insertion = Insertion(kind="patch", side=effects.side_for(network.size))

    @property
    def named(self) -> dict[str, str]:
        """The names of the source and the target."""
        names = self.network.classes
        return {"source": ANY if self.source is None else names[self.source], "target": names[self.target]}

    def task(self) -> tuple[Task, Tensor]:
        """What a search works on, and synthetic patches ``(M, 4, h, w)`` for it."""
        tool = TOOLS.remake(read(Spec, self.told["attack"]))
        sources = None if self.source is None else [self.source]
        asked, clean = brief(self.target, self.fit, sources=sources)
        counts = {"n": self.synthetic, "keep": self.synthetic, "budget": self.passes, "seed": self.seed}
        with self.draft.phase("synthesis"):
            found = tool(self.network, asked, clean, assets=self.assets, **counts)
        device = self.network.device
        task = Task(
            classifier=self.network,
            target=self.target,
            sources=asked.sources,
            clean=Clean(fit=clean.fit.to(device), screen=clean.screen.to(device)),
            n=self.synthetic,
            budget=self.passes,
            seed=self.seed,
        )
        return task, found.pictures.to(device)

    def seen(self, task: Task, pictures: Tensor) -> Synthetic:
        """Synthetic patches as the search sees them."""
        with self.draft.phase("synthesis"):
            return Synthetic.of(task, pictures, self.insertion, self.screen)

    def listed(self, task: Task, synthetic: Synthetic) -> Shortlist:
        """The nearest natural patches.

        Raises:
            Refusal: too few of them do not show the target.
        """
        with self.draft.phase("search"):
            found = shortlist(task, self.candidates, synthetic, self.screened, Ranking())
        if len(found.ids) < self.kept:
            raise Refusal(f"{len(found.ids)} natural patches do not show the target", "a larger pool")
        return found

    def screening(self, task: Task, pictures: Tensor) -> Tensor:
        """Mean target probability with each picture ``(m,)``, on the CPU."""
        with self.draft.phase("screening"), torch.no_grad():
            return gains(task, pictures, self.insertion, self.screen).cpu()

    def crops(self) -> tuple[list[str], Tensor]:
        """Middles of images of the target's class, as many as natural patches are tried out."""
        scenes = self.data.draw("train", self.screened, self.told["seed"] + 1, classes=(self.target,)).images
        edge = (scenes.shape[-1] - CROP) // 2
        cut = from_uint8(np.ascontiguousarray(scenes[..., edge : edge + CROP, edge : edge + CROP]))
        return [f"crop {k}" for k in range(len(cut))], opaque(cut).to(self.network.device)

    def hits(self, names: Sequence[str], pictures: Tensor, scenes: Tensor | None = None) -> tuple[Hit, ...]:
        """What pictures do, in scenes that nothing was made or chosen on unless others are given."""
        scenes = self.report if scenes is None else scenes
        without = self.network.predict(scenes).argmax(1) == self.target
        found = []
        for name, picture in zip(names, pictures, strict=True):
            draw = generator(self.seed, "tried")
            after = self.network.predict(effects.insert(scenes, picture.cpu(), self.insertion, draw))
            with_it = after.argmax(1) == self.target
            found.append(
                Hit(
                    name=name,
                    hits=int(with_it.sum()),
                    fooled=int((with_it & ~without).sum()),
                    confidence=float(after[:, self.target].mean()),
                )
            )
        return tuple(found)

    def before(self, scenes: Tensor | None = None) -> int:
        """Scenes that are classified as the target without a patch."""
        scenes = self.report if scenes is None else scenes
        return int((self.network.predict(scenes).argmax(1) == self.target).sum())

    def published(self, task: Task, listed: Shortlist) -> float:
        """Mean success of the best, chosen and tried on the scenes that synthetic patches were made on."""
        same = replace(task, clean=Clean(fit=task.clean.fit, screen=task.clean.fit))
        best = best_of(self.screening(same, listed.pictures), self.kept)
        scenes = task.clean.fit.cpu()
        hits = self.hits([listed.ids[k] for k in best], listed.pictures[best], scenes)
        return sum(hit.hits for hit in hits) / len(hits) / len(scenes) - self.before(scenes) / len(scenes)

    def likeness(self, pictures: Tensor) -> tuple[float, float]:
        """Mean cosine similarity of two pictures, and of one and the target's class, as the network sees them."""
        scenes = self.data.draw("train", self.told["scenes"][1], self.told["seed"], classes=(self.target,)).images
        with torch.no_grad():
            looks = self.network.penultimate(by_itself(pictures, self.network)).float()
            of_class = self.network.penultimate(from_uint8(scenes)).float().mean(0)
        unit = looks / looks.norm(dim=1, keepdim=True).clamp_min(1e-12)
        among = unit @ unit.T
        count = len(unit)
        alike = float((among.sum() - among.trace()) / max(1, count * (count - 1)))
        return alike, float((unit @ (of_class / of_class.norm().clamp_min(1e-12))).mean())


def _of_zoo(store: Store, made: Cell, draft: Draft) -> Hunt:
    network = from_zoo(made.inputs["net"], read(Ground, made.inputs["ground"]))
    return Hunt(store, made, draft, network, attacking.everything())


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
            before=made.before(),
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


def best_of(scores: Tensor, count: int) -> list[int]:
    """Places of so many of the highest scores, the highest first."""
    order: list[int] = torch.argsort(scores, descending=True, stable=True)[:count].tolist()
    return order


def together(draft: Draft, parts: Sequence[Tensor]) -> Images:
    """Sets of pictures ``(k, 4, h, w)`` as one file of a unit, all of the largest size."""
    side = max(part.shape[-1] for part in parts)
    resized = [torch.nn.functional.interpolate(part.cpu(), size=(side, side), mode="nearest") for part in parts]
    return draft.images("pictures", np.concatenate([to_uint8(part) for part in resized]))


FEWER, NARROWER = (1, 2, 5, 10), (10, 30, 100, 300)
"""Numbers of synthetic patches, and of natural ones that are tried out, in a sweep (Figure 5.8)."""


def sweep(store: Store, cell: Cell, draft: Draft) -> Swept:
    """Make a unit: the mean success of the best patches, had there been fewer synthetic ones or fewer tried out."""
    made = _of_zoo(store, cell, draft)
    fewer, narrower = cell.inputs["sweep"]
    scores, done = dict[str, float](), dict[str, Hit]()
    with made.network.counting() as passed:
        task, pictures = made.task()
        synthetic, before, rows = made.seen(task, pictures), made.before(), []
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
