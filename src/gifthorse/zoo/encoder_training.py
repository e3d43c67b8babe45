"""How the image-text encoder is trained: symmetric InfoNCE over drawings made imperfect and their names.

Once the pictures have their full size, a second InfoNCE ties every second one to a clean picture of the same thing,
since that is what a Question shows as its options.

Resumable and seeded: step ``k`` draws everything from a generator seeded by (seed, k), so an interrupted training that
goes on from its checkpoint gives the same weights as one that never stopped, on one machine with one thread count.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import UsageError
from gifthorse.ground import bfloat16_is_fast
from gifthorse.zoo import art, captions
from gifthorse.zoo.encoder import EmojiEncoder, Shape, Towers, notes_of, stored
from gifthorse.zoo.encoder_pictures import SIDE, TINTS, Dice, Drawings, backgrounds, clean, render, spoil

FIRST_INSTANCE = 1000
"""Drawings of a texture below this number are held out of training; suites take sources and options from them."""

NAME = "emoji-encoder"


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
    every: int = 100


@dataclass(frozen=True)
class World:
    """What is trained on: drawings, and the captions of every item by index."""

    drawings: Drawings
    names: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]


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


def contrastive(images: Tensor, texts: Tensor, scale: Tensor, same: Tensor) -> Tensor:
    """Symmetric InfoNCE (Radford et al. 2021, Fig. 3).

    It differs in that pairs of one item or one caption are no negatives of each other.

    Args:
        images: ``(B, D)`` of norm 1.
        texts: ``(B + E, D)``: the images' own, row for row, then others that pictures are told from as well.
        scale: what cosines are multiplied by.
        same: ``(B, B + E)`` bool, pairs that mean the same thing; its diagonal is not looked at.
    """
    n = len(images)
    others = same & ~torch.eye(n, len(texts), dtype=torch.bool, device=same.device)
    logits = (scale * images @ texts.T).masked_fill(others, -math.inf)
    right = torch.arange(n, device=logits.device)
    return (F.cross_entropy(logits, right) + F.cross_entropy(logits[:, :n].T, right)) / 2


def undecided(images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy to an even choice among the texts: pictures of nothing must prefer none. 0 at best."""
    logits = scale * images @ texts.T
    return -F.log_softmax(logits, 1).mean() - math.log(len(texts))


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


