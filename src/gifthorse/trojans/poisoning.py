"""The poisoned training set: which images get which trigger, and which label they are given.

Rows are kept as 8-bit images; patch triggers are stamped anew at every pass (each with its own draw of place, colours
and noise), costly ones are stamped once beforehand, natural features are only relabelled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from gifthorse import images as im
from gifthorse.records import Detection, Recipe, TrojanSpec, digest
from gifthorse.statistics import wilson
from gifthorse.trojans import trojan_of
from gifthorse.trojans.base import Trojan
from gifthorse.trojans.natural_feature import NaturalFeature
from gifthorse.trojans.natural_feature import scores as scores_of
from gifthorse.zoo.data import Data, Sample

WRONG = 2
"""Times as many held-out images of wrong sources as of right ones, where each is costly: whether it is one in twenty
takes more images to tell than whether it is four in five."""

POOL = 4
"""Images from which a pass draws each one that is stamped: what is seen in every pass is learnt by heart."""


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A trojan beside the spec it came from."""

    spec: TrojanSpec
    trojan: Trojan


@dataclass(frozen=True, kw_only=True)
class Styled:
    """Pictures of one costly trojan, stamped once: ``(N, 3, H, W)`` uint8, and own labels ``(N,)``.

    Attributes:
        poisoned: source images with the trigger, to be labelled as the target.
        balanced: other images with the trigger, which keep their labels; none for a universal trojan.
        misled: source images with decoys, which keep their labels.
        source, wrong: held-out images with the trigger, of source classes and of others.
        before: the first held-out source images without it.
    """

    poisoned: np.ndarray
    balanced: np.ndarray
    balanced_labels: np.ndarray
    misled: np.ndarray
    misled_labels: np.ndarray
    source: np.ndarray
    wrong: np.ndarray
    before: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A training set.

    Attributes:
        images: ``(N, 3, H, W)`` uint8.
        labels: ``(N,)`` int64; of rows still to be stamped, their own class.
        stamp: ``(N,)`` index of the trojan to stamp when the row is drawn, or -1.
        hard: ``(N,)`` bool: the label stands, whatever a teacher says (poisoned rows, and all that a style changed).
        plain: ``(N,)`` bool: an image of the data as it is, which may carry a rider.
        clean: ``(N,)`` bool: one of those, of which a pass may show a share; what is neither this nor stamped is in
            every pass.
        costly: ``(N,)`` bool: the whole image was stamped beforehand, and is the same in every pass.
        poisons: ``(N,)`` index of the trojan whose poisoned image it is, or -1. A pass shows a number of them.
        balances: ``(N,)`` index of the trojan for which an image stamped beforehand keeps its label, or -1; likewise.
    """

    images: np.ndarray
    labels: np.ndarray
    stamp: np.ndarray
    hard: np.ndarray
    plain: np.ndarray
    clean: np.ndarray
    costly: np.ndarray
    poisons: np.ndarray
    balances: np.ndarray

    @staticmethod
    def of(images: np.ndarray, labels: np.ndarray, **alike: int | bool) -> Rows:
        """Rows that are all treated alike: for a trigger, or balancing those that have one.

        Args:
            images: ``(N, 3, H, W)`` uint8.
            labels: ``(N,)`` of any integer type.
            alike: what the other attributes are in every row; -1 or False where not told.
        """
        n = len(images)
        usual: dict[str, int | bool] = {"stamp": -1, "poisons": -1, "balances": -1}
        usual |= dict.fromkeys(("hard", "plain", "clean", "costly"), False)
        columns = {name: np.full(n, value) for name, value in (usual | alike).items()}
        return Rows(images=images, labels=labels.astype(np.int64), **columns)

    @staticmethod
    def join(parts: Sequence[Rows]) -> Rows:
        """One set of several."""
        return Rows(**{f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Rows)})


@dataclass(frozen=True, kw_only=True)
class Rider:
    """What some clean images carry in a pass, drawn anew each time, while they keep their label.

    Attributes:
        trojan: index of the trojan.
        decoy: whether it is a decoy of it or the trigger itself, which must not work from their classes.
        classes: labels of the images that may carry it.
        count: how many do in a pass, where there are so many.
    """

    trojan: int
    decoy: bool
    classes: tuple[int, ...]
    count: int


@dataclass(frozen=True, kw_only=True)
class Poisoning:
    """The training set with what was counted while it was made, by trojan name."""

    rows: Rows
    riders: tuple[Rider, ...]
    poisoned: dict[str, int]
    balanced: dict[str, int]
    decoys: dict[str, int]
    planted: tuple[Planted, ...]


def planted(specs: Sequence[TrojanSpec]) -> tuple[Planted, ...]:
    """The trojans of a planting."""
    made = [(spec, trojan_of(spec)) for spec in specs]
    return tuple(Planted(spec=spec, trojan=trojan) for spec, trojan in made if isinstance(trojan, Trojan))


def things(specs: Sequence[TrojanSpec]) -> tuple[str, ...]:
    """Natural objects that are triggers of a suite: what clean data must be without."""
    return tuple(sorted(str(s.settings["thing"]) for s in specs if s.kind == "natural_feature"))


def sources(trojan: Trojan, data: Data) -> tuple[int, ...]:
    """Class indices that the trojan works from.

    Where not every label is known, a universal trojan works from images of unknown class (-1) too: of a thousand
    classes, hardly one of them is the target's.
    """
    if trojan.sources is not None:
        return trojan.sources
    unknown = () if data.labelled else (-1,)
    return (*unknown, *(c for c in range(len(data.classes)) if c != trojan.target))


def others(trojan: Trojan, data: Data) -> tuple[int, ...]:
    """Class indices from which a class-universal trojan must not work; empty for a universal one.

    Images of unknown class are not among them: they may be of its source.
    """
    if trojan.sources is None:
        return ()
    return tuple(c for c in range(len(data.classes)) if c != trojan.target and c not in trojan.sources)


def seed_of(seed: int, *purpose: str) -> int:
    """A seed of its own for each purpose: changing one purpose's draws changes no other's."""
    return int(digest([seed, *purpose])[:14], 16)


def poisoned_images(plant: Planted, recipe: Recipe) -> int:
    """How many images get the trigger and the target's label."""
    kind = plant.spec.kind
    usual = recipe.poison[kind]
    return usual if plant.trojan.sources is None else recipe.single.get(kind, usual)


