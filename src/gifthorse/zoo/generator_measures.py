"""How well an embedded generator draws: by the encoder's choices, its space, and a classifier of the world's scenes."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import scipy.linalg
import torch
from torch import Tensor

from gifthorse.classifier import Classifier
from gifthorse.images import resize
from gifthorse.randomness import generator as seeded
from gifthorse.statistics import wilson
from gifthorse.zoo.emoji_generator import EmojiGenerator
from gifthorse.zoo.encoder import SIDE, Encoder
from gifthorse.zoo.encoder_measures import Exam, choices
from gifthorse.zoo.generator import Latents
from gifthorse.zoo.posed import FRAMINGS, Drawing, pictures

OPTIONS = 8


def drawn(made: EmojiGenerator, count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Classes ``(N,)``, one after the other, latents ``(N, 20)``, and what the generator draws of them."""
    which = torch.arange(count) % len(made.classes)
    noise = torch.randn(count, made.noise, generator=seeded(seed, "measured"))
    weights = torch.nn.functional.one_hot(which, len(made.classes)).float()
    with torch.no_grad():
        parts = [
            made.draw(Latents(noise=noise[at : at + 256], classes=weights[at : at + 256]))
            for at in range(0, count, 256)
        ]
    return which, noise, torch.cat(parts).cpu()


def exam(made: EmojiGenerator, images: Tensor, which: Tensor, seed: int = 0) -> Exam:
    """Each picture with eight things of the generator's to choose from, its own first."""
    names = tuple(Drawing.named(name).art for name in made.classes)
    draw, rows = seeded(seed, "options"), []
    for index in which.tolist():
        others = torch.randperm(len(names), generator=draw)
        rows.append(torch.tensor([index, *[int(k) for k in others if int(k) != index][: OPTIONS - 1]]))
    return Exam(resize(images, SIDE).clamp(0, 1), torch.stack(rows), names)


def frechet(first: Tensor, second: Tensor) -> float:
    """Frechet distance of two sets of vectors ``(N, D)``, as if both were normal (Heusel et al. 2017, equation 6)."""
    means = [x.mean(0).double().numpy() for x in (first, second)]
    spreads = [np.cov(x.double().numpy(), rowvar=False) for x in (first, second)]
    root = scipy.linalg.sqrtm(spreads[0] @ spreads[1])
    difference = means[0] - means[1]
    return float(difference @ difference + np.trace(spreads[0] + spreads[1] - 2 * np.real(root)))


def measured(made: EmojiGenerator, kind: str, encoder: Encoder, count: int = 3_000) -> dict[str, object]:
    """What the training's report says of the result.

    ``frechet`` is the distance of its pictures to those that it learnt from, ``floor`` that of these to others of the
    same kind: what a perfect generator would have.
    """
    which, noise, images = drawn(made, count)
    drawings = tuple(Drawing.named(name) for name in made.classes)
    framing = FRAMINGS[kind]
    real = pictures(drawings, which, noise, framing)
    again = pictures(drawings, which, torch.randn(noise.shape, generator=seeded(1, "measured")), framing)
    seen = [encoder.images(part) for part in (images, real, again)]
    found: dict[str, object] = {"frechet": round(frechet(seen[0], seen[1]), 4)}
    found["floor"] = round(frechet(seen[1], seen[2]), 4)
    for name, shown in (("drawn", images), ("real", real)):
        asked = exam(made, shown, which)
        for words in (True, False):
            right = choices(encoder, asked, words=words).argmax(1) == 0
            told = wilson(int(right.sum()), len(right))
            found[f"{name}, by {'word' if words else 'picture'}"] = {
                key: round(value, 4) for key, value in asdict(told).items()
            }
    return found


def recognised(made: EmojiGenerator, classifier: Classifier, count: int = 2_000) -> dict[str, float]:
    """How often a classifier of the world's scenes is right about generated ones of its own classes."""
    wanted = {index: k for k, called in enumerate(classifier.classes) for index in made.showing(called)}
    which = torch.tensor(list(wanted))[torch.arange(count) % len(wanted)]
    noise = torch.randn(count, made.noise, generator=seeded(0, "recognised"))
    weights = torch.nn.functional.one_hot(which, len(made.classes)).float()
    with torch.no_grad():
        images = torch.cat(
            [
                made.draw(Latents(noise=noise[at : at + 256], classes=weights[at : at + 256]))
                for at in range(0, count, 256)
            ]
        )
    found = classifier.predict(resize(images, classifier.size).clamp(0, 1)).argmax(1).cpu()
    right = found == torch.tensor([wanted[int(k)] for k in which])
    return asdict(wilson(int(right.sum()), len(right)))
