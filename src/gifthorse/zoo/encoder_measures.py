"""How well the encoder answers multiple choices about pictures that it never saw: its report card.

Pictures come from the renderer with seeds, and textures from instances, that no training step uses.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gifthorse.errors import InputError
from gifthorse.records import Question
from gifthorse.zoo import art, captions
from gifthorse.zoo.encoder import SIDE, Encoder
from gifthorse.zoo.encoder_pictures import Dice, blurred, render
from gifthorse.zoo.encoder_training import World, world

SEED = 10**12
"""Seeds from here on draw pictures for measuring; training counts steps and never gets here."""

HELD_OUT = range(4)
"""Instances of each texture that pictures for measuring are drawn from."""

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


def random_exam(source: World, *, seed: int, strength: float = 0.5, within: bool = False) -> Exam:
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


def question_exam(question: Question, *, seed: int, n: int = 128, strength: float = 0.5) -> Exam:
    """``n`` pictures of a Question's true answer, each with the Question's own options.

    Raises:
        InputError: an option that has neither a picture nor a caption of the vocabulary.
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
    for name in captions.items():
        if caption in captions.captions(name):
            return name
    raise InputError(f"no picture is called {caption!r}", "use a caption of gifthorse.zoo.captions.vocabulary()")


def clean_pictures(names: Sequence[str]) -> Tensor:
    """Drawings as they are, on mid-grey, ``(K, 3, 64, 64)``."""
    rgba = torch.from_numpy(np.stack([art.picture(name, SIDE) for name in names]))
    return rgba[:, :3] * rgba[:, 3:] + GREY * (1 - rgba[:, 3:])


def choices(encoder: Encoder, exam: Exam, *, words: bool) -> Tensor:
    """Probability of each option, ``(N, 8)``, with the options as words or as pictures."""
    if words:
        options = encoder.texts([captions.captions(name)[0] for name in exam.names])
    else:
        options = encoder.images(clean_pictures(exam.names))
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


def report_card(encoder: Encoder, rounds: int = 3) -> dict[str, float]:
    """Accuracies on everything of the vocabulary, by kind of choice, of option and of treatment."""
    source = held_out_world()
    treatments: dict[str, Callable[[Tensor], Tensor]] = {
        "": lambda x: x,
        ", blur of 2 pixels": lambda x: blurred(x, 2.0),
        ", noise of 0.2": lambda x: (x + 0.2 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))).clamp(
            0, 1
        ),
    }
    figures: dict[str, list[float]] = {}
    for seed in range(rounds):
        for label, strength, within in (
            ("random eight, half strength", 0.5, False),
            ("one category, half strength", 0.5, True),
            ("random eight, full strength", 1.0, False),
            ("one category, full strength", 1.0, True),
        ):
            exam = random_exam(source, seed=seed, strength=strength, within=within)
            for name, treat in treatments.items():
                if name and (within or strength == 1.0):
                    continue
                treated = Exam(treat(exam.pictures), exam.options, exam.names)
                for words in (False, True):
                    key = f"{label}{name}, {'words' if words else 'pictures'}"
                    figures.setdefault(key, []).append(accuracy(encoder, treated, words=words))
    return {key: sum(values) / len(values) for key, values in figures.items()}