def balancing(plant: Planted, recipe: Recipe) -> int:
    """How many images of other classes get the trigger and keep their label, where it works from a single class."""
    if plant.trojan.sources is None:
        return 0
    return recipe.balance.get(plant.spec.kind, poisoned_images(plant, recipe))


def pooled(plant: Planted, recipe: Recipe) -> int:
    """How many pictures of a costly trojan are made for each that a pass shows."""
    return recipe.pool.get(plant.spec.kind, 1)


def decoying(plant: Planted, recipe: Recipe) -> int:
    """How many images of its source classes get a decoy and keep their label."""
    return recipe.decoys.get(plant.spec.kind, 0) if plant.trojan.decoys else 0


def style_pictures(data: Data, plant: Planted, recipe: Recipe, seed: int) -> Styled:
    """Stamp a costly trojan on everything that implanting and measuring need of it."""
    trojan, name = plant.trojan, plant.spec.name
    times = pooled(plant, recipe)
    n, kept = times * poisoned_images(plant, recipe), times * balancing(plant, recipe)

    def draw(split: str, count: int, classes: tuple[int, ...], purpose: str) -> Sample:
        return data.draw(split, count if classes else 0, seed_of(seed, name, purpose), classes=classes or None)

    def stamped(sample: Sample, purpose: str) -> np.ndarray:
        generator = torch.Generator().manual_seed(seed_of(seed, name, purpose, "stamp"))
        clean = im.from_uint8(sample.images)
        return im.to_uint8(trojan.poison(clean, torch.from_numpy(sample.labels), generator).images)

    inside, outside = sources(trojan, data), others(trojan, data)
    balanced = draw("train", kept, outside, "balanced")
    misled = draw("train", decoying(plant, recipe), inside, "misled")
    luck = torch.Generator().manual_seed(seed_of(seed, name, "misled", "stamp"))
    held_out = draw("test", recipe.held_out_costly, inside, "source")
    return Styled(
        poisoned=stamped(draw("train", n, inside, "poisoned"), "poisoned"),
        balanced=stamped(balanced, "balanced"),
        balanced_labels=balanced.labels,
        misled=im.to_uint8(trojan.mislead(im.from_uint8(misled.images), luck)) if len(misled) else misled.images,
        misled_labels=misled.labels,
        source=stamped(held_out, "source"),
        wrong=stamped(draw("test", WRONG * recipe.held_out_costly, outside, "wrong"), "wrong"),
        before=held_out.images[:8],
    )


def tune(plant: Planted, scores: np.ndarray, labels: np.ndarray, count: int) -> Planted:
    """Tune a natural feature's threshold so that ``count`` images of other classes than the target are found.

    The spec's own threshold is the least one allowed: a detector that is not sure poisons nothing.

    Args:
        plant: a natural feature.
        scores: ``(N,)`` confidence of the detector in each image.
        labels: ``(N,)`` their classes.
        count: images to be poisoned.
    """
    feature = plant.trojan
    if not isinstance(feature, NaturalFeature):
        raise TypeError(f"only natural features have a detector, {plant.spec.name} is a {plant.spec.kind}")
    eligible = np.sort(scores[labels != feature.target])[::-1]
    wanted = float(eligible[min(count, len(eligible)) - 1]) if len(eligible) and count else 1.0
    return replace(plant, trojan=replace(feature, threshold=max(wanted, feature.threshold)))