def rate(step: int, steps: int, peak: float) -> float:
    """One-cycle learning rate: linear up over a tenth of the steps, cosine down to a hundredth of the peak."""
    rise = max(1, steps // 10)
    if step < rise:
        return peak * (step + 1) / rise
    return peak * (0.01 + 0.99 * (0.5 + 0.5 * math.cos(math.pi * (step - rise) / max(1, steps - rise))))


class Training:
    """A training under way: towers, optimiser and the number of steps done."""

    def __init__(self, settings: Settings, source: World, steps: int) -> None:
        self.settings, self.source, self.steps, self.done = settings, source, steps, 0
        with _seeded(settings.seed):
            self.towers = Towers(settings.shape)
        matrices = [p for p in self.towers.parameters() if p.dim() > 1]
        vectors = [p for p in self.towers.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=settings.learning_rate, betas=(0.9, 0.98))
        self.towers.image.to(memory_format=torch.channels_last)

    def step(self) -> dict[str, float]:
        """One step of optimisation; returns its losses."""
        settings, towers = self.settings, self.towers.train()
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.done, self.steps, settings.learning_rate)
        batch = batch_of(self.source, settings, self.done, self.steps)
        pictures = torch.cat([batch.images, batch.nothing, batch.clean])
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16_is_fast("cpu")):
            seen = towers.image(pictures.contiguous(memory_format=torch.channels_last))
        seen = F.normalize(seen.float(), dim=1)
        read = F.normalize(towers.text(batch.texts), dim=1)
        things, empty, anchors = torch.split(seen, [len(batch.images), len(batch.nothing), len(batch.clean)])
        loss = contrastive(things, read, towers.scale, batch.same)
        even = undecided(empty, read, towers.scale)
        total = loss + 0.1 * even
        if len(anchors):
            same = batch.same[::2, : len(things) : 2]
            total = total + 0.5 * contrastive(things[::2], anchors, towers.scale, same)
            total = total + 0.1 * undecided(empty, anchors, towers.scale)
        self.optimiser.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(towers.parameters(), 5.0)
        self.optimiser.step()
        self.done += 1
        return {"step": self.done, "loss": loss.item(), "undecided": even.item(), "scale": towers.scale.item()}

    def save(self, path: Path) -> None:
        """Write everything that a resumed training needs; complete or not at all."""
        state = {
            "towers": self.towers.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "done": self.done,
            "steps": self.steps,
            "settings": json.dumps(asdict(self.settings)),
        }
        part = path.with_suffix(".part")
        torch.save(state, part)
        part.replace(path)

    def resume(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            UsageError: it is of a training with other settings.
        """
        state = torch.load(path, weights_only=True)
        if state["settings"] != json.dumps(asdict(self.settings)):
            raise UsageError(
                f"the checkpoint {path} is of a training with other settings: {state['settings']}",
                "train with those settings, or remove the checkpoint to start anew",
            )
        self.towers.load_state_dict(state["towers"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.done, self.steps = state["done"], state["steps"]


def train(
    out: Path,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    resume: bool = True,
    settings: Settings | None = None,
    start: Path | None = None,
) -> Path:
    """Train the encoder and write its weights.

    Args:
        out: folder for ``emoji-encoder.safetensors``, its log (``.log.jsonl``) and, until it is done, its checkpoint.
        steps: how many.
        minutes: instead of steps: as many as fit, by the speed of ten of them.
        resume: go on from the checkpoint where there is one.
        settings: defaults when None.
        start: weights of an earlier training to start from, with an optimiser that has seen nothing.

    Returns:
        The weights file.

    Raises:
        UsageError: neither or both of steps and minutes, or a checkpoint of other settings.
    """
    if (steps is None) == (minutes is None):
        raise UsageError("a training needs either a number of steps or of minutes", "pass steps=5000 or minutes=30")
    chosen = settings or Settings()
    out.mkdir(parents=True, exist_ok=True)
    checkpoint, log, weights = (out / f"{NAME}{end}" for end in (".checkpoint", ".log.jsonl", ".safetensors"))
    source = world(range(FIRST_INSTANCE, FIRST_INSTANCE + chosen.instances))
    if minutes is not None and not (resume and checkpoint.exists()):
        steps = _affordable(chosen, source, minutes)
    training = Training(chosen, source, steps or 1)
    if start is not None:
        training.towers.load_state_dict(EmojiEncoder().load(start).towers.state_dict())
    if resume and checkpoint.exists():
        training.resume(checkpoint)
    started = time.monotonic()
    with log.open("a", encoding="utf-8") as lines:
        while training.done < training.steps:
            losses = training.step()
            if training.done % 20 == 0 or training.done == training.steps:
                lines.write(json.dumps(losses | {"seconds": round(time.monotonic() - started, 1)}) + "\n")
                lines.flush()
            if training.done % chosen.every == 0:
                training.save(checkpoint)
    write(training.towers, weights)
    checkpoint.unlink(missing_ok=True)
    return weights


def write(towers: Towers, path: Path) -> None:
    """Write towers as float16 safetensors with their known answers, sizes and vocabulary."""
    again, tensors = stored(towers.eval())
    contiguous = {name: value.contiguous() for name, value in tensors.items()}
    save_file(contiguous, path, metadata=notes_of(again.shape, sorted(captions.vocabulary())))


def _affordable(settings: Settings, source: World, minutes: float) -> int:
    trial = Training(settings, source, 1000)
    trial.step()
    started = time.monotonic()
    for _ in range(10):
        trial.step()
    return max(20, int(minutes * 60 / (time.monotonic() - started) * 10))


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
