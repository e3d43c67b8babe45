"""The batches that the encoder is trained on: which things meet in one, under which names, drawn how badly.

Step ``k`` draws everything from a generator seeded by (seed, k): a batch depends on no other one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gifthorse.zoo import art, captions
from gifthorse.zoo.encoder import Shape, Towers
from gifthorse.zoo.encoder_pictures import SIDE, TINTS, Dice, Drawings, backgrounds, clean, render, spoil

FIRST_INSTANCE = 1000
"""Drawings of a texture below this number are held out of training; suites take sources and options from them."""

NEIGHBOURS = 24
"""Look-alikes of each item among which a batch's groups are chosen."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train; every default is our choice.

    Attributes:
        shape: sizes of the towers.
        seed: of the weights and of every picture.
        batch: pictures with a name in a step.
        nothing: pictures of nothing beside them, which must lead to an even choice.
        others: tell each picture from the captions of all other items too, not only of those in the batch.
        learning_rate: peak of the one-cycle schedule of AdamW; ``weight_decay``: of AdamW, on matrices only.
        small: for this share of the steps the pictures have ``small_side`` pixels, which is faster; then 64.
        strengths: how badly the pictures are treated; each batch has equal parts of them.
        ramp: share of the steps over which the strengths rise from 0.4 of these to all of them.
        instances: drawings of each texture that are trained on.
        tinted: share of drawings redrawn in another colour, with its word before the caption.
        grouped: share of the steps whose things come from few categories, so that look-alikes meet in a batch.
        alike: of the things of a batch, so many at a time are those that the weights it starts from find hardest to
            tell from one another; 0 for none. Needs weights to start from.
        textures: least share of textures in such a batch; there are few of them among the emoji, and each looks
            different every time.
        every: steps between checkpoints.
    """

    shape: Shape = field(default_factory=Shape)
    seed: int = 0
    batch: int = 256
    nothing: int = 12
    others: bool = True
    learning_rate: float = 3e-3
    weight_decay: float = 0.05
    small: float = 0.6
    small_side: int = 48
    strengths: tuple[float, ...] = (0.4, 0.7, 1.0)
    ramp: float = 0.4
    instances: int = 40
    tinted: float = 0.08
    grouped: float = 0.0
    alike: int = 0
    textures: float = 0.0
    every: int = 100


@dataclass(frozen=True)
class World:
    """What is trained on: drawings, and the captions of every item by index.

    Attributes:
        nearest: ``(K, N)`` the items most like each one, itself first, or none where nobody has compared them.
    """

    drawings: Drawings
    names: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    nearest: Tensor = field(default_factory=lambda: torch.zeros(0, 0, dtype=torch.long))


def world(instances: range, names: Sequence[str] | None = None) -> World:
    """The items of the vocabulary with these instances of each texture; ``names`` picks some of them."""
    chosen = tuple(captions.items() if names is None else names)
    pictures: list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]] = []
    first, count = [], []
    for name in chosen:
        several = [f"{name}/{k}" for k in instances] if name.startswith("texture/") else [name]
        first.append(len(pictures))
        count.append(len(several))
        pictures += [np.round(art.picture(one, SIDE) * 255).astype(np.uint8) for one in several]
    return World(
        drawings=Drawings(
            pictures=torch.from_numpy(np.stack(pictures)),
            first=torch.tensor(first),
            count=torch.tensor(count),
            opaque=torch.tensor([name.startswith("texture/") for name in chosen]),
            coloured=torch.tensor([captions.names_a_colour(name) for name in chosen]),
        ),
        names=chosen,
        captions=tuple(captions.captions(name) for name in chosen),
    )


@dataclass(frozen=True)
class Batch:
    """What one step sees.

    Attributes:
        images: ``(B, 3, S, S)`` imperfect pictures of things.
        texts: their captions, then those of ``E`` items that are not in the batch.
        same: ``(B, B + E)``, which mean the same.
        nothing: ``(N, 3, S, S)`` pictures of nothing.
        clean: ``(B / 2, 3, S, S)`` clean pictures of every second thing, or none.
    """

    images: Tensor
    texts: list[str]
    same: Tensor
    nothing: Tensor
    clean: Tensor


def batch_of(source: World, settings: Settings, step: int, steps: int) -> Batch:
    """The batch of one of ``steps`` steps: items in a new order each pass, so that a batch holds none twice."""
    side = settings.small_side if step < settings.small * steps else SIDE
    dice = Dice(torch.Generator().manual_seed(settings.seed * 1_000_003 + step), side)
    ease = min(1.0, 0.4 + 0.6 * step / max(1.0, settings.ramp * steps))
    items = _items(source, settings, step)
    tints, words = _tints(source, items, dice, settings.tinted)
    absent = torch.ones(len(source.names), dtype=torch.bool)
    absent[items] = False
    beside = absent.nonzero().flatten() if settings.others else items[:0]
    everyone = torch.cat([items, beside]).tolist()
    words += [""] * len(beside)
    texts = []
    for item, word, luck in zip(everyone, words, dice.uniform(0, 1, len(everyone)).tolist(), strict=True):
        known = source.captions[item]
        caption = known[0] if luck < 0.4 else known[int((luck - 0.4) / 0.6 * len(known))]
        texts.append(f"{word} {caption}" if word else caption)
    parts = [
        render(source.drawings, items[part], dice, strength=ease * strength, tints=tints[part])
        for part, strength in zip(_parts(len(items), len(settings.strengths)), settings.strengths, strict=True)
    ]
    means = [f"{item} {word}" for item, word in zip(everyone, words, strict=True)]
    same = (_equal(means) | _equal(texts))[: len(items)]
    empty = nothing(settings.nothing, dice)
    anchors = torch.zeros(0, 3, side, side)
    if side == SIDE:
        anchors = clean(source.drawings, items[::2], dice, tints[::2])
    return Batch(torch.cat(parts), texts, same, empty, anchors)


def _parts(n: int, count: int) -> tuple[Tensor, ...]:
    return torch.tensor_split(torch.arange(n), count)


def nothing(n: int, dice: Dice) -> Tensor:
    """Pictures without an object: half are spoilt grounds, half white noise of several strengths, ``(n, 3, S, S)``."""
    no = torch.tensor([False])
    empty = Drawings(torch.zeros(1, 4, SIDE, SIDE, dtype=torch.uint8), torch.tensor([0]), torch.tensor([1]), no, no)
    grounds = spoil(backgrounds(empty, n // 2, dice), dice, 1.0)
    rest = n - n // 2
    white = 0.5 + (dice.uniform(0, 1, rest, 3, dice.side, dice.side) - 0.5) * dice.uniform(0.3, 1.0, rest, 1, 1, 1)
    return torch.cat([grounds, white])


def _items(source: World, settings: Settings, step: int) -> Tensor:
    """Indices of a step's items: consecutive parts of one order a pass, a shuffle of all or of whole categories."""
    n = len(source.names)
    size = min(settings.batch, n)
    if settings.alike:
        return _look_alikes(source, settings, step, size)
    steps = n // size
    turn, start = step // steps, step % steps * size
    generator = torch.Generator().manual_seed(settings.seed * 7919 + 1 + turn)
    order = torch.randperm(n, generator=generator)
    if int((turn + 1) * settings.grouped) > int(turn * settings.grouped):
        kinds = sorted({captions.category(name) for name in source.names})
        place = torch.randperm(len(kinds), generator=generator)
        rank = torch.tensor([int(place[kinds.index(captions.category(source.names[item]))]) for item in order.tolist()])
        order = order[torch.argsort(rank, stable=True)].roll(-int(torch.randint(n, (1,), generator=generator)))
    return order[start : start + size]


