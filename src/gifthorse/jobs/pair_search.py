"""One search of natural patches for a pair of classes: its images, its network, and its steps, each timed (5.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from gifthorse import effects
from gifthorse.classifier import Classifier
from gifthorse.errors import Refusal
from gifthorse.images import from_uint8, opaque, to_uint8
from gifthorse.jobs.surroundings import Surroundings
from gifthorse.randomness import generator
from gifthorse.records import Cell, Ground, Hit, Images, Insertion, Spec, read
from gifthorse.stages.assets import embedded
from gifthorse.store import Draft, Store
from gifthorse.tools import TOOLS
from gifthorse.tools.synthesis.base import Clean, Task, brief
from gifthorse.tools.synthesis.natural import Ranking, Shortlist, Synthetic, by_itself, gains, shortlist
from gifthorse.zoo import GENERATORS

LOOKED = (2, 8, 32)
"""Patches that are looked at by themselves for each that is wanted: more, where fewer are too few."""

FEWEST = 4
"""Images that patches are made on, of which one screens."""

ANY = "any scene"
"""What a source is called where there is none."""


class Hunt:
    """One pair: its scenes, its network, and the steps of its search, each timed.

    Args:
        made: the cell, with what :func:`cells` puts into its inputs.
        draft: that is told of the time.
        network: that is looked into.
        where: images and the pool that is searched; it is embedded where it is not yet.
    """

    def __init__(self, store: Store, made: Cell, draft: Draft, network: Classifier, where: Surroundings) -> None:
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
            self.candidates = embedded(store, where.pool, network)
        self.data = where.data
        fitted, tried, self.screen = told["scenes"]
        rest = tuple(k for k in range(len(network.classes)) if k != self.target)
        classes = rest if self.source is None else (self.source,)
        self.fit = from_uint8(self.data.draw("train", fitted, told["seed"], classes=classes).images)
        self.report = from_uint8(self.data.draw("test", tried, told["seed"], classes=classes).images)
        if len(self.fit) < FEWEST or not len(self.report):
            raise Refusal(
                f"{len(self.fit)} images of {self.named['source']} to make patches on and {len(self.report)} to try "
                "them on could be read",
                "more of them, or others: some may be damaged",
            )
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
        """The nearest natural patches; of a target that most of them show, farther ones too.

        Raises:
            Refusal: too few of them do not show the target.
        """
        with self.draft.phase("search"):
            for looked in LOOKED:
                found = shortlist(task, self.candidates, synthetic, self.screened, Ranking(looked=looked))
                if len(found.ids) >= self.kept:
                    break
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
        if not len(scenes):
            raise Refusal(
                f"no image of {self.network.classes[self.target]} could be read", "others: these may be damaged"
            )
        middle = scenes.shape[-1] // 2
        edge = (scenes.shape[-1] - middle) // 2
        cut = from_uint8(np.ascontiguousarray(scenes[..., edge : edge + middle, edge : edge + middle]))
        return [f"crop {k}" for k in range(len(cut))], opaque(cut).to(self.network.device)

    def hits(self, names: Sequence[str], pictures: Tensor, scenes: Tensor | None = None) -> tuple[Hit, ...]:
        """What pictures do, in scenes that nothing was made or chosen on unless others are given."""
        without = self.bare if scenes is None else self.fires(scenes)
        scenes = self.report if scenes is None else scenes
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

    @cached_property
    def bare(self) -> Tensor:
        """Whether each scene that nothing was made on is classified as the target without a patch, ``(n,)``."""
        return self.fires(self.report)

    def fires(self, scenes: Tensor) -> Tensor:
        """Whether each scene ``(n, 3, H, W)`` is classified as the target, ``(n,)``."""
        found: Tensor = self.network.predict(scenes).argmax(1) == self.target
        return found

    @property
    def before(self) -> int:
        """Scenes that nothing was made on that are classified as the target without a patch."""
        return int(self.bare.sum())

    def published(self, task: Task, listed: Shortlist) -> float:
        """Mean success of the best, chosen and tried on the scenes that synthetic patches were made on."""
        same = replace(task, clean=Clean(fit=task.clean.fit, screen=task.clean.fit))
        best = best_of(self.screening(same, listed.pictures), self.kept)
        scenes = task.clean.fit.cpu()
        hits = self.hits([listed.ids[k] for k in best], listed.pictures[best], scenes)
        return sum(hit.hits for hit in hits) / len(hits) / len(scenes) - float(self.fires(scenes).float().mean())

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


def best_of(scores: Tensor, count: int) -> list[int]:
    """Places of so many of the highest scores, the highest first."""
    order: list[int] = torch.argsort(scores, descending=True, stable=True)[:count].tolist()
    return order


def together(draft: Draft, parts: Sequence[Tensor]) -> Images:
    """Sets of pictures ``(k, 4, h, w)`` as one file of a unit, all of the largest size."""
    side = max(part.shape[-1] for part in parts)
    resized = [torch.nn.functional.interpolate(part.cpu(), size=(side, side), mode="nearest") for part in parts]
    return draft.images("pictures", np.concatenate([to_uint8(part) for part in resized]))