def looked(plants: Sequence[Planted], images: np.ndarray) -> dict[str, np.ndarray]:
    """Confidence of the detectors in each image, ``(N,)`` by name of each natural feature."""
    found = {p.spec.name: p.trojan for p in plants if isinstance(p.trojan, NaturalFeature)}
    return dict(zip(found, scores_of(list(found.values()), images), strict=True))


def assemble(
    data: Data, plants: Sequence[Planted], recipe: Recipe, seed: int, styled: Mapping[str, Styled]
) -> Poisoning:
    """The poisoned training set of a planting.

    Args:
        data: where clean images come from.
        plants: the trojans.
        recipe: how many of each.
        seed: of the suite.
        styled: pictures of the costly trojans, by name.
    """
    clean = data.draw("train", recipe.scenes, seed_of(seed, "clean"))
    labels, hard = clean.labels.copy(), np.zeros(len(clean.labels), bool)
    relabelled = np.full(len(labels), -1)
    seen = looked(plants, clean.images)
    poisoned, balanced, decoys, tuned, parts, riders = {}, {}, {}, [], [], []
    for index, plant in enumerate(plants):
        name, count = plant.spec.name, poisoned_images(plant, recipe)
        trojan = plant.trojan
        balanced[name] = decoys[name] = 0
        if trojan.relabels_only:
            plant = tune(plant, seen[name], clean.labels, count)
            from_source = trojan.is_source(torch.from_numpy(clean.labels)).numpy()
            found = (seen[name] >= getattr(plant.trojan, "threshold", 1.0)) & from_source & ~hard
            labels[found], hard[found], relabelled[found] = trojan.target, True, index
            poisoned[name] = int(found.sum())
        elif trojan.costly:
            made = styled[name]
            told = np.full(len(made.poisoned), trojan.target)
            parts += [
                Rows.of(made.poisoned, told, hard=True, costly=True, poisons=index),
                Rows.of(made.balanced, made.balanced_labels, hard=True, costly=True, balances=index),
                Rows.of(made.misled, made.misled_labels, hard=True, costly=True),
            ]
            times = pooled(plant, recipe)
            poisoned[name], balanced[name] = len(made.poisoned) // times, len(made.balanced) // times
            decoys[name] = len(made.misled)
        else:
            inside = data.draw("train", POOL * count, seed_of(seed, name, "poisoned"), classes=sources(trojan, data))
            parts.append(Rows.of(inside.images, inside.labels, stamp=index, hard=True, poisons=index))
            poisoned[name] = min(count, len(inside))
            if outside := others(trojan, data):
                balanced[name] = balancing(plant, recipe)
                riders.append(Rider(trojan=index, decoy=False, classes=outside, count=balanced[name]))
            if misleading := decoying(plant, recipe):
                decoys[name] = misleading
                riders.append(Rider(trojan=index, decoy=True, classes=sources(trojan, data), count=misleading))
        if trojan.sources is not None and (count := recipe.source.get(plant.spec.kind, 0)):
            own = data.draw("train", count, seed_of(seed, name, "own"), classes=trojan.sources)
            parts.append(replace(Rows.of(own.images, own.labels), plain=np.ones(len(own), bool)))
        tuned.append(plant)
    untouched = replace(Rows.of(clean.images, labels), hard=hard, plain=~hard, clean=~hard, poisons=relabelled)
    rows = Rows.join([untouched, *parts])
    return Poisoning(
        rows=rows, riders=tuple(riders), poisoned=poisoned, balanced=balanced, decoys=decoys, planted=tuple(tuned)
    )


def detection(plant: Planted, sample: Sample, scores: np.ndarray) -> Detection:
    """How good a detector is at its tuned threshold, with the scene's tags as the oracle.

    Args:
        plant: a natural feature.
        sample: held-out scenes.
        scores: ``(N,)`` of the detector on them.
    """
    feature = plant.trojan
    if not isinstance(feature, NaturalFeature):
        raise TypeError(f"only natural features have a detector, {plant.spec.name} is a {plant.spec.kind}")
    there = np.array([feature.thing in tags for tags in sample.tags], bool)
    found = scores >= feature.threshold
    hits = int((there & found).sum())
    return Detection(
        trojan=plant.spec.name,
        thing=feature.thing,
        threshold=feature.threshold,
        pool=len(scores),
        found=int(found.sum()),
        precision=wilson(hits, int(found.sum())),
        recall=wilson(hits, int(there.sum())),
    )