def _look_alikes(source: World, settings: Settings, step: int, size: int) -> Tensor:
    """Indices of a step's items: textures for their share, then groups of look-alikes around random items."""
    generator = torch.Generator().manual_seed(settings.seed * 7919 + 1 + step)
    order = torch.randperm(len(source.names), generator=generator)
    full = order[source.drawings.opaque[order]]
    chosen = dict.fromkeys(full[: round(settings.textures * size)].tolist())
    for item in order.tolist():
        group = [other for other in source.nearest[item].tolist() if other not in chosen][: settings.alike]
        chosen |= dict.fromkeys(group[: size - len(chosen)])
        if len(chosen) == size:
            break
    items = torch.tensor(list(chosen))
    return items[torch.randperm(size, generator=generator)]


def compared(source: World, towers: Towers, most: int) -> World:
    """A world in which everything knows the ``most`` items that towers find most like it, clean pictures compared."""
    towers.eval()
    dice = Dice(torch.Generator().manual_seed(0))
    n = len(source.names)
    plain = clean(source.drawings, torch.arange(n), dice, torch.full((n, 3), math.nan))
    with torch.no_grad():
        seen = F.normalize(torch.cat([towers.image(part).float() for part in torch.split(plain, 256)]), dim=1)
    cosines = (seen @ seen.T).fill_diagonal_(2.0)
    return replace(source, nearest=cosines.topk(min(most, n), dim=1).indices)


def _tints(source: World, items: Tensor, dice: Dice, share: float) -> tuple[Tensor, list[str]]:
    """Colours to redraw in (NaN for none) and their words; textures and what is named by its colour keep theirs."""
    tints = torch.full((len(items), 3), math.nan)
    words = [""] * len(items)
    names = sorted(TINTS)
    chosen = dice.some(len(items), share).tolist()
    colours = dice.whole(len(names), len(items)).tolist()
    for index in chosen:
        item = items[index]
        if not (source.drawings.opaque[item] or source.drawings.coloured[item]):
            words[index] = names[colours[index]]
            tints[index] = torch.tensor(TINTS[words[index]])
    return tints, words


def _equal(values: Sequence[str]) -> Tensor:
    numbers = {value: index for index, value in enumerate(values)}
    found = torch.tensor([numbers[value] for value in values])
    return found[:, None] == found[None]
