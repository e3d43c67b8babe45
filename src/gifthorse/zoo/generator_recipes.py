"""How the embedded generators and the classifiers beside them are made, and what is measured of them.

Run by ``scripts/train-zoo``, which says what a generator may know: that depends on suites, which the zoo does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from gifthorse.randomness import generator
from gifthorse.records import digest
from gifthorse.statistics import wilson
from gifthorse.zoo.emoji_generator import EmbeddedGenerator
from gifthorse.zoo.emoji_networks import MEAN, STD, EmojiResNet
from gifthorse.zoo.emoji_wide import EmojiWide
from gifthorse.zoo.encoder import EmojiEncoder
from gifthorse.zoo.generator_measures import measured, recognised
from gifthorse.zoo.generator_networks import SHARED
from gifthorse.zoo.generator_training import Lesson, Training
from gifthorse.zoo.posed import FRAMINGS, LATENT, Drawing, pictures
from gifthorse.zoo.training import Schedule, autocast, fit, ship

LESSONS = {
    "object": {"closed": (600, 160), "open": (220, 40)},
    "scene": {"closed": (120, 60), "open": (60, 30)},
}
"""Pictures of each drawing in either phase (our choice: until a person could name most of them).

What the open prior knows is what the closed one does, and more: its generator of objects goes on from the other's. The
generator of scenes has what makes drawings from the shipped one of objects of the same prior, and learns the rest."""

JUDGED = 500
"""Steps in which the discriminator learns alone, at the end."""

WIDE = Schedule(scenes=12_800, passes=16, batch=128, learning_rate=4e-3, weight_decay=0.02, every=100)

REACH = {"l2": 1.5, "linf": 16 / 255}
"""Largest norm of the changes that adversarially trained classifiers stand, in [0, 1] units of 32 x 32 pictures; ours.
The notebook's 3.0 of 224 x 224 pictures is to these as 0.43 by root mean square, beside 4/255, and drawings stand more:
at 0.5 and 6/255 they were right about 98% of changed ones."""

STEPS = 2
"""Of the ascent that finds such a change, each of :data:`STRIDE` times the reach (Madry et al. 2018, with 7)."""

STRIDE = 0.7

LINES = 40
"""Of the training's log that the report keeps."""

HELD_OUT = 4_000
"""Pictures that figures are of; their latents are in no training."""


def train_generator(
    kind: str, prior: str, drawings: tuple[Drawing, ...], folder: Path, weights: Path
) -> dict[str, object]:
    """``emoji-objects-open`` and the like, shipped to a folder; the report returned."""
    row = EmbeddedGenerator(kind=kind, prior=prior)
    drawn, sharpened = (len(drawings) * each // Lesson.batch for each in LESSONS[kind][prior])
    lesson = Lesson(drawn=drawn, sharpened=sharpened, judged=JUDGED)
    start = None
    if kind == "scene":
        start = EmbeddedGenerator(kind="object", prior=prior).path
    elif prior == "open":
        start = folder.with_name(EmbeddedGenerator(kind=kind, prior="closed").path.stem)
    training = Training(kind, drawings, lesson, start)
    log = training.run(folder)
    made, judge = bare(training.average.module), bare(training.discriminator)
    state = {f"generator.{key}": value for key, value in made.state_dict().items()}
    state |= {f"discriminator.{key}": value for key, value in judge.state_dict().items()}
    names = [drawing.name for drawing in drawings]
    report: dict[str, object] = {
        "network": row.path.stem,
        "parameters": {
            "generator": sum(p.numel() for p in made.parameters()),
            "discriminator": sum(p.numel() for p in judge.parameters()),
        },
        "lesson": asdict(lesson),
        "drawings": len(names),
        "threads": torch.get_num_threads(),
        "log": log[:: max(1, len(log) // LINES)] + log[-1:],
    }
    told = {"kind": kind, "prior": prior, "drawings": json.dumps(names)}
    if kind == "scene":
        state = {
            key: value
            for key, value in state.items()
            if not key.startswith(tuple(f"generator.{name}." for name in SHARED))
        }
        path = EmbeddedGenerator(prior=prior).path
        told["shared"] = f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    ship(state, row.path.stem, report, weights, halved=True, told=told)
    shipped = row.load(weights / row.path.name)
    report |= {"measured": measured(shipped, kind, EmojiEncoder().load())}
    if kind == "scene":
        report |= {"recognised": recognised(shipped, EmojiResNet().load(device="cpu"))}
    ship(state, row.path.stem, report, weights, halved=True, told=told)
    return report


def bare(module: nn.Module) -> nn.Module:
    """A trained module with its spectral norms worked into its weights.

    The norms are worked out anew: an average of weights has an average of their singular vectors, which is none.
    """
    module.eval()
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear | nn.Embedding) and parametrize.is_parametrized(part, "weight"):
            weight: Tensor = part.get_parameter("parametrizations.weight.original").detach()
            parametrize.remove_parametrizations(part, "weight")
            with torch.no_grad():
                part.weight.copy_(weight / torch.linalg.matrix_norm(weight.flatten(1), 2))
    return module


@dataclass(frozen=True)
class Posed:
    """Pictures of drawings in random poses, as batches: which drawings ``(B,)`` and pictures ``(B, 3, 32, 32)``."""

    drawings: tuple[Drawing, ...]

    @property
    def digest(self) -> str:
        """Of the drawings' names."""
        return digest([drawing.name for drawing in self.drawings])

    def batches(self, schedule: Schedule, first: int) -> Iterator[tuple[int, tuple[Tensor, Tensor]]]:
        """Each step's own draw."""
        for step in range(first, schedule.steps):
            yield step, self.drawn(schedule.batch, generator(schedule.seed, "wide", step))

    def drawn(self, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
        """``count`` pictures."""
        which = torch.randint(len(self.drawings), (count,), generator=draw)
        latents = torch.randn(count, LATENT, generator=draw)
        return which, pictures(self.drawings, which, latents, FRAMINGS["object"])


def train_wide(
    robust: str, drawings: tuple[Drawing, ...], folder: Path, weights: Path, schedule: Schedule = WIDE
) -> dict[str, object]:
    """``emoji-wide-plain``, ``-l2`` or ``-linf``; the report returned."""
    torch.manual_seed(schedule.seed)
    row, posed = EmojiWide(robust=robust), Posed(drawings)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    module = row.module(len(drawings))

    def loss(network: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        which, images = batch
        if robust != "plain":
            images = attacked(lambda x: network((x - mean) / std), images, which, robust)
        logits: Tensor = network((images - mean) / std)
        return F.cross_entropy(logits.float(), which)

    log = fit(module, posed, loss, schedule, folder)
    which, images = posed.drawn(HELD_OUT, generator(schedule.seed, "held out"))
    report: dict[str, object] = {
        "network": row.name,
        "parameters": sum(p.numel() for p in module.parameters()),
        "schedule": asdict(schedule),
        "accuracy": _accuracy(module, which, (images - mean) / std),
        "log": log,
    }
    for norm in REACH:
        changed = attacked(lambda x: module((x - mean) / std), images[:1000], which[:1000], norm)
        report[f"accuracy under {norm}"] = _accuracy(module, which[:1000], (changed - mean) / std)
    told = {"drawings": json.dumps([drawing.name for drawing in drawings])}
    ship(module.state_dict(), row.name, report, weights, halved=True, told=told)
    return report


def _accuracy(module: nn.Module, which: Tensor, images: Tensor) -> dict[str, object]:
    with torch.no_grad():
        found = torch.cat([module(part).argmax(1) for part in torch.split(images, 256)])
    return asdict(wilson(int((found == which).sum()), len(which)))


def attacked(network: Callable[[Tensor], Tensor], images: Tensor, labels: Tensor, norm: str) -> Tensor:
    """Images changed within the reach of a norm so that a network errs: ``(B, 3, H, W)`` in [0, 1] to the same."""
    change = torch.zeros_like(images, requires_grad=True)
    reach = REACH[norm]
    for _ in range(STEPS):
        with torch.enable_grad(), autocast():
            logits = network((images + change).clamp(0, 1))
            value = F.cross_entropy(logits.float(), labels)
        (slope,) = torch.autograd.grad(value, change)
        with torch.no_grad():
            if norm == "linf":
                moved = (change + STRIDE * reach * slope.sign()).clamp(-reach, reach)
            else:
                moved = change + STRIDE * reach * slope / _length(slope)
                moved = moved * (reach / _length(moved)).clamp_max(1.0)
        change = moved.detach().requires_grad_()
    return (images + change).clamp(0, 1).detach()


def _length(values: Tensor) -> Tensor:
    length: Tensor = values.flatten(1).norm(dim=1).clamp_min(1e-12)
    return length[:, None, None, None]
